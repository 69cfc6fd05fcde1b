"""AlexNet's, OverFeat's and VGG's options, in graphs. Defaults: nets_golden_test.py."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from nets import alexnet, fc_head, overfeat, slim, vgg

v1 = tf.compat.v1

# A net, its default size, a larger size and the side of its map of logits there.
NETS = [
    (alexnet.alexnet_v2, 224, 300, 4),
    (overfeat.overfeat, 231, 281, 2),
    (vgg.vgg_a, 224, 256, 2),
    (vgg.vgg_16, 224, 256, 2),
    (vgg.vgg_19, 224, 256, 2),
]


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def images(size):
    return tf.zeros([1, size, size, 3])


@pytest.mark.parametrize(("network", "size", "large", "side"), NETS)
def test_other_sizes_and_heads(network, size, large, side):
    name = network.__name__
    assert network.default_image_size == size
    logits, end_points = network(images(size), 5)
    assert logits.op.name == f"{name}/fc8/squeezed"
    assert end_points[f"{name}/fc8"] is logits
    assert logits.shape == [1, 5]
    names = list(end_points)
    variables = [v.op.name for v in slim.get_model_variables()]

    v1.get_variable_scope().reuse_variables()
    logits, _ = network(images(large), 5, spatial_squeeze=False, is_training=False)
    assert logits.op.name == f"{name}_1/fc8/BiasAdd"
    assert logits.shape == [1, side, side, 5]
    logits, end_points = network(images(large), 5, global_pool=True)
    assert logits.shape == [1, 5]
    assert end_points["global_pool"].shape == [1, 1, 1, 4096]
    net, end_points = network(images(size), None)
    assert net.shape == [1, 1, 1, 4096]
    assert list(end_points) == names[:-1]
    assert [v.op.name for v in slim.get_model_variables()] == variables


def test_vgg_reuse_and_padding():
    vgg.vgg_a(images(224), 5)
    count = len(slim.get_model_variables())
    logits, end_points = vgg.vgg_a(
        images(64), 5, reuse=True, fc_conv_padding="SAME", spatial_squeeze=False
    )
    assert logits.shape == [1, 2, 2, 5]
    assert end_points["vgg_a/fc6"].shape == [1, 2, 2, 4096]
    assert len(slim.get_model_variables()) == count


def test_vgg_has_its_papers_letters():
    assert (vgg.vgg_d, vgg.vgg_e) == (vgg.vgg_16, vgg.vgg_19)


@pytest.mark.parametrize(
    ("arg_scope", "bias", "conv_side", "pool_side"),
    [
        (alexnet.alexnet_v2_arg_scope, 0.1, 7, 3),
        (overfeat.overfeat_arg_scope, 0.0, 7, 3),
        (vgg.vgg_arg_scope, 0.0, 7, 3),
    ],
)
def test_arg_scopes(arg_scope, bias, conv_side, pool_side):
    with slim.arg_scope(arg_scope(weight_decay=0.5)):
        net = slim.conv2d(tf.ones([1, 7, 7, 2]), 3, [3, 3], scope="a")
        pooled = slim.max_pool2d(net, [2, 2])
    assert net.op.type == "Relu"
    assert net.shape[1] == conv_side
    assert pooled.shape[1] == pool_side
    weights, biases = slim.get_model_variables()
    [loss] = v1.losses.get_regularization_losses()
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        loss, weights, biases = session.run([loss, weights, biases])
    assert biases.tolist() == pytest.approx([bias] * 3)
    assert loss == pytest.approx(0.25 * np.sum(weights.astype(float) ** 2))


def test_dropout_on_both_layers_in_training_only(graph):
    options: dict[str, Any] = {
        "root": "net",
        "fc6_depth": 8,
        "fc6_kernel": [2, 2],
        "num_classes": 5,
        "dropout_keep_prob": 0.5,
        "spatial_squeeze": True,
        "global_pool": False,
    }
    seeds = slim.LayerPolicy(lambda scope: False, tf.constant([1, 2]))
    for is_training in (False, True):
        with v1.variable_scope("net", reuse=is_training), slim.layer_policy(seeds):
            fc_head.fc_head(
                tf.ones([1, 2, 2, 3]), {}, is_training=is_training, **options
            )
        drawn = [op for op in graph.get_operations() if "StatelessRandom" in op.type]
        assert bool(drawn) == is_training
    assert seeds.next_dropout_seed() is not None
