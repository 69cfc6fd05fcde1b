"""Our side: what the scripts run, held in hand for a stopwatch."""

import dataclasses
import functools
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
import typing
from typing import Any

import tensorflow as tf

from benchmarks import photos
from benchmarks.measuring import Measure, Scale, rate
from benchmarks.photos import NUM_CLASSES
from checkpoints import slim_format
from config.shared_options import DataOptions
from config.train_config import TrainConfig
from engine import devices
from engine.run import train_inputs, train_setup, training
from errors import UserError
from nets.network import Network

ROOT = pathlib.Path(__file__).resolve().parents[1]
_DATASET = "photos"


def make_data(
    folder: pathlib.Path, scale: Scale, *, large: bool = False
) -> pathlib.Path:
    """Draws photos and converts them, where that is not done yet.

    Args:
      folder: where the result goes.
      scale: how many, and their sizes.
      large: photos of the larger size.

    Returns:
      A folder with the photos in `photos/train` and `photos/validation`, and the data
      set in `data`.
    """
    width, height = scale.large_photo_size if large else scale.photo_size
    folder = folder / f"{width}x{height}"
    num_photos = scale.num_images + max(NUM_CLASSES, scale.num_images // 5)
    for split, numbers in (
        ("train", range(scale.num_images)),
        ("validation", range(scale.num_images, num_photos)),
    ):
        directory = folder / "photos" / split
        if not directory.exists():
            photos.write(directory, numbers, width, height)
    if not (folder / "data" / "dataset.json").exists():
        run_script(
            "convert/images_to_tfrecord.py",
            image_dir=folder / "photos",
            **data_flags(folder),
        )
    return folder


def data_flags(folder: pathlib.Path) -> dict[str, Any]:
    """The flags that name the data of `make_data`."""
    return {"dataset_name": _DATASET, "dataset_dir": folder / "data"}


def write_checkpoint(folder: pathlib.Path, scale: Scale) -> None:
    """Writes a checkpoint of the net with its initial weights."""
    network = Network(
        scale.model_name, num_classes=NUM_CLASSES, image_size=scale.image_size
    )
    values = {name: v.numpy() for name, v in network.model_variables.items()}
    slim_format.write_checkpoint(os.fspath(folder / "model.ckpt"), values)


@dataclasses.dataclass(frozen=True)
class Ran:
    """What a finished command took and said.

    Attributes:
      wall_secs: by the clock.
      cpu_secs: of all its processes on all cores, which other work on the machine
        changes less than the clock's time.
      output: what it wrote to its standard output.
    """

    wall_secs: float
    cpu_secs: float
    output: str


def run(script: str, *arguments: str, **values: Any) -> Ran:
    """Runs a script with arguments, and with flags by their names.

    Raises:
      UserError: it failed.
    """
    command = [sys.executable, os.fspath(ROOT / script), *arguments]
    command += [f"--{name}={value}" for name, value in values.items()]
    cpu_before, started_at = _cpu_secs(), time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall_secs = time.monotonic() - started_at
    if done.returncode:
        raise UserError(f"{script} failed: {done.stdout[-1000:]}{done.stderr[-2000:]}")
    return Ran(wall_secs, _cpu_secs() - cpu_before, done.stdout)


def run_script(script: str, **values: Any) -> float:
    """Runs a script with flags, by their names; returns the seconds it took.

    Raises:
      UserError: it failed.
    """
    return run(script, **values).wall_secs


def _cpu_secs() -> float:
    """Of all processes that were started here and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def train_config(folder: pathlib.Path, scale: Scale, **values: Any) -> TrainConfig:
    """The options of a training run, by the names of their flags.

    Args:
      folder: with the data of `make_data`.
      scale: net, image size and batch size.
      **values: more flags.
    """
    values = {
        "model_name": scale.model_name,
        "precision": scale.precision,
        "train_image_size": scale.image_size,
        "batch_size": scale.batch_size,
        "train_dir": "unused",
        **data_flags(folder),
        **values,
    }
    values["dataset_dir"] = os.fspath(values["dataset_dir"])
    groups = {}
    for name, group in typing.get_type_hints(TrainConfig).items():
        fields = [field.name for field in dataclasses.fields(group)]
        groups[name] = group(**{f: values.pop(f) for f in fields if f in values})
    assert not values, f"no such flags: {list(values)}"
    return TrainConfig(**groups)


def data_options(folder: pathlib.Path) -> DataOptions:
    """The options that name the data of `make_data`."""
    return DataOptions(dataset_name=_DATASET, dataset_dir=os.fspath(folder / "data"))


class Training:
    """What `train_loop.train` has in hand before its first step."""

    def __init__(self, config: TrainConfig, *, images_in_memory: bool = False) -> None:
        """Builds all, and fills the feature cache where there is one.

        Args:
          config: the options.
          images_in_memory: every step takes the first batch, preprocessed already, so
            that the step alone is measured.
        """
        strategy = devices.make_strategy(1)
        # The folder is written by no one, but must not hold an earlier run.
        with tempfile.TemporaryDirectory() as train_dir:
            run = dataclasses.replace(config.run, train_dir=train_dir)
            config = dataclasses.replace(config, run=run)
            setup = train_setup.prepare(config, strategy)
        state = train_setup.restored_state(setup, config, strategy)
        inputs = train_inputs.make_inputs(setup, config, state)
        batches = inputs.batches
        if images_in_memory:
            batches = batches.take(1).cache().repeat()
        self._images_per_step = setup.images_per_step
        self._train_fn = training.make_train_fn(setup, config, strategy, state, inputs)
        self._iterator = devices.iterate(strategy, batches)

    def steps(self, num_steps: int) -> int:
        """Makes steps in one call; returns how many images they took."""
        self._train_fn(self._iterator, tf.constant(num_steps))
        return num_steps * self._images_per_step


def prepare_training(
    folder: pathlib.Path,
    scale: Scale,
    *,
    images_in_memory: bool = False,
    steps_per_call: int = 1,
    **values: Any,
) -> Measure:
    """Measures images a second of training with these flags."""
    training = Training(
        train_config(folder, scale, **values), images_in_memory=images_in_memory
    )
    training.steps(1)
    return functools.partial(
        rate, lambda: training.steps(steps_per_call), scale.round_secs
    )
