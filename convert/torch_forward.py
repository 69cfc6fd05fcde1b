"""What torchvision's and timm's nets compute, evaluating, from a state dictionary.

Each function takes the layers and images `[batch, height, width, channels]` float32,
and returns `[batch, classes]` logits, or pooled features where the dictionary has no
classifier.
"""

import itertools
import re
from collections.abc import Callable, Sequence

import tensorflow as tf

from convert import natural_order, torch_layers, torch_names
from convert.torch_layers import SAME, VALID, Layers, max_pool


def resnet(net: Layers, x: tf.Tensor) -> tf.Tensor:
    """Torchvision's resnet18 to resnet152: He et al., arXiv 1512.03385.

    The first unit of a layer has the stride; of a bottleneck's convolutions, the 3x3.
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
    return _classify(net, x, "fc")


def _residual_unit(
    net: Layers, x: tf.Tensor, prefix: str, depth: int, stride: int
) -> tf.Tensor:
    residual = x
    for i in range(1, depth + 1):
        # Of two convolutions the first has the stride, of three the second.
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
    """Torchvision's vgg11 to vgg19 without batch norm, on 224x224 pixels."""
    matches = (re.fullmatch(r"features\.(\d+)\.weight", name) for name in net.state)
    numbers = sorted(int(match[1]) for match in matches if match)
    for number, following in zip(numbers, [*numbers[1:], numbers[-1] + 3], strict=True):
        x = tf.nn.relu(net.conv(x, f"features.{number}"))
        if following - number == 3:  # There is a pool between: conv, ReLU, pool.
            x = max_pool(x, 2, 2)
    x = tf.reshape(tf.transpose(x, (0, 3, 1, 2)), (x.shape[0], -1))
    for name in ("classifier.0", "classifier.3"):
        x = tf.nn.relu(net.linear(x, name))
    return net.linear(x, "classifier.6") if net.has("classifier.6") else x


def inception_v3(
    net: Layers, x: tf.Tensor, *, counts_padding: bool = True
) -> tf.Tensor:
    """Torchvision's and timm's inception_v3: Szegedy et al., arXiv 1512.00567.

    Args:
      net: the layers.
      x: images.
      counts_padding: whether the border counts in the 3x3 average pools, as both
        libraries have it; TensorFlow leaves it out.
    """
    x = net.basic(x, "Conv2d_1a_3x3", 2, VALID)
    x = net.basic(x, "Conv2d_2a_3x3", 1, VALID)
    x = max_pool(net.basic(x, "Conv2d_2b_3x3"), 3, 2)
    x = net.basic(x, "Conv2d_3b_1x1")
    x = max_pool(net.basic(x, "Conv2d_4a_3x3", 1, VALID), 3, 2)
    of_5 = "1x1, 5x5_1 5x5_2, 3x3dbl_1 3x3dbl_2 3x3dbl_3"
    of_6 = "1x1, 7x7_1 7x7_2 7x7_3, 7x7dbl_1 7x7dbl_2 7x7dbl_3 7x7dbl_4 7x7dbl_5"
    of_7 = (
        "1x1, 3x3_1 3x3_2a, 3x3_1 3x3_2b,"
        "3x3dbl_1 3x3dbl_2 3x3dbl_3a, 3x3dbl_1 3x3dbl_2 3x3dbl_3b"
    )
    for block in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
        x = _pooled(net, x, block, of_5, "_pool", counts_padding)
    x = _reduction(net, x, "Mixed_6a", "3x3, 3x3dbl_1 3x3dbl_2 3x3dbl_3")
    for block in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
        x = _pooled(net, x, block, of_6, "_pool", counts_padding)
    of_7a = "3x3_1 3x3_2, 7x7x3_1 7x7x3_2 7x7x3_3 7x7x3_4"
    x = _reduction(net, x, "Mixed_7a", of_7a)
    for block in ("Mixed_7b", "Mixed_7c"):
        x = _pooled(net, x, block, of_7, "_pool", counts_padding)
    return _classify(net, x, "fc")


def inception_v4(net: Layers, x: tf.Tensor) -> tf.Tensor:
    """Timm's inception_v4: Szegedy et al., arXiv 1602.07261."""
    x = net.basic(x, "features.0", 2, VALID)
    x = net.basic(x, "features.1", 1, VALID)
    x = net.basic(x, "features.2")
    x = tf.concat([max_pool(x, 3, 2), net.basic(x, "features.3.conv", 2, VALID)], 3)
    x = _branches(net, x, "features.4", "0.0 0.1, 1.0 1.1 1.2 1.3", 1, VALID)
    x = tf.concat([net.basic(x, "features.5.conv", 2, VALID), max_pool(x, 3, 2)], 3)
    for number in range(6, 10):
        x = _pooled(net, x, f"features.{number}", "0, 1.0 1.1, 2.0 2.1 2.2")
    x = _reduction(net, x, "features.10", "0, 1.0 1.1 1.2")
    for number in range(11, 18):
        branches = "0, 1.0 1.1 1.2, 2.0 2.1 2.2 2.3 2.4"
        x = _pooled(net, x, f"features.{number}", branches)
    x = _reduction(net, x, "features.18", "0.0 0.1, 1.0 1.1 1.2 1.3")
    for number in range(19, 22):
        branches = "0, 1_0 1_1a, 1_0 1_1b, 2_0 2_1 2_2 2_3a, 2_0 2_1 2_2 2_3b"
        x = _pooled(net, x, f"features.{number}", branches)
    return _classify(net, x, "last_linear")


