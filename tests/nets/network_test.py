"""`Network` on a net of two convolutions: frozen batch norm, dropout, names, errors."""

import numpy as np
import pytest
import tensorflow as tf

from errors import UserError
from nets import nets_factory, slim, vgg
from nets.network import COMPUTE_DTYPES, Network
from nets.new_head import NewHead
from preprocessing import preprocessing_factory

v1 = tf.compat.v1

FIRST, SECOND = "Tiny/conv1/BatchNorm", "Tiny/conv2/BatchNorm"
DECAY, EPSILON = 0.75, 0.001
SHAPES = {
    "Tiny/conv1/weights": (1, 1, 3, 4),
    "Tiny/conv1/BatchNorm/beta": (4,),
    "Tiny/conv1/BatchNorm/moving_mean": (4,),
    "Tiny/conv1/BatchNorm/moving_variance": (4,),
    "Tiny/conv2/weights": (1, 1, 4, 6),
    "Tiny/conv2/BatchNorm/beta": (6,),
    "Tiny/conv2/BatchNorm/moving_mean": (6,),
    "Tiny/conv2/BatchNorm/moving_variance": (6,),
    "Tiny/Logits/weights": (6 * 4 * 4, 5),
    "Tiny/Logits/biases": (5,),
}


def tiny(images, num_classes, is_training):
    end_points = {}
    with (
        v1.variable_scope("Tiny"),
        slim.arg_scope([slim.batch_norm, slim.dropout], is_training=is_training),
    ):
        net = end_points["conv1"] = slim.conv2d(images, 4, [1, 1], scope="conv1")
        net = end_points["conv2"] = slim.conv2d(net, 6, [1, 1], scope="conv2")
        net = end_points["dropped"] = slim.dropout(slim.flatten(net), 0.5)
        end_points["dropped_twice"] = slim.dropout(tf.ones_like(net), 0.5)
        net = slim.fully_connected(
            net, num_classes, activation_fn=None, normalizer_fn=None, scope="Logits"
        )
    return net, end_points


def tiny_arg_scope(weight_decay=0.0):
    with slim.arg_scope(
        [slim.conv2d, slim.fully_connected],
        weights_regularizer=slim.l2_regularizer(weight_decay),
        activation_fn=None,
        normalizer_fn=slim.batch_norm,
        normalizer_params={"decay": DECAY, "epsilon": EPSILON},
    ) as scope:
        return scope


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch):
    entry = nets_factory.NetEntry(tiny, tiny_arg_scope, 4, ("Tiny/Logits",), "vgg")
    monkeypatch.setitem(nets_factory.NETWORKS, "tiny", entry)


@pytest.fixture
def net():
    """A tiny net whose statistics are none that a batch would have."""
    net = Network("tiny", num_classes=5)
    generator = np.random.default_rng(0)
    for name, variable in net.model_variables.items():
        value = generator.uniform(0.5, 2.0, variable.shape)
        variable.assign(value if "moving" in name else value - 1)
    return net


IMAGES = np.random.default_rng(1).normal(size=(8, 4, 4, 3)).astype(np.float32)


def run(net, images=IMAGES, *, is_training=True, frozen=(), seed=(1, 2), decay=None):
    """Logits and end points as arrays, from a compiled function."""

    @tf.function(autograph=False)
    def call(images, seed):
        return net(
            images,
            is_training=is_training,
            frozen_batch_norms=frozen,
            batch_norm_decay=decay,
            dropout_seed=seed,
        )

    logits, end_points = call(tf.constant(images), tf.constant(seed))
    return logits.numpy(), {key: value.numpy() for key, value in end_points.items()}


def values(net):
    return {name: v.numpy() for name, v in net.model_variables.items()}


def normalised(net, inputs, scope, *, mean, variance):
    """A 1x1 convolution and its batch norm, worked out in NumPy."""
    layer = scope.removesuffix("/BatchNorm")
    outputs = inputs @ values(net)[f"{layer}/weights"][0, 0]
    if mean is None:
        mean, variance = outputs.mean((0, 1, 2)), outputs.var((0, 1, 2))
    scale = np.sqrt(variance + EPSILON)
    return (outputs - mean) / scale + values(net)[f"{scope}/beta"], mean


# Variables.


