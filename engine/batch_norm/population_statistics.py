"""Statistics of batch norms, recomputed over some batches.

The averages that batch norms store forget their start slowly and follow weights of
earlier steps. Instead, the net with its current weights sees some training batches, in
training mode: Izmailov et al., https://arxiv.org/abs/1803.05407, section 3.2; Wu and
Johnson, "Rethinking 'Batch' in BatchNorm", https://arxiv.org/abs/2105.07576, section 3.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from nets.network import Network

# Of the operations that only statistics need.
NAME_SCOPE = "batch_moments"

# From the scope of a batch norm to mean and variance of its inputs over a batch, each
# `[channels]` float32.
Moments = dict[str, tuple[tf.Tensor, tf.Tensor]]
# From a batch and a dropout seed to moments.
MomentsFn = Callable[[dict[str, tf.Tensor], tf.Tensor], Moments]


class MomentsWatcher:
    """Records the moments of every batch norm of a net while it is built.

    Attributes:
      moments: by scope, in order of building.
    """

    def __init__(self) -> None:
        """Starts with no moments recorded."""
        self.moments: Moments = {}

    def __call__(self, scope: str, inputs: tf.Tensor, decay: float) -> None:
        """Records one batch norm; see `Network.__call__`."""
        del decay
        with tf.name_scope(NAME_SCOPE):
            inputs = tf.cast(inputs, tf.float32)
            axes = list(range(inputs.shape.rank - 1))
            self.moments[scope] = tf.nn.moments(inputs, axes)


def moments_fn(
    network: Network,
    frozen_batch_norms: Sequence[str],
    batch_size: int,
    trained_names: Iterable[str] | None = None,
) -> MomentsFn:
    """Makes a function that runs a net in training mode without changing it.

    Args:
      network: the net; its variables are read as they are when the function is called.
      frozen_batch_norms: scopes of those that use their stored statistics.
      batch_size: images per batch.
      trained_names: see `Network.__call__`.

    Returns:
      From {"image": `[batch_size, h, w, c]` float32} and `[2]` int32 to the moments of
      the batch norms that are not frozen.
    """
    watcher = MomentsWatcher()

    def run(images: tf.Tensor, seed: tf.Tensor) -> None:
        network(
            images,
            is_training=True,
            frozen_batch_norms=frozen_batch_norms,
            trained_names=trained_names,
            dropout_seed=seed,
            watch_batch_norm=watcher,
        )

    traced = tf.compat.v1.wrap_function(
        run,
        [
            tf.TensorSpec((batch_size, *network.input_shape)),
            tf.TensorSpec((2,), tf.int32),
        ],
    )
    # Without the updates of the stored statistics.
    moments = traced.prune(traced.inputs[:2], watcher.moments)
    return lambda batch, seed: moments(batch["image"], seed)


def over_batches(moments: Iterable[Mapping[str, tuple]]) -> dict[str, np.ndarray]:
    """Mean and variance of all values of several batches of equal size.

    The variance is the mean of the batches' variances plus the variance of their means:
    evaluation meets single images, whose means differ as much. (The averages that batch
    norms store lack the second term, and make up for it by counting a batch's values as
    independent: n / (n - 1) times the variance.)

    Args:
      moments: the moments of at least one batch, as `MomentsFn` returns them.

    Returns:
      By the names of the variables, `<scope>/moving_mean` and
      `<scope>/moving_variance`: `[channels]` float32.
    """
    batches = [
        {scope: np.asarray(pair, np.float64) for scope, pair in batch.items()}
        for batch in moments
    ]
    statistics: dict[str, np.ndarray] = {}
    for scope in batches[0]:
        means, variances = np.stack([batch[scope] for batch in batches], axis=1)
        variance = variances.mean(0) + means.var(0)
        statistics[f"{scope}/moving_mean"] = means.mean(0).astype(np.float32)
        statistics[f"{scope}/moving_variance"] = variance.astype(np.float32)
    return statistics
