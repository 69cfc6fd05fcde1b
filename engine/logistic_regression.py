"""Logistic regression on features: the linear classifier that a head can be.

Training only a head on features that do not change is a convex problem with one
optimum, which L-BFGS finds without a learning rate; cross-validation chooses the one
number that is left, the strength of the penalty.
"""

import dataclasses
import warnings
from collections.abc import Iterator

import numpy as np
from scipy import special
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split

# Inverse strengths of the L2 penalty on standardised features, half a decade apart.
STRENGTHS = tuple(10.0**exponent for exponent in np.arange(-5, 1.01, 0.5))
MAX_FOLDS = 5
# On more examples the penalty is chosen on a stratified sample of this size: a larger
# one hardly changes the choice, and cross-validation fits each of its folds 13 times.
MAX_EXAMPLES_TO_CHOOSE = 10_000
_MAX_ITERATIONS = 300
_WORSE_IN_A_ROW = 2  # strengths tried beyond the best one
# A feature that hardly varies must not be blown up: folded into the head's weights, its
# deviation of nearly nothing becomes a weight so large that the first steps of
# fine-tuning below the head break what it had learned.
_LEAST_DEVIATION = 0.3  # times the root mean square of all deviations
_UNSEEN_MARGIN = 10.0  # logits below the least of any training example


@dataclasses.dataclass(frozen=True)
class LinearClassifier:
    """logits = features @ weights + biases.

    Attributes:
      weights: `[features, classes]` float32.
      biases: `[classes]` float32.
    """

    weights: np.ndarray
    biases: np.ndarray

    def logits(self, features: np.ndarray) -> np.ndarray:
        """`[examples, classes]` float32 of `[examples, features]` float32."""
        return features @ self.weights + self.biases


@dataclasses.dataclass(frozen=True)
class CrossValidation:
    """How well held-out folds were classified.

    Attributes:
      strength: C, the inverse strength of the penalty that had the least loss.
      fold_accuracies: with that C, one a fold, in [0, 1]; empty where the examples
        were too few for folds.
    """

    strength: float
    fold_accuracies: tuple[float, ...]

    @property
    def accuracy(self) -> float:
        """The mean over the folds; NaN without any."""
        return float(np.mean(self.fold_accuracies)) if self.fold_accuracies else np.nan

    @property
    def standard_error(self) -> float:
        """Of that mean; NaN without folds."""
        folds = self.fold_accuracies
        return float(np.std(folds, ddof=1) / len(folds) ** 0.5) if folds else np.nan


def fit(
    features: np.ndarray, labels: np.ndarray, num_classes: int, *, seed: int = 0
) -> tuple[LinearClassifier, CrossValidation]:
    """The classifier whose penalty does best in cross-validation, fitted to all.

    It minimises the sum of cross-entropies + |w|² / (2 C) over the examples, where w
    are the weights of standardised features; biases are not penalised.

    Args:
      features: `[examples, features]` float32, finite.
      labels: `[examples]` int, each in [0, num_classes), of two classes at least. A
        class without an example gets logits below those of any other.
      num_classes: number of logits.
      seed: of the folds.

    Returns:
      The classifier, its standardisation folded in, so that it takes the features as
      they are; and how its penalty was chosen.
    """
    mean, deviation = _standardisation(features)
    columns, rotation = _principal_components((features - mean) / deviation)
    choice = cross_validate(columns, labels, seed=seed)
    (of_columns, biases, classes), *_ = _path(columns, labels, [choice.strength])
    weights = (rotation @ of_columns) / deviation[:, np.newaxis]
    biases = biases - mean @ weights
    all_weights = np.zeros((features.shape[1], num_classes))
    all_weights[:, classes] = weights
    least = (features @ weights + biases).min()
    all_biases = np.full(num_classes, least - _UNSEEN_MARGIN)
    all_biases[classes] = biases
    classifier = LinearClassifier(
        all_weights.astype(np.float32), all_biases.astype(np.float32)
    )
    return classifier, choice


