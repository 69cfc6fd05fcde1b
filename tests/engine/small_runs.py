"""Training runs that take seconds: a net of a few layers on the coloured images."""

import contextlib
import dataclasses
import os
import pathlib
import typing
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import tensorflow as tf

from checkpoints.slim_format import Checkpoint
from config.train_config import TrainConfig
from engine import train_loop
from nets import nets_factory, slim
from nets.nets_factory import NetEntry
from tests.engine import coloured_images

NET = "tiny"
IMAGE_SIZE = 16
COLOURS = [0, 1, 2] * 4
BATCH_SIZE = 4  # three steps an epoch


def _build(
    images: tf.Tensor,
    num_classes: int | None,
    is_training: bool,
    dropout_keep_prob: float = 0.5,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Two convolutions with batch norm, an auxiliary head, dropout, logits."""

    def head(scope: str, features: tf.Tensor) -> tf.Tensor:
        means = tf.reduce_mean(features, [1, 2], keepdims=True)
        means = slim.dropout(means, keep_prob=dropout_keep_prob)
        with slim.arg_scope([slim.conv2d], activation_fn=None, normalizer_fn=None):
            return tf.squeeze(slim.conv2d(means, num_classes, 1, scope=scope), [1, 2])

    with (
        tf.compat.v1.variable_scope("Tiny"),
        slim.arg_scope([slim.batch_norm, slim.dropout], is_training=is_training),
    ):
        first = slim.conv2d(images, 4, 3, stride=2, scope="Conv2d_1")
        second = slim.conv2d(first, 6, 3, stride=2, scope="Conv2d_2")
        if num_classes is None:  # as slim's nets, which then end before their head
            means = tf.reduce_mean(second, [1, 2], keepdims=True)
            return means, {"Conv2d_1": first, "Conv2d_2": second}
        aux_logits, logits = head("AuxLogits", first), head("Logits", second)
    return logits, {"Conv2d_1": first, "Conv2d_2": second, "AuxLogits": aux_logits}


def _arg_scope(weight_decay: float) -> dict[str, Any]:
    regularizer = slim.l2_regularizer(weight_decay)
    with (
        slim.arg_scope([slim.batch_norm], decay=0.9, scale=True),
        slim.arg_scope(
            [slim.conv2d],
            normalizer_fn=slim.batch_norm,
            weights_regularizer=regularizer,
        ) as scope,
    ):
        return scope


NET_ENTRY = NetEntry(
    builder=_build,
    arg_scope=_arg_scope,
    image_size=IMAGE_SIZE,
    head_scopes=("Tiny/Logits", "Tiny/AuxLogits"),
    preprocessing="inception",
)


@contextlib.contextmanager
def net_registered() -> Iterator[None]:
    """`--model_name=tiny` works inside, and nowhere else."""
    with mock.patch.dict(nets_factory.NETWORKS, {NET: NET_ENTRY}):
        yield


def write_images(folder: pathlib.Path) -> pathlib.Path:
    """Writes a split to train on, and one to evaluate."""
    coloured_images.write_split(folder, "train", COLOURS, COLOURS)
    return coloured_images.write_split(folder, "validation", COLOURS[:5], COLOURS[:5])


def make_config(**values: Any) -> TrainConfig:
    """The options of a run, by the names of their flags."""
    values = {
        "dataset_name": coloured_images.NAME,
        "model_name": NET,
        "batch_size": BATCH_SIZE,
        "learning_rate": 0.05,
        "log_every_n_steps": 1,
        "save_summaries_secs": 0,
        "num_preprocessing_threads": 1,
    } | {
        name: os.fspath(v) if name.endswith("_dir") else v for name, v in values.items()
    }
    groups = {}
    for name, group in typing.get_type_hints(TrainConfig).items():
        fields = [field.name for field in dataclasses.fields(group)]
        groups[name] = group(**{f: values.pop(f) for f in fields if f in values})
    assert not values, f"no such flags: {list(values)}"
    return TrainConfig(**groups)


def train(**values: Any) -> int:
    """Trains with these flags."""
    return train_loop.train(make_config(**values))


def read_all(folder: str | os.PathLike, step: int) -> dict[str, np.ndarray]:
    """Every variable of the checkpoint of a step."""
    checkpoint = Checkpoint(os.path.join(folder, f"model.ckpt-{step}"))
    return {name: checkpoint.read(name) for name in checkpoint.shapes}


def steps_saved(folder: str | os.PathLike) -> list[int]:
    """Steps of the checkpoints in a folder, in order."""
    return sorted(
        int(path.stem.rpartition("-")[2])
        for path in pathlib.Path(folder).glob("model.ckpt-*.index")
    )
