"""What a probe concludes from the accuracy at each depth: values in, values out."""

import dataclasses
import math
from collections.abc import Sequence

from engine.probing.depths import Depth


@dataclasses.dataclass(frozen=True)
class Score:
    """A linear classifier's accuracy at one depth, each in [0, 1].

    Attributes:
      depth: where.
      accuracy: cross-validated on the training split.
      standard_error: of that accuracy.
      train_accuracy: of the classifier on what it was fitted to; None where the depth
        was only screened.
      held_out_accuracy: on the held-out split, which decides nothing; None without one
        or where the depth was only screened.
      num_opened: parameters that training opens after this depth, the head's included.
    """

    depth: Depth
    accuracy: float
    standard_error: float
    train_accuracy: float | None
    held_out_accuracy: float | None
    num_opened: int

    @property
    def is_screened_out(self) -> bool:
        """Whether only the quick classifier saw it."""
        return self.train_accuracy is None


@dataclasses.dataclass(frozen=True)
class Rise:
    """Accuracy over the number of training images.

    Attributes:
      num_images: of each fit, rising.
      accuracies: on the images left out of each, in [0, 1].
      standard_error: of the last one.
    """

    num_images: tuple[int, ...]
    accuracies: tuple[float, ...]
    standard_error: float

    @property
    def still_rises(self) -> bool:
        """Whether the last doubling of the images gained more than an error."""
        if len(self.accuracies) < 2:
            return True
        return self.accuracies[-1] - self.accuracies[-2] > self.standard_error


def to_judge(screened: Sequence[float], most: int) -> set[int]:
    """The depths that get the full classifier: the most promising, and the last.

    Of equals the deeper are taken, which leave less to train.

    Args:
      screened: accuracy of the quick classifier by depth.
      most: how many to take.
    """
    best_first = sorted(range(len(screened)), key=lambda i: (-screened[i], -i))
    return {*best_first[: most - 1], len(screened) - 1}


def choose(scores: Sequence[Score]) -> Score:
    """The deepest depth within one standard error of the best.

    (Breiman et al. 1984, Classification and Regression Trees; Hastie et al., The
    Elements of Statistical Learning, 7.10.) Of two that cannot be told apart the
    deeper one leaves less to train.

    Args:
      scores: by depth, from the image on.
    """
    judged = [score for score in scores if not score.is_screened_out]
    best = max(judged, key=lambda score: score.accuracy)
    error = best.standard_error
    least = best.accuracy - (0.0 if math.isnan(error) else error)
    return [score for score in judged if score.accuracy >= least][-1]


def is_similar(scores: Sequence[Score]) -> bool:
    """Whether the last depth is as good as any: the net's own features fit the data."""
    return choose(scores) is scores[-1]


def verdict(scores: Sequence[Score], rise: Rise) -> list[str]:
    """What the table means and what it advises, as sentences.

    Args:
      scores: by depth, from the image on.
      rise: of the chosen depth.
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
    return [
        likeness,
        amount,
        _ADVICE[small, similar].format(chosen.depth.end_point),
    ]


# (small, similar) → what to do; {} is the chosen depth.
_ADVICE = {
    (True, True): "advice: solve the head; opening blocks may overfit",
    (True, False): (
        "advice: solve a head at {0}, where the net ends then, or the net's own head"
        " and open what comes after {0} at a low rate, and keep the better of the two"
    ),
    (False, True): "advice: solve the head, then open the last blocks at a low rate",
    (False, False): (
        "advice: solve the head, then open what comes after {}, or everything"
    ),
}
