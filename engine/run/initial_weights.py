"""Where a run's weights come from: its own folder, a checkpoint, or nowhere."""

import dataclasses
from collections.abc import Sequence

from absl import logging

from checkpoints import plan as plans
from checkpoints import rate_factors, restore, scopes, slim_format
from checkpoints.checkpoint_folder import CheckpointFolder
from checkpoints.slim_format import Checkpoint
from common.untrusted_text import first_few
from config.training.fine_tune_options import FineTuneOptions
from engine.step.moving_average import SUFFIX
from engine.step.starting_points import SUFFIX as POINT
from engine.step.train_state import TrainState
from errors import UserError
from nets.network import Network

_MAX_NAMED = 5  # fresh variables named in the log


@dataclasses.dataclass(frozen=True)
class Start:
    """How a run starts.

    Attributes:
      plan: what is restored, trained and frozen.
      checkpoint: where restored values come from; None when training from scratch.
      resumes: the checkpoint is the run's own; optimizer and step are restored too.
      step: steps done before this start.
    """

    plan: plans.Plan
    checkpoint: Checkpoint | None
    resumes: bool
    step: int


def find_start(
    network: Network, folder: CheckpointFolder, options: FineTuneOptions
) -> Start:
    """Decides how the run starts; changes nothing.

    Args:
      network: the net with its fresh variables.
      folder: the run's folder, whose newest checkpoint wins.
      options: the checkpoint to start from, and the scopes.

    Raises:
      UserError: the checkpoint does not fit, the run's own is of another net, or a
        scope matches nothing.
    """
    shapes = network.variable_shapes()
    head_scopes = network.head_scopes
    own = folder.latest()
    checkpoint, step = None, 0
    restored: list[str] = []
    if own:
        checkpoint = Checkpoint(own)
        restore.require_same_net(shapes, checkpoint)
        step = checkpoint.global_step or 0
        restored = list(shapes)
    elif options.checkpoint_path:
        checkpoint = Checkpoint(slim_format.find_checkpoint(options.checkpoint_path))
        restored = plans.choose_restored(
            shapes,
            checkpoint.path,
            checkpoint.shapes,
            exclude_scopes=scopes.parse_scopes(
                options.checkpoint_exclude_scopes, flag="checkpoint_exclude_scopes"
            ),
            ignore_missing_vars=options.ignore_missing_vars,
            head_scopes=head_scopes,
        )
    plan = plans.make_plan(
        shapes,
        [n for n, v in network.model_variables.items() if v.trainable],
        restored=restored,
        checkpoint_path=checkpoint.path if checkpoint else None,
        checkpoint_names=list(checkpoint.shapes) if checkpoint and not own else [],
        trainable_scopes=scopes.parse_scopes(
            options.trainable_scopes, flag="trainable_scopes"
        ),
        # Only training reads an auxiliary head, and only steps train one.
        head_scopes=head_scopes[:1] if options.solves_head else head_scopes,
        freeze_batch_norm=options.freeze_batch_norm,
    )
    factors = _rate_factors(plan, options, head_scopes)
    points = _starting_points(plan, checkpoint, options, resumes=bool(own))
    plan = plans.with_starting_points(plans.with_rate_factors(plan, factors), points)
    return Start(plan, checkpoint, resumes=bool(own), step=step)


def _starting_points(
    plan: plans.Plan,
    checkpoint: Checkpoint | None,
    options: FineTuneOptions,
    *,
    resumes: bool,
) -> set[str]:
    """The trained variables that are pulled back to where they started.

    Raises:
      UserError: there are none, or nothing tells any more where they started.
    """
    if not options.starting_point_decay:
        return set()
    flag = "--starting_point_decay"
    if resumes and checkpoint:
        held = {n for n in plan.trained_names if f"{n}/{POINT}" in checkpoint.shapes}
        if not held:
            raise UserError(
                f"{flag}: the run in {checkpoint.path} began without it, so that"
                " nothing tells where its weights started: use another --train_dir, or"
                " leave it out"
            )
        return held
    held = set(plan.restored_names) & set(plan.trained_names)
    if not held:
        raise UserError(
            f"{flag} pulls restored weights back to where they started, and no trained"
            " weight is restored: give --checkpoint_path, and open more than what"
            " --checkpoint_exclude_scopes leaves out, or leave out the flag"
        )
    return held


def _rate_factors(
    plan: plans.Plan, options: FineTuneOptions, head_scopes: Sequence[str]
) -> dict[str, float]:
    """By how much learning rates differ from that of the run, by variable."""
    of_net = [v.name for v in plan.variables], plan.trained_names, head_scopes
    if options.layer_decay:
        return rate_factors.by_depth(options.layer_decay, *of_net)
    multipliers = rate_factors.parse(options.learning_rate_multipliers)
    return rate_factors.by_scope(multipliers, *of_net)


def restore_start(state: TrainState, start: Start, options: FineTuneOptions) -> None:
    """Fills the variables as decided.

    Args:
      state: the fresh variables.
      start: how the run starts.
      options: for what is said of them.
    """
    if start.checkpoint is None:
        return
    if not start.resumes:
        restore.restore(
            state.network.model_variables, start.checkpoint, start.plan.restored_names
        )
        fresh: list[str] = []
    else:
        logging.warning("resuming from %s", start.checkpoint.path)
        if options.checkpoint_path:
            logging.warning(
                "ignoring --checkpoint_path=%s and the exclude scopes: the run goes on"
                " from its own checkpoint; use a new --train_dir to start over",
                options.checkpoint_path,
            )
        # A batch norm that is frozen from now on keeps what it was evaluated with.
        statistics = start.plan.updated_statistics
        averaged = {*statistics, *(f"{name}/{SUFFIX}" for name in statistics)}
        fresh = restore.resume(state.named_variables(), start.checkpoint, averaged)
    if state.starting_points and not start.resumes:
        state.starting_points.follow()
    if state.moving_average:
        missing = set(state.moving_average.shadows) & set(fresh)
        if missing or not start.resumes:
            state.moving_average.follow()
    if fresh:
        names = first_few(fresh, _MAX_NAMED)
        logging.warning("newly initialized, not being in the checkpoint: %s", names)
