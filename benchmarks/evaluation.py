"""Evaluation of JPEG files: ours with its reports, and Keras' `evaluate`.

python -m benchmarks.evaluation
"""

import functools
import os
import pathlib
import time
from collections.abc import Iterator

from benchmarks import measuring
from benchmarks.measuring import Contestant, Measure, Scale


def tables(folder: pathlib.Path, scale: Scale) -> Iterator[str]:
    """Images a second of evaluating the training split, once warm."""
    from benchmarks import ours

    folder = ours.make_data(folder, scale)
    contestants = [
        Contestant("ours", functools.partial(_ours, folder, scale)),
        Contestant("Keras", functools.partial(_keras, folder, scale, "float32")),
    ]
    if scale.precision != "float32":
        prepare = functools.partial(_keras, folder, scale, scale.precision)
        contestants.append(Contestant(f"Keras {scale.precision}", prepare))
    title = f"{scale.precision} evaluation of {scale.model_name}, JPEG files"
    yield measuring.table(title, measuring.race(contestants, scale), "images/s")


def _ours(folder: pathlib.Path, scale: Scale) -> Measure:
    from benchmarks import ours
    from engine import inputs
    from engine.evaluation.evaluation import make_evaluator
    from engine.report.reports import Reporter
    from nets.network import Network

    data = ours.data_options(folder)
    dataset = inputs.get_dataset(data, "train")
    network = Network(
        scale.model_name,
        num_classes=inputs.num_classes(dataset, data),
        image_size=scale.image_size,
        precision=scale.precision,
    )
    evaluator = make_evaluator(network, dataset, data, batch_size=scale.batch_size)
    reporter = Reporter(
        os.fspath(folder / "eval"),
        dataset,
        model_name=scale.model_name,
        labels_offset=0,
    )

    def measure() -> float:
        started_at = time.monotonic()
        results = evaluator.run()
        reporter.write(
            results, checkpoint_path="start", step=0, uses_moving_average=False
        )
        return len(results.labels) / (time.monotonic() - started_at)

    measure()
    return measure


def _keras(folder: pathlib.Path, scale: Scale, precision: str) -> Measure:
    from benchmarks import keras_peer

    model = keras_peer.make_model(scale, "head", precision=precision)
    batches = keras_peer.photo_batches(folder, scale, "train", shuffle=False)

    def measure() -> float:
        started_at = time.monotonic()
        model.evaluate(batches, verbose=0)
        return scale.num_images / (time.monotonic() - started_at)

    measure()
    return measure


if __name__ == "__main__":
    measuring.run(tables, has_precision=True)
