"""Dense stacking of residual units, and the layer defaults, on small tensors."""

import numpy as np
import pytest
import tensorflow as tf

from nets import resnet_utils, resnet_v1, resnet_v2, slim

v1 = tf.compat.v1


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def evaluate(tensors):
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        return session.run(tensors)


def small_blocks(block):
    """Strides 2, 2, 2, 1, of two units each."""
    return [
        block(f"block{i + 1}", base_depth=2**i, num_units=2, stride=2 if i < 3 else 1)
        for i in range(4)
    ]


def image(height=30, width=31):
    """[1, height, width, 3]: row + column."""
    grid = np.add.outer(np.arange(height), np.arange(width))
    return tf.constant(np.repeat(grid[None, :, :, None], 3, axis=3), tf.float32)


@pytest.mark.parametrize("side", [3, 4])
def test_subsample(side):
    values = np.arange(side * side).reshape(1, side, side, 1)
    net = resnet_utils.subsample(tf.constant(values, tf.float32), 2)
    np.testing.assert_array_equal(evaluate(net), values[:, ::2, ::2])


@pytest.mark.parametrize("side", [6, 7])
def test_conv2d_same_is_a_convolution_subsampled(side):
    """SAME with a stride of 2 reads other pixels on even sides."""
    net = image(side, side)
    strided = resnet_utils.conv2d_same(net, 2, 3, stride=2, scope="conv")
    whole = slim.conv2d(net, 2, [3, 3], scope="conv", reuse=True)
    strided, whole = evaluate([strided, resnet_utils.subsample(whole, 2)])
    np.testing.assert_allclose(strided, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "block", [resnet_v1.resnet_v1_block, resnet_v2.resnet_v2_block]
)
@pytest.mark.parametrize("output_stride", [1, 2, 4, 8, None])
def test_dilation_gives_a_finer_map_of_the_same_features(block, output_stride):
    arg_scope = resnet_utils.resnet_arg_scope()
    with (
        slim.arg_scope(arg_scope),
        slim.arg_scope([slim.batch_norm], is_training=False),
    ):
        fine = resnet_utils.stack_blocks_dense(
            image(), small_blocks(block), output_stride
        )
        v1.get_variable_scope().reuse_variables()
        coarse = resnet_utils.stack_blocks_dense(image(), small_blocks(block))
    fine = resnet_utils.subsample(fine, 8 // (output_stride or 8))
    fine, coarse = evaluate([fine, coarse])
    assert coarse.shape[1:3] == (4, 4)
    np.testing.assert_allclose(fine, coarse, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("output_stride", [1, 4, None])
def test_maps_before_their_stride(output_stride):
    arg_scope = resnet_utils.resnet_arg_scope()
    outputs, end_points = {}, {}
    with (
        slim.arg_scope(arg_scope),
        slim.arg_scope([slim.batch_norm], is_training=False),
    ):
        for store in (False, True):
            outputs[store] = resnet_utils.stack_blocks_dense(
                image(),
                small_blocks(resnet_v1.resnet_v1_block),
                output_stride,
                store_non_strided_activations=store,
                outputs_collections=str(store),
            )
            end_points[store] = slim.convert_collection_to_dict(str(store))
            v1.get_variable_scope().reuse_variables()
    values, outputs = evaluate([end_points, outputs])
    np.testing.assert_allclose(outputs[True], outputs[False], rtol=1e-4, atol=1e-4)
    assert list(values[True]) == ["block1", "block2", "block3", "block4"]
    for i, name in enumerate(values[True]):
        has_stride = i < 3 and not (output_stride and 2**i >= output_stride)
        step = 2 if has_stride else 1
        np.testing.assert_allclose(
            values[True][name][:, ::step, ::step],
            values[False][name],
            rtol=1e-4,
            atol=1e-4,
        )


@pytest.mark.parametrize("output_stride", [3, 16])
def test_strides_that_do_not_come_to_the_output_stride(output_stride):
    blocks = small_blocks(resnet_v1.resnet_v1_block)
    with pytest.raises(
        ValueError, match=f"is {output_stride}; the product of the strides is 8"
    ):
        resnet_utils.stack_blocks_dense(image(), blocks, output_stride)


def test_end_points_of_units_by_the_arg_scopes_collection():
    blocks = small_blocks(resnet_v1.resnet_v1_block)[:1]
    with (
        v1.variable_scope("tiny"),
        slim.arg_scope([slim.conv2d], outputs_collections="end_points"),
    ):
        resnet_utils.stack_blocks_dense(image(), blocks)
    assert list(slim.convert_collection_to_dict("end_points")) == [
        f"tiny/block1/unit_{unit}/bottleneck_v1/{layer}"
        for unit, layers in ((1, ["shortcut"]), (2, []))
        for layer in [*layers, "conv1", "conv2", "conv3"]
    ]


def test_arg_scope():
    arg_scope = resnet_utils.resnet_arg_scope(
        activation_fn=tf.nn.relu6,
        batch_norm_scale=False,
        batch_norm_updates_collections="mine",
    )
    with slim.arg_scope(arg_scope):
        net = slim.conv2d(tf.ones([2, 5, 5, 3]), 4, [1, 1], scope="a")
        pooled = slim.max_pool2d(net, [3, 3], stride=2)
    assert net.op.type == "Relu6"
    assert pooled.shape == [2, 3, 3, 4]
    assert len(v1.get_collection("mine")) == 2
    assert not any("gamma" in v.op.name for v in slim.get_model_variables())


def test_arg_scope_without_batch_norm():
    with slim.arg_scope(resnet_utils.resnet_arg_scope(use_batch_norm=False)):
        slim.conv2d(tf.ones([2, 5, 5, 3]), 4, [1, 1], scope="a")
    assert [v.op.name for v in slim.get_model_variables()] == ["a/weights", "a/biases"]
