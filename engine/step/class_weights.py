"""How much an image of each class counts in the loss."""

from collections.abc import Sequence

import numpy as np

from config.train_config import TrainConfig
from datasets.dataset import Dataset

_BETA = 0.999  # Cui et al. find 0.99 to 0.9999 about as good


def by_class(kind: str, class_counts: Sequence[int]) -> np.ndarray:
    """The weights of the classes, whose mean over the images is 1.

    balanced: n / (K n_c), for n images of K classes, n_c of class c. effective:
    (1 - β) / (1 - β^n_c), Cui et al., "Class-Balanced Loss Based on Effective Number of
    Samples", https://arxiv.org/abs/1901.05555, scaled to that mean.

    Args:
      kind: balanced or effective.
      class_counts: images of each class; one at least is above 0.

    Returns:
      `[classes]` float32; 0 for a class without images.
    """
    counts = np.asarray(class_counts, np.float64)
    with np.errstate(divide="ignore"):
        weights = 1 / (counts if kind == "balanced" else 1 - _BETA**counts)
    weights[counts == 0] = 0
    mean = (weights * counts).sum() / counts.sum()
    return (weights / mean).astype(np.float32)


def of_run(dataset: Dataset, config: TrainConfig) -> np.ndarray | None:
    """The weights that the options give a run's classes; None where all count alike."""
    kind = config.loss.class_weights
    if kind == "none":
        return None
    return by_class(kind, dataset.class_counts[config.data.labels_offset :])
