"""What fine_tune.py reaches, beside scikit-learn on the same features and splits.

python -m benchmarks.head_against_sklearn --photos=stamps/ --budget_mins=10
"""

import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from checkpoints import restore, slim_format
from checkpoints.slim_format import Checkpoint
from common.tables import text_table
from config import app, flags
from config.options import Options, option
from config.shared_options import DataOptions
from engine import inputs
from engine.probing import depths, pooled_features
from engine.probing.pooled_features import Examples
from fine_tuning import weights
from nets import nets_factory
from nets.network import Network

_ROOT = pathlib.Path(__file__).parents[1]
_NAME = "photos"


@dataclasses.dataclass(frozen=True)
class BenchmarkOptions(Options):
    """Benchmark."""

    photos: str = option(None, "Folder with a folder for each class.", required=True)
    model_name: str = option("mobilenet_v1", "Network.")
    checkpoint_path: str | None = option(
        None, "Its weights; by default fetched as fine_tune.py does."
    )
    splits: int = option(3, "Divisions of the photos, by the seed.", minimum=1)
    budget_mins: float = option(0.0, "As of fine_tune.py; 0 solves the head alone.")


def main() -> None:
    """Prints a row for each split, and the means."""
    options = flags.read(BenchmarkOptions)
    checkpoint = options.checkpoint_path or weights.fetch(options.model_name)
    rows = []
    for seed in range(options.splits):
        with tempfile.TemporaryDirectory() as scratch:
            found = _measure(options, checkpoint, pathlib.Path(scratch), seed)
        print(seed, *found, flush=True)
        rows.append(found)
    table = [[str(i), *(f"{share:.4f}" for share in row)] for i, row in enumerate(rows)]
    table.append(["mean", *(f"{share:.4f}" for share in np.mean(rows, axis=0))])
    print(text_table(("split", "head", "best stage", "scikit-learn"), table))


def _measure(
    options: BenchmarkOptions, checkpoint: str, folder: pathlib.Path, seed: int
) -> tuple[float, float, float]:
    """Validation accuracy of the head stage, of the best one, and scikit-learn's."""
    data = f"--dataset_dir={folder / 'data'}"
    _run(
        *("convert/images_to_tfrecord.py", f"--image_dir={options.photos}", data),
        *(f"--dataset_name={_NAME}", "--validation_fraction=0.5", f"--seed={seed}"),
    )
    _run(
        *("fine_tune.py", str(folder / "data"), f"--output_dir={folder / 'run'}"),
        *(f"--checkpoint_path={checkpoint}", f"--model_name={options.model_name}"),
        f"--budget_mins={options.budget_mins}",
    )
    history = (folder / "run/1-head/best/evaluations.json").read_text()
    metrics = json.loads((folder / "run/evaluation/metrics.json").read_text())
    train, held_out = (
        _features(options.model_name, checkpoint, folder / "data", split)
        for split in ("train", "validation")
    )
    peer = make_pipeline(
        StandardScaler(),
        LogisticRegressionCV(Cs=np.logspace(-5, 0, 11), cv=5, max_iter=2000),
    )
    peer.fit(train[0][0], train[1])
    accuracy = peer.score(held_out[0][0], held_out[1])
    return json.loads(history)[0]["accuracy"], metrics["accuracy"], float(accuracy)


def _run(script: str, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, str(_ROOT / script), *arguments],
        check=True,
        capture_output=True,
    )


def _features(
    model_name: str, path: str, dataset_dir: pathlib.Path, split_name: str
) -> Examples:
    """The pooled features of the last depth, and the labels."""
    data = DataOptions(dataset_name=_NAME, dataset_dir=str(dataset_dir))
    split = inputs.get_dataset(data, split_name)
    network = Network(model_name, num_classes=split.num_classes)
    heads = nets_factory.get_entry(model_name).head_scopes
    body = [name for name in network.model_variables if not name.startswith(heads)]
    checkpoint = Checkpoint(slim_format.find_checkpoint(path))
    restore.restore(network.model_variables, checkpoint, body)
    return pooled_features.compute(
        network,
        depths.find_depths(network)[-1:],
        split,
        inputs.preprocess_fn(data, network, is_training=False),
        preprocessing_name=inputs.preprocessing_name(data, network),
        batch_size=32,
        labels_offset=0,
        num_threads=4,
        folder_of=lambda key: str(dataset_dir / "peer" / key),
    )


if __name__ == "__main__":
    flags.define(BenchmarkOptions)
    app.run(main)
