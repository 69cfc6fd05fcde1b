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
    "resnet_v1_18": (torchvision.models.resnet18, (2, 2, 2, 2)),
    "resnet_v1_34": (torchvision.models.resnet34, (3, 4, 6, 3)),
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
    for net, (builder, num_units) in NETS.items():
        layers = _layers(net, num_units)
        golden = _measure(net, builder(weights=None, num_classes=1000).eval(), layers)
        text = json.dumps(golden, separators=(",", ":"))
        (FOLDER / "golden" / f"{net}.json").write_text(text + "\n")
        model = builder(weights=None, num_classes=1001)
        rows += [f"{net}\t{row}" for row in _rows(_variables(model, layers))]
    path = FOLDER / "slim_variables.tsv"
    lines = path.read_text().splitlines()
    kept = [line for line in lines if line.partition("\t")[0] not in NETS]
    path.write_text("\n".join(kept + rows) + "\n")


def _layers(net: str, num_units: tuple[int, ...]) -> list[tuple[str, str, str]]:
    """(slim's scope, torchvision's convolution, its batch norm), in slim's order."""
    layers = [(f"{net}/conv1", "conv1", "bn1")]
    for block, units in enumerate(num_units, 1):
        for unit in range(units):
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


def _variables(
    model: torch.nn.Module, layers: list[tuple[str, str, str]]
) -> dict[str, tuple[torch.Tensor, tuple[int, ...]]]:
    """torchvision's parameter and slim's shape by slim's name."""
    state = model.state_dict(keep_vars=True)
    variables = {}
    for scope, weights, batch_norm in layers:
        weight = state[f"{weights}.weight"]
        out, depth, *kernel = weight.shape
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
    net: str, model: torch.nn.Module, layers: list[tuple[str, str, str]]
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
            parameter.copy_(torch.tensor(values).reshape(parameter.shape))
        images = recipe.images(IMAGE_SIZE)
        end_points = _hook(net, model, layers)
        logits = model(torch.tensor(images.transpose(0, 3, 1, 2)))
    end_points[f"{net}/logits"] = logits[:, :, None, None]
    end_points[f"{net}/spatial_squeeze"] = logits
    end_points["predictions"] = torch.softmax(logits, 1)
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
            "num_regularization_losses": len(layers),
            "regularization_sum": penalty,
            "num_update_ops": 2 * (len(layers) - 1),
        },
    }


def _hook(
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
