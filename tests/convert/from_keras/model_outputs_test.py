"""Heads of Keras models: classifiers become logits, all others are refused by name."""

import keras
import numpy as np
import pytest
from keras import layers

from convert.from_keras import keras_source, model_outputs
from convert.weights import conversion
from convert.weights.layers import Layer
from errors import UserError

IMAGES = np.ones((2, 4, 4, 1), np.float32)


def _model(units, *after, activation=None):
    inputs = keras.Input((4, 4, 1))
    classifier = layers.Dense(units, activation=activation, name="scores")
    x = classifier(layers.GlobalAveragePooling2D()(inputs))
    for layer in after:
        x = layer(x)
    return keras.Model(inputs, x), classifier


@pytest.mark.parametrize(
    ("units", "activation", "after", "loss", "is_binary"),
    [
        (3, "softmax", [], None, False),
        (3, None, [layers.Softmax()], None, False),
        (3, None, [layers.Dropout(0.5), layers.Activation("softmax")], None, False),
        (3, None, [keras.ops.log_softmax], None, False),
        (3, None, [], None, False),
        (1, "sigmoid", [], None, True),
        (1, None, [keras.ops.sigmoid], None, True),
        (1, None, [], "binarycrossentropy", True),
        (1, None, [], None, True),
    ],
)
def test_a_classifier_is_told_by_what_it_makes_of_logits(
    units, activation, after, loss, is_binary
):
    model, classifier = _model(units, *after, activation=activation)
    assert model_outputs.is_binary(model, classifier, IMAGES, loss) == is_binary


@pytest.mark.parametrize(
    ("units", "activation", "after", "loss", "message"),
    [
        (5, "sigmoid", [], None, "5 sigmoids, so the model is multi-label"),
        (2, None, [layers.Activation("sigmoid")], None, "2 sigmoids"),
        (5, None, [], "binarycrossentropy", "multi-label"),
        (1, "softmax", [], None, "softmax of one output"),
        (3, "tanh", [], None, "scores, ends in tanh"),
        (1, "relu", [], None, "scores, ends in relu"),
        (3, None, [layers.Rescaling(2.0)], None, "neither softmax nor sigmoid"),
        (1, None, [], "mse", "trained with the loss mse"),
    ],
)
def test_what_is_no_classifier_is_refused_by_name(
    units, activation, after, loss, message
):
    model, classifier = _model(units, *after, activation=activation)
    with pytest.raises(UserError, match=message):
        model_outputs.is_binary(model, classifier, IMAGES, loss)


def test_one_logit_becomes_the_second_of_two():
    layer = Layer({"weights": np.array([[2.0], [3.0]])}, np.array([4.0]))
    two = model_outputs.two_logits(layer)
    assert two.kernels["weights"].tolist() == [[0, 2], [0, 3]]
    assert two.bias is not None
    assert two.bias.tolist() == [0, 4]


def test_a_sigmoid_comes_out_as_a_softmax_of_two(tmp_path):
    base = keras.applications.MobileNet(
        input_shape=(32, 32, 3), alpha=0.25, include_top=False, weights=None
    )
    pooled = layers.GlobalAveragePooling2D()(base.output)
    model = keras.Model(base.input, layers.Dense(1, activation="sigmoid")(pooled))
    source = keras_source.source(model)
    assert conversion.convert(source, str(tmp_path / "model.ckpt")) < 1e-5
    photos = np.full((1, 32, 32, 3), 40.0, np.float32)
    odds = np.exp(source.run(photos)[0])
    expected = np.array(model(photos / 127.5 - 1))[0, 0]
    np.testing.assert_allclose(odds[1] / odds.sum(), expected, rtol=1e-4)


def test_several_outputs_are_refused():
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, [inputs, inputs])
    with pytest.raises(UserError, match="has 2 outputs"):
        keras_source.source(model)
