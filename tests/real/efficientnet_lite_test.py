"""The published EfficientNet-Lite0 names photographs: net, weights, preprocessing."""

import json

import numpy as np
import pytest
import tensorflow as tf

from checkpoints import restore, slim_format
from config.predict_config import NetOptions, PredictConfig, PredictOptions
from engine import predict
from fine_tuning import weights
from nets.network import Network
from preprocessing import preprocessing_factory
from tests.real import assets

pytestmark = pytest.mark.real


def test_prediction_names_the_photographs(capsys):
    options = PredictOptions(
        checkpoint_path=weights.fetch("efficientnet_lite0"), top_k=2, format="jsonl"
    )
    photographs = assets.photographs()
    names = [str(photographs[name]) for name in ("cat", "coffee")]
    assert predict.predict(PredictConfig(options, NetOptions()), names) == 0
    cat, coffee = (
        json.loads(line)["classes"] for line in capsys.readouterr().out.splitlines()
    )
    # A tabby that ImageNet has three names for.
    assert {one["class"] for one in cat} == {"tiger cat", "Egyptian cat"}
    assert coffee[0]["class"] == "espresso"
    assert coffee[0]["probability"] == pytest.approx(0.945, abs=0.01)
    # Its thousand classes count from 1, as slim counts where there is no background.
    assert coffee[0]["label"] == assets.ESPRESSO


@pytest.mark.parametrize("size", [224, 97])
def test_bfloat16_is_near_float32(size):
    """On real weights: random ones magnify rounding, layer by layer."""
    net = Network("efficientnet_lite0", num_classes=1000, draw_weights=False)
    checkpoint = slim_format.Checkpoint(weights.fetch("efficientnet_lite0"))
    restore.restore(net.model_variables, checkpoint, net.model_variables)
    preprocess = preprocessing_factory.get_preprocessing("efficientnet_lite", False)
    photographs = [
        preprocess(tf.io.decode_png(path.read_bytes(), channels=3), size, size)
        for path in assets.photographs().values()
    ]
    logits = {}
    for net.precision in ("float32", "mixed_bfloat16"):
        run = tf.function(lambda images: net(images, is_training=False)[0])
        logits[net.precision] = run(tf.stack(photographs)).numpy()
    difference = np.abs(logits["mixed_bfloat16"] - logits["float32"]).max()
    assert difference / np.abs(logits["float32"]).max() < 0.02
    tops = [values.argmax(axis=1).tolist() for values in logits.values()]
    assert tops[0] == tops[1]
