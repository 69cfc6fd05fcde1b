"""Builds MobileNet v2 and v3 from their tables (conv_defs.py)."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from nets import slim
from nets.end_points import EndPoints
from nets.mobilenet import conv_blocks, layer_sizes
from nets.mobilenet import conv_defs as tables

depth_multiplier = tables.depth_multiplier
global_pool = conv_blocks.global_pool
op = tables.op
safe_arg_scope = slim.safe_arg_scope


@contextlib.contextmanager
def _arg_scopes(settings: dict[Sequence[Callable], dict[str, Any]]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for funcs, values in dict(settings).items():
            stack.enter_context(slim.arg_scope(funcs, **values))
        yield


@slim.add_arg_scope
def mobilenet_base(
    inputs: tf.Tensor,
    conv_defs: dict[str, Any],
    multiplier: float = 1.0,
    final_endpoint: str | None = None,
    output_stride: int | None = None,
    use_explicit_padding: bool = False,
    scope: str | tf.compat.v1.VariableScope | None = None,
    is_training: bool | None = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Builds the layers of a table, without pooling and logits.

    Args:
      inputs: `[batch, height, width, channels]` float32.
      conv_defs: the table; see conv_defs.py.
      multiplier: width: multiplies the channels of every layer; above 0.
      final_endpoint: the last layer to build, `layer_1` or above; None builds all.
      output_stride: 1 or an even number: once it is reached, strides become dilation
        (atrous convolution); None keeps all strides.
      use_explicit_padding: pad by the size of the kernel, then convolve with VALID.
      scope: variable scope; "Mobilenet" by default.
      is_training: mode of batch norm; None leaves it to the arg scopes.

    Returns:
      The output of the last layer, and the end points: `layer_<i>` for each layer, then
      `layer_<i>/output` and the like for the inside of expanded convolutions.

    Raises:
      ValueError: `multiplier` or `output_stride` is out of range, or no layer is named
        `final_endpoint`.
    """
    if multiplier <= 0:
        raise ValueError(f"multiplier is {multiplier}; it must be above 0.")
    if output_stride not in (None, 1) and (output_stride <= 0 or output_stride % 2):
        raise ValueError(
            f"output_stride is {output_stride}; it must be 1 or an even number above 0."
        )
    end_points, inner_end_points = EndPoints(), EndPoints()
    with (
        tf.compat.v1.variable_scope(scope, "Mobilenet", [inputs]) as root,
        tf.name_scope(root.original_name_scope),
        safe_arg_scope([slim.batch_norm], is_training=is_training),
        _arg_scopes(conv_defs.get("defaults", {})),
        _arg_scopes(conv_defs.get("overrides", {})),
        safe_arg_scope(
            [slim.conv2d, slim.separable_conv2d],
            padding="VALID" if use_explicit_padding else None,
        ),
    ):
        net = inputs
        layers = tables.layer_params(conv_defs, multiplier, output_stride)
        for i, (layer, params) in enumerate(
            zip(conv_defs["spec"], layers, strict=True), 1
        ):
            block: dict[str, tf.Tensor] = {}
            is_block = layer.op is conv_blocks.expanded_conv
            if is_block:
                params["endpoints"] = block
            if use_explicit_padding and (is_block or "kernel_size" not in params):
                params["use_explicit_padding"] = True
            elif use_explicit_padding:
                net = layer_sizes.fixed_padding(
                    net, params["kernel_size"], params.get("rate", 1)
                )
            name = f"layer_{i}"
            end_points[name] = net = layer.op(net, **params)
            block.pop("projection_output", None)
            for inner_name, inner in block.items():
                inner_end_points[f"{name}/{inner_name}"] = inner
            if name == final_endpoint:
                break
        else:
            if final_endpoint is not None:
                raise ValueError(
                    f"final_endpoint is {final_endpoint}; the layers are layer_1 to"
                    f" layer_{len(layers)}."
                )
    return net, end_points | inner_end_points


