"""Kills real runs at random moments and compares what comes out in the end.

    python -m tests.faults.kill_runs --kills=20

Three kinds of run: training, training on a feature cache on disk, and converting
photos. Each is started, killed (SIGKILL) after a random time, and started again with
the same command, until it has been killed often enough; then it runs to its end. Every
byte of its result must be that of a run that was never touched. Every other
kill waits until a checkpoint, or a TFRecord file, is being written.
"""

import contextlib
import hashlib
import pathlib
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from absl import flags
from PIL import Image

from checkpoints import slim_format
from checkpoints.slim_format import Checkpoint
from common import tables
from config import app
from errors import UserError

FLAGS = flags.FLAGS

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_CHECKPOINT_WRITE = ".model.ckpt-*.tmp-*"
_TFRECORD_WRITE = ".*.tmp-*/publish/*.tfrecord"
_TRAINING = (
    "train_image_classifier.py",
    "--dataset_name=noise",
    "--model_name=mobilenet_v1_025",
    "--final_endpoint=Conv2d_2_pointwise",  # a run takes half as long as the whole net
    "--train_image_size=32",
    "--batch_size=8",
    "--optimizer=adam",
    "--moving_average_decay=0.99",
    "--deterministic",
    "--save_interval_secs=1",
    "--save_summaries_secs=0",
    "--log_every_n_steps=100",
    "--eval_split_name=validation",
    "--eval_every_n_steps=100",
)


def write_photos(folder: pathlib.Path, count: int, side: int) -> pathlib.Path:
    """Photos of noise in two classes."""
    generator = np.random.default_rng(0)
    for number in range(count):
        path = folder / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (side, side, 3), np.uint8)).save(
            path
        )
    return folder


def convert_command(photos: pathlib.Path, output: pathlib.Path) -> list[str]:
    """Converts the photos into `output`."""
    return [
        "convert/images_to_tfrecord.py",
        f"--image_dir={photos}",
        f"--dataset_dir={output}",
        "--dataset_name=noise",
        "--num_workers=2",
    ]


def train_command(
    data: pathlib.Path, output: pathlib.Path, steps: int, *extra: str
) -> list[str]:
    """Trains on the data, into `output`."""
    return [
        *_TRAINING,
        f"--dataset_dir={data}",
        f"--train_dir={output}",
        f"--max_number_of_steps={steps}",
        *extra,
    ]


