"""The patches to tf_slim, and the policy that batch norm and dropout follow."""

import importlib
import sys
import threading

import numpy as np
import pytest
import tensorflow as tf

from nets import slim

v1 = tf.compat.v1


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def images():
    return tf.constant(np.random.default_rng(0).normal(size=(4, 2, 2, 3)), tf.float32)


def policy(*frozen, seed=None):
    return slim.LayerPolicy(frozenset(frozen).__contains__, seed)


def evaluate(tensors):
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        return session.run(tensors)


def update_ops():
    return v1.get_collection(v1.GraphKeys.UPDATE_OPS)


# The compatibility pieces.


def test_tf_slims_batch_norm_runs():
    """tf_slim 1.1.0 asks for modules that tf_keras 2.21 keeps elsewhere."""
    importlib.import_module("tf_keras.legacy_tf_layers.normalization")
    outputs = evaluate(slim.batch_norm(images(), is_training=True))
    np.testing.assert_allclose(outputs.mean((0, 1, 2)), 0, atol=1e-5)


def test_a_variable_is_collected_once_however_often_it_is_used():
    """TensorFlow 2 answers `variable in list` element by element, and raises."""
    collections = {"weights": ["mine"], "biases": ["mine", "yours"]}
    slim.conv2d(images(), 2, [1, 1], scope="a", variables_collections=collections)
    slim.conv2d(
        images(), 2, [1, 1], scope="a", reuse=True, variables_collections=collections
    )
    names = [v.op.name for v in v1.get_collection("mine")]
    assert names == ["a/weights", "a/biases"]
    assert [v.op.name for v in v1.get_collection("yours")] == ["a/biases"]


def test_slims_nets_get_the_same_layers_by_every_way_to_name_them():
    for module in ("tf_slim", "tf_slim.layers.layers"):
        namespace = sys.modules[module]
        assert namespace.batch_norm is slim.batch_norm
        assert namespace.dropout is slim.dropout


def test_an_arg_scope_reaches_the_layers():
    with slim.arg_scope([slim.batch_norm], scale=True, scope="norm"):
        slim.batch_norm(images())
    assert "norm/gamma" in [v.op.name for v in slim.get_model_variables()]
    with slim.arg_scope([slim.dropout], is_training=False):
        inputs = images()
        before, after = evaluate([inputs, slim.dropout(inputs, 0.1)])
    np.testing.assert_array_equal(before, after)


# Convolutions.


@pytest.mark.parametrize(
    ("sides", "kernel", "options", "is_product"),
    [
        ((3, 4), [3, 4], {"padding": "VALID"}, True),
        ((3, 4), [3, 4], {"padding": "VALID", "stride": 2}, True),
        ((1, 1), [1, 1], {"padding": "SAME"}, True),
        ((1, 1), [1, 1], {"padding": "VALID", "stride": 2}, True),
        ((3, 4), [3, 4], {"padding": "SAME"}, False),
        ((3, 4), [1, 1], {"padding": "VALID"}, False),
        ((4, 4), [3, 3], {"padding": "VALID"}, False),
        ((5, 5), [3, 3], {"padding": "VALID", "rate": 2}, False),
    ],
)
def test_a_convolution_over_all_of_its_input_is_a_product(
    sides, kernel, options, is_product
):
    generator = np.random.default_rng(0)
    values = generator.normal(size=(2, *sides, 5)).astype(np.float32)
    layer, operations = convolution(values.shape, kernel, **options)
    types = {op.type for op in operations}
    assert ("MatMul" in types, "Conv2D" in types) == (is_product, not is_product)
    biases, weights = sorted(layer.variables, key=lambda v: v.shape.rank)
    expected = tf.nn.conv2d(
        values,
        weights,
        strides=options.get("stride", 1),
        padding=options["padding"],
        dilations=options.get("rate", 1),
    )
    ours, theirs = evaluate([layer(values), expected + biases])
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def convolution(shape, kernel, **options):
    """A convolution to six channels as a function, and its operations."""

    class Layer(tf.Module):
        @tf.function(autograph=False)
        @slim.track_variables
        def __call__(self, inputs):
            with slim.layer_policy(policy()):
                return slim.conv2d(
                    inputs, 6, kernel, activation_fn=None, scope="fc", **options
                )

    with tf.init_scope():
        layer = Layer()
        function = layer.__call__.get_concrete_function(tf.TensorSpec(shape))
    return layer, function.graph.get_operations()


def test_a_product_keeps_the_name_and_the_static_shape_of_the_convolution():
    _, operations = convolution((None, 2, 2, 3), 2, padding="VALID")
    (product,) = (op for op in operations if op.name == "fc/Conv2D")
    assert product.outputs[0].shape.as_list() == [None, 1, 1, 6]


