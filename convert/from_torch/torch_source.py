"""A state dictionary of PyTorch as a source of weights."""

import dataclasses
import os
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from common import atomic_files
from common.untrusted_text import first_few
from convert.from_torch.architecture import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    LITE_MEAN,
    LITE_STD,
    Architecture,
)
from convert.from_torch.layers import Layers
from convert.from_torch.module_names import Modules
from convert.from_torch.state_dict import State
from convert.weights import conversion
from convert.weights.layers import BatchNorm, Layer
from convert.weights.net_fit import is_auxiliary
from errors import UserError
from nets import nets_factory

_PUBLISHED = re.compile(
    "(?:resnet|vgg|googlenet|inception_v3_google|mobilenet_v|efficientnet[-_]|vit_"
    "|convnext_|densenet)"
    r"\w*-([0-9a-f]{8})\.pth"
)
# Parameters that belong to the module in front of their name; the last is a count.
_OF_MODULES = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
_MAP_SIZE = 7  # side of the map that torchvision's VGGs flatten
_FLATTENING = "/fc6"  # scope of the VGGs' first dense layer

# The mean and standard deviation, of pixels in [0, 1], that a preprocessing applies.
NORMALIZATIONS = {
    "efficientnet": (IMAGENET_MEAN, IMAGENET_STD),
    "efficientnet_lite": (LITE_MEAN, LITE_STD),
    "efficientnet_v2": ((128 / 255,) * 3, (128 / 255,) * 3),
    "inception": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "torchvision": (IMAGENET_MEAN, IMAGENET_STD),
    "torchvision_bicubic": (IMAGENET_MEAN, IMAGENET_STD),
    "vgg": ((123.68 / 255, 116.78 / 255, 103.94 / 255), (1 / 255, 1 / 255, 1 / 255)),
}


def source(
    state: State,
    architecture: Architecture,
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    preprocessing: str | None = None,
    is_published: bool = False,
) -> conversion.Source:
    """The state dictionary as a source of weights for slim's net.

    The first convolution is rewritten for the pixels of slim's preprocessing: their
    scale is folded into its kernel, their mean into its bias. That is exact except at
    the border, where the padding is zero and so has the mean color of the
    preprocessing: vgg's differs from torchvision's by half a shade.

    Args:
      state: parameters by name.
      architecture: its net.
      mean: mean of the pixels in [0, 1] that it was trained on; None is the net's usual
        one.
      std: their standard deviation; None is the net's usual one.
      preprocessing: the preprocessing here whose pixels the result takes, a key of
        `NORMALIZATIONS`; None is that of slim's net.
      is_published: whether these are weights that the library offers, trained on
        ImageNet.

    Returns:
      The source.
    """
    mean, std = mean or architecture.mean, std or architecture.std
    state = architecture.renamed(_without(state, architecture.ignored))
    entry = nets_factory.get_entry(architecture.model_name)
    preprocessing = preprocessing or entry.preprocessing
    our_mean, our_std = map(np.array, NORMALIZATIONS[preprocessing])
    scale = our_std / np.array(std)
    offset = (our_mean - np.array(mean)) / std
    run = _forward_fn(state, architecture, mean, std)

    def inputs(images: np.ndarray) -> np.ndarray:
        return (images / 255 - our_mean) / our_std

    def layers_at(scopes: Sequence[str]) -> Mapping[str, Layer]:
        found = _matched(architecture, scopes, state)
        found[scopes[0]] = rescaled(found[scopes[0]], scale, offset)
        return found

    classifier = state.get(f"{architecture.classifier}.weight")
    blank = np.zeros((1, entry.image_size, entry.image_size, 3), np.float32)
    return conversion.Source(
        description=architecture.name,
        model_name=architecture.model_name,
        epsilon=architecture.slim_epsilon,
        layers_at=layers_at,
        has_classifier=classifier is not None,
        num_outputs=run(blank).shape[1] if classifier is None else len(classifier),
        channels=3,
        image_size=None,
        run=run,
        inputs=inputs,
        preprocessing=preprocessing,
        is_published=is_published,
        caveat=architecture.caveat,
    )


