"""Rows for the nets of a family, which differ in a few numbers."""

import dataclasses
import functools

from convert.from_torch import (
    convnexts,
    densenets,
    efficientnets,
    forward,
    module_names,
    vits,
)
from convert.from_torch.architecture import (
    HALF,
    IMAGENET_MEAN,
    IMAGENET_STD,
    LITE_MEAN,
    LITE_STD,
    Architecture,
)


def resnet(layers: int, model_name: str, last_of_layer_3: str) -> Architecture:
    """`last_of_layer_3` is the last module of that layer's that has weights."""
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


def vgg(layers: int, model_name: str, last_convolution: int) -> Architecture:
    """`last_convolution` is its number among the features."""
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


def vgg_bn(layers: int, model_name: str, last_convolution: int) -> Architecture:
    """As `vgg`, with batch norms."""
    return dataclasses.replace(
        vgg(layers, model_name, last_convolution),
        name=f"torchvision's vgg{layers}_bn",
        match=module_names.vgg_bn,
        markers=("features.1", f"features.{last_convolution}", "classifier.3"),
        epsilon=1e-5,
    )


def mobilenet_v3(
    size: str, last_block: int, strided: tuple[int, ...], first_swish: int
) -> Architecture:
    """The numbers are of its blocks: the last, strided ones, the first with swish."""
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


def efficientnet(size: str, last_width: int, *blocks: int) -> Architecture:
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


def efficientnet_of_torchvision(
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


def densenet(layers: int, units: int) -> Architecture:
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


def convnext(size: str, blocks: int, depth: int) -> Architecture:
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


def vit(
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


def vit_of_torchvision(letter: str, blocks: int, depth: int) -> Architecture:
    """`blocks` is how many there are, `depth` the channels of a token."""
    last_norm = f"encoder.layers.encoder_layer_{blocks - 1}.ln_2"
    origin = f"torchvision's vit_{letter}_16"
    return vit(origin, f"vit_{letter}16", "conv_proj", last_norm, depth)


def vit_of_timm(size: str, blocks: int, depth: int) -> Architecture:
    """As `vit_of_torchvision`, of timm's names and pixels."""
    last_norm = f"blocks.{blocks - 1}.norm2"
    return dataclasses.replace(
        vit(
            f"timm's vit_{size}_patch16_224",
            f"vit_{size[0]}16",
            "patch_embed.proj",
            last_norm,
            depth,
        ),
        mean=HALF,
        std=HALF,
    )


def dinov2(letter: str, depth: int) -> Architecture:
    """Of 12 blocks; `depth` is the channels of a token."""
    return dataclasses.replace(
        vit(
            f"DINOv2's dinov2_vit{letter}14",
            f"dinov2_{letter}14",
            "patch_embed.proj",
            "blocks.11.ls2.gamma",
            depth,
        ),
        ignored=("mask_token",),
    )
