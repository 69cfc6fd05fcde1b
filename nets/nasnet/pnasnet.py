"""PNASNet-5: a cell found by progressive search.

Liu et al., "Progressive Neural Architecture Search", https://arxiv.org/abs/1712.00559,
figure 1: one cell for all places; where height and width are halved its operations
have stride 2. ImageNet top-1/top-5 of the published weights: 82.9/96.2 (large, 331 px),
74.2/91.9 (mobile, 224 px).
"""

from typing import Any

import tensorflow as tf

from nets.nasnet import builder, nasnet_utils
from nets.nasnet.nasnet_utils import Cell, Operation

CELL = Cell(
    pairs=(
        (Operation("separable", 5, 1), Operation("max_pool", 3, 1)),
        (Operation("separable", 7, 0), Operation("max_pool", 3, 0)),
        (Operation("separable", 5, 0), Operation("separable", 3, 0)),
        (Operation("separable", 3, 4), Operation("max_pool", 3, 0)),
        (Operation("separable", 3, 1), Operation("identity", 1, 0)),
    ),
    outputs=(2, 3, 4, 5, 6),
)


def large_imagenet_config() -> builder.Config:
    """PNASNet-5 (N = 4, F = 216)."""
    return builder.Config(
        num_cells=12,
        num_conv_filters=216,
        stem_multiplier=3.0,
        dense_dropout_keep_prob=0.5,
        drop_path_keep_prob=0.6,
        total_training_steps=250000,
    )


def mobile_imagenet_config() -> builder.Config:
    """PNASNet-5 (N = 3, F = 54)."""
    return builder.Config(
        num_cells=9,
        num_conv_filters=54,
        stem_multiplier=1.0,
        dense_dropout_keep_prob=0.5,
        drop_path_keep_prob=1.0,
        total_training_steps=250000,
    )


def _cells(config: builder.Config) -> list[builder.PlannedCell]:
    """The same cell throughout, with stride 2 where height and width are halved."""
    halved_at = nasnet_utils.calc_reduction_layers(
        config.num_cells, config.num_reduction_layers
    )
    plan = []
    for number in range(config.num_cells):
        halvings = sum(number >= at for at in halved_at)
        filters = int(config.num_conv_filters * config.filter_scaling_rate**halvings)
        plan.append(
            builder.PlannedCell(
                f"cell_{number}",
                f"Cell_{number}",
                CELL,
                filters,
                stride=2 if number in halved_at else 1,
                aux_scope=builder.aux_scope(number, halved_at),
            )
        )
    return plan


def pnasnet_large_arg_scope(
    weight_decay: float = 4e-5,
    batch_norm_decay: float = 0.9997,
    batch_norm_epsilon: float = 1e-3,
) -> dict[str, Any]:
    """The layer defaults the large network was trained with, for `slim.arg_scope`."""
    return builder.arg_scope(weight_decay, batch_norm_decay, batch_norm_epsilon)


def pnasnet_mobile_arg_scope(
    weight_decay: float = 4e-5,
    batch_norm_decay: float = 0.9997,
    batch_norm_epsilon: float = 1e-3,
) -> dict[str, Any]:
    """The layer defaults the mobile network was trained with, for `slim.arg_scope`."""
    return builder.arg_scope(weight_decay, batch_norm_decay, batch_norm_epsilon)


def build_pnasnet_large(
    images: tf.Tensor,
    num_classes: int | None,
    is_training: bool = True,
    final_endpoint: str | None = None,
    config: builder.Config | None = None,
    current_step: tf.Tensor | None = None,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """PNASNet-5 Large: 82.9/96.2 top-1/top-5 on ImageNet at 331 px.

    Arguments, results and errors: `builder.build`. `config` is
    `large_imagenet_config()` by default.
    """
    config = config or large_imagenet_config()
    return _build(
        images, num_classes, is_training, final_endpoint, config, current_step
    )


build_pnasnet_large.default_image_size = 331  # type: ignore[attr-defined]


def build_pnasnet_mobile(
    images: tf.Tensor,
    num_classes: int | None,
    is_training: bool = True,
    final_endpoint: str | None = None,
    config: builder.Config | None = None,
    current_step: tf.Tensor | None = None,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """PNASNet-5 Mobile: 74.2/91.9 top-1/top-5 on ImageNet at 224 px.

    Arguments, results and errors: `builder.build`. `config` is
    `mobile_imagenet_config()` by default.
    """
    config = config or mobile_imagenet_config()
    return _build(
        images, num_classes, is_training, final_endpoint, config, current_step
    )


build_pnasnet_mobile.default_image_size = 224  # type: ignore[attr-defined]


def _build(
    images: tf.Tensor,
    num_classes: int | None,
    is_training: bool,
    final_endpoint: str | None,
    config: builder.Config,
    current_step: tf.Tensor | None,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    return builder.build(
        images,
        num_classes,
        is_training,
        config=config,
        stem=builder.IMAGENET_STEM,
        plan=[*builder.stem_cells(config, CELL), *_cells(config)],
        final_endpoint=final_endpoint,
        current_step=current_step,
    )
