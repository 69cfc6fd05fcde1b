"""Layers of other frameworks become slim's variables without a change of function."""

import numpy as np
import pytest

from convert.weights.layers import BatchNorm, Layer, slim_variables
from errors import UserError

WITH_SCALE = {"gamma", "beta", "moving_mean", "moving_variance"}
CHANNELS = 3


def _norm(epsilon, gamma=None):
    return BatchNorm(
        mean=np.array([1.0, -2.0, 0.5]),
        variance=np.array([0.25, 4.0, 1e-6]),
        beta=np.array([0.1, 0.2, 0.3]),
        gamma=gamma,
        epsilon=epsilon,
    )


def _shapes(kernel_shape, parts, kernel="weights"):
    shapes = {f"Net/A/BatchNorm/{part}": (CHANNELS,) for part in parts}
    return shapes | {f"Net/A/{kernel}": kernel_shape}


def _slim(variables, convolved, epsilon):
    """What slim's batch norm makes of a convolution without weights of its own."""
    part = {name.rpartition("/")[2]: values for name, values in variables.items()}
    scale = part.get("gamma", 1) / np.sqrt(part["moving_variance"] + epsilon)
    return scale * (convolved - part["moving_mean"]) + part["beta"]


def test_a_bias_goes_into_the_moving_mean():
    layer = Layer(
        {"weights": np.ones((1, 1, 2, 3))},
        bias=np.array([10.0, 20.0, 30.0]),
        batch_norm=_norm(1e-3),
    )
    shapes = _shapes((1, 1, 2, 3), WITH_SCALE - {"gamma"})
    variables = slim_variables("Net/A", layer, shapes, 1e-3)
    np.testing.assert_array_equal(
        variables["Net/A/BatchNorm/moving_mean"], [-9, -22, -29.5]
    )
    np.testing.assert_array_equal(variables["Net/A/weights"], np.ones((1, 1, 2, 3)))
    assert set(variables) == set(shapes)


@pytest.mark.parametrize("scale", [None, np.array([2.0, -3.0, 0.0])])
@pytest.mark.parametrize("bias", [None, np.array([10.0, 20.0, 30.0])])
def test_a_batch_norm_without_a_place_goes_into_kernel_and_biases(scale, bias):
    kernel, norm = np.array([[[[1.0, 2.0, 3.0]]]]), _norm(1e-5, scale)
    layer = Layer({"weights": kernel}, bias, norm)
    shapes = {"Net/A/weights": (1, 1, 1, 3), "Net/A/biases": (3,)}
    variables = slim_variables("Net/A", layer, shapes, 1e-3)

    pixel = 0.7
    convolved = kernel[0, 0, 0] * pixel + (0 if bias is None else bias)
    scale = 1 if scale is None else scale
    deviation = np.sqrt(norm.variance + 1e-5)
    expected = scale * (convolved - norm.mean) / deviation + norm.beta
    got = variables["Net/A/weights"][0, 0, 0] * pixel + variables["Net/A/biases"]
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.mark.parametrize("scale", [None, np.array([2.0, -3.0, 0.0])])
@pytest.mark.parametrize("has_gamma", [True, False])
def test_scale_and_another_epsilon_change_nothing(scale, has_gamma):
    theirs, ours = 1e-5, 1e-3
    kernel = np.array([[[[1.0, 2.0, 3.0]]]])
    norm = _norm(theirs, scale)
    layer = Layer({"weights": kernel}, batch_norm=norm)
    parts = WITH_SCALE if has_gamma else WITH_SCALE - {"gamma"}
    variables = slim_variables("Net/A", layer, _shapes((1, 1, 1, 3), parts), ours)

    pixel = 0.7
    expected = (1 if scale is None else scale) * (
        kernel[0, 0, 0] * pixel - norm.mean
    ) / np.sqrt(norm.variance + theirs) + norm.beta
    got = _slim(variables, variables["Net/A/weights"][0, 0, 0] * pixel, ours)
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    np.testing.assert_array_equal(
        variables["Net/A/BatchNorm/moving_variance"], norm.variance.astype(np.float32)
    )


def test_a_depthwise_kernel_takes_the_scale_channel_by_channel():
    scale = np.array([2.0, 3.0, 4.0])
    layer = Layer(
        {"depthwise_weights": np.ones((3, 3, 3, 1))}, batch_norm=_norm(1e-3, scale)
    )
    shapes = _shapes((3, 3, 3, 1), WITH_SCALE - {"gamma"}, "depthwise_weights")
    variables = slim_variables("Net/A", layer, shapes, 1e-3)
    np.testing.assert_allclose(
        variables["Net/A/depthwise_weights"][1, 1, :, 0], scale, rtol=1e-6
    )


def test_a_batch_norm_of_its_own_scope():
    shapes = {f"Net/preact/{part}": (3,) for part in WITH_SCALE}
    variables = slim_variables(
        "Net/preact", Layer(batch_norm=_norm(1e-5)), shapes, 1e-5
    )
    assert set(variables) == set(shapes)
    np.testing.assert_array_equal(variables["Net/preact/gamma"], np.ones(3))


def test_a_scale_without_a_place_is_refused():
    shapes = {f"Net/preact/{part}": (3,) for part in WITH_SCALE - {"gamma"}}
    layer = Layer(batch_norm=_norm(1e-3, np.array([1.0, 2.0, 3.0])))
    with pytest.raises(UserError, match=r"Net/preact: .* no scale here"):
        slim_variables("Net/preact", layer, shapes, 1e-3)


def test_a_dense_layer_becomes_a_convolution_over_the_map():
    kernel = np.arange(2 * 2 * 3 * 5).reshape(12, 5)
    shapes = {"Net/fc6/weights": (2, 2, 3, 5), "Net/fc6/biases": (5,)}
    variables = slim_variables("Net/fc6", Layer({"weights": kernel}), shapes, 1e-3)
    np.testing.assert_array_equal(
        variables["Net/fc6/weights"], kernel.reshape(2, 2, 3, 5)
    )
    np.testing.assert_array_equal(variables["Net/fc6/biases"], np.zeros(5))


@pytest.mark.parametrize("kernel", [np.ones((3, 3, 2, 5)), np.ones((5, 18))])
def test_another_shape_is_named(kernel):
    shapes = {"Net/A/weights": (3, 3, 2, 4) if kernel.ndim == 4 else (3, 3, 2, 5)}
    with pytest.raises(UserError, match=r"Net/A/weights has shape \(3, 3, 2"):
        slim_variables("Net/A", Layer({"weights": kernel}), shapes, 1e-3)


def test_a_bias_without_a_place_is_named():
    layer = Layer({"weights": np.ones((1, 1, 1, 1))}, bias=np.ones(1))
    with pytest.raises(UserError, match="values for Net/A/biases"):
        slim_variables("Net/A", layer, {"Net/A/weights": (1, 1, 1, 1)}, 1e-3)
