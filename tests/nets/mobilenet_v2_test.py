"""MobileNet v2's options, and the builder and blocks it shares with v3.

Variables, logits and end points at the default options: nets_golden_test.py.
"""

import copy
import functools

import numpy as np
import pytest
import tensorflow as tf
import tf_slim

from nets import slim
from nets.mobilenet import conv_blocks, layer_sizes, mobilenet, mobilenet_v2

v1 = tf.compat.v1

# A shallow network with all of the strides.
TABLE = mobilenet_v2.V2_DEF | {
    "spec": [mobilenet_v2.V2_DEF["spec"][i] for i in (0, 1, 2, 4, 7, 8, 14, 18)]
}


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def images(size, channels=3, batch=2):
    return tf.constant(
        np.random.default_rng(0).normal(size=(batch, size, size, channels)), tf.float32
    )


def conv_depths():
    operations = v1.get_default_graph().get_operations()
    return [op.outputs[0].shape[-1] for op in operations if op.type == "Conv2D"]


def evaluate(tensors):
    with v1.Session() as session:
        v1.set_random_seed(1)
        session.run(v1.global_variables_initializer())
        return session.run(tensors)


@pytest.mark.parametrize(
    ("value", "divisor", "least", "expected"),
    [
        (44.8, 8, None, 48),
        (36, 8, None, 40),  # half way: up
        (18, 8, None, 24),  # 16 would be less than 90 %
        (3, 8, None, 8),
        (3, 8, 32, 32),
        (33, 1, None, 33),
    ],
)
def test_make_divisible(value, divisor, least, expected):
    assert layer_sizes.make_divisible(value, divisor, least) == expected


@pytest.mark.parametrize(("size", "last"), [(224, 7), (33, 2), (None, None)])
def test_image_sizes(size, last):
    inputs = v1.placeholder(tf.float32, (2, size, size, 1))
    net, end_points = mobilenet_v2.mobilenet(inputs, None, conv_defs=TABLE)
    assert end_points["layer_8"].shape.as_list() == [2, last, last, 1280]
    assert net is end_points["global_pool"]
    assert net.shape == (2, 1, 1, 1280)


def test_rank_is_checked():
    with pytest.raises(ValueError, match="rank 4, was: 3"):
        mobilenet_v2.mobilenet(tf.zeros([32, 32, 3]))


def test_reuse():
    first, _ = mobilenet_v2.mobilenet(images(32), 5, conv_defs=TABLE)
    variables = len(slim.get_model_variables())
    second, _ = mobilenet_v2.mobilenet(images(32), 5, conv_defs=TABLE, reuse=True)
    assert len(slim.get_model_variables()) == variables
    first, second = evaluate([first, second])
    np.testing.assert_array_equal(first, second)


def test_a_table_can_be_built_without_the_named_network():
    table = copy.deepcopy(TABLE)
    logits, end_points = mobilenet.mobilenet(images(32, 16), 3, conv_defs=table)
    assert logits.shape == (2, 3)
    # Two a layer but in the first and last and the block that does not expand.
    assert len(conv_depths()) == 2 * len(table["spec"]) - 2
    assert all(f"layer_{i}/depthwise_output" in end_points for i in range(2, 8))
    assert end_points["layer_8"].name.startswith("Mobilenet/Conv_1/")


def test_divisible_by_and_min_depth():
    mobilenet_v2.mobilenet(images(32), conv_defs=TABLE, divisible_by=16, min_depth=32)
    # 16 and 24 become 32; the expansions stay six times their inputs.
    assert set(conv_depths()) == {32, 192, 64, 384, 160, 1280, 1001}


def test_min_depth_from_the_arg_scope():
    with slim.arg_scope([mobilenet.depth_multiplier], min_depth=32):
        net, _ = mobilenet_v2.mobilenet_base(
            images(32), conv_defs=TABLE, depth_multiplier=0.1
        )
    assert net.shape == (2, 1, 1, 128)
    assert set(conv_depths()) == {32, 192, 128}


def test_finegrained_classification_keeps_the_last_convolution():
    mobilenet_v2.mobilenet(
        images(32),
        5,
        conv_defs=TABLE,
        depth_multiplier=0.01,
        finegrain_classification_mode=True,
    )
    assert set(conv_depths()) == {8, 48, 1280, 5}


