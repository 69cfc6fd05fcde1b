"""The nets of torchvision and timm that can be converted, one row each."""

import dataclasses
import functools
from collections.abc import Callable

import tensorflow as tf

from convert.from_torch import (
    convnexts,
    densenets,
    efficientnets,
    forward,
    inceptions,
    module_names,
    vits,
)
from convert.from_torch.layers import Layers
from convert.from_torch.state_dict import State

Triple = tuple[float, float, float]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_HALF = (0.5, 0.5, 0.5)
LITE_MEAN, LITE_STD = (127 / 255,) * 3, (128 / 255,) * 3


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A net of torchvision or timm and its counterpart in slim.

    Attributes:
      name: its name there.
      model_name: slim's net.
      match: which modules hold which scopes of slim's net.
      forward: what the net computes.
      markers: modules, or parameters of none, that distinguish it from the nets below
        it in the table; the first is a module.
      classifier: its last module.
      width: a module and its output channels, where only the width tells nets apart.
      epsilon: of its batch norms.
      slim_epsilon: of the batch norms of slim's net.
      mean: subtracted from its pixels, which are in [0, 1].
      std: what they are then divided by.
      ignored: prefixes of the names of parameters that only training uses and slim's
        net has no place for.
      caveat: a limitation of the comparison to report; "" for none.
      renamed: from the dictionary to one with the names that `match` and `forward` use.
      check: refuses variants of the net, given the renamed dictionary and slim's net.
    """

    name: str
    model_name: str
    match: module_names.Match
    forward: Callable[[Layers, tf.Tensor], tf.Tensor]
    markers: tuple[str, ...]
    classifier: str
    width: tuple[str, int] | None = None
    epsilon: float = 1e-3
    slim_epsilon: float = 1e-3
    mean: Triple = _HALF
    std: Triple = _HALF
    ignored: tuple[str, ...] = ()
    caveat: str = ""
    renamed: Callable[[State], State] = lambda state: state
    check: Callable[[State, str], None] = lambda _state, _model_name: None

    def is_in(self, state: State, prefix: str = "") -> bool:
        """Whether a dictionary holds this net, its names after `prefix`."""
        names = [f"{prefix}{marker}" for marker in self.markers]
        if not all(name in state or f"{name}.weight" in state for name in names):
            return False
        if self.width is None:
            return True
        module, channels = self.width
        return len(state[f"{prefix}{module}.weight"]) == channels


def _resnet(layers: int, model_name: str, last_of_layer_3: str) -> Architecture:
    return Architecture(
        f"torchvision's resnet{layers}",
        model_name,
        module_names.resnet,
        forward.resnet,
        ("conv1", f"layer3.{last_of_layer_3}"),
        "fc",
        epsilon=1e-5,
        slim_epsilon=1e-5,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    )


def _vgg(layers: int, model_name: str, last_convolution: int) -> Architecture:
    return Architecture(
        f"torchvision's vgg{layers}",
        model_name,
        module_names.vgg,
        forward.vgg,
        (f"features.{last_convolution}", "classifier.3"),
        "classifier.6",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    )


def _vgg_bn(layers: int, model_name: str, last_convolution: int) -> Architecture:
    return dataclasses.replace(
        _vgg(layers, model_name, last_convolution),
        name=f"torchvision's vgg{layers}_bn",
        match=module_names.vgg_bn,
        markers=("features.1", f"features.{last_convolution}", "classifier.3"),
        epsilon=1e-5,
    )


def _mobilenet_v3(
    size: str, last_block: int, strided: tuple[int, ...], first_swish: int
) -> Architecture:
    return Architecture(
        f"torchvision's mobilenet_v3_{size}",
        f"mobilenet_v3_{size}_torchvision",
        module_names.mobilenet,
        functools.partial(
            forward.mobilenet_v3, strided=strided, first_swish=first_swish
        ),
        (f"features.{last_block}.block.3.0", f"features.{last_block + 1}.0"),
        "classifier.3",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    )


def _efficientnet(size: str, last_width: int, *blocks: int) -> Architecture:
    """`last_width` is the last block's, `blocks` how many there are at each depth."""
    last, is_lite = f"_blocks.{sum(blocks) - 1}.", size.startswith("lite")
    return Architecture(
        f"efficientnet_{'lite_' * is_lite}pytorch's efficientnet-{size}",
        f"efficientnet_{size}",
        efficientnets.match,
        functools.partial(efficientnets.forward, blocks=blocks),
        (f"{last}_{'depthwise_conv' if is_lite else 'se_reduce'}", "_conv_head"),
        "_fc",
        width=(f"{last}_project_conv", last_width),
        mean=LITE_MEAN if is_lite else IMAGENET_MEAN,
        std=LITE_STD if is_lite else IMAGENET_STD,
    )


