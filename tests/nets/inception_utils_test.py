"""The words of Inception's tables and its heads, on small tensors."""

import numpy as np
import pytest
import tensorflow as tf

from nets import inception_utils, slim

v1 = tf.compat.v1


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def evaluate(tensors, feed=None):
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        return session.run(tensors, feed)


def shapes():
    return {v.op.name: v.shape.as_list() for v in slim.get_model_variables()}


def test_windows_come_from_scopes():
    assert inception_utils.window("AvgPool_0a_3x3") == [3, 3]
    inception_utils.conv("Conv2d_0b_1x7", 4, normalizer_fn=None)(tf.zeros([1, 9, 9, 2]))
    assert shapes() == {
        "Conv2d_0b_1x7/weights": [1, 7, 2, 4],
        "Conv2d_0b_1x7/biases": [4],
    }


def test_poolings():
    image = tf.reshape(tf.range(9.0), [1, 3, 3, 1])
    top = inception_utils.max_pool("MaxPool_1a_3x3")(image)
    mean = inception_utils.avg_pool("AvgPool_0a_2x2", stride=1)(image)
    top, mean = evaluate([top, mean])
    assert top.tolist() == [[[[8.0]]]]
    assert mean[0, ..., 0].tolist() == [[2.0, 3.0], [5.0, 6.0]]


def test_forks_chains_and_branches():
    def add(number):
        return lambda net: net + number

    net = tf.constant([[[[1.0, 2.0]]]])
    fork = inception_utils.fork(add(10), add(20))
    branches = inception_utils.branches(net, [add(1), add(2)], [fork])
    first = inception_utils.branches(net, [add(0)], [add(5)], axis=1)
    branches, first = evaluate([branches, first])
    assert branches.tolist() == [[[[4, 5, 11, 12, 21, 22]]]]
    assert first.tolist() == [[[[1, 2]], [[6, 7]]]]


def test_mixed_gives_each_branch_its_scope():
    conv = inception_utils.conv("Conv2d_0a_1x1", 2, normalizer_fn=None)
    net = inception_utils.mixed("Mixed_3b", [conv], [conv])(tf.zeros([1, 1, 1, 3]))
    assert net.op.name.startswith("Mixed_3b/")
    assert [n for n in shapes() if n.endswith("weights")] == [
        "Mixed_3b/Branch_0/Conv2d_0a_1x1/weights",
        "Mixed_3b/Branch_1/Conv2d_0a_1x1/weights",
    ]


def test_build_stops_at_the_final_end_point():
    table = {"a": lambda net: net + 1, "b": lambda net: net * 10, "c": tf.sqrt}
    net, end_points = inception_utils.build(tf.constant(1.0), table, "b")
    assert evaluate([net, end_points]) == [20.0, {"a": 2.0, "b": 20.0}]
    with pytest.raises(
        ValueError, match="Unknown final endpoint d; the net has a, b, c"
    ):
        inception_utils.build(tf.constant(1.0), table, "d")


@pytest.mark.parametrize(
    ("side", "global_pool", "left"),
    [(4, False, 1), (7, False, 1), (9, False, 3), (9, True, 1)],
)
def test_pool(side, global_pool, left):
    """A window of 7 at most is slim's default."""
    values = np.random.default_rng(0).normal(size=(2, side, side, 3))
    net = inception_utils.pool(tf.constant(values), 7, "AvgPool_1a", global_pool)
    assert net.shape == [2, left, left, 3]
    window = values if global_pool else values[:, :7, :7]
    output = evaluate(net)
    np.testing.assert_allclose(output[:, 0, 0], window.mean((1, 2)), rtol=1e-6)
    assert net.op.name.startswith("global_pool" if global_pool else "AvgPool_1a")


def head(num_classes, **options):
    end_points: dict[str, tf.Tensor] = {}
    options = {"spatial_squeeze": True, "global_pool": False, **options}
    logits = inception_utils.head(
        tf.ones([2, 8, 8, 6]),
        end_points,
        num_classes,
        side=8,
        dropout_keep_prob=0.5,
        prediction_fn=slim.softmax,
        **options,
    )
    return logits, end_points


def test_head():
    with slim.arg_scope([slim.dropout], is_training=True):
        logits, end_points = head(5)
    assert list(end_points) == ["AvgPool_1a", "PreLogits", "Logits", "Predictions"]
    assert logits.op.name == "Logits/SpatialSqueeze"
    assert logits.shape == [2, 5]
    assert shapes()["Logits/Conv2d_1c_1x1/weights"] == [1, 1, 6, 5]
    values = evaluate(end_points)
    assert set(values["PreLogits"].flatten()) <= {0.0, 2.0}  # half dropped
    np.testing.assert_allclose(values["Predictions"].sum(1), 1, rtol=1e-6)


