"""What becomes of every variable: restored or newly initialized, trained or frozen.

The plan is made and printed before the first step. It is a pure function: names and
shapes in, a plan out.
"""

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence

from checkpoints import scopes


@dataclasses.dataclass(frozen=True)
class PlannedVariable:
    """What happens to one variable.

    Attributes:
      name: slim's name.
      shape: its shape.
      restored: whether it is restored from the checkpoint; otherwise it is newly
        initialized.
      trained: whether the optimizer updates it; otherwise it is frozen. Batch-norm
        statistics are never trained.
      trainable: whether it could be trained at all.
      rate_factor: factor of the learning rate in its updates.
      has_starting_point: whether its distance from the restored value is penalized.
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
        """Number of values."""
        return math.prod(self.shape)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What happens to all variables of a net.

    Attributes:
      checkpoint_path: where restored variables come from; None if training starts from
        scratch.
      variables: all of them, in order of creation.
      updating_batch_norms: scopes of the batch norms that use batch statistics and
        update their averages.
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
        """Variables restored from the checkpoint."""
        return [v.name for v in self.variables if v.restored]

    @property
    def trained_names(self) -> list[str]:
        """Variables that the optimizer updates."""
        return [v.name for v in self.variables if v.trained]

    @property
    def starting_points(self) -> list[str]:
        """Variables that are pulled back to their restored values."""
        return [v.name for v in self.variables if v.has_starting_point]

    @property
    def rate_factors(self) -> dict[str, float]:
        """Learning-rate factors of the trained variables for which they are not 1."""
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
      trainable_names: the variables that a gradient may change.
      restored: the variables that are restored.
      checkpoint_path: None without a checkpoint.
      checkpoint_names: all variables of the checkpoint.
      trainable_scopes: value of `--trainable_scopes`; empty trains everything.
      head_scopes: what the scope `head` stands for.
      freeze_batch_norm: whether batch norms without a trained variable keep their
        statistics.

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
    names = list(variable_shapes)
    taken, trainable = set(restored), set(trainable_names)
    frozen = frozen_batch_norms(names, trained) if freeze_batch_norm else []
    return Plan(
        checkpoint_path=checkpoint_path,
        variables=tuple(
            PlannedVariable(
                *(name, shape),
                restored=name in taken,
                trained=name in trained,
                trainable=name in trainable,
            )
            for name, shape in variable_shapes.items()
        ),
        updating_batch_norms=tuple(
            scope for scope in batch_norm_scopes(names) if scope not in set(frozen)
        ),
        frozen_batch_norms=tuple(frozen),
        unused=tuple(
            n for n in checkpoint_names if n not in taken and n != "global_step"
        ),
    )


def with_rate_factors(plan: Plan, factors: Mapping[str, float]) -> Plan:
    """The plan with factors of the learning rate, by name; 1 for a missing name."""
    variables = tuple(
        dataclasses.replace(v, rate_factor=factors.get(v.name, 1.0))
        for v in plan.variables
    )
    return dataclasses.replace(plan, variables=variables)


def with_starting_points(plan: Plan, names: Collection[str]) -> Plan:
    """The plan with these variables pulled back to their restored values."""
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
    """Scopes of the batch norms that have no trained variable.

    Args:
      variable_names: all variables of the net.
      trained_names: those that the optimizer updates.

    Returns:
      Scopes such as "InceptionV3/Mixed_7a/Branch_0/Conv2d_0a_1x1/BatchNorm".
    """
    trained_scopes = {name.rpartition("/")[0] for name in trained_names}
    return [s for s in batch_norm_scopes(variable_names) if s not in trained_scopes]
