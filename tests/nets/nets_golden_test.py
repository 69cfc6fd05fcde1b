"""Every network of the factory is slim's: variables, penalty, logits, end points.

The goldens were measured on the original (make_golden.py says how). Of families that
differ in a table alone, whose rows their own tests check, the smallest, or the one that
is used most, is measured here, and all of them by `make real`.
"""

import concurrent.futures
import functools
import json
import multiprocessing
import os
import pathlib
from typing import Any

import numpy as np
import pytest

from checkpoints import plan
from nets import nets_factory
from tests.nets import measuring

FOLDER = pathlib.Path(__file__).parent
TSV_CLASSES = 1001  # slim_variables.tsv was measured with so many

# Relative. Between machines float32 sums differ by about 1e-5 of the largest logit;
# 200 layers amplify that tenfold. A wrong stride, epsilon or padding costs over 1e-3.
TOLERANCE = 1e-4


@functools.cache
def read_rows(net):
    """The net's rows of the table: name, shape, trainable, regularized."""
    lines = (FOLDER / "slim_variables.tsv").read_text().splitlines()
    rows = (line.split("\t") for line in lines if line.startswith(f"{net}\t"))
    return [
        (name, tuple(map(int, shape.split("x"))), trainable == "T", regularized == "R")
        for _, name, shape, trainable, regularized in rows
    ]


def read_golden(net):
    return json.loads((FOLDER / "golden" / f"{net}.json").read_text())


# Of these families, by how the nets' names begin, the nets to measure always.
MEASURED = {
    "vgg": ("vgg_16",),
    "mobilenet_v1": ("mobilenet_v1", "mobilenet_v1_025"),
    "nasnet": ("nasnet_cifar", "nasnet_mobile"),
    "pnasnet": ("pnasnet_mobile",),
    "resnet_v1": (
        "resnet_v1_18",
        "resnet_v1_50",
        "resnet_v1_50_keras",
        "resnet_v1_50_torchvision",
    ),
    "resnet_v2": ("resnet_v2_50", "resnet_v2_50_keras"),
    "efficientnet": (
        "efficientnet_b0",
        "efficientnet_b0_torchvision",
        "efficientnet_lite0",
        "efficientnet_v2_b0",
    ),
    "densenet": ("densenet_121",),
    "convnext": ("convnext_tiny",),
    "vit": ("vit_s16",),
    "dinov2": ("dinov2_s14",),
}


def is_slow(net):
    return any(
        net.startswith(family) and net not in nets for family, nets in MEASURED.items()
    )


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(net, marks=pytest.mark.real if is_slow(net) else ())
        for net in nets_factory.NETWORKS
    ],
)
def net(request):
    return request.param


@pytest.fixture(scope="module")
def golden(net):
    return read_golden(net)


@pytest.fixture(scope="module")
def measurements(request):
    """Every network under test, being measured: a process for each core."""
    items = [item for item in request.session.items if item.module is request.module]
    nets = dict.fromkeys(
        i.callspec.params["net"] for i in items if "measured" in i.fixturenames
    )
    spawn = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(os.cpu_count(), mp_context=spawn)
    futures = {}
    for net in nets:
        golden = read_golden(net)
        size = golden.get("measured_size", golden["image_size"])
        futures[net] = pool.submit(measuring.measure, net, golden["num_classes"], size)
    yield futures
    pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def measured(measurements, net):
    return measurements[net].result()


def test_every_network_has_a_golden_and_rows():
    for name in nets_factory.NETWORKS:
        assert (FOLDER / "golden" / f"{name}.json").is_file(), name
        assert read_rows(name), name


def test_input_recipe(measured, golden):
    assert measured.input_sha256 == golden["input_sha256"]


def test_variables(net, measured, golden):
    """Names, shapes and order of creation."""

    def shape_here(shape):
        classes = golden["num_classes"]
        return tuple(classes if n == TSV_CLASSES else n for n in shape)

    assert list(measured.shapes.items()) == [
        (name, shape_here(shape)) for name, shape, *_ in read_rows(net)
    ]


def test_variables_carry_the_names_they_are_listed_by(measured):
    assert measured.names == list(measured.shapes)


