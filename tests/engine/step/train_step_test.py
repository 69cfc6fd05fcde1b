"""The training step against TensorFlow 1's, run in a graph as slim runs it."""

import dataclasses
import subprocess
import sys
import time
import types
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from engine.step import losses, train_step
from nets import mobilenet_v1, nets_factory, slim
from tests.engine import small_runs
from tests.engine.trainer import BATCH, CLASSES, Trainer, noise, without_dropout

# What TensorFlow says of tf_slim's layers in a graph.
pytestmark = pytest.mark.filterwarnings("ignore:`layer:UserWarning")


def assert_same_bytes(values, others):
    assert set(values) == set(others)
    for name, value in values.items():
        assert value.tobytes() == others[name].tobytes(), name


def slims_step(trainer, data):
    """One step of slim's script in a graph: its losses, and every value after it."""
    v1, config = tf.compat.v1, trainer.config
    smoothing = config.loss.label_smoothing
    with tf.Graph().as_default(), v1.Session() as session:
        network_fn = nets_factory.get_network_fn(
            config.model.model_name, CLASSES, config.loss.weight_decay, is_training=True
        )
        logits, end_points = network_fn(tf.constant(data["image"][0]))
        one_hot = tf.one_hot(data["label"][0], CLASSES)
        if "AuxLogits" in end_points:
            v1.losses.softmax_cross_entropy(
                one_hot,
                end_points["AuxLogits"],
                label_smoothing=smoothing,
                weights=0.4,
            )
        v1.losses.softmax_cross_entropy(one_hot, logits, label_smoothing=smoothing)
        total_loss = v1.losses.get_total_loss()
        optimizer = v1.train.RMSPropOptimizer(
            config.schedule.learning_rate, decay=0.9, momentum=0.9, epsilon=1.0
        )
        names = trainer.state.trained
        trained = [v for v in v1.trainable_variables() if v.op.name in names]
        gradients = optimizer.compute_gradients(total_loss, trained)
        update = optimizer.apply_gradients(gradients)
        moving_statistics = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
        variables = {v.op.name: v for v in v1.global_variables()}
        for name, variable in variables.items():
            variable.load(trainer.fresh[name], session)
        penalty = v1.losses.get_regularization_loss()
        loss_values, _ = session.run(
            ((total_loss, penalty), (update, moving_statistics))
        )
        return loss_values, session.run(variables)


def first_of_mobilenet(images, num_classes, is_training):
    """Its first layers, with and without strides, and its head over one pixel."""
    with slim.arg_scope([slim.batch_norm], is_training=is_training):
        net, end_points = mobilenet_v1.mobilenet_v1_base(
            images, "Conv2d_4_pointwise", depth_multiplier=0.25, scope="MobilenetV1"
        )
    net = slim.avg_pool2d(net, net.shape[1:3])
    with slim.arg_scope([slim.conv2d], activation_fn=None, normalizer_fn=None):
        logits = slim.conv2d(net, num_classes, [1, 1], scope="Logits")
    return tf.squeeze(logits, [1, 2]), end_points


@pytest.fixture
def no_dropout(monkeypatch):
    nets = nets_factory.NETWORKS
    entry = without_dropout(nets[small_runs.NET])
    monkeypatch.setitem(nets, small_runs.NET, entry)
    entry = dataclasses.replace(
        nets["mobilenet_v1_025"], builder=first_of_mobilenet, head_scopes=("Logits",)
    )
    monkeypatch.setitem(nets, "mobilenet_v1_025", entry)


@pytest.mark.usefixtures("no_dropout")
@pytest.mark.parametrize(
    ("size", "flags"),
    [
        (16, {}),
        (16, {"trainable_scopes": "head", "freeze_batch_norm": False}),
        (32, {"model_name": "mobilenet_v1_025"}),
    ],
    ids=["aux head", "frozen but drifting", "mobilenet"],
)
def test_a_step_is_slims(size, flags, tmp_path):
    trainer = Trainer(tmp_path, image_size=size, **flags)
    data = noise(1, size)
    (totals,) = trainer.run(data, [1])
    (total_loss, penalty), expected = slims_step(trainer, data)
    assert totals["total_loss"] == pytest.approx(total_loss, rel=1e-5)
    assert totals["regularization_loss"] == pytest.approx(penalty, rel=1e-5)
    ours = trainer.values()
    assert set(ours) == {*expected, "global_step"}
    assert ours["global_step"] == 1
    for name, value in expected.items():
        # A head over one pixel is a product in ours, which adds up in another order.
        np.testing.assert_allclose(
            ours[name], value, rtol=1e-5, atol=1e-5, err_msg=name
        )
    moved = {n for n in expected if not np.array_equal(ours[n], trainer.fresh[n])}
    assert moved >= set(trainer.state.trained)
    for statistic in ("moving_mean", "moving_variance"):
        assert moved >= {name for name in ours if name.endswith(statistic)}


