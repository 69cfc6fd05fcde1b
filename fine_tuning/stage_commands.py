"""The commands that a stage may be: training, or one that takes what others trained.

`[soup from a, b with average_checkpoints]` in a recipe names such a command. The flags
of data, checkpoints and folders come from fine_tune.py, all others from the recipe.
"""

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Any

from config import flags
from config.eval_config import EvalConfig
from config.probe_config import ProbeConfig
from config.pseudo_label_config import PseudoLabelConfig
from config.train_config import TrainConfig
from convert import average_checkpoints, pseudo_label
from convert.average_checkpoints import AverageConfig
from datasets import dataset_json
from engine import evaluate, probe, train_loop
from engine.run.validation import BEST_FOLDER
from fine_tuning.photo_data import PhotoData

TRAIN = "train_image_classifier"
# What a stage may start from where that is no other stage: what the first one starts
# from, and random weights.
WEIGHTS = "weights"
NOTHING = "nothing"

_ANY_NUMBER = 1000


@dataclasses.dataclass(frozen=True)
class Places:
    """What fine_tune.py knows of a stage that trains nothing.

    Attributes:
      data: the converted data set.
      starts: checkpoints that the stage takes.
      folder: the stage's own.
      eval_split_name: the split that the stages are compared on.
      test_split_name: the split that judges.
      unlabeled_dir: photos without labels; None if there are none.
    """

    data: PhotoData
    starts: tuple[str, ...]
    folder: str
    eval_split_name: str
    test_split_name: str
    unlabeled_dir: str | None


@dataclasses.dataclass(frozen=True)
class StageCommand:
    """A command as a stage.

    Attributes:
      script: its path in the project.
      config: its options.
      run: runs it with them, the names of those given and the stage's folder; the exit
        status.
      decided: the flags that fine_tune.py gives, and from what.
      refused: flags that have no meaning here.
      shared: training flags above the headings that hold for it too; None for all that
        it knows.
      num_starts: how many checkpoints it takes, at least and at most.
      other_starts: what it may start from that is no stage.
      gives_checkpoint: whether another stage may start from it.
    """

    script: str
    config: type
    run: Callable[[Any, frozenset[str], str], int]
    decided: Mapping[str, Callable[[Places], str | None]]
    refused: tuple[str, ...] = ()
    shared: tuple[str, ...] | None = ()
    num_starts: tuple[int, int] = (1, 1)
    other_starts: tuple[str, ...] = ()
    gives_checkpoint: bool = False


def _train(config: TrainConfig, given: frozenset[str], folder: str) -> int:
    del folder
    return train_loop.train(config, given=given)


def _average(config: AverageConfig, given: frozenset[str], folder: str) -> int:
    del given, folder
    if not os.path.exists(config.average.output_dir):  # else it was killed just after
        average_checkpoints.average(config)
    return 0


def _label(config: PseudoLabelConfig, given: frozenset[str], folder: str) -> int:
    del given
    info = dataset_json.read(config.net.dataset_dir or "")
    is_there = info is not None and config.labeling.split_name in info.splits
    # The stage's folder is made before the split: a split beside it is of this stage.
    if is_there and os.path.isdir(folder):
        return 0
    if not is_there:
        os.makedirs(folder, exist_ok=True)
    pseudo_label.write_split(config)
    return 0


def _evaluate(config: EvalConfig, given: frozenset[str], folder: str) -> int:
    del folder
    return evaluate.evaluate(config, given=given)


def _probe(config: ProbeConfig, given: frozenset[str], folder: str) -> int:
    del folder
    return probe.probe(config, given=given)


_DATA: dict[str, Callable[[Places], str | None]] = {
    "dataset_name": lambda at: at.data.dataset_name,
    "dataset_dir": lambda at: at.data.dataset_dir,
}

COMMANDS: Mapping[str, StageCommand] = {
    TRAIN: StageCommand(
        "train_image_classifier.py",
        TrainConfig,
        _train,
        # The rest of what it is given depends on the stage before: `StageLines`.
        decided=_DATA | {"train_dir": lambda at: at.folder},
        refused=("dry_run", "list_scopes", "max_run_secs", "find_learning_rate"),
        shared=None,
        other_starts=(WEIGHTS, NOTHING),
        gives_checkpoint=True,
    ),
    "average_checkpoints": StageCommand(
        "convert/average_checkpoints.py",
        AverageConfig,
        _average,
        decided=_DATA
        | {
            "checkpoint_paths": lambda at: ",".join(at.starts),
            "output_dir": lambda at: os.path.join(at.folder, BEST_FOLDER),
            "eval_split_name": lambda at: at.eval_split_name,
        },
        shared=("batch_size", "moving_average_decay"),
        num_starts=(2, _ANY_NUMBER),
        gives_checkpoint=True,
    ),
    "pseudo_label": StageCommand(
        "convert/pseudo_label.py",
        PseudoLabelConfig,
        _label,
        decided=_DATA
        | {
            "checkpoint_path": lambda at: at.starts[0],
            "image_dir": lambda at: at.unlabeled_dir,
        },
        shared=("batch_size", "moving_average_decay", "num_preprocessing_threads"),
    ),
    "eval_image_classifier": StageCommand(
        "eval_image_classifier.py",
        EvalConfig,
        _evaluate,
        decided=_DATA
        | {
            "dataset_split_name": lambda at: at.test_split_name,
            "checkpoint_path": lambda at: ",".join(at.starts),
            "eval_dir": lambda at: at.folder,
        },
        refused=("eval_interval_secs",),
        shared=("moving_average_decay", "num_preprocessing_threads", "precision"),
        num_starts=(1, _ANY_NUMBER),
    ),
    "probe_image_classifier": StageCommand(
        "probe_image_classifier.py",
        ProbeConfig,
        _probe,
        decided=_DATA
        | {
            "checkpoint_path": lambda at: at.starts[0],
            "eval_split_name": lambda at: at.eval_split_name,
            "output_dir": lambda at: at.folder,
        },
        refused=("trial_secs", "output_checkpoint_dir"),
        shared=None,
        other_starts=(WEIGHTS,),
    ),
}


def shared(values: Mapping[str, Any], command: str) -> dict[str, Any]:
    """Those of training's flags that hold for a command, too.

    Args:
      values: by the names of the flags.
      command: one of `COMMANDS`.
    """
    known = COMMANDS[command]
    chosen = known.shared
    names = flags.names_of(known.config) if chosen is None else chosen
    return {name: value for name, value in values.items() if name in names}
