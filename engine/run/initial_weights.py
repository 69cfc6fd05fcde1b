"""Where a run's weights come from: its own folder, a checkpoint, or random values."""

import dataclasses
from collections.abc import Sequence

from absl import logging

from checkpoints import plan as plans
from checkpoints import rate_factors, restore, restored_names, scopes, slim_format
from checkpoints.checkpoint_folder import CheckpointFolder
from checkpoints.slim_format import Checkpoint
from common.untrusted_text import first_few
from config.training.fine_tune_options import FineTuneOptions
from engine.step.moving_average import SUFFIX
from engine.step.starting_points import SUFFIX as POINT
from engine.step.train_state import TrainState
from errors import UserError
from nets.network import Network, is_auxiliary

_MAX_NAMED = 5  # newly initialized variables named in the log


@dataclasses.dataclass(frozen=True)
class Start:
    """How a run starts.

    Attributes:
      plan: what is restored, trained and frozen.
      checkpoint: where restored values come from; None if trained from scratch.
      resumes: whether the checkpoint is the run's own, so that optimizer and step are
        restored too.
      step: number of steps done before.
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
      network: the net, whose weights are neither drawn nor restored yet.
      folder: the run's folder, whose newest checkpoint takes precedence.
      options: the checkpoint to start from, and the scopes.

    Raises:
      UserError: the checkpoint does not fit, the run's own is of another net, or a
        scope matches nothing.
    """
    shapes = network.variable_shapes()
    head_scopes = network.head_scopes
    own = folder.latest()
    checkpoint: Checkpoint | None = None
    restored: list[str] = []
    step = 0
    if own:
        checkpoint = Checkpoint(own)
        restore.require_same_net(shapes, checkpoint)
        restored = list(shapes)
        step = checkpoint.global_step or 0
    elif options.checkpoint_path:
        checkpoint = Checkpoint(slim_format.find_checkpoint(options.checkpoint_path))
        restored = _names_to_restore(network, checkpoint, options)
    plan = plans.make_plan(
        shapes,
        [n for n, v in network.model_variables.items() if v.trainable],
        restored=restored,
        checkpoint_path=checkpoint.path if checkpoint else None,
        checkpoint_names=list(checkpoint.shapes) if checkpoint and not own else [],
        trainable_scopes=scopes.parse_scopes(
            options.trainable_scopes, flag="trainable_scopes"
        ),
        # An auxiliary head is trained by steps only.
        head_scopes=head_scopes[:1] if options.solves_head else head_scopes,
        freeze_batch_norm=options.freeze_batch_norm,
    )
    factors = _rate_factors(plan, options, head_scopes)
    points = _starting_points(plan, checkpoint, options, head_scopes, resumes=bool(own))
    plan = plans.with_starting_points(plans.with_rate_factors(plan, factors), points)
    return Start(plan, checkpoint, resumes=bool(own), step=step)


def _names_to_restore(
    network: Network, checkpoint: Checkpoint, options: FineTuneOptions
) -> list[str]:
    """The variables that a run restores from a checkpoint that is not its own."""
    return restored_names.choose(
        network.variable_shapes(),
        checkpoint.path,
        checkpoint.shapes,
        exclude_scopes=scopes.parse_scopes(
            options.checkpoint_exclude_scopes, flag="checkpoint_exclude_scopes"
        ),
        ignore_missing_vars=options.ignore_missing_vars,
        head_scopes=network.head_scopes,
    )


def _starting_points(
    plan: plans.Plan,
    checkpoint: Checkpoint | None,
    options: FineTuneOptions,
    head_scopes: Sequence[str],
    *,
    resumes: bool,
) -> set[str]:
    """The trained variables that are pulled back to where they started.

    Raises:
      UserError: there are none, or it is no longer known where they started.
    """
    if not options.starting_point_decay:
        return set()
    flag = "--starting_point_decay"
    if resumes and checkpoint:
        held = {n for n in plan.trained_names if f"{n}/{POINT}" in checkpoint.shapes}
        if not held:
            raise UserError(
                f"{flag}: the run in {checkpoint.path} began without it, so it is not"
                " known where its weights started: use another --train_dir, or omit"
                " the flag"
            )
        free = [
            name
            for name in plan.trained_names
            if name not in held
            and not any(scopes.matches(head, name) for head in head_scopes)
        ]
        if free:
            logging.warning(
                "%s: the checkpoint does not say where %d variables started that are"
                " trained now, such as %s: they get weight decay instead",
                *(flag, len(free), free[0]),
            )
        return held
    held = set(plan.restored_names) & set(plan.trained_names)
    if not held:
        raise UserError(
            f"{flag} pulls restored weights back to where they started, but no restored"
            " weight is trained: give --checkpoint_path, and train more than what"
            " --checkpoint_exclude_scopes excludes, or omit the flag"
        )
    return held


def _rate_factors(
    plan: plans.Plan, options: FineTuneOptions, head_scopes: Sequence[str]
) -> dict[str, float]:
    """The factors of the learning rate, by variable; 1 for a missing name."""
    names = [v.name for v in plan.variables]
    if options.layer_decay:
        # NASNet's auxiliary head has layers before what --…_scopes=head stands for.
        auxiliary = [n.rpartition("/")[0] for n in names if is_auxiliary(n)]
        heads = [*head_scopes, *dict.fromkeys(auxiliary)]
        return rate_factors.by_depth(
            options.layer_decay, names, plan.trained_names, heads
        )
    multipliers = rate_factors.parse(options.learning_rate_multipliers)
    return rate_factors.by_scope(multipliers, names, plan.trained_names, head_scopes)


def restore_start(state: TrainState, start: Start, options: FineTuneOptions) -> None:
    """Fills the variables as decided.

    Args:
      state: the variables; those that will not be restored are drawn.
      start: how the run starts.
      options: the checkpoint to start from, for a warning where it is ignored.
    """
    if start.checkpoint is None:
        return
    if start.resumes:
        _resume(state, start.plan, start.checkpoint, options)
        return
    restore.restore(
        state.network.model_variables, start.checkpoint, start.plan.restored_names
    )
    if state.starting_points:
        state.starting_points.follow()
    if state.moving_average:
        state.moving_average.follow()


def _resume(
    state: TrainState, plan: plans.Plan, own: Checkpoint, options: FineTuneOptions
) -> None:
    """Restores everything from the run's own checkpoint."""
    logging.warning("resuming from %s", own.path)
    if options.checkpoint_path:
        logging.warning(
            "ignoring --checkpoint_path=%s and the exclude scopes: the run continues"
            " from its own checkpoint; use a new --train_dir to start over",
            options.checkpoint_path,
        )
    # A batch norm frozen from now on keeps the statistics that it was evaluated with.
    statistics = plan.updated_statistics
    averaged = {*statistics, *(f"{name}/{SUFFIX}" for name in statistics)}
    fresh = restore.resume(state.named_variables(), own, averaged)
    if state.moving_average and set(state.moving_average.shadows) & set(fresh):
        state.moving_average.follow()
    if fresh:
        names = first_few(fresh, _MAX_NAMED)
        logging.warning("newly initialized, not in the checkpoint: %s", names)
