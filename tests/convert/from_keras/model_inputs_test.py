"""A converted net gives of a raw photograph what Keras gives of it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from checkpoints import model_info, restore, slim_format
from convert.from_keras import keras_source
from convert.weights import conversion
from errors import UserError
from nets.network import Network
from preprocessing import preprocessing_factory
from tests.convert import keras_models

SIDE = 32
IMAGENET_MEAN, IMAGENET_VARIANCE = [0.485, 0.456, 0.406], [0.0524, 0.0502, 0.0506]


def _model(front, units=3, activation="softmax", shape=(SIDE, SIDE, 3)):
    base = keras.applications.MobileNet(
        input_shape=(SIDE, SIDE, 3), alpha=0.25, include_top=False, weights=None
    )
    keras_models.randomize(base)
    images = inputs = keras.Input(shape)
    for layer in front:
        is_grey = isinstance(layer, layers.Concatenate)
        images = layer([images] * 3 if is_grey else images)
    pooled = layers.GlobalAveragePooling2D()(base(images, training=False))
    dense = layers.Dense(units, activation=activation)
    return keras.Model(inputs, dense(layers.Dropout(0.2)(pooled)))


def _augmentation():
    return keras.Sequential(
        [layers.RandomFlip(), layers.RandomRotation(0.1), layers.RandomContrast(0.2)],
        name="data_augmentation",
    )


def _source(front, **options):
    model_options = {"shape": options.pop("shape", (SIDE, SIDE, 3))}
    return keras_source.source(_model(front, **model_options), **options)


@pytest.mark.parametrize(
    ("front", "shape", "recipe"),
    [
        ([layers.Rescaling(1 / 255)], (SIDE, SIDE, 3), "keras_unit"),
        (
            [
                layers.Resizing(SIDE, SIDE),
                _augmentation(),
                keras.applications.mobilenet_v2.preprocess_input,
            ],
            (None, None, 3),
            "keras_tf",
        ),
        (
            [layers.Concatenate(), layers.Rescaling(1 / 127.5, -1)],
            (SIDE, SIDE, 1),
            "keras_tf",
        ),
    ],
)
def test_the_checkpoint_and_its_recipe_give_kerass_answer(
    front, shape, recipe, tmp_path
):
    model = _model(front, shape=shape)
    size = (SIDE, SIDE, shape[2])
    photo = np.random.default_rng(3).integers(0, 256, size, np.uint8)
    images = photo[np.newaxis].astype(np.float32)
    expected = np.array(model(images, training=False))
    prefix = str(tmp_path / "model.ckpt")
    assert conversion.convert(keras_source.source(model), prefix) < 1e-5
    record = model_info.read(str(tmp_path))
    assert record is not None
    assert (record.preprocessing_name, record.image_size) == (recipe, SIDE)
    net = Network(record.model_name, num_classes=3, image_size=SIDE, channels=shape[2])
    checkpoint = slim_format.Checkpoint(prefix)
    restore.restore(net.model_variables, checkpoint, net.model_variables)
    prepare = preprocessing_factory.get_preprocessing(
        recipe, is_training=False, use_grayscale=shape[2] == 1
    )
    image = prepare(tf.constant(photo), SIDE, SIDE)
    got = tf.nn.softmax(net(image[tf.newaxis], is_training=False)[0])
    np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("front", "options", "recipe"),
    [
        ([layers.Rescaling(1 / 127.5, -1)], {}, "keras_tf"),
        ([], {}, "keras_tf"),
        ([], {"input_range": "0,1"}, "keras_unit"),
        ([], {"input_range": "0,255"}, "keras_unit"),
        ([layers.Rescaling(2.0, -1)], {"input_range": "0,1"}, "keras_tf"),
        (
            [
                layers.Rescaling(1 / 255),
                layers.Normalization(mean=IMAGENET_MEAN, variance=IMAGENET_VARIANCE),
            ],
            {},
            "keras_imagenet",
        ),
        ([keras.applications.resnet50.preprocess_input], {}, "keras_vgg"),
        (
            [layers.Concatenate(), layers.Rescaling(1 / 127.5, -1)],
            {"shape": (SIDE, SIDE, 1)},
            "keras_tf",
        ),
        ([layers.Concatenate()], {"shape": (SIDE, SIDE, 1)}, "keras_tf"),
    ],
)
def test_the_recipe_is_that_whose_zero_is_the_nets(front, options, recipe):
    source = _source(front, **options)
    assert source.preprocessing == recipe


@pytest.mark.parametrize(
    ("front", "message"),
    [
        (
            [layers.Normalization(mean=[90, 100, 110], variance=[9, 9, 9])],
            r"color \(90, 100, 110\) of 255 as zero.* nearest preprocessing here",
        ),
        (
            [layers.Rescaling(2.0, -1)],
            "pixels from 0 to 255 into values up to 509, .*--input_range",
        ),
        ([keras.ops.square], "do more than scale and shift"),
        ([layers.AveragePooling2D(3, 1, "same")], "do more than scale and shift"),
    ],
)
def test_what_no_recipe_makes_is_refused_by_its_cause(front, message):
    with pytest.raises(UserError, match=message) as error:
        _source(front)
    assert "\n" not in str(error.value)


def test_augmentation_and_the_assumed_range_are_said(caplog):
    caplog.set_level("INFO", logger="absl")
    _source([_augmentation()])
    assert "the augmentation, which only training uses: random_flip" in caplog.text
    assert "preprocess_input makes for MobileNet, -1 to 1" in caplog.text


def test_photographs_of_another_form_than_the_nets_are_refused():
    base = keras.applications.MobileNet(
        alpha=0.25, include_top=False, weights=None, input_shape=(None, None, 3)
    )
    cropped = layers.CenterCrop(SIDE, SIDE)
    for shape, front, message in (
        ((SIDE, 2 * SIDE, 3), [], "images of 32x64 pixels"),
        ((40, 40, 3), [cropped], "turns images of 40x40 pixels into 32x32"),
    ):
        model = keras.Sequential([keras.Input(shape), *front, base])
        with pytest.raises(UserError, match=message):
            keras_source.source(model)
