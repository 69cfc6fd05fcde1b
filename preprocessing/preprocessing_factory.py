"""The table of recipes: how a photo becomes the input of which net."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Protocol

import tensorflow as tf

from errors import UserError
from preprocessing import (
    cifarnet_preprocessing,
    efficientnet_preprocessing,
    image_ops,
    inception_preprocessing,
    keras_preprocessing,
    lenet_preprocessing,
    normalization,
    torchvision_preprocessing,
    vgg_preprocessing,
)
from preprocessing.photo import Photo


class PreprocessFn(Protocol):
    """What `get_preprocessing` returns: maps an image to the input of a net."""

    def __call__(
        self,
        image: tf.Tensor | Photo,
        output_height: int,
        output_width: int,
        seed: tf.Tensor | None = None,
        **options: Any,
    ) -> tf.Tensor:
        """Maps [H, W, 1 or 3] uint8 to [output_height, output_width, c] float32.

        Only the part of a `Photo` that is needed is decoded.
        """


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a family of nets expects its images.

    Attributes:
      train: (image, height, width, seed, use_grayscale) → image, at random.
      evaluate: (image, height, width, use_grayscale) → image, always the same.
      preprocess_image: slim's function for both, which has its own options.
    """

    train: Callable[[tf.Tensor | Photo, int, int, tf.Tensor, bool], tf.Tensor]
    evaluate: Callable[[tf.Tensor | Photo, int, int, bool], tf.Tensor]
    preprocess_image: Callable[..., tf.Tensor] | None = None


def _keras(colors: normalization.Colors) -> Recipe:
    return Recipe(
        functools.partial(torchvision_preprocessing.train, colors=colors),
        functools.partial(keras_preprocessing.evaluate, colors=colors),
    )


def _efficientnet(colors: normalization.Colors) -> Recipe:
    return Recipe(
        functools.partial(
            torchvision_preprocessing.train,
            colors=colors,
            resize=image_ops.resize_bicubic,
        ),
        functools.partial(efficientnet_preprocessing.evaluate, colors=colors),
    )


_CIFARNET = Recipe(
    cifarnet_preprocessing.train,
    cifarnet_preprocessing.evaluate,
    cifarnet_preprocessing.preprocess_image,
)
_INCEPTION = Recipe(
    inception_preprocessing.train,
    inception_preprocessing.evaluate,
    inception_preprocessing.preprocess_image,
)
_LENET = Recipe(
    lenet_preprocessing.train,
    lenet_preprocessing.evaluate,
    lenet_preprocessing.preprocess_image,
)
_TORCHVISION = Recipe(
    torchvision_preprocessing.train, torchvision_preprocessing.evaluate
)
_BICUBIC = functools.partial(
    image_ops.resize_like_pillow, method=tf.image.ResizeMethod.BICUBIC
)
_TORCHVISION_BICUBIC = Recipe(
    functools.partial(torchvision_preprocessing.train, resize=_BICUBIC),
    functools.partial(torchvision_preprocessing.evaluate, resize=_BICUBIC),
)
_VGG = Recipe(
    vgg_preprocessing.train,
    vgg_preprocessing.evaluate,
    vgg_preprocessing.preprocess_image,
)

