"""What the ResNets share: blocks of units, dense (atrous) stacking, layer defaults.

Stacking follows Chen et al., "DeepLab", https://arxiv.org/abs/1606.00915: where a map
has to be finer than the net's own, strides become dilation of the layers that follow.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from nets import slim

Layer = Callable[[tf.Tensor], tf.Tensor]

Block = slim.resnet_utils.Block
subsample = slim.resnet_utils.subsample
conv2d_same = slim.resnet_utils.conv2d_same


@slim.add_arg_scope
def stack_blocks_dense(
    net: tf.Tensor,
    blocks: Sequence[Any],
    output_stride: int | None = None,
    store_non_strided_activations: bool = False,
    outputs_collections: str | None = None,
) -> tf.Tensor:
    """Runs blocks of residual units one after the other.

    Args:
      net: `[batch, height, width, channels]` float32.
      blocks: `Block(scope, unit_fn, args)`: for each unit, `unit_fn` is called with
        one dictionary of `args`.
      output_stride: that of the result against `net`; None is the product of all
        strides. Once it is reached, strides become dilation.
      store_non_strided_activations: a block's end point is its map before its stride,
        so that maps of every size can be had.
      outputs_collections: graph collection of the blocks' end points.

    Returns:
      The result.

    Raises:
      ValueError: the strides do not come to `output_stride`.
    """
    stride, rate = 1, 1
    for block in blocks:
        with tf.compat.v1.variable_scope(block.scope, "block", [net]) as scope:
            block_stride = 1
            for number, unit in enumerate(block.args, 1):
                unit_stride = unit.get("stride", 1)
                if store_non_strided_activations and number == len(block.args):
                    block_stride, unit_stride = unit_stride, 1
                with tf.compat.v1.variable_scope(f"unit_{number}", values=[net]):
                    if stride == output_stride:
                        net = block.unit_fn(net, rate=rate, **{**unit, "stride": 1})
                        rate *= unit_stride
                    else:
                        net = block.unit_fn(
                            net, rate=1, **{**unit, "stride": unit_stride}
                        )
                        stride *= unit_stride
            net = slim.collect_named_outputs(outputs_collections, scope.name, net)
            if stride == output_stride:
                rate *= block_stride
            else:
                net = subsample(net, block_stride)
                stride *= block_stride
    if output_stride is not None and stride != output_stride:
        raise ValueError(
            f"output_stride is {output_stride}; the strides come to {stride}."
        )
    return net


def resnet(
    inputs: tf.Tensor,
    blocks: Sequence[Any],
    *,
    default_scope: str,
    unit_fns: Sequence[Callable[..., tf.Tensor]],
    root_block: Layer | None,
    last_layer: Layer,
    num_classes: int | None,
    is_training: bool | None,
    global_pool: bool,
    output_stride: int | None,
    spatial_squeeze: bool,
    store_non_strided_activations: bool,
    reuse: bool | None,
    scope: str | None,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """A ResNet for classification or dense prediction; v1 and v2 differ in its parts.

    Args:
      inputs: `[batch, height, width, channels]` float32.
      blocks: see `stack_blocks_dense`.
      default_scope: variable scope where `scope` is None.
      unit_fns: the units of which `blocks` consist; their results are end points.
      root_block: what comes before `blocks`, of stride 4; None: nothing.
      last_layer: what comes after `blocks`.
      num_classes: None or 0 gives features in place of logits.
      is_training: mode of batch norm; None leaves it to the arg scope.
      global_pool: average over the map; False: a map of logits.
      output_stride: that of the last block against the image, a multiple of 4 with a
        root block; None is the product of all strides.
      spatial_squeeze: logits are `[batch, num_classes]`, not `[batch, 1, 1, …]`.
      store_non_strided_activations: see `stack_blocks_dense`.
      reuse: reuse the variables of `scope`.
      scope: variable scope.

    Returns:
      The logits (or features), and all end points by name.

    Raises:
      ValueError: `output_stride` cannot be had.
    """
    with (
        tf.compat.v1.variable_scope(
            scope, default_scope, [inputs], reuse=reuse
        ) as root,
        slim.safe_arg_scope([slim.batch_norm], is_training=is_training),
    ):
        collection = f"{root.original_name_scope}_end_points"
        with slim.arg_scope(
            [slim.conv2d, stack_blocks_dense, *unit_fns],
            outputs_collections=collection,
        ):
            net = inputs
            if root_block:
                if output_stride is not None:
                    if output_stride % 4:
                        raise ValueError(
                            f"output_stride is {output_stride}; it must be a multiple"
                            " of 4, the root block's stride."
                        )
                    output_stride //= 4
                net = root_block(net)
            net = stack_blocks_dense(
                net, blocks, output_stride, store_non_strided_activations
            )
        net = last_layer(net)
        end_points = slim.convert_collection_to_dict(collection, clear_collection=True)
        if global_pool:
            net = tf.reduce_mean(net, [1, 2], keepdims=True, name="pool5")
            end_points["global_pool"] = net
        if num_classes:
            net = slim.conv2d(
                net,
                num_classes,
                [1, 1],
                activation_fn=None,
                normalizer_fn=None,
                scope="logits",
            )
            end_points[f"{root.name}/logits"] = net
            if spatial_squeeze:
                net = tf.squeeze(net, [1, 2], name="SpatialSqueeze")
                end_points[f"{root.name}/spatial_squeeze"] = net
            end_points["predictions"] = slim.softmax(net, scope="predictions")
    return net, end_points


def resnet_arg_scope(
    weight_decay: float = 0.0001,
    batch_norm_decay: float = 0.997,
    batch_norm_epsilon: float = 1e-5,
    batch_norm_scale: bool = True,
    activation_fn: Callable[..., tf.Tensor] = tf.nn.relu,
    use_batch_norm: bool = True,
    batch_norm_updates_collections: str | None = tf.compat.v1.GraphKeys.UPDATE_OPS,
) -> dict[str, Any]:
    """The layer defaults the ResNets were trained with.

    Args:
      weight_decay: L2 coefficient of the convolutions' weights.
      batch_norm_decay: of the moving statistics.
      batch_norm_epsilon: added to the variance.
      batch_norm_scale: batch norm has a gamma.
      activation_fn: of the convolutions.
      use_batch_norm: convolutions have batch norm; False: biases.
      batch_norm_updates_collections: graph collection of the update ops; None updates
        in place.

    Returns:
      An arg scope, for `slim.arg_scope`.
    """
    batch_norm_params = {
        "decay": batch_norm_decay,
        "epsilon": batch_norm_epsilon,
        "scale": batch_norm_scale,
        "updates_collections": batch_norm_updates_collections,
    }
    with (
        slim.arg_scope(
            [slim.conv2d],
            weights_regularizer=slim.l2_regularizer(weight_decay),
            weights_initializer=slim.variance_scaling_initializer(),
            activation_fn=activation_fn,
            normalizer_fn=slim.batch_norm if use_batch_norm else None,
            normalizer_params=batch_norm_params if use_batch_norm else {},
        ),
        slim.arg_scope([slim.batch_norm], **batch_norm_params),
        slim.arg_scope([slim.max_pool2d], padding="SAME") as scope,
    ):
        return scope
