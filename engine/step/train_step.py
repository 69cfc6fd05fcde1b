"""The compiled training step."""

import math
from collections.abc import Callable, Iterator

import tensorflow as tf

from checkpoints.plan import Plan
from config.train_config import AugmentationOptions, TrainConfig
from engine.step import losses
from engine.step.loss_scale import LossScale, all_finite
from engine.step.train_state import TrainState
from nets.network import Network
from preprocessing import mixing

_MEANS = ("total_loss", "data_loss", "regularization_loss", "accuracy")
_SUMMED = ("steps", "input_secs", *_MEANS)
_OF_LAST_STEP = ("last_loss", "learning_rate")

# Folded into a step's seed for mixing, which must not repeat what dropout draws.
_MIXING = 1 << 30

Tensors = dict[str, tf.Tensor]
# (batch, dropout seed) → (logits, end points)
RunNetwork = Callable[[Tensors, tf.Tensor], tuple[tf.Tensor, Tensors]]
PenaltyFn = Callable[[], tf.Tensor]
TrainFn = Callable[[Iterator, tf.Tensor], Tensors]


def make_train_fn(
    state: TrainState,
    strategy: tf.distribute.Strategy,
    config: TrainConfig,
    run_network: RunNetwork,
) -> TrainFn:
    """A function that makes several steps in one call.

    Args:
      state: what the steps change, restored already.
      strategy: the devices.
      config: the options.
      run_network: runs the net, whole or from cached features on.

    Returns:
      train_fn(iterator, num_steps): `iterator` gives batches that `run_network` takes,
      with "label" [images] int32, of batch_size * gradient_accumulation_steps images
      on each device; `num_steps` is a scalar int32. It stops early at a loss that is
      not finite. It returns scalars summed over the steps ("steps", "input_secs" that
      they waited for their batches, NaN with --deterministic, "total_loss",
      "data_loss", "regularization_loss", "accuracy") and of the last step its total
      loss ("last_loss") and rate ("learning_rate").
    """
    trained = list(state.trained.values())
    penalty_fn = losses.l2_penalty_fn(
        state.network.regularized, trained, config.loss.weight_decay
    )
    num_parts = config.optimizer.gradient_accumulation_steps
    # TensorFlow tells no time in a run that must repeat itself.
    next_batch = _untimed_next if config.run.deterministic else _timed_next

    def replica_gradients(batch: Tensors) -> tuple[Tensors, list[tf.Tensor]]:
        context = tf.distribute.get_replica_context()
        step = state.global_step.read_value()
        seed = step_seed(config.run.seed, step, context.replica_id_in_sync_group)
        compute = _loss_and_gradients if num_parts == 1 else _accumulate
        means, gradients = compute(state, config, run_network, penalty_fn, batch, seed)
        if norm := config.optimizer.clip_gradient_norm:
            gradients = context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
            gradients, _ = tf.clip_by_global_norm(gradients, norm)
        # The optimizer adds up what the replicas hold: each gives its share of a mean.
        shares = [g / context.num_replicas_in_sync for g in gradients]
        return means, shares

    def apply(gradients: list[tf.Tensor]) -> None:
        state.optimizer.apply_gradients(zip(gradients, trained, strict=True))

    def one_step(iterator: Iterator) -> Tensors:
        rate = state.learning_rate()
        if state.moving_average:
            state.moving_average.update(state.global_step)
        batch, input_secs = next_batch(iterator)
        per_replica, gradients = strategy.run(replica_gradients, args=(batch,))
        if state.loss_scale is None:
            strategy.run(apply, args=(gradients,))
        else:
            _apply_if_finite(strategy, state.loss_scale, apply, gradients)
        means = {
            name: strategy.reduce(tf.distribute.ReduceOp.MEAN, value, axis=None)
            for name, value in per_replica.items()
        }
        state.global_step.assign_add(1)
        last = {"last_loss": means["total_loss"], "learning_rate": rate}
        return {**means, **last, "input_secs": input_secs, "steps": tf.constant(1.0)}

    def more_steps(num_steps: tf.Tensor, totals: Tensors) -> tf.Tensor:
        finite = tf.math.is_finite(totals["last_loss"])
        return tf.logical_and(totals["steps"] < tf.cast(num_steps, tf.float32), finite)

    def train_steps(iterator: Iterator, num_steps: tf.Tensor) -> Tensors:
        def add_step(totals: Tensors) -> tuple[Tensors]:
            step = one_step(iterator)
            of_last = {name: step[name] for name in _OF_LAST_STEP}
            return ({name: totals[name] + step[name] for name in _SUMMED} | of_last,)

        totals = dict.fromkeys((*_SUMMED, *_OF_LAST_STEP), tf.constant(0.0))
        (totals,) = tf.while_loop(
            lambda totals: more_steps(num_steps, totals), add_step, (totals,)
        )
        return totals

    return tf.function(train_steps, autograph=False)


def _untimed_next(iterator: Iterator) -> tuple[Tensors, tf.Tensor]:
    return next(iterator), tf.constant(math.nan)


def _timed_next(iterator: Iterator) -> tuple[Tensors, tf.Tensor]:
    """The next batch, and the seconds from asking for it to having it."""
    asked_at = tf.timestamp()
    with tf.control_dependencies([asked_at]):
        batch = next(iterator)
    # A batch of several devices is a value of tf.distribute, with a tensor for each.
    with tf.control_dependencies(tf.nest.flatten(batch, expand_composites=True)):
        secs = tf.timestamp() - asked_at
    return batch, tf.cast(secs, tf.float32)