def test_a_layer_can_have_a_multiplier_function_of_its_own():
    def inverse(params, multiplier):
        params["num_outputs"] = int(params["num_outputs"] / multiplier)

    table = copy.deepcopy(TABLE)
    table["spec"][0] = mobilenet.op(
        tf_slim.conv2d, kernel_size=(3, 3), multiplier_func=inverse, num_outputs=16
    )
    mobilenet_v2.mobilenet_base(images(32), conv_defs=table, depth_multiplier=0.1)
    assert conv_depths()[:5] == [160, 8, 48, 8, 48]


def test_overrides_split_the_expansions():
    table = TABLE | {
        "overrides": {(conv_blocks.expanded_conv,): {"split_expansion": 2}}
    }
    mobilenet.mobilenet(images(32, 16), conv_defs=table)
    assert len(conv_depths()) == 3 * len(table["spec"]) - 5


def test_split_groups_do_not_see_each_other():
    net = images(4, 24)
    change = tf.one_hot([20], 24)  # one input channel of the second group
    first, second = (
        conv_blocks.split_conv(
            x, 17, 2, "split", activation_fn=None, reuse=v1.AUTO_REUSE
        )
        for x in (net, net + change)
    )
    assert [v.shape.as_list() for v in slim.get_model_variables()[::2]] == [
        [1, 1, 16, 9],
        [1, 1, 8, 8],
    ]
    first, second = evaluate([first, second])
    np.testing.assert_array_equal(first[..., :9], second[..., :9])
    assert np.abs(first[..., 9:] - second[..., 9:]).min() > 0


