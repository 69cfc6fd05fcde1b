"""A whole head-only fine-tune of photos, by our script and by Keras' `fit`.

python -m benchmarks.fine_tune --images=1000 --epochs=10,30

Ours is run whole: start-up, the features of all photos computed once, training,
evaluation of the validation split at the end. Of Keras' run the parts are measured,
right before ours and right after it, and its time is the mean of both of
start-up + epochs × images × seconds an image + one evaluation. It computes with
float32, whatever the precision of ours.
"""

import dataclasses
import functools
import pathlib
import shutil
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks import measuring
from benchmarks.measuring import Scale
from config import flags
from config.options import Options, option, split_list

_BATCH_SIZE = 32  # the default of both
_KERAS_BATCHES = 20  # of an epoch that are timed


@dataclasses.dataclass(frozen=True)
class FineTuneOptions(Options):
    """Fine-tune."""

    images: int = option(1000, "Photos to train on.", minimum=1)
    epochs: str = option("10,30", "Numbers of epochs, each a run of its own.")


def tables(
    folder: pathlib.Path, scale: Scale, *, epochs: Sequence[int]
) -> Iterator[str]:
    """Seconds that a fine-tune takes, for each number of epochs.

    Args:
      folder: for the data.
      scale: of the work.
      epochs: numbers of epochs.
    """
    from benchmarks import ours

    folder = ours.make_data(folder, scale)
    make_weights(folder, scale)
    for number in epochs:
        before = _keras_secs(folder, scale, number)
        secs = run_ours(
            folder,
            scale,
            feature_cache="memory",
            max_number_of_epochs=number,
            eval_split_name="validation",
            eval_every_n_steps=1_000_000,  # the last step is evaluated in any case
        )
        around = statistics.mean([before, _keras_secs(folder, scale, number)])
        yield measuring.table(
            f"{number} epochs of {scale.num_images} photos, ours {scale.precision}",
            {"ours": [secs], "Keras": [around]},
            "s",
            more_is_better=False,
        )


def _keras_secs(folder: pathlib.Path, scale: Scale, epochs: int) -> float:
    run = functools.partial(_keras, folder, scale, time.monotonic())
    keras = measuring.in_fresh_process(run, scale)
    secs = keras.total_secs(epochs * scale.num_images)
    print(
        f"Keras: {keras.start_secs:.1f} s to the first step,"
        f" {keras.image_secs * 1000:.1f} s for 1,000 images in training (measured on"
        f" {keras.num_images}), {keras.evaluation_secs:.1f} s for an evaluation",
        file=sys.stderr,
        flush=True,
    )
    return secs


def make_weights(folder: pathlib.Path, scale: Scale) -> None:
    """Writes the weights that both start from."""
    from benchmarks import ours

    ours.write_checkpoint(folder / "start", scale)
    write = functools.partial(_write_keras_weights, folder, scale)
    measuring.in_fresh_process(write, scale)


def _write_keras_weights(folder: pathlib.Path, scale: Scale) -> None:
    from benchmarks import keras_peer

    keras_peer.make_model(scale, "head").save_weights(keras_peer.weights_path(folder))


def run_ours(folder: pathlib.Path, scale: Scale, **values: Any) -> float:
    """Runs a head-only fine-tune by the script; returns the seconds it took."""
    from benchmarks import ours

    train_dir = folder / "run"
    shutil.rmtree(train_dir, ignore_errors=True)
    return ours.run_script(
        "train_image_classifier.py",
        **ours.data_flags(folder),
        model_name=scale.model_name,
        precision=scale.precision,
        train_image_size=scale.image_size,
        batch_size=scale.batch_size,
        checkpoint_path=folder / "start",
        checkpoint_exclude_scopes="head",
        trainable_scopes="head",
        train_dir=train_dir,
        **values,
    )


@dataclasses.dataclass(frozen=True)
class _KerasTimes:
    start_secs: float
    image_secs: float
    num_images: int
    evaluation_secs: float

    def total_secs(self, num_images: int) -> float:
        return self.start_secs + num_images * self.image_secs + self.evaluation_secs


def _keras(folder: pathlib.Path, scale: Scale, started_at: float) -> _KerasTimes:
    from benchmarks import keras_peer

    model = keras_peer.start(folder, scale)
    batches = keras_peer.photo_batches(folder, scale, "train", shuffle=True)
    model.fit(batches.take(1), verbose=0)
    first_at = time.monotonic()
    some = batches.take(_KERAS_BATCHES)
    num_images = sum(len(labels) for _, labels in some)
    fit_at = time.monotonic()
    model.fit(some, verbose=0)
    evaluate_at = time.monotonic()
    model.evaluate(
        keras_peer.photo_batches(folder, scale, "validation", shuffle=False), verbose=0
    )
    return _KerasTimes(
        start_secs=first_at - started_at,
        image_secs=(evaluate_at - fit_at) / num_images,
        num_images=num_images,
        evaluation_secs=time.monotonic() - evaluate_at,
    )


def _at_full_scale(folder: pathlib.Path, scale: Scale) -> Iterator[str]:
    options = flags.read(FineTuneOptions)
    scale = dataclasses.replace(
        scale, num_images=options.images, batch_size=_BATCH_SIZE
    )
    return tables(folder, scale, epochs=list(map(int, split_list(options.epochs))))


if __name__ == "__main__":
    flags.define(FineTuneOptions)
    measuring.run(_at_full_scale, has_precision=True)
