"""ResNets laid out like those of Keras and torchvision, for their weights.

They have the variables of slim's nets, under a scope of their own. Slim puts the stride
of a block in its last unit, whereas

* Keras' v1 has it in the first unit, before all of its convolutions, as in He et al.,
  https://arxiv.org/abs/1512.03385;
* torchvision's v1 has it in the 3x3 convolution of the first unit, as in He et al.,
  https://arxiv.org/abs/1812.01187, figure 2b;
* Keras' v2 has it where slim has it.

All three pad `pool1` by one pixel on every side. ImageNet top-1/top-5 of the weights
for 50, 101 and 152 layers: Keras' v1 74.9/92.1, 76.4/92.8, 76.6/93.1; torchvision's v1
(IMAGENET1K_V1) 76.1/92.9, 77.4/93.5, 78.3/94.0; Keras' v2 76.0/93.0, 77.2/93.8,
78.0/94.2.
"""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from nets import resnet_utils, resnet_v1, resnet_v2, slim
from nets.net_entry import NetEntry, NetworkFn, named

_NUM_UNITS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def _root_block(net: tf.Tensor) -> tf.Tensor:
    net = resnet_utils.conv2d_same(net, 64, 7, stride=2, scope="conv1")
    net = tf.pad(net, [[0, 0], [1, 1], [1, 1], [0, 0]])
    return slim.max_pool2d(net, [3, 3], stride=2, padding="VALID", scope="pool1")


def _root_block_v2(net: tf.Tensor) -> tf.Tensor:
    """`conv1` has a bias only: the first unit starts with batch norm."""
    with slim.arg_scope([slim.conv2d], activation_fn=None, normalizer_fn=None):
        return _root_block(net)


def _postnorm(net: tf.Tensor) -> tf.Tensor:
    return slim.batch_norm(net, activation_fn=tf.nn.relu, scope="postnorm")


def _strided_input(inputs: tf.Tensor, stride: int, **options: Any) -> tf.Tensor:
    """Keras' unit: its strided 1x1 convolutions only see every other pixel."""
    inputs = resnet_utils.subsample(inputs, stride)
    return resnet_v1.bottleneck(inputs, stride=1, **options)


def _block(unit_fn: Callable[..., Any], scope: str, depth: int, num_units: int) -> Any:
    """A block whose first unit has the stride."""
    unit = {"depth": depth * 4, "depth_bottleneck": depth, "stride": 1}
    first = {**unit, "stride": 1 if scope == "block1" else 2}
    return resnet_utils.Block(scope, unit_fn, [first] + [unit] * (num_units - 1))


def _block_v2(scope: str, depth: int, num_units: int) -> Any:
    """A block whose last unit has the stride."""
    stride = 1 if scope == "block4" else 2
    return resnet_v2.resnet_v2_block(scope, depth, num_units, stride)


def _resnet(
    name: str, layers: int, block: Callable[..., Any], **parts: Any
) -> NetworkFn:
    """The net with this many layers; `parts` go to `resnet_utils.resnet`."""

    def network(
        inputs: tf.Tensor,
        num_classes: int | None = None,
        is_training: bool = True,
        global_pool: bool = True,
        spatial_squeeze: bool = True,
        reuse: bool | None = None,
        scope: str = name,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """A ResNet; see `resnet_utils.resnet` for the arguments."""
        sizes = zip((64, 128, 256, 512), _NUM_UNITS[layers], strict=True)
        return resnet_utils.resnet(
            inputs,
            [
                block(f"block{i}", depth, units)
                for i, (depth, units) in enumerate(sizes, 1)
            ],
            default_scope=name,
            num_classes=num_classes,
            is_training=is_training,
            global_pool=global_pool,
            output_stride=None,
            spatial_squeeze=spatial_squeeze,
            store_non_strided_activations=False,
            reuse=reuse,
            scope=scope,
            **parts,
        )

    return named(network, name, 224)


_V1: dict[str, Any] = {
    "unit_fns": [resnet_v1.bottleneck],
    "root_block": _root_block,
    "last_layer": lambda net: net,
}
_V2: dict[str, Any] = {
    "unit_fns": [resnet_v2.bottleneck],
    "root_block": _root_block_v2,
    "last_layer": _postnorm,
}
_KERAS_V1 = functools.partial(_block, _strided_input)
_TORCHVISION_V1 = functools.partial(_block, resnet_v1.bottleneck)

ENTRIES: dict[str, NetEntry] = {
    f"{family}_{layers}_{origin}": NetEntry(
        _resnet(f"{family}_{layers}_{origin}", layers, block, **parts),
        resnet_utils.resnet_arg_scope,
        224,
        (f"{family}_{layers}_{origin}/logits",),
        preprocessing,
    )
    for family, origin, block, parts, preprocessing in (
        ("resnet_v1", "keras", _KERAS_V1, _V1, "vgg"),
        ("resnet_v1", "torchvision", _TORCHVISION_V1, _V1, "torchvision"),
        ("resnet_v2", "keras", _block_v2, _V2, "inception"),
    )
    for layers in _NUM_UNITS
}
