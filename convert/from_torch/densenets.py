"""DenseNets of torchvision: names, and computation."""

import re
from collections.abc import Sequence

import tensorflow as tf

from convert.from_torch.layers import Layers, max_pool
from convert.from_torch.module_names import Modules
from convert.from_torch.state_dict import State

_OF_OLD_FILES = re.compile(r"(denselayer\d+\.(?:norm|conv))\.(\d)\.")
_PLACES: dict[str, Modules] = {
    "conv1": ("features.conv0", "features.norm0"),
    "postnorm": ("", "features.norm5"),
    "Logits": ("classifier", None),
}


def plainly_named(state: State) -> State:
    """The parameters, with `norm1` for the `norm.1` of older files, and so on."""
    return {_OF_OLD_FILES.sub(r"\1\2.", name): v for name, v in state.items()}


def match(scopes: Sequence[str], _: Sequence[str]) -> dict[str, Modules]:
    """Matches the modules to the scopes of slim's net."""
    found: dict[str, Modules] = {}
    for scope in scopes:
        place = scope.partition("/")[2]
        part = place.rpartition("/")[2]
        if unit := re.match(r"block(\d)/unit_(\d+)/", place):
            prefix = f"features.denseblock{unit[1]}.denselayer{unit[2]}"
            found[scope] = {
                "preact": ("", f"{prefix}.norm1"),
                "conv1": (f"{prefix}.conv1", f"{prefix}.norm2"),
                "conv2": (f"{prefix}.conv2", None),
            }[part]
        elif place.startswith("transition"):
            prefix = f"features.{place.partition('/')[0]}"
            is_norm = part == "preact"
            found[scope] = (
                ("", f"{prefix}.norm") if is_norm else (f"{prefix}.conv", None)
            )
        else:
            found[scope] = _PLACES[place]
    return found


def forward(net: Layers, x: tf.Tensor) -> tf.Tensor:
    """Huang et al., arXiv 1608.06993."""

    def preactivated(x: tf.Tensor, name: str) -> tf.Tensor:
        return tf.nn.relu(net.norm(x, name))

    x = preactivated(net.conv(x, "features.conv0", 2), "features.norm0")
    x = max_pool(x, 3, 2, padding=1)
    block = 1
    while net.has(f"features.denseblock{block}.denselayer1.conv1"):
        unit = 1
        while net.has(f"features.denseblock{block}.denselayer{unit}.conv1"):
            prefix = f"features.denseblock{block}.denselayer{unit}"
            y = net.conv(preactivated(x, f"{prefix}.norm1"), f"{prefix}.conv1")
            y = net.conv(preactivated(y, f"{prefix}.norm2"), f"{prefix}.conv2")
            x = tf.concat([x, y], -1)
            unit += 1
        transition = f"features.transition{block}"
        if net.has(f"{transition}.conv"):
            x = preactivated(x, f"{transition}.norm")
            x = tf.nn.avg_pool2d(net.conv(x, f"{transition}.conv"), 2, 2, "VALID")
        block += 1
    return net.classify(preactivated(x, "features.norm5"), "classifier")
