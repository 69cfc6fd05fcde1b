"""What a Keras model makes of its classifier's outputs.

It is seen by giving the classifier outputs that are known, so that it does not matter
whether an activation, a layer or an operation follows.
"""

from typing import Any

import keras
import numpy as np
from absl import logging

from convert.from_keras import model_inputs
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
    """Whether the model's one output says how likely the second of two classes is.

    Args:
      model: with one output.
      classifier: its last layer with weights.
      images: any that the model can be fed with.
      loss: what it was trained with, in lower case without underscores, if known.

    Returns:
      Whether it is of two classes with one logit; otherwise it has a logit a class.

    Raises:
      UserError: the model is no classifier with one right class for each photograph.
    """
    probe: dict[str, np.ndarray] = {}

    def known(x: Any) -> Any:
        shape = (*x.shape[:-1], classifier.kernel.shape[-1])
        z = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        probe["z"] = z.reshape(len(z), -1)
        return classifier.activation(keras.ops.convert_to_tensor(z))

    output, _ = model_inputs.watched(model, classifier, images, known)
    z = probe["z"]
    made = None
    for name in ("linear", "sigmoid", "softmax", "log_softmax"):
        if output.size == z.size and np.allclose(
            output.reshape(z.shape),
            getattr(keras.activations, name)(keras.ops.convert_to_tensor(z)),
            atol=1e-5,
        ):
            made = name
            break  # Keras warns of a softmax of one output, even where nobody has it.
    what = f"the Keras model's last layer, {classifier.name},"
    if not made:
        ending = getattr(classifier.activation, "__name__", "an activation")
        raise UserError(
            f"{what} ends in {ending} or in layers that are neither softmax nor"
            " sigmoid, so that the model gives no class probabilities: slim's nets are"
            " classifiers"
        )
    return _is_binary(made, z.shape[1], what, loss)


def _is_binary(made: str, outputs: int, what: str, loss: str | None) -> bool:
    if loss in _REGRESSIONS and made == "linear":
        raise UserError(
            f"{what} was trained with {loss} as loss, so that the model is a regression"
            " and no classifier"
        )
    is_sigmoid = made == "sigmoid" or (made == "linear" and "binary" in (loss or ""))
    if is_sigmoid and outputs > 1:
        raise UserError(
            f"{what} has {outputs} sigmoids, so that the model is multi-label: each"
            " class is there or not by itself, and slim's nets choose one of them"
        )
    if outputs == 1 and "softmax" in made:
        raise UserError(
            f"{what} is a softmax of one output, which is the same for every photograph"
        )
    if outputs == 1:
        logging.info(
            "One output for two classes becomes two logits, 0 and its own: it %s how"
            " likely the second class is.",
            "says" if made == "sigmoid" else "has no activation and is taken to say",
        )
    elif made == "linear" and loss is None:
        logging.info(
            "The last layer has no activation: a softmax of its %d outputs is assumed.",
            outputs,
        )
    return outputs == 1


def two_logits(layer: Layer) -> Layer:
    """A layer of one logit z as one of the two logits 0 and z."""
    kernels = {
        name: np.concatenate([np.zeros_like(kernel), kernel], axis=-1)
        for name, kernel in layer.kernels.items()
    }
    bias = None if layer.bias is None else np.concatenate([[0.0], layer.bias])
    return Layer(kernels, bias)
