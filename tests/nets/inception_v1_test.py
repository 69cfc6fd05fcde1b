"""Inception v1's options, in graphs. Its defaults: nets_golden_test.py."""

import numpy as np
import pytest
import tensorflow as tf

from nets import inception, slim

v1 = tf.compat.v1


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def images(size, channels=3):
    return tf.zeros([2, size, size, channels])


def test_every_final_end_point():
    _, all_end_points = inception.inception_v1_base(images(64))
    names = list(all_end_points)
    assert len(names) == 16
    for last in ("Conv2d_1a_7x7", "MaxPool_4a_3x3", "Mixed_4c"):
        with tf.Graph().as_default():
            net, end_points = inception.inception_v1_base(images(64), last)
        assert net.op.name.startswith(f"InceptionV1/{last}")
        assert list(end_points) == names[: names.index(last) + 1]


def test_without_the_root_block():
    _, end_points = inception.inception_v1_base(
        images(28, 192), include_root_block=False
    )
    assert next(iter(end_points)) == "Mixed_3b"
    assert end_points["Mixed_3b"].shape == [2, 28, 28, 256]
    assert end_points["Mixed_5c"].shape == [2, 7, 7, 1024]


def test_features_without_classes():
    net, end_points = inception.inception_v1(images(224), num_classes=None)
    assert net.op.name.startswith("InceptionV1/Logits/AvgPool")
    assert net.shape == [2, 1, 1, 1024]
    assert end_points["AvgPool_0a_7x7"] is net
    assert not {"Logits", "Predictions"} & end_points.keys()


def test_global_pool_takes_any_size():
    unknown = v1.placeholder(tf.float32, [2, None, None, 3])
    logits, end_points = inception.inception_v1(unknown, 5, global_pool=True)
    assert logits.shape == [2, 5]
    assert end_points["global_pool"].shape == [2, 1, 1, 1024]
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        run = session.run(
            [logits, end_points["Mixed_5c"]], {unknown: np.zeros([2, 40, 90, 3])}
        )
    assert [x.shape for x in run] == [(2, 5), (2, 2, 3, 1024)]


def test_reuse_makes_no_variables():
    inception.inception_v1(images(64), 5)
    count = len(slim.get_model_variables())
    inception.inception_v1(images(64), 5, is_training=False, reuse=True)
    assert len(slim.get_model_variables()) == count


def test_a_policy_freezes_its_batch_norms():
    policy = slim.LayerPolicy(lambda scope: "Mixed_3b/Branch_1" in scope, None)
    arg_scope = inception.inception_v1_arg_scope(batch_norm_updates_collections="up")
    with slim.arg_scope(arg_scope), slim.layer_policy(policy):
        inception.inception_v1_base(images(32), "Mixed_3b")
    updates = v1.get_collection("up")
    assert len(updates) == 2 * (9 - 2)
    assert not any("Mixed_3b/Branch_1" in op.name for op in updates)
