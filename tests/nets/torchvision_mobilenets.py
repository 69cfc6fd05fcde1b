"""torchvision's MobileNets in slim's words.

As torchvision_nets.py, for make_torchvision_golden.py.
"""

from collections.abc import Callable
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]
import torchvision  # type: ignore[import-not-found,unused-ignore]

Layers = list[tuple[str, str, str]]
EndPoints = dict[str, Any]


class _HardSigmoid(torch.nn.Module):
    """With the constant that slim rounds."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps numbers to [0, 1]."""
        return torch.clamp(x + 3, 0, 6) * 0.16667


def with_slims_constants(model: torch.nn.Module) -> None:
    """Gives a MobileNet slim's constants instead of torchvision's."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 0.001
        if isinstance(module, torchvision.ops.misc.SqueezeExcitation):
            module.scale_activation = _HardSigmoid()


def layers(net: str, model: torch.nn.Module) -> Layers:
    """(slim's scope, torchvision's convolution, its batch norm), in slim's order."""
    names = [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear)
    ]
    last = len(model.get_submodule("features")) - 1
    found = []
    for name in names:
        room, number, *inner = name.split(".")
        behind, index = name.rpartition(".")[::2]
        norm = "" if index.startswith("fc") else f"{behind}.{int(index or 0) + 1}"
        if room == "classifier":
            scope, norm = (
                ("Logits/Conv2d_1c_1x1" if name == names[-1] else "Conv_2"),
                "",
            )
        elif int(number) in (0, last):
            scope = "Conv_1" if int(number) else "Conv"
        else:
            block = int(number) - 1
            scope = f"expanded_conv_{block}/" if block else "expanded_conv/"
            if index.startswith("fc"):
                scope += "squeeze_excite/Conv" + ("_1" if index == "fc2" else "")
            elif model.get_submodule(name).groups > 1:
                scope += "depthwise"
            else:
                scope += "expand" if inner[1:] == ["0", "0"] else "project"
        found.append((f"{net}/{scope}", name, norm))
    return found


def hook(_net: str, model: torch.nn.Module, layers: Layers) -> EndPoints:
    """A dictionary that a run fills with slim's end points, but for the last two."""
    end_points: EndPoints = {}

    def keep(*names: str) -> Callable[..., None]:
        return lambda _module, _inputs, output: end_points.update(
            dict.fromkeys(names, output.clone())
        )

    features, classifier = model.features, model.classifier
    for number, module in enumerate(features, 1):
        is_block = 1 < number < len(features)
        names = [f"layer_{number}"] + [f"layer_{number}/output"] * is_block
        module.register_forward_hook(keep(*names))
    for scope, convolution, _norm in layers:
        number = int(convolution.split(".")[1]) + 1
        activated = model.get_submodule(convolution.rpartition(".")[0])
        if scope.endswith("/expand"):
            activated.register_forward_hook(keep(f"layer_{number}/expansion_output"))
        elif scope.endswith("/depthwise"):
            activated.register_forward_hook(keep(f"layer_{number}/depthwise_output"))

    def keep_pooled(_module: Any, inputs: Any, output: torch.Tensor) -> None:
        pooled = inputs[0][:, :, None, None].clone()
        end_points["global_pool"] = pooled
        if len(classifier) > 2:  # v3 pools before its last convolution
            end_points[f"layer_{len(features) + 1}"] = pooled
            swished = torch.nn.functional.hardswish(output)[:, :, None, None]
            end_points["global_pool"] = swished
            end_points[f"layer_{len(features) + 2}"] = swished

    classifier[0].register_forward_hook(keep_pooled)
    return end_points
