"""torchvision's nets in slim's words: layers, and the end points of a run.

For make_torchvision_golden.py, which needs PyTorch; nothing of `nets` is imported.
Where slim has an end point of a name of its own, it is a hook on torchvision's module.
"""

import json
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import torch  # type: ignore[import-not-found,unused-ignore]

from tests.nets import (
    timm_nets,
    torchvision_densenets,
    torchvision_efficientnets,
    torchvision_mobilenets,
    transformer_nets,
)

FOLDER = pathlib.Path(__file__).parent
_LARGE = 383  # pixels: beyond, EfficientNets are measured at fewer
VARIABLES_TSV = FOLDER / "slim_variables.tsv"

# (slim's scope, torchvision's convolution, its batch norm), in slim's order.
Layers = list[tuple[str, str, str]]
EndPoints = dict[str, Any]


class Family(NamedTuple):
    """How nets of one family are named.

    Attributes:
      layers: from slim's name of the net, and torchvision's model, to the layers.
      hook: from these and the layers to a dictionary that a run fills with slim's end
        points, but for the last ones, in slim's order.
      last_end_points: from slim's name and the logits to those.
      has_gamma: whether slim's batch norms have a scale.
      image_size: slim's default.
      measured_size: size to measure at instead of a large one; None for the default.
      other_size: another image size to measure logits at; None for none.
      is_dense: whether slim's linear layers are no convolutions.
    """

    layers: Callable[[str, torch.nn.Module], Layers]
    hook: Callable[[str, torch.nn.Module, Layers], EndPoints]
    last_end_points: Callable[[str, torch.Tensor], EndPoints]
    has_gamma: bool = True
    image_size: int = 224
    measured_size: int | None = None
    other_size: int | None = None
    is_dense: bool = False


def family_of(net: str) -> Family:
    """The family of a net of the factory."""
    if net in FAMILIES:
        return FAMILIES[net]
    return next(FAMILIES[start] for start in FAMILIES if net.startswith(start))


def _resnet_layers(net: str, model: torch.nn.Module) -> Layers:
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


def _hook_resnet(net: str, model: torch.nn.Module, layers: Layers) -> EndPoints:
    """A dictionary that a run fills with slim's end points, in slim's order."""
    end_points: EndPoints = {}
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


def _vgg_layers(net: str, model: torch.nn.Module) -> Layers:
    layers: Layers = []
    stage, number = 1, 0
    for index, module in enumerate(model.get_submodule("features")):
        if isinstance(module, torch.nn.MaxPool2d):
            stage, number = stage + 1, 0
        elif isinstance(module, torch.nn.Conv2d):
            number += 1
            scope = f"{net}/conv{stage}/conv{stage}_{number}"
            layers.append((scope, f"features.{index}", ""))
    dense = [(f"{net}/fc{6 + i}", f"classifier.{3 * i}", "") for i in range(3)]
    return layers + dense


def _hook_vgg(net: str, model: torch.nn.Module, layers: Layers) -> EndPoints:
    end_points: EndPoints = {}
    scopes = iter(scope for scope, *_ in layers)
    pools = iter(range(1, 6))
    activated = [*model.get_submodule("features"), *model.get_submodule("classifier")]
    for module in activated:
        if isinstance(module, torch.nn.ReLU):
            scope = next(scopes)
            _keep(end_points, module, scope, as_map="/fc" in scope)
        elif isinstance(module, torch.nn.MaxPool2d):
            _keep(end_points, module, f"{net}/pool{next(pools)}")
    return end_points


def _inception_layers(net: str, model: torch.nn.Module) -> Layers:
    """torchvision's layers are in slim's order, but for the auxiliary head."""
    rows = VARIABLES_TSV.read_text().splitlines()
    names = (row.split("\t")[1] for row in rows if row.startswith(f"{_of_slim(net)}\t"))
    scopes = dict.fromkeys(
        name.rpartition("/")[0].removesuffix("/BatchNorm").partition("/")[2]
        for name in names
    )
    modules = sorted(
        (
            name
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Conv2d | torch.nn.Linear)
        ),
        key=lambda name: (name == "fc", name.startswith("AuxLogits")),
    )
    return [
        (f"{net}/{scope}", name, name[:-4] + "bn" if name.endswith(".conv") else "")
        for scope, name in zip(scopes, modules, strict=True)
    ]


