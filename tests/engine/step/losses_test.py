"""The loss: numbers worked by hand, and TensorFlow 1's `losses`."""

import math

import numpy as np
import pytest
import tensorflow as tf

from engine.step import losses


def data_loss(labels, logits, aux_logits=None, label_smoothing=0.0, **options):
    """`losses.data_loss` of plain lists, as a float."""
    aux = None if aux_logits is None else tf.constant(aux_logits, tf.float32)
    logits = tf.constant(logits, tf.float32)
    return float(
        losses.data_loss(
            tf.one_hot(labels, logits.shape[-1]),
            logits,
            aux,
            label_smoothing=label_smoothing,
            **options,
        )
    )


def test_cross_entropy_is_the_mean_over_the_batch():
    # Softmax of [0, ln 3] is [1/4, 3/4].
    logits = [[0.0, math.log(3)], [0.0, math.log(3)]]
    expected = (-math.log(1 / 4) - math.log(3 / 4)) / 2
    assert data_loss([0, 1], logits) == pytest.approx(expected)


def test_smoothing_gives_every_class_its_share():
    # Smoothing 0.2 over two classes: the target [1, 0] becomes [0.9, 0.1].
    expected = -0.9 * math.log(1 / 4) - 0.1 * math.log(3 / 4)
    smoothed = data_loss([0], [[0.0, math.log(3)]], label_smoothing=0.2)
    assert smoothed == pytest.approx(expected)


def test_the_auxiliary_head_counts_four_tenths():
    logits, aux = [[0.0, math.log(3)]], [[0.0, 0.0]]
    expected = -math.log(1 / 4) + 0.4 * math.log(2)
    assert data_loss([0], logits, aux) == pytest.approx(expected)


def test_the_auxiliary_targets_are_smoothed_too():
    aux = [[0.0, math.log(3)]]
    main = data_loss([0], [[0.0, 0.0]], label_smoothing=0.2)
    expected = main + 0.4 * (-0.9 * math.log(1 / 4) - 0.1 * math.log(3 / 4))
    both = data_loss([0], [[0.0, 0.0]], aux, label_smoothing=0.2)
    assert both == pytest.approx(expected)


def test_an_image_counts_as_its_class_does():
    logits = [[0.0, math.log(3)], [0.0, math.log(3)]]
    weights = np.array([0.5, 3.0], np.float32)
    expected = -(0.5 * math.log(1 / 4) + 3 * math.log(3 / 4)) / 2
    assert data_loss([0, 1], logits, class_weights=weights) == pytest.approx(expected)
    aux = data_loss([0, 1], [[0.0, 0.0]] * 2, logits, class_weights=weights)
    assert aux == pytest.approx((0.5 + 3) * math.log(2) / 2 + 0.4 * expected)
    smoothed = data_loss([0], logits[:1], label_smoothing=0.2, class_weights=weights)
    assert smoothed == pytest.approx(
        0.5 * data_loss([0], logits[:1], label_smoothing=0.2)
    )


def test_a_mixed_image_counts_as_its_parts_do():
    weights = np.array([1, 2], np.float32)
    targets, logits = tf.constant([[0.25, 0.75]]), tf.constant([[0.0, math.log(3)]])
    loss = losses.data_loss(
        targets, logits, None, label_smoothing=0, class_weights=weights
    )
    entropy = -0.25 * math.log(1 / 4) - 0.75 * math.log(3 / 4)
    assert float(loss) == pytest.approx((0.25 + 0.75 * 2) * entropy)


def test_focal_loss_makes_sure_answers_count_less():
    logits = [[0.0, math.log(3)], [0.0, math.log(3)]]
    expected = -((3 / 4) ** 2 * math.log(1 / 4) + (1 / 4) ** 2 * math.log(3 / 4)) / 2
    assert data_loss([0, 1], logits, focal_gamma=2.0) == pytest.approx(expected)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_loss_has_a_slope_where_the_net_is_sure(gamma):
    logits = tf.Variable([[200.0, 0.0]])
    with tf.GradientTape() as tape:
        loss = losses.data_loss(
            tf.constant([[1.0, 0.0]]),
            logits.read_value(),
            None,
            label_smoothing=0,
            focal_gamma=gamma,
        )
    assert np.isfinite(tape.gradient(loss, logits)).all()


def test_l2_penalty_is_half_the_sum_of_squares():
    variables = [tf.Variable([3.0, 4.0]), tf.Variable([[1.0]])]
    assert float(losses.l2_penalty(variables, 0.1)) == pytest.approx(0.1 * 26 / 2)


def test_the_penalty_follows_the_trained_weights_and_keeps_the_frozen_share():
    trained, frozen = tf.Variable([3.0, 4.0]), tf.Variable([[2.0]])
    penalty_fn = losses.l2_penalty_fn([frozen, trained], [trained], 0.1)
    assert float(penalty_fn()) == pytest.approx(0.1 * (25 + 4) / 2)
    trained.assign([0.0, 1.0])
    assert float(penalty_fn()) == pytest.approx(0.1 * (1 + 4) / 2)


def test_frozen_weights_are_not_read_in_a_step():
    trained, frozen = tf.Variable([3.0, 4.0]), tf.Variable([[2.0]])
    penalty_fn = losses.l2_penalty_fn([frozen, trained], [trained], 0.1)
    step = tf.function(penalty_fn).get_concrete_function()
    assert [outer for outer, _ in step.graph.captures] == [trained.handle]


def test_frozen_weights_may_be_restored_until_the_first_step():
    trained, frozen = tf.Variable([3.0, 4.0]), tf.Variable([[2.0]])
    step = tf.function(losses.l2_penalty_fn([frozen, trained], [trained], 0.1))
    frozen.assign([[1.0]])
    assert float(step()) == pytest.approx(0.1 * (25 + 1) / 2)


@pytest.mark.parametrize(
    ("variables", "weight_decay"), [([], 0.1), ([tf.Variable([3.0])], 0.0)]
)
def test_no_penalty_without_weights_or_decay(variables, weight_decay):
    assert float(losses.l2_penalty(variables, weight_decay)) == 0


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_the_sum_is_slims(label_smoothing):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 7, 5).astype(np.int32)
    logits, aux = generator.normal(size=(2, 5, 7)).astype(np.float32)
    weights = generator.normal(size=(3, 4)).astype(np.float32)
    tf1 = tf.compat.v1.losses
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        one_hot = tf.one_hot(labels, 7)
        for each, weight in ((aux, 0.4), (logits, 1.0)):
            tf1.softmax_cross_entropy(
                one_hot, each, label_smoothing=label_smoothing, weights=weight
            )
        tf1.add_loss(0.01 * tf.nn.l2_loss(weights))
        expected = session.run(tf1.get_total_loss())
    ours = data_loss(labels, logits, aux, label_smoothing)
    ours += float(losses.l2_penalty([tf.Variable(weights)], 0.01))
    assert ours == pytest.approx(expected, rel=1e-6)
