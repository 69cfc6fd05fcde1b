"""EfficientNet and EfficientNet-Lite: MobileNet v2's blocks, scaled in three ways.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
https://arxiv.org/abs/1905.11946, table 1 and section 3.3. A net has more layers, wider
ones and larger images than B0 by factors that belong together. EfficientNet-Lite
(https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite) leaves
out squeeze-and-excite, has ReLU6 for swish, and scales neither the first and the last
convolution nor the number of blocks of the first and the last stage.

ImageNet top-1 of the published weights at the nets' own sizes: B0 to B7 77.1, 79.1,
80.1, 81.6, 82.9, 83.6, 84.0, 84.3; Lite0 to Lite4 75.1, 76.7, 77.6, 79.8, 81.5.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from nets import slim
from nets.drop_path import drop_path
from nets.mobilenet import conv_blocks, layer_sizes, mobilenet
from nets.mobilenet.conv_defs import Op, op
from nets.net_entry import NetEntry, NetworkFn

# Of the last block; it grows linearly from 0 at the first: Huang et al., "Deep Networks
# with Stochastic Depth", https://arxiv.org/abs/1603.09382, equation 4.
_DROP_PATH_RATE = 0.2
_STEM_DEPTH, _LAST_DEPTH = 32, 1280


class Stage(NamedTuple):
    """Blocks of one depth at the size of B0; the first has the stride."""

    kernel: int
    stride: int
    expansion: int
    depth: int
    blocks: int


STAGES = (
    Stage(3, 1, 1, 16, 1),
    Stage(3, 2, 6, 24, 2),
    Stage(5, 2, 6, 40, 2),
    Stage(3, 2, 6, 80, 3),
    Stage(5, 1, 6, 112, 3),
    Stage(5, 2, 6, 192, 4),
    Stage(3, 1, 6, 320, 1),
)


class Scale(NamedTuple):
    """How large a net is.

    Attributes:
      width: factor of the channels.
      depth: factor of the blocks.
      image_size: side of the square input image, in pixels.
      keep_prob: share of features kept before the logits in training.
    """

    width: float
    depth: float
    image_size: int
    keep_prob: float


SCALES = {
    "b0": Scale(1.0, 1.0, 224, 0.8),
    "b1": Scale(1.0, 1.1, 240, 0.8),
    "b2": Scale(1.1, 1.2, 260, 0.7),
    "b3": Scale(1.2, 1.4, 300, 0.7),
    "b4": Scale(1.4, 1.8, 380, 0.6),
    "b5": Scale(1.6, 2.2, 456, 0.6),
    "b6": Scale(1.8, 2.6, 528, 0.5),
    "b7": Scale(2.0, 3.1, 600, 0.5),
    "lite0": Scale(1.0, 1.0, 224, 0.8),
    "lite1": Scale(1.0, 1.1, 240, 0.8),
    "lite2": Scale(1.1, 1.2, 260, 0.7),
    "lite3": Scale(1.2, 1.4, 280, 0.7),
    "lite4": Scale(1.4, 1.8, 300, 0.7),
}


def conv_defs(name: str) -> dict[str, Any]:
    """The table of a net's layers, as `nets/mobilenet/conv_defs.py` describes them.

    Args:
      name: a key of `SCALES`.
    """
    scale, is_lite = SCALES[name], name.startswith("lite")
    activation_fn = tf.nn.relu6 if is_lite else tf.nn.silu
    blocks = _blocks(scale, is_lite)
    ends = 1.0 if is_lite else scale.width
    return {
        "defaults": {
            (slim.batch_norm,): {"center": True, "scale": True, "epsilon": 0.001},
            (slim.conv2d, slim.separable_conv2d): {
                "normalizer_fn": slim.batch_norm,
                "activation_fn": activation_fn,
                "padding": "SAME",
            },
            (conv_blocks.expanded_conv,): {"normalizer_fn": slim.batch_norm},
        },
        "spec": [
            _convolution(3, 2, _STEM_DEPTH, ends),
            *(
                _block(block, _DROP_PATH_RATE * i / len(blocks), has_gates=not is_lite)
                for i, block in enumerate(blocks)
            ),
            _convolution(1, 1, _LAST_DEPTH, ends),
        ],
    }


def _blocks(scale: Scale, is_lite: bool) -> list[Stage]:
    """Every block of a net as a separate stage, with scaled depth."""
    blocks = []
    for stage in STAGES:
        at_an_end = stage in (STAGES[0], STAGES[-1])
        factor = 1.0 if is_lite and at_an_end else scale.depth
        scaled = stage._replace(depth=_scaled(stage.depth, scale.width), blocks=1)
        repeated = scaled._replace(stride=1)
        blocks += [scaled, *[repeated] * (math.ceil(factor * stage.blocks) - 1)]
    return blocks


def _scaled(depth: int, width: float) -> int:
    return layer_sizes.make_divisible(depth * width, 8)


def _convolution(kernel: int, stride: int, depth: int, width: float) -> Op:
    return op(
        slim.conv2d,
        kernel_size=(kernel, kernel),
        stride=stride,
        num_outputs=_scaled(depth, width),
    )


def _block(block: Stage, drop_path_rate: float, *, has_gates: bool) -> Op:
    return op(
        conv_blocks.expanded_conv,
        expansion_size=layer_sizes.expand_input_by_factor(block.expansion, 1),
        kernel_size=(block.kernel, block.kernel),
        stride=block.stride,
        num_outputs=block.depth,
        residual=functools.partial(_residual, block.stride, 1 - drop_path_rate),
        expansion_transform=_gated if has_gates else None,
    )


def _gated(expansion_tensor: tf.Tensor, input_tensor: tf.Tensor) -> tf.Tensor:
    """Squeeze-and-excite to a quarter of the channels that the block is given."""
    expanded, given = (x.shape[-1] for x in (expansion_tensor, input_tensor))
    return conv_blocks.squeeze_excite(
        expansion_tensor,
        divisible_by=1,
        squeeze_factor=expanded / (given // 4),
        inner_activation_fn=tf.nn.silu,
    )


def _residual(
    stride: int, keep_prob: float, input_tensor: tf.Tensor, output_tensor: tf.Tensor
) -> tf.Tensor:
    """The block's output with its input, where the two are alike."""
    if stride > 1 or input_tensor.shape[-1] != output_tensor.shape[-1]:
        return output_tensor
    # The scope of the batch norm at the branch's end, which is frozen with the block.
    end = f"{tf.compat.v1.get_variable_scope().name}/project/BatchNorm"
    return drop_path(output_tensor, keep_prob, frozen_with=end) + input_tensor


