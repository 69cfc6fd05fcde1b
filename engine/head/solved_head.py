"""The head of a net, solved instead of trained step by step.

If only one linear layer on fixed features is trained, logistic regression finds its
optimal weights. To the train loop that is a run of a single step.
"""

import numpy as np
import tensorflow as tf
from absl import logging
from scipy import special

from config.train_config import TrainConfig
from engine.feature_cache.feature_cache import FeatureCache
from engine.feature_cache.split_network import SplitNetwork
from engine.head import linear_head, logistic_regression
from engine.head.linear_classifier import LinearClassifier
from engine.step.train_state import TrainState
from engine.step.train_step import TrainFn
from errors import UserError

_NUM_CHECKED = 4  # images on which net and classifier must agree
_TOLERANCE = 1e-3  # relative to the largest logit


def make_train_fn(
    state: TrainState, split: SplitNetwork, cache: FeatureCache, config: TrainConfig
) -> TrainFn:
    """Like `train_step.make_train_fn`, but the function solves the head in one step.

    Args:
      state: its head is set to the solution.
      split: the net in inference, split before the head.
      cache: the features of every training image, full.
      config: the options.

    Raises:
      UserError: the head is not one linear layer on those features, or the data has
        only images of one class.
    """
    *features, labels = cache.arrays()
    network = state.network
    weights, _ = linear_head.variables(network)
    num_features = int(np.prod(network.model_variables[weights].shape[:-1]))
    if [int(np.prod(f.shape[1:])) for f in features] != [num_features]:
        raise UserError(
            f"--head_solver=logistic: {network.model_name}'s head is not one linear"
            f" layer on the {num_features} features before its logits; leave the flag"
            " out"
        )
    if len(np.unique(labels)) < 2:
        raise UserError(
            "--head_solver=logistic: all training images belong to one class; a"
            " classifier needs at least two"
        )
    logistic_regression.warn_of_small_classes(labels)
    examples = np.float32(features[0]).reshape(len(labels), num_features)

    def solve(iterator: object, num_steps: tf.Tensor) -> dict[str, tf.Tensor]:
        del iterator, num_steps
        classifier, choice = logistic_regression.fit(
            examples, labels, network.num_classes, seed=config.run.seed
        )
        linear_head.assign(network, classifier)
        _require_linear(split, features[0], classifier, examples)
        state.global_step.assign_add(1)
        logging.info(
            "head solved by logistic regression with C = %.3g, chosen by"
            " cross-validation (accuracy %.3f ± %.3f)",
            *(choice.strength, choice.accuracy, choice.standard_error),
        )
        return _totals(classifier.logits(examples), labels)

    return solve


def _require_linear(
    split: SplitNetwork,
    features: np.ndarray,
    classifier: LinearClassifier,
    examples: np.ndarray,
) -> None:
    """Makes sure that the net computes the classifier's logits."""
    batch = np.float32(features[:1]).repeat(split.batch_size, 0)
    count = min(_NUM_CHECKED, split.batch_size, len(features))
    batch[:count] = features[:count]
    logits, _ = split.finish([tf.constant(batch)], tf.zeros([2], tf.int32))
    wanted = classifier.logits(examples[:count])
    difference = np.abs(logits[:count] - wanted).max()
    if difference > _TOLERANCE * max(1.0, np.abs(wanted).max()):
        raise UserError(
            "--head_solver=logistic: the net does not compute its logits as a linear"
            f" layer of the cached features (they differ by {difference:.3g}); leave"
            " the flag out"
        )


def _totals(logits: np.ndarray, labels: np.ndarray) -> dict[str, tf.Tensor]:
    """What the function of `train_step.make_train_fn` returns for one step."""
    losses = -special.log_softmax(logits, 1)[np.arange(len(labels)), labels]
    loss = tf.constant(losses.mean(), tf.float32)
    zero = tf.constant(0.0)
    return {
        "steps": tf.constant(1.0),
        "input_secs": zero,
        "total_loss": loss,
        "loss": loss,
        "regularization_loss": zero,
        "accuracy": tf.constant(np.mean(logits.argmax(1) == labels), tf.float32),
        "last_total_loss": loss,
        "learning_rate": zero,
    }
