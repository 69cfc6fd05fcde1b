"""A Keras model as a source of weights: its layers, and what it computes."""

import dataclasses
import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from convert import weight_conversion
from convert.keras_applications import APPLICATIONS, Application
from convert.keras_names import CLASSIFIER
from convert.weight_layers import BatchNorm, Layer
from errors import UserError, nearest

_MODEL_FILES = (".keras", ".h5", ".hdf5")
_CONVOLUTIONAL_CLASSIFIERS = ("conv_preds", "logits")
_HIDDEN_DENSE = ("fc1", "fc2")
_POOLS = (
    "Keras pads the pools of the reduction cells with zeros. Slim leaves the border"
    " out, as the TensorFlow weights did that Keras offers; so it was compared. A net"
    " trained in Keras loses a little by that."
)
_MAX_NAMED = 4  # names in one message


def load(model: str, weights_file: str | None = None) -> keras.Model:
    """A Keras model from a file, or by its name in keras.applications.

    Args:
      model: a `.keras` or `.h5` file with a whole model, or a key of `APPLICATIONS`.
      weights_file: the weights of a model given by name; None takes those that Keras
        offers for download.

    Raises:
      UserError: there is no such file or name, or it cannot be read or downloaded.
    """
    if model.endswith(_MODEL_FILES):
        if weights_file:
            raise UserError(
                f"--weights_file goes with a name as --keras_model; {model} is a file"
                " and has weights of its own"
            )
        return _load_file(model)
    if model not in APPLICATIONS:
        raise UserError(
            f"--keras_model={model}: no such net{nearest(model, APPLICATIONS)}; give a"
            f" .keras or .h5 file, or one of {', '.join(APPLICATIONS)}"
        )
    application = APPLICATIONS[model]
    build = getattr(keras.applications, application.function)
    try:
        return build(
            weights=weights_file or "imagenet",
            classifier_activation=None,
            **application.options,
        )
    except Exception as error:  # urllib, h5py and Keras raise what they like.
        origin = weights_file or "the weights that Keras offers for download"
        raise UserError(
            f"--keras_model={model}: cannot take {origin}: {_first_line(error)}; give"
            " a file with them as --weights_file"
        ) from error


def source(
    model: keras.Model, *, channel_order: str | None = None
) -> weight_conversion.Source:
    """The model as a source of weights for the slim net of its topology.

    Args:
      model: a net of keras.applications, as it is, with another classifier, without
        one, or inside another model. Its softmax, if any, is switched off.
      channel_order: "rgb" or "bgr": the order it was trained with; None is that of
        `preprocess_input` of its net.

    Returns:
      The source.

    Raises:
      UserError: the model is of no known net.
    """
    every_layer = list(_flat(model))
    application = _recognise(every_layer)
    layers = {layer.name: layer for layer in every_layer if layer.weights}
    classifier = _classifier(layers)
    if application.zero_padded_pools:
        model = with_slims_pools(model, application.zero_padded_pools)
    plain = _with_plain_output(model, classifier is not None)
    is_bgr = channel_order == "bgr" if channel_order else application.is_bgr
    rescaling = [la for la in every_layer if isinstance(la, keras.layers.Rescaling)]

    def run(images: np.ndarray) -> np.ndarray:
        for layer in rescaling:  # slim's nets take what it makes.
            images = (images - layer.offset) / layer.scale
        return plain(images[..., ::-1] if is_bgr else images).numpy()

    def layers_at(scopes: Sequence[str]) -> Mapping[str, Layer]:
        found = _matched(application, scopes, layers, classifier)
        if is_bgr:
            found[scopes[0]] = _with_channels_reversed(found[scopes[0]])
        return found

    shape = model.input_shape
    return weight_conversion.Source(
        description=f"Keras' {application.function} ({model.name})",
        model_name=application.model_name,
        epsilon=application.epsilon,
        layers_at=layers_at,
        has_classifier=classifier is not None,
        num_outputs=plain.output_shape[-1],
        channels=shape[3],
        image_size=shape[1],
        run=run,
        caveat=_POOLS if application.zero_padded_pools else "",
    )


def _load_file(path: str) -> keras.Model:
    # A layer that Keras has for this net alone, and does not find when it loads it.
    module = importlib.import_module(keras.applications.InceptionResNetV2.__module__)
    known = {"CustomScaleLayer": module.CustomScaleLayer}
    try:
        return keras.models.load_model(path, custom_objects=known, compile=False)
    except Exception as error:  # zipfile, h5py and Keras raise what they like.
        raise UserError(
            f"--keras_model: {path} cannot be read as a Keras model:"
            f" {_first_line(error)}; a file with weights only goes into --weights_file,"
            " with the net's name as --keras_model"
        ) from error


