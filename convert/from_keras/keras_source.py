"""A Keras model as a source of weights: its layers, and what it computes."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from common.untrusted_text import first_few
from convert.from_keras import model_files, model_inputs, model_outputs
from convert.from_keras.applications import APPLICATIONS, Application
from convert.from_keras.layer_names import CLASSIFIER
from convert.weights import conversion, net_fit
from convert.weights.layers import BatchNorm, Layer
from errors import UserError, nearest
from nets import nets_factory

_CONVOLUTIONAL_CLASSIFIERS = ("conv_preds", "logits")
_HIDDEN_DENSE = ("fc1", "fc2")
_POOLS = (
    "Keras pads the pools of the reduction cells with zeros. Slim leaves the border"
    " out, as the TensorFlow weights did that Keras offers; so it was compared. A net"
    " trained in Keras loses a little by that."
)


def load(
    model: str, weights_file: str | None = None
) -> tuple[keras.Model, str | None, bool]:
    """A Keras model from a file, or by its name in keras.applications.

    Args:
      model: a `.keras` or `.h5` file with a whole model, or a key of `APPLICATIONS`.
      weights_file: the weights of a model given by name; None takes those that Keras
        offers for download.

    Returns:
      The model, the loss that it was trained with or None, and whether its weights are
      those that Keras offers.

    Raises:
      UserError: there is no such file or name, or it cannot be read or downloaded.
    """
    if model.endswith(model_files.MODEL_FILES):
        if weights_file:
            raise UserError(
                f"--weights_file goes with a name as --keras_model; {model} is a file"
                " and has weights of its own"
            )
        return *model_files.load(model), False
    if model not in APPLICATIONS:
        raise UserError(
            f"--keras_model={model}: no such net{nearest(model, APPLICATIONS)}; give a"
            f" .keras or .h5 file, or one of {', '.join(APPLICATIONS)}"
        )
    application = APPLICATIONS[model]
    build = getattr(keras.applications, application.function)
    try:
        built = build(
            weights=weights_file or "imagenet",
            classifier_activation=None,
            **application.options,
        )
    except Exception as error:  # urllib, h5py and Keras raise what they like.
        origin = weights_file or "the weights that Keras offers for download"
        raise UserError(
            f"--keras_model={model}: cannot take {origin}:"
            f" {model_files.first_line(error)}; give a file with them as --weights_file"
        ) from error
    return built, None, weights_file is None


def source(
    model: keras.Model,
    *,
    channel_order: str | None = None,
    input_range: str | None = None,
    loss: str | None = None,
    is_published: bool = False,
) -> conversion.Source:
    """The model as a source of weights for the slim net of its topology.

    Args:
      model: a net of keras.applications, as it is, with another classifier, without
        one, or inside another model. Its softmax, if any, is switched off.
      channel_order: "rgb" or "bgr": the order it was fed; None is that of
        `preprocess_input` of its net.
      input_range: one of `model_inputs.RANGES`, what it was fed; None is pixels from 0
        to 255 where it rescales them, and else what `preprocess_input` makes.
      loss: that it was trained with, if known, as `model_files.load` gives it.
      is_published: whether its weights are those that Keras offers.

    Returns:
      The source.

    Raises:
      UserError: the model is of no known net, takes photographs in a way that slim's
        net cannot, or is no classifier.
    """
    _check_ends(model)
    every_layer = list(model_files.layers_of(model))
    application = _recognise(model, every_layer)
    layers = {
        layer.name: layer
        for layer in every_layer
        if layer.weights and not isinstance(layer, keras.layers.Normalization)
    }
    classifier = _classifier(layers)
    if application.zero_padded_pools:
        model = with_slims_pools(model, application.zero_padded_pools)
        every_layer = list(model_files.layers_of(model))
        layers = {la.name: la for la in every_layer if la.name in layers}
    scopes = list(net_fit.net_shapes(application.model_name, 2))
    matched = application.match(conversion.scopes_of(scopes), list(layers))
    first = next(iter(matched.values())).convolution
    if first not in layers:
        raise UserError(
            f"the Keras model has no layer {first}, the first convolution of"
            f" {application.model_name}"
        )
    inputs = model_inputs.inputs_of(
        model,
        every_layer,
        layers[first],
        application,
        channel_order=channel_order,
        input_range=input_range,
        is_published=is_published,
    )
    is_binary = False
    if classifier:
        size = inputs.image_size or model_size(application)
        blank = np.zeros((1, size, size, model.input_shape[3]), np.float32)
        last = layers[classifier]
        is_binary = model_outputs.is_binary(model, last, inputs.fed(blank), loss)
    run = _run_of(model, layers.get(classifier or ""), inputs, is_binary=is_binary)

    def layers_at(scopes: Sequence[str]) -> Mapping[str, Layer]:
        found = _matched(application, scopes, layers, classifier)
        found[scopes[0]] = inputs.folded(found[scopes[0]])
        if is_binary:
            names = application.match(scopes, list(layers))
            for scope in found:
                if names[scope].convolution == CLASSIFIER:
                    found[scope] = model_outputs.two_logits(found[scope])
        return found

    num_outputs = model.output_shape[-1]
    if classifier:
        num_outputs = 2 if is_binary else int(layers[classifier].kernel.shape[-1])
    return conversion.Source(
        description=f"Keras' {application.function} ({model.name})",
        model_name=application.model_name,
        epsilon=application.epsilon,
        layers_at=layers_at,
        has_classifier=classifier is not None,
        num_outputs=num_outputs,
        channels=model.input_shape[3],
        image_size=inputs.image_size,
        run=run,
        inputs=inputs.inputs,
        preprocessing=inputs.preprocessing,
        is_published=is_published,
        caveat=_POOLS if application.zero_padded_pools else "",
    )


def model_size(application: Application) -> int:
    """Side of the images that the net of an application takes, in pixels."""
    return nets_factory.get_entry(application.model_name).image_size


def _check_ends(model: keras.Model) -> None:
    """Refuses models with several inputs or outputs, or none of a photograph's form."""
    for ends, what in ((model.inputs, "inputs"), (model.outputs, "outputs")):
        if len(ends or ()) != 1:
            raise UserError(
                f"the Keras model has {len(ends or ())} {what}, and slim's nets have"
                " one: save the model with the one that counts"
            )
    if len(model.inputs[0].shape) != 4:
        raise UserError(
            f"the Keras model takes arrays of the shape {tuple(model.inputs[0].shape)},"
            " and slim's nets photographs, [batch, height, width, channels]"
        )


