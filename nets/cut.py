"""A net up to one of its end points: what is built of it, and what can be cut."""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from errors import UserError, nearest
from nets import end_points, graph_walk, slim
from nets.net_entry import NetEntry

_CLASSES = 2  # of a head that is traced and left out
_MAX_NAMED = 40  # end points in an error message


@dataclasses.dataclass(frozen=True)
class Cut:
    """What is left of a net that ends early.

    Attributes:
      variables: names of those that its features are computed from.
      end_points: names of those on the way from the image to the features.
    """

    variables: frozenset[str]
    end_points: tuple[str, ...]


def build(
    entry: NetEntry,
    final_endpoint: str | None,
    images: tf.Tensor,
    num_classes: int | None,
    *,
    is_training: bool,
    options: Mapping[str, Any],
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Builds a net in the arg scope around, without its head and what comes after.

    Args:
      entry: the net.
      final_endpoint: where it ends; None: where its own head begins.
      images: `[batch, height, width, channels]` float32.
      num_classes: see `nets_factory.get_network_fn`.
      is_training: mode of batch norm and dropout.
      options: the options of the net's builder.

    Returns:
      The features at the end, and the end points on the way to them.

    Raises:
      UserError: the net has no such end point, or it cannot end there.
      ValueError: the net cannot be built for such images.
    """
    shape = tuple(images.shape[1:])
    cut = find(entry, final_endpoint, shape, tuple(sorted(options.items())))
    with slim.keeping(cut.variables):
        features, found = _run(
            *(entry, final_endpoint, images, num_classes if final_endpoint else None),
            is_training=is_training,
            options=options,
        )
    return features, {name: found[name] for name in cut.end_points}


@functools.lru_cache(maxsize=64)
def find(
    entry: NetEntry,
    final_endpoint: str | None,
    input_shape: tuple[int | None, ...],
    options: tuple[tuple[str, Any], ...] = (),
) -> Cut:
    """What is left of a net; see `build`.

    Args:
      entry: the net.
      final_endpoint: where it ends.
      input_shape: (height, width, channels) of its images.
      options: the options of the net's builder, by name.
    """
    try:
        features, found = _trace(
            *(entry, final_endpoint, input_shape, dict(options)),
            num_classes=_CLASSES if final_endpoint else None,
        )
    except ValueError:
        # Of other images it may be built that far: is it the name, or the size?
        size = entry.image_size
        _, found = _trace(entry, None, (size, size, input_shape[-1]), {})
        if final_endpoint is not None and final_endpoint not in found:
            raise _refused(entry, final_endpoint, found) from None
        raise
    if features is None or (final_endpoint and reason_against(entry, features)):
        raise _refused(entry, final_endpoint or "", found)
    reached = graph_walk.upstream([features.op])
    return Cut(
        _variables(reached),
        tuple(name for name, tensor in found.items() if tensor.op in reached),
    )


def reason_against(entry: NetEntry, tensor: tf.Tensor) -> str:
    """Why a net cannot end at a tensor of its traced graph; "" if it can."""
    names = _variables(graph_walk.upstream([tensor.op]))
    if any(f"{n}/".startswith(f"{s}/") for n in names for s in entry.head_scopes):
        return "it is a part of the head, or comes after it"
    return reason_against_shape(tensor.shape)


def reason_against_shape(shape: tf.TensorShape) -> str:
    """Why no new head can begin at a tensor of a shape; "" if one can."""
    if shape.rank not in (3, 4):
        sizes = " × ".join(map(str, shape[1:]))
        return f"there is no map left to pool over height and width ({sizes} features)"
    if 0 in tuple(shape[1:]):
        return f"its map is empty: {shape[1]} × {shape[2]}"
    return ""


def _variables(operations: Iterable[tf.Operation]) -> frozenset[str]:
    return frozenset(filter(None, map(slim.variable_of_placeholder, operations)))


def _refused(
    entry: NetEntry, final_endpoint: str, found: Mapping[str, tf.Tensor]
) -> UserError:
    there = [name for name, t in found.items() if not reason_against(entry, t)]
    if final_endpoint in found:
        why = f"cannot end there: {reason_against(entry, found[final_endpoint])}"
    else:
        inner = [name for name in there if name.endswith(f"/{final_endpoint}")]
        near = f" (did you mean {inner[0]}?)" if inner else ""
        why = f"no such end point{near or nearest(final_endpoint, there)}"
    return UserError(
        f"--final_endpoint={final_endpoint}: {why}; the net can end at {_few(there)}"
    )


def _few(names: Sequence[str]) -> str:
    """The outermost of the names, and how many more there are."""
    shown: list[str] = []
    for depth in range(1 + max((name.count("/") for name in names), default=0)):
        level = [name for name in names if name.count("/") == depth]
        if len(shown) + len(level) > _MAX_NAMED:
            break
        shown += level
    text = ", ".join(name for name in names if name in shown)
    if more := len(names) - len(shown):
        text += f" and {more} more (convert/inspect_network.py lists all)"
    return text


def _trace(
    entry: NetEntry,
    final_endpoint: str | None,
    input_shape: tuple[int | None, ...],
    options: Mapping[str, Any],
    *,
    num_classes: int | None = _CLASSES,
) -> tuple[tf.Tensor | None, dict[str, tf.Tensor]]:
    """`_run` in a separate graph, with placeholders for variables."""
    graph = tf.__internal__.FuncGraph("trace")
    # Without weight decay each layer would say that it is not regularized.
    with (
        graph.as_default(),
        slim.arg_scope(entry.arg_scope(weight_decay=1.0)),
        slim.layer_policy(slim.LayerPolicy(lambda _: False, dropout_seed=None)),
        slim.variables_as_placeholders(),
    ):
        images = tf.compat.v1.placeholder(tf.float32, (2, *input_shape))
        return _run(
            *(entry, final_endpoint, images, num_classes),
            is_training=False,
            options=options,
        )


def _run(
    entry: NetEntry,
    final_endpoint: str | None,
    images: tf.Tensor,
    num_classes: int | None,
    *,
    is_training: bool,
    options: Mapping[str, Any],
) -> tuple[tf.Tensor | None, dict[str, tf.Tensor]]:
    """The features where the net ends, None if it does not, and all end points."""
    features = None
    with end_points.building_until(final_endpoint) as found:
        features, of_net = entry.builder(
            images,
            num_classes=num_classes,
            is_training=is_training,
            **options,
        )
        found.update(of_net)
    return (found.get(final_endpoint) if final_endpoint else features), found
