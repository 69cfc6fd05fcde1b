"""slim's way: a graph, its collections, a session, one step a call."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from benchmarks.measuring import Scale
from benchmarks.photos import NUM_CLASSES
from nets import nets_factory

_WEIGHT_DECAY = 0.00004  # slim's default, as are the optimizer's numbers
_AUX_WEIGHT = 0.4


def make_step(scale: Scale, trainable: str) -> Callable[[], int]:
    """Training steps as slim's `train_image_classifier.py` builds them.

    Frozen layers use the batch's statistics, as they do in slim.

    Args:
      scale: net, image size and batch size.
      trainable: "head" or "all".

    Returns:
      A function that makes a step and returns how many images it took.
    """
    v1 = tf.compat.v1
    shape = (scale.batch_size, scale.image_size, scale.image_size, 3)
    generator = np.random.default_rng(0)
    labels = generator.integers(0, NUM_CLASSES, scale.batch_size)
    with tf.Graph().as_default():
        images = v1.get_local_variable(
            "images", initializer=generator.uniform(-1, 1, shape).astype(np.float32)
        )
        network_fn = nets_factory.get_network_fn(
            scale.model_name, NUM_CLASSES, _WEIGHT_DECAY, True
        )
        logits, end_points = network_fn(tf.convert_to_tensor(images))
        targets = tf.one_hot(labels, NUM_CLASSES)
        v1.losses.softmax_cross_entropy(targets, logits)
        if "AuxLogits" in end_points:
            v1.losses.softmax_cross_entropy(
                targets, end_points["AuxLogits"], weights=_AUX_WEIGHT
            )
        scopes = nets_factory.get_entry(scale.model_name).head_scopes
        trained = [
            variable
            for variable in v1.trainable_variables()
            if trainable == "all" or variable.name.startswith(scopes)
        ]
        optimizer = v1.train.RMSPropOptimizer(0.01, 0.9, 0.9, 1.0)
        with tf.control_dependencies(v1.get_collection(v1.GraphKeys.UPDATE_OPS)):
            loss = v1.losses.get_total_loss()
            update = optimizer.minimize(loss, var_list=trained)
        session = v1.Session()
        session.run(v1.global_variables_initializer())
        session.run(v1.local_variables_initializer())

    def step() -> int:
        session.run([update, loss])
        return scale.batch_size

    return step
