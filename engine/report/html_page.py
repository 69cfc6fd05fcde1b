"""Self-contained HTML pages, and the pictures in them."""

import io
import pathlib
import re
from typing import Any

import jinja2
import markupsafe
from matplotlib.figure import Figure

from common.untrusted_text import printable_lines


def render(template: pathlib.Path, **values: Any) -> str:
    """Renders a page; strings are escaped, and unprintable characters made visible.

    Args:
      template: a Jinja template in UTF-8.
      **values: the template's variables.
    """
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        finalize=lambda value: printable_lines(value) if type(value) is str else value,
    )
    environment.filters |= {"breakable": _breakable, "words": _words}
    return environment.from_string(template.read_text(encoding="utf-8")).render(values)


def _breakable(text: str) -> markupsafe.Markup:
    """A path or scope that a browser may break after each part of it."""
    return markupsafe.Markup(re.sub(r"([/_])", r"\1<wbr>", _escaped(text)))


def _words(text: str) -> markupsafe.Markup:
    """Text with a span around each word, which CSS can keep on one line."""
    return markupsafe.Markup(re.sub(r"(\S+)", r"<span>\1</span>", _escaped(text)))


def _escaped(text: str) -> str:
    return str(markupsafe.escape(printable_lines(text)))


def svg(figure: Figure) -> bytes:
    """The figure with open axes on a faint grid, as an SVG that contains no date."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.set_axisbelow(True)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
