"""What a Keras model does with its classifier's outputs.

This is measured, by replacing the classifier's outputs with known ones, so that it does
not matter whether an activation, a layer or an operation follows.
"""

from typing import Any

import keras
import numpy as np
from absl import logging

from convert.from_keras import capture
from convert.weights.layers import Layer
from errors import UserError

_REGRESSIONS = frozenset(
    [
        "mse",
        "mae",
        "mape",
        "msle",
        "meansquarederror",
        "meanabsoluteerror",
        "meanabsolutepercentageerror",
        "meansquaredlogarithmicerror",
        "huber",
        "logcosh",
        "cosinesimilarity",
        "poisson",
    ]
)


def is_binary(
    model: keras.Model, classifier: Any, images: np.ndarray, loss: str | None = None
) -> bool:
    """Whether the model's one output is the probability of the second of two classes.

    Args:
      model: a model with one output tensor.
      classifier: its last layer with weights.
      images: any images that the model accepts.
      loss: the loss it was trained with, in lower case without underscores, if known.

    Returns:
      True for two classes with a single logit; False for one logit per class.

    Raises:
      UserError: the model is not a classifier with exactly one class per image.
    """
    function, num_outputs = _final_function(model, classifier, images)
    layer = f"the Keras model's last layer, {classifier.name},"
    if not function:
        ending = getattr(classifier.activation, "__name__", "an activation")
        raise UserError(
            f"{layer} ends in {ending} or in layers that are neither softmax nor"
            " sigmoid, so the model gives no class probabilities: slim's nets are"
            " classifiers"
        )
    if loss in _REGRESSIONS and function == "linear":
        raise UserError(
            f"{layer} was trained with the loss {loss}, so the model is a regression,"
            " not a classifier"
        )
    is_sigmoid = function == "sigmoid" or (
        function == "linear" and "binary" in (loss or "")
    )
    if is_sigmoid and num_outputs > 1:
        raise UserError(
            f"{layer} has {num_outputs} sigmoids, so the model is multi-label: slim's"
            " nets choose exactly one class"
        )
    if num_outputs == 1 and "softmax" in function:
        raise UserError(
            f"{layer} is a softmax of one output, which is the same for every image"
        )
    _report(function, num_outputs, loss)
    return num_outputs == 1


def _final_function(
    model: keras.Model, classifier: Any, images: np.ndarray
) -> tuple[str | None, int]:
    """The function of the logits that the model returns, and their number.

    Returns:
      The name of an activation in Keras, or None if it is none of those known.
    """
    logits: list[np.ndarray] = []

    def known(x: Any) -> Any:
        shape = (*x.shape[:-1], classifier.kernel.shape[-1])
        z = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        logits.append(z.reshape(len(z), -1))
        return classifier.activation(keras.ops.convert_to_tensor(z))

    output, _ = capture.run(model, classifier, images, known)
    z = logits[0]
    for name in ("linear", "sigmoid", "softmax", "log_softmax"):
        if output.size == z.size and np.allclose(
            output.reshape(z.shape),
            getattr(keras.activations, name)(keras.ops.convert_to_tensor(z)),
            atol=1e-5,
        ):
            # Later ones are not tried: Keras warns of a softmax of a single output.
            return name, z.shape[1]
    return None, z.shape[1]


def _report(function: str, num_outputs: int, loss: str | None) -> None:
    if num_outputs == 1:
        logging.info(
            "The single output for two classes becomes two logits, 0 and its own: it %s"
            " the probability of the second class.",
            "is" if function == "sigmoid" else "has no activation and is taken for",
        )
    elif function == "linear" and loss is None:
        logging.info(
            "The last layer has no activation: a softmax of its %d outputs is assumed.",
            num_outputs,
        )


def two_logits(layer: Layer) -> Layer:
    """A layer with the single logit z, as one with the two logits 0 and z."""
    kernels = {
        name: np.concatenate([np.zeros_like(kernel), kernel], axis=-1)
        for name, kernel in layer.kernels.items()
    }
    bias = None if layer.bias is None else np.concatenate([[0.0], layer.bias])
    return Layer(kernels, bias)
