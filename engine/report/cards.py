"""Cards of evaluated images: a picture with its label and its prediction."""

from collections.abc import Sequence
from typing import Any

from datasets.dataset import Dataset
from engine.evaluation.evaluation import Results
from engine.report import thumbnails


class Cards:
    """The cards that a page shows for some of the images."""

    def __init__(
        self,
        results: Results,
        dataset: Dataset,
        class_names: Sequence[str],
        photos: Sequence[str],
        shown: Sequence[int],
    ) -> None:
        """Reads the pictures.

        Args:
          results: the results of all images.
          dataset: the split.
          class_names: names of the net's classes.
          photos: the photo's name for each image; "" if unknown.
          shown: indices of the images that get a card.
        """
        self._results = results
        self._class_names = class_names
        self._photos = photos
        places = {self._place(index) for index in shown}
        self._pictures = thumbnails.read(dataset, places)

    def _place(self, index: int) -> tuple[int, int]:
        results = self._results
        return int(results.shards[index]), int(results.records[index])

    def card(self, index: int) -> dict[str, Any]:
        """The card of an image: picture, name, label and prediction."""
        results, names = self._results, self._class_names
        shard, record = self._place(index)
        return {
            "picture": self._pictures[shard, record],
            "name": self._photos[index] or f"shard {shard}, record {record}",
            "label": names[results.labels[index]],
            "predicted": names[results.predicted[index]],
            "probability": float(results.probabilities[index]),
            "is_right": bool(results.labels[index] == results.predicted[index]),
        }
