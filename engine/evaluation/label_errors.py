"""Finds images whose labels may be wrong, by confident learning.

C. G. Northcutt, L. Jiang, I. L. Chuang: Confident Learning: Estimating Uncertainty in
Dataset Labels, Journal of Artificial Intelligence Research 70 (2021).
"""

import dataclasses

import numpy as np

from engine.evaluation.evaluation import Results


@dataclasses.dataclass(frozen=True)
class Suspect:
    """An image that looks like another class than its label.

    Attributes:
      index: the index of the image in the results.
      threshold: the mean probability of the predicted class over its own images.
      margin: the predicted class's probability minus the label's.
    """

    index: int
    threshold: float
    margin: float


def find(results: Results) -> list[Suspect]:
    """Finds images that the net confidently assigns to another class.

    An image labeled i is suspect if the predicted class j ≠ i has a probability of
    at least t_j, the mean probability of j over the images labeled j (the paper's
    equations 1 and 2). They are ranked by the margin between the two probabilities.

    Args:
      results: the results of an evaluation; exp(-loss) is the probability of the label.

    Returns:
      The suspects, the largest margin first.
    """
    of_labels = np.exp(-results.losses.astype(np.float64))
    suspects = []
    for j in np.unique(results.labels):
        threshold = float(of_labels[results.labels == j].mean())
        disagrees = (results.predicted == j) & (results.labels != j)
        for index in np.flatnonzero(disagrees & (results.probabilities >= threshold)):
            margin = float(results.probabilities[index] - of_labels[index])
            suspects.append(Suspect(int(index), threshold, margin))
    return sorted(suspects, key=lambda one: (-one.margin, one.index))
