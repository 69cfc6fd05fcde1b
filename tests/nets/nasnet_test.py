"""NASNet's parts, plans and options, most of which PNASNet shares.

Variables, logits and end points at the default options: nets_golden_test.py.
"""

import numpy as np
import pytest
import tensorflow as tf

from nets import slim
from nets.nasnet import layers, nasnet, nasnet_utils

v1 = tf.compat.v1


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def small_config(**options):
    """Three narrow cells and two reductions; or one cell, `**ONE_CELL`."""
    config = nasnet.cifar_config()
    for name, value in ({"num_cells": 3, "num_conv_filters": 4} | options).items():
        config.set_hparam(name, value)
    return config


ONE_CELL = {"num_cells": 1, "num_reduction_layers": 0}


def build(config, num_classes=5, **options):
    with slim.arg_scope(nasnet.nasnet_cifar_arg_scope()):
        return nasnet.build_nasnet_cifar(
            tf.zeros([2, 24, 24, 3]), num_classes, config=config, **options
        )


def evaluate(tensors):
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        return session.run(tensors)


@pytest.mark.parametrize(
    ("num_cells", "expected"), [(18, [6, 12]), (12, [4, 8]), (9, [3, 6])]
)
def test_calc_reduction_layers(num_cells, expected):
    assert nasnet_utils.calc_reduction_layers(num_cells, 2) == expected


@pytest.mark.parametrize(("data_format", "axis"), [("NHWC", 3), ("NCHW", 1)])
def test_channels(data_format, axis):
    x = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    assert nasnet_utils.get_channel_index(data_format) == axis
    assert nasnet_utils.get_channel_dim(x.shape, data_format) == x.shape[axis]
    means = evaluate(nasnet_utils.global_avg_pool(tf.constant(x), data_format))
    np.testing.assert_allclose(means, x.mean(tuple({1, 2, 3} - {axis})), rtol=1e-6)


def test_factorized_reduction_sees_pixels_and_those_between():
    x = np.arange(25, dtype=np.float32).reshape(1, 5, 5, 1)
    with (
        slim.arg_scope([slim.conv2d], weights_initializer=tf.ones_initializer()),
        slim.arg_scope([slim.conv2d], activation_fn=None),
        slim.arg_scope([slim.batch_norm], is_training=False, epsilon=1e-7),
    ):
        net = nasnet_utils.factorized_reduction(tf.constant(x), 3, 2)
    result = evaluate(net)[0]
    np.testing.assert_allclose(result[..., 0], [[0, 2, 4], [10, 12, 14], [20, 22, 24]])
    for channel in (1, 2):  # past the edges there are zeros
        np.testing.assert_allclose(
            result[..., channel], [[6, 8, 0], [16, 18, 0], [0, 0, 0]]
        )


def test_factorized_reduction_with_stride_1_is_a_convolution():
    net = nasnet_utils.factorized_reduction(tf.zeros([5, 10, 20, 10]), 16, stride=1)
    assert net.shape == (5, 10, 20, 16)
    assert slim.get_model_variables()[0].op.name == "path_conv/weights"


def test_drop_path_drops_whole_examples():
    ones = tf.ones([1000, 2, 2, 3])
    dropped = evaluate(nasnet_utils.drop_path(ones, 0.8))
    assert set(np.unique(dropped)) == {np.float32(0), np.float32(1 / 0.8)}
    assert (dropped == dropped[:, :1, :1, :1]).all()
    assert dropped.mean() == pytest.approx(1, abs=0.1)


def test_drop_path_is_off_in_inference():
    ones = tf.ones([4, 2, 2, 3])
    assert nasnet_utils.drop_path(ones, 0.5, is_training=False) is ones


def test_drop_path_masks_follow_the_seed():
    def mask(seed):
        policy = slim.LayerPolicy(lambda _: False, tf.constant([seed, 0]))
        with slim.layer_policy(policy):
            return nasnet_utils.drop_path(tf.ones([64, 1, 1, 1]), tf.constant(0.5))

    first, again, other = evaluate([mask(1), mask(1), mask(2)])
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_scheduled_keep_prob_falls_with_depth_and_training():
    keep_prob = layers.scheduled_keep_prob
    assert keep_prob(0.6, layer_ratio=1, step_ratio=0) == 1
    assert keep_prob(0.6, layer_ratio=1, step_ratio=1) == pytest.approx(0.6)
    assert keep_prob(0.6, layer_ratio=0.5, step_ratio=0.5) == pytest.approx(0.9)


