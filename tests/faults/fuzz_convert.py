"""Converts thousands of broken and odd files and looks where each one ended.

    python -m tests.faults.fuzz_convert --files=10000

Every file must be stored, so that training reads it, or be listed in rejected.csv; none
may be lost, none may end the run, and memory must stay bounded.
"""

import collections
import csv
import dataclasses
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import tensorflow as tf
from absl import flags

from common import tables
from config import app
from convert.tfrecords import rejections
from datasets import dataset_factory, example_schema
from datasets.records import record_faults
from errors import UserError
from tests.faults import broken_files, peak_memory

FLAGS = flags.FLAGS

_ROOT = pathlib.Path(__file__).resolve().parents[2]
MAX_MEMORY_MB = 1500  # of any one process; TensorFlow takes 400 to begin with


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of the files.

    Attributes:
      kinds: how many files of each kind there were.
      accepted: how many of each kind were stored.
      rejected: how many of each kind are in rejected.csv.
      memory_mb: the largest resident size of a process of the conversion.
      secs: what it took.
    """

    kinds: collections.Counter[str]
    accepted: collections.Counter[str]
    rejected: collections.Counter[str]
    memory_mb: float
    secs: float


def check(folder: pathlib.Path, num_files: int) -> Outcome:
    """Makes files, converts them, and finds each again.

    Args:
      folder: an empty one.
      num_files: how many.

    Raises:
      UserError: the conversion failed, a file is lost or found twice, or what is
        stored cannot be read.
    """
    photos, data = folder / "photos", folder / "data"
    for name in broken_files.CLASSES:
        (photos / name).mkdir(parents=True)
    sound = broken_files.sound(np.random.default_rng(0), 2)
    (folder / "outside.png").write_bytes(sound)
    names: dict[str, str] = {}
    for number in range(num_files):
        kind, name = broken_files.write(photos, number)
        names[_listed(name)] = kind
    secs, memory_mb = _convert(photos, data, folder / "convert.log")
    stored, rejected = _stored(data), _rejected(data)
    found = collections.Counter([*stored, *rejected])
    if wrong := [name for name in {*names, *found} if found[name] != 1]:
        raise UserError(
            f"{len(wrong)} of {num_files} files are lost or found twice, such as"
            f" {wrong[0]!r}: see {folder}"
        )
    return Outcome(
        kinds=collections.Counter(names.values()),
        accepted=collections.Counter(names[name] for name in stored),
        rejected=collections.Counter(names[name] for name in rejected),
        memory_mb=memory_mb,
        secs=secs,
    )


def _convert(
    photos: pathlib.Path, data: pathlib.Path, log: pathlib.Path
) -> tuple[float, float]:
    """Converts; returns the seconds and the MB of the largest process."""
    command = [
        *(sys.executable, "convert/images_to_tfrecord.py", f"--image_dir={photos}"),
        *(f"--dataset_dir={data}", "--dataset_name=fuzz", "--num_workers=2"),
        *("--validation_fraction=0", "--max_rejected_fraction=1"),
    ]
    started_at = time.monotonic()
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=_ROOT, stdout=file, stderr=file)
        memory_mb = peak_memory.largest_mb(process)
    if process.returncode or b"Traceback" in log.read_bytes():
        raise UserError(
            f"the conversion ended with status {process.returncode}: see {log}"
        )
    return time.monotonic() - started_at, memory_mb


def _stored(data: pathlib.Path) -> list[str]:
    """Names of the stored photos, all of which training can read."""
    dataset = dataset_factory.get_dataset("fuzz", "train", str(data))
    if fault := record_faults.find_unfit(dataset, 0):
        raise UserError(fault)
    names = []
    records = tf.data.TFRecordDataset([shard.path for shard in dataset.shards])
    for serialized in records.as_numpy_iterator():
        features = tf.train.Example.FromString(serialized).features.feature
        (name,) = features[example_schema.FILENAME].bytes_list.value
        names.append(_listed(name.decode("utf-8", "surrogateescape")))
    return names


def _rejected(data: pathlib.Path) -> list[str]:
    path = data / rejections.FILENAME
    with open(path, encoding="utf-8", newline="") as file:
        return [row["path"] for row in csv.DictReader(file)]


def _listed(name: str) -> str:
    """A name as rejected.csv writes it."""
    return name.encode("utf-8", "backslashreplace").decode()


def main() -> None:
    """Prints the table of tests/faults/README.md."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fuzz-"))
    outcome = check(folder, FLAGS.files)
    counts = (outcome.kinds, outcome.accepted, outcome.rejected)
    rows = [[kind, *(str(c[kind]) for c in counts)] for kind in outcome.kinds]
    rows.append(["all", *(str(c.total()) for c in counts)])
    print(tables.text_table(("kind of file", "files", "accepted", "rejected"), rows))
    print(
        f"lost: 0; {outcome.secs:.0f} s; at most {outcome.memory_mb:.0f} MB a process"
    )


if __name__ == "__main__":
    flags.DEFINE_integer("files", 10_000, "How many files are made.", 100)
    app.run(main)