def test_trainability(net, measured):
    assert measured.trainable == {
        name for name, _, trains, _ in read_rows(net) if trains
    }


def test_regularized(net, measured, golden):
    assert measured.regularized == [
        name for name, *_, regularized in read_rows(net) if regularized
    ]
    losses = golden["training"]["num_regularization_losses"]
    assert len(measured.regularized) == losses


def test_regularization_sum(measured, golden):
    expected = golden["training"]["regularization_sum"]
    # Each term is a float32 sum of up to 1e8 squares.
    assert measured.regularization_sum == pytest.approx(expected, rel=1e-5)


def test_batch_norm_updates(measured, golden):
    """Two update ops, mean and variance, for each batch norm in training."""
    scopes = plan.batch_norm_scopes(list(measured.shapes))
    assert 2 * len(scopes) == golden["training"]["num_update_ops"]


def test_default_image_size(net, measured, golden):
    assert measured.image_size == golden["image_size"]
    network_fn: Any = nets_factory.get_network_fn(net, 10)
    assert network_fn.default_image_size == golden["image_size"]


@pytest.mark.parametrize("net", nets_factory.NETWORKS)
def test_head_scopes(net):
    """The head is what depends on the number of classes, plus the auxiliary branch."""
    head_scopes = nets_factory.get_entry(net).head_scopes
    names = [name for name, *_ in read_rows(net)]
    for scope in head_scopes:
        assert any(name.startswith(f"{scope}/") for name in names), scope
    head = {n for n in names if n.startswith(tuple(f"{s}/" for s in head_scopes))}
    by_class = {n for n, shape, *_ in read_rows(net) if TSV_CLASSES in shape}
    assert by_class <= head
    assert all("/AuxLogits/" in name for name in head - by_class)


def test_weights_recipe(measured, golden):
    assert measured.weights_sha256 == golden["weights_sha256"]


def test_logits(measured, golden):
    assert measured.weights_sha256 == golden["weights_sha256"]
    logits, expected = measured.logits, golden["logits"]
    assert logits.shape == (2, golden["num_classes"])
    bound = TOLERANCE * expected["max_abs"]
    np.testing.assert_allclose(logits[:, :16], expected["first16"], rtol=0, atol=bound)
    assert np.abs(logits).max() == pytest.approx(expected["max_abs"], rel=TOLERANCE)
    assert min(expected["top2_gap"]) > 2 * bound, "argmax would be a toss-up"
    assert logits.argmax(axis=1).tolist() == expected["argmax"]


@pytest.mark.real
@pytest.mark.parametrize(
    "net",
    [
        path.stem
        for path in sorted((FOLDER / "golden").glob("*.json"))
        if '"other_size"' in path.read_text()
    ],
)
def test_another_size_and_bfloat16(net, capsys):
    golden = read_golden(net)
    other, size = golden["other_size"], golden.get("measured_size")
    differences = measuring.differences(
        net,
        golden["num_classes"],
        {
            size or golden["image_size"]: golden["logits"],
            other["image_size"]: other["logits"],
        },
    )
    with capsys.disabled():
        print(f"\n{net}: {differences}")
    assert max(differences["float32"].values()) < TOLERANCE
    # Random weights magnify rounding with depth and size: in bfloat16 EfficientNet B4
    # is off by 0.4 % at 97 pixels, and by 23 % at 380, where its float32 is by 1e-6.
    assert differences["mixed_bfloat16"][other["image_size"]] < 0.02


def test_lenet_of_one_channel():
    """As MNIST has it; also slim's, measured apart."""
    golden = read_golden("lenet_c1")
    measured = measuring.measure("lenet", 10, 28, channels=1)
    assert measured.shapes["LeNet/conv1/weights"] == (5, 5, 1, 32)
    test_input_recipe(measured, golden)
    test_regularization_sum(measured, golden)
    test_logits(measured, golden)
    test_end_points(measured, golden)


def test_end_points(measured, golden):
    expected = {key: (shape, l2) for key, shape, l2 in golden["end_points"]}
    assert set(measured.end_points) == set(expected)
    for key, (shape, norm) in measured.end_points.items():
        assert shape == expected[key][0], key
        assert norm == pytest.approx(expected[key][1], rel=TOLERANCE), key
