"""MobileNet v3's and Edge TPU's own: blocks, tables, options.

Variables, logits and end points at the default options: nets_golden_test.py; the
builder's options: mobilenet_v2_test.py.
"""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from nets import slim
from nets.mobilenet import conv_blocks, mobilenet_v3

v1 = tf.compat.v1


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def images(size):
    return tf.zeros([2, size, size, 3])


def variable_names():
    return [variable.op.name for variable in v1.global_variables()]


def operations_called(text):
    operations = v1.get_default_graph().get_operations()
    return [op for op in operations if text in op.name]


def test_hard_swish():
    x = tf.constant([-4.0, -3.0, -1.0, 0.0, 1.0, 3.0, 5.0])
    with v1.Session() as session:
        values = session.run(mobilenet_v3.hard_swish(x))
    np.testing.assert_allclose(values, [0, 0, -1 / 3, 0, 2 / 3, 3, 5], rtol=1e-6)


def test_squeeze_excite_gates_by_the_means():
    """2 channels to 1 and back, all weights 1: the gates are of the summed means."""
    x = tf.constant([[[[1.0, 2.0], [3.0, 4.0]]]])
    with slim.arg_scope([slim.conv2d], weights_initializer=tf.ones_initializer()):
        net = conv_blocks.squeeze_excite(
            x, divisible_by=1, squeeze_factor=2, gating_fn=lambda gates: gates / 10
        )
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        result = session.run(net)
    np.testing.assert_allclose(result, [[[[0.5, 1.0], [1.5, 2.0]]]], rtol=1e-6)


def test_the_last_convolution_comes_after_the_pooling():
    """Whatever the size and the shape of the image."""
    net, end_points = mobilenet_v3.small(tf.zeros([2, 40, 72, 3]), num_classes=None)
    layers = [key for key in end_points if key.startswith("layer_") and "/" not in key]
    sides = [end_points[key].shape[1:3] for key in layers]
    assert sides[-3:] == [(2, 3), (1, 1), (1, 1)]
    assert net.shape == (2, 1, 1, 1024)


def test_base_only_of_unknown_size():
    inputs = v1.placeholder(tf.float32, (None, None, None, 3))
    net, end_points = mobilenet_v3.large(
        inputs, base_only=True, final_endpoint="layer_5"
    )
    assert net is end_points["layer_5"]
    assert net.shape.as_list() == [None, None, None, 40]


def test_minimalistic(graph):
    mobilenet_v3.small_minimalistic(images(32))
    assert not any("squeeze_excite" in name for name in variable_names())
    kernels = {v.shape[0] for v in v1.global_variables() if v.shape.rank == 4}
    assert kernels == {1, 3}
    assert "Relu6" not in {op.type for op in graph.get_operations()}


def test_edge_tpu_is_fused_early_and_depthwise_late():
    _, end_points = mobilenet_v3.edge_tpu(
        images(32), final_endpoint="layer_11", base_only=True
    )
    assert end_points["layer_11"].name.startswith("MobilenetEdgeTPU/")
    assert "layer_10/expansion_output" in end_points
    assert "layer_10/depthwise_output" not in end_points
    assert "layer_11/depthwise_output" in end_points


@pytest.mark.parametrize(("output_stride", "side"), [(None, 4), (8, 8)])
def test_fused_blocks_are_dilated_too(output_stride, side):
    """Four halvings of 64 pixels; from 8 on dilation takes over."""
    table = mobilenet_v3.V3_EDGETPU | {
        "spec": [mobilenet_v3.V3_EDGETPU["spec"][0]]
        + [mobilenet_v3.mbv3_fused(k=3, s=2, ef=8, n=8)] * 3
    }
    net, _ = mobilenet_v3.mobilenet_base(
        images(64), conv_defs=table, output_stride=output_stride
    )
    assert net.shape[1:3] == (side, side)


def test_edge_tpu_scope():
    net, _ = mobilenet_v3.edge_tpu(
        images(32), final_endpoint="layer_2", base_only=True, scope="Scope"
    )
    assert net.name.startswith("Scope/")


