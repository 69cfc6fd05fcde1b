"""NASNet-A: cells found on CIFAR-10 by reinforcement learning, in three stacks.

Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition",
https://arxiv.org/abs/1707.07012: figure 4 (the cells), figure 2 (their stacks).
ImageNet top-1/top-5 of the published weights: 82.7/96.2 (large, 331 px), 74.0/91.6
(mobile, 224 px).
"""

from typing import Any

import tensorflow as tf

from nets.nasnet import builder, layers, nasnet_utils


def cifar_config() -> builder.Config:
    """NASNet-A (6 @ 768)."""
    return builder.Config(
        num_cells=18,
        num_conv_filters=32,
        stem_multiplier=3.0,
        dense_dropout_keep_prob=1.0,
        drop_path_keep_prob=0.6,
        total_training_steps=937500,
    )


def mobile_imagenet_config() -> builder.Config:
    """NASNet-A (4 @ 1056)."""
    return builder.Config(
        num_cells=12,
        num_conv_filters=44,
        stem_multiplier=1.0,
        dense_dropout_keep_prob=0.5,
        drop_path_keep_prob=1.0,
        total_training_steps=250000,
    )


def large_imagenet_config() -> builder.Config:
    """NASNet-A (6 @ 4032)."""
    return builder.Config(
        num_cells=18,
        num_conv_filters=168,
        stem_multiplier=3.0,
        dense_dropout_keep_prob=0.5,
        drop_path_keep_prob=0.7,
        total_training_steps=250000,
        skip_reduction_layer_input=True,
    )


def _plan(
    config: builder.Config, is_training: bool, num_stem_cells: int
) -> list[builder.PlannedCell]:
    """Normal cells, with a reduction cell wherever height and width are halved."""
    halved_at = layers.calc_reduction_layers(
        config.num_cells, config.num_reduction_layers
    )
    total = num_stem_cells + config.num_cells + config.num_reduction_layers
    normal, reduction = (
        builder.make_cell(cell, config, total, is_training)
        for cell in (nasnet_utils.NasNetANormalCell, nasnet_utils.NasNetAReductionCell)
    )
    plan = builder.stem_cells(config, reduction) if num_stem_cells else []
    for number in range(config.num_cells):
        halvings = sum(number >= at for at in halved_at)
        scaling = config.filter_scaling_rate**halvings
        is_halved = number in halved_at
        if is_halved:
            plan.append(
                builder.PlannedCell(
                    f"reduction_cell_{halvings - 1}",
                    f"Reduction_Cell_{halvings - 1}",
                    reduction,
                    scaling,
                    stride=2,
                )
            )
        plan.append(
            builder.PlannedCell(
                f"cell_{number}",
                f"Cell_{number}",
                normal,
                scaling,
                stride=1,
                prev=-3 if is_halved and config.skip_reduction_layer_input else -2,
                aux_scope=builder.aux_scope(number, halved_at),
            )
        )
    return plan


def nasnet_cifar_arg_scope(
    weight_decay: float = 5e-4,
    batch_norm_decay: float = 0.9,
    batch_norm_epsilon: float = 1e-5,
) -> dict[str, Any]:
    """The default layer arguments the CIFAR net was trained with, as an arg scope."""
    return layers.arg_scope(weight_decay, batch_norm_decay, batch_norm_epsilon)


def nasnet_mobile_arg_scope(
    weight_decay: float = 4e-5,
    batch_norm_decay: float = 0.9997,
    batch_norm_epsilon: float = 1e-3,
) -> dict[str, Any]:
    """The default layer arguments the mobile net was trained with, as an arg scope."""
    return layers.arg_scope(weight_decay, batch_norm_decay, batch_norm_epsilon)


def nasnet_large_arg_scope(
    weight_decay: float = 5e-5,
    batch_norm_decay: float = 0.9997,
    batch_norm_epsilon: float = 1e-3,
) -> dict[str, Any]:
    """The default layer arguments the large net was trained with, as an arg scope."""
    return layers.arg_scope(weight_decay, batch_norm_decay, batch_norm_epsilon)


def build_nasnet_cifar(
    images: tf.Tensor,
    num_classes: int | None,
    is_training: bool = True,
    config: builder.Config | None = None,
    current_step: tf.Tensor | None = None,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """NASNet-A for CIFAR-10: 3.3 million parameters for 10 classes, no auxiliary head.

    See `builder.build` for arguments, results and errors; `config` is `cifar_config()`
    by default.
    """
    config = config or cifar_config()
    return builder.build(
        images,
        num_classes,
        is_training,
        config=config,
        stem=builder.Stem(
            "l1_stem_3x3",
            "l1_stem_bn",
            filters=int(config.num_conv_filters * config.stem_multiplier),
            stride=1,
            padding="SAME",
            end_point="Stem",
        ),
        plan=_plan(config, is_training, num_stem_cells=0),
        current_step=current_step,
    )


build_nasnet_cifar.default_image_size = 32  # type: ignore[attr-defined]


def build_nasnet_mobile(
    images: tf.Tensor,
    num_classes: int | None,
    is_training: bool = True,
    final_endpoint: str | None = None,
    config: builder.Config | None = None,
    current_step: tf.Tensor | None = None,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """NASNet-A Mobile: 74.0/91.6 top-1/top-5 on ImageNet at 224 px.

    See `builder.build` for arguments, results and errors; `config` is
    `mobile_imagenet_config()` by default.
    """
    config = config or mobile_imagenet_config()
    return _build_imagenet(
        images, num_classes, is_training, final_endpoint, config, current_step
    )


build_nasnet_mobile.default_image_size = 224  # type: ignore[attr-defined]


def build_nasnet_large(
    images: tf.Tensor,
    num_classes: int | None,
    is_training: bool = True,
    final_endpoint: str | None = None,
    config: builder.Config | None = None,
    current_step: tf.Tensor | None = None,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """NASNet-A Large: 82.7/96.2 top-1/top-5 on ImageNet at 331 px.

    See `builder.build` for arguments, results and errors; `config` is
    `large_imagenet_config()` by default.
    """
    config = config or large_imagenet_config()
    return _build_imagenet(
        images, num_classes, is_training, final_endpoint, config, current_step
    )


build_nasnet_large.default_image_size = 331  # type: ignore[attr-defined]


def _build_imagenet(
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
        plan=_plan(config, is_training, builder.STEM_CELLS),
        final_endpoint=final_endpoint,
        current_step=current_step,
    )
