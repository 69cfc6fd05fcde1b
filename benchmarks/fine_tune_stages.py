"""What the stages of fine_tune.py gain over its head, on photos that chose nothing.

python -m benchmarks.fine_tune_stages --photos=stamps
python -m benchmarks.fine_tune_stages --model_name=mobilenet_v1,efficientnet_lite0

Half of the photos are for training, a fifth chooses among the stages, and the rest, the
test split, judges what was handed out and the first stage alone.
"""

import dataclasses
import json
import pathlib
import sys
import tempfile
from collections.abc import Sequence

import numpy as np

from benchmarks import ours, real_photos
from common.tables import text_table
from config import app, flags
from config.options import Options, option, split_list

_NAME = "photos"


@dataclasses.dataclass(frozen=True)
class BenchmarkOptions(Options):
    """Benchmark."""

    photos: str = option(
        ",".join(real_photos.SETS), "Sets, comma-separated, or folders of photos."
    )
    model_name: str = option("mobilenet_v1", "Networks.")
    splits: int = option(3, "Divisions of each set.", minimum=1)
    budget_mins: float | None = option(None, "As of fine_tune.py.")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one run of fine_tune.py reached on the test split.

    Attributes:
      first: accuracy of the first stage, in [0, 1].
      handed_out: of what the command handed out.
      stage: which one that is.
      num_images: of the test split.
      cpu_secs: that fine_tune.py took, of all cores.
    """

    first: float
    handed_out: float
    stage: str
    num_images: int
    cpu_secs: float

    @property
    def standard_error(self) -> float:
        """Of the first stage's accuracy, as of a share of independent images."""
        return float((self.first * (1 - self.first) / self.num_images) ** 0.5)


def main() -> None:
    """Prints a row for each net, set and split, and the means."""
    options = flags.read(BenchmarkOptions)
    rows = []
    for model_name in split_list(options.model_name):
        for name in split_list(options.photos):
            title, found = f"{model_name} {pathlib.Path(name).name}", []
            for seed in range(options.splits):
                with tempfile.TemporaryDirectory() as folder:
                    outcome = _measure(
                        model_name, name, pathlib.Path(folder), seed, options
                    )
                found.append(outcome)
                rows.append(row(f"{title} {seed}", found[-1:]))
                print(*rows[-1], sep="  ", file=sys.stderr, flush=True)
            if len(found) > 1:
                rows.append(row(f"{title} mean", found))
    headings = ("net, photos", "first stage", "handed out", "gain", "standard error")
    print(text_table((*headings, "CPU s", "by"), rows))


def row(title: str, found: Sequence[Outcome]) -> list[str]:
    """Means over the splits, and the standard error of their images taken together."""
    first = np.mean([one.first for one in found])
    handed_out = np.mean([one.handed_out for one in found])
    error = np.mean([one.standard_error for one in found]) / len(found) ** 0.5
    figures = f"{first:.4f}", f"{handed_out:.4f}", f"{handed_out - first:+.4f}"
    secs = np.mean([one.cpu_secs for one in found])
    stages = ", ".join(one.stage for one in found)
    return [title, *figures, f"{error:.4f}", f"{secs:.0f}", stages]


def _measure(
    model_name: str,
    name: str,
    folder: pathlib.Path,
    seed: int,
    options: BenchmarkOptions,
) -> Outcome:
    mins = options.budget_mins
    budget = {} if mins is None else {"budget_mins": mins}
    ours.run(
        "convert/images_to_tfrecord.py",
        image_dir=real_photos.folder(name),
        dataset_dir=folder / "data",
        dataset_name=_NAME,
        validation_fraction=0.2,
        test_fraction=0.3,
        seed=seed,
    )
    ran = ours.run(
        "fine_tune.py",
        str(folder / "data"),
        output_dir=folder / "run",
        seed=seed,
        model_name=model_name,
        checkpoint_path=real_photos.checkpoint(model_name),
        **budget,
    )
    last = ran.output.strip().splitlines()[-3]  # "1-head: accuracy 0.9…"
    print(last, file=sys.stderr)
    (first,) = (folder / "run").glob("1-*")
    ours.run(
        "eval_image_classifier.py",
        checkpoint_path=first / "best",
        dataset_dir=folder / "data",
        dataset_name=_NAME,
        dataset_split_name="test",
        eval_dir=folder / "first",
    )
    of_first, of_best = (
        json.loads((folder / path / "metrics.json").read_text())
        for path in ("first", "run/evaluation")
    )
    assert of_best["split"] == of_first["split"] == "test"
    return Outcome(
        of_first["accuracy"],
        of_best["accuracy"],
        last.partition(":")[0],
        of_first["images"],
        ran.cpu_secs,
    )


if __name__ == "__main__":
    flags.define(BenchmarkOptions)
    app.run(main)
