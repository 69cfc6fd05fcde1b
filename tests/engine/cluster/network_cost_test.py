"""The model by hand."""

import pytest

from engine.cluster import network_cost


def test_a_ring_moves_twice_the_bytes_between_many_machines():
    # 1 MB between two machines at 8 Mbit/s: two messages of half a second each.
    secs = network_cost.secs_per_step(1_000_000, 2, 8e6)
    assert secs == pytest.approx(1.0, abs=1e-3)
    assert network_cost.secs_per_step(1_000_000, 1000, 8e6) == pytest.approx(2, abs=0.1)
    assert network_cost.secs_per_step(1_000_000, 1, 8e6) == 0


def test_inception_v3_in_words():
    assert network_cost.as_text(97_360_000, 8) == (
        "gradients: 97.4 MB per step and machine; on an idle network about 137 ms at"
        " 10 Gbit/s and 14.1 ms at 100 Gbit/s"
    )
