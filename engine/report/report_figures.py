"""The charts of an evaluation's page, as SVG."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from engine.evaluation.calibration import Bin
from engine.events.run_events import Curve
from engine.report import html_page

_INCHES = (5.6, 3.8)
_LINE_COLORS = ("#1f6feb", "#d9480f", "#2b8a3e", "#862e9c")
_BAR_COLOR = "#74a9f5"
_GRAY = "#868e96"


def draw_reliability(bins: Sequence[Bin]) -> bytes:
    """Draws accuracy over confidence, and the number of predictions per bin."""
    figure = Figure((5.6, 5.2), layout="constrained")
    upper, lower = figure.subplots(
        2, sharex=True, gridspec_kw={"height_ratios": (3, 1)}
    )
    width = 1 / len(bins)
    edges = [place * width for place in range(len(bins))]
    bars = {"width": width, "align": "edge", "edgecolor": "white"}
    upper.bar(edges, [b.accuracy for b in bins], color=_BAR_COLOR, **bars)
    upper.plot([0, 1], [0, 1], "--", color=_GRAY, label="perfectly calibrated")
    full = [b for b in bins if b.count]
    means = [b.confidence for b in full], [b.accuracy for b in full]
    upper.plot(*means, "o", color=_LINE_COLORS[0], markersize=4, label="mean of a bin")
    upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    upper.legend(loc="upper left", frameon=False)
    lower.bar(edges, [b.count for b in bins], color=_GRAY, **bars)
    lower.set(xlabel="confidence", ylabel="images")
    for axes in (upper, lower):
        axes.xaxis.set_major_formatter(PercentFormatter(1, 0))
    upper.yaxis.set_major_formatter(PercentFormatter(1, 0))
    return html_page.svg(figure)


def draw_curves(title: str, curves: Sequence[Curve]) -> bytes:
    """Draws curves of the same quantity into one chart."""
    figure = Figure(_INCHES, layout="constrained")
    axes = figure.add_subplot()
    for i, curve in enumerate(curves):
        marker = "o" if len(curve.steps) < 30 else ""
        color = _LINE_COLORS[i % len(_LINE_COLORS)]
        axes.plot(
            *(curve.steps, curve.values),
            color=color,
            marker=marker,
            markersize=4,
            label=curve.name,
        )
    axes.set(xlabel="step", ylabel=title)
    axes.legend(frameon=False)
    return html_page.svg(figure)
