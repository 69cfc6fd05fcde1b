"""Writes `golden/<net>.json` for nets laid out as torchvision's, from torchvision.

  python tests/nets/make_torchvision_golden.py

Needs PyTorch and torchvision (measured with 2.14 and 0.29), which the tests do not.
torchvision's own nets run with the weights that recipe.py gives for slim's names; the
rows of the nets in `slim_variables.tsv` follow from the same table of names. Nothing of
`nets` is imported. make_golden.py says what a golden holds; where slim has an end point
of a name of its own, it is a hook on torchvision's module.
"""

import hashlib
import json
import pathlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found]
import torchvision  # type: ignore[import-not-found]

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))
from tests.nets import recipe

FOLDER = pathlib.Path(__file__).parent
WEIGHT_DECAY = 0.00004
IMAGE_SIZE = 224
NETS = {
    "resnet_v1_18": torchvision.models.resnet18,
    "resnet_v1_34": torchvision.models.resnet34,
    "mobilenet_v2_torchvision": torchvision.models.mobilenet_v2,
    "mobilenet_v3_large_torchvision": torchvision.models.mobilenet_v3_large,
    "mobilenet_v3_small_torchvision": torchvision.models.mobilenet_v3_small,
}
BATCH_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def main() -> None:
    """Writes one golden for each net, and their rows."""
    rows = []
    for net, builder in NETS.items():
        model = builder(weights=None, num_classes=1000).eval()
        hook: Callable[..., dict[str, torch.Tensor]]
        if net.startswith("mobilenet"):
            _as_slim_has_them(model)
            layers, hook = _mobilenet_layers(net, model), _hook_mobilenet
        else:
            layers, hook = _resnet_layers(net, model), _hook_resnet
        golden = _measure(net, model, layers, hook)
        text = json.dumps(golden, separators=(",", ":"))
        (FOLDER / "golden" / f"{net}.json").write_text(text + "\n")
        model = builder(weights=None, num_classes=1001)
        rows += [f"{net}\t{row}" for row in _rows(_variables(model, layers))]
    path = FOLDER / "slim_variables.tsv"
    lines = path.read_text().splitlines()
    kept = [line for line in lines if line.partition("\t")[0] not in NETS]
    path.write_text("\n".join(kept + rows) + "\n")


def _resnet_layers(net: str, model: torch.nn.Module) -> list[tuple[str, str, str]]:
    """(slim's scope, torchvision's convolution, its batch norm), in slim's order."""
    layers = [(f"{net}/conv1", "conv1", "bn1")]
    for block in range(1, 5):
        for unit in range(len(model.get_submodule(f"layer{block}"))):
            ours = f"{net}/block{block}/unit_{unit + 1}/basic_v1"
            theirs = f"layer{block}.{unit}"
            if block > 1 and unit == 0:
                down = f"{theirs}.downsample"
                layers.append((f"{ours}/shortcut", f"{down}.0", f"{down}.1"))
            layers += [
                (f"{ours}/conv{i}", f"{theirs}.conv{i}", f"{theirs}.bn{i}")
                for i in (1, 2)
            ]
    return [*layers, (f"{net}/logits", "fc", "")]


class _HardSigmoid(torch.nn.Module):
    """With the constant that slim rounds."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps numbers to [0, 1]."""
        return torch.clamp(x + 3, 0, 6) * 0.16667


def _as_slim_has_them(model: torch.nn.Module) -> None:
    """The constants that slim's MobileNets have in place of torchvision's."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 0.001
        if isinstance(module, torchvision.ops.misc.SqueezeExcitation):
            module.scale_activation = _HardSigmoid()


def _mobilenet_layers(net: str, model: torch.nn.Module) -> list[tuple[str, str, str]]:
    """(slim's scope, torchvision's convolution, its batch norm), in slim's order."""
    names = [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear)
    ]
    last = len(model.get_submodule("features")) - 1
    layers = []
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
        layers.append((f"{net}/{scope}", name, norm))
    return layers


def _variables(
    model: torch.nn.Module, layers: list[tuple[str, str, str]]
) -> dict[str, tuple[torch.Tensor, tuple[int, ...]]]:
    """torchvision's parameter and slim's shape by slim's name."""
    state = model.state_dict(keep_vars=True)
    variables = {}
    for scope, weights, batch_norm in layers:
        weight = state[f"{weights}.weight"]
        out, depth, *kernel = weight.shape
        if scope.endswith("/depthwise"):
            variables[f"{scope}/depthwise_weights"] = (weight, (*kernel, out, depth))
        else:
            shape = (*(kernel or (1, 1)), depth, out)
            variables[f"{scope}/weights"] = (weight, shape)
        if not batch_norm:
            variables[f"{scope}/biases"] = (state[f"{weights}.bias"], (out,))
            continue
        for ours, theirs in BATCH_NORM.items():
            name = f"{scope}/BatchNorm/{ours}"
            variables[name] = (state[f"{batch_norm}.{theirs}"], (out,))
    return variables


