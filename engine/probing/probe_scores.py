"""What a probe concludes from the accuracy at each depth, as pure functions."""

import dataclasses
import math
from collections.abc import Sequence

from engine.probing.depths import Depth


@dataclasses.dataclass(frozen=True)
class Score:
    """Accuracies of a linear classifier at one depth, in [0, 1].

    Attributes:
      depth: the depth.
      accuracy: cross-validated on the training split.
      standard_error: standard error of that accuracy.
      train_accuracy: on the images that the classifier was fitted to; None if the depth
        was only screened.
      held_out_accuracy: on the held-out split, which decides nothing; None without one
        or if the depth was only screened.
      num_opened: number of parameters after this depth, the head's included.
    """

    depth: Depth
    accuracy: float
    standard_error: float
    train_accuracy: float | None
    held_out_accuracy: float | None
    num_opened: int

    @property
    def is_screened_out(self) -> bool:
        """Whether the depth got only the quick classifier."""
        return self.train_accuracy is None


@dataclasses.dataclass(frozen=True)
class Rise:
    """Accuracy over the number of training images.

    Attributes:
      num_images: number of images of each fit, rising.
      accuracies: cross-validated accuracy of each fit, in [0, 1].
      standard_error: standard error of the last accuracy.
    """

    num_images: tuple[int, ...]
    accuracies: tuple[float, ...]
    standard_error: float

    @property
    def still_rises(self) -> bool:
        """Whether the last doubling gained more than a standard error."""
        if len(self.accuracies) < 2:
            return True
        return self.accuracies[-1] - self.accuracies[-2] > self.standard_error


def to_judge(screened: Sequence[float], most: int) -> set[int]:
    """The depths that get the full classifier: the most promising, and the last.

    In a tie the deeper one is taken, as it leaves less to train.

    Args:
      screened: accuracy of the quick classifier by depth.
      most: number of depths to take.

    Returns:
      Indices into `screened`.
    """
    best_first = sorted(range(len(screened)), key=lambda i: (-screened[i], -i))
    return {*best_first[: most - 1], len(screened) - 1}


def choose(scores: Sequence[Score]) -> Score:
    """The deepest depth within one standard error of the best.

    (Breiman et al. 1984, Classification and Regression Trees; Hastie et al., The
    Elements of Statistical Learning, 7.10.) Of two that do not differ significantly,
    the deeper one leaves less to train.

    Args:
      scores: by depth, from the image on.
    """
    judged = [score for score in scores if not score.is_screened_out]
    best = max(judged, key=lambda score: score.accuracy)
    error = best.standard_error
    least = best.accuracy - (0.0 if math.isnan(error) else error)
    return [score for score in judged if score.accuracy >= least][-1]


def is_similar(scores: Sequence[Score]) -> bool:
    """Whether no depth beats the last, so that the net's own features suit the data."""
    return choose(scores) is scores[-1]


def verdict(scores: Sequence[Score], rise: Rise) -> list[str]:
    """What the table means and what it advises, as sentences.

    Args:
      scores: by depth, from the image on.
      rise: the rise of the chosen depth.
    """
    chosen, last = choose(scores), scores[-1]
    similar = chosen is last
    if similar:
        likeness = (
            "similar: no depth beats the last one by a standard error, so the net's"
            " own features suit these images"
        )
    else:
        likeness = (
            f"different: {chosen.depth.end_point} beats the last depth,"
            f" {chosen.accuracy:.3f} against {last.accuracy:.3f}, by more than a"
            " standard error, so the layers after it are too specific to the data the"
            " net was trained on"
        )
    small = rise.still_rises
    amount = (
        "small: accuracy still rises with the number of images, so more images would"
        " help"
        if small
        else "enough: doubling the images gained no more than chance"
    )
    sentences = [
        likeness,
        amount,
        _ADVICE[small, similar].format(chosen.depth.end_point),
    ]
    if last.train_accuracy == 1:
        sentences.append(
            "but: that head classifies every training image correctly, so opened blocks"
            " have little left to learn from them"
        )
    return sentences


# From (small, similar) to advice; {} is the chosen depth.
_ADVICE = {
    (True, True): "advice: solve the head; opening blocks may overfit",
    (True, False): (
        "advice: end the net at {0} and solve a head there, or solve the net's own head"
        " and open what comes after {0} at a low rate; keep the better of the two"
    ),
    (False, True): "advice: solve the head, then open the last blocks at a low rate",
    (False, False): (
        "advice: solve the head, then open what comes after {}, or everything"
    ),
}
