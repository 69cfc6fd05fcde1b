"""ResNet v2: bottleneck units with batch norm and activation before each convolution.

He et al., "Identity Mappings in Deep Residual Networks",
https://arxiv.org/abs/1603.05027; as in slim, the last unit of a block has its stride.
ImageNet top-1/top-5 of the published weights, at 299 px and with Inception's
preprocessing: 75.6/92.8 (50 layers), 77.0/93.7 (101), 77.8/94.1 (152).
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from nets import resnet_utils, slim
from nets.net_entry import named

resnet_arg_scope = resnet_utils.resnet_arg_scope
bottleneck = slim.resnet_v2.bottleneck
resnet_v2_block = slim.resnet_v2.resnet_v2_block


def _root_block(net: tf.Tensor) -> tf.Tensor:
    """`conv1` has a bias only: the first unit starts with batch norm."""
    with slim.arg_scope([slim.conv2d], activation_fn=None, normalizer_fn=None):
        net = resnet_utils.conv2d_same(net, 64, 7, stride=2, scope="conv1")
    return slim.max_pool2d(net, [3, 3], stride=2, scope="pool1")


def _last_layer(net: tf.Tensor) -> tf.Tensor:
    return slim.batch_norm(net, activation_fn=tf.nn.relu, scope="postnorm")


def resnet_v2(
    inputs: tf.Tensor,
    blocks: Sequence[Any],
    num_classes: int | None = None,
    is_training: bool | None = True,
    global_pool: bool = True,
    output_stride: int | None = None,
    include_root_block: bool = True,
    spatial_squeeze: bool = True,
    reuse: bool | None = None,
    scope: str | None = None,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """A ResNet v2 of arbitrary blocks; see `resnet_utils.resnet` for the arguments.

    `include_root_block=False` omits `conv1` and `pool1`.
    """
    return resnet_utils.resnet(
        inputs,
        blocks,
        default_scope="resnet_v2",
        unit_fns=[bottleneck],
        root_block=_root_block if include_root_block else None,
        last_layer=_last_layer,
        num_classes=num_classes,
        is_training=is_training,
        global_pool=global_pool,
        output_stride=output_stride,
        spatial_squeeze=spatial_squeeze,
        store_non_strided_activations=False,
        reuse=reuse,
        scope=scope,
    )


resnet_v2.default_image_size = 224  # type: ignore[attr-defined]


def _resnet_v2(name: str, *num_units: int) -> Callable[..., Any]:
    """The net whose four blocks have these numbers of units."""

    def network(
        inputs: tf.Tensor,
        num_classes: int | None = None,
        is_training: bool = True,
        global_pool: bool = True,
        output_stride: int | None = None,
        spatial_squeeze: bool = True,
        reuse: bool | None = None,
        scope: str = name,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """A ResNet v2; see `resnet_utils.resnet` for the arguments."""
        blocks = [
            resnet_v2_block(f"block{i}", depth, n, stride)
            for i, (depth, n, stride) in enumerate(
                zip((64, 128, 256, 512), num_units, (2, 2, 2, 1), strict=True), 1
            )
        ]
        return resnet_v2(
            inputs,
            blocks,
            num_classes,
            is_training,
            global_pool=global_pool,
            output_stride=output_stride,
            spatial_squeeze=spatial_squeeze,
            reuse=reuse,
            scope=scope,
        )

    return named(network, name, 224)


resnet_v2_50 = _resnet_v2("resnet_v2_50", 3, 4, 6, 3)
resnet_v2_101 = _resnet_v2("resnet_v2_101", 3, 4, 23, 3)
resnet_v2_152 = _resnet_v2("resnet_v2_152", 3, 8, 36, 3)
resnet_v2_200 = _resnet_v2("resnet_v2_200", 3, 24, 36, 3)
