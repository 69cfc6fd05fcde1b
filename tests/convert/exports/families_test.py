"""Nets of newer kinds are exported as they are: LayerNorm, GELU, attention, tokens."""

import importlib.util

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
from nets import convnext, vit
from nets.network import Network

NAMES = ("cat", "dog", "bird")
NETS = {"dinov2_s14": 28, "convnext_tiny": 64}  # and their image sizes


@pytest.fixture(scope="module", params=NETS)
def classifier(request, tmp_path_factory):
    """Of a narrow net, with weights by which images differ."""
    net, size = request.param, NETS[request.param]
    with pytest.MonkeyPatch.context() as patch:
        narrow = vit.SIZES["dinov2_s14"]._replace(depth=8, blocks=2, heads=2)
        patch.setitem(vit.SIZES, "dinov2_s14", narrow)
        few = convnext.Size((4, 8, 8, 8), (1, 1, 1, 1), 0.1)
        patch.setitem(convnext.SIZES, "convnext_tiny", few)
        network = Network(net, num_classes=3, image_size=size)
        random = np.random.default_rng(0)
        values = {
            name: random.normal(0, 0.5, variable.shape).astype(np.float32)
            for name, variable in network.model_variables.items()
        }
        folder = tmp_path_factory.mktemp(net) / "run"
        folder.mkdir()
        values[f"{net}/Logits/weights"] *= 2
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
        yield classifiers.load(path, NetOptions(), use_moving_average=False)


@pytest.mark.parametrize(
    "name",
    [
        *("saved_model", "tflite", "tflite_int8"),
        *(
            pytest.param(name, marks=pytest.mark.real)
            for name in ("frozen_graph", "onnx")
        ),
    ],
)
def test_an_export_gives_the_checkpoints_probabilities(name, classifier, tmp_path):
    if name == "onnx" and importlib.util.find_spec("tf2onnx") is None:
        pytest.skip("tf2onnx is not installed")
    check = Check(classifier, export_photos.generated())
    size = classifier.network.image_size
    noise = np.random.default_rng(1).normal(0, 1, (8, size, size, 3))
    samples = list(noise.astype(np.float32))
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
