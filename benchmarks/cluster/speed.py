"""Images a second of one task and of two, and what two tasks cost beside two clones."""

import re
import shutil
import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks import ours
from benchmarks.cluster.bench import Bench, finished, pinned, script
from benchmarks.measuring import Scale

_NARROW = {
    "train_image_size": 96,
    "batch_size": 16,
    "max_number_of_steps": 400,
    "log_every_n_steps": 20,
    "recompute_batch_norm": "false",
}
_INCEPTION = {
    "model_name": "inception_v3",
    "batch_size": 16,
    "max_number_of_steps": 8,
    "recompute_batch_norm": "false",
}
_NETS: dict[str, dict[str, Any]] = {
    "MobilenetV1 × 0.25, 96 pixels": _NARROW,
    **{
        f"InceptionV3, {size} pixels": {**_INCEPTION, "train_image_size": size}
        for size in (128, 299)
    },
}
_FROZEN = Scale(model_name="inception_v3", image_size=128, batch_size=16)
_NUM_IMAGES = 960  # of the long run; the short one has a fifth
_SPEED = re.compile(r"global step \d+:.* ([\d.,]+) images/s")


def steps(bench: Bench) -> None:
    """A training step on one task and on two, each with a core of its own."""
    for name, values in _NETS.items():
        rates = {}
        for number in (1, 2):
            run = bench.command(f"{name} {number}", **values)
            said = finished(number, run, before=pinned(number))
            rates[number] = statistics.median(_rates(said))
        _say_rates(bench, f"training, {name}", rates)


def averages(bench: Bench) -> None:
    """A step with moving averages on two tasks, and on two clones of one process."""
    values: dict[str, Any] = {**_NARROW, "moving_average_decay": 0.9}
    secs = {}
    for kind, number, more in (("clones", 1, {"num_clones": 2}), ("tasks", 2, {})):
        said = finished(number, bench.command(f"averages {kind}", **values, **more))
        secs[kind] = 2 * 16 / statistics.median(_rates(said))
    times = secs["tasks"] / secs["clones"]
    bench.say(
        "a step with moving averages, 2 clones and 2 tasks",
        f"{1e3 * secs['clones']:.1f} and {1e3 * secs['tasks']:.1f} ms: {times:.2f}×",
    )


def cache(bench: Bench) -> None:
    """Features computed on one task and on two, each with a core of its own."""

    def command(name: str, split: str) -> list[str]:
        shutil.rmtree(bench.folder / "features", ignore_errors=True)
        return bench.command(
            name,
            **_frozen_flags(bench),
            dataset_split_name=split,
            train_image_size=_FROZEN.image_size,
            feature_cache="disk",
            feature_cache_dir=bench.folder / "features",
            trainable_scopes="head",
            max_number_of_steps=1,
            recompute_batch_norm="false",
        )

    _say_rates(bench, "feature cache, InceptionV3", _rates_of_images(command))


def evaluation(bench: Bench) -> None:
    """Images evaluated on one task and on two, each with a core of its own."""
    ours.write_checkpoint(bench.folder, _FROZEN)

    def command(name: str, split: str) -> list[str]:
        return script(
            "eval_image_classifier.py",
            **_frozen_flags(bench),
            dataset_split_name=split,
            eval_image_size=_FROZEN.image_size,
            checkpoint_path=bench.folder / "model.ckpt",
            eval_dir=bench.folder / name,
        )

    _say_rates(bench, "evaluation, InceptionV3", _rates_of_images(command))


def _frozen_flags(bench: Bench) -> dict[str, Any]:
    data = bench.data(num_images=_NUM_IMAGES)
    return {**data, "model_name": _FROZEN.model_name, "batch_size": _FROZEN.batch_size}


def _rates_of_images(command: Callable[[str, str], list[str]]) -> dict[int, float]:
    """Images a second by number of tasks, without what start and end take.

    Args:
      command: a name and a split → what is run on all images of it.
    """
    rates = {}
    for number in (1, 2):
        secs = []
        for split in ("validation", "train"):
            words = command(f"{split} on {number}", split)
            started_at = time.monotonic()
            finished(number, words, before=pinned(number))
            secs.append(time.monotonic() - started_at)
        rates[number] = (_NUM_IMAGES - _NUM_IMAGES // 5) / (secs[1] - secs[0])
    return rates


def _rates(said: str) -> list[float]:
    """Images a second of each line of a log."""
    return [float(rate.replace(",", "")) for rate in _SPEED.findall(said)]


def _say_rates(bench: Bench, name: str, rates: dict[int, float]) -> None:
    bench.say(
        f"{name}, 1 and 2 tasks",
        f"{rates[1]:.1f} and {rates[2]:.1f} images/s:"
        f" {rates[2] / rates[1] / 2:.2f} of twice",
    )