def _efficientnet_of_torchvision(
    size: str, blocks: int, last_width: int, *, epsilon: float = 1e-3
) -> Architecture:
    """`blocks` is their number in the sixth stage, `last_width` that stage's."""
    is_v2 = size.startswith("v2")
    gate = "features.4.0.block.2.fc1" if is_v2 else "features.1.0.block.1.fc1"
    return Architecture(
        f"torchvision's efficientnet_{size}",
        f"efficientnet_{size}_torchvision",
        module_names.mobilenet,
        efficientnets.forward_of_torchvision,
        (f"features.6.{blocks - 1}.block.3.0", gate),
        "classifier.1",
        width=("features.6.0.block.3.0", last_width),
        epsilon=epsilon,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    )


def _densenet(layers: int, units: int) -> Architecture:
    """`units` is their number in the third block."""
    return Architecture(
        f"torchvision's densenet{layers}",
        f"densenet_{layers}",
        densenets.match,
        densenets.forward,
        ("features.conv0", "features.transition3.conv"),
        "classifier",
        width=("features.transition3.conv", 128 + 16 * units),
        epsilon=1e-5,
        slim_epsilon=1e-5,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        renamed=densenets.plainly_named,
    )


def _convnext(size: str, blocks: int, depth: int) -> Architecture:
    """`blocks` and `depth` are those of the third resolution, and of the first."""
    return Architecture(
        f"torchvision's convnext_{size}",
        f"convnext_{size}",
        convnexts.match,
        convnexts.forward,
        (f"features.5.{blocks - 1}.block.5", "features.7.2.block.5"),
        "classifier.2",
        width=("features.0.0", depth),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    )


def _vit(
    origin: str, size: str, patches: str, last_norm: str, depth: int
) -> Architecture:
    """`patches` is the module of that name, `last_norm` the last block's."""
    return Architecture(
        origin,
        size,
        vits.match,
        vits.forward,
        (patches, last_norm),
        "head",
        width=(patches, depth),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        renamed=vits.like_timm,
        check=vits.check,
    )


def _vit_of_torchvision(letter: str, blocks: int, depth: int) -> Architecture:
    last_norm = f"encoder.layers.encoder_layer_{blocks - 1}.ln_2"
    origin = f"torchvision's vit_{letter}_16"
    return _vit(origin, f"vit_{letter}16", "conv_proj", last_norm, depth)


def _vit_of_timm(size: str, blocks: int, depth: int) -> Architecture:
    last_norm = f"blocks.{blocks - 1}.norm2"
    return dataclasses.replace(
        _vit(
            f"timm's vit_{size}_patch16_224",
            f"vit_{size[0]}16",
            "patch_embed.proj",
            last_norm,
            depth,
        ),
        mean=_HALF,
        std=_HALF,
    )


def _dinov2(letter: str, depth: int) -> Architecture:
    return dataclasses.replace(
        _vit(
            f"DINOv2's dinov2_vit{letter}14",
            f"dinov2_{letter}14",
            "patch_embed.proj",
            "blocks.11.ls2.gamma",
            depth,
        ),
        ignored=("mask_token",),
    )


