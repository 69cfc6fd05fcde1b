"""Keras models with random weights that no layer can do without."""

import re

import keras
import numpy as np


def randomize(model):
    """Sets every weight, statistics of batch norms included; returns the model."""
    generator = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            randomize(layer)
            continue
        for weight in layer.weights:
            z = generator.standard_normal(weight.shape)
            name = re.sub(r"_\d+$", "", weight.path.rpartition("/")[2])
            weight.assign(_scaled(z, layer, name))
    return model


def _scaled(z, layer, name):
    match name:
        case "bias" | "beta" | "moving_mean":
            return 0.1 * z
        case "gamma" | "variable":  # layer scale's
            return 1 + 0.1 * z
        case "moving_variance":
            return 1 + 0.1 * abs(z)
    is_depthwise = name == "depthwise_kernel" or isinstance(
        layer, keras.layers.DepthwiseConv2D
    )
    inputs = z.shape[:2] if is_depthwise else z.shape[:-1]
    return z * np.sqrt(2 / np.prod(inputs))
