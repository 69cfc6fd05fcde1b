"""How a Keras model takes images: their size, and what is done to their pixels.

The layers before the net's first one are not interpreted but measured: the model is run
on images of a single color, and the input of that layer is captured.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from absl import logging

from common.untrusted_text import first_few
from convert.from_keras import capture, color_map
from convert.from_keras.applications import Application
from convert.from_keras.color_map import ColorMap
from convert.weights.layers import Layer
from errors import UserError

Pixels = Callable[[np.ndarray], np.ndarray]

RANGES = ("0,1", "-1,1", "0,255", "preprocess_input")
_CAFFE_MEAN = np.array([123.68, 116.779, 103.939])
_MAX_SHADES = 0.01  # of 255, that a preprocessing's zero may be off
_MAX_PLAUSIBLE = 256  # of a net's inputs; beyond, pixels were not fed as 0 to 255
_MAX_SIDE = 2048  # of images, in pixels
_PROBE_SIDE = 96  # of the images for measuring a model that takes any size, in pixels
_AUGMENTATION_MODULE = "image_preprocessing"


@dataclasses.dataclass(frozen=True)
class Inputs:
    """How a model takes images, and how the slim net with its weights takes them.

    Attributes:
      image_size: side of the images in pixels; None is the net's default.
      fed: from images in [0, 255] to the model's input.
      preprocessing: the preprocessing of the slim net.
      inputs: from images in [0, 255] to what the preprocessing makes of them.
      to_net: from a color as the preprocessing gives it to one as Keras' net takes it.
    """

    image_size: int | None
    fed: Pixels
    preprocessing: str
    inputs: Pixels
    to_net: ColorMap

    def folded(self, layer: Layer) -> Layer:
        """The first convolution, with `to_net` folded into it."""
        kernel, bias = layer.kernels["weights"], layer.bias
        matrix, shift = self.to_net.matrix, self.to_net.shift
        if np.any(shift):
            constant = np.einsum("hwco,c->o", kernel, shift)
            bias = constant if bias is None else bias + constant
        if not np.array_equal(matrix, np.eye(len(matrix))):
            kernel = np.einsum("hwco,ck->hwko", kernel, matrix)
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
    """How a model takes images.

    Args:
      model: the whole model.
      layers: its layers and those of the models inside it, in order.
      first: the net's first convolution, one of them.
      application: the net.
      channel_order: "rgb" or "bgr", as the model was fed; None for the usual order.
      input_range: one of `RANGES`, as the model was fed; None for the usual range.
      is_published: whether the model is as keras.applications offers it.

    Raises:
      UserError: the layers before the net do more than a preprocessing and the first
        convolution can, or it is unclear what they were fed.
    """
    position = layers.index(first)
    if isinstance(layers[position - 1], keras.layers.ZeroPadding2D):
        position -= 1
    before = layers[:position]
    size, channels = _size_of(model, before)
    _report_augmentation(before)

    def colors(fed: Pixels) -> ColorMap:
        return _colors(model, layers[position], fed, size, channels, before)

    fed = _feed(application, channel_order, input_range or "0,255")
    colors_of_net = colors(fed)
    if input_range is None and colors_of_net.is_reordering:
        _check_preprocess_input(application, channels, is_published)
        fed = _feed(application, channel_order, "preprocess_input")
        colors_of_net = colors(fed)
    if input_range is None and colors_of_net.largest_value > _MAX_PLAUSIBLE:
        raise UserError(
            f"the model's own layers ({_names(before)}) turn pixels from 0 to 255 into"
            f" values up to {colors_of_net.largest_value:.4g}, so it was fed another"
            " range: give it, as in --input_range=0,1"
        )
    can_shift = layers[position] is first and first.padding == "valid"
    preprocessing, to_net = _matched(colors_of_net, can_shift)
    inputs = color_map.of_preprocessing(preprocessing, channels).of
    return Inputs(size, fed, preprocessing, inputs, to_net)


def _check_preprocess_input(
    application: Application, channels: int, is_published: bool
) -> None:
    """Refuses `preprocess_input` for a net that cannot use it, and reports its use."""
    if channels == 1 and application.is_bgr:
        raise UserError(
            "the Keras model takes gray images, which preprocess_input of"
            f" {application.function} does not support, and does not rescale them:"
            " give the range it was fed, as in --input_range=0,1"
        )
    if not is_published:
        logging.warning(
            "The model does not rescale pixels itself; it is assumed to be fed what"
            " keras.applications' preprocess_input makes for %s, %s. If it was fed"
            " something else, give --input_range=0,1 or another range.",
            application.function,
            "BGR minus a mean" if application.is_bgr else "-1 to 1",
        )


def _size_of(model: keras.Model, before: Sequence[Any]) -> tuple[int | None, int]:
    """Side in pixels, or None for any, and channels of the model's images."""
    _, height, width, channels = model.input_shape
    for layer in before:
        if type(layer).__name__ not in ("Resizing", "CenterCrop"):
            continue
        target = layer.height, layer.width
        if height is None and width is None and _is_plain_resizing(layer):
            height, width = target
        elif target != (height, width):
            raise UserError(
                f"the Keras model's layer {layer.name} turns images of {height}x{width}"
                f" pixels into {target[0]}x{target[1]}, which no preprocessing here"
                " does: save the model from the next layer on"
            )
    if max(height or 0, width or 0) > _MAX_SIDE:
        raise UserError(
            f"the Keras model takes images of {height}x{width} pixels; at most"
            f" {_MAX_SIDE} per side are supported"
        )
    if height != width:
        raise UserError(
            f"the Keras model takes images of {height}x{width} pixels; slim's nets take"
            " square ones"
        )
    if channels not in (1, 3):
        raise UserError(
            f"the Keras model takes {channels} channels; slim's nets take 3, or 1"
        )
    return height, channels


