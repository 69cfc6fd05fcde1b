"""torchvision's EfficientNets in slim's words.

As torchvision_nets.py, for make_torchvision_golden.py.
"""

from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]
import torchvision  # type: ignore[import-not-found,unused-ignore]

IMAGE_SIZES = {
    "b0": 224,
    "b1": 240,
    "b2": 260,
    "b3": 300,
    "b4": 380,
    "b5": 456,
    "b6": 528,
    "b7": 600,
    "v2_s": 384,
    "v2_m": 480,
    "v2_l": 480,
}


def build(size: str, weights: None, num_classes: int) -> torch.nn.Module:
    """The net of a size, with random weights and slim's epsilon."""
    model = torchvision.models.get_model(
        f"efficientnet_{size}", weights=weights, num_classes=num_classes
    )
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 0.001
    return model


def _blocks(model: torch.nn.Module) -> list[str]:
    """Names of the blocks, in order."""
    stages = list(model.get_submodule("features").named_children())[1:-1]
    return [f"features.{s}.{b}" for s, stage in stages for b in range(len(stage))]


def layers(net: str, model: torch.nn.Module) -> list[tuple[str, str, str]]:
    """(slim's scope, torchvision's convolution, its batch norm), in slim's order."""
    last = len(model.get_submodule("features")) - 1
    found = [(f"{net}/Conv", "features.0.0", "features.0.1")]
    for number, block in enumerate(_blocks(model)):
        scope = f"{net}/expanded_conv{f'_{number}' if number else ''}"
        names = [
            f"{block}.{name}"
            for name, module in model.get_submodule(block).named_modules()
            if isinstance(module, torch.nn.Conv2d)
        ]
        for name in names:
            norm = f"{name[:-1]}1"
            if name.endswith(("fc1", "fc2")):
                ours = "squeeze_excite/Conv" + "_1" * name.endswith("fc2")
                norm = ""
            elif model.get_submodule(name).groups > 1:
                ours = "depthwise"
            else:
                ours = "project" if name == names[-1] else "expand"
            found.append((f"{scope}/{ours}", name, norm))
    found.append((f"{net}/Conv_1", f"features.{last}.0", f"features.{last}.1"))
    return [*found, (f"{net}/Logits/Conv2d_1c_1x1", "classifier.1", "")]


def hook(net: str, model: torch.nn.Module, found: Any) -> dict[str, torch.Tensor]:
    """A dictionary that a run fills with slim's end points, but for the last two."""
    end_points: dict[str, torch.Tensor] = {}

    def keep(module: str, *names: str) -> None:
        model.get_submodule(module).register_forward_hook(
            lambda _module, _inputs, output: end_points.update(
                dict.fromkeys(names, output.clone())
            )
        )

    keep("features.0", "layer_1")
    blocks = _blocks(model)
    for number, block in enumerate(blocks, 2):
        keep(block, f"layer_{number}", f"layer_{number}/output")
    kinds = {"expand": "expansion_output", "depthwise": "depthwise_output"}
    for scope, convolution, _norm in found:
        kind = kinds.get(scope.rpartition("/")[2])
        if kind:
            block = ".".join(convolution.split(".")[:3])
            name = f"layer_{blocks.index(block) + 2}/{kind}"
            keep(convolution.rpartition(".")[0], name)
    last = len(model.get_submodule("features")) - 1
    keep(f"features.{last}", f"layer_{len(blocks) + 2}")
    keep("avgpool", "global_pool")
    return end_points
