"""Inception v4's options, in graphs. Its defaults: nets_golden_test.py."""

import pytest
import tensorflow as tf

from nets import inception, inception_v4, slim

v1 = tf.compat.v1


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def images(size):
    return tf.zeros([2, size, size, 3])


def test_final_end_points():
    net, end_points = inception.inception_v4_base(images(75), "Mixed_5b")
    assert net.op.name.startswith("InceptionV4/Mixed_5b")
    assert {name: value.shape[1:].as_list() for name, value in end_points.items()} == {
        "Conv2d_1a_3x3": [37, 37, 32],
        "Conv2d_2a_3x3": [35, 35, 32],
        "Conv2d_2b_3x3": [35, 35, 64],
        "Mixed_3a": [17, 17, 160],
        "Mixed_4a": [15, 15, 192],
        "Mixed_5a": [7, 7, 384],
        "Mixed_5b": [7, 7, 384],
    }
    with pytest.raises(ValueError, match="Unknown final endpoint Mixed_5z"):
        inception.inception_v4_base(images(75), "Mixed_5z")


def test_options_reach_the_heads(monkeypatch):
    def base(inputs, scope):
        del inputs, scope
        end_points = {"Mixed_6h": tf.ones([2, 17, 17, 4])}
        return tf.ones([2, 8, 8, 6]), end_points

    monkeypatch.setattr(inception_v4, "inception_v4_base", base)
    logits, end_points = inception.inception_v4(images(9), 5, scope="Net")
    assert logits.op.name == "Net/Logits/Logits/BiasAdd"
    assert end_points["AuxLogits"].op.name == "Net/AuxLogits/Aux_logits/BiasAdd"
    _, end_points = inception.inception_v4(
        images(9), 5, reuse=True, scope="Net", create_aux_logits=False
    )
    assert list(end_points)[-1] == "Predictions"
    assert "AuxLogits" not in end_points
    _, end_points = inception.inception_v4(images(9), None, scope="Features")
    assert list(end_points)[1:] == ["global_pool"]


@pytest.mark.parametrize(
    ("block", "scope", "shape", "depth"),
    [
        (inception_v4.block_inception_a, "BlockInceptionA", [9, 9, 8], 384),
        (inception_v4.block_reduction_a, "BlockReductionA", [4, 4, 8], 384 + 256 + 8),
        (inception_v4.block_inception_b, "BlockInceptionB", [9, 9, 8], 1024),
        (inception_v4.block_reduction_b, "BlockReductionB", [4, 4, 8], 192 + 320 + 8),
        (inception_v4.block_inception_c, "BlockInceptionC", [9, 9, 8], 1536),
    ],
)
def test_blocks_stand_alone(block, scope, shape, depth):
    net = block(tf.zeros([2, 9, 9, 8]))
    assert net.op.name.startswith(scope)
    assert net.shape == [2, *shape[:2], depth]
    count = len(slim.get_model_variables())
    block(tf.zeros([2, 9, 9, 8]), scope=scope, reuse=True)
    assert len(slim.get_model_variables()) == count


def test_a_policy_freezes_its_batch_norms():
    policy = slim.LayerPolicy(lambda scope: "/Mixed_3a/" in scope, None)
    with slim.arg_scope(inception.inception_v4_arg_scope()), slim.layer_policy(policy):
        inception.inception_v4_base(images(75), "Mixed_5b")
    updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
    norms = [v for v in slim.get_model_variables() if "moving_mean" in v.op.name]
    assert len(updates) == 2 * (len(norms) - 1)
    assert not any("Mixed_3a" in op.name for op in updates)
