"""What becomes of every variable: restored or fresh, trained or frozen.

The plan is made and printed before the first step. It is a pure function: names and
shapes in, a plan out.
"""

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence

from checkpoints import scopes
from common.untrusted_text import first_few
from errors import UserError


@dataclasses.dataclass(frozen=True)
class PlannedVariable:
    """What happens to one variable.

    Attributes:
      name: slim's name.
      shape: its shape.
      restored: from the checkpoint; otherwise newly initialized.
      trained: changed by the optimizer; otherwise frozen. Moving statistics of batch
        norms are never trained.
      trainable: could be trained at all.
      rate_factor: what the learning rate is multiplied by in its updates.
      has_starting_point: its distance from the restored value is penalized.
    """

    name: str
    shape: tuple[int, ...]
    restored: bool
    trained: bool
    trainable: bool
    rate_factor: float = 1.0
    has_starting_point: bool = False

    @property
    def size(self) -> int:
        """Number of values in it."""
        return math.prod(self.shape)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What happens to all variables of a net.

    Attributes:
      checkpoint_path: where restored variables come from; None when training starts
        from scratch.
      variables: in order of creation.
      updating_batch_norms: scopes of batch norms that use and update batch statistics.
      frozen_batch_norms: scopes of those that use their stored statistics.
      unused: variables of the checkpoint that are not restored, including slots and
        moving averages of other runs.
    """

    checkpoint_path: str | None
    variables: tuple[PlannedVariable, ...]
    updating_batch_norms: tuple[str, ...]
    frozen_batch_norms: tuple[str, ...]
    unused: tuple[str, ...]

    @property
    def restored_names(self) -> list[str]:
        """Variables that the checkpoint gives."""
        return [v.name for v in self.variables if v.restored]

    @property
    def trained_names(self) -> list[str]:
        """Variables that the optimizer changes."""
        return [v.name for v in self.variables if v.trained]

    @property
    def starting_points(self) -> list[str]:
        """Variables that are pulled back to their restored values."""
        return [v.name for v in self.variables if v.has_starting_point]

    @property
    def rate_factors(self) -> dict[str, float]:
        """By name, of the trained variables whose factor is not 1."""
        return {
            v.name: v.rate_factor
            for v in self.variables
            if v.trained and v.rate_factor != 1
        }

    @property
    def updated_statistics(self) -> list[str]:
        """Variables that batch norms update."""
        return [
            f"{scope}/{name}"
            for scope in self.updating_batch_norms
            for name in ("moving_mean", "moving_variance")
        ]


def choose_restored(
    variable_shapes: Mapping[str, tuple[int, ...]],
    checkpoint_path: str,
    checkpoint_shapes: Mapping[str, tuple[int, ...]],
    *,
    exclude_scopes: Sequence[str],
    ignore_missing_vars: bool,
    head_scopes: Sequence[str],
) -> list[str]:
    """Names of the variables that a warm start takes from the checkpoint.

    Args:
      variable_shapes: the net's variables.
      checkpoint_path: for messages.
      checkpoint_shapes: what the checkpoint holds.
      exclude_scopes: value of `--checkpoint_exclude_scopes`.
      ignore_missing_vars: leave out what the checkpoint lacks.
      head_scopes: what the scope `head` stands for.

    Returns:
      The names, in the net's order.

    Raises:
      UserError: a scope matches nothing, everything is excluded, a variable is
        missing, has another shape, or nothing is left to restore.
    """
    flag = "checkpoint_exclude_scopes"
    names = list(variable_shapes)
    excluded = set(
        scopes.select(exclude_scopes, names, flag=flag, head_scopes=head_scopes)
    )
    wanted = [name for name in names if name not in excluded]
    if not wanted:
        raise UserError(
            f"--{flag}={','.join(exclude_scopes)} excludes every variable: to train"
            " from scratch, leave out --checkpoint_path"
        )
    present = [name for name in wanted if name in checkpoint_shapes]
    if not present:
        raise UserError(
            f"{checkpoint_path} holds none of the net's variables: it has"
            f" {first_few(list(checkpoint_shapes))}, the net has {first_few(wanted)};"
            " check --model_name and --checkpoint_path"
        )
    missing = [name for name in wanted if name not in checkpoint_shapes]
    misshapen = [n for n in present if variable_shapes[n] != checkpoint_shapes[n]]
    if len(misshapen) > len(wanted) / 2:
        name = misshapen[0]
        raise UserError(
            f"{checkpoint_path} is of another net: {len(misshapen)} of"
            f" {len(wanted)} variables have other shapes, as {name} with"
            f" {_shape(checkpoint_shapes[name])} there and"
            f" {_shape(variable_shapes[name])} in the net; check --model_name"
        )
    if missing and not ignore_missing_vars:
        raise UserError(
            f"{checkpoint_path} lacks {len(missing)} of the net's variables:"
            f" {first_few(missing)}; initialize them newly with"
            f" --{flag}={_exclusion(missing, exclude_scopes, names, head_scopes)}"
            " or --ignore_missing_vars"
        )
    if misshapen:
        name = misshapen[0]
        raise UserError(
            f"{name} has the shape {_shape(checkpoint_shapes[name])} in"
            f" {checkpoint_path} and {_shape(variable_shapes[name])} in the net"
            f" ({len(misshapen)} such in all); initialize it newly with"
            f" --{flag}={_exclusion(misshapen, exclude_scopes, names, head_scopes)}"
        )
    return present


def make_plan(
    variable_shapes: Mapping[str, tuple[int, ...]],
    trainable_names: Sequence[str],
    *,
    restored: Sequence[str],
    checkpoint_path: str | None,
    checkpoint_names: Sequence[str],
    trainable_scopes: Sequence[str],
    head_scopes: Sequence[str],
    freeze_batch_norm: bool,
) -> Plan:
    """Decides what is trained and frozen, given what is restored.

    Args:
      variable_shapes: the net's variables in order of creation.
      trainable_names: those that a gradient may change.
      restored: what the checkpoint gives.
      checkpoint_path: None without a checkpoint.
      checkpoint_names: all that the checkpoint holds.
      trainable_scopes: value of `--trainable_scopes`; empty trains everything.
      head_scopes: what the scope `head` stands for.
      freeze_batch_norm: batch norms without a trained variable keep their statistics.

    Returns:
      The plan.

    Raises:
      UserError: a scope matches no trainable variable.
    """
    trained = set(trainable_names)
    if trainable_scopes:
        trained = set(
            scopes.select(
                trainable_scopes,
                list(trainable_names),
                flag="trainable_scopes",
                head_scopes=head_scopes,
            )
        )
    taken = set(restored)
    variables = tuple(
        PlannedVariable(
            name, shape, name in taken, name in trained, name in set(trainable_names)
        )
        for name, shape in variable_shapes.items()
    )
    frozen = frozen_batch_norms(list(variable_shapes), trained)
    if not freeze_batch_norm:
        frozen = []
    return Plan(
        checkpoint_path=checkpoint_path,
        variables=variables,
        updating_batch_norms=tuple(
            s for s in batch_norm_scopes(list(variable_shapes)) if s not in set(frozen)
        ),
        frozen_batch_norms=tuple(frozen),
        unused=tuple(
            n for n in checkpoint_names if n not in taken and n != "global_step"
        ),
    )


def with_rate_factors(plan: Plan, factors: Mapping[str, float]) -> Plan:
    """The plan with factors of the learning rate; 1 where none is given by name."""
    variables = tuple(
        dataclasses.replace(v, rate_factor=factors.get(v.name, 1.0))
        for v in plan.variables
    )
    return dataclasses.replace(plan, variables=variables)


def with_starting_points(plan: Plan, names: Collection[str]) -> Plan:
    """The plan in which these variables are pulled back to their restored values."""
    variables = tuple(
        dataclasses.replace(v, has_starting_point=v.name in names)
        for v in plan.variables
    )
    return dataclasses.replace(plan, variables=variables)


def batch_norm_scopes(variable_names: Sequence[str]) -> list[str]:
    """Scopes of the batch norms among the variables, in order."""
    suffix = "/moving_mean"
    return [name[: -len(suffix)] for name in variable_names if name.endswith(suffix)]


def frozen_batch_norms(
    variable_names: Sequence[str], trained_names: Sequence[str] | set[str]
) -> list[str]:
    """Scopes of the batch norms none of whose own variables is trained.

    Args:
      variable_names: all variables of the net.
      trained_names: those that the optimizer changes.

    Returns:
      Scopes as in "InceptionV3/Mixed_7a/Branch_0/Conv2d_0a_1x1/BatchNorm".
    """
    trained_scopes = {name.rpartition("/")[0] for name in trained_names}
    return [s for s in batch_norm_scopes(variable_names) if s not in trained_scopes]


def _exclusion(
    names: Sequence[str],
    exclude_scopes: Sequence[str],
    all_names: Sequence[str],
    head_scopes: Sequence[str],
) -> str:
    """A value of the exclude flag that takes in `names` as well."""
    in_head = {n for n in names if any(scopes.matches(h, n) for h in head_scopes)}
    needed = list(exclude_scopes)
    if in_head and not set(head_scopes) & set(needed):
        needed.append(scopes.HEAD)
    elif in_head:  # a part of it is left out by its own name
        heads = [h for h in head_scopes if any(scopes.matches(h, n) for n in all_names)]
        needed += [h for h in heads if h not in needed]
    for name in names:
        if name not in in_head and not any(scopes.matches(s, name) for s in needed):
            needed.append(name.rpartition("/")[0] or name)
    return ",".join(needed)


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
