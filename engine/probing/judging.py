"""How useful each depth's features are, by linear classifiers fitted to them."""

import math
from collections.abc import Sequence

import numpy as np
from absl import logging

from common.progress import progress
from config.probe_config import ProbeConfig
from engine.head import logistic_regression
from engine.head.linear_classifier import LinearClassifier
from engine.probing import probe_classifiers
from engine.probing.depths import Depth
from engine.probing.pooled_features import Examples
from engine.probing.probe_scores import Rise, Score, to_judge
from errors import UserError
from nets.network import Network

_FITS = {
    "logistic": logistic_regression.fit,
    "svm": probe_classifiers.fit_svm,
}
# Depths that get the full classifier: the best by a quick one, and the last.
_MOST_JUDGED = 6
_SHARES = (1 / 8, 1 / 4, 1 / 2)  # of the images, for the learning curve


def _usable(
    found: Sequence[Depth], features: Sequence[np.ndarray]
) -> list[tuple[Depth, int]]:
    """The depths whose features can be fitted, each with its index.

    Raises:
      UserError: the last depth's features cannot.
    """
    faults = list(map(_fault, features))
    if faults[-1]:
        raise UserError(
            f"the features of {found[-1].end_point}, the net's last depth,"
            f" {faults[-1]}: the checkpoint is damaged or for other images, or"
            " --precision is too low"
        )
    kept = []
    for place, (depth, fault) in enumerate(zip(found, faults, strict=True)):
        if fault:
            logging.warning("%s is skipped: its features %s", depth.end_point, fault)
        else:
            kept.append((depth, place))
    return kept


def _fault(features: np.ndarray) -> str:
    """Why features cannot be fitted; "" if they can."""
    if not np.isfinite(features).all():
        return "are not finite for some images"
    if (features == features[0]).all():
        return "are the same for all images"
    return ""


def judge(
    config: ProbeConfig,
    network: Network,
    found: Sequence[Depth],
    examples: Examples,
    held_out: Examples | None,
) -> tuple[list[Score], LinearClassifier]:
    """The score of each depth, and the classifier of the last one."""
    features, labels = examples
    kept = _usable(found, features)
    logistic_regression.warn_of_small_classes(labels)
    seed = config.probe.seed
    screened = [
        probe_classifiers.screen(features[i], labels, seed=seed) for _, i in kept
    ]
    judged = to_judge(screened, _MOST_JUDGED)
    fit = _FITS[config.probe.probe_classifier]
    scores = []
    for number, (depth, place) in enumerate(
        progress(kept, total=len(kept), desc="fitting", unit="depth")
    ):
        num_opened = _num_parameters(network, depth.after)
        if number not in judged:
            accuracy = screened[number]
            error = (accuracy * (1 - accuracy) / len(labels)) ** 0.5
            scores.append(Score(depth, accuracy, error, None, None, num_opened))
            continue
        of_depth = features[place]
        classifier, choice = fit(of_depth, labels, network.num_classes, seed=seed)
        scores.append(
            Score(
                depth,
                choice.accuracy,
                choice.standard_error,
                classifier.accuracy(of_depth, labels),
                classifier.accuracy(held_out[0][place], held_out[1])
                if held_out
                else None,
                num_opened,
            )
        )
    return scores, classifier


def _num_parameters(network: Network, names: Sequence[str]) -> int:
    """The number of trainable parameters in some variables of a net."""
    variables = (network.model_variables[name] for name in names)
    return sum(int(np.prod(v.shape)) for v in variables if v.trainable)


def learning_curve(
    features: np.ndarray, labels: np.ndarray, whole: Score, config: ProbeConfig
) -> Rise:
    """Cross-validated accuracy with 1/8, 1/4, 1/2 and all of the images.

    Args:
      features: `[images, features]` float32, of one depth.
      labels: `[images]` int.
      whole: the score of that depth, with all of the images.
      config: the options.
    """
    sizes, accuracies = [], []
    for share in _SHARES:
        size = int(share * len(labels))
        if size < max(4, len(np.unique(labels))):
            continue
        sample, of_sample = logistic_regression.stratified_sample(
            features, labels, size, config.probe.seed
        )
        if len(np.unique(of_sample)) < 2:
            continue
        num_classes = int(labels.max()) + 1
        _, choice = _FITS[config.probe.probe_classifier](
            sample, of_sample, num_classes, seed=config.probe.seed
        )
        if choice.num_examples:
            sizes.append(size)
            accuracies.append(choice.accuracy)
    if not math.isnan(whole.accuracy):
        sizes.append(len(labels))
        accuracies.append(whole.accuracy)
    return Rise(tuple(sizes), tuple(accuracies), whole.standard_error)
