"""What torchvision's and timm's Inceptions compute in evaluation mode; see forward.py.

Branches are given by the names of their modules.
"""

import tensorflow as tf

from convert.from_torch.layers import (
    SAME,
    VALID,
    Layers,
    avg_pool_3x3,
    ceil_max_pool,
    max_pool,
)


def googlenet(net: Layers, x: tf.Tensor) -> tf.Tensor:
    """Torchvision's googlenet: Szegedy et al., arXiv 1409.4842.

    Its 5x5 convolutions are in fact 3x3.
    """
    pool = ceil_max_pool
    x = pool(net.basic(x, "conv1", 2), 3)
    x = pool(net.basic(net.basic(x, "conv2"), "conv3"), 3)
    for block in ("3a", "3b"):
        x = _max_pooled(net, x, f"inception{block}")
    x = pool(x, 3)
    for block in ("4a", "4b", "4c", "4d", "4e"):
        x = _max_pooled(net, x, f"inception{block}")
    x = pool(x, 2)
    for block in ("5a", "5b"):
        x = _max_pooled(net, x, f"inception{block}")
    return net.classify(x, "fc")


def inception_v3(
    net: Layers, x: tf.Tensor, *, counts_padding: bool = True
) -> tf.Tensor:
    """Torchvision's and timm's inception_v3: Szegedy et al., arXiv 1512.00567.

    Args:
      net: the layers.
      x: images.
      counts_padding: whether the 3x3 average pools count the border, as in both
        libraries; TensorFlow ignores it.
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
    return net.classify(x, "fc")


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
    return net.classify(x, "last_linear")


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
    return net.classify(net.basic(x, "conv2d_7b"), "classif")


def _branches(
    net: Layers,
    x: tf.Tensor,
    block: str,
    branches: str,
    last_stride: int = 1,
    last_padding: int = SAME,
) -> tf.Tensor:
    """Parallel branches, concatenated.

    Args:
      net: the layers.
      x: their common input.
      block: name of the block.
      branches: separated by commas, each with its layers' names after "<block>.branch".
      last_stride: the stride of each branch's last layer.
      last_padding: the padding of each branch's last layer.
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
    """Branches, concatenated with an average pool and its convolution `pool`."""
    pooled = avg_pool_3x3(x, counts_padding)
    parts = [
        _branches(net, x, block, branches),
        net.basic(pooled, f"{block}.branch{pool}"),
    ]
    return tf.concat(parts, 3)


def _max_pooled(net: Layers, x: tf.Tensor, block: str) -> tf.Tensor:
    """A block of googlenet, whose fourth branch begins with a max pool."""
    pooled = max_pool(x, 3, 1, padding=1)
    parts = [
        _branches(net, x, block, "1, 2.0 2.1, 3.0 3.1"),
        net.basic(pooled, f"{block}.branch4.1"),
    ]
    return tf.concat(parts, 3)


def _reduction(net: Layers, x: tf.Tensor, block: str, branches: str) -> tf.Tensor:
    """Branches whose last layer has stride 2, concatenated with a max pool."""
    return tf.concat(
        [_branches(net, x, block, branches, 2, VALID), max_pool(x, 3, 2)], 3
    )


def _scaled(
    net: Layers, x: tf.Tensor, block: str, branches: str, scale: float
) -> tf.Tensor:
    """A residual block before its activation."""
    return x + scale * net.conv(_branches(net, x, block, branches), f"{block}.conv2d")