def _flat(model: keras.Model) -> Iterator[Any]:
    """The layers of a model and of the models inside it."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _flat(layer)
        else:
            yield layer


def _recognise(layers: Sequence[Any]) -> Application:
    names = [layer.name for layer in layers]
    first_filters = next((la.filters for la in layers if hasattr(la, "filters")), None)
    for application in APPLICATIONS.values():
        if set(application.markers) <= set(names) and (
            application.first_filters in (None, first_filters)
        ):
            return application
    raise UserError(
        "the Keras model is of no net that can be converted: it has the layers"
        f" {_some(names)}; known nets are {', '.join(APPLICATIONS)}"
    )


def _classifier(layers: Mapping[str, Any]) -> str | None:
    """The layer that makes the logits; None where the model ends before it."""
    found = [
        name
        for name, layer in layers.items()
        if (isinstance(layer, keras.layers.Dense) and name not in _HIDDEN_DENSE)
        or name in _CONVOLUTIONAL_CLASSIFIERS
    ]
    if len(found) > 1:
        raise UserError(
            f"the Keras model ends in several dense layers, {_some(found)}: slim's nets"
            " have one; save the model without them and convert that"
        )
    return found[0] if found else None


def _with_plain_output(model: keras.Model, has_classifier: bool) -> keras.Model:
    """The model up to its logits, or up to its features, averaged over the map."""
    if has_classifier:
        last = model
        while isinstance(last, keras.Model):
            last = last.outputs[0]._keras_history.operation
        if hasattr(last, "activation"):
            last.activation = keras.activations.linear
        return model
    if len(model.output_shape) == 2:
        return model
    pooled = keras.layers.GlobalAveragePooling2D()(model.outputs[0])
    return keras.Model(model.inputs[0], pooled)


def with_slims_pools(model: keras.Model, pattern: str) -> keras.Model:
    """The model with SAME pools in place of padding with zeros and VALID ones."""

    def changed(layer: Any) -> Any:
        config = layer.get_config()
        if re.match(pattern, layer.name):
            is_pool = "pool_size" in config
            config["padding"] = "same" if is_pool else ((0, 0), (0, 0))
        return type(layer).from_config(config)

    clone = keras.models.clone_model(model, clone_function=changed, recursive=True)
    clone.set_weights(model.get_weights())
    return clone


def _matched(
    application: Application,
    scopes: Sequence[str],
    layers: Mapping[str, Any],
    classifier: str | None,
) -> dict[str, Layer]:
    found, used = {}, set()
    for scope, names in application.match(scopes, list(layers)).items():
        convolution = names.convolution
        if convolution == CLASSIFIER:
            if classifier is None:
                continue
            convolution = classifier
        wanted = [name for name in (convolution, names.batch_norm) if name]
        for name in wanted:
            if name not in layers:
                raise UserError(
                    f"the Keras model has no layer {name}, which would hold {scope} of"
                    f" {application.model_name}"
                )
        used |= set(wanted)
        found[scope] = _layer(
            layers[convolution] if convolution else None,
            layers[names.batch_norm] if names.batch_norm else None,
        )
    if unused := [name for name in layers if name not in used]:
        raise UserError(
            f"{application.model_name} has no place for {len(unused)} layers of the"
            f" Keras model: {_some(unused)}"
        )
    return found


def _layer(convolution: Any, batch_norm: Any) -> Layer:
    kernels, bias, norm = {}, None, None
    if isinstance(convolution, keras.layers.SeparableConv2D):
        kernels = {
            "depthwise_weights": convolution.depthwise_kernel.numpy(),
            "pointwise_weights": convolution.pointwise_kernel.numpy(),
        }
    elif isinstance(convolution, keras.layers.DepthwiseConv2D):
        kernels = {"depthwise_weights": convolution.kernel.numpy()}
    elif convolution is not None:
        kernels = {"weights": convolution.kernel.numpy()}
    if convolution is not None and convolution.use_bias:
        bias = convolution.bias.numpy()
    if batch_norm is not None:
        mean = batch_norm.moving_mean.numpy()
        norm = BatchNorm(
            mean=mean,
            variance=batch_norm.moving_variance.numpy(),
            beta=batch_norm.beta.numpy() if batch_norm.center else 0 * mean,
            gamma=batch_norm.gamma.numpy() if batch_norm.scale else None,
            epsilon=batch_norm.epsilon,
        )
    return Layer(kernels, bias, norm)


def _with_channels_reversed(layer: Layer) -> Layer:
    kernels = {"weights": layer.kernels["weights"][:, :, ::-1]}
    return dataclasses.replace(layer, kernels=kernels)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_MAX_NAMED]) + (", …" if len(names) > _MAX_NAMED else "")


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
