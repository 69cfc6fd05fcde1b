"""Evaluation from start to finish: data, net, checkpoint, each image once, reports."""

import functools
import os
import time
from collections.abc import Callable, Iterator, Set

import tensorflow as tf
from absl import logging

from checkpoints import model_info, shared_folder, slim_format
from checkpoints.slim_format import Checkpoint
from cluster.cluster import ALONE, Cluster
from cluster.meeting import Met
from common import storage
from common.atomic_files import explained_errors
from config.eval_config import EvalConfig
from datasets.dataset import Dataset
from engine import devices, evaluate_average, inputs
from engine.cluster import common_facts, joining
from engine.cluster.agreement import agreement_of
from engine.evaluation.evaluation import make_evaluator
from engine.interruption import Interruption, interruption
from engine.report import evaluation_output
from engine.report.reports import Reporter
from engine.restored import (
    checkpoint_info,
    checkpoint_run,
    eval_options,
    eval_weights,
)
from errors import UserError
from nets.network import Network
from nets.new_head import NewHead

_SECS_PER_NAP = 0.2  # how late a signal may be noticed while nothing happens


@explained_errors()
def evaluate(config: EvalConfig, *, given: Set[str]) -> int:
    """Evaluates a checkpoint, or every new one of a folder, as the options say.

    Args:
      config: the options.
      given: names of the flags on the command line; the others take their values from
        the checkpoint's `model.json`.

    Returns:
      The exit status: 0, or 128 + the number of the signal that ended the watch.

    Raises:
      UserError: the flags, the data or the checkpoint are unusable, or the net's
        outputs are not finite (`NotFiniteError`).
    """
    path = config.evaluation.checkpoint_path
    paths = eval_options.checkpoint_paths(path)
    cluster = joining.find(config.cluster, evaluates=True)
    if len(paths) > 1 or config.evaluation.tta:
        cluster.require_alone("an average of checkpoints or views is evaluated")
        return evaluate_average.evaluate(config, paths, given)
    interval_secs = config.evaluation.eval_interval_secs
    shared_folder.require_own(path, flag="checkpoint_path")
    if interval_secs is not None:
        cluster.require_alone("--eval_interval_secs watches a folder")
        return _watch(config, given, _watchable(path), interval_secs)
    checkpoint = Checkpoint(slim_format.find_checkpoint(path))
    folder = os.path.dirname(checkpoint.path)
    shared = functools.partial(facts, config, checkpoint.path)
    remedies = common_facts.REMEDIES
    with joining.joined(cluster, config.cluster, shared, remedies) as met:
        checkpoint_run.tell_of_best(path, checkpoint)
        evaluation = _preparation(config, given, folder, cluster, met)(checkpoint)
        evaluation.report(checkpoint.path, evaluation.load(checkpoint))
    return 0


def facts(config: EvalConfig, checkpoint_path: str) -> dict[str, str]:
    """What must be the same on all machines that evaluate; by name.

    Args:
      config: the options.
      checkpoint_path: what is evaluated.

    Raises:
      UserError: the run's `run.json`, which says where its data are, is damaged.
    """
    run = checkpoint_run.read(os.path.dirname(checkpoint_path))
    dataset_dir = config.data.dataset_dir or (run.dataset_dir if run else None)
    return common_facts.of_evaluation(config, checkpoint_path, dataset_dir)


def _watch(
    config: EvalConfig, given: Set[str], folder: str, interval_secs: float
) -> int:
    """Evaluates every new checkpoint of a folder until interrupted; the exit status."""
    prepare = _preparation(config, given, folder)
    prepared: list[_Evaluation] = []
    with interruption() as interrupted:
        for path in new_checkpoints(folder, interval_secs, interrupted):
            step = _load_unless_gone(path, prepared, prepare)
            if step is not None:
                prepared[0].report(path, step)
        return interrupted.exit_status


def _preparation(
    config: EvalConfig,
    given: Set[str],
    folder: str,
    cluster: Cluster = ALONE,
    met: Met | None = None,
) -> "Callable[[Checkpoint], _Evaluation]":
    """Makes the function that prepares the evaluation of a folder's checkpoints.

    Whatever does not depend on a checkpoint is checked now rather than when the watch
    finds its first one.
    """
    config, given, validated = eval_options.located(config, folder, given)
    heartbeat_secs = config.cluster.cluster_heartbeat_secs
    devices.choose_kernels(config.compute)
    strategy = devices.make_strategy(1, met=met, heartbeat_secs=heartbeat_secs)
    return functools.partial(_prepare, config, given, validated, strategy, cluster)


def _load_unless_gone(
    path: str,
    prepared: "list[_Evaluation]",
    prepare: "Callable[[Checkpoint], _Evaluation]",
) -> int | None:
    """Loads a checkpoint, preparing the evaluation first if necessary.

    Returns:
      Its step; None if training removed it before it could be read.
    """
    try:
        checkpoint = Checkpoint(path)
        if not prepared:
            prepared.append(prepare(checkpoint))
        return prepared[0].load(checkpoint)
    except UserError:
        if slim_format.is_complete(path):
            raise
        logging.warning("%s was removed before it could be read", path)
        return None


