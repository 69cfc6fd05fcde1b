"""Nets that end at an end point: what is built of them, their values, refusals."""

import re

import numpy as np
import pytest
import tensorflow as tf

from errors import UserError
from nets import cut, nets_factory, new_head
from nets.network import Network
from nets.new_head import NewHead
from tests.nets import ends

# A net of each family at a size that takes seconds, and where to end it.
FAMILIES = {
    "alexnet_v2": (67, "alexnet_v2/pool2"),
    "cifarnet": (32, "pool1"),
    "convnext_tiny": (32, "block_2"),
    "densenet_121": (32, "transition1"),
    "dinov2_s14": (28, "block_2"),
    "efficientnet_b0": (32, "layer_4/depthwise_output"),
    "efficientnet_lite0": (32, "layer_4"),
    "efficientnet_v2_b0": (32, "layer_4"),
    "inception_resnet_v2": (75, "Mixed_5b"),
    "inception_v1": (32, "Mixed_3b"),
    "inception_v2": (32, "Mixed_3b"),
    "inception_v3_narrow": (75, "Mixed_5b"),
    "inception_v4": (75, "Mixed_3a"),
    "lenet": (28, "pool2"),
    "mobilenet_v1_025": (32, "Conv2d_5_pointwise"),
    "mobilenet_v2_035": (32, "layer_3/expansion_output"),
    "mobilenet_v3_small_minimalistic": (32, "layer_4"),
    "nasnet_mobile": (32, "Stem"),
    "overfeat": (67, "overfeat/pool2"),
    "pnasnet_mobile": (32, "Stem"),
    "resnet_v1_18": (32, "resnet_v1_18/block1/unit_2/basic_v1/conv1"),
    "resnet_v2_50": (32, "resnet_v2_50/block1/unit_1/bottleneck_v2"),
    "vgg_a": (32, "vgg_a/pool3"),
    "vit_s16": (32, "block_2"),
    "xception": (75, "block2"),
}
CLASSES = 3


def logits_and_end_points(network, images, *, is_training=False):
    @tf.function(autograph=False)
    def run(images):
        seed = tf.constant([1, 2])
        return network(images, is_training=is_training, dropout_seed=seed)

    return run(images)


def test_a_cut_net_computes_what_the_whole_net_has_there():
    images = tf.random.stateless_normal((2, 32, 32, 3), [1, 2])
    whole = Network("mobilenet_v1_025", num_classes=CLASSES, image_size=32)
    head = NewHead("Conv2d_3_pointwise", (5,))
    short = Network("mobilenet_v1_025", num_classes=CLASSES, image_size=32, head=head)
    for name, variable in short.model_variables.items():
        if name in whole.model_variables:
            variable.assign(whole.model_variables[name])
    end_point = logits_and_end_points(whole, images)[1]["Conv2d_3_pointwise"]
    logits, found = logits_and_end_points(short, images)
    scope = "MobilenetV1/Logits_Conv2d_3_pointwise"
    weights = {n: v.numpy() for n, v in short.model_variables.items() if scope in n}
    pooled = end_point.numpy().mean((1, 2))
    hidden = pooled @ weights[f"{scope}/Hidden_1/weights"]
    hidden = np.maximum(0, hidden + weights[f"{scope}/Hidden_1/biases"])
    expected = hidden @ weights[f"{scope}/Linear/weights"]
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert {n: w.shape for n, w in weights.items()} == {
        f"{scope}/Hidden_1/weights": (32, 5),  # 128 channels, a quarter of them
        f"{scope}/Hidden_1/biases": (5,),
        f"{scope}/Linear/weights": (5, CLASSES),
        f"{scope}/Linear/biases": (CLASSES,),
    }
    assert list(found)[-5:] == [
        *("Conv2d_3_pointwise", "global_pool", "Hidden_1", "Logits", "Predictions")
    ]
    np.testing.assert_allclose(tf.reduce_sum(found["Predictions"], 1), 1, atol=1e-6)


