"""The really trained InceptionV3 comes in through Keras, to the last bit."""

import keras
import numpy as np
import pytest

from checkpoints import slim_format
from convert.from_keras import keras_source
from convert.weights import conversion
from tests.real import assets, nsfwjs_inception

pytestmark = pytest.mark.real


def _keras_model():
    """Keras' InceptionV3 with the package's weights, for inputs in [-1, 1]."""
    weights = nsfwjs_inception.dequantized(assets.archive(assets.NSFWJS))
    nsfwjs_inception._take_inputs_from_minus_one(weights)
    keras.backend.clear_session()  # Layers are numbered from 0 again.
    build = keras.applications.InceptionV3
    model = build(weights=None, include_top=False, pooling="avg")
    for kind in ("conv2d", "batch_normalization"):
        layers = [la for la in model.layers if la.name.startswith(kind)]
        layers.sort(key=lambda layer: int(layer.name[len(kind) + 1 :] or 0))
        for number, layer in enumerate(layers, start=1):
            for variable in layer.weights:
                name = variable.path.rpartition("/")[2]
                variable.assign(weights[f"{kind}_{number}/{name}"])
    return model


def test_the_real_inception_v3_comes_in_through_keras(tmp_path, capsys):
    prefix = str(tmp_path / "inception_v3.ckpt")
    difference = conversion.convert(keras_source.source(_keras_model()), prefix)
    with capsys.disabled():
        print(f"\nreal InceptionV3: differs by {difference:.2g} of the largest feature")
    assert difference < 1e-5
    converted = slim_format.Checkpoint(prefix)
    reference = slim_format.Checkpoint(assets.inception_checkpoint())
    assert converted.shapes == reference.shapes
    for name in reference.shapes:
        np.testing.assert_array_equal(
            converted.read(name), reference.read(name), err_msg=name
        )