def test_variables_by_slims_names_in_order_of_creation(net):
    assert net.variable_shapes() == SHAPES
    assert list(net.model_variables) == list(SHAPES)
    for name, variable in net.model_variables.items():
        assert variable.name == f"{name}:0"
    trainable = {v.name.removesuffix(":0") for v in net.trainable_variables}
    assert trainable == {name for name in SHAPES if "moving" not in name}


def test_the_penalty_is_on_weights_alone(net):
    assert [v.name for v in net.regularized] == [
        f"{name}:0" for name in SHAPES if name.endswith("/weights")
    ]


def test_calls_make_no_new_variables(net):
    before = values(net)
    run(net)
    run(net, is_training=False)
    assert list(net.model_variables) == list(before)
    assert len(net.variables) == len(SHAPES)


def test_two_nets_share_nothing(net):
    other = Network("tiny", num_classes=5)
    before = values(net)
    for variable in other.variables:
        variable.assign(tf.ones_like(variable))
    assert all(np.array_equal(before[k], v) for k, v in values(net).items())


def test_the_same_seed_gives_the_same_first_weights():
    nets = []
    for _ in range(2):
        tf.random.set_seed(3)
        nets.append(values(Network("tiny", num_classes=5)))
    assert all(np.array_equal(nets[0][k], nets[1][k]) for k in SHAPES)
    assert nets[0]["Tiny/conv1/weights"].std() > 0


def test_variables_belong_to_the_strategy_they_are_made_under():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        net = Network("tiny", num_classes=5)
    for variable in net.model_variables.values():
        assert strategy.extended.variable_created_in_scope(variable)


def test_every_trainable_variable_has_a_gradient(net):
    @tf.function(autograph=False)
    def gradients(images):
        with tf.GradientTape() as tape:
            logits, _ = net(images, is_training=True)
            loss = tf.reduce_sum(logits**2)
        return tape.gradient(loss, net.trainable_variables)

    assert all(gradient is not None for gradient in gradients(tf.constant(IMAGES)))


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_layers_compute_narrow_on_float32_variables(net, precision):
    narrow = Network("tiny", num_classes=5, precision=precision)
    assert narrow.variable_shapes() == net.variable_shapes()
    assert {v.dtype for v in narrow.model_variables.values()} == {tf.float32}
    assert [v.name for v in narrow.regularized] == [v.name for v in net.regularized]
    for name, variable in narrow.model_variables.items():
        variable.assign(net.model_variables[name])
    (logits, end_points), (_, expected) = run(narrow), run(net)
    assert logits.dtype == end_points["conv1"].dtype == np.float32
    np.testing.assert_allclose(end_points["conv2"], expected["conv2"], atol=0.05)
    assert not np.array_equal(end_points["conv2"], expected["conv2"])
    # What a layer gives is a number of the narrow type; its statistics are not.
    dtype = COMPUTE_DTYPES[precision].as_numpy_dtype
    conv1 = end_points["conv1"]
    np.testing.assert_array_equal(conv1.astype(dtype).astype(np.float32), conv1)
    mean = narrow.model_variables[f"{FIRST}/moving_mean"].numpy()
    assert not np.array_equal(mean.astype(dtype).astype(np.float32), mean)
    np.testing.assert_allclose(
        mean, net.model_variables[f"{FIRST}/moving_mean"], atol=0.01
    )


@pytest.mark.parametrize("precision", COMPUTE_DTYPES)
def test_a_call_outside_of_functions_is_the_same_computation(precision):
    net = Network("tiny", num_classes=5, precision=precision)
    images = tf.constant(IMAGES)
    with tf.GradientTape() as tape:
        logits, end_points = net(images, is_training=False)
        loss = tf.reduce_sum(logits**2)
    gradients = tape.gradient(loss, net.trainable_variables)
    assert all(gradient is not None for gradient in gradients)
    compiled = tf.function(lambda images: net(images, is_training=False))(images)
    assert list(end_points) == list(compiled[1])
    for name, values in end_points.items():
        np.testing.assert_allclose(values, compiled[1][name], atol=1e-5, err_msg=name)


def test_grayscale_images():
    net = Network("tiny", num_classes=5, channels=1)
    assert net.variable_shapes()["Tiny/conv1/weights"] == (1, 1, 1, 4)
    assert run(net, IMAGES[..., :1])[0].shape == (8, 5)


