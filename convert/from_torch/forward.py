"""What torchvision's nets compute in evaluation mode, from a state dictionary.

Each function takes the layers and images `[batch, height, width, channels]` float32,
and returns `[batch, classes]` logits, or pooled features if the dictionary has no
classifier. The Inceptions, including timm's, are in inceptions.py.
"""

import itertools
import re
from collections.abc import Callable, Sequence

import tensorflow as tf

from common import natural_order
from convert.from_torch import module_names
from convert.from_torch.layers import Layers, global_pool, max_pool


def resnet(net: Layers, x: tf.Tensor) -> tf.Tensor:
    """Torchvision's resnet18 to resnet152: He et al., arXiv 1512.03385.

    The stride is in the first unit of a layer; in a bottleneck, in its 3x3 convolution.
    """
    x = tf.nn.relu(net.norm(net.conv(x, "conv1", 2), "bn1"))
    x = max_pool(x, 3, 2, padding=1)
    depth = 3 if net.has("layer1.0.conv3") else 2
    for layer in range(1, 5):
        units = {
            name.split(".")[1]
            for name in net.state
            if name.startswith(f"layer{layer}.")
        }
        for unit in range(len(units)):
            stride = 2 if layer > 1 and unit == 0 else 1
            x = _residual_unit(net, x, f"layer{layer}.{unit}", depth, stride)
    return net.classify(x, "fc")


def _residual_unit(
    net: Layers, x: tf.Tensor, prefix: str, depth: int, stride: int
) -> tf.Tensor:
    residual = x
    for i in range(1, depth + 1):
        # The stride is in the first of two convolutions, in the second of three.
        residual = net.conv(
            residual, f"{prefix}.conv{i}", stride if i == depth - 1 else 1
        )
        residual = net.norm(residual, f"{prefix}.bn{i}")
        if i < depth:
            residual = tf.nn.relu(residual)
    if net.has(f"{prefix}.downsample.0"):
        x = net.conv(x, f"{prefix}.downsample.0", stride)
        x = net.norm(x, f"{prefix}.downsample.1")
    return tf.nn.relu(x + residual)


def vgg(net: Layers, x: tf.Tensor) -> tf.Tensor:
    """Torchvision's vgg11 to vgg19, with or without batch norm, on 224x224 pixels."""
    matches = (re.fullmatch(r"features\.(\d+)\.weight", name) for name in net.state)
    numbers = sorted(int(m[1]) for m in matches if m and net.state[m[0]].ndim == 4)
    for number, following in itertools.zip_longest(numbers, numbers[1:]):
        x = net.conv(x, f"features.{number}")
        end = number + 2  # after convolution and ReLU
        if net.has(f"features.{number + 1}"):
            x = net.norm(x, f"features.{number + 1}")
            end += 1
        x = tf.nn.relu(x)
        if following != end:
            x = max_pool(x, 2, 2)
    x = tf.reshape(tf.transpose(x, (0, 3, 1, 2)), (x.shape[0], -1))
    for name in ("classifier.0", "classifier.3"):
        x = tf.nn.relu(net.linear(x, name))
    return net.linear(x, "classifier.6") if net.has("classifier.6") else x


def mobilenet_v2(net: Layers, x: tf.Tensor) -> tf.Tensor:
    """Torchvision's mobilenet_v2: Sandler et al., arXiv 1801.04381."""
    x = _inverted_residuals(net, x, (2, 4, 7, 14), lambda _: tf.nn.relu6)
    return net.classify(x, "classifier.1")


def mobilenet_v3(
    net: Layers, x: tf.Tensor, *, strided: Sequence[int], first_swish: int
) -> tf.Tensor:
    """Torchvision's mobilenet_v3_large and small: Howard et al., arXiv 1905.02244.

    Args:
      net: the layers.
      x: images.
      strided: indices of the blocks that halve the map.
      first_swish: index of the first block with hard-swish.
    """
    x = _inverted_residuals(
        net,
        x,
        strided,
        lambda number: tf.nn.relu if 0 < number < first_swish else _hard_swish,
    )
    x = _hard_swish(net.linear(global_pool(x), "classifier.0"))
    return net.linear(x, "classifier.3") if net.has("classifier.3") else x


def _hard_swish(x: tf.Tensor) -> tf.Tensor:
    return x * tf.nn.relu6(x + 3) / 6


def _inverted_residuals(
    net: Layers,
    x: tf.Tensor,
    strided: Sequence[int],
    activation_of: Callable[[int], Callable[..., tf.Tensor]],
) -> tf.Tensor:
    """The `features` of a MobileNet: a convolution, blocks, a convolution.

    Args:
      net: the layers.
      x: images.
      strided: indices of the blocks that halve the map.
      activation_of: from an index in `features` to the activation there.
    """
    names = sorted(
        (n for n, v in net.state.items() if v.ndim == 4), key=natural_order.natural_key
    )
    blocks = itertools.groupby(
        (n.removesuffix(".weight") for n in names), lambda n: int(n.split(".")[1])
    )
    for number, modules in blocks:
        stride = 2 if number == 0 or number in strided else 1
        y = _inverted_residual(net, x, list(modules), stride, activation_of(number))
        x = x + y if y.shape == x.shape and number else y
    return x


def _inverted_residual(
    net: Layers,
    x: tf.Tensor,
    modules: Sequence[str],
    stride: int,
    activation: Callable[..., tf.Tensor],
) -> tf.Tensor:
    """A block without its shortcut: expansion, depthwise, gates, projection.

    With a single module, it is the convolution before or after the blocks.
    """
    for name in modules:
        is_projection = name == modules[-1] and len(modules) > 1
        is_depthwise = net.state[f"{name}.weight"].shape[1] == 1
        if name.endswith(".fc1"):
            mean = tf.reduce_mean(x, [1, 2], keepdims=True)
            squeezed = tf.nn.relu(net.conv(mean, name))
        elif name.endswith(".fc2"):
            x = x * tf.nn.relu6(net.conv(squeezed, name) + 3) / 6
        else:
            x = net.conv(x, name, stride if is_depthwise or len(modules) == 1 else 1)
            x = net.norm(x, str(module_names.norm_after(name)))
            x = x if is_projection else activation(x)
    return x