def _is_plain_resizing(layer: Any) -> bool:
    """Whether a layer resizes as the preprocessings here do."""
    return (
        type(layer).__name__ == "Resizing"
        and layer.interpolation == "bilinear"
        and not layer.crop_to_aspect_ratio
        and not getattr(layer, "pad_to_aspect_ratio", False)
        and not getattr(layer, "antialias", False)
    )


def _report_augmentation(before: Sequence[Any]) -> None:
    omitted = [
        layer.name
        for layer in before
        if _AUGMENTATION_MODULE in type(layer).__module__
        and type(layer).__name__ not in ("Resizing", "CenterCrop")
    ]
    if omitted:
        logging.info(
            "Omitting the augmentation, which only training uses: %s.",
            ", ".join(omitted),
        )


def _feed(
    application: Application, channel_order: str | None, input_range: str
) -> Pixels:
    """From images in [0, 255], RGB, to the model's input."""
    published = input_range == "preprocess_input"
    is_bgr = published and application.is_bgr
    if channel_order:
        is_bgr = channel_order == "bgr"

    def fed(images: np.ndarray) -> np.ndarray:
        x = images.astype(np.float64)
        if published and application.is_bgr:
            x = x - _CAFFE_MEAN
        elif input_range == "0,1":
            x = x / 255
        elif published or input_range == "-1,1":
            x = x / 127.5 - 1
        return (x[..., ::-1] if is_bgr else x).astype(np.float32)

    return fed


def _colors(
    model: keras.Model,
    first: Any,
    fed: Pixels,
    size: int | None,
    channels: int,
    before: Sequence[Any],
) -> ColorMap:
    """From an image's colors to those that the net's first layer takes."""
    found = color_map.measure(
        lambda images: capture.run(model, first, fed(images))[1],
        size or _PROBE_SIDE,
        channels,
    )
    if found is None:
        raise UserError(
            f"the Keras model's layers before its net ({_names(before)}) do more than"
            " scale and shift the colors of each pixel, which no preprocessing here"
            " does: save the model from the net on"
        )
    return found


def _matched(colors: ColorMap, can_shift: bool) -> tuple[str, ColorMap]:
    """The preprocessing with the net's zero, and what is left for the first layer.

    Args:
      colors: from an image's colors to those that the net takes.
      can_shift: whether the first layer can add a constant, as it does not pad.
    """
    name, rest, shades = color_map.nearest_preprocessing(colors)
    if shades <= _MAX_SHADES:
        rest = ColorMap(rest.matrix, np.zeros_like(rest.shift))
    elif not can_shift:
        zero = ", ".join(f"{value:.4g}" for value in colors.zero)
        raise UserError(
            f"the net in the Keras model takes the color ({zero}) of 255 as zero, and"
            " its first layer pads with it; the nearest preprocessing here,"
            f" {name}, is {shades:.3g} shades off, so the borders of images would"
            " differ"
        )
    return name, rest.rounded()


def _names(layers: Sequence[Any]) -> str:
    names = [la.name for la in layers if not isinstance(la, keras.layers.InputLayer)]
    return first_few(names) or "operations"
