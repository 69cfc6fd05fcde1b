"""The end points of a net as it is built, so that building can end at one of them."""

import contextlib
import contextvars
from collections.abc import Iterator

import tensorflow as tf


class EndPoints(dict[str, tf.Tensor]):
    """End points by name, each of them noted when it is set.

    A net that keeps its end points in one is built no further than to the last that is
    wanted; one that keeps them in a plain dictionary is built as a whole.
    """

    def __setitem__(self, name: str, tensor: tf.Tensor) -> None:
        super().__setitem__(name, tensor)
        note(name, tensor)


class _ReachedError(Exception):
    """The end point that building was to end at is there."""


# (name of the last end point that is wanted, those that were noted)
_building: contextvars.ContextVar[tuple[str | None, dict[str, tf.Tensor]] | None] = (
    contextvars.ContextVar("building", default=None)
)


@contextlib.contextmanager
def building_until(final_endpoint: str | None) -> Iterator[dict[str, tf.Tensor]]:
    """Leaves the block as soon as an end point is noted.

    Args:
      final_endpoint: its name; None builds everything.

    Yields:
      All end points that are noted, by name; filled while the net is built.
    """
    noted: dict[str, tf.Tensor] = {}
    token = _building.set((final_endpoint, noted))
    try:
        yield noted
    except _ReachedError:
        pass
    finally:
        _building.reset(token)


def pooled(tensor: tf.Tensor) -> tf.Tensor:
    """The features of an end point, `[batch, channels]`.

    Args:
      tensor: `[batch, height, width, channels]` or `[batch, tokens, channels]`, which
        is averaged over all but batch and channels, or `[batch, channels]`.
    """
    return tf.reduce_mean(tensor, list(range(1, tensor.shape.rank - 1)))


def are_noted() -> bool:
    """Whether there is a `building_until` around."""
    return _building.get() is not None


def note(name: str, tensor: tf.Tensor) -> None:
    """Says that an end point is there, to a `building_until` around."""
    if building := _building.get():
        final_endpoint, noted = building
        noted[name] = tensor
        if name == final_endpoint:
            raise _ReachedError
