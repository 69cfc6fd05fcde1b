"""What each stage of a recipe reaches, on photos that chose nothing.

python -m benchmarks.recipes --recipe=soup --splits=3
python -m benchmarks.recipes --recipe=pseudo_labels --images_per_class=10
python -m benchmarks.recipes                   # all on three splits: `make recipes`

Of each class three tenths are the test split, which judges, a fifth the validation
split, and the rest is trained on. With --images_per_class it is that many photos, and
what is left over has no labels.
"""

import csv
import dataclasses
import pathlib
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks import ours, real_photos
from common.tables import text_table
from config import app, flags
from config.options import Options, option, split_list

_FOLDER = ours.ROOT / "recipes"
_NAME = "photos"
_TEST, _VALIDATION = 0.3, 0.2  # shares of a class
# What a recipe is for, where that is not stamps: photos, and how many of a class.
_DATA = {"transfer_lab": ("digits", 0), "pseudo_labels": ("solar_cells", 10)}


@dataclasses.dataclass(frozen=True)
class BenchmarkOptions(Options):
    """Benchmark."""

    recipe: str | None = option(None, "Recipes, comma-separated; by default all.")
    photos: str | None = option(
        None, "Set or folder of photos; by default what the recipe is for."
    )
    splits: int = option(3, "Divisions of the set.", minimum=1)
    images_per_class: int | None = option(
        None, "Photos of a class to train on, 0 for all that are left.", minimum=0
    )
    checkpoint_path: str | None = option(None, "As of fine_tune.py.")


def main() -> None:
    """Prints a row for each stage of each recipe."""
    options = flags.read(BenchmarkOptions)
    names = split_list(options.recipe) or [
        p.stem for p in sorted(_FOLDER.glob("*.txt"))
    ]
    rows: list[list[str]] = []
    for name in names:
        of_splits = []
        for seed in range(options.splits):
            with tempfile.TemporaryDirectory() as scratch:
                of_splits.append(_measure(options, name, pathlib.Path(scratch), seed))
            print(name, seed, of_splits[-1], file=sys.stderr, flush=True)
        rows += rows_of(name, of_splits)
    headings = (
        "recipe",
        "stage",
        "accuracy",
        "gain",
        "standard error",
        "least",
        "most",
    )
    print(text_table(headings, rows))


def rows_of(name: str, of_splits: Sequence[Mapping[str, float]]) -> list[list[str]]:
    """A row for each stage: its mean accuracy, and the gain over the first stage.

    Args:
      name: of the recipe.
      of_splits: for each split the accuracies in [0, 1], by stage.

    Returns:
      Names, mean accuracy, mean gain, its standard error over the splits (empty for a
      single one), and the least and the most gain.
    """
    first = next(iter(of_splits[0]))
    rows = []
    for stage in of_splits[0]:
        accuracies = np.array([one[stage] for one in of_splits])
        gains = accuracies - [one[first] for one in of_splits]
        count = len(gains)
        error = f"{gains.std(ddof=1) / count**0.5:.4f}" if count > 1 else ""
        figures = f"{accuracies.mean():.4f}", f"{gains.mean():+.4f}"
        extremes = f"{gains.min():+.4f}", f"{gains.max():+.4f}"
        rows.append([name, stage, *figures, error, *extremes])
    return rows


def _measure(
    options: BenchmarkOptions, name: str, folder: pathlib.Path, seed: int
) -> dict[str, float]:
    """The accuracy of each stage on the test split, in the order of the stages."""
    photos, count = _DATA.get(name, ("stamps", 0))
    source = real_photos.folder(options.photos or photos)
    if options.images_per_class is not None:
        count = options.images_per_class
    divide(source, folder, seed, count)
    ours.run(
        "convert/images_to_tfrecord.py",
        image_dir=folder / "photos",
        dataset_dir=folder / "data",
        dataset_name=_NAME,
    )
    recipe = _FOLDER / f"{name}.txt"
    values = {"recipe": recipe, "output_dir": folder / "run"}
    text = recipe.read_text()
    if "with pseudo_label]" in text:
        values["unlabeled_dir"] = folder / "unlabeled"
    if "--model_name=inception_v3" in text:
        values["checkpoint_path"] = pathlib.Path(real_photos.checkpoint("inception_v3"))
    if options.checkpoint_path:
        values["checkpoint_path"] = pathlib.Path(options.checkpoint_path)
    said = ours.run("fine_tune.py", str(folder / "data"), **values).output
    print(said, file=sys.stderr)
    with open(folder / "run" / "stages.csv", newline="", encoding="utf-8") as file:
        return {row["stage"]: float(row["accuracy"]) for row in csv.DictReader(file)}


def divide(source: pathlib.Path, target: pathlib.Path, seed: int, count: int) -> None:
    """Copies photos into `photos/test`, `photos/validation`, `photos/train`.

    Args:
      source: with a folder for each class.
      target: a folder.
      seed: of the drawing.
      count: photos of a class to train on, 0 for all; others go to `unlabeled`.
    """
    generator = np.random.default_rng(seed)
    (target / "unlabeled").mkdir()
    for of_class in sorted(path for path in source.iterdir() if path.is_dir()):
        paths = generator.permutation(sorted(of_class.iterdir())).tolist()
        num_test = round(_TEST * len(paths))
        num_held_out = num_test + round(_VALIDATION * len(paths))
        end = num_held_out + count if count else len(paths)
        parts = {
            "test": paths[:num_test],
            "validation": paths[num_test:num_held_out],
            "train": paths[num_held_out:end],
        }
        for split, chosen in parts.items():
            folder = target / "photos" / split / of_class.name
            folder.mkdir(parents=True)
            for path in chosen:
                shutil.copy(path, folder)
        for path in paths[end:]:
            shutil.copy(path, target / "unlabeled" / f"{of_class.name}_{path.name}")


if __name__ == "__main__":
    flags.define(BenchmarkOptions)
    app.run(main)
