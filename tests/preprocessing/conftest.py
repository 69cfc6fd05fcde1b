"""The images that the goldens were measured on, and every way to run an image fn."""

import hashlib
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

_GOLDEN = json.loads((pathlib.Path(__file__).parent / "golden.json").read_text())


@pytest.fixture(scope="session")
def golden():
    return _GOLDEN


def _seeded_image(facts):
    generator = np.random.Generator(np.random.PCG64(facts["seed"]))
    image = generator.integers(0, 256, size=facts["shape"], dtype=np.uint8)
    assert hashlib.sha256(image.tobytes()).hexdigest() == facts["sha256"]
    return image


@pytest.fixture(scope="session")
def photo():
    """[375, 500, 3] uint8 noise."""
    return _seeded_image(_GOLDEN["photo"])


@pytest.fixture(scope="session")
def small_image():
    """[20, 24, 3] uint8 noise."""
    return _seeded_image(_GOLDEN["small_image"])


def _in_tf_data(fn, image):
    def images():
        yield image

    signature = tf.TensorSpec([None, None, image.shape[-1]], image.dtype)
    dataset = tf.data.Dataset.from_generator(images, output_signature=signature)
    dataset = dataset.map(fn)
    assert dataset.element_spec.shape.is_fully_defined(), "sizes must be static"
    return next(iter(dataset)).numpy()


@pytest.fixture(params=["eager", "tf.data"])
def run(request):
    """Runs `fn(image)` eagerly, or in tf.data with height and width unknown."""
    if request.param == "tf.data":
        return _in_tf_data
    return lambda fn, image: fn(tf.constant(image)).numpy()
