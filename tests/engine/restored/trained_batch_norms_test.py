"""What a checkpoint tells of its batch norms, and what is said where they lag."""

import json

import numpy as np
import pytest

from checkpoints import slim_format
from checkpoints.slim_format import Checkpoint
from engine.restored import trained_batch_norms
from nets.network import Network
from tests.engine import small_runs

FIRST, SECOND = (f"Tiny/Conv2d_{i}/BatchNorm" for i in (1, 2))
NEEDED = 66  # steps to settle at the net's decay, 0.9


@pytest.fixture(scope="module")
def network():
    with small_runs.net_registered():
        yield Network(small_runs.NET, num_classes=3)


@pytest.fixture
def saved(network, tmp_path):
    """A function: a checkpoint of a step, with slots of what was trained."""

    def saved(step=50, trained=(), folder="run", run=None, **others):
        values = {n: v.numpy() for n, v in network.model_variables.items()}
        slots = {f"{n}/Momentum": values[n] for n in trained}
        at = {} if step is None else {"global_step": np.array(step)}
        prefix = str(tmp_path / folder / "model.ckpt-1")
        slim_format.write_checkpoint(prefix, {**values, **slots, **at, **others})
        if run is not None:
            values = {"start_flags": {}, "split_name": "", "data_fingerprint": ""}
            record = json.dumps({**values, "flags": run})
            (tmp_path / "run" / "run.json").write_text(record)
        return Checkpoint(prefix)

    return saved


@pytest.mark.parametrize(
    ("trained", "run", "expected"),
    [
        ((), None, None),
        (("Tiny/Logits/weights",), None, []),
        ((f"{SECOND}/beta", "Tiny/Logits/weights"), None, [SECOND]),
        ((), {"trainable_scopes": None}, [FIRST, SECOND]),
        ((f"{FIRST}/beta",), {"trainable_scopes": "Tiny/Conv2d_2"}, [SECOND]),
        ((), {"trainable_scopes": "head", "freeze_batch_norm": False}, [FIRST, SECOND]),
    ],
)
def test_the_runs_record_tells_what_was_trained_or_else_slots(
    network, saved, trained, run, expected
):
    checkpoint = saved(trained=trained, run=run)
    assert trained_batch_norms.find(network, checkpoint) == expected


def test_a_best_checkpoint_is_that_of_the_run_around_it(network, saved):
    saved()
    checkpoint = saved(folder="run/best", run={})
    assert trained_batch_norms.find(network, checkpoint) == [FIRST, SECOND]


def said(network, checkpoint, caplog):
    caplog.clear()
    trained_batch_norms.warn_if_lagging(network, checkpoint)
    return caplog.text


def test_lagging_statistics_are_said_with_the_remedy(network, saved, caplog):
    text = said(network, saved(NEEDED - 1, run={}), caplog)
    assert (
        f"the statistics of the 2 that are trained need {NEEDED} steps to settle"
        in text
    )
    assert "at step 65 they hold 0.1 % of their initial" in text
    assert "convert/recompute_batch_norm.py" in text
    assert not said(network, saved(NEEDED, run={}), caplog)


def test_the_decay_is_that_of_the_run(network, saved, caplog):
    assert not said(network, saved(3, run={"batch_norm_decay": 0.1}), caplog)
    assert "decay 0.99" in said(
        network, saved(NEEDED, run={"batch_norm_decay": 0.99}), caplog
    )


def test_nothing_is_said_where_all_is_well_or_not_known(network, saved, caplog):
    recomputed = {f"{FIRST}/moving_mean/RunningAverage": np.zeros(4, np.float32)}
    assert not said(network, saved(run={}, **recomputed), caplog)
    assert not said(network, saved(step=None, run={}), caplog)
    assert not said(network, saved(run={"trainable_scopes": "head"}), caplog)
    unknown = saved(folder="other")
    assert not said(network, unknown, caplog)


def test_a_damaged_record_of_the_run_is_no_reason_to_refuse(network, saved, caplog):
    checkpoint = saved(run={})
    run_info = f"{checkpoint.path.rpartition('/')[0]}/run.json"
    with open(run_info, "w") as file:
        file.write("{")
    assert not said(network, checkpoint, caplog)