# AlexNet and OverFeat have no recipe in slim. They use VGG's, which is similar: their
# papers too scale the shorter side to 256, crop at random and subtract mean colors.
RECIPES: dict[str, Recipe] = {
    "alexnet_v2": _VGG,
    "cifarnet": _CIFARNET,
    "efficientnet": _efficientnet(normalization.IMAGENET),
    "efficientnet_lite": _efficientnet(normalization.LITE),
    "efficientnet_v2": _efficientnet(normalization.V2),
    "inception": _INCEPTION,
    "inception_resnet_v2": _INCEPTION,
    "inception_v1": _INCEPTION,
    "inception_v2": _INCEPTION,
    "inception_v3": _INCEPTION,
    "inception_v3_narrow": _INCEPTION,
    "inception_v4": _INCEPTION,
    "keras_caffe": _keras(normalization.CAFFE),
    "keras_imagenet": _keras(normalization.IMAGENET),
    "keras_efficientnet_v2": _keras(normalization.V2),
    "keras_tf": _keras(normalization.TF),
    "keras_unit": _keras(normalization.UNIT),
    "keras_vgg": _keras(normalization.VGG),
    "lenet": _LENET,
    "mobilenet_edgetpu": _INCEPTION,
    "mobilenet_edgetpu_075": _INCEPTION,
    "mobilenet_v1": _INCEPTION,
    "mobilenet_v1_025": _INCEPTION,
    "mobilenet_v1_050": _INCEPTION,
    "mobilenet_v1_075": _INCEPTION,
    "mobilenet_v2": _INCEPTION,
    "mobilenet_v2_035": _INCEPTION,
    "mobilenet_v2_140": _INCEPTION,
    "mobilenet_v3_large": _INCEPTION,
    "mobilenet_v3_large_minimalistic": _INCEPTION,
    "mobilenet_v3_small": _INCEPTION,
    "mobilenet_v3_small_minimalistic": _INCEPTION,
    "nasnet_cifar": _CIFARNET,
    "nasnet_large": _INCEPTION,
    "nasnet_mobile": _INCEPTION,
    "overfeat": _VGG,
    "pnasnet_large": _INCEPTION,
    "pnasnet_mobile": _INCEPTION,
    "resnet_v1_101": _VGG,
    "resnet_v1_152": _VGG,
    "resnet_v1_18": _TORCHVISION,
    "resnet_v1_200": _VGG,
    "resnet_v1_34": _TORCHVISION,
    "resnet_v1_50": _VGG,
    "resnet_v2_101": _VGG,
    "resnet_v2_152": _VGG,
    "resnet_v2_200": _VGG,
    "resnet_v2_50": _VGG,
    "torchvision": _TORCHVISION,
    "torchvision_bicubic": _TORCHVISION_BICUBIC,
    "vgg": _VGG,
    "vgg_16": _VGG,
    "vgg_19": _VGG,
    "vgg_a": _VGG,
}


def same_recipe(name: str, other: str) -> bool:
    """Whether two names of `RECIPES` stand for the same preprocessing."""
    return RECIPES.get(name, name) == RECIPES.get(other, other)


def get_preprocessing(
    name: str, is_training: bool, use_grayscale: bool = False
) -> PreprocessFn:
    """Looks up the preprocessing of a net.

    Args:
      name: name of a net or a recipe, a key of `RECIPES`.
      is_training: whether to distort images at random.
      use_grayscale: whether to return one channel instead of three.

    Returns:
      `fn(image, output_height, output_width, seed=None)`. In training it is a pure
      function of the image and the seed, [2] int64; without a seed it is random at
      each call. Evaluation ignores the seed. It runs both eagerly and in tf.data.
      Instead of a seed it accepts keyword arguments of slim's `preprocess_image`,
      such as `fast_mode`.

    Raises:
      UserError: there is no such name.
    """
    if name not in RECIPES:
        raise UserError(
            f"Unknown preprocessing {name!r}, expected one of {', '.join(RECIPES)}; "
            "set --preprocessing_name to one of these."
        )
    recipe = RECIPES[name]

    def preprocess(
        image: tf.Tensor | Photo,
        output_height: int,
        output_width: int,
        seed: tf.Tensor | None = None,
        **options: Any,
    ) -> tf.Tensor:
        if options:
            if seed is not None or recipe.preprocess_image is None:
                raise UserError(
                    f"preprocessing {name!r} takes no {', '.join(options)}"
                    f"{' with a seed' if recipe.preprocess_image else ''}: leave it out"
                )
            return recipe.preprocess_image(
                image,
                output_height,
                output_width,
                is_training=is_training,
                use_grayscale=use_grayscale,
                **options,
            )
        if not is_training:
            return recipe.evaluate(image, output_height, output_width, use_grayscale)
        seed = image_ops.fresh_seed() if seed is None else seed
        return recipe.train(image, output_height, output_width, seed, use_grayscale)

    return preprocess