def test_head_as_a_map_or_as_features():
    logits, end_points = head(5, spatial_squeeze=False, global_pool=True)
    assert logits.shape == [2, 1, 1, 5]
    assert next(iter(end_points)) == "global_pool"
    count = len(shapes())
    for nothing in (None, 0):
        features, end_points = head(nothing)
        assert end_points == {"AvgPool_1a": features}
    assert len(shapes()) == count


def test_flat_head():
    unknown = v1.placeholder(tf.float32, [2, None, None, 6])
    end_points: dict[str, tf.Tensor] = {}
    logits = inception_utils.flat_head(unknown, end_points, 5, dropout_keep_prob=0.8)
    assert list(end_points) == [
        "global_pool",
        "PreLogitsFlatten",
        "Logits",
        "Predictions",
    ]
    assert logits.op.name == "Logits/Logits/BiasAdd"
    assert end_points["Predictions"].op.name == "Logits/Predictions"
    assert evaluate(logits, {unknown: np.ones([2, 3, 7, 6])}).shape == (2, 5)
    features = inception_utils.flat_head(tf.ones([2, 3, 7, 6]), end_points, None, 0.8)
    assert features.op.name.startswith("Logits_1/AvgPool_1a")
    assert features.shape == [2, 1, 1, 6]


@pytest.mark.parametrize(("side", "kernel"), [(5, 1), (17, 5)])
def test_auxiliary_logits_span_what_the_pooling_leaves(side, kernel):
    net = tf.ones([2, side, side, 6])
    logits = inception_utils.aux_logits(net, 5, "Conv2d_2a", "Aux_logits")
    assert logits.shape == [2, 5]
    assert shapes()["AuxLogits/Conv2d_2a/weights"] == [kernel, kernel, 128, 768]
    assert shapes()["AuxLogits/Aux_logits/weights"] == [768, 5]


@pytest.mark.parametrize("scale", [False, True])
def test_arg_scope_decides_on_gamma(scale):
    arg_scope = inception_utils.inception_arg_scope(batch_norm_scale=scale)
    with slim.arg_scope(arg_scope):
        slim.conv2d(tf.ones([2, 4, 4, 3]), 4, [1, 1], scope="a")
    gamma = ["a/BatchNorm/gamma"] if scale else []
    assert sorted(shapes()) == [
        "a/BatchNorm/beta",
        *gamma,
        "a/BatchNorm/moving_mean",
        "a/BatchNorm/moving_variance",
        "a/weights",
    ]


def test_arg_scope_without_batch_norm():
    with slim.arg_scope(inception_utils.inception_arg_scope(use_batch_norm=False)):
        slim.conv2d(tf.ones([2, 4, 4, 3]), 4, [1, 1], scope="a")
    assert list(shapes()) == ["a/weights", "a/biases"]


@pytest.mark.parametrize("collection", ["mine", None])
def test_arg_scope_activation_updates_and_penalty(collection, graph):
    arg_scope = inception_utils.inception_arg_scope(
        weight_decay=0.5,
        activation_fn=tf.nn.relu6,
        batch_norm_decay=0.75,
        batch_norm_epsilon=0.125,
        batch_norm_updates_collections=collection,
    )
    with slim.arg_scope(arg_scope):
        net = slim.conv2d(tf.ones([2, 4, 4, 3]), 4, [1, 1], scope="a")
    assert net.op.type == "Relu6"
    assert len(v1.get_collection("mine")) == (2 if collection else 0)
    [loss] = v1.losses.get_regularization_losses()
    weights, *_ = slim.get_model_variables()
    [mean] = [v for v in slim.get_model_variables() if "moving_mean" in v.op.name]
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        penalty, values = session.run([loss, weights])
        session.run([net, v1.get_collection("mine")])
        moved = session.run(mean)
    assert penalty == pytest.approx(0.5 * np.sum(values.astype(float) ** 2) / 2)
    # From 0, a quarter of the way to the batch's mean: the sum of three weights.
    np.testing.assert_allclose(moved, 0.25 * values[0, 0].sum(0), rtol=1e-5)
    [norm] = [op for op in graph.get_operations() if op.type == "FusedBatchNormV3"]
    assert norm.get_attr("epsilon") == 0.125
