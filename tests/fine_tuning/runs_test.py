"""Which stages follow the head, from what the probe found and the stages reached."""

import json
import types
from typing import Any

import pytest

from config.fine_tune_config import StagesOptions
from engine.run.validation import Score
from fine_tuning.runs import Runs
from fine_tuning.tuning_state import TuningState

FOUND = {
    "depths": [
        {"end_point": "a", "flops_after": 0.5, "train_accuracy": 1.0},
        {"end_point": "b", "flops_after": 0.0, "train_accuracy": 0.9},
    ],
    "chosen": "a",
    "better_end": "a",
    "is_similar": True,
    "still_rises": False,
    "trials": [],
    "trainable_scopes": {"a": ["net/b/", "net/head/"], "b": ["net/head/"]},
}


@pytest.fixture
def stages_of(tmp_path, monkeypatch):
    """A function that runs stages of given accuracies, and names them."""

    def run(accuracies, **options):
        ran: list[str] = []

        def scores(_):
            return {f: Score(1, accuracies[f], 0.5) for f in ran}

        def note(_, stage, command, folder, *, may_fail):
            del stage, command, may_fail
            ran.append(folder)
            return 0

        monkeypatch.setattr(Runs, "scores", scores)
        monkeypatch.setattr(Runs, "_run", note)
        (tmp_path / "probe").mkdir()
        (tmp_path / "probe" / "probe.json").write_text(json.dumps(FOUND))
        lines: Any = types.SimpleNamespace(values={}, of_stage=lambda *_: None)
        state = TuningState(data="photos", recipe=None, flags=[])
        runs = Runs(
            StagesOptions(output_dir=str(tmp_path), **options),
            lines,
            None,
            state,
            str(tmp_path),
        )
        assert runs.run() == 0
        return ran

    return run


@pytest.mark.parametrize(
    ("shorter", "options", "follows"),
    [
        (0.9, {}, []),
        (0.8, {}, ["3-top"]),
        (0.9, {"budget_mins": 10.0}, ["3-top"]),
    ],
)
def test_blocks_are_opened_unless_a_shorter_net_is_better(
    stages_of, shorter, options, follows
):
    accuracies = {"1-head": 0.8, "2-shorter": shorter, "3-top": 0.7}
    assert stages_of(accuracies, **options) == ["1-head", "2-shorter", *follows]