def test_data_formats():
    with pytest.raises(ValueError, match="data_format is null; expected NHWC or NCHW"):
        nasnet_utils.get_channel_index("null")


def cell_of_one_pair(operations, states, **options):
    """A cell with one added state, which alone is its output."""
    return nasnet_utils.NasNetABaseCell(
        4, operations, [1, 1, 0], states, **{**NO_DROP_PATH, **options}
    )


NO_DROP_PATH = {
    "drop_path_keep_prob": 1.0,
    "total_num_cells": 10,
    "total_training_steps": 100,
}


def test_a_cell_of_ones_own():
    """Two pooled inputs; the second is twice as large, and both are deepened."""
    cell = cell_of_one_pair(["max_pool_3x3", "separable_7x7_3"], [0, 1])
    net = cell(
        tf.zeros([2, 8, 8, 6]),
        scope="own",
        filter_scaling=1.5,
        stride=2,
        prev_layer=tf.zeros([2, 16, 16, 5]),
    )
    assert net.shape == (2, 4, 4, 6)
    names = [v.op.name for v in slim.get_model_variables()]
    assert "own/comb_iter_0/right/separable_7x7_3/depthwise_weights" in names
    assert "own/path1_conv/weights" in names
    assert not any(name.startswith("own/comb_iter_0/left") for name in names)


def test_cells_without_a_scope_have_one_each():
    cell = cell_of_one_pair(["none", "none"], [0, 1])
    for _ in range(2):
        cell(tf.zeros([2, 8, 8, 4]))
    names = {v.op.name for v in slim.get_model_variables()}
    assert {"cell/1x1/weights", "cell_1/1x1/weights"} <= names


def test_drop_path_asks_for_the_cells_place():
    cell = cell_of_one_pair(["max_pool_3x3", "none"], [0, 1], drop_path_keep_prob=0.5)
    with pytest.raises(ValueError, match="cell_num is -1; drop path needs"):
        cell(tf.zeros([2, 8, 8, 4]))


def test_drop_path_of_a_cell():
    """The last of ten cells, half way: an example in four is dropped."""
    cell = cell_of_one_pair(
        ["avg_pool_1x1", "avg_pool_1x1"], [1, 1], drop_path_keep_prob=0.5
    )
    x = tf.ones([4000, 1, 1, 4])
    dropped = evaluate(cell(x, prev_layer=x, cell_num=9, current_step=tf.constant(50)))
    values = {np.float32(0), np.float32(4 / 3), np.float32(8 / 3)}
    assert set(np.unique(dropped)) == values
    assert (dropped == 0).mean() == pytest.approx(1 / 16, abs=0.02)


@pytest.mark.parametrize(
    ("operations", "states", "message"),
    [
        (["max_pool_3x5", "none"], [0, 1], "Unimplemented operation max_pool_3x5"),
        (["none", "none"], [0, 1, 2], "2 operations on 3 states do not make 3"),
    ],
)
def test_cells_that_cannot_be(operations, states, message):
    with pytest.raises(ValueError, match=message):
        cell_of_one_pair(operations, states)


def test_the_plan_of_the_mobile_network():
    stem_0, stem_1, *plan = nasnet._plan(nasnet.mobile_imagenet_config(), True, 2)
    scopes = [planned.scope for planned in plan]
    assert scopes[3:6] == ["cell_3", "reduction_cell_0", "cell_4"]
    assert scopes[8:11] == ["cell_7", "reduction_cell_1", "cell_8"]
    assert [planned.filter_scaling for planned in plan] == [1] * 4 + [2] * 5 + [4] * 5
    assert [p.scope for p in plan if p.aux_scope] == ["cell_7"]
    assert {planned.prev for planned in plan} == {-2}
    assert (stem_0.filter_scaling, stem_1.filter_scaling) == (1 / 4, 1 / 2)


def test_the_large_network_skips_the_input_of_reductions():
    plan = nasnet._plan(nasnet.large_imagenet_config(), True, 2)
    assert [p.scope for p in plan if p.prev == -3] == ["cell_6", "cell_12"]


def test_end_points_in_training():
    logits, end_points = build(small_config())
    shapes = {name: tuple(net.shape) for name, net in end_points.items()}
    assert shapes == {
        "Stem": (2, 24, 24, 12),
        "Cell_0": (2, 24, 24, 24),
        "Reduction_Cell_0": (2, 12, 12, 32),
        "Cell_1": (2, 12, 12, 48),
        "AuxLogits": (2, 5),
        "Reduction_Cell_1": (2, 6, 6, 64),
        "Cell_2": (2, 6, 6, 96),
        "global_pool": (2, 96),
        "Logits": (2, 5),
        "Predictions": (2, 5),
    }
    assert logits is end_points["Logits"]


