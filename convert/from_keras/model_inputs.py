"""What a Keras model makes of photographs before its net sees them.

Rescaling, normalisation and the arithmetic of `preprocess_input` are all one matrix and
one shift of each pixel's colour. They are measured, whatever layers they are made of:
the model is run on plain colours, and what reaches the net's first layer is read off.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from absl import logging

from convert.from_keras.applications import Application
from convert.weights.layers import Layer
from errors import UserError
from preprocessing import preprocessing_factory

Pixels = Callable[[np.ndarray], np.ndarray]

# Recipes that take the whole photograph, as Keras does, by what their zero stands for.
_RECIPES = ("keras_tf", "keras_unit", "keras_vgg", "keras_imagenet")
RANGES = ("0,1", "-1,1", "0,255", "preprocess_input")
_CAFFE_MEAN = np.array([123.68, 116.779, 103.939])
_MAX_SHADES = 0.01  # of 255, that a recipe's zero may be off
_MAX_PLAUSIBLE = 256  # of what a net is given; beyond, pixels were not fed as 0 to 255
_MAX_SIDE = 2048  # of photographs, in pixels
_EXACT = 1e-6
_MODULE_OF_AUGMENTATION = "image_preprocessing"


@dataclasses.dataclass(frozen=True)
class Inputs:
    """How a model takes photographs, and how the slim net of its weights takes them.

    Attributes:
      image_size: side of the photographs in pixels; None is the net's default.
      fed: from photographs in [0, 255] to what the model is fed.
      preprocessing: the recipe of the slim net.
      inputs: from photographs in [0, 255] to what the recipe makes of them.
      matrix: `[net's channels, model's channels]`, from a colour of the recipe to one
        of the net in Keras.
      shift: `[net's channels]`, what is then added.
    """

    image_size: int | None
    fed: Pixels
    preprocessing: str
    inputs: Pixels
    matrix: np.ndarray
    shift: np.ndarray

    def folded(self, layer: Layer) -> Layer:
        """The first convolution, for what the recipe makes."""
        kernel, bias = layer.kernels["weights"], layer.bias
        if np.any(self.shift):
            constant = np.einsum("hwco,c->o", kernel, self.shift)
            bias = constant if bias is None else bias + constant
        if not np.array_equal(self.matrix, np.eye(len(self.matrix))):
            kernel = np.einsum("hwco,ck->hwko", kernel, self.matrix)
        return dataclasses.replace(layer, kernels={"weights": kernel}, bias=bias)


def inputs_of(
    model: keras.Model,
    layers: Sequence[Any],
    first: Any,
    application: Application,
    *,
    channel_order: str | None,
    input_range: str | None,
    is_published: bool,
) -> Inputs:
    """How a model takes photographs.

    Args:
      model: the whole model.
      layers: its layers and those of the models inside it, in order.
      first: the net's first convolution, one of them.
      application: the net.
      channel_order: "rgb" or "bgr", what it was fed; None is what is usual.
      input_range: one of `RANGES`, likewise.
      is_published: whether it is as keras.applications offers it.

    Raises:
      UserError: the layers in front do more than a recipe or the first convolution
        can, or it is not clear what they are fed with.
    """
    position = layers.index(first)
    if isinstance(layers[position - 1], keras.layers.ZeroPadding2D):
        position -= 1
    in_front = layers[:position]
    size, channels = _size_of(model, in_front)
    _tell_of_augmentation(in_front)
    probe_size = size or 96

    def measured(fed: Pixels) -> tuple[np.ndarray, np.ndarray]:
        return _colours(model, layers[position], fed, probe_size, channels, in_front)

    fed = _feed(
        application, channel_order, "0,255" if input_range is None else input_range
    )
    matrix, shift = measured(fed)
    if input_range is None and _is_reordering(matrix) and not np.any(shift):
        if channels == 1 and application.is_bgr:
            raise UserError(
                "the Keras model takes grey photographs, for which preprocess_input of"
                f" {application.function} is not made, and does not rescale them: say"
                " what it was fed with, as in --input_range=0,1"
            )
        fed = _feed(application, channel_order, "preprocess_input")
        matrix, shift = measured(fed)
        if not is_published:
            logging.warning(
                "The model does not rescale pixels itself: it is taken to be fed with"
                " what keras.applications' preprocess_input makes for %s, %s. If it was"
                " fed otherwise, give --input_range=0,1 or another.",
                application.function,
                "BGR less a mean" if application.is_bgr else "-1 to 1",
            )
    largest = np.abs(np.stack([shift, shift + 255 * matrix.sum(1)])).max()
    if input_range is None and largest > _MAX_PLAUSIBLE:
        raise UserError(
            f"the model's own layers ({_named(in_front)}) make values up to"
            f" {largest:.4g} of pixels from 0 to 255, so that it was fed with others:"
            " say which, as in --input_range=0,1"
        )
    return _matched(matrix, shift, size, fed, first, layers[position] is first)


def _size_of(model: keras.Model, in_front: Sequence[Any]) -> tuple[int | None, int]:
    _, height, width, channels = model.input_shape
    for layer in in_front:
        kind = type(layer).__name__
        if kind not in ("Resizing", "CenterCrop"):
            continue
        target = layer.height, layer.width
        is_plain = kind == "Resizing" and (
            layer.interpolation == "bilinear"
            and not layer.crop_to_aspect_ratio
            and not getattr(layer, "pad_to_aspect_ratio", False)
            and not getattr(layer, "antialias", False)
        )
        if height is None and width is None and is_plain:
            height, width = target
        elif target != (height, width):
            raise UserError(
                f"the Keras model's layer {layer.name} makes photographs of"
                f" {target[0]}x{target[1]} pixels out of {height}x{width}, as no"
                " preprocessing here does: save the model from the layer behind it"
            )
    if max(height or 0, width or 0) > _MAX_SIDE:
        raise UserError(
            f"the Keras model takes photographs of {height}x{width} pixels, and at most"
            f" {_MAX_SIDE} a side are taken"
        )
    if height != width:
        raise UserError(
            f"the Keras model takes photographs of {height}x{width} pixels, and slim's"
            " nets take square ones"
        )
    if channels not in (1, 3):
        raise UserError(
            f"the Keras model takes {channels} channels, and slim's nets take 3, or 1"
        )
    return height, channels


def _tell_of_augmentation(in_front: Sequence[Any]) -> None:
    left = [
        layer.name
        for layer in in_front
        if _MODULE_OF_AUGMENTATION in type(layer).__module__
        and type(layer).__name__ not in ("Resizing", "CenterCrop")
    ]
    if left:
        logging.info(
            "Leaves out the augmentation, which only training uses: %s.",
            ", ".join(left),
        )


def _feed(
    application: Application, channel_order: str | None, input_range: str
) -> Pixels:
    """From photographs in [0, 255], RGB, to what the model is fed."""
    published = input_range == "preprocess_input"
    is_bgr = published and application.is_bgr
    if channel_order:
        is_bgr = channel_order == "bgr"

    def fed(photographs: np.ndarray) -> np.ndarray:
        x = photographs.astype(np.float64)
        if published and application.is_bgr:
            x = x - _CAFFE_MEAN
        elif input_range == "0,1":
            x = x / 255
        elif published or input_range == "-1,1":
            x = x / 127.5 - 1
        return (x[..., ::-1] if is_bgr else x).astype(np.float32)

    return fed


def _colours(
    model: keras.Model,
    first: Any,
    fed: Pixels,
    size: int,
    channels: int,
    in_front: Sequence[Any],
) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and shift from a photograph's colours to those that the net sees."""
    plain = np.zeros((channels + 2, size, size, channels), np.float32)
    for channel in range(channels):
        plain[channel + 1, ..., channel] = 255
    plain[-1] = np.random.default_rng(0).integers(0, 256, plain.shape[1:])
    _, seen = watched(model, first, fed(plain))
    seen = seen.astype(np.float64)
    black, *pure = seen[:-1].mean((1, 2))
    matrix = np.stack([(colour - black) / 255 for colour in pure], axis=1)
    matrix[np.abs(matrix) < _EXACT * np.abs(matrix).max()] = 0
    expected = plain[-1] @ matrix.T + black
    tolerance = 1e-4 * max(np.abs(expected).max(), 1e-6)
    if (
        seen[-1].shape != expected.shape
        or np.abs(seen[-1] - expected).max() > tolerance
    ):
        raise UserError(
            f"the Keras model's layers before its net ({_named(in_front)}) do more than"
            " scale and shift the colours of each pixel, which no preprocessing here"
            " does: save the model from the net on"
        )
    return matrix, black


