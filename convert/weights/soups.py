"""Which average of checkpoints is taken, by accuracy on a validation split.

M. Wortsman et al.: "Robust fine-tuning of zero-shot models" (WiSE-FT),
https://arxiv.org/abs/2109.01903, and "Model soups", https://arxiv.org/abs/2203.05482,
both 2022.
"""

import dataclasses
from collections.abc import Callable, Sequence

from convert.weights.averaging import uniform
from engine.evaluation.evaluation import Results

Evaluate = Callable[[Sequence[float]], Results]


@dataclasses.dataclass(frozen=True)
class Choice:
    """An average, and how it was found.

    Attributes:
      weights: one per checkpoint, of sum 1.
      header: the header of the table.
      rows: what was tried, in order.
    """

    weights: list[float]
    header: tuple[str, ...]
    rows: list[list[str]]


def wise_ft(alphas: Sequence[float], evaluate: Evaluate) -> Choice:
    """The best of the points between two checkpoints.

    Args:
      alphas: shares of the second checkpoint to try.
      evaluate: from the weights of the two to their average's results.

    Returns:
      Of the highest accuracy; of equals the one with the lowest loss, then the first.
    """
    results = [evaluate([1 - alpha, alpha]) for alpha in alphas]
    best = min(
        range(len(alphas)), key=lambda i: (-results[i].accuracy, results[i].loss)
    )
    rows = [
        [
            f"{alpha:g}",
            f"{r.accuracy:.4f}",
            f"{r.loss:.4f}",
            "best" if i == best else "",
        ]
        for i, (alpha, r) in enumerate(zip(alphas, results, strict=True))
    ]
    weights = [1 - alphas[best], alphas[best]]
    return Choice(weights, ("alpha", "accuracy", "loss", ""), rows)


def greedy(paths: Sequence[str], evaluate: Evaluate) -> Choice:
    """The greedy soup ("Model soups", recipe 1).

    The checkpoints are tried from the most accurate on; each stays in the plain mean if
    the mean's accuracy does not fall.

    Args:
      paths: the checkpoints' paths, for the table.
      evaluate: from a weight per checkpoint to the average's results.
    """
    count = len(paths)
    alone = [evaluate(uniform([i], count)).accuracy for i in range(count)]
    order = sorted(range(count), key=lambda i: -alone[i])
    kept: list[int] = []
    best = 0.0
    rows = []
    for i in order:
        tried = [*kept, i]
        with_it = evaluate(uniform(tried, count)).accuracy if kept else alone[i]
        stays = not kept or with_it >= best
        if stays:
            kept, best = tried, with_it
        scores = f"{alone[i]:.4f}", f"{with_it:.4f}"
        rows.append([paths[i], *scores, "in" if stays else "left out"])
    header = ("checkpoint", "accuracy", "soup with it", "")
    return Choice(uniform(kept, count), header, rows)
