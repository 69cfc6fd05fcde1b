"""The compiled training step."""

from collections.abc import Callable, Iterator

import tensorflow as tf

from config.config import LossOptions
from engine import losses
from engine.train_state import TrainState

# Images of the last batch that a call returns for TensorBoard.
_NUM_SAMPLES = 4

_SUMMED = ("steps", "total_loss", "data_loss", "regularization_loss", "accuracy")
_OF_LAST_STEP = ("last_loss", "learning_rate", "images")

TrainFn = Callable[[Iterator, tf.Tensor], dict[str, tf.Tensor]]


def make_train_fn(
    state: TrainState,
    strategy: tf.distribute.Strategy,
    options: LossOptions,
    *,
    batch_norm_decay: float | None = None,
    batch_size: int,
    seed: int,
) -> TrainFn:
    """A function that makes several steps in one call.

    Args:
      state: what the steps change.
      strategy: the devices.
      options: the loss.
      batch_norm_decay: of the statistics that batch norms store; None is the net's.
      batch_size: images a step on each device.
      seed: dropout masks are a function of it and the step.

    Returns:
      train_fn(iterator, num_steps): `iterator` gives batches {"image": [batch, h, w, c]
      float32, "label": [batch] int32}, `num_steps` is a scalar int32. It stops early
      at a loss that is not finite. It returns scalars summed over the steps ("steps",
      "total_loss", "data_loss", "regularization_loss", "accuracy") and of the last
      step its total loss ("last_loss"), rate ("learning_rate") and a few "images".
    """
    network, trained = state.network, list(state.trained.values())
    replicas = strategy.num_replicas_in_sync

    def replica_step(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        context = tf.distribute.get_replica_context()
        dropout_seed = tf.random.experimental.stateless_fold_in(
            tf.stack([tf.constant(seed, tf.int64), state.global_step.read_value()]),
            context.replica_id_in_sync_group,
        )
        labels = batch["label"]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trained)
            logits, end_points = network(
                batch["image"],
                is_training=True,
                frozen_batch_norms=state.plan.frozen_batch_norms,
                batch_norm_decay=batch_norm_decay,
                dropout_seed=dropout_seed,
            )
            data_loss = losses.data_loss(
                labels,
                logits,
                end_points.get("AuxLogits"),
                label_smoothing=options.label_smoothing,
            )
            penalty = losses.l2_penalty(network.regularized, options.weight_decay)
            total_loss = data_loss + penalty
            # Replicas' gradients are added up, so that each gives its share of a mean.
            share = total_loss / replicas
        gradients = tape.gradient(share, trained)
        state.optimizer.apply_gradients(zip(gradients, trained, strict=True))
        correct = tf.equal(tf.argmax(logits, 1, tf.int32), labels)
        return {
            "total_loss": total_loss,
            "data_loss": data_loss,
            "regularization_loss": penalty,
            "accuracy": tf.reduce_mean(tf.cast(correct, tf.float32)),
            "images": batch["image"][:_NUM_SAMPLES],
        }

    def one_step(iterator: Iterator) -> dict[str, tf.Tensor]:
        rate = state.learning_rate()
        per_replica = strategy.run(replica_step, args=(next(iterator),))
        images = strategy.experimental_local_results(per_replica.pop("images"))[0]
        means = {
            name: strategy.reduce(tf.distribute.ReduceOp.MEAN, value, axis=None)
            for name, value in per_replica.items()
        }
        state.global_step.assign_add(1)
        if state.moving_average:
            state.moving_average.update(state.global_step)
        last = {"last_loss": means["total_loss"], "learning_rate": rate}
        return {**means, **last, "images": images, "steps": tf.constant(1.0)}

    def more_steps(num_steps: tf.Tensor, totals: dict[str, tf.Tensor]) -> tf.Tensor:
        finite = tf.math.is_finite(totals["last_loss"])
        return tf.logical_and(totals["steps"] < tf.cast(num_steps, tf.float32), finite)

    def train_steps(iterator: Iterator, num_steps: tf.Tensor) -> dict[str, tf.Tensor]:
        def add_step(totals: dict[str, tf.Tensor]) -> tuple[dict[str, tf.Tensor]]:
            step = one_step(iterator)
            of_last = {name: step[name] for name in _OF_LAST_STEP}
            return ({name: totals[name] + step[name] for name in _SUMMED} | of_last,)

        totals = dict.fromkeys((*_SUMMED, *_OF_LAST_STEP), tf.constant(0.0))
        samples = (min(_NUM_SAMPLES, batch_size), *network.input_shape)
        totals["images"] = tf.zeros(samples)
        (totals,) = tf.while_loop(
            lambda totals: more_steps(num_steps, totals), add_step, (totals,)
        )
        return totals

    return tf.function(train_steps, autograph=False)