def digest_of_folder(folder: pathlib.Path) -> str:
    """Of the names and bytes of all files in it."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def digest_of_run(train_dir: pathlib.Path) -> str:
    """Of every variable of its last checkpoint, its evaluations and its best one."""
    digest = hashlib.sha256((train_dir / "best" / "evaluations.json").read_bytes())
    for folder in (train_dir, train_dir / "best"):
        checkpoint = Checkpoint(slim_format.find_checkpoint(str(folder)))
        for name in sorted(checkpoint.shapes):
            digest.update(name.encode() + checkpoint.read(name).tobytes())
    return digest.hexdigest()


def _start(command: list[str], log: pathlib.Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, *command], cwd=_ROOT, stdout=file, stderr=file
        )


def run_to_the_end(command: list[str], log: pathlib.Path) -> float:
    """Runs a command; returns the seconds that it took.

    Raises:
      UserError: it failed.
    """
    started_at = time.monotonic()
    status = _start(command, log).wait()
    if status:
        raise UserError(f"{command[0]} ended with status {status}: see {log}")
    return time.monotonic() - started_at


def _is_killed(
    process: subprocess.Popen[bytes], secs: float, folder: pathlib.Path, writes: str
) -> bool:
    """Kills a process after a time, when `writes` matches something in the folder.

    Returns:
      False when it had ended before.
    """
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=secs)
    while process.poll() is None and not any(folder.glob(writes)):
        time.sleep(0.0005)
    if process.poll() is not None:
        return False
    process.kill()
    process.wait()
    return True


class Kind(NamedTuple):
    """A kind of run: its command into a folder, its result, and what it writes."""

    command_for: Callable[[pathlib.Path], list[str]]
    digest_of: Callable[[pathlib.Path], str]
    writes: str


def _kinds(folder: pathlib.Path, steps: int, num_photos: int) -> dict[str, Kind]:
    photos = write_photos(folder / "photos", 60, 40)
    many = write_photos(folder / "many", num_photos, 150)
    data = folder / "data"
    run_to_the_end(convert_command(photos, data), folder / "convert.log")

    def train_cached(output: pathlib.Path) -> list[str]:
        cached = ("--trainable_scopes=head", "--feature_cache=disk")
        cache_dir = f"--feature_cache_dir={output}.features"
        return train_command(data, output, steps, *cached, cache_dir)

    return {
        "training": Kind(
            lambda output: train_command(data, output, steps),
            digest_of_run,
            _CHECKPOINT_WRITE,
        ),
        "training on a feature cache": Kind(
            train_cached, digest_of_run, _CHECKPOINT_WRITE
        ),
        "converting": Kind(
            lambda output: convert_command(many, output),
            digest_of_folder,
            _TFRECORD_WRITE,
        ),
    }


def killed_digests(
    kind: Kind,
    folder: pathlib.Path,
    *,
    kills: int,
    secs: float,
    chance: random.Random,
) -> list[str]:
    """Kills runs at random moments until it has been done `kills` times.

    A run that finishes in spite of it makes room for a new one.

    Args:
      kind: of the runs.
      folder: where runs go.
      kills: how often to kill; every second time while something is being written.
      secs: what an untouched run takes.
      chance: of the moments.

    Returns:
      The digest of each finished run.
    """
    digests: list[str] = []
    left = kills
    while left:
        output = folder / f"killed_{len(digests)}"
        command, log = kind.command_for(output), folder / "killed.log"
        while left:
            process = _start(command, log)
            # A run makes its folder early: before, there is nothing to lose.
            pattern = kind.writes if left % 2 else "**"
            if not _is_killed(process, chance.uniform(0.1, secs), output, pattern):
                break
            left -= 1
        run_to_the_end(command, log)
        digests.append(kind.digest_of(output))
    return digests


def check(
    folder: pathlib.Path, kills: int, steps: int, num_photos: int = 400
) -> list[list[str]]:
    """Runs all three kinds; returns a row for each.

    Args:
      folder: where runs go.
      kills: how often each kind of run is killed.
      steps: steps of a training.
      num_photos: photos of a conversion.

    Raises:
      UserError: a killed run's result differs.
    """
    chance = random.Random(0)
    rows = []
    for name, kind in _kinds(folder, steps, num_photos).items():
        own = folder / name.replace(" ", "_")
        own.mkdir()
        untouched = own / "untouched"
        command = kind.command_for(untouched)
        secs = run_to_the_end(command, own / "untouched.log")
        digests = killed_digests(kind, own, kills=kills, secs=secs, chance=chance)
        lost = sum(digest != kind.digest_of(untouched) for digest in digests)
        in_writes = (kills + 1) // 2
        rows.append([name, str(kills), str(in_writes), str(len(digests)), str(lost)])
        if lost:
            raise UserError(f"{name}: {lost} of {len(digests)} results differ: {own}")
    return rows


def main() -> None:
    """Prints the table of tests/faults/README.md."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kills-"))
    rows = check(folder, FLAGS.kills, FLAGS.steps)
    headers = ("kind of run", "kills", "in a write", "runs that ended", "differ")
    print(tables.text_table(headers, rows))


if __name__ == "__main__":
    flags.DEFINE_integer("kills", 20, "How often each kind of run is killed.", 1)
    flags.DEFINE_integer("steps", 600, "Training steps of a run.", 1)
    app.run(main)
