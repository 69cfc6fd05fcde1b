"""The ResNets' options, on shallow and thin ones in graphs.

The published depths: nets_golden_test.py.
"""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from nets import resnet_utils, resnet_v1, resnet_v2, slim

v1 = tf.compat.v1

VERSIONS: dict[int, Any] = {
    1: (resnet_v1.resnet_v1, resnet_v1.resnet_v1_block),
    2: (resnet_v2.resnet_v2, resnet_v2.resnet_v2_block),
}


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


def small(version, images, num_classes=None, **options):
    network, block = VERSIONS[version]
    blocks = [
        block("block1", base_depth=1, num_units=2, stride=2),
        block("block2", base_depth=2, num_units=2, stride=2),
        block("block3", base_depth=4, num_units=1, stride=1),
    ]
    with slim.arg_scope(resnet_utils.resnet_arg_scope()):
        return network(images, blocks, num_classes, scope="resnet", **options)


def images(size=64, channels=3):
    values = np.random.default_rng(0).normal(size=[2, size, size, channels])
    return tf.constant(values, tf.float32)


def evaluate(tensors, feed=None):
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        return session.run(tensors, feed)


def test_end_points(version):
    logits, end_points = small(version, images(), 5)
    expected = {"resnet/conv1", "global_pool", "predictions"}
    expected |= {"resnet/logits", "resnet/spatial_squeeze"}
    for block, units in ((1, 2), (2, 2), (3, 1)):
        expected |= {f"resnet/block{block}"}
        for unit in range(1, units + 1):
            name = f"resnet/block{block}/unit_{unit}/bottleneck_v{version}"
            expected |= {name, *(f"{name}/conv{i}" for i in (1, 2, 3))}
        expected |= {f"resnet/block{block}/unit_1/bottleneck_v{version}/shortcut"}
    assert end_points.keys() == expected
    assert logits.op.name == "resnet/SpatialSqueeze"
    sides = [end_points[f"resnet/block{i}"].shape[1] for i in (1, 2, 3)]
    assert sides == [8, 4, 4]  # the stride is in the last unit of a block
    assert end_points["global_pool"].shape == [2, 1, 1, 16]
    assert end_points["predictions"].shape == [2, 5]


def test_logits_unsqueezed(version):
    logits, end_points = small(version, images(), 5, spatial_squeeze=False)
    assert logits.op.name.startswith("resnet/logits")
    assert logits.shape == [2, 1, 1, 5]
    assert "resnet/spatial_squeeze" not in end_points


def test_a_map_of_features_of_any_size(version):
    unknown = v1.placeholder(tf.float32, [None, None, None, 3])
    net, end_points = small(version, unknown, global_pool=False)
    assert net.shape.as_list() == [None, None, None, 16]
    assert not {"global_pool", "predictions"} & end_points.keys()
    output = evaluate(net, {unknown: np.zeros([2, 70, 40, 3])})
    assert output.shape == (2, 5, 3, 16)


def test_without_the_root_block(version):
    _, end_points = small(version, images(), include_root_block=False)
    assert "resnet/conv1" not in end_points
    assert end_points["resnet/block1"].shape == [2, 32, 32, 4]


@pytest.mark.parametrize("output_stride", [4, 8])
def test_a_finer_map_has_the_same_features(version, output_stride):
    options = {"is_training": False, "global_pool": False}
    fine, _ = small(version, images(81), output_stride=output_stride, **options)
    coarse, _ = small(version, images(81), reuse=True, **options)
    fine, coarse = evaluate([resnet_utils.subsample(fine, 16 // output_stride), coarse])
    assert coarse.shape[1:3] == (6, 6)
    np.testing.assert_allclose(fine, coarse, rtol=1e-4, atol=1e-4)


def test_output_strides_count_from_the_root_block_on(version):
    with pytest.raises(ValueError, match="output_stride is 6; it must be a multiple"):
        small(version, images(), output_stride=6)


@pytest.mark.parametrize("is_training", [True, False, None])
def test_modes_of_batch_norm(version, is_training):
    """None leaves the mode to batch norm's own default, training."""
    small(version, images(), is_training=is_training)
    norms = [v for v in slim.get_model_variables() if "moving_mean" in v.op.name]
    updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
    assert len(updates) == (0 if is_training is False else 2 * len(norms))


def test_a_policy_freezes_its_batch_norms(version):
    policy = slim.LayerPolicy(lambda scope: scope.startswith("resnet/block2/"), None)
    with slim.layer_policy(policy):
        small(version, images())
    updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
    assert updates
    assert not any("block2" in op.name for op in updates)


def test_runs_do_not_pile_up_end_points(version, graph):
    small(version, images(), 5)
    assert not [k for k in graph.get_all_collection_keys() if "end_points" in k]


@pytest.mark.parametrize("is_bounded", [False, True])
def test_bounded_activations(is_bounded, graph):
    options = {"depth_bottleneck": 2, "stride": 1}
    with slim.arg_scope(resnet_utils.resnet_arg_scope()):
        same = resnet_v1.bottleneck(
            100 * images(8, 4), 4, **options, use_bounded_activations=is_bounded
        )
        resnet_v1.bottleneck(
            images(8, 4), 8, **options, use_bounded_activations=is_bounded
        )
    output = evaluate(same)
    assert output.min() == 0
    assert (output.max() <= 6) == is_bounded
    # Both sums, and the shortcut that has a convolution.
    bounded = [op for op in graph.get_operations() if op.type == "Relu6"]
    assert len(bounded) == (3 if is_bounded else 0)


def test_width():
    options = {"num_classes": 5, "is_training": False, "min_base_depth": 5}
    _, end_points = resnet_v1.resnet_v1_50(images(), depth_multiplier=0.25, **options)
    depths = [end_points[f"resnet_v1_50/block{i}"].shape[3] for i in range(1, 5)]
    assert depths == [64, 128, 256, 512]
    _, end_points = resnet_v1.resnet_v1_50(
        images(), depth_multiplier=0, scope="least", **options
    )
    assert {end_points[f"least/block{i}"].shape[3] for i in range(1, 5)} == {20}


@pytest.mark.parametrize(
    ("network", "units"),
    [
        (resnet_v1.resnet_v1_50, (3, 4, 6, 3)),
        (resnet_v1.resnet_v1_101, (3, 4, 23, 3)),
        (resnet_v1.resnet_v1_152, (3, 8, 36, 3)),
        (resnet_v1.resnet_v1_200, (3, 24, 36, 3)),
        (resnet_v2.resnet_v2_50, (3, 4, 6, 3)),
        (resnet_v2.resnet_v2_101, (3, 4, 23, 3)),
        (resnet_v2.resnet_v2_152, (3, 8, 36, 3)),
        (resnet_v2.resnet_v2_200, (3, 24, 36, 3)),
    ],
)
def test_units_of_the_papers_tables(network, units, monkeypatch):
    built = []
    monkeypatch.setattr(
        resnet_utils,
        "resnet",
        lambda _, blocks, **options: built.append((blocks, options)),
    )
    network(images(), 5)
    [(blocks, options)] = built
    assert options["scope"] == network.__name__
    assert [len(block.args) for block in blocks] == list(units)
    assert [block.args[0]["depth"] for block in blocks] == [256, 512, 1024, 2048]
    assert [block.args[-1]["stride"] for block in blocks] == [2, 2, 2, 1]
    assert network.default_image_size == 224
