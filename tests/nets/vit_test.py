"""Vision transformers: positions at other sizes, and what is frozen."""

import math

import numpy as np
import pytest
import tensorflow as tf

from errors import UserError
from nets import nets_factory, positions, vit
from nets.network import Network
from tests.nets import ends, nets_golden_test

NARROW = vit.Size(8, 3, 2, patch=4, grid=2, layer_scale=0.5)


@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setitem(vit.SIZES, "vit_s16", NARROW)
    return Network("vit_s16", num_classes=3, image_size=8)


# From the papers: table 1 of ViT's (S: Steiner et al., 2106.10270), DINOv2's table 16.
@pytest.mark.parametrize(
    ("name", "depth", "blocks", "heads", "patch", "grid", "millions"),
    [
        ("vit_s16", 384, 12, 6, 16, 14, 22.1),
        ("vit_b16", 768, 12, 12, 16, 14, 86.6),
        ("vit_l16", 1024, 24, 16, 16, 14, 304.3),
        ("dinov2_s14", 384, 12, 6, 14, 37, 22.1 + 0.3),
        ("dinov2_b14", 768, 12, 12, 14, 37, 86.6 + 0.8),
    ],
)
def test_sizes(name, depth, blocks, heads, patch, grid, millions):
    size = vit.SIZES[name]
    assert size[:5] == (depth, blocks, heads, patch, grid)
    rows = nets_golden_test.read_rows(name)
    parameters = sum(math.prod(shape) for _, shape, *_ in rows)
    assert parameters / 1e6 == pytest.approx(millions, abs=0.1)


def test_interpolation_by_hand():
    """To twice the size, a = -0.5: the fourth place lies at 1.25."""
    weights = positions.matrix(4, 8, positions.OF_TIMM)
    by_hand = {
        0: -0.5 * (1.25**3 - 5 * 1.25**2 + 8 * 1.25 - 4),
        1: 1.5 * 0.25**3 - 2.5 * 0.25**2 + 1,
        2: 1.5 * 0.75**3 - 2.5 * 0.75**2 + 1,
        3: -0.5 * (1.75**3 - 5 * 1.75**2 + 8 * 1.75 - 4),
    }
    np.testing.assert_allclose(weights[3], list(by_hand.values()), atol=1e-6)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)


# Measured with PyTorch 2.14: interpolate(scale_factor=2.1 / 3, mode="bicubic"), and
# with size=2 and antialias=True.
@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (positions.OF_DINOV2, [1.136117, 3.380012]),
        (positions.OF_TIMM, [1.269663, 3.340289]),
    ],
)
def test_interpolation_is_pytorchs(how, expected):
    weights = positions.matrix(3, 2, how)
    np.testing.assert_allclose(weights @ [1, 2, 4], expected, rtol=1e-5)


def test_only_whole_patches():
    message = (
        "vit_s16 cannot be built for images of 100x100 pixels: sides must be equal and"
        " a multiple of 16, the side of a patch, at least 16; its default size is 224"
    )
    with pytest.raises(UserError) as error:
        Network("vit_s16", num_classes=3, image_size=100)
    assert str(error.value) == message


def test_drop_path_is_where_something_is_trained(narrow):
    """A frozen prefix is the same at every step; what comes after it is not."""
    images = tf.random.stateless_uniform((64, 8, 8, 3), [1, 2])

    def run(seed, trained):
        return narrow(
            images,
            is_training=True,
            trained_names=trained,
            dropout_seed=tf.constant([seed, 0]),
        )[1]

    trained = ["vit_s16/block_3/mlp/LayerNorm/gamma", "vit_s16/Logits/weights"]
    first, second = (run(seed, trained) for seed in (1, 2))
    assert tf.reduce_all(first["block_2"] == second["block_2"])
    assert not tf.reduce_all(first["block_3"] == second["block_3"])
    inference = narrow(images, is_training=False)[1]
    tf.debugging.assert_near(inference["block_2"], first["block_2"])
    first, second = (run(seed, ["vit_s16/Logits/weights"]) for seed in (1, 2))
    assert tf.reduce_all(first["Logits"] == second["Logits"])
    first, second = (run(seed, None) for seed in (1, 2))
    assert not tf.reduce_all(first["block_2"] == second["block_2"])


def test_every_block_is_an_end(narrow):
    entry = nets_factory.get_entry("vit_s16")
    found = ends.find_all(entry, (8, 8, 3))
    assert found == ["embedding", "block_1", "block_2", "block_3"]
    assert narrow.regularized[-1].name.startswith("vit_s16/Logits/weights")


def test_larger_images_have_more_tokens(narrow):
    larger = Network("vit_s16", num_classes=3, image_size=12)
    assert larger.variable_shapes() == narrow.variable_shapes()
    end_points = larger(tf.zeros((1, 12, 12, 3)), is_training=False)[1]
    assert end_points["block_1"].shape == (1, 1 + 9, 8)
