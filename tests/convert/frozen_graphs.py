"""Frozen graphs of the factory's nets, with weights that follow from their names."""

import functools

import tensorflow as tf

from nets import nets_factory
from tests.nets import recipe

v1 = tf.compat.v1


def freeze(net, side, num_classes, output):
    """A frozen graph for one image, with the recipe's weights; and these."""
    with tf.Graph().as_default() as graph, v1.Session() as session:
        images = v1.placeholder(tf.float32, (1, side, side, 3), "input")
        nets_factory.get_network_fn(net, num_classes, 1.0)(images)
        values = {}
        for variable in v1.global_variables():
            name = variable.op.name
            values[name] = recipe.weights(name, tuple(variable.shape))
            variable.load(values[name], session)
        constant = v1.graph_util.convert_variables_to_constants
        return constant(session, graph.as_graph_def(), [output]), values


@functools.cache
def lenet():
    """LeNet for five classes, and its variables; not to be changed."""
    return freeze("lenet", 28, 5, "Predictions/Reshape_1")
