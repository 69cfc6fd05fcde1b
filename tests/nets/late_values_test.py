"""Initial values that are drawn late: of which variables, and which values."""

import numpy as np
import pytest
import tensorflow as tf

from nets.network import Network

NET = "mobilenet_v1_025"
SEED = 7
FIRST = "MobilenetV1/Conv2d_0/weights"


@pytest.fixture
def undrawn():
    return Network(NET, num_classes=5, image_size=32, draw_weights=False)


def values(network):
    return {name: v.numpy() for name, v in network.model_variables.items()}


def test_without_values_a_net_gives_none(undrawn):
    assert all(np.isnan(value).all() for value in values(undrawn).values())
    logits, _ = undrawn(tf.ones((1, *undrawn.input_shape)), is_training=False)
    assert np.isnan(logits).all()


def test_drawn_values_are_those_of_the_initializers(undrawn):
    usual = Network(NET, num_classes=5, image_size=32)
    undrawn.draw_all_but((), SEED)
    drawn = values(undrawn)
    for name, expected in values(usual).items():
        assert drawn[name].shape == expected.shape
        if np.ptp(expected):
            # Normal ones, cut off at two standard deviations.
            spread = expected.std() / expected.size**0.5
            assert drawn[name].mean() == pytest.approx(0, abs=float(6 * spread)), name
            assert drawn[name].std() == pytest.approx(float(expected.std()), rel=0.3), (
                name
            )
        else:  # zeros and ones
            np.testing.assert_array_equal(drawn[name], expected)


def test_others_are_drawn_again_from_the_seed(undrawn):
    undrawn.draw_all_but((), SEED)
    every = values(undrawn)
    weights = [name for name in every if name.endswith("weights")]
    assert len({every[name].ravel()[0] for name in weights}) == len(weights)

    other = Network(NET, num_classes=5, image_size=32, draw_weights=False)
    tf.random.normal([3])  # what was drawn before does not matter
    other.draw_all_but(every.keys() - {FIRST}, SEED)
    for name, value in values(other).items():
        expected = every[name] if name == FIRST else np.full_like(value, np.nan)
        np.testing.assert_array_equal(value, expected)

    other.draw_all_but(every.keys() - {FIRST}, SEED + 1)
    assert (values(other)[FIRST] != every[FIRST]).all()