def watched(
    model: keras.Model, layer: Any, images: np.ndarray, instead: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Runs a model, and sees what reaches one of its layers.

    Args:
      model: the model.
      layer: of it, or of a model inside it.
      images: what the model is fed.
      instead: called with what reaches the layer, to give the layer's output.

    Returns:
      The model's output, and what reached the layer.
    """
    call, seen = layer.call, []

    def recorded(x: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(np.array(x))
        return instead(x) if instead else call(x, *args, **kwargs)

    layer.call = recorded
    try:
        output = np.array(model(images, training=False))
    finally:
        layer.call = call
    if len(seen) != 1:
        raise UserError(
            f"the Keras model uses its layer {layer.name} {len(seen)} times, and slim's"
            " nets once"
        )
    return output, seen[0]


def _is_reordering(matrix: np.ndarray) -> bool:
    """Whether each colour that comes out is one of those that went in."""
    ones = np.isclose(matrix, 1, atol=_EXACT)
    return bool(np.all(ones.sum(1) == 1) & np.all(ones | (np.abs(matrix) < _EXACT)))


def _recipe(name: str, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and shift of a recipe, seen on plain colours, which no resize changes."""
    prepare = preprocessing_factory.get_preprocessing(name, False, channels == 1)
    photos = np.zeros((channels + 1, 8, 8, channels), np.uint8)
    for channel in range(channels):
        photos[channel + 1, ..., channel] = 255
    black, *pure = (np.float64(prepare(photo, 8, 8)[4, 4]) for photo in photos)
    matrix = np.stack([(colour - black) / 255 for colour in pure], axis=1)
    return matrix, np.asarray(black)


def _matched(
    matrix: np.ndarray,
    shift: np.ndarray,
    size: int | None,
    fed: Pixels,
    first: Any,
    is_unpadded: bool,
) -> Inputs:
    """The recipe whose zero is the net's, so that the borders of photographs agree."""
    found = []
    channels = matrix.shape[1]
    per_shade = np.maximum(np.abs(matrix).max(axis=1), np.finfo(float).tiny)
    for name in _RECIPES:
        scale, black = _recipe(name, channels)
        mixed = matrix @ np.linalg.inv(scale)
        rest = shift - mixed @ black
        found.append((np.max(np.abs(rest) / per_shade), name, mixed, rest))
    shades, name, mixed, rest = min(found, key=lambda one: one[0])
    zero = -np.linalg.pinv(matrix) @ shift
    if shades <= _MAX_SHADES:
        rest = np.zeros_like(rest)
    elif not is_unpadded or first.padding != "valid":
        raise UserError(
            f"the net in the Keras model takes the colour ({_numbers(zero)}) of 255 for"
            f" zero, and its first layer pads with it; the nearest preprocessing here,"
            f" {name}, is {shades:.3g} shades off: the borders of photographs would"
            " differ"
        )
    close = np.abs(mixed - np.round(mixed)) < _EXACT
    mixed = np.where(close, np.round(mixed), mixed)
    scale, black = _recipe(name, channels)
    return Inputs(size, fed, name, lambda x: x @ scale.T + black, mixed, rest)


def _named(layers: Sequence[Any]) -> str:
    names = [la.name for la in layers if not isinstance(la, keras.layers.InputLayer)]
    return ", ".join(names[:4]) or "operations"


def _numbers(values: np.ndarray) -> str:
    return ", ".join(f"{value:.4g}" for value in values)