def test_the_auxiliary_head_can_be_left_out():
    _, end_points = build(small_config(use_aux_head=0))
    assert "AuxLogits" not in end_points


def test_without_classes_the_pooled_features_come_back():
    net, end_points = build(small_config(**ONE_CELL), num_classes=None)
    assert net is end_points["global_pool"]
    assert net.op.name.startswith("final_layer/Mean")
    assert not {"Logits", "Predictions"} & end_points.keys()


def test_channels_first_inside():
    _, end_points = build(small_config(data_format="NCHW"))
    assert end_points["Stem"].shape == (2, 12, 24, 24)
    assert end_points["Cell_2"].shape == (2, 96, 6, 6)
    assert end_points["AuxLogits"].shape == (2, 5)


@pytest.mark.parametrize("bounded", [True, False])
def test_bounded_activation(graph, bounded):
    build(small_config(use_bounded_activation=bounded, **ONE_CELL))
    types = {op.type for op in graph.get_operations()}
    assert types & {"Relu", "Relu6"} == {"Relu6" if bounded else "Relu"}


def test_unknown_batch_size_and_one_channel():
    inputs = v1.placeholder(tf.float32, (None, 8, 8, 1))
    logits, _ = nasnet.build_nasnet_cifar(inputs, 5, config=small_config(**ONE_CELL))
    assert logits.shape.as_list() == [None, 5]
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        assert session.run(logits, {inputs: np.zeros([3, 8, 8, 1])}).shape == (3, 5)


def test_unknown_image_size():
    with pytest.raises(ValueError, match="only batch may be unknown"):
        nasnet.build_nasnet_large(v1.placeholder(tf.float32, (2, None, None, 3)), 5)


def test_final_endpoint():
    net, end_points = nasnet.build_nasnet_mobile(
        tf.zeros([2, 65, 65, 3]), 5, final_endpoint="Stem", config=small_config()
    )
    assert net is end_points["Stem"]
    assert net.shape == (2, 8, 8, 4 * 2)


@pytest.mark.parametrize("name", ["global_pool", "Logits", "Predictions"])
def test_final_endpoint_of_the_head(name):
    net, end_points = nasnet.build_nasnet_mobile(
        tf.zeros([2, 65, 65, 3]),
        5,
        is_training=False,
        final_endpoint=name,
        config=small_config(**ONE_CELL),
    )
    assert net is end_points[name]
    assert ("Logits" in end_points) == (name != "global_pool")


def test_unknown_final_endpoint():
    with pytest.raises(ValueError, match="Cell_1; it must be one of Stem, Cell_0"):
        nasnet.build_nasnet_mobile(
            tf.zeros([2, 65, 65, 3]),
            5,
            is_training=False,
            final_endpoint="Cell_1",
            config=small_config(**ONE_CELL),
        )


def test_set_hparam_knows_its_names():
    with pytest.raises(ValueError, match="num_filters is not an attribute of Config"):
        nasnet.cifar_config().set_hparam("num_filters", 3)


def test_drop_path_follows_the_global_step_of_a_graph():
    build(small_config(**ONE_CELL))
    assert v1.train.get_global_step() is not None


def test_drop_path_follows_the_given_step():
    build(small_config(**ONE_CELL), current_step=tf.constant(100))
    assert v1.train.get_global_step() is None


def test_a_function_has_no_global_step():
    @tf.function(autograph=False)
    @slim.track_variables
    def logits(module, images):
        with slim.arg_scope(nasnet.nasnet_cifar_arg_scope()):
            config = small_config(**ONE_CELL)
            return nasnet.build_nasnet_cifar(images, 5, config=config)[0]

    module = tf.Module()
    with tf.init_scope():
        assert logits(module, tf.zeros([2, 8, 8, 3])).shape == (2, 5)
    assert not any("global_step" in variable.name for variable in module.variables)


def test_frozen_batch_norms_keep_their_statistics():
    policy = slim.LayerPolicy(lambda scope: "/comb_iter_" in scope, None)
    with slim.layer_policy(policy):
        build(small_config(**ONE_CELL))
    updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
    assert {update.name.rpartition("/AssignMovingAvg")[0] for update in updates} == {
        "l1_stem_bn",
        "cell_0/beginning_bn",
        "cell_0/cell_output/reduction_1/path_bn",
    }
