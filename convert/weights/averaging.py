"""Weighted means of checkpoints, in a network that evaluates them."""

from collections.abc import Sequence

import numpy as np

from checkpoints import plan
from convert.weights.members import Member
from engine.batch_norm.split_statistics import SplitStatistics
from engine.evaluation.evaluation import Evaluator, Results
from engine.restored import eval_weights
from errors import NotFiniteError, UserError
from nets.network import Network


class Averages:
    """Sets a network to averages of checkpoints, as often as wanted.

    Attributes:
      moved_batch_norms: scopes of the batch norms whose stored statistics are not the
        same in all checkpoints: those that trained. Of an average of weights, neither
        checkpoint's statistics hold, nor does their mean.
    """

    def __init__(
        self, members: Sequence[Member], network: Network, suffix: str
    ) -> None:
        """Reads the statistics; the network stays as it is.

        Args:
          members: the checkpoints.
          network: theirs.
          suffix: the suffix of the variables' names in the checkpoints: "", or that of
            moving averages.

        Raises:
          UserError: a checkpoint lacks a variable that evaluation reads.
        """
        self._members = members
        self._suffix = suffix
        _require_complete(members, eval_weights.evaluated_names(network), suffix)
        self._variables = {
            name: variable
            for name, variable in network.model_variables.items()
            if all(f"{name}{suffix}" in m.checkpoint.shapes for m in members)
        }
        scopes = plan.batch_norm_scopes(list(self._variables))
        self.moved_batch_norms = [scope for scope in scopes if self._has_moved(scope)]

    def _has_moved(self, batch_norm: str) -> bool:
        first, *others = self._members
        return any(
            not np.array_equal(self._read(member, name), self._read(first, name))
            for member in others
            for name in (f"{batch_norm}/moving_mean", f"{batch_norm}/moving_variance")
        )

    def _read(self, member: Member, name: str) -> np.ndarray:
        return member.checkpoint.read(f"{name}{self._suffix}")

    def load(
        self, weights: Sequence[float], statistics: SplitStatistics | None
    ) -> None:
        """Sets the network to the sum of the checkpoints times their weights.

        Args:
          weights: one per checkpoint, of sum 1; a checkpoint that has all the weight
            keeps its own batch-norm statistics.
          statistics: computes those of averages; None if no batch norm has moved.

        Raises:
          NotFiniteError: a checkpoint that has a weight holds values that are not
            finite.
        """
        used = [pair for pair in zip(self._members, weights, strict=True) if pair[1]]
        for name, variable in self._variables.items():
            total = np.zeros(variable.shape, np.float64)
            for member, weight in used:
                value = self._read(member, name)
                if not np.isfinite(value).all():
                    raise NotFiniteError(
                        f"{member.path}: {name} holds values that are not finite:"
                        " leave this checkpoint out, or take an earlier one"
                    )
                total += weight * value
            variable.assign(total.astype(variable.dtype.as_numpy_dtype))
        if len(used) > 1 and statistics:
            for name, value in statistics.compute().items():
                self._variables[name].assign(value)

    def tensors(self) -> dict[str, np.ndarray]:
        """What the network holds, by slim's names."""
        return {name: v.numpy() for name, v in self._variables.items()}


def _require_complete(
    members: Sequence[Member], names: Sequence[str], suffix: str
) -> None:
    for member in members:
        for name in names:
            if f"{name}{suffix}" not in member.checkpoint.shapes:
                raise UserError(
                    f"{member.path} lacks {name}{suffix}, which {members[0].path}"
                    " holds: only checkpoints of one net can be averaged"
                )


class Judge:
    """Loads averages and evaluates them on a validation split."""

    def __init__(
        self,
        averages: Averages,
        evaluator: Evaluator,
        statistics: SplitStatistics | None,
    ) -> None:
        self._averages = averages
        self._evaluator = evaluator
        self._statistics = statistics

    def __call__(self, weights: Sequence[float]) -> Results:
        """What the network says with an average of these weights."""
        self._averages.load(weights, self._statistics)
        return self._evaluator.run()


def uniform(chosen: Sequence[int], count: int) -> list[float]:
    """Weights of a plain mean.

    Args:
      chosen: indices of the checkpoints in it.
      count: number of checkpoints.
    """
    return [1 / len(chosen) if i in chosen else 0.0 for i in range(count)]


def parse_alphas(text: str) -> list[float]:
    """The values of `--alphas`, in rising order, each once.

    Raises:
      UserError: one is not a number from 0 to 1, or there is none.
    """
    try:
        alphas = sorted({float(part) for part in text.split(",")})
    except ValueError:
        alphas = []
    if not alphas or not all(0 <= alpha <= 1 for alpha in alphas):
        raise UserError(
            f"--alphas={text}: expected numbers from 0 to 1 with commas between, as in"
            " 0,0.5,1"
        )
    return alphas
