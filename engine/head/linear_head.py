"""A linear classifier as the head of a net."""

import tensorflow as tf

from engine.head.linear_classifier import LinearClassifier
from errors import UserError
from nets.network import Network


def variables(network: Network) -> tuple[str, str]:
    """Names of the weights and the biases of the layer that computes the logits.

    Raises:
      UserError: the head is more than one linear layer.
    """
    scope = network.head_scopes[0]
    names = [n for n in network.model_variables if n.startswith(f"{scope}/")]
    weights = [n for n in names if n.endswith("/weights")]
    biases = [n for n in names if n.endswith("/biases")]
    if len(names) != 2 or not weights or not biases:
        raise UserError(
            f"{network.model_name}'s head {scope} is not one linear layer (it has"
            f" {', '.join(names)}), so it cannot be solved: train it in steps, without"
            " --head_solver"
        )
    return weights[0], biases[0]


def assign(network: Network, classifier: LinearClassifier) -> None:
    """Makes a classifier the head of a net.

    Args:
      network: the net, whose auxiliary heads are not changed.
      classifier: a classifier of as many features as the head's layer takes.

    Raises:
      UserError: it has another number of features, or see `variables`.
    """
    weights, biases = (network.model_variables[n] for n in variables(network))
    if tf.size(weights) != classifier.weights.size:
        raise UserError(
            f"{network.model_name}'s logits are computed from"
            f" {tf.size(weights) // network.num_classes} features, not from the"
            f" {len(classifier.weights)} of the classifier"
        )
    weights.assign(tf.reshape(classifier.weights, weights.shape))
    biases.assign(classifier.biases)
