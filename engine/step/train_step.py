"""The compiled training step, in the order in which it happens."""

import dataclasses
import math
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from config.train_config import TrainConfig
from engine.step import losses, optimizers
from engine.step.loss_scale import all_finite
from engine.step.randomness import mix, step_seed
from engine.step.train_state import TrainState

_MEANS = ("total_loss", "loss", "regularization_loss", "accuracy")
_SUMMED = ("steps", "input_secs", *_MEANS)
_OF_LAST_STEP = ("last_total_loss", "learning_rate")

Tensors = dict[str, tf.Tensor]
# From a batch and a dropout seed to logits and end points.
RunNetwork = Callable[[Tensors, tf.Tensor], tuple[tf.Tensor, Tensors]]
TrainFn = Callable[[Iterator, tf.Tensor], Tensors]


def make_train_fn(
    state: TrainState,
    strategy: tf.distribute.Strategy,
    config: TrainConfig,
    run_network: RunNetwork,
    class_weights: np.ndarray | None = None,
) -> TrainFn:
    """Makes the function that runs several steps per call.

    Args:
      state: what the steps change. Its values are not read before the first call, so
        a checkpoint may still be restored into it.
      strategy: the devices.
      config: the options.
      run_network: runs the net: all of it on images, or its trained part on cached
        features.
      class_weights: see `losses.data_loss`.

    Returns:
      train_fn(iterator, num_steps). `iterator` yields batches for `run_network` that
      also have a "label", `[images]` int32, with batch_size *
      gradient_accumulation_steps images per device; `num_steps` is a scalar int32.
      The function stops early after a step whose loss is not finite. It returns
      float32 scalars: sums over the steps ("steps", "input_secs" spent waiting for
      batches, NaN with --deterministic, "total_loss", "loss", "regularization_loss",
      "accuracy"), and the total loss ("last_total_loss") and the learning rate
      ("learning_rate") of the last step.
    """
    penalty_fn = losses.l2_penalty_fn(
        state.network.regularized,
        list(state.trained.values()),
        config.loss.weight_decay,
        state.starting_points,
    )
    step = _Step(state, strategy, config, run_network, penalty_fn, class_weights)
    return tf.function(step.run_several, autograph=False)