@slim.add_arg_scope
def mobilenet(
    inputs: tf.Tensor,
    num_classes: int | None = 1001,
    prediction_fn: Callable[..., tf.Tensor] | None = slim.softmax,
    reuse: bool | None = None,
    scope: str = "Mobilenet",
    base_only: bool = False,
    use_reduce_mean_for_pooling: bool = False,
    is_training: bool | None = False,
    **base_args: Any,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Builds the net of a table, for classification.

    Args:
      inputs: `[batch, height, width, channels]` float32, in [-1, 1] for the published
        weights.
      num_classes: number of logits; None or 0 returns the pooled features instead.
      prediction_fn: maps logits and a scope to the end point `Predictions`; None omits
        it.
      reuse: whether to reuse the variables of `scope`.
      scope: variable scope.
      base_only: stop before the pooling.
      use_reduce_mean_for_pooling: pool by a mean instead of an average pooling; the
        values are the same, the operation of the graph is not.
      is_training: mode of batch norm and dropout; None leaves it to the arg scopes.
      **base_args: arguments of `mobilenet_base`; `conv_defs` is required.

    Returns:
      The logits `[batch, num_classes]` (or features), and all end points by name.

    Raises:
      ValueError: `inputs` is not of rank 4, or an argument is out of range.
    """
    if inputs.shape.rank != 4:
        raise ValueError(f"Expected inputs of rank 4, was: {inputs.shape.rank}")
    with tf.compat.v1.variable_scope(scope, "Mobilenet", [inputs], reuse=reuse) as root:
        net = tf.identity(inputs, "input")
        net, end_points = mobilenet_base(
            net, scope=root, is_training=is_training, **base_args
        )
        if base_only:
            return net, end_points
        net = tf.identity(net, "embedding")
        with tf.compat.v1.variable_scope("Logits"):
            if use_reduce_mean_for_pooling:
                net = tf.reduce_mean(net, [1, 2], keepdims=True, name="ReduceMean")
            else:
                net = global_pool(net)
            end_points["global_pool"] = net
            if not num_classes:
                return net, end_points
            with safe_arg_scope([slim.dropout], is_training=is_training):
                net = slim.dropout(net, scope="Dropout")
            logits = slim.conv2d(
                net,
                num_classes,
                [1, 1],
                activation_fn=None,
                normalizer_fn=None,
                scope="Conv2d_1c_1x1",
            )
            logits = tf.identity(tf.squeeze(logits, [1, 2]), "output")
        end_points["Logits"] = logits
        if prediction_fn:
            end_points["Predictions"] = prediction_fn(logits, "Predictions")
    return logits, end_points


def training_scope(
    is_training: bool | None = True,
    weight_decay: float = 0.00004,
    stddev: float = 0.09,
    dropout_keep_prob: float | None = 0.8,
    bn_decay: float | None = 0.997,
) -> dict[str, Any]:
    """The default layer arguments MobileNet v2 and v3 were trained with.

    Args:
      is_training: mode of the nets built inside and of their batch norm and dropout;
        None leaves the latter as it is.
      weight_decay: coefficient of the L2 penalty on the convolutions' weights, except
        depthwise ones.
      stddev: standard deviation of the truncated normal initializer; a negative one
        selects Glorot's uniform initializer.
      dropout_keep_prob: fraction of features kept in training; None leaves it as it is.
      bn_decay: decay of the moving statistics of batch norm; None leaves it as it is.

    Returns:
      An arg scope, for `slim.arg_scope`.
    """
    initializer = (
        tf.compat.v1.glorot_uniform_initializer()
        if stddev < 0
        else tf.compat.v1.truncated_normal_initializer(stddev=stddev)
    )
    with (
        slim.arg_scope(
            [slim.conv2d, slim.fully_connected, slim.separable_conv2d],
            weights_initializer=initializer,
            normalizer_fn=slim.batch_norm,
        ),
        slim.arg_scope([mobilenet_base, mobilenet], is_training=is_training),
        safe_arg_scope([slim.batch_norm], decay=bn_decay, is_training=is_training),
        safe_arg_scope(
            [slim.dropout], keep_prob=dropout_keep_prob, is_training=is_training
        ),
        slim.arg_scope(
            [slim.conv2d], weights_regularizer=slim.l2_regularizer(weight_decay)
        ),
        slim.arg_scope([slim.separable_conv2d], weights_regularizer=None) as scope,
    ):
        return scope
