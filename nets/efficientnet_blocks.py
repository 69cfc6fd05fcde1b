"""The blocks of EfficientNets, made of MobileNet's, and nets of them."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from nets import slim
from nets.drop_path import drop_path
from nets.mobilenet import conv_blocks, layer_sizes, mobilenet
from nets.mobilenet.conv_defs import Op, op
from nets.net_entry import NetEntry, NetworkFn, named

# Of the last block; it grows linearly from 0 at the first: Huang et al., "Deep Networks
# with Stochastic Depth", https://arxiv.org/abs/1603.09382, equation 4.
_DROP_PATH_RATE = 0.2


class Stage(NamedTuple):
    """Blocks of one depth; the first has the stride.

    Attributes:
      kernel: side of the depthwise kernels, in places; of a fused stage, of the
        expansions, or of the only convolution where there is no expansion.
      stride: of the first block.
      expansion: channels inside a block per channel of its input.
      depth: channels after each block.
      blocks: how many there are.
      is_fused: whether a full convolution stands for expansion, depthwise and gates.
    """

    kernel: int
    stride: int
    expansion: int
    depth: int
    blocks: int
    is_fused: bool = False


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


def repeated(stage: Stage, factor: float) -> list[Stage]:
    """Every block of a stage, `factor` times as many, as a stage of its own."""
    first = stage._replace(blocks=1)
    following = first._replace(stride=1)
    return [first, *[following] * (math.ceil(factor * stage.blocks) - 1)]


def table(
    blocks: Sequence[Stage],
    stem_depth: int,
    last_depth: int,
    *,
    activation_fn: Callable[..., tf.Tensor] = tf.nn.silu,
    has_gates: bool = True,
    pads: bool = False,
) -> dict[str, Any]:
    """The table of a net's layers, as `nets/mobilenet/conv_defs.py` describes them.

    Args:
      blocks: each as a stage of its own.
      stem_depth: channels of the first convolution.
      last_depth: channels of the last one.
      activation_fn: after every convolution but the projections.
      has_gates: whether blocks that are not fused have squeeze-and-excite.
      pads: whether fused convolutions pad alike on all sides, as PyTorch does.
    """
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
            _convolution(3, 2, stem_depth),
            *(
                _fused(block, _DROP_PATH_RATE * i / len(blocks), pads=pads)
                if block.is_fused
                else _block(block, _DROP_PATH_RATE * i / len(blocks), has_gates)
                for i, block in enumerate(blocks)
            ),
            _convolution(1, 1, last_depth),
        ],
    }


def _convolution(kernel: int, stride: int, depth: int) -> Op:
    return op(
        slim.conv2d, kernel_size=(kernel, kernel), stride=stride, num_outputs=depth
    )


def _block(block: Stage, drop_path_rate: float, has_gates: bool) -> Op:
    return op(
        conv_blocks.expanded_conv,
        expansion_size=layer_sizes.expand_input_by_factor(block.expansion, 1),
        kernel_size=(block.kernel, block.kernel),
        stride=block.stride,
        num_outputs=block.depth,
        residual=functools.partial(_residual, block.stride, 1 - drop_path_rate),
        expansion_transform=_gated if has_gates else None,
    )


def _fused(block: Stage, drop_path_rate: float, *, pads: bool) -> Op:
    """A block of two convolutions, or of one where there is no expansion."""
    wide = functools.partial(
        _padded_conv, kernel=block.kernel, stride=block.stride, pads=pads
    )
    convolutions: dict[str, Any] = {"expansion_fn": wide}
    if block.expansion == 1:
        convolutions = {"projection_fn": wide, "project_activation_fn": tf.nn.silu}
    return op(
        conv_blocks.expanded_conv,
        expansion_size=layer_sizes.expand_input_by_factor(block.expansion, 1),
        kernel_size=(1, 1),
        stride=block.stride,
        num_outputs=block.depth,
        depthwise_location=None,
        residual=functools.partial(_residual, block.stride, 1 - drop_path_rate),
        **convolutions,
    )


def _padded_conv(
    net: tf.Tensor,
    num_outputs: int,
    *,
    kernel: int,
    stride: int,
    pads: bool,
    rate: int = 1,
    **options: Any,
) -> tf.Tensor:
    padding = "SAME"
    if pads:
        net, padding = layer_sizes.fixed_padding(net, (kernel, kernel), rate), "VALID"
    return slim.conv2d(
        net,
        num_outputs,
        [kernel, kernel],
        stride=stride,
        rate=rate,
        padding=padding,
        **options,
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
    block = tf.compat.v1.get_variable_scope().name
    return drop_path(output_tensor, keep_prob, block=block) + input_tensor


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


def entry(
    name: str,
    layers: dict[str, Any],
    scale: Scale,
    preprocessing: str,
    *,
    pads: bool = False,
    batch_norm_decay: float = 0.99,
) -> NetEntry:
    """The row of a net.

    Args:
      name: of the net, and of its variable scope.
      layers: its table.
      scale: for its image size and dropout.
      preprocessing: name of that it was trained with.
      pads: whether convolutions pad alike on all sides, as PyTorch does.
      batch_norm_decay: of the moving statistics.
    """
    defaults = functools.partial(
        arg_scope,
        dropout_keep_prob=scale.keep_prob,
        batch_norm_decay=batch_norm_decay,
    )
    return NetEntry(
        _network(name, layers, scale.image_size, pads),
        defaults,
        scale.image_size,
        (f"{name}/Logits",),
        preprocessing,
    )


def _network(
    name: str, layers: dict[str, Any], image_size: int, pads: bool
) -> NetworkFn:
    def network(
        images: tf.Tensor,
        num_classes: int | None = 1000,
        is_training: bool | None = False,
        scope: str = name,
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
                conv_defs=layers,
                is_training=is_training,
                scope=scope,
                use_explicit_padding=pads,
                **kwargs,
            )

    return named(network, name, image_size)
