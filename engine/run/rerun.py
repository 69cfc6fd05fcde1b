"""A command in an earlier run's folder: what differs, and what follows from it."""

import dataclasses
import os

from checkpoints import run_info
from checkpoints.checkpoint_folder import CheckpointFolder
from checkpoints.run_info import RunInfo
from common import storage
from common.atomic_files import combined
from config.train_config import TrainConfig
from datasets.dataset import Dataset
from datasets.mixed_in import MixedIn
from engine.run.initial_weights import Start
from engine.run.validation import BEST_FOLDER
from errors import UserError

# Flags that matter where a run starts, but no longer once it has a checkpoint.
_OF_THE_START = {"checkpoint_path", "checkpoint_exclude_scopes", "ignore_missing_vars"}
# Flags that run.json leaves out. Some do not change results: where things are, how
# fast, how often, how long. The others are checked elsewhere: `model.json`, the data's
# fingerprint, `best/evaluations.json`.
_UNRECORDED = {
    *("dataset_name", "labels_offset", "preprocessing_name", "use_grayscale"),
    *("dataset_dir", "dataset_split_name", "num_preprocessing_threads", "num_readers"),
    *("train_image_size", "model_name", "dry_run", "list_scopes", "feature_cache_dir"),
    *("eval_split_name", "eval_every_n_steps", "early_stopping_patience"),
    *("train_dir", "max_number_of_steps", "max_number_of_epochs", "max_run_secs"),
    *("log_every_n_steps", "save_summaries_secs", "save_interval_secs"),
    *("final_endpoint", "head_hidden_units", "summarize_sparsity"),
    "find_learning_rate",
    *("clone_on_cpu", "cluster", "cluster_wait_secs", "cluster_heartbeat_secs"),
    "cluster_port",
}
# How the images of a step are divided, where --global_batch_size says how many.
_DIVISION = {"num_clones", "gradient_accumulation_steps"}
_LENGTH = {"max_number_of_steps", "max_number_of_epochs"}


def info_of(
    config: TrainConfig,
    dataset: Dataset,
    mixed_in: MixedIn | None = None,
    num_machines: int = 1,
) -> RunInfo:
    """What determines the result of a run with these options on this data."""
    is_cosine = config.schedule.learning_rate_decay_type == "cosine"
    unrecorded = _UNRECORDED - _LENGTH if is_cosine else _UNRECORDED
    if config.train_data.global_batch_size:
        unrecorded = unrecorded | _DIVISION
    values = {
        name: value
        for group in dataclasses.asdict(config).values()
        for name, value in group.items()
        if name not in unrecorded
    }
    values["end_learning_rate"] = config.schedule.final_learning_rate
    if "num_clones" in values:
        values["num_clones"] *= num_machines
    return RunInfo(
        start_flags={n: v for n, v in values.items() if n in _OF_THE_START},
        flags={n: v for n, v in values.items() if n not in _OF_THE_START},
        split_name=dataset.split_name,
        data_fingerprint=combined(shard.sha256 for shard in dataset.shards),
        dataset_dir=storage.absolute(dataset.dataset_dir),
        eval_split_name=config.validation.eval_split_name,
        num_examples=dataset.num_examples,
        mixed_in_fingerprint=mixed_in.dataset.fingerprint if mixed_in else "",
    )


def require_same_run(
    train_dir: str, earlier: RunInfo | None, now: RunInfo, start: Start
) -> None:
    """Refuses to mix two runs in one folder.

    Args:
      train_dir: the folder.
      earlier: the info of the run in the folder; None if unknown.
      now: the info of this command.
      start: how this command starts.

    Raises:
      UserError: the run in the folder was trained on other data, or its best checkpoint
        is all that is left of it and would be replaced.
    """
    if start.resumes:
        if earlier:
            _require_same_number(train_dir, earlier, now)
            _require_same_mixed_in(train_dir, earlier, now)
        if earlier and earlier.data_fingerprint != now.data_fingerprint:
            raise UserError(
                f"--train_dir={train_dir} holds a run that was trained on other data:"
                f" split {now.split_name!r} differs from what {earlier.split_name!r}"
                " was then (another fingerprint). Use another --train_dir, with"
                f" --checkpoint_path={train_dir} to start from its weights"
            )
        return
    best = os.path.join(train_dir, BEST_FOLDER)
    if earlier != now and CheckpointFolder(best, keep=1).has_checkpoint():
        raise UserError(
            f"{best} holds the best checkpoint of an earlier run, which this run would"
            " replace, as it starts from step 0: move it away, or use another"
            " --train_dir"
        )


def _require_same_number(train_dir: str, earlier: RunInfo, now: RunInfo) -> None:
    """Refuses another `--num_examples`: a run could not resume within its epoch."""
    before, after = (info.flags.get("num_examples", 0) for info in (earlier, now))
    if before != after:
        raise UserError(
            f"--train_dir={train_dir} holds a run with other settings: --num_examples"
            f" was {before}, is now {after}; use the same, or another --train_dir, with"
            f" --checkpoint_path={train_dir} to start from its weights"
        )


def _require_same_mixed_in(train_dir: str, earlier: RunInfo, now: RunInfo) -> None:
    """Refuses files that changed under the same `--mixed_in_split_name`."""
    names = [info.flags.get("mixed_in_split_name") for info in (earlier, now)]
    is_changed = earlier.mixed_in_fingerprint != now.mixed_in_fingerprint
    if names[0] == names[1] and is_changed:
        raise UserError(
            f"--train_dir={train_dir} holds a run with --mixed_in_split_name={names[1]}"
            " whose files have changed since (another fingerprint): put them back, or"
            f" use another --train_dir, with --checkpoint_path={train_dir} to start"
            " from its weights"
        )


def changes(
    earlier: RunInfo | None, now: RunInfo, start: Start, last_step: int | None
) -> list[str]:
    """What differs from the earlier run's flags and to what effect, one line each."""
    if earlier is None or not start.resumes:
        return []
    if last_step is not None and start.step >= last_step:
        effect = "no effect, since the run is finished; use another --train_dir to"
        effect += " train with it"
    else:
        effect = f"applies from step {start.step + 1} on"
    no_start = "no effect, since the run has started; use another --train_dir"
    return [
        *(f"{line}: {effect}" for line in run_info.changes(earlier.flags, now.flags)),
        *(
            f"{line}: {no_start}"
            for line in run_info.changes(earlier.start_flags, now.start_flags)
        ),
    ]
