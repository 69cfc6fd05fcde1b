"""Where the frozen part of a net ends, found in its traced graph.

An operation is hot when its result for an image may change from step to step: it reads
a variable that training changes, draws random numbers, mixes the images of a batch (a
batch norm in training), or has a hot input. The frontier is what hot operations, or
the caller, read of the cold ones that depend on the image. It is all that training
needs of an image, and can be computed once.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from checkpoints.plan import Plan
from engine.batch_norm.population_statistics import NAME_SCOPE, Moments, MomentsWatcher
from nets import graph_walk
from nets.network import Network

_AUX = "AuxLogits"


class SplitNetwork:
    """A network in two functions: its frozen part, and the rest.

    Attributes:
      feature_shapes: shapes of the frontier's tensors for one image.
      num_cold: operations of the frozen part that depend on the image.
      num_hot: operations of the rest.
      cold_flops: floating-point operations of the frozen part for one image.
      hot_flops: those of the rest.
      key: text that distinguishes this frontier from the net's others.
      batch_size: images per call.
      is_training: see `Network.__call__`.
      frozen_variables: names of the variables that the frozen part reads.
    """

    def __init__(
        self,
        network: Network,
        plan: Plan,
        *,
        batch_size: int,
        is_training: bool,
        batch_norm_decay: float | None = None,
    ) -> None:
        """Traces the network and cuts it.

        Args:
          network: the net; both functions read its variables as they are when called.
          plan: which variables are trained, which batch norms update.
          batch_size: images per call, a constant of the graph: otherwise shapes
            that are computed from the images would count as features.
          is_training: see `Network.__call__`.
          batch_norm_decay: see `Network.__call__`.
        """
        self.batch_size, self.is_training = batch_size, is_training
        watcher = MomentsWatcher() if is_training else None
        traced = _traced(network, plan, batch_size, batch_norm_decay, watcher)
        images, seed = traced.inputs[:2]
        hot = _hot_operations(traced.graph, seed, _changing_handles(network, plan))
        of_image = graph_walk.downstream(traced.graph, {images.op})

        frontier = _frontier(traced.outputs, hot, of_image)
        self.key = ",".join(tensor.name for tensor in frontier)
        self.feature_shapes = [tuple(tensor.shape[1:]) for tensor in frontier]

        # Copying the frozen part takes a while, in vain where all features are kept.
        self._prune_frozen = functools.partial(traced.prune, [images], frontier)
        updates = [op for op in hot if op.type.startswith("Assign")]
        self._finish = traced.prune([*frontier, seed], [*traced.outputs, *updates])
        self._num_outputs = len(traced.outputs)
        moments = watcher.moments if watcher else {}
        self._moments = traced.prune([*frontier, seed], moments)

        names = {id(v.handle): n for n, v in network.model_variables.items()}
        of_frozen = graph_walk.upstream(tensor.op for tensor in frontier)
        self.frozen_variables = sorted(
            names[id(outer)]
            for outer, inner in traced.graph.captures
            if inner.op in of_frozen
        )
        watching = {o for o in traced.graph.get_operations() if NAME_SCOPE in o.name}
        cold, hot = of_image - hot - watching, hot - watching
        self.num_cold, self.num_hot = len(cold), len(hot)
        self.cold_flops = sum(map(graph_walk.flops, cold)) / batch_size
        self.hot_flops = sum(map(graph_walk.flops, hot)) / batch_size

    @functools.cached_property
    def _features(self) -> Any:  # a WrappedFunction
        return self._prune_frozen()

    def features(self, images: tf.Tensor) -> list[tf.Tensor]:
        """The frontier: `[batch_size, ...]` float32 tensors of `feature_shapes`."""
        return [tf.cast(feature, tf.float32) for feature in self._features(images)]

    def finish(
        self, features: Sequence[tf.Tensor], seed: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Like `Network.__call__`, with only the auxiliary logits as end points.

        Args:
          features: from `features`.
          seed: `[2]` int32, for dropout.
        """
        outputs = self._finish(*self._cast(features), seed)[: self._num_outputs]
        return outputs[0], dict(zip([_AUX], outputs[1:], strict=False))

    def moments(self, features: Sequence[tf.Tensor], seed: tf.Tensor) -> Moments:
        """The moments of a batch at the batch norms that are trained; see `finish`."""
        return self._moments(*self._cast(features), seed)

    def _cast(self, features: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        dtypes = [tensor.dtype for tensor in self._finish.inputs]
        return [tf.cast(f, t) for f, t in zip(features, dtypes, strict=False)]

    @property
    def gain(self) -> float:
        """How many times less arithmetic a step takes without the frozen part.

        A backward pass is counted as two forward passes.
        """
        step = 3 * self.hot_flops
        return (self.cold_flops + step) / step if step else math.inf


def _traced(
    network: Network,
    plan: Plan,
    batch_size: int,
    batch_norm_decay: float | None,
    watcher: MomentsWatcher | None,
) -> Any:  # a WrappedFunction, which TensorFlow does not export
    """The graph from images and dropout seed to logits and auxiliary logits.

    Args:
      network: the net.
      plan: which batch norms are frozen.
      batch_size: images per call.
      batch_norm_decay: see `Network.__call__`.
      watcher: collects what batch norms see in training; None traces evaluation.
    """
    is_training = watcher is not None

    def run(images: tf.Tensor, seed: tf.Tensor) -> list[tf.Tensor]:
        logits, end_points = network(
            images,
            is_training=is_training,
            frozen_batch_norms=plan.frozen_batch_norms,
            trained_names=plan.trained_names,
            batch_norm_decay=batch_norm_decay,
            dropout_seed=seed if is_training else None,
            watch_batch_norm=watcher,
        )
        aux = [end_points[_AUX]] if is_training and _AUX in end_points else []
        return [logits, *aux]

    images = tf.TensorSpec((batch_size, *network.input_shape))
    return tf.compat.v1.wrap_function(run, [images, tf.TensorSpec((2,), tf.int32)])


def _changing_handles(network: Network, plan: Plan) -> set[int]:
    """Identities of the handles of all variables that a step changes."""
    names = {*plan.updated_statistics, *plan.trained_names}
    return {id(network.model_variables[name].handle) for name in names}


def _hot_operations(
    graph: tf.Graph, seed: tf.Tensor, handles: set[int]
) -> set[tf.Operation]:
    sources = {inner.op for outer, inner in graph.captures if id(outer) in handles}
    sources |= {op for op in graph.get_operations() if _is_hot_by_itself(op)}
    return graph_walk.downstream(graph, sources | {seed.op})


def _is_hot_by_itself(op: tf.Operation) -> bool:
    if op.type.startswith("FusedBatchNorm"):
        return op.get_attr("is_training")
    return op.type.startswith("Assign") or "Random" in op.type


def _frontier(
    outputs: list[tf.Tensor], hot: set[tf.Operation], of_image: set[tf.Operation]
) -> list[tf.Tensor]:
    read = [tensor for op in hot for tensor in op.inputs] + list(outputs)
    cold = {t.name: t for t in read if t.op in of_image and t.op not in hot}
    return [cold[name] for name in sorted(cold)]