@dataclasses.dataclass(frozen=True)
class _Step:
    """One training step; the methods are in the order in which they are called.

    Attributes:
      penalty_fn: returns the L2 penalty of the current weights, a float32 scalar; see
        `losses.l2_penalty_fn`. For the others see `make_train_fn`.
    """

    state: TrainState
    strategy: tf.distribute.Strategy
    config: TrainConfig
    run_network: RunNetwork
    penalty_fn: Callable[[], tf.Tensor]
    class_weights: np.ndarray | None

    def run_several(self, iterator: Iterator, num_steps: tf.Tensor) -> Tensors:
        def has_next(totals: Tensors) -> tf.Tensor:
            finite = tf.math.is_finite(totals["last_total_loss"])
            is_short = totals["steps"] < tf.cast(num_steps, tf.float32)
            return tf.logical_and(is_short, finite)

        def add_step(totals: Tensors) -> tuple[Tensors]:
            step = self.run(iterator)
            of_last = {name: step[name] for name in _OF_LAST_STEP}
            return ({name: totals[name] + step[name] for name in _SUMMED} | of_last,)

        totals = dict.fromkeys((*_SUMMED, *_OF_LAST_STEP), tf.constant(0.0))
        (totals,) = tf.while_loop(has_next, add_step, (totals,))
        return totals

    def run(self, iterator: Iterator) -> Tensors:
        """One step: batch, gradients, update; for the result see `make_train_fn`."""
        rate = self.state.learning_rate()
        # Averages include the variables as they are before the update, as in slim.
        if self.state.moving_average:
            self.state.moving_average.update(self.state.global_step)
        batch, input_secs = self.next_batch(iterator)
        per_replica, gradients = self.strategy.run(self.gradients, args=(batch,))
        self.update(gradients)
        means = {name: self.of_first_replica(v) for name, v in per_replica.items()}
        self.state.global_step.assign_add(1)
        last = {"last_total_loss": means["total_loss"], "learning_rate": rate}
        return {**means, **last, "input_secs": input_secs, "steps": tf.constant(1.0)}

    def next_batch(self, iterator: Iterator) -> tuple[Tensors, tf.Tensor]:
        """The next batch, and how many seconds it took to arrive."""
        if self.config.run.deterministic:
            # TensorFlow refuses tf.timestamp where operations must be deterministic.
            return next(iterator), tf.constant(math.nan)
        asked_at = tf.timestamp()
        with tf.control_dependencies([asked_at]):
            batch = next(iterator)
        # A batch for several devices is a PerReplica value: one tensor per device.
        with tf.control_dependencies(tf.nest.flatten(batch, expand_composites=True)):
            secs = tf.timestamp() - asked_at
        # The net waits for the second reading of the clock. Otherwise a machine with a
        # single thread may take it after the whole step.
        with tf.control_dependencies([secs]):
            batch = tf.nest.map_structure(tf.identity, batch, expand_composites=True)
        return batch, tf.cast(secs, tf.float32)

    def gradients(self, batch: Tensors) -> tuple[Tensors, list[tf.Tensor]]:
        """The means of all replicas (`_MEANS`), and their gradients; on one of them."""
        if self.config.optimizer.gradient_accumulation_steps == 1:
            means, gradients = self.loss_and_gradients(batch, self.seed(0))
        else:
            means, gradients = self.accumulated(batch)
        means, gradients = self.averaged(means, gradients)
        if norm := self.config.optimizer.clip_gradient_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, norm)
        return means, gradients

    def seed(self, part: tf.Tensor | int) -> tf.Tensor:
        """The seed of a part of this replica's batch, see `step_seed`.

        With `--global_batch_size` the parts of all replicas are numbered, and those of
        a run are the same however many replicas share them.
        """
        run_seed, step = self.config.run.seed, self.state.global_step.read_value()
        context = tf.distribute.get_replica_context()
        replica = context.replica_id_in_sync_group
        num_parts = self.config.optimizer.gradient_accumulation_steps
        if self.config.train_data.global_batch_size:
            return step_seed(run_seed, step, replica * num_parts + part)
        seed = step_seed(run_seed, step, replica)
        if num_parts == 1:
            return seed
        return tf.random.experimental.stateless_fold_in(seed, part)

    def accumulated(self, batch: Tensors) -> tuple[Tensors, list[tf.Tensor]]:
        """Means over the parts of a batch whose activations do not fit into memory.

        Statistics of batch norms move with each part; with `--global_batch_size` by the
        mean of what each part would move them, as if each had a replica to itself.
        """
        num_parts = self.config.optimizer.gradient_accumulation_steps
        part_size = self.config.train_data.batch_size
        parts = tf.nest.map_structure(
            lambda t: tf.reshape(t, [num_parts, part_size, *t.shape[1:]]), batch
        )
        is_global = self.config.train_data.global_batch_size is not None
        statistics = self.statistics if is_global else []
        before = [variable.read_value() for variable in statistics]

        def add_part(
            index: tf.Tensor, means: Tensors, sums: list[tf.Tensor]
        ) -> tuple[tf.Tensor, Tensors, list[tf.Tensor]]:
            for variable, value in zip(statistics, before, strict=True):
                variable.assign(value)
            part = tf.nest.map_structure(lambda tensor: tensor[index], parts)
            part_means, gradients = self.loss_and_gradients(part, self.seed(index))
            means = {n: means[n] + part_means[n] / num_parts for n in means}
            own = [*gradients, *(variable.read_value() for variable in statistics)]
            pairs = zip(sums, own, strict=True)
            return index + 1, means, [s + part / num_parts for s, part in pairs]

        averaged = [*self.state.trained.values(), *statistics]
        zeros = [tf.zeros(variable.shape) for variable in averaged]
        _, means, sums = tf.while_loop(
            lambda index, *_: index < num_parts,
            add_part,
            (tf.constant(0), dict.fromkeys(_MEANS, tf.constant(0.0)), zeros),
        )
        num_gradients = len(self.state.trained)
        for variable, mean in zip(statistics, sums[num_gradients:], strict=True):
            variable.assign(mean)
        return means, sums[:num_gradients]

    def loss_and_gradients(
        self, batch: Tensors, seed: tf.Tensor
    ) -> tuple[Tensors, list[tf.Tensor]]:
        """The result of `batch_losses`, and the gradients of the total loss."""
        trained = list(self.state.trained.values())
        targets = tf.one_hot(batch["label"], self.state.network.num_classes)
        if "image" in batch:  # cached features are not mixed
            augmentation = self.config.augmentation
            images, targets = mix(batch["image"], targets, seed, augmentation)
            batch = batch | {"image": images}
        loss_scale = self.state.loss_scale
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trained)
            logits, end_points = self.run_network(batch, seed)
            means = self.batch_losses(targets, logits, end_points)
            scale = loss_scale.scale if loss_scale else 1.0
            scaled_loss = means["total_loss"] * scale
        gradients = tape.gradient(scaled_loss, trained, unconnected_gradients="zero")
        return means, [gradient / scale for gradient in gradients]

    def batch_losses(
        self, targets: tf.Tensor, logits: tf.Tensor, end_points: Tensors
    ) -> Tensors:
        """Losses and accuracy of a batch: float32 scalars with the keys of `_MEANS`."""
        loss = losses.data_loss(
            targets,
            logits,
            end_points.get("AuxLogits"),
            label_smoothing=self.config.loss.label_smoothing,
            class_weights=self.class_weights,
            focal_gamma=self.config.loss.focal_gamma,
        )
        penalty = self.penalty_fn()
        correct = tf.equal(tf.argmax(logits, 1), tf.argmax(targets, 1))
        return {
            "total_loss": loss + penalty,
            "loss": loss,
            "regularization_loss": penalty,
            "accuracy": tf.reduce_mean(tf.cast(correct, tf.float32)),
        }

    def averaged(
        self, means: Tensors, gradients: list[tf.Tensor]
    ) -> tuple[Tensors, list[tf.Tensor]]:
        """The means over all replicas, also of the statistics of batch norms.

        A single call adds up all, as machines have to wait for each other.
        Statistics that differed between the replicas would have to be averaged whenever
        one is read, and a run that is resumed would not go on from the same values.
        """
        context = tf.distribute.get_replica_context()
        if context.num_replicas_in_sync == 1:
            return means, gradients
        statistics = self.statistics
        own = [*gradients, *means.values(), *(v.read_value() for v in statistics)]
        shares = [tensor / context.num_replicas_in_sync for tensor in own]
        sums = iter(context.all_reduce(tf.distribute.ReduceOp.SUM, shares))
        gradients = [next(sums) for _ in gradients]
        means = {name: next(sums) for name in means}
        for variable, mean in zip(statistics, sums, strict=True):
            variable.assign(mean)
        return means, gradients

    def update(self, gradients: list[tf.Tensor]) -> None:
        """Updates the variables.

        If a gradient overflowed in float16 on any replica, the variables stay as they
        are and the loss scale is lowered; the step still counts.
        """
        if self.state.loss_scale is None:
            self.apply(gradients)
            return
        is_finite = all_finite([self.of_first_replica(g) for g in gradients])

        def apply() -> tf.Tensor:
            self.apply(gradients)
            return is_finite

        tf.cond(is_finite, apply, lambda: is_finite)
        self.state.loss_scale.update(is_finite)

    def apply(self, gradients: list[tf.Tensor]) -> None:
        trained = list(self.state.trained.values())
        optimizers.apply(self.state.optimizer, self.strategy, gradients, trained)

    @property
    def statistics(self) -> list[tf.Variable]:
        """Those that batch norms move in a step."""
        variables = self.state.network.model_variables
        return [variables[name] for name in self.state.plan.updated_statistics]

    def of_first_replica(self, value: tf.Tensor) -> tf.Tensor:
        """A value that is the same on every replica."""
        return self.strategy.experimental_local_results(value)[0]
