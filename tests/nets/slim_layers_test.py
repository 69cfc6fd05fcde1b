"""Our layers against Keras': the same variables, operations and bits."""

import collections
import sys

import numpy as np
import pytest
import tensorflow as tf

from nets import slim

v1 = tf.compat.v1

_layers = sys.modules["tf_slim.layers.layers"]
_NAMESPACES = {
    "Convolution2D": _layers.convolutional_layers,
    "SeparableConvolution2D": _layers.convolutional_layers,
    "BatchNormalization": _layers.normalization_layers,
}


def conv2d(inputs, **options):
    return slim.conv2d(inputs, 6, scope="a", **options)


def separable_conv2d(inputs, **options):
    return slim.separable_conv2d(inputs, 6, scope="a", **options)


def batch_norm(inputs, **options):
    return slim.batch_norm(inputs, scope="a", **options)


class Layer(tf.Module):
    """A layer of slim's as a function of its inputs."""

    def __init__(self, make, options, **policy):
        super().__init__()
        self.make, self.options = make, options
        self.policy = slim.LayerPolicy(lambda _: False, None, **policy)

    @slim.track_variables
    def __call__(self, inputs):
        with slim.layer_policy(self.policy), slim.computing_in(inputs.dtype):
            return self.make(inputs, **self.options)

    def gradients(self, inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = self(inputs)
            loss = tf.reduce_sum(outputs * outputs)
        sources = [inputs, *self.trainable_variables]
        return outputs, tape.gradient(loss, sources, unconnected_gradients="zero")


def graph_of(function, inputs):
    spec = tf.TensorSpec(inputs.shape, inputs.dtype)
    return tf.function(function, autograph=False).get_concrete_function(spec).graph


def described(variables):
    return [
        (v.name, v.trainable, v.synchronization, v.aggregation, v.numpy().tolist())
        for v in variables
    ]


def results(make, options, inputs):
    """All that a layer makes of its inputs, in a form that can be compared."""
    tf.random.set_seed(1)
    layer = Layer(make, options)
    gradients_of = tf.function(layer.gradients, autograph=False)
    outputs, gradients = gradients_of(inputs)
    operations = graph_of(layer.gradients, inputs).get_operations()
    return {
        "variables": described(layer.variables),
        "outputs": tf.cast(outputs, tf.float64).numpy().tolist(),
        "gradients": [tf.cast(g, tf.float64).numpy().tolist() for g in gradients],
        "types": collections.Counter(op.type for op in operations),
    }


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
@pytest.mark.parametrize(
    ("make", "options"),
    [
        (conv2d, {"kernel_size": 3}),
        (conv2d, {"kernel_size": [1, 3], "stride": 2, "padding": "VALID"}),
        (conv2d, {"kernel_size": 3, "rate": 2, "biases_initializer": None}),
        (conv2d, {"kernel_size": 3, "trainable": False}),
        (conv2d, {"kernel_size": 3, "weights_initializer": "he_normal"}),
        (conv2d, {"kernel_size": 3, "normalizer_fn": slim.batch_norm}),
        (separable_conv2d, {"kernel_size": 3, "stride": 2}),
        (separable_conv2d, {"kernel_size": [3, 3], "depth_multiplier": 2, "rate": 2}),
        (separable_conv2d, {"kernel_size": 3, "biases_initializer": None}),
        (batch_norm, {"is_training": True, "decay": 0.9}),
        (batch_norm, {"is_training": True, "scale": True, "center": False}),
        (batch_norm, {"is_training": False, "scale": True, "epsilon": 0.1}),
        (batch_norm, {"is_training": True, "fused": False}),
        (batch_norm, {"is_training": True, "trainable": False}),
        (batch_norm, {"is_training": True, "renorm": True}),
    ],
)
def test_a_layer_is_keras_layer_to_the_last_bit(make, options, dtype, monkeypatch):
    values = np.random.default_rng(0).normal(size=(4, 8, 7, 5)).astype(np.float32)
    inputs = tf.cast(values, dtype)
    ours = results(make, options, inputs)
    for name, namespace in _NAMESPACES.items():
        (keras_class,) = getattr(namespace, name).args
        monkeypatch.setattr(namespace, name, keras_class)
    keras = results(make, options, inputs)
    assert ours == keras
    assert len(ours["variables"]) >= 1


@pytest.mark.parametrize("options", [{}, {"scale": True, "center": False}])
def test_a_batch_norm_may_make_its_variables_alone(options):
    images = tf.ones([2, 4, 4, 3])
    usual = Layer(batch_norm, options)
    graph_of(usual, images)
    lone = Layer(batch_norm, options, only_makes_variables=True)
    operations = graph_of(lone, images).get_operations()
    assert described(lone.variables) == described(usual.variables)
    assert {op.type for op in operations} == {"Placeholder", "Identity"}


@pytest.mark.parametrize(
    ("make", "options", "names"),
    [
        (conv2d, {"weights_regularizer": slim.l2_regularizer(0.1)}, ["weights"]),
        (
            separable_conv2d,
            {"weights_regularizer": slim.l2_regularizer(0.1)},
            ["depthwise_weights", "pointwise_weights"],
        ),
        (
            batch_norm,
            {
                "scale": True,
                "param_regularizers": {"gamma": slim.l2_regularizer(0.1)},
            },
            ["gamma"],
        ),
    ],
)
def test_a_penalty_is_of_the_variable_and_costs_nothing_until_it_is_asked_for(
    make, options, names
):
    inputs = tf.ones((2, 4, 4, 3), tf.bfloat16)
    options = options if make is batch_norm else {"kernel_size": 3, **options}
    layer = Layer(make, options)
    types = {op.type for op in graph_of(layer, inputs).get_operations()}
    assert "L2Loss" not in types
    penalties = layer._tf1_style_var_store._regularizers
    assert sorted(penalties) == [f"a/{name}:0" for name in names]
    (variable,) = (v for v in layer.variables if v.name == f"a/{names[0]}:0")
    expected = 0.1 * np.square(variable.numpy()).sum() / 2
    np.testing.assert_allclose(penalties[variable.name](), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((4, 6, 5), {}),
        ((4, 2, 3, 4, 5), {}),
        ((4, 5, 3, 2), {"data_format": "NCHW"}),
    ],
)
def test_other_ranks_and_formats_are_left_to_keras(shape, options):
    layer = Layer(batch_norm, {"is_training": False, **options})
    outputs = tf.function(layer).get_concrete_function(tf.TensorSpec(shape)).outputs
    assert outputs[0].shape == shape
    assert [v.name for v in layer.variables] == [
        f"a/{name}:0" for name in ("beta", "moving_mean", "moving_variance")
    ]


