"""The chart of a probe: accuracy over depth."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engine.probing.probe_scores import Score, choose
from engine.report import html_page


def draw(scores: Sequence[Score], title: str) -> bytes:
    """Draws the chart as an SVG.

    Args:
      scores: by depth, from the image on.
      title: the line above it.
    """
    figure = Figure((max(5.6, 0.42 * len(scores)), 4.4), layout="constrained")
    axes = figure.add_subplot()
    _plot_accuracies(axes, scores)
    axes.axvline(
        scores.index(choose(scores)),
        color="#2b8a3e",
        alpha=0.3,
        linewidth=6,
        label="chosen",
    )
    names = [score.depth.end_point for score in scores]
    axes.set_xticks(range(len(scores)), names, rotation=60, ha="right")
    axes.set(ylabel="accuracy", title=title)
    axes.legend(frameon=False, loc="lower right")
    return html_page.svg(figure)


def _plot_accuracies(axes: Axes, scores: Sequence[Score]) -> None:
    places = range(len(scores))
    judged = [i for i in places if not scores[i].is_screened_out]
    axes.plot(places, [s.accuracy for s in scores], color="#adb5bd", linewidth=1)
    axes.plot(
        [i for i in places if scores[i].is_screened_out],
        [s.accuracy for s in scores if s.is_screened_out],
        "o",
        color="#868e96",
        markerfacecolor="white",
        label="screened by ridge regression",
    )
    axes.errorbar(
        judged,
        [scores[i].accuracy for i in judged],
        [scores[i].standard_error for i in judged],
        fmt="o",
        color="#1f6feb",
        capsize=3,
        label="cross-validated, ± a standard error",
    )
    held_out = [i for i in judged if scores[i].held_out_accuracy is not None]
    if held_out:
        axes.plot(
            held_out,
            [scores[i].held_out_accuracy or 0.0 for i in held_out],
            "x",
            color="#d9480f",
            label="held out",
        )