@pytest.mark.usefixtures("no_dropout")
def test_what_is_frozen_keeps_its_bytes_and_its_batch_norm_its_statistics(tmp_path):
    trainer = Trainer(tmp_path, trainable_scopes="head")
    network, data = trainer.state.network, noise(2)
    first, _ = trainer.run(data, [1, 1])
    values = trainer.values()
    changed = {n for n in values if not np.array_equal(values[n], trainer.fresh[n])}
    trained = {n for n in network.model_variables if "Logits/" in n}
    slots = {f"{name}/{slot}" for name in trained for slot in ("RMSProp", "RMSProp_1")}
    assert changed == trained | slots | {"global_step"}

    for name, variable in trainer.state.named_variables().items():
        variable.assign(trainer.fresh[name])
    evaluate = tf.function(network, autograph=False)
    logits, end_points = evaluate(data["image"][0], is_training=False)
    targets = tf.one_hot(data["label"][0], CLASSES)
    in_evaluation = losses.data_loss(
        targets, logits, end_points["AuxLogits"], label_smoothing=0.1
    )
    assert first["loss"] == pytest.approx(float(in_evaluation), rel=1e-5)


@pytest.fixture(scope="module")
def shared_trainer(tmp_path_factory):
    with small_runs.net_registered():
        yield Trainer(
            tmp_path_factory.mktemp("trainer"),
            optimizer="adam",
            moving_average_decay=0.9,
            num_epochs_per_decay=1.0,
        )


@pytest.fixture
def trainer(shared_trainer, small_net):
    """Everything is trained, with dropout, adam and moving averages."""
    return shared_trainer


def test_steps_in_one_call_are_the_same_steps_one_by_one(trainer):
    data = noise(3)
    (together,) = trainer.run(data, [3])
    after_together = trainer.values()
    singly = trainer.run(data, [1, 1, 1])
    assert_same_bytes(after_together, trainer.values())
    assert together["steps"] == 3
    for name in ("total_loss", "loss", "regularization_loss", "accuracy"):
        expected = sum(each[name] for each in singly)
        assert together[name] == pytest.approx(expected, rel=1e-6)
    assert together["last_total_loss"] == singly[-1]["total_loss"]


def test_a_step_that_waits_for_its_batch_says_how_long(trainer):
    data = noise(2)
    waits = [0.2, 0.3]

    def batches():
        for number, secs in enumerate(waits):
            time.sleep(secs)
            yield {name: values[number] for name, values in data.items()}

    signature = {
        name: tf.TensorSpec(values.shape[1:], values.dtype)
        for name, values in data.items()
    }
    slow = tf.data.Dataset.from_generator(batches, output_signature=signature)
    started_at = time.monotonic()
    totals = trainer.step(iter(slow), 2)
    assert sum(waits) <= totals["input_secs"] <= time.monotonic() - started_at


def test_the_rate_is_that_of_the_last_step(trainer):
    # Two steps an epoch, a decay each: steps 0 and 1 at 0.2, step 2 at 0.2 * 0.94.
    rates = [t["learning_rate"] for t in trainer.run(noise(3), [1, 2])]
    assert rates == pytest.approx([0.2, 0.188])


def test_accuracy_is_the_share_of_right_answers(trainer):
    data = noise(1)
    (totals,) = trainer.run(data, [1])
    assert totals["accuracy"] * BATCH == pytest.approx(
        round(totals["accuracy"] * BATCH)
    )
    total_loss = totals["loss"] + totals["regularization_loss"]
    assert totals["total_loss"] == pytest.approx(total_loss)


