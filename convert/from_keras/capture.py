"""What reaches a layer of a Keras model, captured while the model runs."""

from typing import Any

import keras
import numpy as np

from errors import UserError


def run(
    model: keras.Model, layer: Any, images: np.ndarray, instead: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Runs a model and captures the input of one of its layers.

    Args:
      model: the model.
      layer: a layer of it, or of a model inside it.
      images: the model's input.
      instead: called with the layer's input instead of the layer; returns its output.

    Returns:
      The model's output and the layer's input.

    Raises:
      UserError: the model calls the layer several times or never.
    """
    call, captured = layer.call, []

    def capturing(x: Any, *args: Any, **kwargs: Any) -> Any:
        captured.append(np.array(x))
        return instead(x) if instead else call(x, *args, **kwargs)

    layer.call = capturing
    try:
        output = np.array(model(images, training=False))
    finally:
        layer.call = call
    if len(captured) != 1:
        raise UserError(
            f"the Keras model uses its layer {layer.name} {len(captured)} times,"
            " expected once, as in slim's nets"
        )
    return output, captured[0]
