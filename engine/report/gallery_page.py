"""gallery.html: some images of a split, right predictions green, wrong ones red."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from datasets.dataset import Dataset
from engine.evaluation.evaluation import Results
from engine.report import html_page
from engine.report.cards import Cards

_TEMPLATE = pathlib.Path(__file__).with_name("gallery.html.jinja")


def render(
    summary: Mapping[str, Any],
    results: Results,
    dataset: Dataset,
    class_names: Sequence[str],
    photos: Sequence[str],
    count: int,
) -> str:
    """The page's HTML.

    Args:
      summary: the contents of metrics.json.
      results: the results of all images.
      dataset: the split.
      class_names: names of the net's classes.
      photos: the photo's name for each image; "" if unknown.
      count: number of images to show; all of a smaller split.
    """
    shown = evenly_spaced(len(results.labels), count)
    cards = Cards(results, dataset, class_names, photos, shown)
    return html_page.render(
        _TEMPLATE, summary=summary, cards=[cards.card(index) for index in shown]
    )


def evenly_spaced(total: int, count: int) -> list[int]:
    """Distinct indices from the first to the last image, in order.

    They do not depend on the results, so that a typical share of them is wrong.

    Args:
      total: number of images.
      count: number of indices; all if there are fewer images.
    """
    places = np.linspace(0, total - 1, min(count, total))
    return [int(place) for place in places.round()]
