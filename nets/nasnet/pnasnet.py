"""PNASNet-5: a cell found by progressive search.

Liu et al., "Progressive Neural Architecture Search", https://arxiv.org/abs/1712.00559,
figure 1: the same cell everywhere, with stride 2 where height and width are halved.
ImageNet top-1/top-5 of the published weights: 82.9/96.2 (large, 331 px),
74.2/91.9 (mobile, 224 px).
"""

from typing import Any

import tensorflow as tf

from nets.nasnet import builder, layers, nasnet_utils


class PNasNetNormalCell(nasnet_utils.FoundCell):
    """The cell of figure 1."""

    PAIRS = (
        ("separable_5x5_2", 1, "max_pool_3x3", 1),
        ("separable_7x7_2", 0, "max_pool_3x3", 0),
        ("separable_5x5_2", 0, "separable_3x3_2", 0),
        ("separable_3x3_2", 4, "max_pool_3x3", 0),
        ("separable_3x3_2", 1, "none", 0),
    )
    USED = (1, 1, 0, 0, 0, 0, 0)


def large_imagenet_config() -> builder.Config:
    """PNASNet-5 (N = 4, F = 216)."""
    return builder.Config(
        num_cells=12,
        num_conv_filters=216,
        stem_multiplier=3.0,
        dense_dropout_keep_prob=0.5,
        drop_path_keep_prob=0.6,
        total_training_steps=250000,
        skip_reduction_layer_input=True,
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
        skip_reduction_layer_input=True,
    )


def _plan(config: builder.Config, is_training: bool) -> list[builder.PlannedCell]:
    """The same cell throughout, with stride 2 where height and width are halved."""
    halved_at = layers.calc_reduction_layers(
        config.num_cells, config.num_reduction_layers
    )
    total = builder.STEM_CELLS + config.num_cells
    cell = builder.make_cell(PNasNetNormalCell, config, total, is_training)
    plan = builder.stem_cells(config, cell)
    for number in range(config.num_cells):
        halvings = sum(number >= at for at in halved_at)
        is_halved = number in halved_at
        plan.append(
            builder.PlannedCell(
                f"cell_{number}",
                f"Cell_{number}",
                cell,
                config.filter_scaling_rate**halvings,
                stride=2 if is_halved else 1,
                prev=-3 if is_halved and not config.skip_reduction_layer_input else -2,
                aux_scope=builder.aux_scope(number, halved_at),
            )
        )
    return plan


def pnasnet_large_arg_scope(
    weight_decay: float = 4e-5,
    batch_norm_decay: float = 0.9997,
    batch_norm_epsilon: float = 1e-3,
) -> dict[str, Any]:
    """The default layer arguments the large net was trained with, as an arg scope."""
    return layers.arg_scope(weight_decay, batch_norm_decay, batch_norm_epsilon)


def pnasnet_mobile_arg_scope(
    weight_decay: float = 4e-5,
    batch_norm_decay: float = 0.9997,
    batch_norm_epsilon: float = 1e-3,
) -> dict[str, Any]:
    """The default layer arguments the mobile net was trained with, as an arg scope."""
    return layers.arg_scope(weight_decay, batch_norm_decay, batch_norm_epsilon)


def build_pnasnet_large(
    images: tf.Tensor,
    num_classes: int | None,
    is_training: bool = True,
    final_endpoint: str | None = None,
    config: builder.Config | None = None,
    current_step: tf.Tensor | None = None,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """PNASNet-5 Large: 82.9/96.2 top-1/top-5 on ImageNet at 331 px.

    See `builder.build` for arguments, results and errors; `config` is
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

    See `builder.build` for arguments, results and errors; `config` is
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
        stem=builder.imagenet_stem(config),
        plan=_plan(config, is_training),
        final_endpoint=final_endpoint,
        current_step=current_step,
    )