def cross_validate(
    features: np.ndarray, labels: np.ndarray, *, seed: int = 0
) -> CrossValidation:
    """Chooses the strength of the penalty by the loss of held-out folds.

    Args:
      features: `[examples, features]`, standardised.
      labels: `[examples]` int.
      seed: of the folds.
    """
    if len(labels) > MAX_EXAMPLES_TO_CHOOSE:
        features, _, labels, _ = train_test_split(
            *(features, labels),
            train_size=MAX_EXAMPLES_TO_CHOOSE,
            random_state=seed,
            stratify=labels
            if np.unique(labels, return_counts=True)[1].min() > 1
            else None,
        )
    num_folds = min(MAX_FOLDS, int(np.unique(labels, return_counts=True)[1].max()))
    if num_folds < 2:
        return CrossValidation(STRENGTHS[len(STRENGTHS) // 2], ())
    folds = list(_folds(labels, num_folds, seed))
    paths = [_path(features[train], labels[train], STRENGTHS) for train, _ in folds]
    best, best_loss, num_worse = CrossValidation(STRENGTHS[0], ()), np.inf, 0
    for strength, *optima in zip(STRENGTHS, *paths, strict=True):
        scores = [
            _score(features[held_out] @ weights + biases, classes, labels[held_out])
            for (_, held_out), (weights, biases, classes) in zip(
                folds, optima, strict=True
            )
        ]
        losses, accuracies = zip(*scores, strict=True)
        if np.mean(losses) < best_loss:
            best_loss, num_worse = np.mean(losses), 0
            best = CrossValidation(strength, accuracies)
        else:
            num_worse += 1
        # Weaker penalties take ever longer to fit, and the loss has one valley.
        if num_worse == _WORSE_IN_A_ROW:
            break
    return best


def _standardisation(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each feature, `[features]` float64 both."""
    mean = features.mean(0, dtype=np.float64)
    deviation = features.std(0, dtype=np.float64)
    floor = _LEAST_DEVIATION * np.sqrt(np.mean(deviation**2))
    return mean, np.maximum(deviation, floor or 1.0)


def _principal_components(scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fewer columns with the same optimum, and `[features, columns]` to turn it back.

    The optimum of an L2 penalty lies in the span of the examples (Hastie & Tibshirani,
    2004, "Efficient quadratic regularization for expression arrays"), so that of fewer
    examples than features the principal components say all.
    """
    num_examples, num_features = scaled.shape
    if num_examples >= num_features:
        return scaled, np.eye(num_features)
    left, sizes, right = np.linalg.svd(scaled, full_matrices=False)
    return left * sizes, right.T


def _folds(
    labels: np.ndarray, num_folds: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    folds = StratifiedKFold(num_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # Of a class with fewer examples than folds some folds have none.
        warnings.simplefilter("ignore", UserWarning)
        yield from folds.split(labels, labels)


def _path(
    features: np.ndarray, labels: np.ndarray, strengths: tuple[float, ...] | list[float]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Optima along falling penalties, each started from the one before.

    Yields:
      Weights `[features, classes seen]`, biases, and the labels of these classes.
    """
    model = LogisticRegression(max_iter=_MAX_ITERATIONS, warm_start=True)
    for strength in strengths:
        model.set_params(C=strength)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(features, labels)
        weights, biases = model.coef_.T, model.intercept_
        if len(model.classes_) == 2:  # one logit, of the second class
            weights = np.hstack([-weights, weights]) / 2
            biases = np.hstack([-biases, biases]) / 2
        yield weights, biases, model.classes_


def _score(
    logits: np.ndarray, classes: np.ndarray, labels: np.ndarray
) -> tuple[float, float]:
    """Mean cross-entropy and accuracy; examples of no known class are wrong."""
    is_known = np.isin(labels, classes)
    correct = classes[logits.argmax(1)] == labels
    places = np.searchsorted(classes, labels[is_known])
    log_shares = special.log_softmax(logits[is_known], 1)
    losses = -log_shares[np.arange(len(places)), places]
    return float(losses.mean()) if len(losses) else 0.0, float(correct.mean())
