"""Writes `torch_golden/<net>.json`: what libraries of PyTorch compute.

    python tests/convert/make_torch_golden.py [NET ...]

needs torch, torchvision, timm, efficientnet_pytorch and efficientnet_lite_pytorch,
which nothing else here does; 0.29.1, 1.0.31, 0.7.1 and 0.1.0 of the last four were
used. Weights and images are those of torch_recipe.py, so that a golden holds only the
state dictionary's names and shapes, and logits for seven classes.
"""

import functools
import json
import pathlib
import sys
from typing import Any

import efficientnet_lite_pytorch  # type: ignore[import-not-found,unused-ignore]
import efficientnet_pytorch  # type: ignore[import-not-found,unused-ignore]
import timm  # type: ignore[import-not-found,unused-ignore]
import torch  # type: ignore[import-not-found,unused-ignore]
import torchvision  # type: ignore[import-not-found,unused-ignore]

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))
from tests.convert import torch_recipe
from tests.nets import transformer_nets

NETS: dict[str, tuple[str, dict[str, Any], int]] = {  # library, options, image size
    "resnet18": ("torchvision", {}, 64),
    "resnet50": ("torchvision", {}, 64),
    "vgg16": ("torchvision", {}, 224),
    "googlenet": ("torchvision", {"aux_logits": True, "init_weights": False}, 67),
    "inception_v3": ("torchvision", {"init_weights": False}, 107),
    "mobilenet_v2": ("torchvision", {}, 65),
    "mobilenet_v3_large": ("torchvision", {}, 65),
    "mobilenet_v3_small": ("torchvision", {}, 65),
    "inception_v4": ("timm", {}, 107),
    "inception_resnet_v2": ("timm", {}, 107),
    "efficientnet-b0": ("efficientnet_pytorch", {"image_size": 64}, 64),
    # Its convolutions are padded for images of 224 pixels, which 64 halves as evenly.
    "efficientnet-lite0": ("efficientnet_lite_pytorch", {}, 64),
    "efficientnet_b0": ("torchvision", {}, 65),
    "densenet121": ("torchvision", {}, 65),
    "convnext_tiny": ("torchvision", {}, 64),
    "vit_s16": ("transformers of timm", {}, 64),
    "dinov2_s14": ("transformers of timm", {}, 70),
}
_CREATE = {
    "torchvision": torchvision.models.get_model,
    "timm": timm.create_model,
    "efficientnet_pytorch": efficientnet_pytorch.EfficientNet.from_name,
    "efficientnet_lite_pytorch": efficientnet_lite_pytorch.EfficientNet.from_name,
    "transformers of timm": functools.partial(transformer_nets.vit, weights=None),
}


def main() -> None:
    """Writes one golden for each net that the command line names."""
    narrow = {
        "vgg_bn_narrow": (_narrow_vgg, 224),
        "efficientnet_v2_narrow": (_narrow_efficientnet_v2, 65),
    }
    for name in sys.argv[1:] or [*narrow, *NETS]:
        if name in narrow:
            build, size = narrow[name]
            _write(name, build(), size)
            continue
        library, options, size = NETS[name]
        net = _CREATE[library](name, num_classes=torch_recipe.CLASSES, **options)
        _write(name, net, size)


def _narrow_vgg() -> torch.nn.Module:
    """A VGG with batch norm, of few channels, for its size."""
    vgg = torchvision.models.vgg
    depths = [4, "M", 4, "M", 4, 4, "M", 4, "M", 4, "M"]
    net = vgg.VGG(vgg.make_layers(depths, batch_norm=True), init_weights=False)
    for place, outputs in ((0, 8), (3, 8), (6, torch_recipe.CLASSES)):
        inputs = 8 if place else 4 * 7 * 7
        net.classifier[place] = torch.nn.Linear(inputs, outputs)
    return net


def _narrow_efficientnet_v2() -> torch.nn.Module:
    """Few blocks of both kinds: more, with random weights, magnify rounding."""
    nets = torchvision.models.efficientnet
    fused, plain = nets.FusedMBConvConfig, nets.MBConvConfig
    stages = [
        fused(1, 3, 1, 8, 8, 2),
        fused(4, 3, 2, 8, 16, 2),
        plain(4, 3, 2, 16, 24, 2),
    ]
    norm = functools.partial(torch.nn.BatchNorm2d, eps=1e-3)
    return nets.EfficientNet(
        stages, 0.0, num_classes=torch_recipe.CLASSES, norm_layer=norm, last_channel=32
    )


def _write(name: str, net: torch.nn.Module, size: int) -> None:
    shapes = {
        key: tuple(values.shape)
        for key, values in net.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    state = {
        key: torch.from_numpy(values)
        for key, values in torch_recipe.state(shapes).items()
    }
    net.load_state_dict(state, strict=False)
    images = torch_recipe.images(size).transpose(0, 3, 1, 2).copy()
    with torch.no_grad():
        logits = net.eval()(torch.from_numpy(images)).numpy()
    golden = {"image_size": size, "shapes": shapes, "logits": logits.tolist()}
    path = torch_recipe.FOLDER / f"{name}.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
