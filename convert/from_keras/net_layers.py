"""Which net a Keras model is, and where it has the weights of slim's net."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from common.untrusted_text import first_few
from convert.from_keras import model_files
from convert.from_keras.applications import APPLICATIONS, Application
from convert.from_keras.layer_names import CLASSIFIER
from convert.weights.layers import BatchNorm, Layer
from errors import UserError

_CONVOLUTIONAL_CLASSIFIERS = ("conv_preds", "logits")
_HIDDEN_DENSE = re.compile(r"fc[12]|\w+_pointwise_conv_[12]")


def recognize(model: keras.Model, layers: Sequence[Any]) -> Application:
    """The net that a model is, by its layers.

    Raises:
      UserError: it is none that can be converted.
    """
    names = [layer.name for layer in layers]
    widths = {(la.name, la.filters) for la in layers if hasattr(la, "filters")}
    for application in APPLICATIONS.values():
        if set(application.markers) <= set(names) and (
            application.width is None or application.width in widths
        ):
            return application
    raise UserError(
        f"the Keras model, {first_few(model_files.models_in(model))}, is not a net that"
        f" can be converted: it has the layers {first_few(names)}; expected one of"
        f" {', '.join(APPLICATIONS)}"
    )


def with_weights(layers: Sequence[Any]) -> dict[str, Any]:
    """The layers that hold weights of the net, by name."""
    return {
        layer.name: layer
        for layer in layers
        if layer.weights and not isinstance(layer, keras.layers.Normalization)
    }


def classifier_of(layers: Mapping[str, Any]) -> str | None:
    """The name of the layer that makes the logits; None if the model has none.

    Raises:
      UserError: there are several.
    """
    found = [
        name
        for name, layer in layers.items()
        if (isinstance(layer, keras.layers.Dense) and not _HIDDEN_DENSE.fullmatch(name))
        or name in _CONVOLUTIONAL_CLASSIFIERS
    ]
    if len(found) > 1:
        raise UserError(
            f"the Keras model ends in several dense layers, {first_few(found)}; slim's"
            " nets have one: save the model without them and convert that"
        )
    return found[0] if found else None


def by_scope(
    application: Application,
    scopes: Sequence[str],
    layers: Mapping[str, Any],
    classifier: str | None,
) -> dict[str, Layer]:
    """The layers of a model by the scopes of slim's net that hold the same weights.

    Args:
      application: the net.
      scopes: the scopes of slim's net, in order of creation.
      layers: the model's layers with weights, by name.
      classifier: the name of the one that makes the logits, if there is one.

    Raises:
      UserError: a layer is missing, or there is one too many.
    """
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
                    f"the Keras model has no layer {name}, expected for {scope} of"
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
            f" Keras model: {first_few(unused)}"
        )
    return found


def _layer(convolution: Any, batch_norm: Any) -> Layer:
    kernels, bias, norm = {}, None, None
    if type(convolution).__name__ == "LayerScale":
        return Layer({"gamma": convolution.gamma.numpy()})
    if isinstance(convolution, keras.layers.LayerNormalization):
        gamma, beta = convolution.gamma.numpy(), convolution.beta.numpy()
        return Layer({"gamma": gamma, "beta": beta})
    if isinstance(convolution, keras.layers.SeparableConv2D):
        kernels = {
            "depthwise_weights": convolution.depthwise_kernel.numpy(),
            "pointwise_weights": convolution.pointwise_kernel.numpy(),
        }
    elif isinstance(convolution, keras.layers.DepthwiseConv2D):
        kernels = {"depthwise_weights": convolution.kernel.numpy()}
    elif isinstance(convolution, keras.layers.Conv2D) and convolution.groups > 1:
        kernels = {"depthwise_weights": convolution.kernel.numpy().swapaxes(2, 3)}
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
