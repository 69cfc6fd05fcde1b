"""MobileNet v1's options, in graphs. Its defaults: nets_golden_test.py."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from nets import mobilenet_v1, slim

v1 = tf.compat.v1

# Table 1 of the paper: rows and columns after each layer at 224 px, and channels.
SIZES = {0: 112, 1: 112, 2: 56, 3: 56, 4: 28, 5: 28} | dict.fromkeys(range(6, 12), 14)
SIZES |= {12: 7, 13: 7}
DEPTHS = {0: 32, 1: 64, 2: 128, 3: 128, 4: 256, 5: 256}
DEPTHS |= dict.fromkeys(range(6, 12), 512) | {12: 1024, 13: 1024}


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def images(size, channels=3):
    return tf.zeros([2, size, size, channels])


def pointwise(end_points):
    """Shape of each layer's last end point, without the batch, by its number."""
    return {
        int(name.split("_")[1]): tuple(value.shape[1:])
        for name, value in end_points.items()
        if name == "Conv2d_0" or name.endswith("_pointwise")
    }


def test_the_layers_of_the_paper():
    _, end_points = mobilenet_v1.mobilenet_v1_base(images(224))
    assert pointwise(end_points) == {
        i: (SIZES[i], SIZES[i], DEPTHS[i]) for i in range(14)
    }
    assert list(end_points)[:3] == [
        "Conv2d_0",
        "Conv2d_1_depthwise",
        "Conv2d_1_pointwise",
    ]
    assert len(end_points) == 1 + 2 * 13
    depthwise = end_points["Conv2d_2_depthwise"].shape
    assert depthwise == [2, 56, 56, 64], "a depthwise layer has the stride, not more"


@pytest.mark.parametrize(
    "last", ["Conv2d_0", "Conv2d_2_depthwise", "Conv2d_2_pointwise"]
)
def test_a_final_end_point(last):
    net, end_points = mobilenet_v1.mobilenet_v1_base(images(32), final_endpoint=last)
    assert list(end_points)[-1] == last
    assert end_points[last] is net


@pytest.mark.parametrize(("output_stride", "size"), [(8, 28), (16, 14), (32, 7)])
def test_an_output_stride_keeps_the_map_at_that_size(output_stride, size):
    _, end_points = mobilenet_v1.mobilenet_v1_base(
        images(224), output_stride=output_stride
    )
    expected = {i: max(SIZES[i], size) for i in range(14)}
    assert pointwise(end_points) == {
        i: (expected[i], expected[i], DEPTHS[i]) for i in range(14)
    }


def test_dilated_layers_see_what_strided_ones_would():
    """Dense features, taken at every second place, are the strided net's."""
    inputs = tf.constant(
        np.random.default_rng(0).normal(size=(1, 65, 65, 3)), tf.float32
    )
    base = functools.partial(
        mobilenet_v1.mobilenet_v1_base,
        depth_multiplier=0.25,
        use_explicit_padding=True,
        scope="Net",
    )
    with slim.arg_scope(mobilenet_v1.mobilenet_v1_arg_scope(is_training=False)):
        strided, _ = base(inputs)
        v1.get_variable_scope().reuse_variables()
        dense, _ = base(inputs, output_stride=16)
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        coarse, fine = session.run([strided, dense])
    assert (coarse.shape, fine.shape) == ((1, 3, 3, 256), (1, 5, 5, 256))
    np.testing.assert_allclose(fine[:, ::2, ::2], coarse, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [224, 97])
def test_explicit_padding_gives_the_sizes_of_same_padding(size):
    shapes = [
        pointwise(
            mobilenet_v1.mobilenet_v1_base(
                images(size), use_explicit_padding=explicit, scope=f"net{explicit}"
            )[1]
        )
        for explicit in (False, True)
    ]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    ("multiplier", "min_depth", "depths"),
    [(0.5, 8, [16, 32, 64]), (0.1, 8, [8, 8, 12]), (0.1, 16, [16, 16, 16])],
)
def test_width(multiplier, min_depth, depths):
    _, end_points = mobilenet_v1.mobilenet_v1_base(
        images(32),
        final_endpoint="Conv2d_2_pointwise",
        depth_multiplier=multiplier,
        min_depth=min_depth,
    )
    assert [shape[-1] for shape in pointwise(end_points).values()] == depths


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"depth_multiplier": 0}, "depth_multiplier is 0"),
        ({"depth_multiplier": -0.5}, "depth_multiplier is -0.5"),
        ({"output_stride": 4}, "output_stride is 4; only 8, 16, 32"),
        ({"final_endpoint": "Conv2d_14"}, "Unknown final endpoint Conv2d_14"),
    ],
)
def test_options_out_of_range(options, says):
    with pytest.raises(ValueError, match=says):
        mobilenet_v1.mobilenet_v1_base(images(32), **options)


