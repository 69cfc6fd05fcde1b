"""Every network of the factory is slim's: variables, penalty, logits, end points.

The goldens were measured on the original (make_golden.py says how).
"""

import dataclasses
import gc
import hashlib
import json
import math
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from checkpoints import plan
from nets import nets_factory, network
from tests.nets import recipe

FOLDER = pathlib.Path(__file__).parent
TSV_CLASSES = 1001  # slim_variables.tsv was measured with so many
WEIGHT_DECAY = 0.00004  # of the goldens' regularization_sum

# Relative. Between machines float32 sums differ by about 1e-5 of the largest logit;
# 200 layers amplify that tenfold. A wrong stride, epsilon or padding costs over 1e-3.
TOLERANCE = 1e-4


@dataclasses.dataclass
class Run:
    """A network with the recipe's weights, and what it made of the recipe's images."""

    name: str
    net: network.Network
    golden: dict[str, Any]
    images: np.ndarray
    weights_sha256: str
    logits: np.ndarray
    end_points: dict[str, tuple[list[int], float]]  # shape, L2 norm


def read_rows(net):
    """The net's rows of the table: name, shape, trainable, regularized."""
    lines = (FOLDER / "slim_variables.tsv").read_text().splitlines()
    rows = (line.split("\t") for line in lines if line.startswith(f"{net}\t"))
    return [
        (name, tuple(map(int, shape.split("x"))), trainable == "T", regularized == "R")
        for _, name, shape, trainable, regularized in rows
    ]


def _fill(variables):
    """Gives the variables the recipe's values; the SHA-256 of all of them."""
    sha256 = hashlib.sha256()
    for name, variable in variables.items():
        values = recipe.weights(name, tuple(variable.shape))
        variable.assign(values)
        sha256.update(values.data)
    return sha256.hexdigest()


def _evaluate(net, images):
    """Logits, and the end points' shapes and L2 norms."""
    shapes: dict[str, list[int]] = {}

    @tf.function(autograph=False)
    def evaluate(images):
        logits, end_points = net(images, is_training=False)
        shapes.update({key: list(v.shape) for key, v in end_points.items()})
        halves = {
            k: tf.nn.l2_loss(tf.cast(v, tf.float64)) for k, v in end_points.items()
        }
        return logits, halves

    logits, halves = evaluate(tf.constant(images))
    norms = {key: math.sqrt(2 * half) for key, half in halves.items()}
    return logits.numpy(), {key: (shapes[key], norms[key]) for key in norms}


@pytest.fixture(scope="module", params=nets_factory.NETWORKS)
def run(request):
    gc.collect()  # the net before: VGG's holds half a gigabyte
    name = request.param
    golden = json.loads((FOLDER / "golden" / f"{name}.json").read_text())
    net = network.Network(name, num_classes=golden["num_classes"])
    weights_sha256 = _fill(net.model_variables)
    images = recipe.images(golden["image_size"])
    return Run(name, net, golden, images, weights_sha256, *_evaluate(net, images))


def test_every_network_has_a_golden_and_rows():
    for name in nets_factory.NETWORKS:
        assert (FOLDER / "golden" / f"{name}.json").is_file(), name
        assert read_rows(name), name


def test_input_recipe(run):
    assert hashlib.sha256(run.images.data).hexdigest() == run.golden["input_sha256"]


def test_variables(run):
    """Names, shapes and order of creation."""

    def shape_here(name, shape):
        classes = run.golden["num_classes"]
        return tuple(classes if n == TSV_CLASSES else n for n in shape)

    assert [(k, tuple(v.shape)) for k, v in run.net.model_variables.items()] == [
        (name, shape_here(name, shape)) for name, shape, *_ in read_rows(run.name)
    ]


def test_variables_carry_the_names_they_are_listed_by(run):
    for name, variable in run.net.model_variables.items():
        assert variable.name == f"{name}:0"


def test_trainability(run):
    trainable = {v.name.removesuffix(":0") for v in run.net.trainable_variables}
    assert trainable == {name for name, _, trains, _ in read_rows(run.name) if trains}


def test_regularized(run):
    assert [v.name.removesuffix(":0") for v in run.net.regularized] == [
        name for name, *_, regularized in read_rows(run.name) if regularized
    ]
    training = run.golden["training"]
    assert len(run.net.regularized) == training["num_regularization_losses"]


def test_regularization_sum(run):
    total = sum(WEIGHT_DECAY * float(tf.nn.l2_loss(v)) for v in run.net.regularized)
    expected = run.golden["training"]["regularization_sum"]
    # Each term is a float32 sum of up to 1e8 squares.
    assert total == pytest.approx(expected, rel=1e-5)


def test_batch_norm_updates(run):
    """Two update ops, mean and variance, for each batch norm in training."""
    scopes = plan.batch_norm_scopes(list(run.net.model_variables))
    assert 2 * len(scopes) == run.golden["training"]["num_update_ops"]


def test_default_image_size(run):
    assert run.net.image_size == run.golden["image_size"]
    network_fn: Any = nets_factory.get_network_fn(run.name, 10)
    assert network_fn.default_image_size == run.golden["image_size"]


def test_head_scopes(run):
    """The head is what depends on the number of classes, plus the auxiliary branch."""
    head_scopes = nets_factory.get_entry(run.name).head_scopes
    names = [name for name, *_ in read_rows(run.name)]
    for scope in head_scopes:
        assert any(name.startswith(f"{scope}/") for name in names), scope
    head = {n for n in names if n.startswith(tuple(f"{s}/" for s in head_scopes))}
    by_class = {n for n, shape, *_ in read_rows(run.name) if TSV_CLASSES in shape}
    assert by_class <= head
    assert all("/AuxLogits/" in name for name in head - by_class)


def test_weights_recipe(run):
    assert run.weights_sha256 == run.golden["weights_sha256"]


def test_logits(run):
    assert run.weights_sha256 == run.golden["weights_sha256"]
    expected = run.golden["logits"]
    assert run.logits.shape == (2, run.golden["num_classes"])
    bound = TOLERANCE * expected["max_abs"]
    np.testing.assert_allclose(
        run.logits[:, :16], expected["first16"], rtol=0, atol=bound
    )
    assert np.abs(run.logits).max() == pytest.approx(expected["max_abs"], rel=TOLERANCE)
    assert min(expected["top2_gap"]) > 2 * bound, "argmax would be a toss-up"
    assert run.logits.argmax(axis=1).tolist() == expected["argmax"]


def test_end_points(run):
    expected = {key: (shape, l2) for key, shape, l2 in run.golden["end_points"]}
    assert set(run.end_points) == set(expected)
    for key, (shape, norm) in run.end_points.items():
        assert shape == expected[key][0], key
        assert norm == pytest.approx(expected[key][1], rel=TOLERANCE), key
