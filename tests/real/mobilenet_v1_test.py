"""The published MobilenetV1 names photographs, so net and preprocessing are right."""

import json

import pytest
import tensorflow as tf

from checkpoints import restore, slim_format
from config.predict_config import NetOptions, PredictConfig, PredictOptions
from engine import predict
from nets.network import Network
from preprocessing import preprocessing_factory
from tests.real import assets

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def mobilenet():
    net = Network("mobilenet_v1", num_classes=1001)
    checkpoint = slim_format.Checkpoint(assets.mobilenet_checkpoint())
    restore.restore(net.model_variables, checkpoint, net.model_variables)
    return net


@pytest.mark.parametrize(
    ("photo", "label", "probability"),
    # Of slim's central crop; the whole photographs give 0.945 and 0.985.
    [("cat", assets.EGYPTIAN_CAT, 0.834), ("coffee", assets.ESPRESSO, 0.997)],
)
def test_top_1_is_what_the_photograph_shows(mobilenet, photo, label, probability):
    preprocess = preprocessing_factory.get_preprocessing("mobilenet_v1", False)
    image = tf.io.decode_png(assets.photographs()[photo].read_bytes(), channels=3)
    logits, _ = mobilenet(preprocess(image, 224, 224)[None], is_training=False)
    probabilities = tf.nn.softmax(logits[0]).numpy()
    top_3 = probabilities.argsort()[::-1][:3]
    print(f"{photo}: " + ", ".join(f"{i} {probabilities[i]:.3f}" for i in top_3))
    assert top_3[0] == label
    assert probabilities[label] == pytest.approx(probability, abs=0.01)


def test_prediction_names_the_photographs_by_imagenets_words(capsys):
    config = PredictConfig(
        PredictOptions(
            checkpoint_path=assets.mobilenet_checkpoint(), top_k=1, format="jsonl"
        ),
        NetOptions(model_name="mobilenet_v1"),
    )
    photographs = assets.photographs()
    names = [str(photographs[name]) for name in ("cat", "coffee")]
    assert predict.predict(config, names) == 0
    lines = capsys.readouterr().out.splitlines()
    found = [json.loads(line)["classes"][0] for line in lines]
    assert [one["class"] for one in found] == ["Egyptian cat", "espresso"]
    assert [one["label"] for one in found] == [assets.EGYPTIAN_CAT, assets.ESPRESSO]
    probabilities = [one["probability"] for one in found]
    assert probabilities == pytest.approx([0.834, 0.997], abs=0.01)
