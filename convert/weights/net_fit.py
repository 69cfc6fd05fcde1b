"""Which nets a set of variables fits."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import tensorflow as tf
from tensorflow.python.ops.resource_variable_ops import UninitializedVariable

from checkpoints.model_info import ModelInfo
from nets import nets_factory
from nets.network import Network, first_kernel
from nets.new_head import OWN_HEAD, NewHead

# Stands for the number of classes: a prime that no layer has as number of channels.
_CLASSES = 7919


@dataclasses.dataclass(frozen=True)
class Fit:
    """How variables compare to those of a net.

    Attributes:
      model_name: the net, as in `nets_factory.NETWORKS`.
      num_classes: the number of classes of the checkpoint's classifier; None if it has
        none.
      total: number of the net's variables.
      missing: variables of the net that are not in the checkpoint.
      unknown: variables of the checkpoint that are not in the net.
      misshapen: variables with another shape than in the net.
      head: replaces the net's own; false if the net keeps its own.
    """

    model_name: str
    num_classes: int | None
    total: int
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    misshapen: tuple[str, ...]
    head: NewHead = OWN_HEAD

    @property
    def is_whole(self) -> bool:
        """Whether the net can be restored, except for its heads.

        Additional variables do no harm: slim's published VGGs and ResNets have a
        `mean_rgb`.
        """
        heads = nets_factory.head_scopes(self.model_name, self.head)
        absent_body = [
            name
            for name in self.missing
            if not (name.startswith(heads) or is_auxiliary(name))
        ]
        return not (absent_body or self.misshapen)

    @property
    def missing_heads(self) -> tuple[str, ...]:
        """The scopes of heads with at least one missing variable."""
        heads = nets_factory.head_scopes(self.model_name, self.head)
        return tuple(
            head
            for head in heads
            if any(name.startswith(head) for name in self.missing)
        )


def is_auxiliary(name: str) -> bool:
    """Whether a scope or variable belongs to an auxiliary head."""
    return any(part.lower().startswith("aux") for part in name.split("/"))


def candidates(variable_names: Iterable[str]) -> list[str]:
    """The nets whose classifier is in one of the variables' outermost scopes."""
    roots = {name.partition("/")[0] for name in variable_names}
    return [
        name
        for name, entry in nets_factory.NETWORKS.items()
        if any(head.partition("/")[0] in roots for head in entry.head_scopes)
    ]


def compare(
    shapes: Mapping[str, tuple[int, ...]],
    model_name: str,
    info: ModelInfo | None = None,
) -> Fit:
    """Compares variables with those of a net, with any number of classes.

    Args:
      shapes: shapes by variable name, without slots and moving averages.
      model_name: a key of `nets_factory.NETWORKS`.
      info: the `model.json` of a run of this net, for its head and the size of its
        images; None: the net's own.

    Returns:
      What fits and what does not.
    """
    head = NewHead.of(info) if info else OWN_HEAD
    size = info.image_size if info else None
    expected = net_shapes(model_name, _CLASSES, head=head, image_size=size)
    first = first_kernel(expected)
    height, width, _, filters = expected[first]
    if shapes.get(first) == (height, width, 1, filters):  # trained on gray images
        expected[first] = shapes[first]
    misshapen = []
    classes = set()
    for name in (name for name in expected if name in shapes):
        pairs = list(zip(expected[name], shapes[name], strict=False))
        fixed = [(ours, theirs) for ours, theirs in pairs if ours != _CLASSES]
        classes |= {theirs for ours, theirs in pairs if ours == _CLASSES}
        if len(expected[name]) != len(shapes[name]) or any(a != b for a, b in fixed):
            misshapen.append(name)
    if len(classes) > 1:
        misshapen += [name for name in shapes if _CLASSES in expected.get(name, ())]
    return Fit(
        model_name,
        classes.pop() if len(classes) == 1 else None,
        len(expected),
        missing=tuple(name for name in expected if name not in shapes),
        unknown=tuple(name for name in shapes if name not in expected),
        misshapen=tuple(misshapen),
        head=head,
    )


def net_shapes(
    model_name: str,
    num_classes: int,
    *,
    head: NewHead = OWN_HEAD,
    image_size: int | None = None,
) -> dict[str, tuple[int, ...]]:
    """Shapes of a net's variables, including auxiliary heads; nothing is allocated.

    Args:
      model_name: a key of `nets_factory.NETWORKS`.
      num_classes: number of logits.
      head: replaces the net's own.
      image_size: side of the images in pixels; None is the net's default.

    Returns:
      Shapes by variable name, in order of creation.
    """
    with tf.variable_creator_scope(_without_value):
        network = Network(
            model_name, num_classes=num_classes, image_size=image_size, head=head
        )
        return network.variable_shapes()


def _without_value(_: Callable[..., tf.Variable], **kwargs: Any) -> tf.Variable:
    """A variable that has a shape and no memory; for `tf.variable_creator_scope`."""
    initializer_of_shape = kwargs["initial_value"]
    return UninitializedVariable(
        trainable=kwargs["trainable"],
        shape=initializer_of_shape.args[0],
        dtype=kwargs["dtype"],
        name=kwargs["name"],
    )