def _run_of(
    model: keras.Model,
    classifier: Any,
    inputs: model_inputs.Inputs,
    *,
    is_binary: bool,
) -> Callable[[np.ndarray], np.ndarray]:
    """From photographs to logits or, averaged over the map, features."""

    def run(photographs: np.ndarray) -> np.ndarray:
        if classifier is None:
            features = np.array(model(inputs.fed(photographs), training=False))
            return features.mean((1, 2)) if features.ndim == 4 else features
        logits = []

        def plain(x: Any) -> Any:
            activation, classifier.activation = classifier.activation, None
            try:
                logits.append(np.array(type(classifier).call(classifier, x)))
            finally:
                classifier.activation = activation
            return keras.ops.convert_to_tensor(logits[0])

        model_inputs.watched(model, classifier, inputs.fed(photographs), plain)
        z = logits[0].reshape(len(photographs), -1)
        return np.concatenate([np.zeros_like(z), z], axis=1) if is_binary else z

    return run


def _recognise(model: keras.Model, layers: Sequence[Any]) -> Application:
    names = [layer.name for layer in layers]
    first_filters = next((la.filters for la in layers if hasattr(la, "filters")), None)
    for application in APPLICATIONS.values():
        if set(application.markers) <= set(names) and (
            application.first_filters in (None, first_filters)
        ):
            return application
    raise UserError(
        f"the Keras model, {first_few(model_files.models_in(model))}, is of no net"
        f" that can be converted: it has the layers {first_few(names)}; known nets are"
        f" {', '.join(APPLICATIONS)}"
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
            f"the Keras model ends in several dense layers, {first_few(found)}: slim's"
            " nets have one; save the model without them and convert that"
        )
    return found[0] if found else None


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
            f" Keras model: {first_few(unused)}"
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