def _apply_if_finite(
    strategy: tf.distribute.Strategy,
    loss_scale: LossScale,
    apply: Callable[[list[tf.Tensor]], None],
    gradients: list[tf.Tensor],
) -> None:
    """Leaves the update out, and lowers the scale, where float16 was too narrow."""
    finite = strategy.run(lambda g: tf.cast(all_finite(g), tf.float32), (gradients,))
    is_finite = strategy.reduce(tf.distribute.ReduceOp.MEAN, finite, axis=None) == 1.0

    def update() -> tf.Tensor:
        strategy.run(apply, args=(gradients,))
        return is_finite

    tf.cond(is_finite, update, lambda: is_finite)
    loss_scale.update(is_finite)


def _accumulate(
    state: TrainState,
    config: TrainConfig,
    run_network: RunNetwork,
    penalty_fn: PenaltyFn,
    batch: Tensors,
    seed: tf.Tensor,
) -> tuple[Tensors, list[tf.Tensor]]:
    """Means over the parts of a batch that does not fit into memory at once."""
    num_parts = config.optimizer.gradient_accumulation_steps
    parts = tf.nest.map_structure(
        lambda t: tf.reshape(
            t, [num_parts, config.train_data.batch_size, *t.shape[1:]]
        ),
        batch,
    )

    def add_part(
        index: tf.Tensor, means: Tensors, gradients: list[tf.Tensor]
    ) -> tuple[tf.Tensor, Tensors, list[tf.Tensor]]:
        part = tf.nest.map_structure(lambda tensor: tensor[index], parts)
        part_seed = tf.random.experimental.stateless_fold_in(seed, index)
        values, slopes = _loss_and_gradients(
            state, config, run_network, penalty_fn, part, part_seed
        )
        means = {name: means[name] + values[name] / num_parts for name in means}
        added = zip(gradients, slopes, strict=True)
        return index + 1, means, [g + slope / num_parts for g, slope in added]

    zeros = [tf.zeros(variable.shape) for variable in state.trained.values()]
    _, means, gradients = tf.while_loop(
        lambda index, *_: index < num_parts,
        add_part,
        (tf.constant(0), dict.fromkeys(_MEANS, tf.constant(0.0)), zeros),
    )
    return means, gradients


def _loss_and_gradients(
    state: TrainState,
    config: TrainConfig,
    run_network: RunNetwork,
    penalty_fn: PenaltyFn,
    batch: Tensors,
    seed: tf.Tensor,
) -> tuple[Tensors, list[tf.Tensor]]:
    """What `_losses` gives, and the gradients of the total loss."""
    trained = list(state.trained.values())
    targets = tf.one_hot(batch["label"], state.network.num_classes)
    if "image" in batch:
        images, targets = mix(batch["image"], targets, seed, config.augmentation)
        batch = batch | {"image": images}
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(trained)
        logits, end_points = run_network(batch, seed)
        means = _losses(config, penalty_fn, targets, logits, end_points)
        scale = state.loss_scale.scale if state.loss_scale else 1.0
        scaled_loss = means["total_loss"] * scale
    gradients = tape.gradient(scaled_loss, trained, unconnected_gradients="zero")
    return means, [gradient / scale for gradient in gradients]


def step_seed(seed: int, step: tf.Tensor, replica: tf.Tensor | int) -> tf.Tensor:
    """The seed, `[2]` int64, of all that is random in a step on one device.

    Args:
      seed: `--seed`.
      step: scalar int64.
      replica: the device's number.
    """
    run_and_step = tf.stack([tf.constant(seed, tf.int64), step])
    return tf.random.experimental.stateless_fold_in(run_and_step, replica)


def mix(
    images: tf.Tensor,
    targets: tf.Tensor,
    seed: tf.Tensor,
    augmentation: AugmentationOptions,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Mixes a batch as the options say: `[images, …]` float32 and their targets.

    Args:
      images: `[images, height, width, channels]` float32.
      targets: `[images, classes]` float32.
      seed: of `step_seed`.
      augmentation: without mixup and CutMix nothing is changed.
    """
    return mixing.mix(
        images,
        targets,
        tf.random.experimental.stateless_fold_in(seed, _MIXING),
        augmentation.mixup_alpha,
        augmentation.cutmix_alpha,
    )


def _losses(
    config: TrainConfig,
    penalty_fn: PenaltyFn,
    targets: tf.Tensor,
    logits: tf.Tensor,
    end_points: Tensors,
) -> Tensors:
    """Losses and accuracy of a batch: scalars float32, see `_MEANS`."""
    data_loss = losses.data_loss(
        targets,
        logits,
        end_points.get("AuxLogits"),
        label_smoothing=config.loss.label_smoothing,
    )
    penalty = penalty_fn()
    correct = tf.equal(tf.argmax(logits, 1), tf.argmax(targets, 1))
    return {
        "total_loss": data_loss + penalty,
        "data_loss": data_loss,
        "regularization_loss": penalty,
        "accuracy": tf.reduce_mean(tf.cast(correct, tf.float32)),
    }


def whole_network(network: Network, plan: Plan, config: TrainConfig) -> RunNetwork:
    """Runs the net on batches with an "image" [images, h, w, c] float32."""

    def run(batch: Tensors, seed: tf.Tensor) -> tuple[tf.Tensor, Tensors]:
        return network(
            batch["image"],
            is_training=True,
            frozen_batch_norms=plan.frozen_batch_norms,
            batch_norm_decay=config.fine_tune.batch_norm_decay,
            dropout_seed=seed,
        )

    return run