def arg_scope(
    is_training: bool | None = True,
    weight_decay: float = 0.00004,
    dropout_keep_prob: float = 0.8,
    batch_norm_decay: float = 0.99,
) -> dict[str, Any]:
    """The layer defaults that EfficientNets were trained with.

    Args:
      is_training: mode of batch norm, dropout and drop path.
      weight_decay: L2 coefficient of the convolutions' weights; depthwise ones have no
        penalty.
      dropout_keep_prob: share of features kept before the logits in training.
      batch_norm_decay: of the moving statistics.

    Returns:
      An arg scope, for `slim.arg_scope`.
    """
    # Normal, of variance 2 / fan out: He et al., https://arxiv.org/abs/1502.01852.
    initializer = tf.compat.v1.variance_scaling_initializer(
        scale=2.0, mode="fan_out", distribution="untruncated_normal"
    )
    defaults = mobilenet.training_scope(
        is_training,
        weight_decay,
        dropout_keep_prob=dropout_keep_prob,
        bn_decay=batch_norm_decay,
    )
    with (
        slim.arg_scope(defaults),
        slim.arg_scope([slim.conv2d], weights_initializer=initializer),
        # Of a depthwise convolution fan out counts the multiplier, which is 1.
        slim.arg_scope(
            [slim.separable_conv2d], weights_initializer=_depthwise_initializer
        ),
        slim.arg_scope([drop_path], is_training=is_training) as scope,
    ):
        return scope


def _depthwise_initializer(shape: Any, dtype: tf.DType, **_: Any) -> tf.Tensor:
    """Normal, of variance 2 / (height * width) of the kernel."""
    deviation = math.sqrt(2 / math.prod(shape[:2]))
    return tf.compat.v1.random_normal(shape, stddev=deviation, dtype=dtype)


def _network(name: str) -> NetworkFn:
    table = conv_defs(name)

    def network(
        images: tf.Tensor,
        num_classes: int | None = 1000,
        is_training: bool | None = False,
        scope: str = f"efficientnet_{name}",
        **kwargs: Any,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """An EfficientNet.

        Args:
          images: `[batch, height, width, channels]` float32.
          num_classes: None or 0 gives the pooled features instead of logits.
          is_training: mode of batch norm, dropout and drop path; None leaves it to the
            arg scopes.
          scope: variable scope.
          **kwargs: for `mobilenet.mobilenet` and `mobilenet.mobilenet_base`, as
            `prediction_fn`, `reuse`, `base_only`, `final_endpoint` and `output_stride`.

        Returns:
          `[batch, num_classes]` logits, or features, and all end points by name.
        """
        with slim.safe_arg_scope([drop_path], is_training=is_training):
            return mobilenet.mobilenet(
                images,
                num_classes=num_classes,
                conv_defs=table,
                is_training=is_training,
                scope=scope,
                **kwargs,
            )

    network.__name__ = network.__qualname__ = f"efficientnet_{name}"
    network.default_image_size = SCALES[name].image_size  # type: ignore[attr-defined]
    return network


def _entry(name: str) -> NetEntry:
    arguments: dict[str, Any] = {"dropout_keep_prob": SCALES[name].keep_prob}
    scoped: Callable[..., dict[str, Any]] = functools.partial(arg_scope, **arguments)
    return NetEntry(
        _network(name),
        scoped,
        SCALES[name].image_size,
        (f"efficientnet_{name}/Logits",),
        "efficientnet_lite" if name.startswith("lite") else "efficientnet",
    )


ENTRIES = {f"efficientnet_{name}": _entry(name) for name in SCALES}
