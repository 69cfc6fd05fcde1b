"""The weight of each class's images in the loss, `--class_weights`."""

from collections.abc import Sequence

import numpy as np

from config.train_config import TrainConfig
from datasets.dataset import Dataset

_BETA = 0.999  # β; Cui et al. find 0.99 to 0.9999 about as good


def by_class(kind: str, class_counts: Sequence[int]) -> np.ndarray:
    """The weight of each class, scaled so that the mean over the images is 1.

    balanced: proportional to 1 / n_c, for n_c images of class c. effective:
    proportional to 1 / (1 - β^n_c), Cui et al., "Class-Balanced Loss Based on Effective
    Number of Samples", https://arxiv.org/abs/1901.05555, equation 2.

    Args:
      kind: balanced or effective.
      class_counts: number of images of each class, at least one of them above 0.

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
    """The class weights of a run, as the options say; None if all classes weigh 1."""
    kind = config.loss.class_weights
    if kind == "none":
        return None
    return by_class(kind, dataset.class_counts[config.data.labels_offset :])
