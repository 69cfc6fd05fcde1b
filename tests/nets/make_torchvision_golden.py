"""Writes `golden/<net>.json` for nets laid out as torchvision's, from torchvision.

  python tests/nets/make_torchvision_golden.py [NET ...]

Needs PyTorch, torchvision and timm (measured with 2.14, 0.29 and 1.0), which the tests
do not. Their own nets, EfficientNets and transformers those of timm, run with the
weights that recipe.py gives for slim's names; the rows of the nets in
`slim_variables.tsv` follow from the same table of names. Nothing of `nets` is imported.
make_golden.py says what a golden holds; these may have logits for another size, too.
"""

import functools
import hashlib
import json
import pathlib
import sys
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found]
import torchvision  # type: ignore[import-not-found]

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))
from tests.nets import (
    recipe,
    timm_nets,
    torchvision_densenets,
    torchvision_efficientnets,
    torchvision_mobilenets,
    torchvision_nets,
    transformer_nets,
)

WEIGHT_DECAY = 0.00004
NETS = {
    "resnet_v1_18": torchvision.models.resnet18,
    "resnet_v1_34": torchvision.models.resnet34,
    "vgg_13": torchvision.models.vgg13,
    "inception_v1_torchvision": functools.partial(
        torchvision.models.googlenet, aux_logits=False, init_weights=False
    ),
    "inception_v3_torchvision": functools.partial(
        torchvision.models.inception_v3, init_weights=False
    ),
    "mobilenet_v2_torchvision": torchvision.models.mobilenet_v2,
    "mobilenet_v3_large_torchvision": torchvision.models.mobilenet_v3_large,
    "mobilenet_v3_small_torchvision": torchvision.models.mobilenet_v3_small,
    **{
        net: functools.partial(timm_nets.efficientnet, net)
        for net in timm_nets.EFFICIENTNETS
    },
    **{
        f"efficientnet_{size}_torchvision": functools.partial(
            torchvision_efficientnets.build, size
        )
        for size in torchvision_efficientnets.IMAGE_SIZES
    },
    **{
        net: functools.partial(torchvision.models.get_model, net.replace("_", ""))
        for net in torchvision_densenets.NETS
    },
    **{
        net: functools.partial(transformer_nets.vit, net)
        for net in transformer_nets.VITS
    },
    **{
        net: functools.partial(transformer_nets.convnext, net)
        for net in transformer_nets.CONVNEXTS
    },
}
BATCH_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def main() -> None:
    """Writes one golden for each net that the command line names, and their rows."""
    rows = []
    nets = sys.argv[1:] or list(NETS)
    for net in nets:
        builder = NETS[net]
        model = builder(weights=None, num_classes=1000).eval()
        family = torchvision_nets.family_of(net)
        if net.startswith("mobilenet"):
            torchvision_mobilenets.with_slims_constants(model)
        golden = _measure(net, model, family)
        text = json.dumps(golden, separators=(",", ":"))
        (torchvision_nets.FOLDER / "golden" / f"{net}.json").write_text(text + "\n")
        model = builder(weights=None, num_classes=1001)
        rows += [f"{net}\t{row}" for row in _rows(_variables(net, model, family))]
    path = torchvision_nets.VARIABLES_TSV
    lines = path.read_text().splitlines()
    kept = [line for line in lines if line.partition("\t")[0] not in nets]
    path.write_text("\n".join(kept + rows) + "\n")


def _variables(
    net: str, model: torch.nn.Module, family: torchvision_nets.Family
) -> dict[str, tuple[torch.Tensor, tuple[int, ...]]]:
    """torchvision's parameter and slim's shape by slim's name."""
    state = model.state_dict(keep_vars=True)
    variables: dict[str, tuple[torch.Tensor, tuple[int, ...]]] = {}
    for scope, weights, batch_norm in family.layers(net, model):
        if plain := _plain(scope, weights, state):
            variables |= plain
            continue
        if weights:
            variables |= _kernel(scope, weights, state, is_dense=family.is_dense)
        if weights and not batch_norm and f"{weights}.bias" in state:
            bias = state[f"{weights}.bias"]
            variables[f"{scope}/biases"] = (bias, tuple(bias.shape))
        if not batch_norm:
            continue
        inner = f"{scope}/BatchNorm" if weights else scope
        for ours, theirs in BATCH_NORM.items():
            if ours == "gamma" and not family.has_gamma:
                continue
            values = state[f"{batch_norm}.{theirs}"]
            variables[f"{inner}/{ours}"] = (values, tuple(values.shape))
    return variables


