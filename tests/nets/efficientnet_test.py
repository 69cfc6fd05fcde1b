"""What EfficientNet adds to MobileNet's blocks: scaling, gates, drop path."""

import itertools

import pytest
import tensorflow as tf

from nets import efficientnet, efficientnet_blocks, efficientnet_v2, layer_policy
from nets.network import Network


def _table(name):
    return [layer.params for layer in efficientnet.conv_defs(name)["spec"]]


# By hand from section 3.3 of the paper: widths to multiples of 8, no less than 90 %;
# numbers of blocks rounded up.
@pytest.mark.parametrize(
    ("name", "depths", "num_blocks"),
    [
        ("b0", [32, 16, 24, 40, 80, 112, 192, 320, 1280], 16),
        ("b1", [32, 16, 24, 40, 80, 112, 192, 320, 1280], 23),
        ("b2", [32, 16, 24, 48, 88, 120, 208, 352, 1408], 23),
        ("b3", [40, 24, 32, 48, 96, 136, 232, 384, 1536], 26),
        ("b4", [48, 24, 32, 56, 112, 160, 272, 448, 1792], 32),
        ("b5", [48, 24, 40, 64, 128, 176, 304, 512, 2048], 39),
        ("b6", [56, 32, 40, 72, 144, 200, 344, 576, 2304], 45),
        ("b7", [64, 32, 48, 80, 160, 224, 384, 640, 2560], 55),
        ("lite0", [32, 16, 24, 40, 80, 112, 192, 320, 1280], 16),
        ("lite1", [32, 16, 24, 40, 80, 112, 192, 320, 1280], 21),
        ("lite2", [32, 16, 24, 48, 88, 120, 208, 352, 1280], 21),
        ("lite3", [32, 24, 32, 48, 96, 136, 232, 384, 1280], 24),
        ("lite4", [32, 24, 32, 56, 112, 160, 272, 448, 1280], 30),
    ],
)
def test_widths_and_depths_are_scaled(name, depths, num_blocks):
    _check(_table(name), depths, num_blocks)


# Of V2's B nets: to the nearest multiple of 8, however much less. Its first stage has
# the depth of the first convolution in S, M and L.
@pytest.mark.parametrize(
    ("name", "depths", "num_blocks"),
    [
        ("b0", [32, 16, 32, 48, 96, 112, 192, 1280], 21),
        ("b1", [32, 16, 32, 48, 96, 112, 192, 1280], 27),
        ("b2", [32, 16, 32, 56, 104, 120, 208, 1408], 28),
        ("b3", [40, 16, 40, 56, 112, 136, 232, 1536], 32),
        ("s", [24, 48, 64, 128, 160, 256, 1280], 40),
        ("m", [24, 48, 80, 160, 176, 304, 512, 1280], 57),
        ("l", [32, 64, 96, 192, 224, 384, 640, 1280], 79),
    ],
)
def test_the_tables_of_v2(name, depths, num_blocks):
    table = [layer.params for layer in efficientnet_v2.conv_defs(name)["spec"]]
    _check(table, depths, num_blocks)


def _check(table, depths, num_blocks):
    outputs = (layer["num_outputs"] for layer in table)
    assert [depth for depth, _ in itertools.groupby(outputs)] == depths
    assert len(table) == num_blocks + 2
    assert sum(layer["stride"] == 2 for layer in table) == 5


def test_drop_path_rates_grow_with_depth():
    """0.2 i / 16 for block i of B0's sixteen."""
    rates = [1 - layer["residual"].args[1] for layer in _table("b0")[1:-1]]
    assert rates == pytest.approx([0.2 * i / 16 for i in range(16)])


def test_a_frozen_block_is_the_same_at_every_step():
    """Its batch norms use their statistics, and its drop path is off."""
    net = Network("efficientnet_lite0", num_classes=3, image_size=32)
    batch_norms = tuple(
        name.removesuffix("/gamma")
        for name in net.model_variables
        if name.endswith("/BatchNorm/gamma")
    )
    images = tf.random.stateless_uniform((4, 32, 32, 3), [1, 2])

    def last_map(seed, frozen):
        layers = tuple(scope.removesuffix("/BatchNorm") for scope in frozen)
        trained = [n for n in net.model_variables if not n.startswith(layers)]
        end_points = net(
            images,
            is_training=True,
            frozen_batch_norms=frozen,
            trained_names=trained,
            dropout_seed=tf.constant([seed, 0]),
        )[1]
        return end_points["layer_18"]

    first, second = (last_map(seed, batch_norms) for seed in (1, 2))
    assert tf.reduce_all(first == second)
    inference = net(images, is_training=False)[1]["layer_18"]
    tf.debugging.assert_near(first, inference)
    first, second = (last_map(seed, batch_norms[:-1]) for seed in (1, 2))
    assert tf.reduce_all(first == second), "the last convolution has no drop path"
    first, second = (last_map(seed, batch_norms[:20]) for seed in (1, 2))
    assert not tf.reduce_all(first == second)


def test_gates_have_a_quarter_of_the_blocks_inputs():
    net = Network("efficientnet_b0", num_classes=3, image_size=32)
    gates = {
        name.split("/")[1]: variable.shape[-1]
        for name, variable in net.model_variables.items()
        if name.endswith("squeeze_excite/Conv/weights")
    }
    inputs = [32, 16, 24, 24, 40, 40, 80, 80, 80, 112, 112, 112, 192, 192, 192, 192]
    assert list(gates.values()) == [depth // 4 for depth in inputs]


def test_swish_costs_nothing_while_variables_are_made():
    with tf.__internal__.FuncGraph("build").as_default():
        images = tf.zeros([2, 4, 4, 3])
        policy = layer_policy.LayerPolicy(
            lambda _: False, None, only_makes_variables=True
        )
        with layer_policy.layer_policy(policy):
            assert efficientnet_blocks.silu(images) is images
