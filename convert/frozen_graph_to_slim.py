r"""Makes a slim checkpoint of the constants in a frozen graph.

    python -m convert.frozen_graph_to_slim \
        --graph_file=frozen_inference_graph.pb \
        --checkpoint_path=checkpoints/mobilenet_v1_1.0_224.ckpt \
        --model_name=mobilenet_v1

Freezing turns every variable of a net into a Const that keeps the variable's name, so
the way back needs no knowledge of the net: constants named like slim's model variables
become variables again. `--checkpoint_path` of the training script takes the result.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from absl import flags, logging
from google.protobuf.message import DecodeError

from checkpoints import slim_format
from config import app
from errors import UserError
from nets import nets_factory
from nets.network import Network

FLAGS = flags.FLAGS

# The last part of every variable name that slim's layers make.
_VARIABLES = frozenset(
    [
        "weights",
        "depthwise_weights",
        "pointwise_weights",
        "biases",
        "beta",
        "gamma",
        "moving_mean",
        "moving_variance",
    ]
)
_READS = ("/read", "/ReadVariableOp")  # Identity ops that hand a variable's value on.


def convert(
    graph_file: str, checkpoint_path: str, *, model_name: str | None = None
) -> dict[str, np.ndarray]:
    """Writes the variables frozen in a graph as a slim checkpoint.

    Args:
      graph_file: a GraphDef with constants, in protocol buffer's binary form.
      checkpoint_path: prefix of the checkpoint, as in "folder/model.ckpt".
      model_name: a net of the factory; None leaves names and shapes unchecked.

    Returns:
      What was written: variable name -> values.

    Raises:
      UserError: the file cannot be read, is no GraphDef, holds no constant with the
        name of a slim variable, or its variables are not those of the net.
    """
    variables = frozen_variables(_read_graph(graph_file))
    if not variables:
        raise UserError(
            f"{graph_file} holds no constants named like slim variables (…/weights, "
            "…/BatchNorm/beta); expected a frozen graph of a slim net."
        )
    if model_name:
        check_variables(variables, model_name)
    slim_format.write_checkpoint(checkpoint_path, variables)
    return variables


def frozen_variables(graph: tf.compat.v1.GraphDef) -> dict[str, np.ndarray]:
    """Returns the values of constants with names of slim variables.

    A Const behind a chain of Identity ops counts under the chain's names too: some
    tools rename or fold one of the two and keep the other.

    Args:
      graph: a frozen graph.

    Returns:
      Variable name -> values, sorted by name.
    """
    nodes = {node.name: node for node in graph.node}
    variables = {}
    for name in sorted(nodes):
        variable = _variable_name(name)
        constant = _constant_behind(nodes, name) if variable else None
        if variable and constant:
            variables[variable] = tf.make_ndarray(constant.attr["value"].tensor)
    return variables


def check_variables(variables: Mapping[str, np.ndarray], model_name: str) -> None:
    """Compares names and shapes with those of a net.

    The net's heads are left out: their sizes depend on the number of classes, and a
    graph frozen for inference has no auxiliary head.

    Args:
      variables: variable name -> values.
      model_name: a net of the factory.

    Raises:
      UserError: a variable of the net is missing or has another shape, or there is one
        that the net does not have.
    """
    net = Network(model_name, num_classes=2)
    heads = nets_factory.get_entry(model_name).head_scopes
    expected = {
        name: tuple(variable.shape)
        for name, variable in net.model_variables.items()
        if not name.startswith(heads)
    }
    got = {
        name: values.shape
        for name, values in variables.items()
        if not name.startswith(heads)
    }
    differing = sorted(
        name for name in expected | got if expected.get(name) != got.get(name)
    )
    if differing:
        name = differing[0]
        raise UserError(
            f"--model_name={model_name}: {len(differing)} variables differ, the first "
            f"is {name}: shape {got.get(name, 'missing')} in the graph and "
            f"{expected.get(name, 'missing')} in the net; name the net that was frozen."
        )


def _variable_name(node_name: str) -> str | None:
    for suffix in _READS:
        node_name = node_name.removesuffix(suffix)
    return node_name if node_name.rpartition("/")[2] in _VARIABLES else None


def _constant_behind(
    nodes: dict[str, tf.compat.v1.NodeDef], name: str
) -> tf.compat.v1.NodeDef | None:
    node = nodes.get(name)
    while node is not None and node.op == "Identity":
        node = nodes.get(node.input[0].removesuffix(":0"))
    return node if node is not None and node.op == "Const" else None


def _read_graph(graph_file: str) -> tf.compat.v1.GraphDef:
    graph = tf.compat.v1.GraphDef()
    try:
        with tf.io.gfile.GFile(graph_file, "rb") as stream:
            graph.ParseFromString(stream.read())
    except tf.errors.OpError as error:
        raise UserError(
            f"--graph_file: cannot read {graph_file!r} ({type(error).__name__}); give "
            "the path of a frozen graph (.pb)."
        ) from error
    except DecodeError as error:
        raise UserError(
            f"--graph_file: {graph_file} is not a GraphDef in binary form; give a "
            "frozen graph (.pb)."
        ) from error
    return graph


def main() -> None:
    """Converts the graph that the flags name."""
    written = convert(
        FLAGS.graph_file, FLAGS.checkpoint_path, model_name=FLAGS.model_name
    )
    logging.info(
        "Wrote %d variables with %d values to %s.",
        len(written),
        sum(values.size for values in written.values()),
        FLAGS.checkpoint_path,
    )


def _define_flags() -> None:
    flags.DEFINE_string(
        "graph_file", None, "The frozen graph: a GraphDef with constants (.pb)."
    )
    flags.DEFINE_string(
        "checkpoint_path",
        None,
        "Where to write the checkpoint: a prefix such as folder/model.ckpt, to which "
        "TensorFlow's endings .index and .data-00000-of-00001 are added.",
    )
    flags.DEFINE_string(
        "model_name",
        None,
        "The net that was frozen, as the training script calls it: names and shapes "
        "are checked against it. Unset: no check.",
    )
    flags.mark_flags_as_required(["graph_file", "checkpoint_path"])


if __name__ == "__main__":
    _define_flags()
    app.run(main)