def _rows(variables: dict[str, tuple[torch.Tensor, tuple[int, ...]]]) -> list[str]:
    return [
        "\t".join(
            [
                name,
                "x".join(map(str, shape)),
                "N" if "/moving_" in name else "T",
                "R" if name.endswith("/weights") else "-",
            ]
        )
        for name, (_, shape) in variables.items()
    ]


def _measure(
    net: str,
    model: torch.nn.Module,
    layers: list[tuple[str, str, str]],
    hook: Callable[..., dict[str, torch.Tensor]],
) -> dict[str, Any]:
    variables = _variables(model, layers)
    sha256 = hashlib.sha256()
    penalty = 0.0
    with torch.no_grad():
        for name, (parameter, shape) in variables.items():
            values = recipe.weights(name, shape)
            sha256.update(values.tobytes())
            if name.endswith("/weights"):
                squares = float(np.sum(values.astype(np.float64) ** 2))
                penalty += WEIGHT_DECAY * squares / 2
                values = values.transpose(3, 2, 0, 1)
            elif name.endswith("/depthwise_weights"):
                values = values.transpose(2, 3, 0, 1)
            parameter.copy_(torch.tensor(values).reshape(parameter.shape))
        images = recipe.images(IMAGE_SIZE)
        end_points = hook(net, model, layers)
        logits = model(torch.tensor(images.transpose(0, 3, 1, 2)))
    if hook is _hook_resnet:
        end_points[f"{net}/logits"] = logits[:, :, None, None]
        end_points[f"{net}/spatial_squeeze"] = logits
        end_points["predictions"] = torch.softmax(logits, 1)
    else:
        end_points |= {"Logits": logits, "Predictions": torch.softmax(logits, 1)}
    top = np.sort(logits.numpy())[:, -2:]
    return {
        "num_classes": 1000,
        "image_size": IMAGE_SIZE,
        "input_sha256": hashlib.sha256(images.tobytes()).hexdigest(),
        "weights_sha256": sha256.hexdigest(),
        "logits": {
            "first16": [[float(x) for x in row[:16]] for row in logits],
            "max_abs": float(logits.abs().max()),
            "argmax": logits.argmax(1).tolist(),
            "top2_gap": [float(second - first) for first, second in top],
        },
        "end_points": [
            [key, _nhwc(value), float(f"{float(value.double().norm()):.9g}")]
            for key, value in end_points.items()
        ],
        "training": {
            "num_regularization_losses": sum(
                name.endswith("/weights") for name in variables
            ),
            "regularization_sum": penalty,
            "num_update_ops": 2 * sum(bool(norm) for *_, norm in layers),
        },
    }


def _hook_mobilenet(
    _: str, model: torch.nn.Module, layers: list[tuple[str, str, str]]
) -> dict[str, torch.Tensor]:
    """A dictionary that a run fills with slim's end points, but for the last two."""
    end_points: dict[str, torch.Tensor] = {}

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


def _hook_resnet(
    net: str, model: torch.nn.Module, layers: list[tuple[str, str, str]]
) -> dict[str, torch.Tensor]:
    """A dictionary that a run fills with slim's end points, in slim's order."""
    end_points: dict[str, torch.Tensor] = {}
    modules = dict(model.named_modules())

    def keep(name: str, module: str, activation: Any = torch.clone) -> None:
        end_points[name] = torch.empty(0)
        modules[module].register_forward_hook(
            lambda _module, _inputs, output: end_points.update(
                {name: activation(output)}
            )
        )

    for scope, _, batch_norm in layers[:-1]:
        rectified = scope.endswith("/conv1")
        keep(scope, batch_norm, torch.relu if rectified else torch.clone)
        unit, _, layer = scope.rpartition("/")
        if layer == "conv2":
            torch_unit = batch_norm.removesuffix(".bn2")
            keep(unit, torch_unit)
            block, number = torch_unit.removeprefix("layer").split(".")
            if f"layer{block}.{int(number) + 1}" not in modules:
                keep(f"{net}/block{block}", f"layer{block}")
    keep("global_pool", "avgpool")
    return end_points


def _nhwc(value: torch.Tensor) -> list[int]:
    shape = list(value.shape)
    return [shape[0], *shape[2:], shape[1]] if len(shape) == 4 else shape


if __name__ == "__main__":
    main()