# A dictionary's net is the first row all of whose markers it has.
ARCHITECTURES = (
    _resnet(152, "resnet_v1_152_torchvision", "35.conv3"),
    _resnet(101, "resnet_v1_101_torchvision", "22.conv3"),
    _resnet(50, "resnet_v1_50_torchvision", "5.conv3"),
    _resnet(34, "resnet_v1_34", "5.conv2"),
    _resnet(18, "resnet_v1_18", "1.conv2"),
    _vgg_bn(19, "vgg_19", 49),
    _vgg_bn(16, "vgg_16", 40),
    _vgg_bn(13, "vgg_13", 31),
    _vgg_bn(11, "vgg_a", 25),
    _vgg(19, "vgg_19", 34),
    _vgg(16, "vgg_16", 28),
    _vgg(13, "vgg_13", 22),
    _vgg(11, "vgg_a", 18),
    Architecture(
        "inception_v3 of torchvision or timm",
        "inception_v3",
        module_names.inception_v3,
        functools.partial(inceptions.inception_v3, counts_padding=False),
        ("Mixed_5b.branch1x1.conv",),
        "fc",
        caveat=(
            "In this net's 3x3 average pools, PyTorch counts the zeros around a map."
            " Slim does not, nor did the TensorFlow code that trained the weights"
            " torchvision and timm offer, so the nets were compared without them. For"
            " a net trained in PyTorch, give --model_name=inception_v3_torchvision,"
            " which counts them."
        ),
    ),
    Architecture(
        "inception_v3 trained in torchvision or timm",
        "inception_v3_torchvision",
        module_names.inception_v3,
        inceptions.inception_v3,
        ("Mixed_5b.branch1x1.conv",),
        "fc",
    ),
    Architecture(
        "torchvision's googlenet",
        "inception_v1_torchvision",
        module_names.googlenet,
        inceptions.googlenet,
        ("inception5b.branch4.1.conv",),
        "fc",
        ignored=("aux1.", "aux2."),
    ),
    Architecture(
        "timm's inception_v4",
        "inception_v4",
        module_names.inception_v4,
        inceptions.inception_v4,
        ("features.21.branch0.conv",),
        "last_linear",
    ),
    Architecture(
        "timm's inception_resnet_v2",
        "inception_resnet_v2",
        module_names.inception_resnet_v2,
        inceptions.inception_resnet_v2,
        ("repeat_2.8.conv2d",),
        "classif",
    ),
    Architecture(
        "torchvision's mobilenet_v2",
        "mobilenet_v2_torchvision",
        module_names.mobilenet,
        forward.mobilenet_v2,
        ("features.17.conv.2", "features.18.0"),
        "classifier.1",
        epsilon=1e-5,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    ),
    _mobilenet_v3("large", 15, strided=(2, 4, 7, 13), first_swish=7),
    _mobilenet_v3("small", 11, strided=(1, 2, 4, 9), first_swish=4),
    _efficientnet("b7", 640, 4, 7, 7, 10, 10, 13, 4),
    _efficientnet("b6", 576, 3, 6, 6, 8, 8, 11, 3),
    _efficientnet("b5", 512, 3, 5, 5, 7, 7, 9, 3),
    _efficientnet("b4", 448, 2, 4, 4, 6, 6, 8, 2),
    _efficientnet("b3", 384, 2, 3, 3, 5, 5, 6, 2),
    _efficientnet("b2", 352, 2, 3, 3, 4, 4, 5, 2),
    _efficientnet("b1", 320, 2, 3, 3, 4, 4, 5, 2),
    _efficientnet("b0", 320, 1, 2, 2, 3, 3, 4, 1),
    _efficientnet("lite4", 448, 1, 4, 4, 6, 6, 8, 1),
    _efficientnet("lite3", 384, 1, 3, 3, 5, 5, 6, 1),
    _efficientnet("lite2", 352, 1, 3, 3, 4, 4, 5, 1),
    _efficientnet("lite1", 320, 1, 3, 3, 4, 4, 5, 1),
    _efficientnet("lite0", 320, 1, 2, 2, 3, 3, 4, 1),
    _efficientnet_of_torchvision("b7", 13, 384),
    _efficientnet_of_torchvision("b6", 11, 344),
    _efficientnet_of_torchvision("b5", 9, 304),
    _efficientnet_of_torchvision("b4", 8, 272, epsilon=1e-5),
    _efficientnet_of_torchvision("b3", 6, 232, epsilon=1e-5),
    _efficientnet_of_torchvision("b2", 5, 208, epsilon=1e-5),
    _efficientnet_of_torchvision("b1", 5, 192, epsilon=1e-5),
    _efficientnet_of_torchvision("b0", 4, 192, epsilon=1e-5),
    dataclasses.replace(
        _efficientnet_of_torchvision("v2_l", 25, 384), mean=_HALF, std=_HALF
    ),
    _efficientnet_of_torchvision("v2_m", 18, 304),
    _efficientnet_of_torchvision("v2_s", 15, 256),
    _densenet(201, 48),
    _densenet(169, 32),
    _densenet(121, 24),
    _convnext("large", 27, 192),
    _convnext("base", 27, 128),
    _convnext("small", 27, 96),
    _convnext("tiny", 9, 96),
    _vit_of_torchvision("l", 24, 1024),
    _vit_of_torchvision("b", 12, 768),
    _dinov2("b", 768),
    _dinov2("s", 384),
    _vit_of_timm("large", 24, 1024),
    _vit_of_timm("base", 12, 768),
    _vit_of_timm("small", 12, 384),
)
