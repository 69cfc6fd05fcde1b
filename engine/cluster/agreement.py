"""What all machines of a run decide together, and what they add up."""

import signal
from typing import Protocol

import numpy as np
import tensorflow as tf

from cluster.cluster import Cluster
from engine.interruption import EXIT_TIME_LIMIT, Interruption


class Agreement(Protocol):
    """The decisions that every machine must take in the same step."""

    def reach(
        self, num_steps: int, interrupted: Interruption, *, save_is_due: bool
    ) -> tuple[int, bool]:
        """Agrees on what comes next; blocks until every machine has called it.

        Args:
          num_steps: how many steps this machine would take before the next agreement.
          interrupted: what ends the run here; takes note of what ends it elsewhere.
          save_is_due: whether this machine would save.

        Returns:
          The number of steps, and whether to save: what the chief would do.
        """

    def is_over(self, interrupted: Interruption) -> bool:
        """Whether the run ends before its next step, as agreed last."""

    def add(self, array: np.ndarray) -> np.ndarray:
        """The sum of the int32 arrays of all machines, which have the same shape."""

    def wait_for_all(self) -> None:
        """Blocks until every machine has called it."""


class Alone:
    """One machine, which agrees with itself."""

    def reach(
        self, num_steps: int, interrupted: Interruption, *, save_is_due: bool
    ) -> tuple[int, bool]:
        """See `Agreement`."""
        del interrupted
        return num_steps, save_is_due

    def is_over(self, interrupted: Interruption) -> bool:
        """See `Agreement`."""
        return bool(interrupted)

    def add(self, array: np.ndarray) -> np.ndarray:
        """See `Agreement`."""
        return array

    def wait_for_all(self) -> None:
        """See `Agreement`."""


WITH_NOBODY = Alone()


class Together:
    """Several machines, which agree by a sum over all of them."""

    def __init__(self, strategy: tf.distribute.Strategy, cluster: Cluster) -> None:
        """Agrees on nothing yet.

        Args:
          strategy: over the machines.
          cluster: the machines.
        """
        self._cluster = cluster
        self._is_over = False
        per_machine = strategy.num_replicas_in_sync // cluster.size

        def total(mine: tf.Tensor) -> tf.Tensor:
            def share() -> tf.Tensor:
                context = tf.distribute.get_replica_context()
                number = tf.convert_to_tensor(context.replica_id_in_sync_group)
                return tf.where(number % per_machine == 0, mine, tf.zeros_like(mine))

            shares = strategy.run(share)
            return strategy.reduce(tf.distribute.ReduceOp.SUM, shares, axis=None)

        self._total = tf.function(total, autograph=False, reduce_retracing=True)

    def reach(
        self, num_steps: int, interrupted: Interruption, *, save_is_due: bool
    ) -> tuple[int, bool]:
        """See `Agreement`."""
        mine = np.zeros(2 + self._cluster.size, np.int32)
        if self._cluster.is_chief:
            mine[:2] = num_steps, save_is_due
        mine[2 + self._cluster.rank] = interrupted.exit_status
        num_steps, saves, *statuses = self.add(mine).tolist()
        self._is_over = any(statuses)
        if self._is_over and not interrupted:
            rank = _first_of(statuses)
            interrupted.follow(statuses[rank], f"machine {self._cluster.name(rank)}")
        return num_steps, bool(saves)

    def is_over(self, interrupted: Interruption) -> bool:
        """See `Agreement`."""
        del interrupted
        return self._is_over

    def add(self, array: np.ndarray) -> np.ndarray:
        """See `Agreement`."""
        return self._total(tf.constant(array, tf.int32)).numpy()

    def wait_for_all(self) -> None:
        """See `Agreement`."""
        self.add(np.zeros(1, np.int32))


def agreement_of(strategy: tf.distribute.Strategy, cluster: Cluster) -> Agreement:
    """The agreement of the machines of a strategy."""
    return WITH_NOBODY if cluster.is_alone else Together(strategy, cluster)


def _first_of(statuses: list[int]) -> int:
    """The machine whose reason counts: SIGTERM, then SIGINT, then the time limit."""
    order = [128 + signal.SIGTERM, 128 + signal.SIGINT, EXIT_TIME_LIMIT]
    return min(
        (rank for rank, status in enumerate(statuses) if status),
        key=lambda rank: order.index(statuses[rank]),
    )
