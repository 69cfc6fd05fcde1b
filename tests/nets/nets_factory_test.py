"""Networks by name: arg scopes, and a net of each family at odd sizes.

Variables, logits and end points of every one at its default size: nets_golden_test.py.
"""

from typing import Any

import pytest
import tensorflow as tf
import tf_slim

from errors import UserError
from nets import nets_factory, slim
from nets.nasnet import nasnet, pnasnet

v1 = tf.compat.v1


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default():
        yield


def test_the_two_tables_of_slim():
    names = list(nets_factory.NETWORKS)
    assert list(nets_factory.networks_map) == names
    assert list(nets_factory.arg_scopes_map) == names
    for name, scope in nets_factory.arg_scopes_map.items():
        assert isinstance(scope(weight_decay=0.1), dict), name


def test_default_image_sizes_are_those_of_the_builders():
    builders: dict[str, Any] = nets_factory.networks_map
    for name in ("lenet", "vgg_16", "nasnet_large", "mobilenet_v3_small"):
        network_fn: Any = nets_factory.get_network_fn(name, 5)
        assert network_fn.default_image_size == builders[name].default_image_size


def test_unknown_names():
    with pytest.raises(ValueError, match="did you mean inception_v"):
        nets_factory.get_network_fn("inception_v", 5)
    with pytest.raises(UserError):
        nets_factory.get_network_fn("i3d", 5)


def test_arg_scopes_around_the_call_reach_the_layers():
    network_fn = nets_factory.get_network_fn("cifarnet", 10)
    with slim.arg_scope([tf_slim.model_variable, tf_slim.variable], device="/CPU:0"):
        network_fn(tf.zeros([2, 32, 32, 3]))
    devices = {variable.device for variable in v1.global_variables()}
    assert devices == {"/device:CPU:0"}


def test_weight_decay_and_mode_come_with_the_name():
    network_fn = nets_factory.get_network_fn("lenet", 10, 0.5, is_training=True)
    network_fn(tf.zeros([2, 28, 28, 1]))
    assert len(tf_slim.losses.get_regularization_losses()) == 4
    types = {op.type for op in v1.get_default_graph().get_operations()}
    assert "RandomUniform" in types


def narrow_config(config):
    for name, value in {"num_cells": 3, "num_conv_filters": 8}.items():
        config.set_hparam(name, value)
    return config


ONE_CELL = {"num_cells": 1, "num_reduction_layers": 0, "num_conv_filters": 8}


def one_cell(config):
    for name, value in ONE_CELL.items():
        config.set_hparam(name, value)
    return config


NARROW = {"depth_multiplier": 0.1}
# Odd sizes, rows and columns, that each family can have, and what makes it quick.
FAMILIES: dict[str, tuple[int, int, dict[str, Any]]] = {
    "alexnet_v2": (195, 227, {"global_pool": True}),
    "overfeat": (231, 243, {"global_pool": True}),
    "vgg_a": (225, 257, {"global_pool": True}),
    "lenet": (29, 35, {}),
    "cifarnet": (33, 47, {}),
    "inception_v1": (33, 65, {"global_pool": True}),
    "inception_v2": (33, 65, {"global_pool": True, **NARROW}),
    "inception_v3": (139, 171, {"global_pool": True, **NARROW}),
    "inception_v4": (107, 131, {}),
    "resnet_v1_18": (33, 65, {}),
    "resnet_v1_50": (33, 65, {}),
    "mobilenet_v1": (33, 65, {"global_pool": True, **NARROW}),
    "convnext_tiny": (33, 65, {}),
    "xception": (33, 65, {}),
    "mobilenet_v3_small": (33, 65, NARROW),
    "nasnet_cifar": (25, 33, {"config": one_cell(nasnet.cifar_config())}),
    "nasnet_mobile": (65, 97, {"config": one_cell(nasnet.mobile_imagenet_config())}),
    "pnasnet_mobile": (65, 97, {"config": one_cell(pnasnet.mobile_imagenet_config())}),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_odd_sizes_and_one_channel(name):
    rows, columns, options = FAMILIES[name]
    network_fn = nets_factory.get_network_fn(name, 5, is_training=True)
    logits, end_points = network_fn(tf.zeros([2, rows, columns, 1]), **options)
    assert logits.shape == (2, 5)
    assert end_points.get("AuxLogits", logits).shape == (2, 5)
    first = slim.get_model_variables()[0]
    assert first.shape[2] == 1