def test_images_must_be_a_batch():
    with pytest.raises(ValueError, match="Expected inputs of rank 4, was: 3"):
        mobilenet_v1.mobilenet_v1(tf.zeros([32, 32, 3]))


def test_logits_and_predictions():
    logits, end_points = mobilenet_v1.mobilenet_v1(images(64), 10, is_training=False)
    assert logits.shape == end_points["Predictions"].shape == [2, 10]
    assert end_points["Logits"] is logits
    assert end_points["AvgPool_1a"].shape == [2, 1, 1, 1024]
    assert logits.op.name == "MobilenetV1/Logits/SpatialSqueeze"


@pytest.mark.parametrize("num_classes", [0, None])
def test_features_in_place_of_logits(num_classes):
    features, end_points = mobilenet_v1.mobilenet_v1(images(32), num_classes)
    assert features.shape == [2, 1, 1, 1024]
    assert "Logits" not in end_points


def test_without_squeezing_or_prediction():
    logits, end_points = mobilenet_v1.mobilenet_v1(
        images(32), 10, spatial_squeeze=False, prediction_fn=None
    )
    assert logits.shape == [2, 1, 1, 10]
    assert "Predictions" not in end_points


def test_global_pool_takes_images_of_any_size():
    inputs = v1.placeholder(tf.float32, [None, None, None, 3])
    logits, end_points = mobilenet_v1.mobilenet_v1(
        inputs, 10, is_training=False, global_pool=True
    )
    assert end_points["global_pool"].shape.as_list() == [None, 1, 1, 1024]
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        for size in (33, 64):
            batch = {inputs: np.zeros([2, size, size, 3])}
            assert session.run(logits, batch).shape == (2, 10)


def test_reuse_of_the_variables():
    first, _ = mobilenet_v1.mobilenet_v1_025(images(32), 10, is_training=False)
    count = len(slim.get_model_variables())
    again, _ = mobilenet_v1.mobilenet_v1_025(
        images(32), 10, is_training=False, reuse=True
    )
    assert len(slim.get_model_variables()) == count
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        np.testing.assert_array_equal(*session.run([first, again]))


@pytest.mark.parametrize(
    ("network", "depth"),
    [
        (mobilenet_v1.mobilenet_v1_075, 768),
        (mobilenet_v1.mobilenet_v1_050, 512),
        (mobilenet_v1.mobilenet_v1_025, 256),
    ],
)
def test_the_narrower_nets(network, depth):
    features, _ = network(images(32), None)
    assert features.shape == [2, 1, 1, depth]
    assert network.default_image_size == 224


def penalised(**options):
    """Layers with an L2 penalty."""
    with slim.arg_scope(mobilenet_v1.mobilenet_v1_arg_scope(**options)):
        mobilenet_v1.mobilenet_v1_base(
            images(32), final_endpoint="Conv2d_1_pointwise", scope="Net"
        )
    losses = v1.get_collection(v1.GraphKeys.REGULARIZATION_LOSSES)
    return [loss.op.name.split("/")[1] for loss in losses]


def test_depthwise_weights_have_no_penalty_unless_asked_for():
    assert penalised() == ["Conv2d_0", "Conv2d_1_pointwise"]


def test_depthwise_weights_with_a_penalty():
    names = penalised(regularize_depthwise=True)
    assert names == ["Conv2d_0", "Conv2d_1_depthwise", "Conv2d_1_pointwise"]


@pytest.mark.parametrize(("is_training", "updates"), [(True, 6), (False, 0)])
def test_the_mode_of_batch_norm_is_in_the_arg_scope(is_training, updates):
    penalised(is_training=is_training)
    assert len(v1.get_collection(v1.GraphKeys.UPDATE_OPS)) == updates


def test_a_mode_left_to_the_network_function():
    scope = mobilenet_v1.mobilenet_v1_arg_scope(is_training=None)
    with slim.arg_scope(scope):
        mobilenet_v1.mobilenet_v1_025(images(32), 10, is_training=False)
        assert v1.get_collection(v1.GraphKeys.UPDATE_OPS) == []
