"""What the ResNets share: stacks of blocks, the net around them, layer defaults.

Dense (atrous) stacking follows Chen et al., "DeepLab",
https://arxiv.org/abs/1606.00915: where a finer feature map is asked for, strides become
dilation of the following layers.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from nets import slim
from nets.end_points import EndPoints

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
    """Stacks blocks of residual units.

    Args:
      net: `[batch, height, width, channels]` float32.
      blocks: `Block(scope, unit_fn, args)`; each dictionary of `args` holds the
        arguments of one unit.
      output_stride: stride of the result relative to `net`; None is the product of all
        strides. Once it is reached, strides become dilation.
      store_non_strided_activations: the end point of a block is taken before its
        stride, which yields feature maps of every size.
      outputs_collections: graph collection that the outputs of blocks are added to.

    Returns:
      `[batch, height / output_stride, width / output_stride, depth]` float32.

    Raises:
      ValueError: the product of the strides is not `output_stride`.
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
            f"output_stride is {output_stride}; the product of the strides is {stride}."
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
    """A ResNet for classification or dense prediction: v1 or v2, by its parts.

    Args:
      inputs: `[batch, height, width, channels]` float32.
      blocks: see `stack_blocks_dense`.
      default_scope: variable scope if `scope` is None.
      unit_fns: the kinds of unit in `blocks`; their outputs are end points.
      root_block: what comes before `blocks`, of stride 4; None is nothing.
      last_layer: what comes after `blocks`.
      num_classes: number of logits; None or 0 returns features instead.
      is_training: mode of batch norm; None leaves it to the arg scope.
      global_pool: average over the feature map; otherwise logits are a map.
      output_stride: stride of the last block relative to the image, a multiple of 4
        with a root block; None is the product of all strides.
      spatial_squeeze: return logits `[batch, num_classes]`, not `[batch, 1, 1, …]`.
      store_non_strided_activations: see `stack_blocks_dense`.
      reuse: whether to reuse the variables of `scope`.
      scope: variable scope.

    Returns:
      The logits (or features), and all end points by name.

    Raises:
      ValueError: `output_stride` is not one the strides can reach.
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
        end_points = EndPoints(
            slim.convert_collection_to_dict(collection, clear_collection=True)
        )
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
    """The default layer arguments the ResNets were trained with.

    Args:
      weight_decay: coefficient of the L2 penalty on the convolutions' weights.
      batch_norm_decay: decay of the moving statistics.
      batch_norm_epsilon: added to the variance.
      batch_norm_scale: whether batch norm has a gamma.
      activation_fn: activation of the convolutions.
      use_batch_norm: whether convolutions have batch norm; otherwise biases.
      batch_norm_updates_collections: graph collection for the update ops; None updates
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
