"""ConvNeXts of torchvision: names, and computation."""

import itertools
import re
from collections.abc import Sequence

import tensorflow as tf

from convert.from_torch.layers import SAME, VALID, Layers, global_pool
from convert.from_torch.module_names import Modules

_STAGES = 4
_PLACES = {
    "stem/patches": "features.0.0",
    "stem/LayerNorm": "features.0.1",
    "LayerNorm": "classifier.0",
    "Logits": "classifier.2",
}
_IN_BLOCK = {
    "depthwise": "block.0",
    "LayerNorm": "block.2",
    "expand": "block.3",
    "project": "block.5",
    "LayerScale": "layer_scale",
}


def match(scopes: Sequence[str], convolutions: Sequence[str]) -> dict[str, Modules]:
    """Matches the modules to the scopes of slim's net, whose blocks are numbered on."""
    blocks = sorted(  # of features.<stage>.<block>.block.0
        tuple(map(int, name.split(".")[1:3]))
        for name in convolutions
        if name.endswith(".block.0")
    )
    found: dict[str, Modules] = {}
    for scope in scopes:
        place = scope.partition("/")[2]
        part = place.partition("/")[2]
        if block := re.match(r"block_(\d+)/", place):
            stage, number = blocks[int(block[1]) - 1]
            name = f"features.{stage}.{number}.{_IN_BLOCK[part]}"
        elif halving := re.match(r"downsample_(\d)/", place):
            name = f"features.{2 * int(halving[1]) - 2}.{int(part == 'patches')}"
        else:
            name = _PLACES[place]
        found[scope] = (name, None)
    return found


def forward(net: Layers, x: tf.Tensor) -> tf.Tensor:
    """Liu et al., arXiv 2201.03545."""
    x = net.layer_norm(net.conv(x, "features.0.0", 4, VALID), "features.0.1")
    for stage in range(_STAGES):
        if stage:
            x = net.layer_norm(x, f"features.{2 * stage}.0")
            x = net.conv(x, f"features.{2 * stage}.1", 2, VALID)
        for number in itertools.count():
            block = f"features.{2 * stage + 1}.{number}"
            if not net.has(f"{block}.block.0"):
                break
            y = net.conv(x, f"{block}.block.0", 1, SAME)
            y = net.linear(net.layer_norm(y, f"{block}.block.2"), f"{block}.block.3")
            y = net.linear(tf.nn.gelu(y, approximate=False), f"{block}.block.5")
            x += y * net.state[f"{block}.layer_scale"].reshape(-1)
    x = net.layer_norm(global_pool(x), "classifier.0")
    return net.linear(x, "classifier.2") if net.has("classifier.2") else x
