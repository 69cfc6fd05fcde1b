"""What must be the same on all machines that run a command together."""

import dataclasses
import hashlib
import os

import tensorflow as tf

from checkpoints import slim_format
from checkpoints.checkpoint_folder import CheckpointFolder
from checkpoints.slim_format import digest_of
from common import storage
from common.atomic_files import sha256
from config.eval_config import EvalConfig
from config.train_config import TrainConfig
from config.version import VERSION
from datasets import dataset_json, labels

# Flags that may differ: where things are on a machine, and how many threads it has.
_OWN = {
    *("dataset_dir", "train_dir", "feature_cache_dir", "num_preprocessing_threads"),
    *("num_readers", "cluster", "cluster_wait_secs", "cluster_port"),
    *("eval_dir", "checkpoint_path"),
}
# They hold the classes and, where a converter wrote them, digests of the records.
_DESCRIPTIONS = (dataset_json.FILENAME, labels.FILENAME)
_DATA = "files in --dataset_dir"
_NEWEST = "newest checkpoint in --train_dir"
_START = "checkpoint of --checkpoint_path"
_EVALUATED = "checkpoint"
_SAME_FILE = "--checkpoint_path must lead to the same file on all machines"
REMEDIES = {
    _DATA: "copy the data set to all machines, or name a folder that they share",
    _NEWEST: "--train_dir must be one folder that all machines share",
    _START: _SAME_FILE,
    _EVALUATED: _SAME_FILE,
}


def of_training(config: TrainConfig) -> dict[str, str]:
    """The facts of a training command on this machine, by name.

    Records are known by the names and sizes of their files: reading them takes
    TensorFlow, which must not start before the machines have met.

    Args:
      config: the options.

    Raises:
      UserError: a checkpoint is not there, or damaged.
    """
    newest = CheckpointFolder(config.run.train_dir, keep=1).latest()
    start = config.fine_tune.checkpoint_path
    # A run that goes on has its weights from its own folder.
    restored = slim_format.find_checkpoint(start) if start and not newest else None
    return _of_command(config, config.data.dataset_dir) | {
        _NEWEST: _checkpoint(newest),
        _START: _checkpoint(restored),
    }


def of_evaluation(
    config: EvalConfig, checkpoint_path: str, dataset_dir: str | None
) -> dict[str, str]:
    """The facts of an evaluation on this machine, by name.

    Args:
      config: the options.
      checkpoint_path: what is evaluated.
      dataset_dir: the data set, which may be that of the checkpoint's run.
    """
    return _of_command(config, dataset_dir) | {_EVALUATED: _checkpoint(checkpoint_path)}


def _checkpoint(path: str | None) -> str:
    """A checkpoint's name, and a digest of its values."""
    return f"{os.path.basename(path)} ({digest_of(path)[:12]})" if path else "none"


def _of_command(
    config: TrainConfig | EvalConfig, dataset_dir: str | None
) -> dict[str, str]:
    values = {
        name: value
        for group in dataclasses.asdict(config).values()
        for name, value in group.items()
        if name not in _OWN
    }
    return {
        "version": VERSION,
        "TensorFlow's version": tf.__version__,
        **{f"--{name}": str(value) for name, value in values.items()},
        _DATA: _files(dataset_dir or ""),
    }


def _files(folder: str) -> str:
    """A digest of a data set's files: of what describes it, and of names and sizes."""
    if not storage.is_folder(folder):
        return "none"
    # Side files, of which any machine may be writing one, are no data.
    names = [n for n in storage.files_in(folder) if _is_data(n)]
    data = [(n, _content(os.path.join(folder, n))) for n in sorted(names)]
    digest = hashlib.sha256(repr(data).encode()).hexdigest()
    return f"{len(data)} files ({digest[:12]})"


def _content(path: str) -> str | int:
    """The digest of a file that describes a data set; the size of any other."""
    if os.path.basename(path) in _DESCRIPTIONS:
        return sha256(path)
    return storage.size(path)


def _is_data(name: str) -> bool:
    if name in _DESCRIPTIONS:
        return True
    return not name.startswith(".") and ".json" not in name and ".tmp" not in name
