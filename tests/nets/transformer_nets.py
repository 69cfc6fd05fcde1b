"""timm's vision transformers and torchvision's ConvNeXts in slim's words.

As torchvision_nets.py, for make_torchvision_golden.py.
"""

from typing import Any

import timm  # type: ignore[import-not-found,unused-ignore]
import torch  # type: ignore[import-not-found,unused-ignore]
import torchvision  # type: ignore[import-not-found,unused-ignore]

VITS = {
    "vit_s16": "vit_small_patch16_224",
    "vit_b16": "vit_base_patch16_224",
    "vit_l16": "vit_large_patch16_224",
    "dinov2_s14": "vit_small_patch14_dinov2",
    "dinov2_b14": "vit_base_patch14_dinov2",
}
_IN_BLOCK = {
    "attention/LayerNorm": "norm1",
    "attention/qkv": "attn.qkv",
    "attention/project": "attn.proj",
    "attention/LayerScale": "ls1.gamma",
    "mlp/LayerNorm": "norm2",
    "mlp/expand": "mlp.fc1",
    "mlp/project": "mlp.fc2",
    "mlp/LayerScale": "ls2.gamma",
}


def vit(net: str, weights: None, num_classes: int) -> torch.nn.Module:
    """The net of slim's name, a key of `VITS`, with random weights."""
    del weights
    model = timm.create_model(VITS[net], num_classes=num_classes, dynamic_img_size=True)
    if net.startswith("dinov2"):
        _interpolate_as_dinov2(model)
    return model


def _interpolate_as_dinov2(model: torch.nn.Module) -> None:
    """In place of timm's interpolation, that of the code that trained the net."""

    def embed(x: torch.Tensor) -> torch.Tensor:
        batch, height, width, depth = x.shape
        old = model.patch_embed.grid_size[0]
        grid = model.pos_embed[:, 1:].reshape(1, old, old, depth).permute(0, 3, 1, 2)
        if height != old:
            # The tenth is there in DINOv2, too.
            scales = ((height + 0.1) / old, (width + 0.1) / old)
            grid = torch.nn.functional.interpolate(
                grid, scale_factor=scales, mode="bicubic"
            )
        patches = x.reshape(batch, -1, depth) + grid.flatten(2).transpose(1, 2)
        first = (model.cls_token + model.pos_embed[:, :1]).expand(batch, -1, -1)
        return torch.cat([first, patches], 1)

    model._pos_embed = embed


def vit_layers(net: str, model: torch.nn.Module) -> list[tuple[str, str, str]]:
    """(slim's scope, timm's module or parameter, ""), in slim's order."""
    state = model.state_dict()
    found = {
        "embedding/patches": "patch_embed.proj",
        "embedding/class_token": "cls_token",
        "embedding/positions": "pos_embed",
    }
    for number in range(len(model.get_submodule("blocks"))):
        for ours, theirs in _IN_BLOCK.items():
            name = f"blocks.{number}.{theirs}"
            if name in state or f"{name}.weight" in state:
                found[f"block_{number + 1}/{ours}"] = name
    found |= {"LayerNorm": "norm", "Logits": "head"}
    return [(f"{net}/{ours}", theirs, "") for ours, theirs in found.items()]


def hook_vit(
    _net: str, model: torch.nn.Module, _layers: Any
) -> dict[str, torch.Tensor]:
    """A dictionary that a run fills with slim's end points, but for the last two."""
    end_points: dict[str, torch.Tensor] = {}

    def keep(module: str, name: str) -> None:
        model.get_submodule(module).register_forward_hook(
            lambda _module, _inputs, output: end_points.update({name: output.clone()})
        )

    keep("norm_pre", "embedding")
    for number in range(len(model.get_submodule("blocks"))):
        keep(f"blocks.{number}", f"block_{number + 1}")
    keep("fc_norm", "PreLogits")
    return end_points


CONVNEXTS = {  # channels at first, and blocks
    "convnext_tiny": (96, (3, 3, 9, 3)),
    "convnext_small": (96, (3, 3, 27, 3)),
    "convnext_base": (128, (3, 3, 27, 3)),
    "convnext_large": (192, (3, 3, 27, 3)),
    "convnext_xlarge": (256, (3, 3, 27, 3)),
}
_IN_CONVNEXT_BLOCK = {
    "depthwise": "block.0",
    "LayerNorm": "block.2",
    "expand": "block.3",
    "project": "block.5",
    "LayerScale": "layer_scale",
}


def convnext(net: str, weights: None, num_classes: int) -> torch.nn.Module:
    """The net of slim's name, a key of `CONVNEXTS`, with random weights."""
    del weights
    first, blocks = CONVNEXTS[net]
    depths = [first << stage for stage in range(4)]
    settings = [
        torchvision.models.convnext.CNBlockConfig(depth, following, number)
        for depth, following, number in zip(
            depths, [*depths[1:], None], blocks, strict=True
        )
    ]
    return torchvision.models.ConvNeXt(settings, num_classes=num_classes)


def convnext_layers(net: str, _: torch.nn.Module) -> list[tuple[str, str, str]]:
    """(slim's scope, torchvision's module or parameter, ""), in slim's order."""
    found = {"stem/patches": "features.0.0", "stem/LayerNorm": "features.0.1"}
    number = 0
    for stage, blocks in enumerate(CONVNEXTS[net][1]):
        if stage:
            scope, module = f"downsample_{stage + 1}", f"features.{2 * stage}"
            found[f"{scope}/LayerNorm"] = f"{module}.0"
            found[f"{scope}/patches"] = f"{module}.1"
        for block in range(blocks):
            number += 1
            for ours, theirs in _IN_CONVNEXT_BLOCK.items():
                name = f"features.{2 * stage + 1}.{block}.{theirs}"
                found[f"block_{number}/{ours}"] = name
    found |= {"LayerNorm": "classifier.0", "Logits": "classifier.2"}
    return [(f"{net}/{ours}", theirs, "") for ours, theirs in found.items()]


def hook_convnext(
    net: str, model: torch.nn.Module, _layers: Any
) -> dict[str, torch.Tensor]:
    """A dictionary that a run fills with slim's end points, but for the last two."""
    end_points: dict[str, torch.Tensor] = {}

    def keep(module: str, name: str, *, flat: bool = False) -> None:
        model.get_submodule(module).register_forward_hook(
            lambda _module, _inputs, output: end_points.update(
                {name: (output[:, :, 0, 0] if flat else output).clone()}
            )
        )

    number = 0
    for stage, blocks in enumerate(CONVNEXTS[net][1]):
        name = f"downsample_{stage + 1}" if stage else "stem"
        keep(f"features.{2 * stage}", name)
        for block in range(blocks):
            number += 1
            keep(f"features.{2 * stage + 1}.{block}", f"block_{number}")
    keep("avgpool", "global_pool", flat=True)
    keep("classifier.0", "PreLogits", flat=True)
    return end_points
