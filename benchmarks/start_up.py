"""From nothing to a saved step: start, weights restored, one step, weights saved.

python -m benchmarks.start_up
"""

import dataclasses
import functools
import os
import pathlib
import time
from collections.abc import Iterator

from benchmarks import measuring
from benchmarks.measuring import Contestant, Scale


def tables(folder: pathlib.Path, scale: Scale) -> Iterator[str]:
    """Seconds that a run of one head-only step takes, as a process of its own."""
    from benchmarks import fine_tune, ours

    folder = ours.make_data(folder, scale)
    fine_tune.make_weights(folder, scale)

    def run_ours() -> float:
        return fine_tune.run_ours(folder, scale, max_number_of_steps=1)

    def run_keras() -> float:
        started_at = time.monotonic()
        run = functools.partial(_keras, folder, scale)
        measuring.in_fresh_process(run, scale)
        return time.monotonic() - started_at

    # Each turn starts its own process.
    in_turn = dataclasses.replace(scale, isolated=False)
    contestants = [
        Contestant("ours", lambda: run_ours),
        Contestant("Keras", lambda: run_keras),
    ]
    yield measuring.table(
        f"one step of {scale.model_name}, start and save included",
        measuring.race(contestants, in_turn),
        "s",
        more_is_better=False,
    )


def _keras(folder: pathlib.Path, scale: Scale) -> None:
    from benchmarks import keras_peer

    model = keras_peer.start(folder, scale)
    batches = keras_peer.photo_batches(folder, scale, "train", shuffle=True)
    model.fit(batches.take(1), verbose=0)
    model.save_weights(os.fspath(folder / "trained.weights.h5"))


if __name__ == "__main__":
    measuring.run(tables)
