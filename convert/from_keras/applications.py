"""The nets of keras.applications that can be converted, one row each."""

import dataclasses
from typing import Any

from convert.from_keras import layer_names

_UNITS_OF_BLOCK_3 = {50: 6, 101: 23, 152: 36}


@dataclasses.dataclass(frozen=True)
class Application:
    """A net of keras.applications and its counterpart in slim.

    Attributes:
      function: its name in keras.applications.
      model_name: slim's net.
      match: which layers of the model hold which scopes of slim's net.
      markers: layers that distinguish it from the nets below it in the table.
      options: arguments of the function.
      width: a layer and its output channels, for nets that differ only in width.
      is_bgr: whether its `preprocess_input` swaps red and blue.
      epsilon: the epsilon of the batch norms of slim's net.
      zero_padded_pools: pattern for the names of padding layers and of the pools after
        them, if slim's pools ignore the border instead; "" if there are none.
    """

    function: str
    model_name: str
    match: layer_names.Match
    markers: tuple[str, ...]
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    width: tuple[str, int] | None = None
    is_bgr: bool = False
    epsilon: float = 1e-3
    zero_padded_pools: str = ""


def _mobilenet_v1(model_name: str, alpha: float, width: int) -> Application:
    return Application(
        "MobileNet",
        model_name,
        layer_names.mobilenet_v1,
        ("conv_dw_13", "conv_pw_13"),
        {"alpha": alpha},
        ("conv1", width),
    )


def _mobilenet_v2(model_name: str, alpha: float, width: int) -> Application:
    return Application(
        "MobileNetV2",
        model_name,
        layer_names.mobilenet_v2,
        ("block_16_project", "bn_Conv1"),
        {"alpha": alpha},
        ("Conv1", width),
    )


def _mobilenet_v3(size: str, marker: str, minimalistic: bool = False) -> Application:
    suffix = "_minimalistic" if minimalistic else ""
    return Application(
        f"MobileNetV3{size.capitalize()}",
        f"mobilenet_v3_{size}{suffix}",
        layer_names.mobilenet_v3,
        (marker, "conv_1_bn"),
        {"minimalistic": minimalistic},
    )


def _nasnet(size: str, marker: str) -> Application:
    return Application(
        f"NASNet{size.capitalize()}",
        f"nasnet_{size}",
        layer_names.nasnet,
        (marker,),
        zero_padded_pools="reduction_(pad_1|left2|left3|right5)_",
    )


def _resnet(version: int, layers: int) -> Application:
    of_v2 = version == 2
    last_unit = f"conv4_block{_UNITS_OF_BLOCK_3[layers]}_out"
    return Application(
        f"ResNet{layers}V2" if of_v2 else f"ResNet{layers}",
        f"resnet_v{version}_{layers}_keras",
        layer_names.resnet,
        (last_unit, "post_bn" if of_v2 else "conv1_bn"),
        is_bgr=not of_v2,
        epsilon=1e-5,
    )


def _efficientnet(size: str, last_block: str, width: int) -> Application:
    """`width` is that of the first block of the third stage."""
    is_v2 = size.startswith("v2_")
    return Application(
        f"EfficientNet{size.replace('_', '').upper()}",
        f"efficientnet_{size}",
        layer_names.efficientnet,
        (f"block{last_block}_project_conv", f"block4a_dwconv{'2' * is_v2}"),
        width=("block3a_project_conv", width),
    )


def _densenet(layers: int, units: int) -> Application:
    """`units` is their number in the third block."""
    return Application(
        f"DenseNet{layers}",
        f"densenet_{layers}",
        layer_names.densenet,
        (f"conv4_block{units}_2_conv", "pool4_conv"),
        epsilon=1e-5,
    )


def _convnext(size: str, blocks: int, first_filters: int) -> Application:
    """`blocks` is their number at the third resolution."""
    return Application(
        f"ConvNeXt{'XLarge' if size == 'xlarge' else size.capitalize()}",
        f"convnext_{size}",
        layer_names.convnext,
        (f"convnext_{size}_stage_2_block_{blocks - 1}_depthwise_conv",),
        width=(f"convnext_{size}_stem_conv", first_filters),
    )


