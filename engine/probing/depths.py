"""The depths of a net: end points to classify from, and what comes after each.

Training may start after any of them: what comes before is frozen, the rest trained.
"""

import dataclasses
from collections.abc import Iterable, Mapping

import tensorflow as tf

from nets import cut, graph_walk
from nets.network import Network

_TRACED_IMAGES = 2
_WITHOUT_WEIGHTS = {"Identity", "Mean", "Reshape", "Squeeze"}
_FEWEST = 2  # passages of a NASNet, stem and pool: shortcuts bypass each cell


@dataclasses.dataclass(frozen=True)
class Depth:
    """An end point on the way from the image to the logits.

    Attributes:
      end_point: its name.
      num_features: number of channels, pooled over height and width.
      tensor_name: what the next layer reads, after the net's own pooling and reshaping;
        its name in the graph.
      shape: the shape of that tensor, for one image.
      before: names of the variables that it is computed from, in the net's order.
      after: names of the variables between it and the logits, the head's included, in
        the net's order.
      flops_after: multiplications and additions between it and the logits, as a share
        of those from the image to the logits, in [0, 1].
      can_be_final: whether the net can end there, see `NewHead.final_endpoint`.
    """

    end_point: str
    num_features: int
    tensor_name: str
    shape: tuple[int, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    flops_after: float
    can_be_final: bool


def find_depths(network: Network) -> list[Depth]:
    """The depths of a net, from the image on.

    These are the end points on every path from the image to the head: those of
    auxiliary heads, those that depend on the head (logits, probabilities) and those
    inside a block with a shortcut are no depths, except that a NASNet has hardly any
    others. Of several end points with the same variables before them, only the last is
    a depth, since pooling and reshaping learn nothing.
    """
    traced = _Trace(network)
    found = {
        name: tensor.op
        for name, tensor in traced.end_points.items()
        if traced.is_between_image_and_head(tensor.op)
    }
    passages = {n: op for n, op in found.items() if not traced.is_passed_by(op)}
    depths: dict[frozenset[str], Depth] = {}
    for name, op in (passages if len(passages) > _FEWEST else found).items():
        tensor = traced.end_points[name]
        following = traced.read_by_next_layer(tensor)
        read = traced.variables_before(op)
        depths[read] = Depth(
            name,
            int(tensor.shape[-1]),
            following.name,
            tuple(following.shape[1:]),
            before=tuple(n for n in network.model_variables if n in read),
            after=tuple(n for n in traced.variables_before_logits if n not in read),
            flops_after=traced.flops_after(op),
            can_be_final=not cut.reason_against_shape(tensor.shape),
        )
    return sorted(depths.values(), key=lambda depth: -len(depth.after))


def scopes_of(names: Iterable[str], all_names: Iterable[str]) -> list[str]:
    """The fewest scopes that match exactly the given variables.

    Args:
      names: the variables to match.
      all_names: all variables of the net.

    Returns:
      Scopes for `--trainable_scopes`, each ending in a slash, in the order of `names`.
    """
    wanted = list(names)
    others = set(all_names) - set(wanted)
    scopes: dict[str, None] = {}
    for name in wanted:
        parts = name.split("/")
        prefixes = ("/".join(parts[:n]) + "/" for n in range(1, len(parts)))
        fitting = (p for p in prefixes if not any(o.startswith(p) for o in others))
        scopes[next(fitting, f"{name}$")] = None
    return list(scopes)


class _Trace:
    """The graph of a net in inference.

    Attributes:
      end_points: tensors by name.
      variables_before_logits: names, in the net's order.
    """

    def __init__(self, network: Network) -> None:
        def run(images: tf.Tensor) -> tuple[tf.Tensor, Mapping[str, tf.Tensor]]:
            return network(images, is_training=False)

        spec = tf.TensorSpec((_TRACED_IMAGES, *network.input_shape))
        traced = tf.compat.v1.wrap_function(run, [spec])
        self._graph: tf.Graph = traced.graph
        self._image = traced.inputs[0].op
        logits, self.end_points = traced.structured_outputs
        self._logits = logits.op
        names = {id(v.handle): n for n, v in network.model_variables.items()}
        self._variables = {
            inner.op: names[id(outer)] for outer, inner in self._graph.captures
        }
        before = self.variables_before(self._logits)
        self.variables_before_logits = [
            name for name in network.model_variables if name in before
        ]
        head = network.head_scopes[0]
        self._of_image = graph_walk.downstream(self._graph, {self._image})
        of_head = {o for o, n in self._variables.items() if n.startswith(f"{head}/")}
        self._of_head = graph_walk.downstream(self._graph, of_head)
        self._to_logits = graph_walk.upstream({self._logits})

    def is_between_image_and_head(self, op: tf.Operation) -> bool:
        return (
            op in self._of_image and op in self._to_logits and op not in self._of_head
        )

    def is_passed_by(self, op: tf.Operation) -> bool:
        """Whether the image also reaches the logits by another path."""
        reached = graph_walk.downstream(self._graph, {self._image}, without=op)
        return self._logits in reached

    def read_by_next_layer(self, tensor: tf.Tensor) -> tf.Tensor:
        """A tensor after the pooling and reshaping that alone follow it."""
        while True:
            after = [op for op in tensor.consumers() if op in self._to_logits]
            if len(after) != 1 or after[0].type not in _WITHOUT_WEIGHTS:
                return tensor
            (tensor,) = after[0].outputs

    def flops_after(self, op: tf.Operation) -> float:
        """The share of the net's arithmetic that comes after an operation."""
        after = self._to_logits - graph_walk.upstream({op})
        total = sum(map(graph_walk.flops, self._to_logits))
        return sum(map(graph_walk.flops, after)) / total if total else 0.0

    def variables_before(self, op: tf.Operation) -> frozenset[str]:
        return frozenset(
            self._variables[o]
            for o in graph_walk.upstream({op})
            if o in self._variables
        )
