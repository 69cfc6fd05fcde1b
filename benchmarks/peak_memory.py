"""The most memory that training holds: head alone and everything, ours and Keras.

python -m benchmarks.peak_memory
"""

import dataclasses
import functools
import pathlib
import resource
import sys
from collections.abc import Iterator

from benchmarks import measuring
from benchmarks.measuring import Scale

_BATCH_SIZE = 32
_STEPS = 3


def tables(folder: pathlib.Path, scale: Scale) -> Iterator[str]:
    """Peak resident memory of a process that trains, in MB."""
    from benchmarks import ours

    folder = ours.make_data(folder, scale)
    if scale.isolated:
        scale = dataclasses.replace(scale, batch_size=_BATCH_SIZE)
    contestants = {
        "ours, head": functools.partial(_ours, folder, scale, "head"),
        "ours, all": functools.partial(_ours, folder, scale, "all"),
        "Keras, head": functools.partial(_keras, folder, scale, "head"),
        "Keras, all": functools.partial(_keras, folder, scale, "all"),
    }
    figures: dict[str, list[float] | str] = {
        name: [measuring.in_fresh_process(function, scale)]
        for name, function in contestants.items()
    }
    yield measuring.table(
        f"peak memory of training {scale.model_name}, batches of {scale.batch_size}",
        figures,
        "MB",
        more_is_better=False,
        ours="ours, head",
    )


def _ours(folder: pathlib.Path, scale: Scale, trainable: str) -> float:
    from benchmarks import ours

    scopes = "head" if trainable == "head" else None
    config = ours.train_config(folder, scale, trainable_scopes=scopes)
    ours.Training(config).steps(_STEPS)
    return _peak_mb()


def _keras(folder: pathlib.Path, scale: Scale, trainable: str) -> float:
    from benchmarks import keras_peer

    model = keras_peer.make_model(scale, trainable)
    batches = keras_peer.photo_batches(folder, scale, "train", shuffle=True)
    model.fit(batches.take(_STEPS), verbose=0)
    return _peak_mb()


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3  # bytes, or KiB


if __name__ == "__main__":
    measuring.run(tables)
