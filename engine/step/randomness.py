"""Everything random in a step: its seed, and how images are mixed."""

import tensorflow as tf

from config.training.augmentation_options import AugmentationOptions
from preprocessing import mixing

# Folded into a step's seed for mixing, which must not draw the same as dropout.
_MIXING = 1 << 30


def step_seed(seed: int, step: tf.Tensor, replica: tf.Tensor | int) -> tf.Tensor:
    """The seed of everything random in a step on one device, `[2]` int64.

    Args:
      seed: `--seed`.
      step: scalar int64.
      replica: index of the device.
    """
    run_and_step = tf.stack([tf.constant(seed, tf.int64), step])
    return tf.random.experimental.stateless_fold_in(run_and_step, replica)


def mix(
    images: tf.Tensor,
    targets: tf.Tensor,
    seed: tf.Tensor,
    augmentation: AugmentationOptions,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Applies mixup and CutMix to a batch, as the options say.

    Args:
      images: `[batch, height, width, channels]` float32.
      targets: `[batch, classes]` float32.
      seed: from `step_seed`.
      augmentation: the options; without mixup and CutMix the batch is unchanged.

    Returns:
      Mixed images and targets, with the shapes and dtypes of the arguments.
    """
    return mixing.mix(
        images,
        targets,
        tf.random.experimental.stateless_fold_in(seed, _MIXING),
        augmentation.mixup_alpha,
        augmentation.cutmix_alpha,
    )
