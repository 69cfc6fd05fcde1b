"""MobileNet v1: depthwise separable convolutions for mobile vision.

Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
Applications", https://arxiv.org/abs/1704.04861, table 1. ImageNet top-1/top-5 of the
published weights at 224 px: 70.9/89.9 (width 1.0), 68.4/88.2 (0.75), 63.3/84.9 (0.5),
49.8/74.2 (0.25).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from nets import net_entry, slim
from nets.end_points import EndPoints
from nets.mobilenet import layer_sizes


class Conv(NamedTuple):
    """A full convolution: kernel size, stride, and output channels at width 1.0."""

    kernel: list[int]
    stride: int
    depth: int


class DepthSepConv(NamedTuple):
    """A depthwise convolution, then a pointwise (1x1) one."""

    kernel: list[int]
    stride: int
    depth: int


MOBILENETV1_CONV_DEFS: tuple[Conv | DepthSepConv, ...] = (
    Conv(kernel=[3, 3], stride=2, depth=32),
    DepthSepConv(kernel=[3, 3], stride=1, depth=64),
    DepthSepConv(kernel=[3, 3], stride=2, depth=128),
    DepthSepConv(kernel=[3, 3], stride=1, depth=128),
    DepthSepConv(kernel=[3, 3], stride=2, depth=256),
    DepthSepConv(kernel=[3, 3], stride=1, depth=256),
    DepthSepConv(kernel=[3, 3], stride=2, depth=512),
    DepthSepConv(kernel=[3, 3], stride=1, depth=512),
    DepthSepConv(kernel=[3, 3], stride=1, depth=512),
    DepthSepConv(kernel=[3, 3], stride=1, depth=512),
    DepthSepConv(kernel=[3, 3], stride=1, depth=512),
    DepthSepConv(kernel=[3, 3], stride=1, depth=512),
    DepthSepConv(kernel=[3, 3], stride=2, depth=1024),
    DepthSepConv(kernel=[3, 3], stride=1, depth=1024),
)


def mobilenet_v1_base(
    inputs: tf.Tensor,
    final_endpoint: str = "Conv2d_13_pointwise",
    min_depth: int = 8,
    depth_multiplier: float = 1.0,
    conv_defs: Sequence[Conv | DepthSepConv] | None = None,
    output_stride: int | None = None,
    use_explicit_padding: bool = False,
    scope: str | None = None,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The convolutional layers of MobileNet v1, up to `final_endpoint`.

    Args:
      inputs: `[batch, height, width, channels]` float32.
      final_endpoint: the last end point to build: `Conv2d_0`, or `Conv2d_<i>_depthwise`
        or `Conv2d_<i>_pointwise` with i from 1 to 13.
      min_depth: minimum number of channels per layer.
      depth_multiplier: width: multiplies the channels of every layer; above 0.
      conv_defs: the layers; `MOBILENETV1_CONV_DEFS` by default.
      output_stride: 8, 16 or 32: once it is reached, strides become dilation (atrous
        convolution); None keeps all strides.
      use_explicit_padding: pad by the size of the kernel, then convolve with VALID.
      scope: variable scope; "MobilenetV1" by default.

    Returns:
      The final end point, and all end points by name.

    Raises:
      ValueError: `depth_multiplier` or `output_stride` is out of range, or
        `final_endpoint` is unknown.
    """
    if depth_multiplier <= 0:
        raise ValueError(f"depth_multiplier is {depth_multiplier}; it must be above 0.")
    if output_stride not in (None, 8, 16, 32):
        raise ValueError(
            f"output_stride is {output_stride}; only 8, 16, 32 are allowed."
        )
    padding = "VALID" if use_explicit_padding else "SAME"
    end_points = EndPoints()
    net, current_stride, rate = inputs, 1, 1
    with (
        tf.compat.v1.variable_scope(scope, "MobilenetV1", [inputs]),
        slim.arg_scope([slim.conv2d, slim.separable_conv2d], padding=padding),
    ):
        for i, layer in enumerate(conv_defs or MOBILENETV1_CONV_DEFS):
            depth = max(int(layer.depth * depth_multiplier), min_depth)
            if current_stride == output_stride:
                layer_stride, layer_rate = 1, rate
                rate *= layer.stride
            else:
                layer_stride, layer_rate = layer.stride, 1
                current_stride *= layer.stride
            if use_explicit_padding:
                net = layer_sizes.fixed_padding(net, layer.kernel, layer_rate)
            name = f"Conv2d_{i}"
            if isinstance(layer, Conv):
                net = slim.conv2d(
                    net, depth, layer.kernel, stride=layer.stride, scope=name
                )
            else:
                name += "_depthwise"
                net = slim.separable_conv2d(
                    net,
                    None,
                    layer.kernel,
                    depth_multiplier=1,
                    stride=layer_stride,
                    rate=layer_rate,
                    scope=name,
                )
                end_points[name] = net
                if name == final_endpoint:
                    return net, end_points
                name = f"Conv2d_{i}_pointwise"
                net = slim.conv2d(net, depth, [1, 1], stride=1, scope=name)
            end_points[name] = net
            if name == final_endpoint:
                return net, end_points
    raise ValueError(f"Unknown final endpoint {final_endpoint}.")


