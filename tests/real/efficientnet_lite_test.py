"""The published EfficientNet-Lite0 names photographs: net, weights, preprocessing."""

import json

import pytest

from config.predict_config import NetOptions, PredictConfig, PredictOptions
from engine import predict
from fine_tuning import weights
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