def _forward_fn(
    state: State,
    architecture: Architecture,
    mean: Sequence[float],
    std: Sequence[float],
) -> Callable[[np.ndarray], np.ndarray]:
    """Runs the original net: pixels in [0, 255] to its outputs."""
    layers = Layers(state, architecture.epsilon)

    def run(images: np.ndarray) -> np.ndarray:
        normalized = ((images / 255 - mean) / std).astype(np.float32)
        return architecture.forward(layers, tf.constant(normalized)).numpy()

    return run


def is_published(path: str) -> bool:
    """Whether a file is one that torchvision offers, by its name and digest.

    The names of such files end in the first digits of their SHA-256.
    """
    match = _PUBLISHED.fullmatch(os.path.basename(path))
    if match is None:
        return False
    return atomic_files.sha256(path).startswith(match[1])


def _without(state: State, beginnings: tuple[str, ...]) -> State:
    kept = {n: v for n, v in state.items() if not n.startswith(beginnings)}
    if len(kept) < len(state):
        logging.info(
            "Omitting %d parameters that only training uses: %s…",
            len(state) - len(kept),
            "…, ".join(beginnings),
        )
    return kept


def _matched(
    architecture: Architecture, scopes: Sequence[str], state: State
) -> dict[str, Layer]:
    modules = set(map(_module_of, state))
    kernels = [n for n, values in state.items() if values.ndim == 4]
    convolutions = [name.removesuffix(".weight") for name in kernels]
    found, used = {}, set()
    for scope, names in architecture.match(scopes, convolutions).items():
        expected = names[0] or str(names[1])
        if expected in modules:
            found[scope] = _layer(state, scope, names, architecture.epsilon)
            used |= set(names)
        elif not is_auxiliary(scope) and expected != architecture.classifier:
            raise UserError(
                f"the state dictionary has no module {expected}, expected for {scope}"
                f" of {architecture.model_name}"
            )
    if unused := sorted(modules - used):
        raise UserError(
            f"{architecture.model_name} has no place for {len(unused)} modules of the"
            f" state dictionary: {first_few(unused)}"
        )
    return found


def _module_of(parameter: str) -> str:
    """The module of a parameter; the parameter's name if it is one by itself."""
    module, _, kind = parameter.rpartition(".")
    return module if kind in _OF_MODULES else parameter


def _layer(state: State, scope: str, names: Modules, epsilon: float) -> Layer:
    module, norm_name = names
    if module in state:  # a parameter that is no module
        kind = "gamma" if scope.endswith("/LayerScale") else "values"
        values = state[module]
        return Layer({kind: values.reshape(-1) if kind == "gamma" else values})
    kernels: dict[str, np.ndarray] = {}
    if module:
        kernel = state[f"{module}.weight"]
        if kernel.ndim == 1:  # layer norm
            return Layer({"gamma": kernel, "beta": state[f"{module}.bias"]})
        kernels = _kernels(scope, kernel)
    norm = None
    if norm_name:
        norm = BatchNorm(
            mean=state[f"{norm_name}.running_mean"],
            variance=state[f"{norm_name}.running_var"],
            beta=state[f"{norm_name}.bias"],
            gamma=state[f"{norm_name}.weight"],
            epsilon=epsilon,
        )
    return Layer(kernels, state.get(f"{module}.bias"), norm)


def _kernels(scope: str, kernel: np.ndarray) -> dict[str, np.ndarray]:
    if scope.endswith(_FLATTENING):  # a map, channels first
        kernel = kernel.reshape(len(kernel), -1, _MAP_SIZE, _MAP_SIZE)
    kernel = kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel.T
    if scope.endswith("/depthwise"):
        return {"depthwise_weights": kernel.swapaxes(2, 3)}
    return {"weights": kernel}


def rescaled(layer: Layer, scale: np.ndarray, offset: np.ndarray) -> Layer:
    """The convolution that computes `layer(scale * x + offset)` from x."""
    kernel = layer.kernels["weights"]
    constant = np.einsum("hwio,i->o", kernel, offset)
    if layer.bias is not None:
        constant = constant + layer.bias
    kernels = {"weights": kernel * scale[:, np.newaxis]}
    return dataclasses.replace(layer, kernels=kernels, bias=constant)