def mobilenet_v1(
    inputs: tf.Tensor,
    num_classes: int | None = 1000,
    dropout_keep_prob: float = 0.999,
    is_training: bool = True,
    min_depth: int = 8,
    depth_multiplier: float = 1.0,
    conv_defs: Sequence[Conv | DepthSepConv] | None = None,
    prediction_fn: Callable[..., tf.Tensor] | None = slim.softmax,
    spatial_squeeze: bool = True,
    reuse: bool | None = None,
    scope: str = "MobilenetV1",
    global_pool: bool = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """MobileNet v1 for classification.

    Args:
      inputs: `[batch, height, width, channels]` float32, in [-1, 1] for the published
        weights.
      num_classes: number of logits; None or 0 returns the pooled features instead.
      dropout_keep_prob: fraction of features kept in training.
      is_training: whether batch norm and dropout run in training mode.
      min_depth: see `mobilenet_v1_base`.
      depth_multiplier: see `mobilenet_v1_base`.
      conv_defs: see `mobilenet_v1_base`.
      prediction_fn: maps the logits to the end point `Predictions`; None omits it.
      spatial_squeeze: return logits `[batch, num_classes]`, not `[batch, 1, 1, …]`.
      reuse: whether to reuse the variables of `scope`.
      scope: variable scope.
      global_pool: pool over the whole feature map rather than over 7x7 at most.

    Returns:
      The logits (or features), and all end points by name.

    Raises:
      ValueError: `inputs` does not have rank 4.
    """
    if inputs.shape.rank != 4:
        raise ValueError(f"Expected inputs of rank 4, was: {inputs.shape.rank}")
    with (
        tf.compat.v1.variable_scope(
            scope, "MobilenetV1", [inputs], reuse=reuse
        ) as root,
        slim.arg_scope([slim.batch_norm, slim.dropout], is_training=is_training),
    ):
        net, end_points = mobilenet_v1_base(
            inputs,
            scope=root,
            min_depth=min_depth,
            depth_multiplier=depth_multiplier,
            conv_defs=conv_defs,
        )
        with tf.compat.v1.variable_scope("Logits"):
            net = _pool(net, global_pool)
            end_points["global_pool" if global_pool else "AvgPool_1a"] = net
            if not num_classes:
                return net, end_points
            net = slim.dropout(net, keep_prob=dropout_keep_prob, scope="Dropout_1b")
            logits = slim.conv2d(
                net,
                num_classes,
                [1, 1],
                activation_fn=None,
                normalizer_fn=None,
                scope="Conv2d_1c_1x1",
            )
            if spatial_squeeze:
                logits = tf.squeeze(logits, [1, 2], name="SpatialSqueeze")
        end_points["Logits"] = logits
        if prediction_fn:
            end_points["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits, end_points


mobilenet_v1.default_image_size = 224  # type: ignore[attr-defined]


def _pool(net: tf.Tensor, global_pool: bool) -> tf.Tensor:
    """Averages over the whole feature map, or over at most 7x7 (slim's default)."""
    if global_pool:
        return tf.reduce_mean(net, [1, 2], keepdims=True, name="global_pool")
    height, width = net.shape.as_list()[1:3]
    kernel = [min(height or 7, 7), min(width or 7, 7)]
    return slim.avg_pool2d(net, kernel, padding="VALID", scope="AvgPool_1a")


wrapped_partial = net_entry.wrapped_partial
mobilenet_v1_075 = wrapped_partial(mobilenet_v1, depth_multiplier=0.75)
mobilenet_v1_050 = wrapped_partial(mobilenet_v1, depth_multiplier=0.50)
mobilenet_v1_025 = wrapped_partial(mobilenet_v1, depth_multiplier=0.25)


def mobilenet_v1_arg_scope(
    is_training: bool | None = True,
    weight_decay: float = 0.00004,
    stddev: float = 0.09,
    regularize_depthwise: bool = False,
    batch_norm_decay: float = 0.9997,
    batch_norm_epsilon: float = 0.001,
    batch_norm_updates_collections: str = tf.compat.v1.GraphKeys.UPDATE_OPS,
    normalizer_fn: Callable[..., tf.Tensor] = slim.batch_norm,
) -> dict[str, Any]:
    """The default layer arguments MobileNet v1 was trained with.

    Args:
      is_training: mode of batch norm; None leaves it to the net's own argument.
      weight_decay: coefficient of the L2 penalty on the convolutions' weights.
      stddev: standard deviation of the truncated normal initializer.
      regularize_depthwise: whether the L2 penalty includes depthwise weights.
      batch_norm_decay: decay of the moving statistics.
      batch_norm_epsilon: added to the variance.
      batch_norm_updates_collections: graph collection for the update ops.
      normalizer_fn: normalizer of every convolution except the last.

    Returns:
      An arg scope, for `slim.arg_scope`.
    """
    batch_norm_params: dict[str, Any] = {
        "center": True,
        "scale": True,
        "decay": batch_norm_decay,
        "epsilon": batch_norm_epsilon,
        "updates_collections": batch_norm_updates_collections,
    }
    if is_training is not None:
        batch_norm_params["is_training"] = is_training
    regularizer = slim.l2_regularizer(weight_decay)
    with (
        slim.arg_scope(
            [slim.conv2d, slim.separable_conv2d],
            weights_initializer=tf.compat.v1.truncated_normal_initializer(
                stddev=stddev
            ),
            activation_fn=tf.nn.relu6,
            normalizer_fn=normalizer_fn,
        ),
        slim.arg_scope([slim.batch_norm], **batch_norm_params),
        slim.arg_scope([slim.conv2d], weights_regularizer=regularizer),
        slim.arg_scope(
            [slim.separable_conv2d],
            weights_regularizer=regularizer if regularize_depthwise else None,
        ) as scope,
    ):
        return scope
