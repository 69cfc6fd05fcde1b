"""Nets of newer kinds are exported as they are: one narrow net of each family."""

import functools
import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from checkpoints import slim_format
from checkpoints.model_info import ModelInfo
from config.predict_config import NetOptions
from convert.exports import export_photos
from convert.exports.check import Check
from convert.exports.formats import FORMATS, Job
from engine.restored import classifier as classifiers
from engine.restored.classifier import Classifier
from nets import (
    convnext,
    densenet,
    efficientnet_entries,
    nets_factory,
    vit,
    xception,
)
from nets import efficientnet_blocks as blocks
from nets.efficientnet_blocks import Scale, Stage
from nets.network import Network

NAMES = ("cat", "dog", "bird")
NETS = {  # and their image sizes
    "dinov2_s14": 28,
    "convnext_tiny": 64,
    "densenet_121": 32,
    "efficientnet_lite0": 32,
    "efficientnet_v2_s": 32,
    "xception": 32,
}
# Standard deviation of the logits over images. Of so narrow nets with random weights
# int8 loses much of what tells images apart, of a transformer most.
_DEVIATIONS = {
    "dinov2_s14": 0.08,
    "densenet_121": 0.2,
    "efficientnet_lite0": 0.3,
    "efficientnet_v2_s": 0.3,
}
_OFTEN = ("dinov2_s14", "convnext_tiny")  # exported to most formats in every run


def _make_narrow(patch: pytest.MonkeyPatch) -> None:
    """Gives the nets of `NETS` few channels and blocks, of each kind that they have."""
    vit_size = vit.SIZES["dinov2_s14"]._replace(depth=8, blocks=2, heads=2)
    patch.setitem(vit.SIZES, "dinov2_s14", vit_size)
    convnext_size = convnext.Size((4, 8, 8, 8), (1, 1, 1, 1), 0.1)
    patch.setitem(convnext.SIZES, "convnext_tiny", convnext_size)
    patch.setitem(densenet.UNITS, "densenet_121", (2, 1))
    narrow = {
        "block2": xception.Block((8, 8), is_strided=True, starts_with_relu=False),
        "block5": xception.Block((8, 8)),
    }
    patch.setattr(xception, "BLOCKS", narrow)
    patch.setattr(xception, "_LAST_DEPTHS", (8, 16))
    plain = [Stage(3, 1, 1, 8, 1), Stage(5, 2, 6, 8, 1)]
    fused = [Stage(3, 1, 1, 8, 1, is_fused=True), Stage(3, 2, 4, 8, 1, is_fused=True)]
    lite = blocks.table(plain, 8, 16, activation_fn=tf.nn.relu6, has_gates=False)
    tables = {
        "efficientnet_lite0": lite,
        "efficientnet_v2_s": blocks.table([*fused, *plain], 8, 16),
    }
    for net, layers in tables.items():
        entry = efficientnet_entries.entry(
            net, layers, Scale(1.0, 1.0, 32, 0.8), "torchvision"
        )
        patch.setitem(nets_factory.NETWORKS, net, entry)


def _noise(size: int, seed: int) -> np.ndarray:
    shape = (8, size, size, 3)
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def _set_weights(network: Network) -> None:
    """Random weights, with logits whose deviation over images of noise is known."""
    random = np.random.default_rng(0)
    for name, variable in network.model_variables.items():
        value = random.normal(0, 0.5, variable.shape)
        is_variance = name.endswith("moving_variance")
        variable.assign(0.5 + np.abs(value) if is_variance else value)
    logits, _ = network(tf.constant(_noise(network.image_size, 1)), is_training=False)
    mean, deviation = tf.reduce_mean(logits, 0), tf.math.reduce_std(logits, 0)
    deviation /= _DEVIATIONS.get(network.model_name, 1)
    for name, variable in network.model_variables.items():
        if "/Logits/" in name:
            is_bias = name.endswith("biases")
            variable.assign((variable - mean * is_bias) / deviation)


@pytest.fixture(scope="module")
def classifier_of(tmp_path_factory):
    """The classifier of a net, made once."""
    with pytest.MonkeyPatch.context() as patch:
        _make_narrow(patch)
        yield functools.cache(lambda net: _classifier(net, tmp_path_factory))


def _classifier(net: str, tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    size = NETS[net]
    network = Network(net, num_classes=3, image_size=size)
    _set_weights(network)
    values = {name: v.numpy() for name, v in network.model_variables.items()}
    folder = tmp_path_factory.mktemp(net) / "run"
    folder.mkdir()
    path = str(folder / "model.ckpt-7")
    slim_format.write_checkpoint(path, values | {"global_step": np.array(7)})
    ModelInfo(
        model_name=net,
        image_size=size,
        dataset_name="pets",
        num_classes=3,
        use_grayscale=False,
        preprocessing_name="torchvision",
        labels_offset=0,
        class_names=NAMES,
    ).write(str(folder))
    return classifiers.load(path, NetOptions(), use_moving_average=False)


def _cases() -> Iterator[Any]:
    for net in NETS:
        for name in ("saved_model", "tflite", "tflite_int8", "frozen_graph", "onnx"):
            is_quick = name == "tflite" or (
                net in _OFTEN and name in ("saved_model", "tflite_int8")
            )
            yield pytest.param(net, name, marks=[] if is_quick else pytest.mark.real)


@pytest.mark.parametrize(("net", "name"), list(_cases()))
def test_an_export_gives_the_checkpoints_probabilities(
    net, name, classifier_of, tmp_path
):
    if name == "onnx" and importlib.util.find_spec("tf2onnx") is None:
        pytest.skip("tf2onnx is not installed")
    classifier = classifier_of(net)
    check = Check(classifier, export_photos.generated())
    samples = list(_noise(NETS[net], 1))
    path = str(tmp_path / FORMATS[name].file)
    FORMATS[name].write(Job(classifier, samples=lambda: samples), path)
    assert "largest difference" in check.compare(FORMATS[name], path)
    run = FORMATS[name].run
    if run is None:
        return
    expected = classifier.probabilities(tf.constant(np.stack(samples))).numpy()
    assert np.ptp(expected, axis=0).max() > 0.05, "the images are told apart"
    bound = 0.1 if name == "tflite_int8" else 1e-4
    assert np.abs(run(path, np.stack(samples)) - expected).max() < bound