def _of_slim(net: str) -> str:
    return net.removesuffix("_torchvision")


def _hook_inception(net: str, model: torch.nn.Module, _: Layers) -> EndPoints:
    end_points: EndPoints = {}
    golden = json.loads((FOLDER / "golden" / f"{_of_slim(net)}.json").read_text())
    keys = [key for key, *_ in golden["end_points"]]
    names = [key for key in keys if key.startswith(("Conv2d", "MaxPool", "Mixed"))]
    modules = [m for name, m in model.named_children() if name != "AuxLogits"]
    for name, module in zip([*names, "global_pool"], modules, strict=False):
        _keep(end_points, module, name)
    if "AuxLogits" in keys:
        _keep(end_points, model.get_submodule("dropout"), "PreLogits")
        _keep_auxiliary(end_points, model)
    return end_points


def _keep_auxiliary(end_points: EndPoints, model: torch.nn.Module) -> None:
    """Runs the auxiliary head, which torchvision does in training only."""

    def keep(_module: Any, _inputs: Any, output: torch.Tensor) -> None:
        end_points["AuxLogits"] = model.get_submodule("AuxLogits")(output)

    model.get_submodule("Mixed_6e").register_forward_hook(keep)


def _keep(
    end_points: EndPoints, module: torch.nn.Module, name: str, as_map: bool = False
) -> None:
    def keep(_module: Any, _inputs: Any, output: torch.Tensor) -> None:
        end_points[name] = (output[:, :, None, None] if as_map else output).clone()

    module.register_forward_hook(keep)


def _last_of_resnet(net: str, logits: torch.Tensor) -> EndPoints:
    return {
        f"{net}/logits": logits[:, :, None, None],
        f"{net}/spatial_squeeze": logits,
        "predictions": torch.softmax(logits, 1),
    }


def _last_of_vgg(net: str, logits: torch.Tensor) -> EndPoints:
    return {f"{net}/fc8": logits}


def _logits_and_predictions(_: str, logits: torch.Tensor) -> EndPoints:
    return {"Logits": logits, "Predictions": torch.softmax(logits, 1)}


_INCEPTION = Family(
    _inception_layers, _hook_inception, _logits_and_predictions, has_gamma=False
)


def _sizes(image_size: int) -> dict[str, Any]:
    """At which sizes an EfficientNet is measured."""
    if image_size > _LARGE:
        return {"measured_size": 97, "other_size": 65}
    return {"other_size": 97}


# By what slim's names of their nets begin with.
FAMILIES = {
    "resnet_v1": Family(_resnet_layers, _hook_resnet, _last_of_resnet),
    "vgg": Family(_vgg_layers, _hook_vgg, _last_of_vgg),
    "inception_v1": _INCEPTION,
    "inception_v3": _INCEPTION._replace(image_size=299),
    "mobilenet": Family(
        torchvision_mobilenets.layers,
        torchvision_mobilenets.hook,
        _logits_and_predictions,
    ),
    **{
        net: Family(
            timm_nets.layers,
            timm_nets.hook,
            _logits_and_predictions,
            image_size=timm_nets.image_size(net),
            **_sizes(timm_nets.image_size(net)),
        )
        for net in timm_nets.EFFICIENTNETS
    },
    **{
        f"efficientnet_{size}_torchvision": Family(
            torchvision_efficientnets.layers,
            torchvision_efficientnets.hook,
            _logits_and_predictions,
            image_size=image_size,
            **_sizes(image_size),
        )
        for size, image_size in torchvision_efficientnets.IMAGE_SIZES.items()
    },
    **{
        net: Family(
            torchvision_densenets.layers,
            torchvision_densenets.hook,
            _logits_and_predictions,
            other_size=97,
            is_dense=True,
        )
        for net in torchvision_densenets.NETS
    },
    **{
        net: Family(
            transformer_nets.vit_layers,
            transformer_nets.hook_vit,
            _logits_and_predictions,
            other_size=112,
            is_dense=True,
        )
        for net in transformer_nets.VITS
    },
    **{
        net: Family(
            transformer_nets.convnext_layers,
            transformer_nets.hook_convnext,
            _logits_and_predictions,
            other_size=97,
            is_dense=True,
        )
        for net in transformer_nets.CONVNEXTS
    },
}
