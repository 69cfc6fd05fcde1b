"""Where the weights come from: which checkpoint wins, what fits, what is refused."""

import logging

import numpy as np
import pytest
import tensorflow as tf

from checkpoints.checkpoint_folder import CheckpointFolder
from config.training.fine_tune_options import FineTuneOptions
from engine.run.initial_weights import find_start, restore_start
from engine.step.train_state import TrainState
from errors import UserError
from nets.network import Network
from tests.engine import small_runs

HEAD = ("Tiny/Logits/", "Tiny/AuxLogits/")


@pytest.fixture(scope="module")
def network(small_net):
    return Network(small_runs.NET, num_classes=3)


@pytest.fixture
def folder(tmp_path):
    """The run's own, still empty."""
    return CheckpointFolder(str(tmp_path / "run"), keep=5)


@pytest.fixture
def make_state(network):
    """Makes the state that a run with these flags starts with."""

    def make(start, **flags):
        config = small_runs.make_config(dataset_dir="unused", **flags)
        return TrainState(network, start.plan, config, num_examples=12)

    return make


def fill(state, value):
    """Gives every variable a value of its own, starting from `value`."""
    for i, variable in enumerate(state.named_variables().values()):
        if variable is not state.global_step:
            variable.assign(tf.fill(variable.shape, float(value + i)))


def arrays(state):
    return {n: v.numpy() for n, v in state.named_variables().items()}


def save_run(network, folder, make_state, step=7, **flags):
    """Leaves the checkpoint of a run in the folder; returns what is in it."""
    state = make_state(find_start(network, folder, FineTuneOptions()), **flags)
    fill(state, 100)
    state.global_step.assign(step)
    saved = arrays(state)
    folder.save(step, saved)
    return saved


def start_run(network, folder, make_state, options=None, **flags):
    """Starts a run as the training loop does; returns its state and its start."""
    options = options or FineTuneOptions()
    start = find_start(network, folder, options)
    state = make_state(start, **flags)
    fill(state, 1)
    restore_start(state, start, options)
    return state, start


def test_without_a_checkpoint_everything_is_fresh(network, folder, make_state):
    state, start = start_run(network, folder, make_state)
    assert start.checkpoint is None
    assert (start.resumes, start.step) == (False, 0)
    assert start.plan.restored_names == []
    assert start.plan.trained_names == list(state.trained)
    assert not any(name.endswith(("mean", "variance")) for name in state.trained)


def test_a_warm_start_takes_weights_and_neither_slots_nor_step(
    network, folder, make_state, tmp_path
):
    source = CheckpointFolder(str(tmp_path / "source"), keep=1)
    flags = {"optimizer": "adam", "moving_average_decay": 0.9}
    saved = save_run(network, source, make_state, **flags)
    options = FineTuneOptions(
        checkpoint_path=source.path, checkpoint_exclude_scopes="head"
    )
    state, start = start_run(network, folder, make_state, options, **flags)
    values = arrays(state)
    assert (start.resumes, start.step, values["global_step"]) == (False, 0, 0)
    for name in network.model_variables:
        restored = np.array_equal(values[name], saved[name])
        assert restored == (not name.startswith(HEAD)), name
        # The averages start from what was restored.
        average = values[f"{name}/ExponentialMovingAverage"]
        np.testing.assert_array_equal(average, values[name])
    body = "Tiny/Conv2d_1/weights"
    assert not np.array_equal(values[f"{body}/Adam"], saved[f"{body}/Adam"])
    assert "Tiny/Conv2d_1/weights/Adam" in start.plan.unused


def test_the_runs_own_checkpoint_wins_and_says_so(
    network, folder, make_state, tmp_path, caplog
):
    caplog.set_level(logging.INFO, logger="absl")
    flags = {"optimizer": "adam", "moving_average_decay": 0.9}
    saved = save_run(network, folder, make_state, **flags)
    options = FineTuneOptions(
        checkpoint_path=str(tmp_path / "elsewhere"), checkpoint_exclude_scopes="head"
    )
    state, start = start_run(network, folder, make_state, options, **flags)
    assert (start.resumes, start.step) == (True, 7)
    assert set(start.plan.restored_names) == set(network.model_variables)
    values = arrays(state)
    assert set(values) == set(saved)
    for name, value in values.items():
        np.testing.assert_array_equal(value, saved[name], err_msg=name)
    said = " ".join(caplog.messages)
    assert f"resuming from {folder.path}/model.ckpt-7" in said
    assert f"ignoring --checkpoint_path={tmp_path}/elsewhere" in said


def test_the_newest_checkpoint_is_resumed(network, folder, make_state):
    save_run(network, folder, make_state, step=9)
    save_run(network, folder, make_state, step=10)
    assert find_start(network, folder, FineTuneOptions()).step == 10


