"""Random affine warps against Keras, at their limits, and from their seed alone."""

import math

import numpy as np
import pytest
import tensorflow as tf

from preprocessing.random_affine import random_affine

RANGES = {"shear": 20.0, "zoom": 0.3, "rotate": 30.0, "shift": 0.2}


@pytest.fixture
def slopes():
    """[40, 60, 2] float32: y and x of each pixel."""
    return np.moveaxis(np.mgrid[:40, :60], 0, -1).astype(np.float32)


def seed(number):
    return tf.constant([number, 7], tf.int64)


@pytest.mark.parametrize("number", range(3))
def test_keras_warps_alike_where_it_draws_the_same(number, slopes):
    slopes = slopes[:, :40]  # of others, Keras mistakes the center
    keras = pytest.importorskip("keras.src.legacy.preprocessing.image")
    pytest.importorskip("scipy")
    draws = tf.random.stateless_uniform([6], seed(number), -1.0, 1.0).numpy()
    expected = keras.apply_affine_transform(
        slopes,
        theta=RANGES["rotate"] * draws[0],
        shear=RANGES["shear"] * draws[1],
        zx=1 + RANGES["zoom"] * draws[2],
        zy=1 + RANGES["zoom"] * draws[3],
        tx=RANGES["shift"] * draws[4] * 40,
        ty=RANGES["shift"] * draws[5] * 40,
        row_axis=0,
        col_axis=1,
        channel_axis=2,
        order=1,
    )
    warped = random_affine(tf.constant(slopes), seed(number), **RANGES).numpy()
    np.testing.assert_allclose(warped, expected, atol=1e-3)
    assert np.abs(warped - slopes).max() > 3


def moved(slopes, **ranges):
    """How far pixels move: `[200, 2, 40, 60]`, y and x, within the image."""
    image = tf.constant(slopes)
    warps = tf.data.Dataset.range(200).map(
        lambda number: random_affine(image, tf.stack([number, 7]), **ranges)
    )
    return np.stack([warp - slopes for warp in warps.as_numpy_iterator()])


def test_a_shift_goes_up_to_its_share_of_each_side(slopes):
    by = moved(slopes, shift=0.1)[:, 20, 30]
    assert np.abs(by).max(0) == pytest.approx([4, 6], rel=0.05)
    assert np.abs(by).mean(0) == pytest.approx([2, 3], rel=0.15)


def test_zoom_scales_each_axis_about_the_center(slopes):
    by = moved(slopes, zoom=0.2)
    factors = 1 + by[:, 10, 15] / ([10, 15] - np.array([19.5, 29.5]))
    assert factors.min(0) == pytest.approx([0.8, 0.8], abs=0.02)
    assert factors.max(0) == pytest.approx([1.2, 1.2], abs=0.02)
    assert abs(np.corrcoef(factors.T)[0, 1]) < 0.2


def test_rotation_keeps_distances_and_has_its_largest_angle(slopes):
    turned = moved(slopes, rotate=30)[:, 20, 40] + [20, 40] - [19.5, 29.5]
    np.testing.assert_allclose(np.hypot(*turned.T), math.hypot(0.5, 10.5), rtol=1e-3)
    angles = np.degrees(np.arctan2(*turned.T) - np.arctan2(0.5, 10.5))
    assert (angles.min(), angles.max()) == pytest.approx((-30, 30), abs=0.7)


def test_shear_slants_the_columns(slopes):
    sheared = moved(slopes, shear=10)[:, 30, 30] + [30, 30] - [19.5, 29.5]
    angles = np.degrees(np.arctan2(sheared[:, 1] - 0.5, sheared[:, 0]))
    assert np.abs(angles).max() == pytest.approx(10, abs=0.2)


def test_outside_is_the_edge_and_the_seed_alone_decides():
    bright = tf.ones([30, 20, 3]) * 0.7
    one = random_affine(bright, seed(1), **RANGES)
    np.testing.assert_allclose(one, bright, rtol=1e-6)
    noise = tf.random.stateless_uniform([30, 20, 3], [1, 2])
    first = random_affine(noise, seed(1), **RANGES)
    np.testing.assert_array_equal(first, random_affine(noise, seed(1), **RANGES))
    assert (first != random_affine(noise, seed(2), **RANGES)).numpy().any()
    np.testing.assert_allclose(random_affine(noise, seed(1)), noise, atol=1e-6)
