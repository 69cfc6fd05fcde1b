"""Values from a checkpoint into variables: a warm start, and a resumed run."""

import numpy as np
import pytest
import tensorflow as tf

from checkpoints import restore, slim_format
from checkpoints.slim_format import Checkpoint
from errors import UserError

KERNEL = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
BIAS = np.array([5.0, 6.0], np.float32)


def save(tmp_path, **extra):
    prefix = str(tmp_path / "model.ckpt-7")
    arrays = {"net/weights": KERNEL, "net/biases": BIAS, **extra}
    slim_format.write_checkpoint(prefix, arrays)
    return Checkpoint(prefix)


def fresh(*names, shapes=((2, 2), (2,))):
    return {
        name: tf.Variable(tf.fill(shape, -1.0))
        for name, shape in zip(names, shapes, strict=False)
    }


def test_only_the_named_variables_are_set(tmp_path):
    variables = fresh("net/weights", "net/biases")
    restore.restore(variables, save(tmp_path), ["net/weights"])
    np.testing.assert_array_equal(variables["net/weights"], KERNEL)
    np.testing.assert_array_equal(variables["net/biases"], [-1, -1])


def test_every_clone_gets_the_values(tmp_path):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        variables = fresh("net/weights")
    restore.restore(variables, save(tmp_path), ["net/weights"])
    for copy in variables["net/weights"].values:
        np.testing.assert_array_equal(copy, KERNEL)


def test_resuming_takes_all_that_is_there(tmp_path):
    momentum = KERNEL / 8
    checkpoint = save(
        tmp_path,
        **{"net/weights/Momentum": momentum, "global_step": np.array(7, np.int64)},
    )
    variables = fresh("net/weights", "net/biases")
    variables["net/weights/Momentum"] = tf.Variable(tf.zeros([2, 2]))
    variables["global_step"] = tf.Variable(0, dtype=tf.int64)
    assert restore.resume(variables, checkpoint) == []
    np.testing.assert_array_equal(variables["net/biases"], BIAS)
    np.testing.assert_array_equal(variables["net/weights/Momentum"], momentum)
    assert variables["global_step"].numpy() == 7


def test_resuming_with_another_optimizer_says_what_is_new(tmp_path):
    """Slim stops here with NotFoundError."""
    checkpoint = save(tmp_path, **{"net/weights/Momentum": KERNEL})
    variables = fresh("net/weights", "net/biases")
    variables["net/weights/RMSProp"] = tf.Variable(tf.ones([2, 2]))
    variables["net/biases/RMSProp"] = tf.Variable(tf.ones([2]))
    missing = restore.resume(variables, checkpoint)
    assert missing == ["net/weights/RMSProp", "net/biases/RMSProp"]
    np.testing.assert_array_equal(variables["net/weights"], KERNEL)
    np.testing.assert_array_equal(variables["net/weights/RMSProp"], np.ones([2, 2]))


def test_a_slot_of_another_shape_stays_fresh(tmp_path):
    checkpoint = save(tmp_path, **{"net/weights/Momentum": BIAS})
    variables = fresh("net/weights", "net/biases")
    variables["net/weights/Momentum"] = tf.Variable(tf.zeros([2, 2]))
    assert restore.resume(variables, checkpoint) == ["net/weights/Momentum"]


def test_the_same_net_passes(tmp_path):
    checkpoint = save(tmp_path)
    shapes = {"net/weights": (2, 2), "net/biases": (2,)}
    restore.require_same_net(shapes, checkpoint)
    assert shapes.items() <= checkpoint.shapes.items()


@pytest.mark.parametrize(
    ("shapes", "says"),
    [
        (
            {"net/weights": (2, 3), "net/biases": (3,)},
            r"net/weights is \(2, 2\) there and \(2, 3\) here \(2 differ\)",
        ),
        ({"other/weights": (2, 2)}, "other/weights is missing there"),
    ],
)
def test_another_net_is_refused(tmp_path, shapes, says):
    with pytest.raises(UserError, match=says) as error:
        restore.require_same_net(shapes, save(tmp_path))
    assert "use another --train_dir" in str(error.value)
    assert str(tmp_path / "model.ckpt-7") in str(error.value)
