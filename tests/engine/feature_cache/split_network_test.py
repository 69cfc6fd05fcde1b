"""The net in two parts is the whole net, for any net and any scopes."""

import numpy as np
import pytest
import tensorflow as tf

from checkpoints import plan as plans
from engine.feature_cache.split_network import SplitNetwork
from nets import convnext, nets_factory, vit
from nets.network import Network
from tests.engine import small_runs

BATCH = 2
SEED = tf.constant([3, 4], tf.int32)

CASES = [
    (small_runs.NET, 16, "head"),
    (small_runs.NET, 16, "Tiny/Conv2d_2,head"),
    (small_runs.NET, 16, "Tiny/Conv2d_1"),
    ("cifarnet", 32, "head"),
    ("cifarnet", 32, "CifarNet/fc4,head"),
    ("cifarnet", 32, "CifarNet/conv2"),
    ("mobilenet_v1_025", 64, "head"),
    ("mobilenet_v1_025", 64, "MobilenetV1/Conv2d_13,head"),
    ("mobilenet_v1_025", 64, "MobilenetV1/Conv2d_12_pointwise"),
    ("inception_v3_narrow", 112, "InceptionV3/Logits"),
    # Drop path is random in what is trained alone.
    ("dinov2_s14", 28, "dinov2_s14/block_3,head"),
    ("convnext_tiny", 64, "convnext_tiny/block_3,head"),
]


@pytest.fixture(autouse=True)
def narrow_nets(monkeypatch):
    size = vit.SIZES["dinov2_s14"]._replace(depth=8, blocks=3, heads=2)
    monkeypatch.setitem(vit.SIZES, "dinov2_s14", size)
    narrow = convnext.Size((4, 8, 8, 8), (1, 1, 1, 1), 0.5)
    monkeypatch.setitem(convnext.SIZES, "convnext_tiny", narrow)


def make_plan(network, scopes, *, freeze_batch_norm=True):
    return plans.make_plan(
        network.variable_shapes(),
        [n for n, v in network.model_variables.items() if v.trainable],
        restored=[],
        checkpoint_path=None,
        checkpoint_names=[],
        trainable_scopes=scopes.split(","),
        head_scopes=nets_factory.get_entry(network.model_name).head_scopes,
        freeze_batch_norm=freeze_batch_norm,
    )


def images_for(network):
    shape = (BATCH, *network.input_shape)
    return tf.random.stateless_uniform(shape, [1, 2], -1.0, 1.0)


def train(network, plan, run):
    """Losses of three steps, first gradients, and all variables before and after."""
    before = {n: v.numpy() for n, v in network.model_variables.items()}
    trained = [network.model_variables[name] for name in plan.trained_names]
    losses: list[float] = []
    gradients: list[np.ndarray] = []
    for step in range(3):
        with tf.GradientTape() as tape:
            logits, end_points = run(tf.constant([3, step]))
            loss = tf.reduce_mean((logits - 1) ** 2)
            if "AuxLogits" in end_points:
                loss += 0.4 * tf.reduce_mean((end_points["AuxLogits"] - 1) ** 2)
        losses.append(float(loss))
        slopes = tape.gradient(loss, trained, unconnected_gradients="zero")
        gradients = gradients or [slope.numpy() for slope in slopes]
        for variable, slope in zip(trained, slopes, strict=True):
            variable.assign_sub(0.01 * slope)
    after = {n: v.numpy() for n, v in network.model_variables.items()}
    for name, value in before.items():
        network.model_variables[name].assign(value)
    return losses, gradients, before, after


@pytest.mark.parametrize(("net", "size", "scopes"), CASES)
def test_the_two_parts_are_the_whole_in_training(net, size, scopes):
    network = Network(net, num_classes=3, image_size=size)
    plan = make_plan(network, scopes)
    split = SplitNetwork(network, plan, batch_size=BATCH, is_training=True)
    images = images_for(network)

    @tf.function(autograph=False)
    def whole(seed):
        return network(
            images,
            is_training=True,
            frozen_batch_norms=plan.frozen_batch_norms,
            trained_names=plan.trained_names,
            dropout_seed=seed,
        )

    features = split.features(images)
    assert [tuple(f.shape[1:]) for f in features] == split.feature_shapes
    expected = train(network, plan, whole)
    found = train(network, plan, lambda seed: split.finish(features, seed))
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-4)
    assert expected[0][0] != expected[0][2]
    for one, other in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    for name, value in expected[3].items():
        np.testing.assert_allclose(found[3][name], value, rtol=1e-4, atol=1e-5)
        if name.startswith(plan.updating_batch_norms) and "moving" in name:
            assert (found[3][name] != found[2][name]).any()


@pytest.mark.parametrize("net", ["dinov2_s14", "convnext_tiny"])
def test_blocks_without_batch_norm_are_frozen_by_what_is_trained(net):
    size = {"dinov2_s14": 28, "convnext_tiny": 64}[net]
    network = Network(net, num_classes=3, image_size=size)
    plan = make_plan(network, f"{net}/block_3,head", freeze_batch_norm=False)
    split = SplitNetwork(network, plan, batch_size=BATCH, is_training=True)
    before = ("embedding", "stem", "downsample_2", "downsample_3", "block_1", "block_2")
    expected = [n for n in network.model_variables if n.split("/")[1] in before]
    assert split.frozen_variables == sorted(expected)


def test_the_frozen_part_reads_no_variable_that_changes():
    network = Network(small_runs.NET, num_classes=3)
    plan = make_plan(network, "Tiny/Conv2d_2,head")
    split = SplitNetwork(network, plan, batch_size=BATCH, is_training=True)
    assert split.frozen_variables == sorted(
        f"Tiny/Conv2d_1/{name}"
        for name in (
            "weights",
            *(f"BatchNorm/{n}" for n in ("beta", "gamma", "moving_mean")),
            "BatchNorm/moving_variance",
        )
    )
    # The auxiliary head takes the means of Conv2d_1, Conv2d_2 the whole of it.
    assert sorted(split.feature_shapes) == [(1, 1, 4), (8, 8, 4)]
    # Forward and backward of the second convolution against the first: by hand.
    first = 2 * 3 * 3 * 3 * 8 * 8 * 4
    second = 2 * 3 * 3 * 4 * 4 * 4 * 6
    heads = 2 * 4 * 3 + 2 * 6 * 3
    assert split.cold_flops == first
    assert split.hot_flops == second + heads
    assert split.gain == pytest.approx(1 + first / (3 * (second + heads)))


def test_evaluation_reads_the_same_features():
    network = Network(small_runs.NET, num_classes=3)
    plan = make_plan(network, "head")
    split = SplitNetwork(network, plan, batch_size=BATCH, is_training=False)
    images = images_for(network)
    expected = tf.function(lambda: network(images, is_training=False)[0])()
    found, end_points = split.finish(split.features(images), SEED)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert not end_points


def test_with_drifting_batch_norms_nothing_is_frozen():
    network = Network(small_runs.NET, num_classes=3)
    plan = make_plan(network, "head", freeze_batch_norm=False)
    split = SplitNetwork(network, plan, batch_size=BATCH, is_training=True)
    # What is left is the first convolution, before its batch norm.
    assert split.frozen_variables == ["Tiny/Conv2d_1/weights"]