def test_another_optimizer_resumes_with_what_fits(network, folder, make_state, caplog):
    saved = save_run(network, folder, make_state, optimizer="rmsprop")
    state, start = start_run(network, folder, make_state, optimizer="adam")
    values = arrays(state)
    assert values["global_step"] == start.step == 7
    for name in network.model_variables:
        np.testing.assert_array_equal(values[name], saved[name], err_msg=name)
    (said,) = [m for m in caplog.messages if m.startswith("newly initialized")]
    assert "Tiny/Conv2d_1/weights/Adam" in said
    # Two slots for each trained variable and two powers; five are named.
    assert said.endswith(f"and {2 * len(state.trained) + 2 - 5} more")


def test_other_scopes_resume_with_what_fits(network, folder, make_state, caplog):
    head_only = FineTuneOptions(trainable_scopes="head")
    state, _ = start_run(network, folder, make_state, head_only, optimizer="momentum")
    state.global_step.assign(7)
    saved = arrays(state)
    folder.save(7, saved)
    state, _ = start_run(network, folder, make_state, optimizer="momentum")
    values = arrays(state)
    for name in state.trained:
        slot = f"{name}/Momentum"
        assert (slot in saved) == name.startswith(HEAD)
        if slot in saved:
            np.testing.assert_array_equal(values[slot], saved[slot], err_msg=slot)
    (said,) = [m for m in caplog.messages if m.startswith("newly initialized")]
    assert "Tiny/Conv2d_1/weights/Momentum" in said
    assert "Logits" not in said


def test_averages_that_are_switched_on_later_start_from_the_weights(
    network, folder, make_state
):
    saved = save_run(network, folder, make_state)
    state, _ = start_run(network, folder, make_state, moving_average_decay=0.9)
    for name, shadow in state.moving_average.shadows.items():
        own = name.removesuffix("/ExponentialMovingAverage")
        np.testing.assert_array_equal(shadow.numpy(), saved[own], err_msg=name)


@pytest.mark.parametrize(
    ("found", "said"),
    [(np.zeros((1, 1, 6, 4)), r"\(1, 1, 6, 4\)"), (None, "missing")],
)
def test_the_checkpoint_of_another_net_is_refused(
    network, folder, make_state, found, said
):
    values = save_run(network, folder, make_state)
    if found is None:
        del values["Tiny/Logits/weights"]
    else:
        values["Tiny/Logits/weights"] = found.astype(np.float32)
    folder.save(8, values)
    message = rf"another net: Tiny/Logits/weights is {said} there and \(1, 1, 6, 3\)"
    with pytest.raises(UserError, match=message):
        find_start(network, folder, FineTuneOptions())


def pulling_back(folder):
    """The options of a run that pulls one block back to the checkpoint of a folder."""
    return FineTuneOptions(
        checkpoint_path=folder.path,
        checkpoint_exclude_scopes="head",
        trainable_scopes="Tiny/Conv2d_2,head",
        starting_point_decay=0.1,
    )


def test_restored_weights_are_pulled_back_to_the_checkpoint(
    network, folder, make_state, tmp_path
):
    saved = save_run(network, folder, make_state)
    own = CheckpointFolder(str(tmp_path / "other"), keep=5)
    options = pulling_back(folder)
    state, _ = start_run(network, own, make_state, options, starting_point_decay=0.1)
    points = {n.removesuffix("/StartingPoint") for n in state.starting_points.points}
    assert points == {n for n in state.trained if n.startswith("Tiny/Conv2d_2")}
    for name in points:
        start = state.starting_points.points[f"{name}/StartingPoint"].numpy()
        np.testing.assert_array_equal(start, saved[name], err_msg=name)

    fill(state, 500)
    started = arrays(state)
    own.save(9, started)
    resumed, _ = start_run(network, own, make_state, options, starting_point_decay=0.1)
    for name, point in resumed.starting_points.points.items():
        np.testing.assert_array_equal(point.numpy(), started[name], err_msg=name)


def test_what_is_opened_later_is_said_not_to_be_pulled_back(
    network, folder, make_state, caplog
):
    save_run(network, folder, make_state)
    own = CheckpointFolder(folder.path + "_own", keep=5)
    options = pulling_back(folder)
    state, _ = start_run(network, own, make_state, options, starting_point_decay=0.1)
    own.save(9, arrays(state))
    find_start(network, own, options)
    assert "started" not in caplog.text
    find_start(network, own, FineTuneOptions(starting_point_decay=0.1))
    assert "does not say where" in caplog.text
    assert "such as Tiny/Conv2d_1/weights: they get weight decay instead" in caplog.text


def test_without_anything_restored_nothing_pulls_back(network, folder, make_state):
    options = FineTuneOptions(starting_point_decay=0.1)
    with pytest.raises(UserError, match="no restored weight is trained: give --check"):
        find_start(network, folder, options)
    save_run(network, folder, make_state)
    with pytest.raises(UserError, match=r"began without it.* use another --train_dir"):
        find_start(network, folder, options)
