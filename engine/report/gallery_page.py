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
      summary: as in metrics.json.
      results: of every image.
      dataset: the split.
      class_names: of the logits.
      photos: the names of the images; "" where there is none.
      count: how many to show; all of a smaller split.
    """
    shown = evenly_spaced(len(results.labels), count)
    cards = Cards(results, dataset, class_names, photos, shown)
    return html_page.render(
        _TEMPLATE, summary=summary, cards=[cards.card(index) for index in shown]
    )


def evenly_spaced(total: int, count: int) -> list[int]:
    """Indices from the first to the last, in order, none twice.

    Neither the best nor the worst are chosen, so that as many are wrong as usually are.

    Args:
      total: number of images.
      count: how many indices; `total` where that is less.
    """
    places = np.linspace(0, total - 1, min(count, total))
    return [int(place) for place in places.round()]
