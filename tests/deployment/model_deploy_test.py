"""slim's clones: variables shared, losses and gradients averaged, one penalty."""

import numpy as np
import pytest
import tensorflow as tf
import tf_slim

from deployment import model_deploy
from errors import UserError

v1 = tf.compat.v1
CPU = "/device:CPU:0"
X = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
Y = (X[:, :1] > 0).astype(np.float32)


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        v1.set_random_seed(1)
        yield graph


def classifier(x, y, penalty=0.0):
    """A logistic regression on normalised inputs."""
    net = tf_slim.batch_norm(x, decay=0.5, is_training=True)
    regularizer = tf_slim.l2_regularizer(penalty) if penalty else None
    logits = tf_slim.fully_connected(
        net,
        1,
        activation_fn=None,
        weights_initializer=tf.compat.v1.ones_initializer(),
        weights_regularizer=regularizer,
    )
    v1.losses.sigmoid_cross_entropy(y, logits)
    return logits


def deploy(num_clones, penalty=0.0, rate=0.5, **options):
    config = model_deploy.DeploymentConfig(num_clones, clone_on_cpu=True)
    inputs = tf.constant(X), tf.constant(Y)
    return model_deploy.deploy(
        config,
        classifier,
        inputs,
        {"penalty": penalty},
        optimizer=v1.train.GradientDescentOptimizer(rate),
        **options,
    )


def run(model, steps):
    """The losses of some steps, and then the variables by name."""
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        losses = [session.run(model.train_op) for _ in range(steps)]
        return losses, session.run({v.op.name: v for v in v1.global_variables()})


def test_one_clone_trains_and_updates_its_statistics():
    model = deploy(1)
    (clone,) = model.clones
    assert (clone.scope, clone.device) == ("", CPU)
    losses, values = run(model, 8)
    assert losses[-1] < losses[0]
    assert values["global_step"] == 8
    assert np.any(values["BatchNorm/moving_mean"])


def test_clones_of_the_same_batch_train_as_one(graph):
    losses, values = run(deploy(1, penalty=0.1), 4)
    with tf.Graph().as_default():
        model = deploy(2, penalty=0.1)
        assert [clone.scope for clone in model.clones] == ["clone_0/", "clone_1/"]
        assert model.clones[1].outputs.op.name.startswith("clone_1/")
        two_losses, two_values = run(model, 4)
    np.testing.assert_allclose(two_losses, losses, rtol=1e-5)
    assert two_values.keys() == values.keys()  # one set of variables
    for name, value in values.items():
        np.testing.assert_allclose(two_values[name], value, rtol=1e-4, err_msg=name)


def test_gradients_of_different_batches_are_averaged():
    """By hand: d/dw of (w*1)^2/2 and of (w*3)^2/2 at w = 1 are 1 and 9."""
    config = model_deploy.DeploymentConfig(2, clone_on_cpu=True)
    factors = iter([1.0, 3.0])

    def model_fn():
        w = v1.get_variable("w", initializer=1.0)
        v1.losses.add_loss(tf.square(w * next(factors)) / 2)

    clones = model_deploy.create_clones(config, model_fn)
    loss, pairs = model_deploy.optimize_clones(
        clones, v1.train.GradientDescentOptimizer(1.0)
    )
    ((gradient, _),) = pairs
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        assert session.run([loss, gradient]) == [2.5, 5.0]


def test_only_the_first_clones_batch_norms_are_updated():
    model = deploy(2, rate=0.0)
    _, values = run(model, 1)
    expected = 0.5 * X.mean(0)  # two updates would give 0.75
    np.testing.assert_allclose(values["BatchNorm/moving_mean"], expected, rtol=1e-4)


def test_summaries_and_models_that_are_not_trained(graph):
    summary_op = deploy(1, summarize_gradients=True).summary_op
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        summary = v1.Summary.FromString(session.run(summary_op))
    tags = {value.tag for value in summary.value}
    assert {"total_loss_1", "Losses/clone_loss"} <= tags  # so named by slim, too
    assert "fully_connected/weights/gradient" in tags
    with tf.Graph().as_default():
        config = model_deploy.DeploymentConfig(clone_on_cpu=True)
        model = model_deploy.deploy(config, lambda: tf.constant(1.0))
        assert (model.train_op, model.total_loss) == (None, None)


def test_variables_are_on_the_cpu():
    config = model_deploy.DeploymentConfig()
    model_deploy.create_clones(config, classifier, [tf.constant(X), tf.constant(Y)])
    assert {v.device for v in tf_slim.get_model_variables()} == {CPU}


def test_devices():
    config = model_deploy.DeploymentConfig(num_clones=2)
    assert config.clone_device(1) == "/device:GPU:1"
    assert config.clone_scope(1) == "clone_1"
    assert {
        config.inputs_device(),
        config.optimizer_device(),
        config.variables_device(),
    } == {CPU}
    with pytest.raises(ValueError, match="clone_index=2: there are 2 clones"):
        config.clone_device(2)


@pytest.mark.parametrize(
    "options",
    [{"num_replicas": 2}, {"num_ps_tasks": 1}, {"replica_id": 1}, {"num_clones": 0}],
)
def test_what_needs_more_machines_is_refused(options):
    with pytest.raises(UserError, match=next(iter(options))):
        model_deploy.DeploymentConfig(**options)