def test_another_image_size():
    net = Network("tiny", num_classes=5, image_size=6)
    assert net.variable_shapes()["Tiny/Logits/weights"] == (6 * 6 * 6, 5)


# Batch norm.


def test_training_normalises_by_the_batch_and_moves_the_statistics(net):
    before = values(net)
    _, end_points = run(net)
    expected, mean = normalised(net, IMAGES, FIRST, mean=None, variance=None)
    np.testing.assert_allclose(end_points["conv1"], expected, rtol=0, atol=1e-4)
    after = values(net)
    name = f"{FIRST}/moving_mean"
    np.testing.assert_allclose(
        after[name], DECAY * before[name] + (1 - DECAY) * mean, atol=1e-5
    )
    changed = {k for k in SHAPES if not np.array_equal(before[k], after[k])}
    assert changed == {k for k in SHAPES if "/moving_" in k}


def test_another_decay_of_the_statistics(net):
    before = values(net)
    run(net, frozen=[SECOND], decay=0.0)
    _, mean = normalised(net, IMAGES, FIRST, mean=None, variance=None)
    after = values(net)
    np.testing.assert_allclose(after[f"{FIRST}/moving_mean"], mean, atol=1e-5)
    name = f"{SECOND}/moving_mean"
    np.testing.assert_array_equal(after[name], before[name])


def test_a_frozen_batch_norm_uses_its_stored_statistics(net):
    stored = values(net)
    _, end_points = run(net, frozen=[FIRST])
    expected, _ = normalised(
        net,
        IMAGES,
        FIRST,
        mean=stored[f"{FIRST}/moving_mean"],
        variance=stored[f"{FIRST}/moving_variance"],
    )
    np.testing.assert_allclose(end_points["conv1"], expected, rtol=0, atol=1e-4)
    second, _ = normalised(net, end_points["conv1"], SECOND, mean=None, variance=None)
    np.testing.assert_allclose(end_points["conv2"], second, rtol=0, atol=1e-4)


def test_a_frozen_batch_norm_stays_to_the_bit_while_others_update(net):
    before = values(net)
    for _ in range(3):
        run(net, frozen=[FIRST])
    after = values(net)
    for kind in ("moving_mean", "moving_variance"):
        assert before[f"{FIRST}/{kind}"].tobytes() == after[f"{FIRST}/{kind}"].tobytes()
        assert not np.array_equal(before[f"{SECOND}/{kind}"], after[f"{SECOND}/{kind}"])


def test_freezing_is_for_one_call_alone(net):
    before = values(net)
    run(net, frozen=[FIRST, SECOND])
    assert all(np.array_equal(before[k], v) for k, v in values(net).items())
    run(net)
    assert not np.array_equal(
        before[f"{FIRST}/moving_mean"], values(net)[f"{FIRST}/moving_mean"]
    )


def test_evaluation_changes_nothing_and_depends_on_no_neighbour(net):
    before = values(net)
    together, _ = run(net, is_training=False)
    alone, _ = run(net, IMAGES[:1], is_training=False)
    np.testing.assert_allclose(alone, together[:1], rtol=1e-4, atol=1e-5)
    assert all(np.array_equal(before[k], v) for k, v in values(net).items())


# Dropout.


def test_dropout_is_a_function_of_the_seed(net):
    frozen = [FIRST, SECOND]
    first, _ = run(net, frozen=frozen, seed=(1, 2))
    again, _ = run(net, frozen=frozen, seed=(1, 2))
    other, _ = run(net, frozen=frozen, seed=(1, 3))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_dropout_keeps_half_and_doubles_it(net):
    _, end_points = run(net)
    kept = end_points["dropped_twice"]
    assert set(np.unique(kept)) == {0.0, 2.0}
    assert kept.mean() == pytest.approx(1, abs=0.15)  # 768 tosses: 4 sigma


def test_every_dropout_layer_has_a_mask_of_its_own(net):
    _, end_points = run(net)
    first, second = end_points["dropped"] != 0, end_points["dropped_twice"] != 0
    assert first.shape == second.shape
    assert 0.3 < (first == second).mean() < 0.7


