"""timm's EfficientNets with TensorFlow's padding, in slim's words.

As torchvision_nets.py, for make_torchvision_golden.py.
"""

from typing import Any

import timm  # type: ignore[import-not-found,unused-ignore]
import torch  # type: ignore[import-not-found,unused-ignore]

_CONVOLUTIONS = {  # by timm's kind of block
    "InvertedResidual": {
        "conv_pw": "expand",
        "conv_dw": "depthwise",
        "conv_pwl": "project",
    },
    "DepthwiseSeparableConv": {"conv_dw": "depthwise", "conv_pw": "project"},
    "EdgeResidual": {"conv_exp": "expand", "conv_pwl": "project"},
    "ConvBnAct": {"conv": "project"},
}
# Where timm gives another size than the TensorFlow code that trained the net.
_TRAINED_ON = {
    "efficientnet_lite3": 280,
    "efficientnet_lite4": 300,
    "efficientnet_v2_b0": 224,
    "efficientnet_v2_b1": 240,
    "efficientnet_v2_b2": 260,
    "efficientnet_v2_b3": 300,
    "efficientnet_v2_s": 384,
    "efficientnet_v2_m": 480,
    "efficientnet_v2_l": 480,
}
_GATES = {"conv_reduce": "squeeze_excite/Conv", "conv_expand": "squeeze_excite/Conv_1"}


EFFICIENTNETS = {
    f"efficientnet_{size}": f"tf_efficientnet_{size}"
    for size in (*(f"b{i}" for i in range(8)), *(f"lite{i}" for i in range(5)))
} | {
    f"efficientnet_v2_{size}": f"tf_efficientnetv2_{size}"
    for size in ("b0", "b1", "b2", "b3", "s", "m", "l")
}


def efficientnet(net: str, weights: None, num_classes: int) -> torch.nn.Module:
    """The net of slim's name, a key of `EFFICIENTNETS`, with random weights."""
    del weights
    return timm.create_model(EFFICIENTNETS[net], num_classes=num_classes)


def image_size(net: str) -> int:
    """Side of the square images that a net was trained on, in pixels."""
    if net in _TRAINED_ON:
        return _TRAINED_ON[net]
    return timm.get_pretrained_cfg(EFFICIENTNETS[net]).input_size[1]


def _blocks(model: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """The blocks by the scope that slim gives each."""
    blocks = [block for stage in model.get_submodule("blocks") for block in stage]
    return {
        f"expanded_conv{f'_{i}' if i else ''}": block for i, block in enumerate(blocks)
    }


def layers(net: str, model: torch.nn.Module) -> list[tuple[str, str, str]]:
    """(slim's scope, timm's convolution, its batch norm), in slim's order."""
    names = {id(module): name for name, module in model.named_modules()}
    found = [(f"{net}/Conv", "conv_stem", "bn1")]
    for scope, block in _blocks(model).items():
        prefix, number = names[id(block)], 1
        convolutions = _CONVOLUTIONS[type(block).__name__]
        for name, module in block.named_modules():
            if not isinstance(module, torch.nn.Conv2d):
                continue
            if ours := convolutions.get(name):
                norm, number = f"{prefix}.bn{number}", number + 1
            else:
                ours, norm = _GATES[name.removeprefix("se.")], ""
            found.append((f"{net}/{scope}/{ours}", f"{prefix}.{name}", norm))
    found.append((f"{net}/Conv_1", "conv_head", "bn2"))
    return [*found, (f"{net}/Logits/Conv2d_1c_1x1", "classifier", "")]


def hook(_net: str, model: torch.nn.Module, _layers: Any) -> dict[str, torch.Tensor]:
    """A dictionary that a run fills with slim's end points, but for the last two."""
    end_points: dict[str, torch.Tensor] = {}

    def keep(module: torch.nn.Module, *names: str) -> None:
        module.register_forward_hook(
            lambda _module, _inputs, output: end_points.update(
                dict.fromkeys(names, output.clone())
            )
        )

    blocks = _blocks(model).values()
    keep(model.get_submodule("bn1"), "layer_1")
    for number, block in enumerate(blocks, 2):
        name = f"layer_{number}"
        keep(block, name, f"{name}/output")
        inner = list(_CONVOLUTIONS[type(block).__name__].values())
        for place, ours in enumerate(inner[:-1], 1):
            kind = "expansion" if ours == "expand" else ours
            keep(block.get_submodule(f"bn{place}"), f"{name}/{kind}_output")
    keep(model.get_submodule("bn2"), f"layer_{len(blocks) + 2}")
    model.get_submodule("global_pool").register_forward_hook(
        lambda _module, _inputs, output: end_points.update(
            global_pool=output[:, :, None, None].clone()
        )
    )
    return end_points