# A model's net is the first row all of whose markers are layers of the model.
APPLICATIONS = {
    "vgg19": Application(
        "VGG19", "vgg_19", layer_names.vgg, ("block5_conv4",), is_bgr=True
    ),
    "vgg16": Application(
        "VGG16", "vgg_16", layer_names.vgg, ("block5_conv3",), is_bgr=True
    ),
    "inception_v3": Application(
        "InceptionV3", "inception_v3", layer_names.inception_v3, ("mixed9_0", "mixed10")
    ),
    "inception_resnet_v2": Application(
        "InceptionResNetV2",
        "inception_resnet_v2",
        layer_names.inception_resnet_v2,
        ("block35_1_conv", "conv_7b"),
    ),
    "resnet152": _resnet(1, 152),
    "resnet101": _resnet(1, 101),
    "resnet50": _resnet(1, 50),
    "resnet152v2": _resnet(2, 152),
    "resnet101v2": _resnet(2, 101),
    "resnet50v2": _resnet(2, 50),
    "mobilenet": _mobilenet_v1("mobilenet_v1", 1.0, 32),
    "mobilenet_075": _mobilenet_v1("mobilenet_v1_075", 0.75, 24),
    "mobilenet_050": _mobilenet_v1("mobilenet_v1_050", 0.5, 16),
    "mobilenet_025": _mobilenet_v1("mobilenet_v1_025", 0.25, 8),
    "mobilenet_v2": _mobilenet_v2("mobilenet_v2", 1.0, 32),
    "mobilenet_v2_140": _mobilenet_v2("mobilenet_v2_140", 1.4, 48),
    "mobilenet_v2_035": _mobilenet_v2("mobilenet_v2_035", 0.35, 16),
    "mobilenet_v3_large": _mobilenet_v3(
        "large", "expanded_conv_14_squeeze_excite_conv"
    ),
    "mobilenet_v3_large_minimalistic": _mobilenet_v3(
        "large", "expanded_conv_14_project", minimalistic=True
    ),
    "mobilenet_v3_small": _mobilenet_v3(
        "small", "expanded_conv_10_squeeze_excite_conv"
    ),
    "mobilenet_v3_small_minimalistic": _mobilenet_v3(
        "small", "expanded_conv_10_project", minimalistic=True
    ),
    "efficientnet_b7": _efficientnet("b7", "6m", 80),
    "efficientnet_b6": _efficientnet("b6", "6k", 72),
    "efficientnet_b5": _efficientnet("b5", "6i", 64),
    "efficientnet_b4": _efficientnet("b4", "6h", 56),
    "efficientnet_b3": _efficientnet("b3", "6f", 48),
    "efficientnet_b2": _efficientnet("b2", "6e", 48),
    "efficientnet_b1": _efficientnet("b1", "6e", 40),
    "efficientnet_b0": _efficientnet("b0", "6d", 40),
    "efficientnet_v2_l": _efficientnet("v2_l", "6y", 96),
    "efficientnet_v2_m": _efficientnet("v2_m", "6r", 80),
    "efficientnet_v2_s": _efficientnet("v2_s", "6o", 64),
    "efficientnet_v2_b3": _efficientnet("v2_b3", "6l", 56),
    "efficientnet_v2_b2": _efficientnet("v2_b2", "6j", 56),
    "efficientnet_v2_b1": _efficientnet("v2_b1", "6i", 48),
    "efficientnet_v2_b0": _efficientnet("v2_b0", "6h", 48),
    "densenet201": _densenet(201, 48),
    "densenet169": _densenet(169, 32),
    "densenet121": _densenet(121, 24),
    "xception": Application(
        "Xception", "xception", layer_names.xception, ("block14_sepconv2",)
    ),
    "convnext_tiny": _convnext("tiny", 9, 96),
    "convnext_small": _convnext("small", 27, 96),
    "convnext_base": _convnext("base", 27, 128),
    "convnext_large": _convnext("large", 27, 192),
    "convnext_xlarge": _convnext("xlarge", 27, 256),
    "nasnet_large": _nasnet("large", "reduction_conv_1_reduce_12"),
    "nasnet_mobile": _nasnet("mobile", "reduction_conv_1_reduce_8"),
}
