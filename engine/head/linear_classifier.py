"""Linear classifiers of features, and how they are fitted on a standard scale."""

import dataclasses

import numpy as np

# A feature that hardly varies must not be scaled up: folded into the head's weights,
# its tiny deviation becomes a weight so large that the first steps of fine-tuning below
# the head destroy what it has learned.
_LEAST_DEVIATION = 0.3  # times the root mean square of all deviations
_UNSEEN_MARGIN = 10.0  # below the least logit of any training example


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

    def accuracy(self, features: np.ndarray, labels: np.ndarray) -> float:
        """Share of examples whose largest logit is their label's."""
        return float(np.mean(self.logits(features).argmax(1) == labels))


@dataclasses.dataclass(frozen=True)
class CrossValidation:
    """The accuracy of a classifier on examples it was not fitted to.

    Attributes:
      strength: C, the inverse strength of the penalty that did best.
      accuracy: with that C, over all examples, each held out once, in [0, 1]; NaN
        if there were too few for folds.
      num_examples: number of examples held out.
    """

    strength: float
    accuracy: float
    num_examples: int

    @property
    def standard_error(self) -> float:
        """Of the accuracy, as of a share of independent examples; NaN without any."""
        if not self.num_examples:
            return np.nan
        return float((self.accuracy * (1 - self.accuracy) / self.num_examples) ** 0.5)


@dataclasses.dataclass(frozen=True)
class Coefficients:
    """A fitted linear model: `[columns, classes]`, `[classes]`, and its labels."""

    weights: np.ndarray
    biases: np.ndarray
    classes: np.ndarray


def coefficients(model: object) -> Coefficients:
    """Those of a linear classifier of scikit-learn, with a logit for each class."""
    weights, biases = model.coef_.T, model.intercept_  # type: ignore[attr-defined]
    classes = model.classes_  # type: ignore[attr-defined]
    if len(classes) == 2:  # one logit, of the second class
        weights = np.hstack([-weights, weights]) / 2
        biases = np.hstack([-biases, biases]) / 2
    return Coefficients(weights, biases, classes)


class StandardizedFeatures:
    """Features on a standard scale, in as few columns as give the same optimum.

    The optimum of an L2 penalty lies in the span of the examples (Hastie & Tibshirani,
    2004, "Efficient quadratic regularization for expression arrays"), so with fewer
    examples than features the principal components suffice.

    Attributes:
      columns: `[examples, columns]` float64.
    """

    def __init__(self, features: np.ndarray) -> None:
        """Standardizes the features.

        Args:
          features: `[examples, features]`, finite.
        """
        self._features = features
        self._mean = features.mean(0, dtype=np.float64)
        deviation = features.std(0, dtype=np.float64)
        floor = _LEAST_DEVIATION * np.sqrt(np.mean(deviation**2))
        self._deviation = np.maximum(deviation, floor or 1.0)
        self.columns = (features - self._mean) / self._deviation
        self._rotation: np.ndarray | None = None
        if len(features) < features.shape[1]:
            left, sizes, right = np.linalg.svd(self.columns, full_matrices=False)
            self.columns, self._rotation = left * sizes, right.T

    def classifier(self, fitted: Coefficients, num_classes: int) -> LinearClassifier:
        """The classifier for the original, unstandardized features.

        Args:
          fitted: on `columns`.
          num_classes: number of logits; a class that was not fitted gets logits below
            those of any other.
        """
        weights = fitted.weights
        if self._rotation is not None:
            weights = self._rotation @ weights
        weights = weights / self._deviation[:, np.newaxis]
        biases = fitted.biases - self._mean @ weights
        all_weights = np.zeros((len(weights), num_classes), np.float32)
        all_weights[:, fitted.classes] = weights
        least = (self._features @ weights + biases).min()
        all_biases = np.full(num_classes, least - _UNSEEN_MARGIN, np.float32)
        all_biases[fitted.classes] = biases
        return LinearClassifier(all_weights, all_biases)
