"""The TensorFlow 1 arithmetic: hand-worked numbers, then parity with the kernel."""

import hypothesis
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from errors import UserError
from preprocessing import image_ops


def test_resize_aligns_the_top_left_corners():
    row = tf.constant([[[0], [10]]], tf.uint8)
    # Outputs 0 to 3 read inputs 0, 0.5, 1 and 1.5, the last held at the edge;
    # half-pixel centres would give 0, 2.5, 7.5, 10.
    np.testing.assert_array_equal(
        image_ops.resize(row, 1, 4)[0, :, 0], [0.0, 5.0, 10.0, 10.0]
    )


def test_resize_to_the_same_size_still_gives_floats():
    image = tf.constant([[[7], [9]]], tf.uint8)
    same = image_ops.resize(image, 1, 2)
    assert same.dtype == tf.float32
    np.testing.assert_array_equal(same, image)


@pytest.mark.parametrize(
    ("shape", "side", "expected"),
    [
        ((375, 500), 256, (256, 341)),  # 341.33
        ((500, 375), 256, (341, 256)),
        ((20, 24), 256, (256, 307)),  # 307.2
        ((512, 513), 256, (256, 256)),  # 256.5, half to even
        ((515, 512), 256, (258, 256)),  # 257.5, half to even
        ((1, 1), 256, (256, 256)),
        ((1, 600), 512, (512, 307200)),
    ],
)
def test_shorter_side_size(shape, side, expected):
    image = tf.zeros([*shape, 1], tf.uint8)
    size = image_ops.shorter_side_size(tf.shape(image), side)
    assert tuple(int(length) for length in size) == expected


@tf.function(
    input_signature=[
        tf.TensorSpec([None, None, 1], tf.uint8),
        *[tf.TensorSpec([], tf.int32)] * 5,
    ]
)
def _window_and_kernel(image, height, width, top, left, size):
    window = image_ops.resized_window(image, (height, width), (top, left), size, size)
    whole = image_ops.resize(image, height, width)
    return window, whole[top : top + size, left : left + size]


@hypothesis.settings(deadline=None, max_examples=60)
@hypothesis.given(
    st.tuples(st.integers(1, 600), st.integers(1, 600)),
    st.tuples(st.integers(1, 900), st.integers(1, 900)),
    st.randoms(use_true_random=False),
)
def test_resized_window_equals_resize_then_crop_bit_for_bit(shape, full, random):
    generator = np.random.default_rng(random.randrange(2**32))
    image = generator.integers(0, 256, [*shape, 1], np.uint8)
    size = random.randint(1, min(full))
    corner = [random.randint(0, length - size) for length in full]
    window, expected = _window_and_kernel(image, *full, *corner, size)
    np.testing.assert_array_equal(window, expected)


def test_as_rgb_repeats_one_channel_and_keeps_three():
    gray = tf.constant([[[1], [2]]], tf.uint8)
    rgb = image_ops.as_rgb(gray)
    np.testing.assert_array_equal(rgb, [[[1, 1, 1], [2, 2, 2]]])
    assert image_ops.as_rgb(rgb) is rgb


@pytest.mark.parametrize("channels", [2, 4])
def test_as_rgb_refuses_other_channels(channels):
    with pytest.raises(UserError, match=r"expected .height, width, 1 or 3."):
        image_ops.as_rgb(tf.zeros([2, 2, channels], tf.uint8))


def test_as_rgb_refuses_unknown_channels():
    @tf.function(input_signature=[tf.TensorSpec([None, None, None], tf.uint8)])
    def traced(image):
        return image_ops.as_rgb(image)

    with pytest.raises(UserError, match="decode it with channels"):
        traced.get_concrete_function()


def test_flip_left_right_if():
    image = tf.constant([[[1], [2]], [[3], [4]]])
    flipped = image_ops.flip_left_right_if(tf.constant(True), image)
    np.testing.assert_array_equal(flipped[..., 0], [[2, 1], [4, 3]])
    kept = image_ops.flip_left_right_if(tf.constant(False), image)
    np.testing.assert_array_equal(kept, image)


def test_pillow_resize_by_hand():
    # Twice as small, so weights 3 3 1 of seven: 500 / 7 = 71.4, 820 / 7 = 117.1.
    image = np.array([[[0], [100], [200], [40]]], np.uint8)
    output = image_ops.resize_like_pillow(image, 1, 2)
    np.testing.assert_array_equal(output[0, :, 0], [71, 117])


@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(375, 500), (100, 90), (512, 700), (1, 3), (400, 20)])
def test_pillow_resize_equals_pillow(size, method, photo):
    expected = np.asarray(
        PIL.Image.fromarray(photo).resize(
            size[::-1], PIL.Image.Resampling[method.upper()]
        )
    )
    output = image_ops.resize_like_pillow(photo, size[0], size[1], method).numpy()
    assert np.abs(output - expected).max() <= 1
    # 375 to 400 has weights of 32nds: one value in 64 is midway between two.
    assert (output != expected).mean() < 0.02


def test_as_float_keeps_channels_unless_gray_is_asked_for():
    image = np.array([[[100, 50, 200]]], np.uint8)
    luma = 0.2989 * 100 + 0.587 * 50 + 0.114 * 200  # 82.04
    np.testing.assert_array_equal(image_ops.as_float(image, False), image)
    np.testing.assert_allclose(image_ops.as_float(image, True), [[[luma]]], rtol=1e-6)
    for gray in (False, True):
        one = image_ops.as_float(tf.constant(image[..., :1]), gray)
        np.testing.assert_array_equal(one, [[[100.0]]])