def test_evaluation_drops_nothing(net):
    _, end_points = run(net, is_training=False)
    assert (end_points["dropped_twice"] == 1).all()


def test_without_a_seed_every_call_drops_others(net):
    @tf.function(autograph=False)
    def dropped(images):
        return net(images, is_training=True)[1]["dropped_twice"]

    assert not np.array_equal(dropped(IMAGES), dropped(IMAGES))


# Errors.


def test_images_too_small_for_the_net():
    with pytest.raises(UserError) as error:
        Network("overfeat", num_classes=2, image_size=32)
    message = str(error.value)
    assert message.startswith(
        "overfeat cannot be built for images of 32x32 pixels: Negative dimension size"
    )
    assert message.endswith("its default size is 231")
    assert "\n" not in message


def test_an_unknown_net_names_the_nearest():
    with pytest.raises(UserError) as error:
        Network("inceptionv3", num_classes=2)
    message = str(error.value)
    assert message.startswith("--model_name=inceptionv3: no such net (did you mean")
    assert "inception_v3" in message.partition("(")[2].partition(")")[0]


# As slim's users call it: a function of images, in a graph.


def test_in_a_graph_with_slims_collections(net):
    stored, keys = values(net), v1.GraphKeys
    with tf.Graph().as_default():
        network_fn = nets_factory.get_network_fn("tiny", 5, 0.1, is_training=True)
        logits, end_points = network_fn(tf.constant(IMAGES))
        assert logits.shape == (8, 5)
        assert list(end_points) == ["conv1", "conv2", "dropped", "dropped_twice"]
        assert [v.op.name for v in slim.get_model_variables()] == list(SHAPES)
        assert len(v1.get_collection(keys.UPDATE_OPS)) == 4
        losses = v1.get_collection(keys.REGULARIZATION_LOSSES)
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            for variable in slim.get_model_variables():
                variable.load(stored[variable.op.name], session)
            penalty = sum(session.run(losses))
    squares = sum((stored[k] ** 2).sum() for k in SHAPES if k.endswith("/weights"))
    assert penalty == pytest.approx(0.1 * squares / 2, rel=1e-5)


def test_a_graph_gives_the_same_logits(net):
    stored, (expected, _) = values(net), run(net, is_training=False)
    with tf.Graph().as_default(), v1.Session() as session:
        logits, _ = nets_factory.get_network_fn("tiny", 5)(tf.constant(IMAGES))
        session.run(v1.global_variables_initializer())
        for variable in slim.get_model_variables():
            variable.load(stored[variable.op.name], session)
        np.testing.assert_allclose(session.run(logits), expected, rtol=0, atol=1e-5)


def test_default_image_size_is_on_the_function():
    network_fn = nets_factory.get_network_fn("tiny", 5)
    assert getattr(network_fn, "default_image_size", None) == 4


def test_the_table_is_also_there_as_slims_two():
    assert nets_factory.networks_map["vgg_16"] is vgg.vgg_16
    assert nets_factory.arg_scopes_map["vgg_16"] is vgg.vgg_arg_scope
    assert set(nets_factory.networks_map) == set(nets_factory.arg_scopes_map)
    assert set(nets_factory.networks_map) == set(nets_factory.NETWORKS) - {"tiny"}


def test_an_unknown_name_is_slims_error():
    with pytest.raises(ValueError, match="vgg_61: no such net"):
        nets_factory.get_network_fn("vgg_61", 5)


def test_every_net_has_its_preprocessing():
    for name, entry in nets_factory.NETWORKS.items():
        assert entry.preprocessing in preprocessing_factory.RECIPES, name


def test_images_above_the_default_size_are_pooled():
    network = Network("inception_v1", num_classes=3, image_size=256)
    run = tf.function(lambda images: network(images, is_training=False)[0])
    assert run(tf.zeros((1, 256, 256, 3))).shape == (1, 3)


@pytest.mark.parametrize("draw_weights", [True, False])
def test_variables_that_memory_has_no_room_for_are_a_line(draw_weights):
    values = {"image_size": 28, "draw_weights": draw_weights}
    head = NewHead(None, (10**12,))
    with pytest.raises(UserError, match=r"^the variables of lenet do not fit"):
        Network("lenet", num_classes=2, head=head, **values)
