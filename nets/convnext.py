"""ConvNeXt: a ResNet redesigned in the manner of transformers.

Liu et al., "A ConvNet for the 2020s", https://arxiv.org/abs/2201.03545, section 2 and
figure 4. ImageNet top-1 of the published weights at 224 pixels, tiny to large 82.1,
83.1, 83.8, 84.3; Keras' xlarge, which saw ImageNet-21k first, 86.7.
"""

from typing import NamedTuple

import tensorflow as tf

from nets import slim, transformer
from nets.drop_path import drop_path
from nets.end_points import EndPoints
from nets.image_sides import require_sides
from nets.logits import classified
from nets.net_entry import NetEntry, of_size

_IMAGE_SIZE = 224
_LEAST_SIDE = 32  # of images, in pixels: the last map has 1/32 of it
_LAYER_SCALE = 1e-6  # to begin with


class Size(NamedTuple):
    """A ConvNeXt.

    Attributes:
      depths: channels at each of four resolutions.
      blocks: how many there are at each.
      drop_path_rate: the drop-path rate of the last block; it grows linearly from 0 at
        the first.
    """

    depths: tuple[int, ...]
    blocks: tuple[int, ...]
    drop_path_rate: float


# Section 2.7, and table 5 of its appendix.
SIZES = {
    "convnext_tiny": Size((96, 192, 384, 768), (3, 3, 9, 3), 0.1),
    "convnext_small": Size((96, 192, 384, 768), (3, 3, 27, 3), 0.4),
    "convnext_base": Size((128, 256, 512, 1024), (3, 3, 27, 3), 0.5),
    "convnext_large": Size((192, 384, 768, 1536), (3, 3, 27, 3), 0.5),
    "convnext_xlarge": Size((256, 512, 1024, 2048), (3, 3, 27, 3), 0.5),
}


def _patches(net: tf.Tensor, depth: int, side: int) -> tf.Tensor:
    """A convolution whose windows meet; each is `side` places high and wide."""
    return slim.conv2d(
        net,
        depth,
        [side, side],
        stride=side,
        padding="VALID",
        activation_fn=None,
        scope="patches",
    )


def _block(net: tf.Tensor, keep_prob: float) -> tf.Tensor:
    """A wide depthwise convolution, then an MLP at each place, added to the input."""
    block = tf.compat.v1.get_variable_scope().name
    branch = slim.separable_conv2d(
        net,
        None,
        [7, 7],
        depth_multiplier=1,
        activation_fn=None,
        scope="depthwise",
    )
    branch = transformer.mlp(transformer.layer_norm(branch))
    branch = transformer.layer_scale(branch, _LAYER_SCALE)
    return net + drop_path(branch, keep_prob, block=block)


def convnext(
    images: tf.Tensor,
    size: Size,
    num_classes: int | None = 1000,
    is_training: bool = True,
    reuse: bool | None = None,
    scope: str = "convnext",
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Builds a ConvNeXt.

    Args:
      images: `[batch, height, width, channels]` float32, of at least 32 pixels a side.
      size: the size of the net.
      num_classes: None or 0 gives the pooled features instead of logits.
      is_training: mode of dropout and drop path.
      reuse: whether to reuse the variables of `scope`.
      scope: variable scope.

    Returns:
      `[batch, num_classes]` logits, or features, and all end points by name: the stem,
      each block and each convolution that halves the map, the pooled features as they
      are and normalized, logits, and probabilities.

    Raises:
      ValueError: the images are smaller.
    """
    require_sides(images, _LEAST_SIDE)
    end_points = EndPoints()
    last, number = sum(size.blocks) - 1, 0
    with (
        tf.compat.v1.variable_scope(scope, values=[images], reuse=reuse),
        slim.arg_scope([slim.dropout, drop_path], is_training=is_training),
    ):
        net = images
        for stage, (depth, blocks) in enumerate(
            zip(size.depths, size.blocks, strict=True), 1
        ):
            name = "stem" if stage == 1 else f"downsample_{stage}"
            with tf.compat.v1.variable_scope(name):
                if stage == 1:
                    net = transformer.layer_norm(_patches(net, depth, 4))
                else:
                    net = _patches(transformer.layer_norm(net), depth, 2)
            end_points[name] = net
            for _ in range(blocks):
                keep_prob = 1 - size.drop_path_rate * number / last
                number += 1
                with tf.compat.v1.variable_scope(f"block_{number}"):
                    net = _block(net, keep_prob)
                end_points[f"block_{number}"] = net
        net = end_points["global_pool"] = tf.reduce_mean(net, [1, 2])
        net = end_points["PreLogits"] = transformer.layer_norm(net)
        return classified(net, num_classes, end_points), end_points


ENTRIES = {
    name: NetEntry(
        of_size(convnext, SIZES, name, _IMAGE_SIZE),
        transformer.arg_scope,
        _IMAGE_SIZE,
        (f"{name}/Logits",),
        "torchvision",
    )
    for name in SIZES
}