def test_a_step_averages_what_it_finds(trainer):
    """By hand: as slim's script mostly does, before the update and with its step."""
    first = trainer.fresh
    values = []
    for steps in (1, 2):
        trainer.run(noise(2), [steps])
        values.append(trainer.values())
    second, third = values
    for name in trainer.state.network.model_variables:
        shadow = f"{name}/ExponentialMovingAverage"
        # Step 0 finds the fresh values, of which the average is made.
        np.testing.assert_allclose(second[shadow], first[name], atol=1e-6)
        # Step 1 has the decay (1 + 1) / (10 + 1), less than 0.9.
        by_hand = 2 / 11 * first[name] + 9 / 11 * second[name]
        np.testing.assert_allclose(third[shadow], by_hand, atol=1e-6, err_msg=name)
    weights = "Tiny/Conv2d_1/weights"
    assert np.abs(first[weights] - second[weights]).max() > 1e-4


def test_a_loss_that_is_not_finite_ends_the_call(trainer):
    data = noise(5)
    data["image"][1] = np.nan
    (totals,) = trainer.run(data, [5])
    assert np.isnan(totals["last_total_loss"])
    assert totals["steps"] == 2
    assert trainer.values()["global_step"] == 2


@pytest.mark.usefixtures("no_dropout")
def test_accumulated_batches_make_the_step_of_a_larger_one(tmp_path):
    values = []
    for parts in (1, 4):
        trainer = Trainer(
            tmp_path,
            optimizer="momentum",
            trainable_scopes=".*/weights,head",
            batch_size=BATCH // parts,
            gradient_accumulation_steps=parts,
        )
        (totals,) = trainer.run(noise(2), [2])
        del totals["input_secs"]
        values.append(trainer.values() | totals)
    for name, value in values[0].items():
        np.testing.assert_allclose(values[1][name], value, atol=1e-5, err_msg=name)
    weights = "Tiny/Conv2d_1/weights"
    assert not np.allclose(values[0][weights], trainer.fresh[weights], atol=1e-3)


@pytest.mark.usefixtures("no_dropout")
def test_clipped_gradients_have_the_norm_and_the_direction(tmp_path):
    steps = []
    for norm in (None, 0.01):
        trainer = Trainer(tmp_path, optimizer="sgd", clip_gradient_norm=norm)
        trainer.run(noise(1), [1])
        values = trainer.values()
        moves = [trainer.fresh[n] - values[n] for n in trainer.state.trained]
        steps.append(np.concatenate([move.ravel() for move in moves]) / 0.2)
    free, clipped = steps
    assert np.linalg.norm(free) > 0.01
    expected = free * 0.01 / np.linalg.norm(free)
    np.testing.assert_allclose(clipped, expected, atol=1e-6)


def test_two_clones_share_a_batch(tmp_path):
    """In a process of its own: the number of devices is settled once a process."""
    command = [sys.executable, "-m", "tests.engine.two_clones", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    one, two = (small_runs.read_all(tmp_path / name, 3) for name in ("one", "two"))
    assert set(one) == set(two)
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, atol=1e-5, err_msg=name)
    fresh = small_runs.read_all(tmp_path / "two", 0)
    weights = "Tiny/Conv2d_1/weights"
    assert not np.allclose(two[weights], fresh[weights], atol=1e-3)
    assert small_runs.steps_saved(tmp_path / "run") == [3]
    saved = small_runs.read_all(tmp_path / "run", 3)
    model = {n for n in saved if f"{n}/ExponentialMovingAverage" in saved}
    assert model == {n for n in fresh if n.startswith("Tiny/") and "Momentum" not in n}


def test_the_net_runs_after_the_wait_for_its_batch_is_measured():
    """Otherwise a single thread may run it in between, and its time counts as input."""
    run = types.SimpleNamespace(deterministic=False)
    step: Any = types.SimpleNamespace(config=types.SimpleNamespace(run=run))

    @tf.function(autograph=False)
    def read(iterator):
        return train_step._Step.next_batch(step, iterator)[0]["label"]

    batches = tf.data.Dataset.from_tensors({"label": [1, 2]})
    op = read.get_concrete_function(iter(batches)).graph.outputs[0].op
    waited_for = set()
    while op.type != "IteratorGetNext":
        waited_for |= {before.type for before in op.control_inputs}
        (source,) = op.inputs
        op = source.op
    assert "Sub" in waited_for
