"""The head as fine_tune.py solves it, against scikit-learn's on the same features.

python -m benchmarks.head_against_sklearn

The features of every image are computed once for each net; then half of the images,
drawn by class and by the number of the split, are for training, and the other half
judges both. `benchmarks.fine_tune_stages` runs fine_tune.py whole.
"""

import dataclasses
import pathlib
import sys
import tempfile
import time

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import ours, real_photos
from checkpoints import restore, slim_format
from checkpoints.slim_format import Checkpoint
from common.tables import text_table
from config import app, flags
from config.options import Options, option, split_list
from config.shared_options import DataOptions
from engine import inputs
from engine.head import logistic_regression
from engine.probing import depths, pooled_features
from engine.probing.pooled_features import Examples
from nets import nets_factory
from nets.network import Network

_NAME = "photos"
_STRENGTHS = np.logspace(-5, 0, 11)
_NUM_FOLDS = 5


@dataclasses.dataclass(frozen=True)
class BenchmarkOptions(Options):
    """Benchmark."""

    photos: str = option(
        ",".join(real_photos.SETS), "Sets, comma-separated, or folders of photos."
    )
    model_name: str = option("mobilenet_v1,inception_v3", "Networks.")
    splits: int = option(3, "Divisions of each set in halves.", minimum=1)


def main() -> None:
    """Prints a row for each net and set."""
    options = flags.read(BenchmarkOptions)
    rows = []
    for model_name in split_list(options.model_name):
        for name in split_list(options.photos):
            with tempfile.TemporaryDirectory() as folder:
                examples = _features(model_name, name, pathlib.Path(folder))
            found = [compare(*examples, seed) for seed in range(options.splits)]
            rows.append(row(model_name, name, len(examples[1]), np.array(found)))
            print(*rows[-1], found, sep="  ", file=sys.stderr, flush=True)
    headings = ("net", "photos", "images", "ours", "scikit-learn", "ours above it by")
    print(text_table((*headings, "ours, s", "scikit-learn, s"), rows))


def row(model_name: str, name: str, num_images: int, found: np.ndarray) -> list[str]:
    """Means over the splits, and the difference's with its standard error."""
    here, there, secs_here, secs_there = found.mean(0)
    differences = found[:, 0] - found[:, 1]
    error = differences.std(ddof=1) / len(found) ** 0.5 if len(found) > 1 else np.nan
    return [
        *(model_name, pathlib.Path(name).name, str(num_images)),
        *(f"{here:.4f}", f"{there:.4f}", f"{here - there:+.4f} ± {error:.4f}"),
        *(f"{secs_here:.1f}", f"{secs_there:.1f}"),
    ]


def compare(
    features: list[np.ndarray], labels: np.ndarray, seed: int
) -> tuple[float, float, float, float]:
    """Accuracy on the other half, ours and the peer's, and the seconds of each."""
    train, train_labels, held_out, held_out_labels = _halves(features[0], labels, seed)
    started_at = time.monotonic()
    classifier, _ = logistic_regression.fit(train, train_labels, int(labels.max()) + 1)
    between = time.monotonic()
    peer = make_pipeline(
        StandardScaler(),
        # All components: a rotation, which changes no optimum of an L2 penalty and
        # spares the columns that fewer images than features cannot tell apart.
        PCA(),
        LogisticRegressionCV(
            Cs=_STRENGTHS,
            cv=_NUM_FOLDS,
            max_iter=2000,
            scoring="accuracy",  # the default of today's releases
            l1_ratios=(0.0,),  # all L2, the same
            use_legacy_attributes=False,
        ),
    ).fit(train, train_labels)
    secs = between - started_at, time.monotonic() - between
    return (
        classifier.accuracy(held_out, held_out_labels),
        float(peer.score(held_out, held_out_labels)),
        *secs,
    )


def _halves(
    features: np.ndarray, labels: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    train, held_out = train_test_split(
        np.arange(len(labels)), test_size=0.5, random_state=seed, stratify=labels
    )
    return features[train], labels[train], features[held_out], labels[held_out]


def _features(model_name: str, name: str, folder: pathlib.Path) -> Examples:
    """The pooled features before the head, and the labels, of all images."""
    ours.run_script(
        "convert/images_to_tfrecord.py",
        image_dir=real_photos.folder(name),
        dataset_dir=folder,
        dataset_name=_NAME,
        validation_fraction=0,
    )
    data = DataOptions(dataset_name=_NAME, dataset_dir=str(folder))
    split = inputs.get_dataset(data, "train")
    network = Network(model_name, num_classes=split.num_classes)
    heads = nets_factory.get_entry(model_name).head_scopes
    body = [n for n in network.model_variables if not n.startswith(heads)]
    checkpoint = Checkpoint(
        slim_format.find_checkpoint(real_photos.checkpoint(model_name))
    )
    restore.restore(network.model_variables, checkpoint, body)
    last = depths.find_depths(network)[-1:]
    return pooled_features.compute(
        network,
        last,
        split,
        pooled_features.features_fn(network, last),
        inputs.preprocess_fn(data, network, is_training=False),
        preprocessing_name=inputs.preprocessing_name(data, network),
        batch_size=32,
        labels_offset=0,
        num_threads=4,
        folder_of=lambda _: None,
    )


if __name__ == "__main__":
    flags.define(BenchmarkOptions)
    app.run(main)
