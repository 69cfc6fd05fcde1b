"""A probe's support-vector machine, and the quick classifier that screens depths."""

import warnings

import numpy as np
from sklearn.linear_model import RidgeClassifierCV
from sklearn.svm import LinearSVC

from engine.head import blas_threads, logistic_regression
from engine.head.linear_classifier import (
    CrossValidation,
    LinearClassifier,
    StandardizedFeatures,
    coefficients,
)

# Of more images than this the quick classifier sees a sample: it only ranks depths.
_MOST_TO_SCREEN = 2000
_RIDGE_PENALTIES = np.logspace(0, 5, 11)
_SVM_STRENGTHS = tuple(10.0**exponent for exponent in range(-5, 1))


def screen(features: np.ndarray, labels: np.ndarray, *, seed: int) -> float:
    """Leave-one-out accuracy of ridge regression on the classes.

    One decomposition serves all penalties and all images (generalized cross-validation,
    Golub et al. 1979), which takes a twentieth of the time of a logistic regression.

    Args:
      features: `[images, features]` float32.
      labels: `[images]` int.
      seed: seed of the sample, if there are many images.
    """
    features, labels = logistic_regression.stratified_sample(
        features, labels, _MOST_TO_SCREEN, seed
    )
    model = RidgeClassifierCV(_RIDGE_PENALTIES, scoring="accuracy")
    with blas_threads.suited_to(features):
        columns = StandardizedFeatures(features).columns
        return float(model.fit(columns, labels).best_score_)


def fit_svm(
    features: np.ndarray, labels: np.ndarray, num_classes: int, *, seed: int = 0
) -> tuple[LinearClassifier, CrossValidation]:
    """Fits a linear support-vector machine, one class against the others.

    Arguments and results are those of `logistic_regression.fit`; the logits are
    decision values, from which no probabilities follow.
    """
    standardized = StandardizedFeatures(features)
    columns, sample = logistic_regression.stratified_sample(
        standardized.columns, labels, logistic_regression.MAX_EXAMPLES_TO_CHOOSE, seed
    )
    folds = logistic_regression.stratified_folds(sample, seed)
    num_held_out = sum(len(held_out) for _, held_out in folds)
    choices = []
    for strength in _SVM_STRENGTHS:
        num_correct = sum(
            np.sum(
                _svm(columns[train], sample[train], strength, seed).predict(
                    columns[held_out]
                )
                == sample[held_out]
            )
            for train, held_out in folds
        )
        accuracy = float(num_correct / num_held_out) if folds else np.nan
        choices.append(CrossValidation(strength, accuracy, num_held_out))
    best = max(choices, key=lambda choice: choice.accuracy)
    model = _svm(standardized.columns, labels, best.strength, seed)
    return standardized.classifier(coefficients(model), num_classes), best


def _svm(
    columns: np.ndarray, labels: np.ndarray, strength: float, seed: int
) -> LinearSVC:
    model = LinearSVC(C=strength, random_state=seed)
    with warnings.catch_warnings():
        # About convergence, and about so many classes that it could be a regression.
        warnings.simplefilter("ignore", UserWarning)
        return model.fit(columns, labels)
