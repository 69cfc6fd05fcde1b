"""Whether runs on several machines compute what those on one do."""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.cluster.bench import SHORT_NET, Bench, finished
from config.options import split_list

_OPTIMIZERS = ("adadelta", "adagrad", "adam", "ftrl", "momentum", "sgd", "rmsprop")
_CASES: dict[str, dict[str, Any]] = {
    **{name: {"optimizer": name, "opt_epsilon": 0.1} for name in _OPTIMIZERS},
    "moving averages": {"moving_average_decay": 0.9},
    "accumulation": {"gradient_accumulation_steps": 2},
    "clipping": {"clip_gradient_norm": 0.5},
    "bfloat16": {"precision": "mixed_bfloat16"},
    "27 batch norms": {"final_endpoint": None, "head_hidden_units": None},
}
# The first is cut off early and has dropout, the other is whole.
_ELASTIC_NETS: dict[str, dict[str, Any]] = {
    "3 batch norms, dropout": SHORT_NET,
    "27 batch norms": {},
}


def equal(bench: Bench) -> None:
    """Each case on two tasks and on two clones."""
    cases = split_list(bench.options.cases) or list(_CASES)
    for kind, values in (("clones", {"num_clones": 2}), ("tasks", {})):
        runs = {
            os.fspath(bench.folder / f"{kind} {case}"): {
                **bench.flags,
                "optimizer": "momentum",
                "max_number_of_steps": 20,
                **SHORT_NET,
                **_CASES[case],
                **values,
            }
            for case in cases
        }
        path = bench.folder / f"{kind}.json"
        path.write_text(json.dumps(runs), encoding="utf-8")
        command = [sys.executable, "-m", "benchmarks.cluster.many_runs"]
        finished(1 if kind == "clones" else 2, [*command, os.fspath(path)])
    for case in cases:
        found = [bench.checkpoint(f"{kind} {case}") for kind in ("clones", "tasks")]
        bench.say(f"2 tasks, 2 clones: {case}", difference(*found))


def elastic(bench: Bench) -> None:
    """One run whose number of tasks changes, beside a change of nothing but the rate.

    Rounding grows in nets of many layers: there, a rate that is changed in its last
    digit changes the losses as much.
    """
    for net, values in _ELASTIC_NETS.items():
        run = {**values, "global_batch_size": 32, "optimizer": "momentum"}
        touched = {**run, "learning_rate": bench.flags["learning_rate"] * (1 + 3e-7)}
        for name, flags_of_run, stages in (
            ("steady", run, {20: 2}),
            ("changing", run, {10: 2, 14: 1, 20: 4}),
            ("touched", touched, {20: 2}),
        ):
            for last_step, number in stages.items():
                last = {"max_number_of_steps": last_step}
                command = bench.command(f"{name}, {net}", **flags_of_run, **last)
                finished(number, command)
        steady, *others = (
            bench.losses(f"{name}, {net}") for name in ("steady", "changing", "touched")
        )
        for what, losses in zip(
            ("2 → 1 → 4 tasks", "rate × (1 + 3e-7)"), others, strict=True
        ):
            largest = np.max(np.abs(losses / steady - 1))
            bench.say(f"{what}, {net}: losses differ by at most", f"{largest:.1e}")


def difference(values: Mapping[str, np.ndarray], others: Mapping[str, Any]) -> str:
    """How many tensors differ, in words."""
    assert set(values) == set(others)
    unequal = [n for n, v in values.items() if v.tobytes() != others[n].tobytes()]
    return f"{len(unequal)} of {len(values)} tensors differ {unequal[:3] or ''}".strip()
