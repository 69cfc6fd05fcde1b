"""The slow mode's resizing and colours: hand-worked numbers, then all that is drawn."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from preprocessing import slow_distortions

SEEDS = [tf.constant([seed, 1], tf.int64) for seed in range(40)]
# A dark row and a bright one.
GREY = tf.constant([[[0.2, 0.2, 0.2]], [[0.8, 0.8, 0.8]]])
COLOURS = tf.constant(np.random.default_rng(0).random((3, 3, 3), np.float32))


def different(arrays):
    """The different ones among them, as sorted tuples of rounded values."""
    return sorted({tuple(np.round(np.ravel(array), 4)) for array in arrays})


def test_four_ways_of_resizing():
    """The middle one of three rows, made of two.

    Nearest takes row floor(2/3), area the mean of both, bilinear 0.2 + 0.6 * 2/3.
    """
    found = different(slow_distortions.resize(GREY, 3, 1, seed) for seed in SEEDS)
    nearest, area, bilinear, bicubic = sorted(image[3] for image in found)
    assert (nearest, area, bilinear) == pytest.approx((0.2, 0.5, 0.6), abs=1e-3)
    assert 0.6 < bicubic < 0.7


def test_grey_changes_by_brightness_and_contrast_alone():
    """The mean, 0.5, is moved by 0.1; the difference, 0.6, is scaled."""
    contrasts = []
    for seed in SEEDS:
        output = slow_distortions.distort_color(GREY, 0.1, 1.5, seed).numpy()
        assert np.ptp(output, axis=-1).max() < 1e-5
        dark, bright = output[:, 0, 0]
        assert (dark + bright) / 2 == pytest.approx(0.6, abs=1e-5)
        contrasts.append((bright - dark) / 0.6)
    assert 0.5 <= min(contrasts) < 0.6
    assert 1.4 < max(contrasts) <= 1.5


def test_every_order_is_drawn(monkeypatch):
    """With one hue and one contrast, the orders give results of their own.

    Where saturation reaches its bound it does not commute with brightness.
    """
    draw = slow_distortions._draw

    def fixed(seed, purpose, *bounds):
        values = {slow_distortions._HUE: 0.1, slow_distortions._CONTRASTS: 1.4}
        return values.get(purpose) or draw(seed, purpose, *bounds)

    monkeypatch.setattr(slow_distortions, "_draw", fixed)
    steps = {
        "brightness": lambda image: image + 0.1,
        "saturation": lambda image: tf.image.adjust_saturation(image, 1.5),
        "hue": lambda image: tf.image.adjust_hue(image, 0.1),
        "contrast": lambda image: tf.image.adjust_contrast(image, 1.4),
    }
    orders = [
        ("brightness", "saturation", "hue", "contrast"),
        ("saturation", "brightness", "contrast", "hue"),
        ("contrast", "hue", "brightness", "saturation"),
        ("hue", "saturation", "contrast", "brightness"),
    ]
    expected = different(
        functools.reduce(lambda image, step: steps[step](image), order, COLOURS)
        for order in orders
    )
    found = different(
        slow_distortions.distort_color(COLOURS, 0.1, 1.5, seed) for seed in SEEDS
    )
    assert len(found) == len(expected) == 4
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_the_hue_turns_both_ways():
    """Red, of hue 0, turns to green or to blue, by at most a fifth of the circle."""
    red = tf.constant([[[1.0, 0.0, 0.0]]])
    hues = []
    for seed in SEEDS:
        output = slow_distortions.distort_color(red, 0.0, 1.0, seed)
        hues.append(float(tf.image.rgb_to_hsv(output)[0, 0, 0]))
    turns = [(hue + 0.5) % 1 - 0.5 for hue in hues]
    assert -0.2 <= min(turns) < -0.15
    assert 0.15 < max(turns) <= 0.2
