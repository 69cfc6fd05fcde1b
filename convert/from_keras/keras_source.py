"""A Keras model as a source of weights: its layers, and what it computes."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from convert.from_keras import (
    capture,
    model_files,
    model_inputs,
    model_outputs,
    net_layers,
)
from convert.from_keras.applications import Application
from convert.from_keras.layer_names import CLASSIFIER
from convert.weights import conversion, net_fit
from convert.weights.layers import Layer
from errors import UserError
from nets import nets_factory

_POOLS = (
    "Keras pads the pools of the reduction cells with zeros; slim ignores the border,"
    " as did the TensorFlow code that trained the weights Keras offers, so the nets"
    " were compared without that padding. A net trained in Keras loses a little"
    " accuracy."
)


def source(
    model: keras.Model,
    *,
    channel_order: str | None = None,
    input_range: str | None = None,
    loss: str | None = None,
    is_published: bool = False,
) -> conversion.Source:
    """The model as a source of weights for the slim net of the same topology.

    Args:
      model: a net of keras.applications, unchanged, with another classifier, without
        one, or inside another model. Its softmax, if any, is ignored.
      channel_order: "rgb" or "bgr", as the model was fed; None is the order of
        `preprocess_input` for its net.
      input_range: one of `model_inputs.RANGES`, as the model was fed; None is 0 to 255
        if the model rescales pixels, and otherwise `preprocess_input`.
      loss: the loss it was trained with, if known, as `model_files.load` returns it.
      is_published: whether its weights are those that Keras offers.

    Returns:
      The source.

    Raises:
      UserError: the model is not a known net, takes images in a way that slim's net
        cannot, or is not a classifier.
    """
    _check_ends(model)
    every_layer = list(model_files.layers_of(model))
    application = net_layers.recognize(model, every_layer)
    layers = net_layers.with_weights(every_layer)
    classifier = net_layers.classifier_of(layers)
    if application.zero_padded_pools:
        model = with_slims_pools(model, application.zero_padded_pools)
        every_layer = list(model_files.layers_of(model))
        layers = {la.name: la for la in every_layer if la.name in layers}
    inputs = model_inputs.inputs_of(
        model,
        every_layer,
        _first_convolution(application, layers),
        application,
        channel_order=channel_order,
        input_range=input_range,
        is_published=is_published,
    )
    is_binary, num_outputs = False, model.output_shape[-1]
    if classifier:
        is_binary = _is_binary(model, layers[classifier], application, inputs, loss)
        num_outputs = 2 if is_binary else int(layers[classifier].kernel.shape[-1])
    return conversion.Source(
        description=f"Keras' {application.function} ({model.name})",
        model_name=application.model_name,
        epsilon=application.epsilon,
        layers_at=_layers_at(application, layers, classifier, inputs, is_binary),
        has_classifier=classifier is not None,
        num_outputs=num_outputs,
        channels=model.input_shape[3],
        image_size=inputs.image_size,
        run=_run_of(model, layers.get(classifier or ""), inputs, is_binary),
        inputs=inputs.inputs,
        preprocessing=inputs.preprocessing,
        is_published=is_published,
        caveat=_POOLS if application.zero_padded_pools else "",
    )


def _check_ends(model: keras.Model) -> None:
    """Refuses models with several inputs or outputs, or whose input is not an image."""
    for ends, what in ((model.inputs, "inputs"), (model.outputs, "outputs")):
        if len(ends or ()) != 1:
            raise UserError(
                f"the Keras model has {len(ends or ())} {what}; slim's nets have one:"
                " save the model with the one that counts"
            )
    if len(model.inputs[0].shape) != 4:
        raise UserError(
            f"the Keras model takes arrays of shape {tuple(model.inputs[0].shape)};"
            " slim's nets take images, [batch, height, width, channels]"
        )


def _first_convolution(application: Application, layers: Mapping[str, Any]) -> Any:
    scopes = conversion.scopes_of(net_fit.net_shapes(application.model_name, 2))
    matched = application.match(scopes, list(layers))
    first = next(iter(matched.values())).convolution or ""
    if first not in layers:
        raise UserError(
            f"the Keras model has no layer {first}, the first convolution of"
            f" {application.model_name}"
        )
    return layers[first]


def _is_binary(
    model: keras.Model,
    classifier: Any,
    application: Application,
    inputs: model_inputs.Inputs,
    loss: str | None,
) -> bool:
    usual = nets_factory.get_entry(application.model_name).image_size
    size = inputs.image_size or usual
    blank = np.zeros((1, size, size, model.input_shape[3]), np.float32)
    return model_outputs.is_binary(model, classifier, inputs.fed(blank), loss)


def _layers_at(
    application: Application,
    layers: Mapping[str, Any],
    classifier: str | None,
    inputs: model_inputs.Inputs,
    is_binary: bool,
) -> Callable[[Sequence[str]], Mapping[str, Layer]]:
    """From the scopes of slim's net to the layers that belong there."""

    def layers_at(scopes: Sequence[str]) -> Mapping[str, Layer]:
        found = net_layers.by_scope(application, scopes, layers, classifier)
        found[scopes[0]] = inputs.folded(found[scopes[0]])
        if is_binary:
            names = application.match(scopes, list(layers))
            for scope in found:
                if names[scope].convolution == CLASSIFIER:
                    found[scope] = model_outputs.two_logits(found[scope])
        return found

    return layers_at


def _run_of(
    model: keras.Model,
    classifier: Any,
    inputs: model_inputs.Inputs,
    is_binary: bool,
) -> Callable[[np.ndarray], np.ndarray]:
    """From images to logits or, without a classifier, to pooled features."""

    def run(images: np.ndarray) -> np.ndarray:
        if classifier is None:
            features = np.array(model(inputs.fed(images), training=False))
            return features.mean((1, 2)) if features.ndim == 4 else features
        logits = []

        def linear(x: Any) -> Any:
            activation, classifier.activation = classifier.activation, None
            try:
                logits.append(np.array(type(classifier).call(classifier, x)))
            finally:
                classifier.activation = activation
            return keras.ops.convert_to_tensor(logits[0])

        capture.run(model, classifier, inputs.fed(images), linear)
        z = logits[0].reshape(len(images), -1)
        return np.concatenate([np.zeros_like(z), z], axis=1) if is_binary else z

    return run


def with_slims_pools(model: keras.Model, pattern: str) -> keras.Model:
    """The model with SAME pools instead of zero padding and VALID pools.

    Args:
      model: a net of keras.applications.
      pattern: for the start of the names of the padding and pooling layers to change.
    """

    def changed(layer: Any) -> Any:
        config = layer.get_config()
        if re.match(pattern, layer.name):
            is_pool = "pool_size" in config
            config["padding"] = "same" if is_pool else ((0, 0), (0, 0))
        return type(layer).from_config(config)

    clone = keras.models.clone_model(model, clone_function=changed, recursive=True)
    clone.set_weights(model.get_weights())
    return clone