def assert_logits_read(network, name):
    """A probe keeps features under the name of what the logits read in evaluation."""
    evaluation = tf.compat.v1.wrap_function(
        lambda images: network(images, is_training=False)[0],
        [tf.TensorSpec((2, *network.input_shape))],
    )
    features = evaluation.graph.get_tensor_by_name(name)
    assert features.shape.rank == 2
    assert "MatMul" in {op.type for op in features.consumers()}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_net_of_each_family_ends_and_trains_there(name):
    size, final_endpoint = FAMILIES[name]
    head = NewHead(final_endpoint)
    network = Network(name, num_classes=CLASSES, image_size=size, head=head)
    (scope,) = network.head_scopes
    own_scopes = nets_factory.get_entry(name).head_scopes
    trained = {n: v for n, v in network.model_variables.items() if v.trainable}
    assert {n for n in trained if n.startswith(scope)} == {
        f"{scope}/Linear/weights",
        f"{scope}/Linear/biases",
    }
    assert not [n for n in trained if n.startswith(own_scopes) and scope not in n]
    assert_logits_read(network, new_head.features_name(scope))

    @tf.function(autograph=False)
    def gradients(images):
        with tf.GradientTape() as tape:
            seed = tf.constant([1, 2])
            logits, end_points = network(images, is_training=True, dropout_seed=seed)
            loss = tf.reduce_mean(logits**2)
        assert "AuxLogits" not in end_points
        return logits, tape.gradient(loss, list(trained.values()))

    images = tf.random.stateless_normal((2, size, size, 3), [3, 4])
    logits, found = gradients(images)
    assert logits.shape == (2, CLASSES)
    unread = [n for n, g in zip(trained, found, strict=True) if g is None]
    assert not unread
    assert np.isfinite(logits_and_end_points(network, images)[0]).all()


def test_what_a_cut_unit_does_not_read_is_dropped():
    """A ResNet's unit builds its shortcut before the convolution that is wanted."""
    entry = nets_factory.get_entry("resnet_v1_18")
    unit = "resnet_v1_18/block2/unit_1/basic_v1"
    of_conv = cut.find(entry, f"{unit}/conv1", (32, 32, 3)).variables
    of_unit = cut.find(entry, unit, (32, 32, 3)).variables
    assert f"{unit}/conv1/weights" in of_conv & of_unit
    assert f"{unit}/shortcut/weights" in of_unit - of_conv
    assert f"{unit}/shortcut/BatchNorm/moving_mean" in of_unit - of_conv


def test_hidden_units_alone_keep_all_layers_of_the_net():
    head = NewHead(None, (7, 4))
    whole = Network("inception_v3_narrow", num_classes=CLASSES)
    network = Network("inception_v3_narrow", num_classes=CLASSES, head=head)
    own = tuple(f"{scope}/" for scope in whole.head_scopes)
    body = [n for n in whole.model_variables if not n.startswith(own)]
    assert [n for n in network.model_variables if "/Logits/" not in n] == body
    assert network.variable_shapes()["InceptionV3/Logits/Hidden_2/weights"] == (7, 4)
    assert network.head_scopes == ("InceptionV3/Logits",)


def test_a_net_that_cannot_be_built_as_a_whole_can_end_before():
    """VGG's fully connected layers need 224 pixels, its convolutions do not."""
    head = NewHead("vgg_a/pool5")
    assert Network("vgg_a", num_classes=2, image_size=32, head=head).image_size == 32
    with pytest.raises(UserError, match="cannot be built for images of 32x32"):
        Network("vgg_a", num_classes=2, image_size=32, head=NewHead("vgg_a/fc6"))


@pytest.mark.parametrize(
    ("net", "final_endpoint", "message"),
    [
        ("lenet", "pol1", "no such end point (did you mean pool1"),
        ("lenet", "fc3", "no map left to pool over height and width (1024 features)"),
        ("lenet", "Logits", "it is a part of the head, or comes after it"),
        ("lenet", "Predictions", "it is a part of the head, or comes after it"),
        ("vgg_a", "pool4", "(did you mean vgg_a/pool4?)"),
        ("mobilenet_v1_025", "AuxLogits", "the net can end at Conv2d_0, Conv2d_1_"),
    ],
)
def test_other_names_are_refused_with_those_that_can_be(net, final_endpoint, message):
    with pytest.raises(UserError, match=re.escape(message)) as error:
        Network(net, num_classes=2, image_size=28, head=NewHead(final_endpoint))
    text = str(error.value)
    assert text.startswith(f"--final_endpoint={final_endpoint}: ")
    assert "the net can end at " in text
    assert "\n" not in text


def test_heads_of_different_depths_never_share_a_name():
    entry = nets_factory.get_entry("mobilenet_v1_025")
    names = ends.find_all(entry, (32, 32, 3))
    assert names[:2] == ["Conv2d_0", "Conv2d_1_depthwise"]
    scopes = [NewHead(name).scope(entry.head_scopes[0]) for name in [*names, None]]
    assert len(set(scopes)) == len(names) + 1


@pytest.mark.parametrize("name", nets_factory.NETWORKS)
def test_new_heads_are_apart_from_what_is_published(name, published_names):
    entry = nets_factory.get_entry(name)
    scope = NewHead(None, (4,)).scope(entry.head_scopes[0])
    taken = published_names.get(name, set())
    assert not taken & {f"{scope}/Hidden_1/weights", f"{scope}/Linear/weights"}


@pytest.fixture(scope="module")
def published_names():
    """Variables of slim's nets, by net."""
    names: dict[str, set[str]] = {}
    with open("tests/nets/slim_variables.tsv", encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                net, name = line.split("\t")[:2]
                names.setdefault(net, set()).add(name)
    return names