def _kernel(
    scope: str, module: str, state: dict[str, torch.Tensor], *, is_dense: bool
) -> dict[str, tuple[torch.Tensor, tuple[int, ...]]]:
    weight = state[f"{module}.weight"]
    out, depth, *kernel = weight.shape
    if scope.endswith("/fc6"):  # a map of 7x7, channels first
        depth, kernel = depth // 49, [7, 7]
    if scope.endswith("/depthwise"):
        return {f"{scope}/depthwise_weights": (weight, (*kernel, out, depth))}
    shape = (*(kernel or (() if is_dense else (1, 1))), depth, out)
    return {f"{scope}/weights": (weight, shape)}


def _plain(
    scope: str, module: str, state: dict[str, torch.Tensor]
) -> dict[str, tuple[torch.Tensor, tuple[int, ...]]]:
    """The variables of what is no convolution or dense layer; none if it is one."""
    if module in state:  # a parameter that is no module
        values = state[module]
        kind = "gamma" if scope.endswith("/LayerScale") else "values"
        shape = tuple(values.shape) if kind == "values" else (values.numel(),)
        return {f"{scope}/{kind}": (values, shape)}
    if not module or state[f"{module}.weight"].dim() > 1:
        return {}
    of_norm = {"gamma": state[f"{module}.weight"], "beta": state[f"{module}.bias"]}
    return {f"{scope}/{k}": (v, tuple(v.shape)) for k, v in of_norm.items()}


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
    family: torchvision_nets.Family,
) -> dict[str, Any]:
    layers = family.layers(net, model)
    variables = _variables(net, model, family)
    sha256 = hashlib.sha256()
    penalty = 0.0
    with torch.no_grad():
        for name, (parameter, shape) in variables.items():
            values = recipe.weights(name, shape)
            sha256.update(values.tobytes())
            if name.endswith("/weights"):
                squares = float(np.sum(values.astype(np.float64) ** 2))
                penalty += WEIGHT_DECAY * squares / 2
                values = values.transpose(3, 2, 0, 1) if values.ndim == 4 else values.T
            elif name.endswith("/depthwise_weights"):
                values = values.transpose(2, 3, 0, 1)
            parameter.copy_(torch.tensor(values).reshape(parameter.shape))
        images = recipe.images(family.measured_size or family.image_size)
        end_points = family.hook(net, model, layers)
        logits = model(torch.tensor(images.transpose(0, 3, 1, 2)))
        end_points |= family.last_end_points(net, logits)
        end_points = {name: value.clone() for name, value in end_points.items()}
        other = {}
        if family.other_size:
            images_there = recipe.images(family.other_size)
            there = model(torch.tensor(images_there.transpose(0, 3, 1, 2)))
            other = {"image_size": family.other_size, "logits": _figures(there)}
    return {
        **({"other_size": other} if other else {}),
        **({"measured_size": family.measured_size} if family.measured_size else {}),
        "num_classes": 1000,
        "image_size": family.image_size,
        "input_sha256": hashlib.sha256(images.tobytes()).hexdigest(),
        "weights_sha256": sha256.hexdigest(),
        "logits": _figures(logits),
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


def _figures(logits: torch.Tensor) -> dict[str, Any]:
    top = np.sort(logits.numpy())[:, -2:]
    return {
        "first16": [[float(x) for x in row[:16]] for row in logits],
        "max_abs": float(logits.abs().max()),
        "argmax": logits.argmax(1).tolist(),
        "top2_gap": [float(second - first) for first, second in top],
    }


def _nhwc(value: torch.Tensor) -> list[int]:
    shape = list(value.shape)
    return [shape[0], *shape[2:], shape[1]] if len(shape) == 4 else shape


if __name__ == "__main__":
    main()