def inception_resnet_v2(net: Layers, x: tf.Tensor) -> tf.Tensor:
    """Timm's inception_resnet_v2: Szegedy et al., arXiv 1602.07261."""
    x = net.basic(x, "conv2d_1a", 2, VALID)
    x = net.basic(x, "conv2d_2a", 1, VALID)
    x = max_pool(net.basic(x, "conv2d_2b"), 3, 2)
    x = net.basic(x, "conv2d_3b")
    x = max_pool(net.basic(x, "conv2d_4a", 1, VALID), 3, 2)
    x = _pooled(net, x, "mixed_5b", "0, 1.0 1.1, 2.0 2.1 2.2")
    for number in range(10):
        branches = "0, 1.0 1.1, 2.0 2.1 2.2"
        x = tf.nn.relu(_scaled(net, x, f"repeat.{number}", branches, 0.17))
    x = _reduction(net, x, "mixed_6a", "0, 1.0 1.1 1.2")
    for number in range(20):
        x = tf.nn.relu(_scaled(net, x, f"repeat_1.{number}", "0, 1.0 1.1 1.2", 0.1))
    x = _reduction(net, x, "mixed_7a", "0.0 0.1, 1.0 1.1, 2.0 2.1 2.2")
    for number in range(9):
        x = tf.nn.relu(_scaled(net, x, f"repeat_2.{number}", "0, 1.0 1.1 1.2", 0.2))
    x = _scaled(net, x, "block8", "0, 1.0 1.1 1.2", 1.0)
    return _classify(net, net.basic(x, "conv2d_7b"), "classif")


def mobilenet_v2(net: Layers, x: tf.Tensor) -> tf.Tensor:
    """Torchvision's mobilenet_v2: Sandler et al., arXiv 1801.04381."""
    x = _inverted_residuals(net, x, (2, 4, 7, 14), lambda _: tf.nn.relu6)
    return _classify(net, x, "classifier.1")


def mobilenet_v3(
    net: Layers, x: tf.Tensor, *, strided: Sequence[int], first_swish: int
) -> tf.Tensor:
    """Torchvision's mobilenet_v3_large and small: Howard et al., arXiv 1905.02244.

    Args:
      net: the layers.
      x: images.
      strided: numbers of the blocks that halve the map.
      first_swish: number of the first block with hard-swish.
    """
    x = _inverted_residuals(
        net,
        x,
        strided,
        lambda number: tf.nn.relu if 0 < number < first_swish else _hard_swish,
    )
    x = _hard_swish(net.linear(torch_layers.global_pool(x), "classifier.0"))
    return net.linear(x, "classifier.3") if net.has("classifier.3") else x


def _hard_swish(x: tf.Tensor) -> tf.Tensor:
    return x * tf.nn.relu6(x + 3) / 6


def _inverted_residuals(
    net: Layers,
    x: tf.Tensor,
    strided: Sequence[int],
    activation_of: Callable[[int], Callable[..., tf.Tensor]],
) -> tf.Tensor:
    """A MobileNet's `features`: a convolution, blocks, a convolution.

    Args:
      net: the layers.
      x: images.
      strided: numbers of the blocks that halve the map.
      activation_of: from the number in `features` to the activation there.
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

    Of a single module it is the activated convolution before or after the blocks.
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
            x = net.norm(x, str(torch_names.norm_behind(name)))
            x = x if is_projection else activation(x)
    return x


def _branches(
    net: Layers,
    x: tf.Tensor,
    block: str,
    branches: str,
    last_stride: int = 1,
    last_padding: int = SAME,
) -> tf.Tensor:
    """Branches side by side.

    Args:
      net: the layers.
      x: their common input.
      block: name of the block.
      branches: separated by commas, each its layers in a row, after "<block>.branch".
      last_stride: of the last layer of each.
      last_padding: of the last layer of each.
    """
    parts = []
    for branch in branches.split(","):
        *names, last = (f"{block}.branch{name}" for name in branch.split())
        y = x
        for name in names:
            y = net.basic(y, name)
        parts.append(net.basic(y, last, last_stride, last_padding))
    return tf.concat(parts, 3)


def _pooled(
    net: Layers,
    x: tf.Tensor,
    block: str,
    branches: str,
    pool: str = "3.1",
    counts_padding: bool = False,
) -> tf.Tensor:
    """Branches, and beside them an average pool with the convolution `pool` behind."""
    pooled = torch_layers.avg_pool_3x3(x, counts_padding)
    parts = [
        _branches(net, x, block, branches),
        net.basic(pooled, f"{block}.branch{pool}"),
    ]
    return tf.concat(parts, 3)


def _reduction(net: Layers, x: tf.Tensor, block: str, branches: str) -> tf.Tensor:
    """Branches whose last layer has stride 2, and beside them a max pool."""
    return tf.concat(
        [_branches(net, x, block, branches, 2, VALID), max_pool(x, 3, 2)], 3
    )


def _scaled(
    net: Layers, x: tf.Tensor, block: str, branches: str, scale: float
) -> tf.Tensor:
    """A residual block before its activation."""
    return x + scale * net.conv(_branches(net, x, block, branches), f"{block}.conv2d")


def _classify(net: Layers, x: tf.Tensor, name: str) -> tf.Tensor:
    x = torch_layers.global_pool(x)
    return net.linear(x, name) if net.has(name) else x
