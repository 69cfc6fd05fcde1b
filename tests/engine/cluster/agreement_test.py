"""What machines agree on, their sums made by a stand-in for the network."""

import signal

import numpy as np
import pytest

from cluster.cluster import Cluster
from engine.cluster.agreement import WITH_NOBODY, Alone, Together
from engine.cluster.gathering import gather
from engine.interruption import Interruption


class _Machine(Together):
    """A machine whose sums are what a function makes of its array."""

    def __init__(self, rank, add):
        self._cluster = Cluster(rank, 3, "a:1", ("a:1", "b:2", "c:3"))
        self._is_over = False
        self.add = add  # type: ignore[method-assign]


def agreed(wishes):
    """What three machines agree on, each wishing (steps, interruption, save)."""
    arrays = {}
    for _ in range(2):  # first all say what they add, then all get the sum
        results = []
        for rank, (steps, interrupted, save) in enumerate(wishes):

            def add(array, rank=rank):
                arrays[rank] = array
                return sum(arrays.values())

            machine = _Machine(rank, add)
            if len(arrays) < 3:
                machine.add(np.zeros(5, np.int32))
            reached = machine.reach(steps, interrupted, save_is_due=save)
            results.append((*reached, machine.is_over(interrupted)))
    return results


def test_the_chief_decides_on_steps_and_on_saving():
    wishes = [(7, Interruption(), True), (3, Interruption(), False)]
    wishes.append((9, Interruption(), True))
    assert agreed(wishes) == [(7, True, False)] * 3


def terminated(number=signal.SIGTERM):
    interrupted = Interruption()
    interrupted.signal_number = number
    return interrupted


def test_a_signal_to_any_machine_ends_all_with_its_status():
    asked = [Interruption(), terminated(), Interruption()]
    assert all(over for *_, over in agreed([(1, i, False) for i in asked]))
    assert [i.exit_status for i in asked] == [143] * 3


def test_sigterm_counts_before_ctrl_c_and_that_before_the_time_limit():
    asked = [Interruption(), Interruption(0), terminated(signal.SIGINT)]
    agreed([(1, i, False) for i in asked])
    assert [i.exit_status for i in asked] == [130, 75, 130]


def test_the_time_limit_of_one_is_that_of_all():
    asked = [Interruption(), Interruption(0), Interruption()]
    agreed([(1, i, False) for i in asked])
    assert [i.exit_status for i in asked] == [75] * 3


def test_one_machine_agrees_with_itself():
    interrupted = Interruption()
    assert WITH_NOBODY.reach(4, interrupted, save_is_due=True) == (4, True)
    assert not WITH_NOBODY.is_over(interrupted)
    interrupted.signal_number = 2
    assert WITH_NOBODY.is_over(interrupted)


@pytest.mark.parametrize("num_machines", [1, 2, 3])
def test_pieces_come_together_bit_for_bit(num_machines):
    dtypes = {"label": np.int32, "loss": np.float32, "right": np.bool_}
    random = np.random.default_rng(1)
    pieces = [
        {
            "label": random.integers(-5, 5, rows).astype(np.int32),
            "loss": random.normal(size=rows).astype(np.float32),
            "right": random.random(rows) < 0.5,
        }
        for rows in (4, 4, 4, 2)
    ]
    pieces[0]["loss"][:2] = np.nan, -0.0
    tables = []

    class Adding(Alone):
        def add(self, array):
            tables.append(array)
            return sum(tables)

    for machine in range(num_machines):
        own = {n: p for n, p in enumerate(pieces) if n % num_machines == machine}
        found = gather(own, dtypes, num_pieces=4, num_rows=4, agreement=Adding())
    assert len(found) == 4
    for piece, expected in zip(found, pieces, strict=True):
        for name, values in expected.items():
            assert piece[name].dtype == values.dtype
            assert piece[name].tobytes() == values.tobytes(), name
