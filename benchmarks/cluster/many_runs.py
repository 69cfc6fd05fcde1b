"""Trains several runs one after the other, as one task of several or on clones.

python -m benchmarks.cluster.many_runs RUNS.json

The file maps folders to the flags of `train_image_classifier.py`. One process trains
them all, since starting one takes longer than the few steps of a run.
"""

import json
import pathlib
from typing import Any
from unittest import mock

import tensorflow as tf

from config import app, flags
from config.train_config import TrainConfig
from engine import devices, train_loop


def main(arguments: list[str]) -> int:
    """Trains as the file says; the exit status is that of the first run to fail."""
    runs = json.loads(pathlib.Path(arguments[0]).read_text(encoding="utf-8"))
    # A process connects to others once: all runs have the same devices.
    make_strategy = devices.make_strategy
    made: list[tf.distribute.Strategy] = []

    def same_strategy(*given: Any, **options: Any) -> tf.distribute.Strategy:
        if not made:
            made.append(make_strategy(*given, **options))
        return made[0]

    with mock.patch.object(devices, "make_strategy", same_strategy):
        for folder, values in runs.items():
            words = flags.as_arguments({**values, "train_dir": folder})
            config, given = flags.parse(TrainConfig, words)
            if status := train_loop.train(config, given=given):
                return status
    return 0


if __name__ == "__main__":
    app.run(main, positional="RUNS")
