"""Mean per-class recall where classes have ten times as many images as others.

python -m benchmarks.class_balance --photos=solar_cells --splits=3

A third of each class is for testing. Of the rest, each class whose place in the list
is even is cut down to a tenth of the largest one's images, by drawing. The head is
trained on the published weights' cached features, with the flags of each way in turn.
"""

import dataclasses
import pathlib
import shutil
import tempfile
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks import ours, real_photos
from benchmarks.measuring import Scale
from common.tables import text_table
from config import app, flags
from config.options import Options, option
from engine import devices
from engine.feature_cache import cached_training
from engine.report import reports
from engine.run import train_inputs, train_setup, training

_IMBALANCE = 10
_WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "--class_weights=balanced": {"class_weights": "balanced"},
    "--class_weights=effective": {"class_weights": "effective"},
    "--sampling=balanced": {"sampling": "balanced"},
    "--focal_gamma=2": {"focal_gamma": 2.0},
}


@dataclasses.dataclass(frozen=True)
class BenchmarkOptions(Options):
    """Benchmark."""

    photos: str = option("solar_cells", "A set of photos, or a folder of classes.")
    model_name: str = option("mobilenet_v1", "Network.")
    image_size: int = option(224, "Side of its images in pixels.", minimum=1)
    splits: int = option(3, "Divisions of the set.", minimum=1)
    epochs: int = option(30, "Epochs of training.", minimum=1)


def main() -> None:
    """Prints a row for each way: accuracy and mean recall, and the gain over plain."""
    options = flags.read(BenchmarkOptions)
    recalls: dict[str, list[float]] = {way: [] for way in _WAYS}
    accuracies: dict[str, list[float]] = {way: [] for way in _WAYS}
    for seed in range(options.splits):
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            _divide(real_photos.folder(options.photos), folder / "photos", seed)
            ours.run_script(
                "convert/images_to_tfrecord.py",
                image_dir=folder / "photos",
                **ours.data_flags(folder),
            )
            for way in _WAYS:
                accuracy, recall = _measure(options, folder, seed, _WAYS[way])
                accuracies[way].append(accuracy)
                recalls[way].append(recall)
                print(f"split {seed} {way}: {accuracy:.4f} {recall:.4f}", flush=True)
    rows = [_row(way, accuracies[way], recalls[way], recalls["plain"]) for way in _WAYS]
    headings = ("flag", "accuracy", "mean recall", "gain", "least gain", "most gain")
    print(text_table(headings, rows))


def _row(
    way: str, accuracies: list[float], recalls: list[float], plain: list[float]
) -> list[str]:
    """Means over the splits, and the gain in recall of each split at its extremes."""
    gains = np.subtract(recalls, plain)
    figures = np.mean(accuracies), np.mean(recalls), gains.mean()
    extremes = gains.min(), gains.max()
    return [way, *(f"{figure:.3f}" for figure in (*figures, *extremes))]


def _divide(source: pathlib.Path, target: pathlib.Path, seed: int) -> None:
    """Copies photos into `train`, without balance, and `validation`."""
    generator = np.random.default_rng(seed)
    by_class = {
        folder.name: generator.permutation(sorted(folder.iterdir()))
        for folder in sorted(source.iterdir())
        if folder.is_dir()
    }
    most = max(map(len, by_class.values())) * 2 // 3
    for number, (name, paths) in enumerate(by_class.items()):
        num_test = len(paths) // 3
        test, train = paths[:num_test], paths[num_test:]
        if number % 2 == 0:
            train = train[: max(1, most // _IMBALANCE)]
        for split, chosen in (("validation", test), ("train", train)):
            (target / split / name).mkdir(parents=True)
            for path in chosen:
                shutil.copy(path, target / split / name)


def _measure(
    options: BenchmarkOptions, folder: pathlib.Path, seed: int, way: dict[str, Any]
) -> tuple[float, float]:
    """Accuracy and mean per-class recall on the test images."""
    config = ours.train_config(
        folder,
        Scale(model_name=options.model_name, image_size=options.image_size),
        train_dir=str(folder / "unused"),
        checkpoint_path=real_photos.checkpoint(options.model_name),
        checkpoint_exclude_scopes="head",
        trainable_scopes="head",
        feature_cache="disk",
        optimizer="adam",
        opt_epsilon=1e-8,
        learning_rate=0.001,
        learning_rate_decay_type="fixed",
        max_number_of_epochs=float(options.epochs),
        eval_split_name="validation",
        seed=seed,
        **way,
    )
    strategy = devices.make_strategy(1)
    setup = train_setup.prepare(config, strategy)
    state = train_setup.restored_state(setup, config, strategy)
    inputs = train_inputs.make_inputs(setup, config, state)
    train_fn = training.make_train_fn(setup, config, strategy, state, inputs)
    train_fn(devices.iterate(strategy, inputs.batches), tf.constant(setup.last_step))
    assert setup.validation_dataset
    assert setup.split
    evaluator = cached_training.make_evaluator(
        state.network, state.plan, setup.validation_dataset, config, setup.split
    )
    results = evaluator.run()
    scores = reports.score(results, state.network.num_classes)
    return results.accuracy, scores.macro["recall"]


if __name__ == "__main__":
    flags.define(BenchmarkOptions)
    app.run(main)