def test_variants_tell_what_they_build():
    variants: list[Any] = [mobilenet_v3.edge_tpu_075, mobilenet_v3.small]
    for network in variants:
        assert "in inference mode unless built inside" in network.__doc__
        assert network.default_image_size == 224


@pytest.mark.parametrize("use_groupnorm", [False, True])
def test_use_groupnorm(use_groupnorm):
    mobilenet_v3.large(
        images(32),
        use_groupnorm=use_groupnorm,
        final_endpoint="layer_5",
        base_only=True,
    )
    assert any("/GroupNorm/" in name for name in variable_names()) == use_groupnorm
    assert any("/BatchNorm/" in name for name in variable_names()) != use_groupnorm


def test_groups_of_channels():
    with slim.arg_scope([slim.tf_slim.group_norm], groups=7):  # the table's are nearer
        mobilenet_v3.large(
            images(32),
            use_groupnorm=True,
            groups=4,
            final_endpoint="layer_1",
            base_only=True,
        )
    shapes = [tuple(op.outputs[0].shape) for op in operations_called("GroupNorm/Resh")]
    assert (1, 1, 1, 4, 4) in shapes  # of the scale: 4 groups of 4


@pytest.mark.parametrize("width", [0.5, 2])
def test_finegrained_classification_keeps_the_last_convolution(width):
    table = mobilenet_v3.V3_SMALL | {"spec": mobilenet_v3.V3_SMALL["spec"][::14]}
    _, end_points = mobilenet_v3.mobilenet(
        images(32),
        conv_defs=table,
        depth_multiplier=width,
        finegrain_classification_mode=True,
    )
    assert end_points["layer_1"].shape[-1] == 16 * width
    assert end_points["layer_2"].shape[-1] == 1024


def test_multiplier_has_another_name():
    with pytest.raises(ValueError, match="takes depth_multiplier, not multiplier"):
        mobilenet_v3.small(images(32), multiplier=0.5)


@pytest.mark.parametrize("use_reduce_mean", [False, True])
def test_use_reduce_mean_for_pooling(use_reduce_mean):
    mobilenet_v3.small(
        images(32),
        use_reduce_mean_for_pooling=use_reduce_mean,
        final_endpoint="layer_3",
    )
    assert bool(operations_called("ReduceMean")) == use_reduce_mean


@pytest.mark.parametrize(
    ("table", "thinned", "depths"),
    [
        ("V3_LARGE", "V3_LARGE_DETECTION", (112, 80, 80, 80, 480, 1280)),
        ("V3_SMALL", "V3_SMALL_DETECTION", (48, 48, 48, 48, 288, 1024)),
    ],
)
def test_detection_tables_halve_the_last_stage(table, thinned, depths):
    """The published detectors' C5: half the channels from its first block on."""
    whole = getattr(mobilenet_v3, table)["spec"]
    half = getattr(mobilenet_v3, thinned)["spec"]
    depth_of = [layer.params.get("num_outputs") for layer in half]
    assert tuple(depth for depth in depth_of[-7:] if depth) == depths
    assert half[:-6] == whole[:-6]
    assert whole[-6].params["num_outputs"] == 2 * half[-6].params["num_outputs"]


def test_base_is_the_network_before_the_pooling():
    base, _ = mobilenet_v3.mobilenet_base(
        images(32), conv_defs=mobilenet_v3.V3_SMALL_DETECTION, final_endpoint="layer_13"
    )
    assert base.shape == (2, 1, 1, 288)


def test_an_arg_scope_reaches_the_network():
    with slim.arg_scope([mobilenet_v3.mobilenet], depth_multiplier=0.5):
        _, end_points = mobilenet_v3.mobilenet(images(32), final_endpoint="layer_2")
    assert end_points["layer_2"].shape[-1] == 8


def test_frozen_batch_norms_keep_their_statistics():
    policy = slim.LayerPolicy(lambda scope: "/expanded_conv" in scope, None)
    with slim.arg_scope(mobilenet_v3.training_scope()), slim.layer_policy(policy):
        mobilenet_v3.small(images(32), final_endpoint="layer_3")
    updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
    assert [update.name.split("/")[1] for update in updates] == ["Conv", "Conv"]
