"""Which batch norms of a checkpoint were trained, and whether their statistics lag."""

import contextlib
import os
from collections.abc import Sequence

from absl import logging

from checkpoints import plan, scopes
from checkpoints.restore import RUNNING_AVERAGE
from checkpoints.slim_format import Checkpoint
from engine.batch_norm.batch_norm_lag import Lag
from engine.restored import checkpoint_run
from engine.step.optimizers import SLOT_SUFFIXES
from errors import UserError
from nets.network import Network, is_auxiliary


def find(
    network: Network, checkpoint: Checkpoint, trainable_scopes: str | None = None
) -> list[str] | None:
    """Scopes of the checkpoint's batch norms that were trained.

    Args:
      network: its net.
      checkpoint: from a run, or from slim.
      trainable_scopes: the flag in training. By default that of the checkpoint's
        run.json, or else variables count as trained that have optimizer slots.

    Returns:
      The scopes; None if it is unknown which variables were trained.

    Raises:
      UserError: run.json is damaged, or a scope matches nothing.
    """
    names = [n for n in network.model_variables if n in checkpoint.shapes]
    batch_norms = plan.batch_norm_scopes(names)
    run = checkpoint_run.read(os.path.dirname(checkpoint.path))
    if trainable_scopes is None and run:
        if not run.flags.get("freeze_batch_norm", True):
            return batch_norms
        trainable_scopes = run.flags.get("trainable_scopes") or ".*"
    trained: Sequence[str] = _with_slots(names, checkpoint)
    if trainable_scopes:
        trained = scopes.select(
            scopes.parse_scopes(trainable_scopes, flag="trainable_scopes"),
            [n for n in names if network.model_variables[n].trainable],
            flag="trainable_scopes",
            head_scopes=network.head_scopes,
        )
    if not trained:
        return None
    frozen = set(plan.frozen_batch_norms(names, set(trained)))
    return [scope for scope in batch_norms if scope not in frozen]


def _with_slots(names: list[str], checkpoint: Checkpoint) -> list[str]:
    """Variables for which the checkpoint holds an optimizer slot."""
    slots = {slot for of_one in SLOT_SUFFIXES.values() for slot in of_one.values()}
    return [n for n in names if any(f"{n}/{s}" in checkpoint.shapes for s in slots)]


def warn_if_lagging(network: Network, checkpoint: Checkpoint) -> None:
    """Warns if stored statistics cannot have settled, with the remedy.

    This is so for runs that were interrupted or that did not recompute them, and for
    runs of slim. There is no warning if it is unknown how long they were trained.
    """
    recomputed = any(n.endswith(f"/{RUNNING_AVERAGE}") for n in checkpoint.shapes)
    step = checkpoint.global_step
    if recomputed or step is None:
        return
    with contextlib.suppress(UserError):  # it is only a warning
        found = find(network, checkpoint) or []
        if trained := [scope for scope in found if not is_auxiliary(scope)]:
            run = checkpoint_run.read(os.path.dirname(checkpoint.path))
            decay = run.flags.get("batch_norm_decay") if run else None
            if decay is None:
                decay = max(network.batch_norm_decays[scope] for scope in trained)
            lag = Lag(len(trained), decay)
            if not lag.is_settled(step):
                logging.warning("%s: %s", checkpoint.path, _remedy(lag, step))


def _remedy(lag: Lag, step: int) -> str:
    return (
        f"{lag.as_text(None)}; at step {step} they hold"
        f" {100 * lag.start_left(step):.1f} % of their initial value, so the net does"
        " worse than in training: convert/recompute_batch_norm.py recomputes them"
    )
