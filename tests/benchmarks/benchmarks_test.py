"""The smallest form of every benchmark runs, so that none falls behind the code."""

import functools

import pytest

from benchmarks import (
    cached_step,
    convert,
    evaluation,
    fine_tune,
    input,
    peak_memory,
    start_up,
    step,
)

# The contestants that its tables name; torchvision is an extra.
BENCHMARKS = {
    "cached_step": (cached_step.tables, ["cached", "whole net"]),
    "convert": (convert.tables, ["ours", "plain loop"]),
    "evaluation": (evaluation.tables, ["ours", "Keras"]),
    "fine_tune": (functools.partial(fine_tune.tables, epochs=[2]), ["ours", "Keras"]),
    "input": (input.tables, ["ours", "plain tf.data"]),
    "peak_memory": (peak_memory.tables, ["ours, head", "ours, all", "Keras, head"]),
    "start_up": (start_up.tables, ["ours", "Keras"]),
    "step_all": (
        functools.partial(step.tables, trainable="all"),
        ["ours", "slim's way", "Keras"],
    ),
    "step_head": (
        functools.partial(step.tables, trainable="head"),
        ["ours", "slim's way", "Keras"],
    ),
}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_contestant_gets_a_figure(name, folder, smallest):
    tables, contestants = BENCHMARKS[name]
    table = list(tables(folder, smallest))[-1]
    lines = {line.strip().split("  ")[0]: line for line in table.splitlines()}
    for contestant in contestants:
        figure = lines[contestant].strip().removeprefix(contestant).split()[0]
        assert float(figure) > 0, table
