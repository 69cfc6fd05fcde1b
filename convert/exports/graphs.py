"""GraphDefs of TensorFlow 1: slim's inference graph, and the same frozen."""

import tensorflow as tf

from engine.restored.classifier import Classifier
from nets import nets_factory
from nets.network import Network

INPUT = "input"


def inference_graph(
    network: Network, batch_size: int | None, *, seed: int | None = None
) -> tuple[tf.compat.v1.GraphDef, str]:
    """The graph that slim's export_inference_graph writes, without weights.

    Args:
      network: the net.
      batch_size: the batch size of the placeholder; None for any size.
      seed: the seed of the variables' initializers; slim's graph has none.

    Returns:
      The graph, whose placeholder is `INPUT`, and the name of the node with the net's
      predictions: its softmax or, if the net has none, its logits.
    """
    graph = tf.Graph()
    with graph.as_default():
        tf.compat.v1.set_random_seed(seed)
        images = tf.compat.v1.placeholder(
            tf.float32, (batch_size, *network.input_shape), INPUT
        )
        net = nets_factory.get_network_fn(
            network.model_name, network.num_classes, head=network.head
        )
        logits, end_points = net(images, **network._options)
    predictions = end_points.get("Predictions", end_points.get("predictions", logits))
    return graph.as_graph_def(), predictions.op.name


def frozen_graph(classifier: Classifier, batch_size: int | None) -> bytes:
    """The inference graph up to its predictions, with the weights as constants.

    Every constant has its variable's name, so that frozen_graph_to_slim.py can read it.

    Args:
      classifier: the net and its weights.
      batch_size: the batch size of the placeholder; None for any size.

    Returns:
      A serialized GraphDef.
    """
    # Initializers, which are left out, are refused in a deterministic process unless
    # they have a seed.
    graph, output = inference_graph(classifier.network, batch_size, seed=0)
    needed = tf.compat.v1.graph_util.extract_sub_graph(graph, [output])
    for node in needed.node:
        if node.op == "VarHandleOp":
            value = classifier.network.model_variables[node.name].numpy()
            node.op = "Const"
            node.attr.clear()
            node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
        elif node.op == "ReadVariableOp":
            dtype = node.attr["dtype"].type
            node.op = "Identity"
            node.attr.clear()
            node.attr["T"].type = dtype
    return needed.SerializeToString(deterministic=True)


def predictions_node(graph: tf.compat.v1.GraphDef) -> str:
    """The only node of a frozen graph that no other reads."""
    read = {name.split(":")[0].lstrip("^") for n in graph.node for name in n.input}
    (output,) = [node.name for node in graph.node if node.name not in read]
    return output
