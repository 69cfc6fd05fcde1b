"""Logistic regression on features: the linear classifier that a head can be.

Training only a head on features that do not change is a convex problem with one
optimum, which L-BFGS finds without a learning rate; cross-validation chooses the one
remaining hyperparameter, the strength of the penalty.

scikit-learn is imported where it is used, so that training in steps starts without it.
"""

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
from absl import logging
from scipy import special

from engine.head import blas_threads
from engine.head.linear_classifier import (
    Coefficients,
    CrossValidation,
    LinearClassifier,
    StandardizedFeatures,
    coefficients,
)

# Inverse strengths of the L2 penalty on standardized features, half a decade apart.
STRENGTHS = tuple(10.0**exponent for exponent in np.arange(-5, 1.01, 0.5))
_WORSE_IN_A_ROW = 2  # strengths tried beyond the best one
MAX_FOLDS = 5
# Of more examples, the penalty is chosen on a stratified sample of this size: a larger
# one hardly changes the choice, and cross-validation fits each of its folds 13 times.
MAX_EXAMPLES_TO_CHOOSE = 10_000
_MAX_ITERATIONS = 300


def fit(
    features: np.ndarray, labels: np.ndarray, num_classes: int, *, seed: int = 0
) -> tuple[LinearClassifier, CrossValidation]:
    """Fits a classifier to all examples, its penalty chosen by cross-validation.

    It minimizes the sum of cross-entropies + |w|² / (2 C) over the examples, where w
    are the weights of standardized features; biases are not penalized.

    Args:
      features: `[examples, features]` float32, finite.
      labels: `[examples]` int, each in [0, num_classes), of at least two classes.
      num_classes: number of logits.
      seed: the seed of the folds.

    Returns:
      The classifier, with the standardization folded in, so that it takes the
      original features; and how its penalty was chosen.
    """
    with blas_threads.suited_to(features):
        standardized = StandardizedFeatures(features)
        choice = cross_validate(standardized.columns, labels, seed=seed)
        (fitted,) = _path(standardized.columns, labels, [choice.strength])
        return standardized.classifier(fitted, num_classes), choice


def cross_validate(
    columns: np.ndarray, labels: np.ndarray, *, seed: int = 0
) -> CrossValidation:
    """Chooses the strength of the penalty by the loss of held-out folds.

    Args:
      columns: `[examples, columns]`, standardized.
      labels: `[examples]` int.
      seed: the seed of the folds.
    """
    columns, labels = stratified_sample(columns, labels, MAX_EXAMPLES_TO_CHOOSE, seed)
    folds = stratified_folds(labels, seed)
    paths = [_path(columns[train], labels[train], STRENGTHS) for train, _ in folds]
    num_held_out = sum(len(held_out) for _, held_out in folds)
    best = CrossValidation(STRENGTHS[len(STRENGTHS) // 2], np.nan, 0)
    best_loss, num_worse = np.inf, 0
    for strength, *fits in zip(STRENGTHS, *paths, strict=True) if folds else ():
        scores = [
            _score(columns[held_out], labels[held_out], fitted)
            for (_, held_out), fitted in zip(folds, fits, strict=True)
        ]
        loss, num_correct = np.sum(scores, 0)
        num_worse += 1
        if loss < best_loss:
            best_loss, num_worse = loss, 0
            accuracy = float(num_correct / num_held_out)
            best = CrossValidation(strength, accuracy, num_held_out)
        # Weaker penalties take ever longer to fit, and the loss has one valley.
        if num_worse == _WORSE_IN_A_ROW:
            break
    return best


def stratified_sample(
    columns: np.ndarray, labels: np.ndarray, most: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """A sample of at most `size` examples, stratified by class if possible."""
    if len(labels) <= most:
        return columns, labels
    counts = np.unique(labels, return_counts=True)[1]
    # Both the sample and the rest must have one of each class.
    has_room = counts.min() > 1 and len(counts) <= min(most, len(labels) - most)
    from sklearn.model_selection import train_test_split

    columns, _, labels, _ = train_test_split(
        *(columns, labels),
        train_size=most,
        random_state=seed,
        stratify=labels if has_room else None,
    )
    return columns, labels


def stratified_folds(
    labels: np.ndarray, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Five folds of (train, held-out) indices, or fewer if classes are small.

    There are none if every class has a single example. Some folds lack a class that has
    fewer examples than there are folds.
    """
    num_folds = _num_folds(np.unique(labels, return_counts=True)[1])
    if num_folds < 2:
        return []
    from sklearn.model_selection import StratifiedKFold

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        folds = StratifiedKFold(num_folds, shuffle=True, random_state=seed)
        return [
            (train, held_out)
            for train, held_out in folds.split(labels, labels)
            if len(np.unique(labels[train])) > 1
        ]


def _num_folds(counts: np.ndarray) -> int:
    return min(MAX_FOLDS, int(counts.max()))


def warn_of_small_classes(labels: np.ndarray) -> None:
    """Warns if some or all classes have few images for cross-validation."""
    counts = np.unique(labels, return_counts=True)[1]
    num_folds = _num_folds(counts)
    if num_folds < 2:
        logging.warning(
            "no class has two images: without cross-validation the penalty is a guess"
        )
    elif counts.min() < num_folds:
        logging.warning(
            "%d of %d classes have fewer images than the %d folds of cross-validation:"
            " its accuracy is a rough estimate",
            *(int((counts < num_folds).sum()), len(counts), num_folds),
        )
    elif num_folds < MAX_FOLDS:
        logging.warning(
            "cross-validation has %d folds, not %d: no class has more images",
            *(num_folds, MAX_FOLDS),
        )


def _path(
    columns: np.ndarray, labels: np.ndarray, strengths: Sequence[float]
) -> Iterator[Coefficients]:
    """Optima for decreasing penalties, each started from the one before."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=_MAX_ITERATIONS, warm_start=True)
    for strength in strengths:
        model.set_params(C=strength)
        with warnings.catch_warnings():
            # On convergence, and on so many classes that it could be a regression.
            warnings.simplefilter("ignore", UserWarning)
            model.fit(columns, labels)
        yield coefficients(model)


def _score(
    columns: np.ndarray, labels: np.ndarray, fitted: Coefficients
) -> tuple[float, float]:
    """Sum of cross-entropies, and number correct; unfitted classes count as wrong."""
    logits = columns @ fitted.weights + fitted.biases
    correct = fitted.classes[logits.argmax(1)] == labels
    is_known = np.isin(labels, fitted.classes)
    places = np.searchsorted(fitted.classes, labels[is_known])
    log_shares = special.log_softmax(logits[is_known], 1)
    return -log_shares[np.arange(len(places)), places].sum(), float(correct.sum())
