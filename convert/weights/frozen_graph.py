"""A frozen graph as a source of weights: its constants, and what it computes.

Freezing turns every variable of a net into a Const with the variable's name, so
constants named like slim's model variables become variables again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from common.untrusted_text import first_few, printable
from convert.weights import conversion, fit_text, frozen_graph_check, net_fit
from convert.weights.frozen_graph_check import node_name
from convert.weights.layers import Layer
from errors import UserError, first_line
from nets import nets_factory

Nodes = Mapping[str, tf.compat.v1.NodeDef]

# The last part of the names of all variables that slim's layers create.
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
_READS = ("/read", "/ReadVariableOp")  # Identity ops that return a variable's value
_ADDITIONS = ("BiasAdd", "Add", "AddV2")
# Roughly the net's preprocessing, by whether it is VGG's: it is not in the graph.
_INPUTS: Mapping[bool, Callable[[np.ndarray], np.ndarray]] = {
    False: lambda photographs: photographs / np.float32(127.5) - 1,
    True: lambda photographs: photographs - np.float32(127.5),
}
_MAX_SIDE = 2048  # of images, in pixels


def read(graph_file: str) -> tf.compat.v1.GraphDef:
    """Reads a GraphDef from a binary file.

    Raises:
      UserError: the file cannot be read, or is not a GraphDef.
    """
    graph = tf.compat.v1.GraphDef()
    try:
        with tf.io.gfile.GFile(graph_file, "rb") as stream:
            graph.ParseFromString(stream.read())
    except tf.errors.OpError as error:
        raise UserError(
            f"--graph_file: cannot read {graph_file!r} ({type(error).__name__}); give"
            " the path of a frozen graph (.pb)"
        ) from error
    except DecodeError as error:
        raise UserError(
            f"--graph_file: {graph_file} is not a GraphDef in binary form; give a"
            " frozen graph (.pb)"
        ) from error
    return graph


def frozen_variables(graph: tf.compat.v1.GraphDef) -> dict[str, np.ndarray]:
    """The values of constants named like slim variables.

    A Const before a chain of Identity ops also counts under the names in the chain:
    some tools rename or fold one of them and keep the other.

    Args:
      graph: a frozen graph.

    Returns:
      Values by variable name, sorted by name.
    """
    nodes = {node.name: node for node in graph.node}
    variables = {}
    for name in sorted(nodes):
        variable = _variable_name(name)
        *_, last = _identities(nodes, name)
        constant = nodes.get(last)
        if variable and constant is not None and constant.op == "Const":
            variables[variable] = _values(constant)
    return variables


def _values(constant: tf.compat.v1.NodeDef) -> np.ndarray:
    try:
        return tf.make_ndarray(constant.attr["value"].tensor)
    except (ValueError, TypeError) as error:
        raise UserError(
            f"the graph's constant {printable(constant.name)} cannot be read: it is"
            " damaged"
        ) from error


def source(
    graph: tf.compat.v1.GraphDef, model_name: str | None = None
) -> conversion.Source:
    """The graph as a source of weights for the slim net that was frozen.

    Args:
      graph: a frozen graph whose placeholder takes images.
      model_name: a key of `nets_factory.NETWORKS`; None finds it by the variables.

    Returns:
      The source.

    Raises:
      UserError: the graph does more than compute a net, holds no constant with the name
        of a slim variable, has other variables than the net, or does not take square
        images.
    """
    frozen_graph_check.check(graph)
    variables = frozen_variables(graph)
    if not variables:
        raise UserError(
            "the graph holds no constants named like slim variables (…/weights,"
            " …/BatchNorm/beta); give the frozen graph of a slim net"
        )
    fit = _fit({name: v.shape for name, v in variables.items()}, model_name)
    output = _output(graph, fit)
    images, side, channels = _images(graph, output)
    size = side or nets_factory.get_entry(fit.model_name).image_size
    run = _function(graph, images, output, (size, size, channels))
    inputs = _INPUTS[nets_factory.get_entry(fit.model_name).preprocessing == "vgg"]
    num_outputs = fit.num_classes
    if num_outputs is None:
        num_outputs = run(np.zeros((1, size, size, channels), np.float32)).shape[1]
    return conversion.Source(
        description="the frozen graph",
        model_name=fit.model_name,
        layers_at=lambda scopes: _layers(variables, scopes),
        has_classifier=fit.num_classes is not None,
        num_outputs=num_outputs,
        channels=channels,
        image_size=side,
        run=lambda photographs: run(inputs(photographs)),
        inputs=inputs,
    )


def _fit(shapes: Mapping[str, tuple[int, ...]], model_name: str | None) -> net_fit.Fit:
    """How the variables fit the named net, or the only net that they fit."""
    if model_name:
        fit = net_fit.compare(shapes, model_name)
        if fit.is_whole:
            return fit
        raise UserError(
            f"--model_name={model_name}: the graph's variables are those of another"
            f" net: {fit_text.misfit(fit)}"
        )
    fits = [net_fit.compare(shapes, name) for name in net_fit.candidates(shapes)]
    whole = [fit for fit in fits if fit.is_whole]
    if len(whole) == 1:
        return whole[0]
    raise UserError(
        f"the graph {fit_text.fits(fits)}; give the net that was frozen as --model_name"
    )


def _output(graph: tf.compat.v1.GraphDef, fit: net_fit.Fit) -> str:
    """The node with the logits; without a classifier, the one that no other reads."""
    nodes = {node.name: node for node in graph.node}
    if fit.num_classes is None:
        read = {node_name(name) for node in graph.node for name in node.input}
        found = [name for name in nodes if name not in read]
    else:
        head = nets_factory.get_entry(fit.model_name).head_scopes[0]
        found = [
            node.name
            for node in graph.node
            if node.op in _ADDITIONS
            and len(node.input) > 1
            and any(
                (_variable_name(name) or "").startswith(head)
                for name in _identities(nodes, node_name(node.input[1]))
            )
        ]
    if len(found) != 1:
        raise UserError(
            f"the graph has {len(found)} outputs to compare {fit.model_name} with"
            f" ({first_few(found)}); give the graph of the net alone"
        )
    return found[0]


def _images(graph: tf.compat.v1.GraphDef, output: str) -> tuple[str, int | None, int]:
    """The placeholder that the output depends on; side and channels of its images."""
    nodes = {node.name: node for node in graph.node}
    needed, unread = {output}, [output]
    while unread:
        names = set(map(node_name, nodes[unread.pop()].input))
        inputs = (names & nodes.keys()) - needed
        needed |= inputs
        unread += inputs
    found = [nodes[n] for n in sorted(needed) if nodes[n].op.startswith("Placeholder")]
    if len(found) == 1 and found[0].attr["dtype"].type == tf.float32.as_datatype_enum:
        shape = tf.TensorShape(found[0].attr["shape"].shape)
        if (
            shape.rank == 4
            and shape[1] == shape[2]
            and (shape[1] or 0) <= _MAX_SIDE
            and shape[3] in (None, 1, 3)
        ):
            return found[0].name, shape[1], shape[3] or 3
    raise UserError(
        "the graph must take images from a single placeholder, [batch, side, side,"
        f" channels] float32; it has {[node.name for node in found]}: give the graph"
        " that takes preprocessed images"
    )


def _function(
    graph: tf.compat.v1.GraphDef, images: str, output: str, shape: tuple[int, ...]
) -> Callable[[np.ndarray], np.ndarray]:
    """From images of a shape to the graph's outputs, `[n, outputs]`; maps are averaged.

    Images are fed one by one, as some graphs were frozen for a batch of one.
    """
    part = frozen_graph_check.part_behind(graph, output)
    (node,) = (node for node in part.node if node.name == images)
    node.attr["shape"].shape.CopyFrom(tf.TensorShape((1, *shape)).as_proto())
    try:
        imported = tf.compat.v1.wrap_function(
            lambda: tf.import_graph_def(part, name=""), []
        )
        tensors = [
            imported.graph.get_tensor_by_name(f"{n}:0") for n in (images, output)
        ]
        function = imported.prune(*tensors)
    except (ValueError, KeyError, TypeError, tf.errors.OpError) as error:
        reason = printable(first_line(error))
        raise UserError(f"the graph cannot be run: {reason}") from error
    frozen_graph_check.check_sizes(imported.graph)

    def run(values: np.ndarray) -> np.ndarray:
        try:
            outputs = [function(tf.constant(image[None])).numpy() for image in values]
        except tf.errors.OpError as error:
            reason = printable(first_line(error))
            raise UserError(f"the graph cannot be run: {reason}") from error
        stacked = np.concatenate(outputs)
        return stacked.mean((1, 2)) if stacked.ndim == 4 else stacked

    return run


def _layers(
    variables: Mapping[str, np.ndarray], scopes: Sequence[str]
) -> dict[str, Layer]:
    kinds = [kind for kind in _VARIABLES if kind != "biases"]
    kinds += [f"BatchNorm/{kind}" for kind in kinds]
    found = {}
    for scope in scopes:
        parts = {
            kind: variables[f"{scope}/{kind}"]
            for kind in kinds
            if f"{scope}/{kind}" in variables
        }
        if parts:
            found[scope] = Layer(parts, variables.get(f"{scope}/biases"))
    return found


def _identities(nodes: Nodes, name: str) -> Iterator[str]:
    """The name, and the names of the nodes that it is a copy of."""
    yield name
    while name in nodes and nodes[name].op == "Identity" and nodes[name].input:
        name = node_name(nodes[name].input[0])
        yield name


def _variable_name(node_name: str) -> str | None:
    for suffix in _READS:
        node_name = node_name.removesuffix(suffix)
    return node_name if node_name.rpartition("/")[2] in _VARIABLES else None
