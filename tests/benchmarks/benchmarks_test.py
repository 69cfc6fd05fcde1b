"""The smallest form of every benchmark runs, so that none falls behind the code."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from benchmarks import (
    building,
    cached_step,
    convert,
    evaluation,
    fine_tune,
    ours,
    peak_memory,
    start_up,
    step,
)
from benchmarks import input as input_benchmark

# The contestants that its tables name; torchvision is an extra.
BENCHMARKS: dict[str, tuple[Callable[..., Iterator[str]], list[str]]] = {
    "building": (building.tables, ["ours", "ours, step"]),
    "cached_step": (cached_step.tables, ["cached", "whole net"]),
    "convert": (convert.tables, ["ours", "plain loop"]),
    "evaluation": (evaluation.tables, ["ours", "Keras"]),
    "fine_tune": (functools.partial(fine_tune.tables, epochs=[2]), ["ours", "Keras"]),
    "input": (input_benchmark.tables, ["ours", "plain tf.data"]),
    "peak_memory": (peak_memory.tables, ["ours, head", "ours, all", "Keras, head"]),
    "start_up": (start_up.tables, ["ours", "Keras"]),
    "step": (
        functools.partial(step.tables, trainable="all"),
        ["ours", "slim's way", "Keras"],
    ),
}

STARTING = ["cached_step", "fine_tune"]  # the converter, and the training script


@pytest.fixture
def no_second_start(monkeypatch, folder, smallest):
    """Scripts that other benchmarks start are not started again: each takes seconds."""
    ours.make_data(folder, smallest)
    run_script = ours.run_script

    def run(script: str, **values: Any) -> float:
        return run_script(script, **values) if script.startswith("benchmarks") else 1.0

    monkeypatch.setattr(ours, "run_script", run)


@pytest.mark.parametrize("name", STARTING)
def test_every_contestant_gets_a_figure(name, folder, smallest):
    check(name, folder, smallest)


@pytest.mark.parametrize("name", [n for n in BENCHMARKS if n not in STARTING])
def test_so_it_does_with_data_that_is_there(name, folder, smallest, no_second_start):
    check(name, folder, smallest)


def check(name, folder, scale):
    tables, contestants = BENCHMARKS[name]
    table = list(tables(folder, scale))[-1]
    lines = {line.strip().split("  ")[0]: line for line in table.splitlines()}
    for contestant in contestants:
        figure = lines[contestant].strip().removeprefix(contestant).split()[0]
        assert float(figure) > 0, table
