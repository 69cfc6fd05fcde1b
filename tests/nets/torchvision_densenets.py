"""torchvision's DenseNets in slim's words.

As torchvision_nets.py, for make_torchvision_golden.py.
"""

from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]

NETS = ("densenet_121", "densenet_169", "densenet_201")


def layers(net: str, model: torch.nn.Module) -> list[tuple[str, str, str]]:
    """(slim's scope, torchvision's convolution, its batch norm), in slim's order."""
    found = [(f"{net}/conv1", "features.conv0", "features.norm0")]
    for block in range(1, 5):
        room = f"features.denseblock{block}"
        for unit in range(1, len(model.get_submodule(room)) + 1):
            ours, theirs = f"{net}/block{block}/unit_{unit}", f"{room}.denselayer{unit}"
            found += [
                (f"{ours}/preact", "", f"{theirs}.norm1"),
                (f"{ours}/conv1", f"{theirs}.conv1", f"{theirs}.norm2"),
                (f"{ours}/conv2", f"{theirs}.conv2", ""),
            ]
        if block < 4:
            theirs = f"features.transition{block}"
            ours = f"{net}/transition{block}"
            found += [
                (f"{ours}/preact", "", f"{theirs}.norm"),
                (f"{ours}/conv", f"{theirs}.conv", ""),
            ]
    found.append((f"{net}/postnorm", "", "features.norm5"))
    return [*found, (f"{net}/Logits", "classifier", "")]


def hook(_net: str, model: torch.nn.Module, _layers: Any) -> dict[str, torch.Tensor]:
    """A dictionary that a run fills with slim's end points, but for the last two."""
    end_points: dict[str, torch.Tensor] = {}

    def keep(module: str, name: str) -> None:
        model.get_submodule(module).register_forward_hook(
            lambda _module, _inputs, output: end_points.update({name: output.clone()})
        )

    keep("features.relu0", "conv1")
    keep("features.pool0", "pool1")
    for block in range(1, 5):
        room = model.get_submodule(f"features.denseblock{block}")
        for unit in range(1, len(room) + 1):
            _keep_unit(room, block, unit, end_points)
        if block < 4:
            keep(f"features.transition{block}", f"transition{block}")

    def keep_last(_module: Any, _inputs: Any, output: torch.Tensor) -> None:
        end_points["postnorm"] = torch.relu(output)
        end_points["global_pool"] = torch.relu(output).mean((2, 3))

    model.get_submodule("features.norm5").register_forward_hook(keep_last)
    return end_points


def _keep_unit(
    room: torch.nn.Module, block: int, unit: int, end_points: dict[str, torch.Tensor]
) -> None:
    """torchvision keeps a list of outputs; slim's unit gives them all together."""

    def keep(_module: Any, inputs: Any, output: torch.Tensor) -> None:
        together = torch.cat([*inputs[0], output], 1)
        end_points[f"block{block}/unit_{unit}"] = together

    room.get_submodule(f"denselayer{unit}").register_forward_hook(keep)