def test_outside_a_network_functions_have_tensorflow_1s_collections():
    """What tf_slim's own training code reads."""

    def loss_and_updates(inputs):
        slim.conv2d(
            inputs,
            2,
            1,
            weights_regularizer=slim.l2_regularizer(0.1),
            normalizer_fn=slim.batch_norm,
        )
        graph = v1.get_default_graph()
        return [
            len(graph.get_collection(key))
            for key in (v1.GraphKeys.REGULARIZATION_LOSSES, v1.GraphKeys.UPDATE_OPS)
        ]

    found = []
    v1.wrap_function(
        lambda inputs: found.extend(loss_and_updates(inputs)),
        [tf.TensorSpec((2, 4, 4, 3))],
    )
    assert found == [1, 2]


def test_a_branch_in_a_graph_updates_its_statistics():
    with tf.Graph().as_default():
        values = np.random.default_rng(0).normal(size=(4, 3, 3, 2))
        inputs = tf.constant(values, tf.float32)

        def branch():
            outputs = slim.batch_norm(inputs, scope="a", is_training=True, decay=0.5)
            updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
            with tf.control_dependencies(updates):
                return tf.identity(outputs)

        outputs = tf.cond(v1.placeholder_with_default(True, ()), branch, lambda: inputs)
        (mean,) = (v for v in v1.global_variables() if "moving_mean" in v.name)
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            session.run(outputs)
            assert abs(session.run(mean)).min() > 0


def test_a_clone_without_examples_keeps_its_statistics():
    """Keras' layer looks for them with several clones; ours is left aside there."""
    layer = Layer(batch_norm, {"is_training": True, "decay": 0.5})
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        strategy.run(tf.function(layer), (tf.zeros((0, 2, 2, 3)),))
    mean, variance = (v.numpy() for v in layer.variables[1:])
    np.testing.assert_array_equal(mean, [0, 0, 0])
    np.testing.assert_array_equal(variance, [1, 1, 1])
