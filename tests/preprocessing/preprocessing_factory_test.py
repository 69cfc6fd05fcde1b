"""Every name against values measured on the original, and the rules of the registry."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from errors import UserError
from preprocessing import preprocessing_factory as factory

# Names that the original does not know; each must share the recipe of a measured one.
_NEW_NAMES = {
    "alexnet_v2": "vgg",
    "inception_v3_narrow": "inception",
    "mobilenet_v1_025": "inception",
    "mobilenet_v1_050": "inception",
    "mobilenet_v1_075": "inception",
    "nasnet_cifar": "cifarnet",
    "overfeat": "vgg",
}
# Recipes of other libraries; their own tests compare with those.
_BEYOND_SLIM = {
    "efficientnet",
    "efficientnet_lite",
    "efficientnet_v2",
    "keras_efficientnet_v2",
    "torchvision_bicubic",
    "keras_caffe",
    "keras_imagenet",
    "keras_tf",
    "keras_unit",
    "keras_vgg",
    "resnet_v1_18",
    "resnet_v1_34",
    "torchvision",
}
_RECIPES = ["cifarnet", "inception", "lenet", "vgg", "torchvision", "keras_caffe"]
_CASES = {
    "cifarnet": ["224", "299", "224_grayscale", "small_image_32"],
    "inception": ["224", "299", "224_grayscale", "small_image_224"],
    "lenet": ["224", "299", "224_grayscale", "small_image_28"],
    "vgg": ["224", "small_image_224"],
}


def _sized(fn, size, **kwargs):
    return functools.partial(fn, output_height=size, output_width=size, **kwargs)


def _assert_measured(output, expected):
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
    assert list(output.shape) == expected["shape"]
    assert output.dtype == expected["dtype"]
    values = output.astype(np.float64)
    for name in ("mean", "std", "min", "max"):
        close(getattr(values, name)(), expected[name], err_msg=name)
    close(values.mean(axis=(0, 1)), expected["mean_per_channel"])
    close(np.sqrt(np.sum(values**2)), expected["l2"])
    assert len(expected["samples"]) == 32
    for row, column, channel, value in expected["samples"]:
        close(values[row, column, channel], value)


@pytest.mark.parametrize(
    ("recipe", "case"), [(r, case) for r, cases in _CASES.items() for case in cases]
)
def test_evaluation_equals_the_original(recipe, case, run, golden, photo, small_image):
    grayscale = case.endswith("_grayscale")
    fn = factory.get_preprocessing(recipe, is_training=False, use_grayscale=grayscale)
    image = small_image if case.startswith("small_image") else photo
    expected = golden["cases"][f"{recipe}/{case}"]
    output = run(_sized(fn, expected["shape"][0]), image)
    _assert_measured(output, expected)


def test_every_measured_case_is_tested(golden):
    tested = {f"{recipe}/{case}" for recipe, cases in _CASES.items() for case in cases}
    assert tested == set(golden["cases"])


def test_every_name_was_measured_or_shares_a_measured_recipe(golden):
    recipe_of = {**golden["recipe_of"], **_NEW_NAMES}
    assert recipe_of.keys() | _BEYOND_SLIM == factory.RECIPES.keys()
    for name, recipe in recipe_of.items():
        assert factory.RECIPES[name] == factory.RECIPES[recipe], name


@pytest.mark.parametrize("name", sorted(factory.RECIPES.keys() - _BEYOND_SLIM))
def test_every_name_gives_the_measured_image(name, golden, photo):
    recipe = {**golden["recipe_of"], **_NEW_NAMES}[name]
    fn = factory.get_preprocessing(name, is_training=False)
    output = fn(tf.constant(photo), 224, 224).numpy()
    _assert_measured(output, golden["cases"][f"{recipe}/224"])


@pytest.mark.parametrize("name", _RECIPES)
@pytest.mark.parametrize("is_training", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("use_grayscale", [False, True])
def test_every_mode_takes_one_and_three_channels(
    name, is_training, channels, use_grayscale, run, small_image
):
    fn = factory.get_preprocessing(name, is_training, use_grayscale)
    image = small_image[..., :channels]
    output = run(_sized(fn, 40), image)
    kept = channels if name in ("cifarnet", "lenet") else 3
    assert output.shape == (40, 40, 1 if use_grayscale else kept)
    assert output.dtype == np.float32
    assert np.isfinite(output).all()


@pytest.mark.parametrize("name", sorted({*_RECIPES} - {"lenet"}))
def test_training_without_a_seed_is_random_at_each_call(name, photo):
    """As in slim; `tf.random.set_seed` repeats it."""
    fn = factory.get_preprocessing(name, is_training=True)
    tf.random.set_seed(3)
    first, second = fn(photo, 64, 64), fn(photo, 64, 64)
    tf.random.set_seed(3)
    np.testing.assert_array_equal(first, fn(photo, 64, 64))
    assert np.abs(first - second).max() > 0.1


@pytest.mark.parametrize("name", _RECIPES)
def test_training_runs_the_same_eagerly_and_in_tf_data(name, photo, run):
    fn = factory.get_preprocessing(name, is_training=True)
    seed = tf.constant([3, 5], tf.int64)
    expected = fn(photo, 64, 80, seed)
    output = run(lambda image: fn(image, 64, 80, seed), photo)
    np.testing.assert_allclose(output, expected, atol=1e-5)


@pytest.mark.parametrize("name", _RECIPES)
def test_evaluation_ignores_the_seed(name, photo):
    fn = factory.get_preprocessing(name, is_training=False)
    seed = tf.constant([3, 5], tf.int64)
    np.testing.assert_array_equal(fn(photo, 64, 80, seed), fn(photo, 64, 80))


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(UserError, match=r"'resnet'.*inception_v3.*vgg_16") as caught:
        factory.get_preprocessing("resnet", is_training=False)
    assert "\n" not in str(caught.value)