def test_a_graph_has_slims_operations():
    slim.conv2d(images(), 4, 2, padding="VALID", scope="fc")
    types = {op.type for op in v1.get_default_graph().get_operations()}
    assert "Conv2D" in types
    assert "MatMul" not in types


# Batch norm under a policy.


def test_outside_a_policy_batch_norm_is_slims():
    slim.batch_norm(images(), is_training=True, scope="norm")
    assert len(update_ops()) == 2


def test_a_frozen_batch_norm_has_no_updates():
    with slim.layer_policy(policy("net/a/BatchNorm")), v1.variable_scope("net"):
        slim.conv2d(images(), 2, [1, 1], normalizer_fn=slim.batch_norm, scope="a")
        assert update_ops() == []
        slim.conv2d(images(), 2, [1, 1], normalizer_fn=slim.batch_norm, scope="b")
    assert len(update_ops()) == 2
    assert all(op.name.startswith("net/b/") for op in update_ops())


def test_the_scope_of_a_batch_norm_at_the_top():
    with slim.layer_policy(policy("BatchNorm", "named")):
        slim.batch_norm(images(), is_training=True)
        slim.batch_norm(images(), is_training=True, scope="named")
        assert update_ops() == []
        slim.batch_norm(images(), is_training=True, scope="other")
    assert len(update_ops()) == 2


def test_a_frozen_batch_norm_uses_the_stored_statistics():
    inputs = images()
    with slim.layer_policy(policy("BatchNorm")):
        outputs = slim.batch_norm(inputs, is_training=True, epsilon=0.0)
    before, after = evaluate([inputs, outputs])  # stored: mean 0, variance 1
    np.testing.assert_allclose(after, before, rtol=1e-5)


def test_a_policy_freezes_but_never_thaws():
    with slim.layer_policy(policy()):
        slim.batch_norm(images(), is_training=False)
    assert update_ops() == []


# Dropout under a policy.


def mask(seed, layers=1):
    """The masks of so many dropout layers."""
    ones = tf.ones([100, 10])
    with slim.layer_policy(policy(seed=tf.constant(seed))):
        return evaluate([slim.dropout(ones, 0.75) for _ in range(layers)])


def test_a_mask_follows_from_the_seed():
    (first,), (again,), (other,) = mask([1, 2]), mask([1, 2]), mask([2, 2])
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    np.testing.assert_allclose(np.unique(first), [0, 4 / 3], rtol=1e-6)
    assert (first > 0).mean() == pytest.approx(0.75, abs=0.06)  # 1000 tosses


def test_layers_differ_and_keep_their_masks_when_layers_are_added():
    one, two = mask([1, 2]), mask([1, 2], layers=2)
    np.testing.assert_array_equal(one[0], two[0])
    assert not np.array_equal(two[0], two[1])


def test_dropout_out_of_training_is_the_identity():
    inputs = images()
    with slim.layer_policy(policy(seed=tf.constant([1, 2]))):
        outputs = slim.dropout(inputs, 0.5, is_training=False)
    np.testing.assert_array_equal(*evaluate([inputs, outputs]))


def test_dropout_shares_its_mask_along_noise_shape():
    with slim.layer_policy(policy(seed=tf.constant([1, 2]))):
        outputs = slim.dropout(tf.ones([4, 5, 6]), 0.5, noise_shape=[4, 1, 6])
    dropped = evaluate(outputs)
    np.testing.assert_array_equal(dropped, np.repeat(dropped[:, :1], 5, axis=1))


def test_dropout_without_a_seed_is_slims():
    with slim.layer_policy(policy()):
        outputs = slim.dropout(tf.ones([100, 10]), 0.5)
    with v1.Session() as session:
        assert not np.array_equal(session.run(outputs), session.run(outputs))


# The policy itself.


def test_an_inner_policy_ends_with_its_block():
    with slim.layer_policy(policy("a")):
        with slim.layer_policy(policy("b")):
            slim.batch_norm(images(), scope="b")
        assert update_ops() == []
        slim.batch_norm(images(), scope="b", reuse=True)
        assert len(update_ops()) == 2
        slim.batch_norm(images(), scope="a")
        assert len(update_ops()) == 2


def test_a_policy_ends_with_an_error_too():
    with pytest.raises(ZeroDivisionError), slim.layer_policy(policy("a")):
        raise ZeroDivisionError
    slim.batch_norm(images(), scope="a")
    assert len(update_ops()) == 2


def test_a_policy_is_of_its_thread(graph):
    """tf.distribute builds every replica in a thread of its own."""

    def build():
        with graph.as_default():
            slim.batch_norm(images(), scope="a")

    with slim.layer_policy(policy("a")):
        thread = threading.Thread(target=build)
        thread.start()
        thread.join()
    assert len(update_ops()) == 2