def _prepare(
    config: EvalConfig,
    given: Set[str],
    validated: str | None,
    strategy: tf.distribute.Strategy,
    cluster: Cluster,
    checkpoint: Checkpoint,
) -> "_Evaluation":
    info = model_info.read(os.path.dirname(checkpoint.path) or ".")
    if info:
        config = eval_options.completed(config, info, given)
    split_is_given = "dataset_split_name" in given
    dataset = eval_options.find_split(config, split_is_given, validated)
    if info:
        checkpoint_info.require_same_classes(
            *(info, dataset, config.data.labels_offset),
            remedy=eval_options.SAME_CLASSES,
        )
    elif "labels_offset" not in given:
        config = eval_options.with_labels_offset(config, dataset, checkpoint)
    return _Evaluation(config, dataset, strategy, cluster)


class _Evaluation:
    """One net on one split, for any number of checkpoints."""

    def __init__(
        self,
        config: EvalConfig,
        dataset: Dataset,
        strategy: tf.distribute.Strategy,
        cluster: Cluster,
    ) -> None:
        data, options = config.data, config.evaluation
        self._agreement = agreement_of(strategy, cluster)
        self._reporter: Reporter | None = None
        if cluster.is_chief:
            self._reporter = Reporter(
                options.eval_dir,
                dataset,
                model_name=config.model.model_name,
                labels_offset=data.labels_offset,
                with_page=options.report,
                gallery=options.gallery,
            )
        with strategy.scope():
            self._network = Network(
                config.model.model_name,
                num_classes=inputs.num_classes(dataset, data),
                image_size=options.eval_image_size,
                channels=inputs.num_channels(dataset, data, config.model.model_name),
                precision=config.compute.precision,
                head=NewHead(config.model.final_endpoint, config.model.hidden_units),
                draw_weights=False,
            )
        self._evaluator = make_evaluator(
            *(self._network, dataset, data),
            batch_size=eval_options.batch_size(options, dataset.num_examples),
            cluster=cluster,
            agreement=self._agreement,
        )
        self._dataset = dataset
        self._max_num_batches = options.max_num_batches
        self._use_moving_average = bool(options.moving_average_decay)

    def load(self, checkpoint: Checkpoint) -> int:
        """Loads a checkpoint's weights and returns its global step."""
        return eval_weights.load(
            self._network,
            checkpoint,
            self._dataset,
            use_moving_average=self._use_moving_average,
        )

    def report(self, path: str, step: int) -> None:
        """Evaluates the loaded weights and writes the reports.

        Args:
          path: the checkpoint that they are of.
          step: its global step.
        """
        logging.info("Evaluating %s", path)
        results = self._evaluator.run(self._max_num_batches)
        if self._reporter:
            evaluation_output.give(
                results,
                self._dataset,
                self._reporter,
                source=f"checkpoint {path} at step {step}",
                checkpoint_path=path,
                step=step,
                uses_moving_average=self._use_moving_average,
            )
        self._agreement.wait_for_all()


def _watchable(path: str) -> str:
    """The folder to watch, which need not exist yet."""
    folder = os.path.expanduser(path)
    if storage.is_file(folder) or storage.is_file(f"{folder}.index"):
        raise UserError(
            f"--eval_interval_secs watches a folder, but --checkpoint_path={path} is a"
            " checkpoint: name its folder, or omit --eval_interval_secs"
        )
    return folder


def new_checkpoints(
    folder: str, interval_secs: float, interrupted: Interruption
) -> Iterator[str]:
    """Watches a folder until interrupted.

    Args:
      folder: where checkpoints appear; it need not exist yet.
      interval_secs: seconds between two looks at the folder.
      interrupted: ends the watch once it is true.

    Yields:
      Prefixes of checkpoints: first the newest one, then each new one, oldest first.
      Any of them may be removed by the time it is read.
    """
    seen: set[str] = set()
    waiting = False
    while not interrupted:
        there = _complete_checkpoints(folder)
        new = [path for path in there if path not in seen]
        for path in new if seen else new[-1:]:
            yield path
            waiting = False
            if interrupted:
                return
        # Checkpoints that are gone are forgotten: a new run may reuse their names.
        seen = set(there)
        if not waiting:
            logging.info("waiting for a new checkpoint in %s; Ctrl-C quits", folder)
            waiting = True
        _sleep(interval_secs, interrupted)


def _complete_checkpoints(folder: str) -> list[str]:
    """Prefixes of the checkpoints in a folder, oldest first."""
    if not storage.is_folder(folder):
        return []
    names = slim_format.checkpoints_in(folder)
    paths = [os.path.join(folder, name) for name in names]
    return [path for path in paths if slim_format.is_complete(path)]


def _sleep(secs: float, interrupted: Interruption) -> None:
    wake_at = time.monotonic() + secs
    while not interrupted and time.monotonic() < wake_at:
        time.sleep(_SECS_PER_NAP)
