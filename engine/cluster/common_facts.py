"""What must be the same on all machines that run a command together."""

import dataclasses
import hashlib
import os

import tensorflow as tf

from checkpoints.checkpoint_folder import CheckpointFolder
from common import storage
from config.eval_config import EvalConfig
from config.shared_options import DataOptions
from config.train_config import TrainConfig
from config.version import VERSION
from datasets import dataset_json

# Flags that may differ: where things are on a machine, and how many threads it has.
_OWN = {
    *("dataset_dir", "train_dir", "feature_cache_dir", "num_preprocessing_threads"),
    *("num_readers", "cluster", "cluster_wait_secs", "cluster_port"),
    *("eval_dir", "checkpoint_path"),
}
_DATA = "files in --dataset_dir"
_NEWEST = "newest checkpoint in --train_dir"
_CHECKPOINT = "checkpoint"
REMEDIES = {
    _DATA: "copy the data set to all machines, or name a folder that they share",
    _NEWEST: "--train_dir must be one folder that all machines share",
    _CHECKPOINT: "--checkpoint_path must lead to the same file on all machines",
}


def of_training(config: TrainConfig) -> dict[str, str]:
    """The facts of a training command on this machine, by name.

    Records are known by the names and sizes of their files: reading them takes
    TensorFlow, which must not start before the machines have met.

    Args:
      config: the options.
    """
    folder = CheckpointFolder(config.run.train_dir, keep=1)
    newest = os.path.basename(folder.latest() or "none")
    return _of_command(config, config.data) | {_NEWEST: newest}


def of_evaluation(config: EvalConfig, checkpoint_path: str) -> dict[str, str]:
    """The facts of an evaluation on this machine, by name.

    Args:
      config: the options.
      checkpoint_path: what is evaluated.
    """
    return _of_command(config, config.data) | {
        _CHECKPOINT: os.path.basename(checkpoint_path)
    }


def _of_command(config: TrainConfig | EvalConfig, data: DataOptions) -> dict[str, str]:
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
        _DATA: _files(data.dataset_dir or ""),
    }


def _files(folder: str) -> str:
    """A digest of the names and sizes of a data set's files."""
    if not storage.is_folder(folder):
        return "none"
    # Side files, of which any machine may be writing one, are no data.
    names = [n for n in storage.files_in(folder) if _is_data(n)]
    data = [(n, storage.size(os.path.join(folder, n))) for n in sorted(names)]
    digest = hashlib.sha256(repr(data).encode()).hexdigest()
    return f"{len(data)} files ({digest[:12]})"


def _is_data(name: str) -> bool:
    if name == dataset_json.FILENAME:
        return True
    return not name.startswith(".") and ".json" not in name and ".tmp" not in name
