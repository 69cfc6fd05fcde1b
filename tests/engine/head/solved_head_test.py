"""A solved head is the best one on the frozen features, in a run like any other."""

import json
import logging

import numpy as np
import pytest

from engine.head import linear_head, solved_head
from engine.head.linear_classifier import LinearClassifier
from errors import UserError
from nets.network import Network
from tests.engine import small_runs

SOLVED = {
    "head_solver": "logistic",
    "trainable_scopes": "head",
    "feature_cache": "memory",
    "eval_split_name": "validation",
}
HEAD = {"Tiny/Logits/weights", "Tiny/Logits/biases"}


@pytest.fixture(scope="module")
def source(tmp_path_factory, images_dir):
    """A run whose layers are to be kept."""
    folder = tmp_path_factory.mktemp("source")
    small_runs.train(dataset_dir=images_dir, train_dir=folder, max_number_of_steps=4)
    return folder


@pytest.fixture(scope="module")
def solved(tmp_path_factory, images_dir, source):
    folder = tmp_path_factory.mktemp("solved")
    flags = {
        "checkpoint_path": str(source),
        "checkpoint_exclude_scopes": "head",
        "dataset_dir": images_dir,
        "train_dir": folder,
    }
    assert small_runs.train(**flags, **SOLVED) == 0
    return folder, flags


def test_it_changes_the_main_head_alone(solved, source):
    folder, _ = solved
    before, after = small_runs.read_all(source, 4), small_runs.read_all(folder, 1)
    kept = [n for n in after if n.startswith("Tiny/Conv2d")]
    assert len(kept) == 10
    for name in kept:
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    assert set(after) >= HEAD
    assert after["global_step"] == 1


def test_it_classifies_better_than_steps_do(solved, images_dir, tmp_path):
    folder, flags = solved
    stepped = flags | SOLVED | {"head_solver": "steps", "train_dir": tmp_path}
    small_runs.train(**stepped, max_number_of_steps=1)
    losses = [
        json.loads(path.read_text())
        for path in (
            folder / "best/evaluations.json",
            tmp_path / "best/evaluations.json",
        )
    ]
    solved_loss, stepped_loss = (_last_loss(found) for found in losses)
    assert solved_loss < stepped_loss


def _last_loss(found):
    scores = found["evaluations"] if isinstance(found, dict) else found
    return scores[-1]["loss"]


def test_the_same_command_has_nothing_to_do_and_two_runs_are_the_same_bytes(
    solved, tmp_path, caplog
):
    folder, flags = solved
    caplog.set_level(logging.INFO, logger="absl")
    assert small_runs.train(**flags, **SOLVED) == 0
    assert any("nothing to do" in message for message in caplog.messages)
    assert small_runs.train(**flags | {"train_dir": tmp_path}, **SOLVED) == 0
    one, other = small_runs.read_all(folder, 1), small_runs.read_all(tmp_path, 1)
    assert set(one) == set(other)
    for name, value in one.items():
        assert value.tobytes() == other[name].tobytes(), name


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"trainable_scopes": None}, "add --trainable_scopes=head"),
        ({"trainable_scopes": "Tiny/Conv2d_2,head"}, "add --trainable_scopes=head"),
        ({"feature_cache": "off"}, "add --feature_cache=memory or disk"),
        ({"feature_cache_views": 2}, "--feature_cache_views=1"),
        ({"max_number_of_steps": 5}, "--max_number_of_steps=5 has no effect"),
        ({"label_smoothing": 0.1}, "--label_smoothing=0.1 has no effect"),
        ({"moving_average_decay": 0.9}, "--moving_average_decay=0.9 has no effect"),
    ],
)
def test_what_steps_alone_know_is_refused(images_dir, tmp_path, change, expected):
    flags = SOLVED | {"dataset_dir": images_dir, "train_dir": tmp_path} | change
    with pytest.raises(UserError, match=expected):
        small_runs.train(**flags)
    assert not list(tmp_path.iterdir())


def test_a_classifier_becomes_the_head():
    network = Network("lenet", num_classes=3)
    rng = np.random.default_rng(0)
    classifier = LinearClassifier(
        rng.normal(size=(1024, 3)).astype("f"), rng.normal(size=3).astype("f")
    )
    linear_head.assign(network, classifier)
    images = np.float32(rng.normal(size=(2, 28, 28, 3)))
    logits, end_points = network(images, is_training=False)
    np.testing.assert_allclose(
        logits, classifier.logits(end_points["dropout3"].numpy()), rtol=1e-4, atol=1e-4
    )
    with pytest.raises(UserError, match="from 1024 features, not from the 5"):
        linear_head.assign(network, LinearClassifier(np.zeros((5, 3)), np.zeros(3)))


def test_a_head_of_two_layers_is_refused():
    network = Network("lenet", num_classes=3)
    network.model_variables["LeNet/fc4/more/weights"] = network.model_variables[
        "LeNet/fc4/weights"
    ]
    with pytest.raises(UserError, match="is not one linear layer"):
        linear_head.variables(network)


def test_totals_are_those_of_a_step():
    totals = solved_head._totals(np.array([[0.0, 0.0], [0.0, 0.0]]), np.array([0, 1]))
    assert float(totals["total_loss"]) == pytest.approx(np.log(2))
    assert float(totals["accuracy"]) == 0.5
