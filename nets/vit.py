"""Vision transformers, and those of DINOv2.

Dosovitskiy et al., "An Image is Worth 16x16 Words", https://arxiv.org/abs/2010.11929,
table 1; Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision",
https://arxiv.org/abs/2304.07193, whose nets have layer scale and no classifier. A
DINOv2 head is trained on the class token alone.

ImageNet top-1: torchvision's ViT B/16 and L/16 81.1 and 79.7; timm's S/16 and B/16
(augreg, ImageNet-21k first) 81.4 and 84.5; linear probes of DINOv2 S/14 and B/14 81.1
and 84.5.
"""

import functools
from typing import NamedTuple

import tensorflow as tf

from nets import positions, slim, transformer
from nets.drop_path import drop_path
from nets.end_points import EndPoints
from nets.logits import classified
from nets.net_entry import NetEntry, of_size
from nets.positions import Interpolation

_IMAGE_SIZE = 224
# Of the last block; it grows linearly from 0 at the first, as in Touvron et al.,
# "Training data-efficient image transformers", https://arxiv.org/abs/2012.12877.
_DROP_PATH_RATE = 0.1


class Size(NamedTuple):
    """A transformer.

    Attributes:
      depth: channels of a token.
      blocks: how many there are.
      heads: the number of heads of each attention.
      patch: side of the square that is a token, in pixels.
      grid: tokens per side that there are position embeddings for.
      interpolation: how these are brought to other sizes.
      layer_scale: initial value of the branches' factors; None: there are none.
    """

    depth: int
    blocks: int
    heads: int
    patch: int = 16
    grid: int = _IMAGE_SIZE // 16
    interpolation: Interpolation = positions.OF_TIMM
    layer_scale: float | None = None


_DINOV2 = functools.partial(
    Size, patch=14, grid=37, interpolation=positions.OF_DINOV2, layer_scale=1.0
)
SIZES = {
    "vit_s16": Size(384, 12, 6),
    "vit_b16": Size(768, 12, 12),
    "vit_l16": Size(1024, 24, 16),
    "dinov2_s14": _DINOV2(384, 12, 6),
    "dinov2_b14": _DINOV2(768, 12, 12),
}


def _embedding(images: tf.Tensor, size: Size) -> tf.Tensor:
    """`[batch, 1 + patches, depth]`: the class token, then the patches row by row.

    Raises:
      ValueError: the images are not square, or not made of whole patches.
    """
    height, width = images.shape[1:3]
    if height != width or height % size.patch:
        raise ValueError(
            f"sides must be equal and a multiple of {size.patch}, the side of a patch,"
            f" at least {size.patch}"
        )
    side = height // size.patch

    def embedding(name: str, tokens: int) -> tf.Tensor:
        with tf.compat.v1.variable_scope(name):
            return slim.model_variable(
                "values",
                [1, tokens, size.depth],
                initializer=transformer.weights_initializer,
            )

    with tf.compat.v1.variable_scope("embedding"):
        patches = slim.conv2d(
            images,
            size.depth,
            [size.patch, size.patch],
            stride=size.patch,
            padding="VALID",
            activation_fn=None,
            scope="patches",
        )
        patches = tf.reshape(patches, [-1, side * side, size.depth])
        # In float32: the sum is rounded once.
        first = embedding("class_token", 1)
        of_places = embedding("positions", 1 + size.grid**2)
        on_grid = positions.resized(of_places[:, 1:], side, size.interpolation)
        patches += tf.cast(on_grid, patches.dtype)
        first = tf.cast(first + of_places[:, :1], patches.dtype)
        first = tf.tile(first, [tf.shape(patches)[0], 1, 1])
        return tf.concat([first, patches], axis=1)


def _block(net: tf.Tensor, size: Size, keep_prob: float) -> tf.Tensor:
    """Attention between tokens, then an MLP at each; both are added to their input."""
    block = tf.compat.v1.get_variable_scope().name
    for name in ("attention", "mlp"):
        with tf.compat.v1.variable_scope(name):
            branch = transformer.layer_norm(net)
            if name == "attention":
                branch = transformer.attention(branch, size.heads)
            else:
                branch = transformer.mlp(branch)
            if size.layer_scale is not None:
                branch = transformer.layer_scale(branch, size.layer_scale)
            net += drop_path(branch, keep_prob, block=block)
    return net


def vit(
    images: tf.Tensor,
    size: Size,
    num_classes: int | None = 1000,
    is_training: bool = True,
    reuse: bool | None = None,
    scope: str = "vit",
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Builds a vision transformer.

    Args:
      images: `[batch, side, side, channels]` float32; the side is a multiple of that
        of a patch.
      size: the size of the net.
      num_classes: None or 0 gives the class token's features instead of logits.
      is_training: mode of dropout and drop path.
      reuse: whether to reuse the variables of `scope`.
      scope: variable scope.

    Returns:
      `[batch, num_classes]` logits, or features, and all end points by name: the tokens
      after the embedding and each block, `[batch, 1 + patches, depth]`, the class
      token's features, logits, and probabilities.

    Raises:
      ValueError: the images have another side.
    """
    end_points = EndPoints()
    with (
        tf.compat.v1.variable_scope(scope, values=[images], reuse=reuse),
        slim.arg_scope([slim.dropout, drop_path], is_training=is_training),
    ):
        net = end_points["embedding"] = _embedding(images, size)
        for i in range(size.blocks):
            keep_prob = 1 - _DROP_PATH_RATE * i / (size.blocks - 1)
            name = f"block_{i + 1}"
            with tf.compat.v1.variable_scope(name):
                net = _block(net, size, keep_prob)
            end_points[name] = net
        net = end_points["PreLogits"] = transformer.layer_norm(net[:, 0])
        return classified(net, num_classes, end_points), end_points


ENTRIES = {
    name: NetEntry(
        of_size(vit, SIZES, name, _IMAGE_SIZE),
        transformer.arg_scope,
        _IMAGE_SIZE,
        (f"{name}/Logits",),
        "torchvision_bicubic",
    )
    for name in SIZES
}
