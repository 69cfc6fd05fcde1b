"""Calibration of probabilities, and the confidence interval of an accuracy."""

import dataclasses
import math

import numpy as np

NUM_BINS = 15  # of Guo et al.
_Z_95 = 1.959964  # 97.5% quantile of the normal distribution


@dataclasses.dataclass(frozen=True)
class Bin:
    """Predictions of similar confidence.

    Attributes:
      count: number of predictions.
      confidence: mean probability of the predicted classes; 0 in an empty bin.
      accuracy: share of correct predictions; 0 in an empty bin.
    """

    count: int
    confidence: float
    accuracy: float


def reliability(
    probabilities: np.ndarray, correct: np.ndarray, num_bins: int = NUM_BINS
) -> list[Bin]:
    """Accuracy by confidence, in bins of equal width.

    C. Guo, G. Pleiss, Y. Sun, K. Weinberger: On Calibration of Modern Neural Networks,
    ICML 2017.

    Args:
      probabilities: `[images]` float in [0, 1], of the predicted classes.
      correct: `[images]` bool, whether these are the true classes.
      num_bins: bin i holds the probabilities in (i / num_bins, (i + 1) / num_bins].
    """
    places = np.ceil(probabilities * num_bins).astype(int) - 1
    places = places.clip(0, num_bins - 1)
    bins = []
    for place in range(num_bins):
        inside = places == place
        count = int(inside.sum())
        confidence = float(probabilities[inside].mean()) if count else 0.0
        accuracy = float(correct[inside].mean()) if count else 0.0
        bins.append(Bin(count, confidence, accuracy))
    return bins


def expected_calibration_error(bins: list[Bin]) -> float:
    """Mean |confidence - accuracy| over the bins, weighted by their counts."""
    gaps = sum(one.count * abs(one.accuracy - one.confidence) for one in bins)
    return gaps / sum(one.count for one in bins)


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95% confidence interval of a share.

    E. B. Wilson: Probable Inference, the Law of Succession, and Statistical Inference,
    Journal of the American Statistical Association 22 (1927). Unlike the usual
    interval it stays inside [0, 1] and holds for few images.
    """
    share, z2 = successes / trials, _Z_95**2
    center = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    spread = math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    half = _Z_95 * spread / (1 + z2 / trials)
    return max(0.0, center - half), min(1.0, center + half)
