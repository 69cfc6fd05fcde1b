"""A network with its compiled training step, fed with noise."""

import dataclasses
import functools
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from checkpoints.checkpoint_folder import CheckpointFolder
from engine import devices
from engine.run.initial_weights import find_start
from engine.run.train_inputs import whole_network
from engine.step import class_weights
from engine.step.train_state import TrainState
from engine.step.train_step import make_train_fn
from nets.nets_factory import NetEntry
from nets.network import Network
from tests.engine import small_runs

CLASSES = 3
BATCH = 8  # images a step, over all devices
NUM_EXAMPLES = 16  # two steps an epoch
CLASS_COUNTS = 10, 4, 2


class Trainer:
    """Starts from the same fresh values as often as wanted.

    Attributes:
      config: the options.
      state: what the steps change.
      fresh: the values that every run starts from, by name.
    """

    def __init__(
        self,
        train_dir: pathlib.Path,
        *,
        strategy: tf.distribute.Strategy | None = None,
        image_size: int = small_runs.IMAGE_SIZE,
        **flags: Any,
    ) -> None:
        self._strategy = strategy or tf.distribute.OneDeviceStrategy("/CPU:0")
        self.config = small_runs.make_config(
            **{
                "dataset_dir": "unused",
                "train_dir": train_dir,
                "batch_size": BATCH // self._strategy.num_replicas_in_sync,
                "seed": 5,
                "label_smoothing": 0.1,
                "learning_rate": 0.2,
                "weight_decay": 0.01,
                **flags,
            }
        )
        tf.random.set_seed(1)
        with self._strategy.scope():
            network = Network(
                self.config.model.model_name,
                num_classes=CLASSES,
                image_size=image_size,
                precision=self.config.compute.precision,
            )
            folder = CheckpointFolder(str(train_dir), keep=1)
            plan = find_start(network, folder, self.config.fine_tune).plan
            self.state = TrainState(network, plan, self.config, NUM_EXAMPLES)
        run_network = whole_network(network, plan, self.config)
        kind = self.config.loss.class_weights
        weights = None if kind == "none" else class_weights.by_class(kind, CLASS_COUNTS)
        self._train_fn = make_train_fn(
            self.state, self._strategy, self.config, run_network, weights
        )
        self.fresh = self.values()

    def values(self) -> dict[str, np.ndarray]:
        """All that a checkpoint would hold now."""
        return {n: v.numpy() for n, v in self.state.named_variables().items()}

    def run(
        self, data: dict[str, np.ndarray], steps_per_call: list[int]
    ) -> list[dict[str, np.ndarray]]:
        """Trains from the fresh values; returns what each call of the step gave."""
        for name, variable in self.state.named_variables().items():
            variable.assign(self.fresh[name])
        stream = tf.data.Dataset.from_tensor_slices(data)
        iterator = devices.iterate(self._strategy, stream)
        return [self.step(iterator, number) for number in steps_per_call]

    def step(self, iterator: Iterator, num_steps: int) -> dict[str, np.ndarray]:
        """Calls the step on batches to come."""
        totals = self._train_fn(iterator, tf.constant(num_steps))
        return {name: value.numpy() for name, value in totals.items()}


def noise(num_batches: int, size: int = small_runs.IMAGE_SIZE) -> dict[str, np.ndarray]:
    """Batches of images in [-1, 1) and of labels."""
    generator = np.random.default_rng(0)
    shape = (num_batches, BATCH, size, size, 3)
    return {
        "image": generator.uniform(-1, 1, shape).astype(np.float32),
        "label": generator.integers(0, CLASSES, shape[:2]).astype(np.int32),
    }


def without_dropout(entry: NetEntry) -> NetEntry:
    """The same net, keeping every feature."""
    builder = functools.partial(entry.builder, dropout_keep_prob=1.0)
    return dataclasses.replace(entry, builder=builder)