@pytest.mark.parametrize("output_stride", [1, 8, 16, 32])
@pytest.mark.parametrize("use_explicit_padding", [False, True])
def test_output_stride(output_stride, use_explicit_padding):
    net, _ = mobilenet_v2.mobilenet_base(
        images(64),
        conv_defs=TABLE,
        output_stride=output_stride,
        use_explicit_padding=use_explicit_padding,
    )
    assert net.shape[1:3] == [64 // output_stride] * 2


def test_dilation_computes_the_strided_network_in_between():
    base = functools.partial(
        mobilenet_v2.mobilenet_base,
        images(65),
        conv_defs=TABLE,
        use_explicit_padding=True,
        reuse=v1.AUTO_REUSE,
    )
    strided, dilated = evaluate([base()[0], base(output_stride=8)[0]])
    assert strided.shape[1:3] == (3, 3)
    assert dilated.shape[1:3] == (9, 9)
    bound = 1e-5 * strided.max()
    np.testing.assert_allclose(dilated[:, ::4, ::4], strided, rtol=0, atol=bound)


@pytest.mark.parametrize("output_stride", [-2, 0, 3])
def test_output_stride_out_of_range(output_stride):
    with pytest.raises(ValueError, match=f"output_stride is {output_stride}"):
        mobilenet_v2.mobilenet_base(images(32), output_stride=output_stride)


def test_multiplier_out_of_range():
    with pytest.raises(ValueError, match="multiplier is 0"):
        mobilenet_v2.mobilenet(images(32), depth_multiplier=0)


def test_final_endpoint():
    net, end_points = mobilenet_v2.mobilenet_base(images(32), final_endpoint="layer_3")
    assert net is end_points["layer_3"]
    assert "layer_4" not in end_points


def test_unknown_final_endpoint():
    with pytest.raises(ValueError, match="layer_9; the layers are layer_1 to layer_8"):
        mobilenet_v2.mobilenet_base(
            images(32), conv_defs=TABLE, final_endpoint="layer_9"
        )


def test_multiplier_has_another_name():
    with pytest.raises(ValueError, match="takes depth_multiplier, not multiplier"):
        mobilenet_v2.mobilenet(images(32), multiplier=0.5)


def test_overrides_are_the_layers_defaults_but_not_their_arguments():
    """As in slim: what a layer's row says itself stays."""
    expand = conv_blocks.expand_input_by_factor(3)
    table = TABLE | {
        "overrides": {(conv_blocks.expanded_conv,): {"expansion_size": expand}}
    }
    mobilenet_v2.mobilenet_base(images(32), conv_defs=table, final_endpoint="layer_4")
    # stem; 16 without expansion; 16 to 3 x 16 to 24; 24 to 3 x 24 to 32
    assert conv_depths() == [32, 16, 48, 24, 72, 32]


def test_predictions_by_any_function_of_logits_and_a_name():
    logits, end_points = mobilenet_v2.mobilenet(
        images(32), 5, conv_defs=TABLE, prediction_fn=tf.sigmoid
    )
    assert end_points["Predictions"].op.type == "Sigmoid"
    assert end_points["Predictions"].op.inputs[0] is logits


@pytest.mark.parametrize("use_explicit_padding", [False, True])
def test_a_table_of_mobilenet_v1s_blocks(use_explicit_padding):
    """Blocks whose rows name no kernel pad by themselves."""
    table = {
        "spec": [
            mobilenet.op(tf_slim.conv2d, stride=2, num_outputs=8, kernel_size=[3, 3]),
            mobilenet.op(conv_blocks.split_separable_conv2d, stride=2, num_outputs=16),
        ],
    }
    net, _ = mobilenet.mobilenet_base(
        images(33), table, use_explicit_padding=use_explicit_padding
    )
    assert net.shape == (2, 9, 9, 16)


def test_group_norm_in_place_of_batch_norm():
    mobilenet_v2.mobilenet_base_group_norm(images(32), final_endpoint="layer_2")
    names = [variable.op.name for variable in v1.global_variables()]
    assert any("/GroupNorm/" in name for name in names)
    assert not any("/BatchNorm/" in name for name in names)


def test_activation_fn(graph):
    mobilenet_v2.mobilenet(images(32), conv_defs=TABLE, activation_fn=tf.nn.relu)
    types = {op.type for op in graph.get_operations()}
    assert "Relu" in types
    assert "Relu6" not in types


def test_activation_fn_is_of_one_call_alone(graph):
    mobilenet_v2.mobilenet(images(32), conv_defs=TABLE, activation_fn=tf.nn.relu)
    with tf.Graph().as_default() as another:
        mobilenet_v2.mobilenet(images(32), conv_defs=TABLE)
    types = {op.type for op in another.get_operations()}
    assert "Relu6" in types
    assert "Relu" not in types


def test_inference_is_the_default_and_the_training_scope_changes_it():
    mobilenet_v2.mobilenet(images(32), conv_defs=TABLE)
    assert not v1.get_collection(v1.GraphKeys.UPDATE_OPS)
    with slim.arg_scope(mobilenet_v2.training_scope()):
        mobilenet_v2.mobilenet(images(32), conv_defs=TABLE, scope="training")
    batch_norms = 1 + 2 + 5 * 3 + 1
    assert len(v1.get_collection(v1.GraphKeys.UPDATE_OPS)) == 2 * batch_norms


@pytest.mark.parametrize("is_training", [True, False])
def test_training_scope_sets_the_mode_unless_it_is_none(is_training):
    key = tf_slim.arg_scope_func_key(tf_slim.batch_norm)
    scope = mobilenet.training_scope(is_training=is_training)
    assert scope[key]["is_training"] is is_training
    assert "is_training" not in mobilenet.training_scope(is_training=None)[key]


def test_negative_stddev_starts_from_glorots_distribution():
    with slim.arg_scope(mobilenet.training_scope(stddev=-1)):
        slim.conv2d(tf.zeros([1, 8, 8, 8]), 4, [1, 1], scope="conv")
    weights = evaluate(slim.get_model_variables()[0])
    bound = np.sqrt(6 / (8 + 4))
    assert 0.8 * bound < np.abs(weights).max() <= bound


def test_frozen_batch_norms_keep_their_statistics():
    def is_frozen(scope):
        return "/expanded_conv" in scope

    with (
        slim.arg_scope(mobilenet_v2.training_scope()),
        slim.layer_policy(slim.LayerPolicy(is_frozen, None)),
    ):
        mobilenet_v2.mobilenet(images(32), conv_defs=TABLE)
    updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
    assert len(updates) == 2 * 2
    assert not any("expanded_conv" in update.name for update in updates)
