"""A head that replaces a net's own: where the net ends, and the layers after that."""

import dataclasses

import tensorflow as tf

from checkpoints.model_info import ModelInfo
from nets import slim
from nets.end_points import pooled

LOGITS_SCOPE = "Linear"  # of the layer that gives the logits, within the head's

_DROPOUT_KEEP_PROB = 0.8  # as in Inception v3's own head


@dataclasses.dataclass(frozen=True)
class NewHead:
    """What replaces a net's head; false where the net keeps its own.

    Attributes:
      final_endpoint: the end point after which the head begins; None: where the net's
        own head begins.
      hidden_units: the sizes of the relu layers before the logits, in their order.
    """

    final_endpoint: str | None = None
    hidden_units: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.final_endpoint or self.hidden_units)

    @classmethod
    def of(cls, info: ModelInfo) -> "NewHead":
        """The head of the net that `model.json` describes."""
        return cls(info.final_endpoint, info.head_hidden_units)

    def as_flags(self) -> str:
        """Its flags, such as " --final_endpoint=Mixed_6e"; "" for a net's own."""
        units = ",".join(map(str, self.hidden_units))
        cut = f" --final_endpoint={self.final_endpoint}" if self.final_endpoint else ""
        return cut + (f" --head_hidden_units={units}" if units else "")

    def scope(self, own_scope: str) -> str:
        """The variable scope of the head.

        It says where the head begins, so that the weights of one are never taken for
        those of another with as many features.

        Args:
          own_scope: the scope of the head that it replaces.

        >>> NewHead("vgg_16/conv4/conv4_3").scope("vgg_16/fc8")
        'vgg_16/Logits_conv4_conv4_3'
        """
        root = own_scope.rpartition("/")[0]
        scope = "Logits"
        if self.final_endpoint:
            inner = self.final_endpoint.removeprefix(f"{root}/")
            scope = f"Logits_{inner.replace('/', '_')}"
        return f"{root}/{scope}" if root else scope


OWN_HEAD = NewHead()


def features_name(scope: str) -> str:
    """The name of what the logits of `build` read, in the graph of an evaluation.

    Args:
      scope: the scope of a head without hidden layers.
    """
    return f"{scope}/Dropout/Identity:0"


def build(
    net: tf.Tensor,
    head: NewHead,
    num_classes: int | None,
    *,
    scope: str,
    weight_decay: float,
    is_training: bool,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Pools, then builds the hidden layers, dropout and the logits.

    Args:
      net: `[batch, height, width, channels]`, `[batch, tokens, channels]`, or
        `[batch, channels]` float32.
      head: for its hidden layers.
      num_classes: None or 0 gives the features before the logits.
      scope: variable scope.
      weight_decay: coefficient of the L2 penalty on the weights.
      is_training: whether dropout is on.

    Returns:
      `[batch, num_classes]` logits (or features), and the end points of the head:
      `global_pool`, `Hidden_1` and so on, `Logits`, `Predictions`.
    """
    end_points = {}
    with (
        tf.compat.v1.variable_scope(scope),
        slim.arg_scope(
            [slim.fully_connected],
            normalizer_fn=None,
            weights_regularizer=slim.l2_regularizer(weight_decay),
        ),
    ):
        if net.shape.rank > 2:
            net = end_points["global_pool"] = pooled(net)
        for number, units in enumerate(head.hidden_units, 1):
            name = f"Hidden_{number}"
            net = slim.fully_connected(net, units, scope=name)
            end_points[name] = net
        if not num_classes:
            return net, end_points
        net = slim.dropout(net, _DROPOUT_KEEP_PROB, is_training=is_training)
        logits = slim.fully_connected(
            net, num_classes, activation_fn=None, scope=LOGITS_SCOPE
        )
        end_points["Logits"] = logits
        end_points["Predictions"] = slim.softmax(logits, scope="Predictions")
    return logits, end_points
