"""The files of an evaluation: metrics, tables, the confusion matrix, pages."""

import contextlib
import dataclasses
import io
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from scipy import sparse
from sklearn import metrics

from checkpoints import shared_folder
from common import storage
from common.atomic_files import atomic_write, publish, scratch_directory
from common.untrusted_text import CsvWriter
from config import app
from datasets.dataset import Dataset
from engine.evaluation.evaluation import Results
from engine.report import confusion_figure, photo_names
from engine.run import summaries
from errors import UserError

PAGE = "report.html"
GALLERY = "gallery.html"
_METRICS = "metrics.json"


@dataclasses.dataclass(frozen=True)
class Scores:
    """Metrics by class; undefined shares are 0, as in scikit-learn.

    Attributes:
      matrix: `[classes, classes]` int64, images by true class (row) and predicted
        class (column); sparse, since most of thousands of classes are never confused.
      precision: `[classes]` float64, of the images predicted as the class, the share
        that is of the class.
      recall: `[classes]` float64, of the images of the class, the share that is
        predicted as the class.
      f1: `[classes]` float64, harmonic mean of the two.
      macro: mean precision, recall and f1 over the classes that occur, whether as
        labels or as predictions.
      weighted: the same, weighted by the number of images of each class.
    """

    matrix: sparse.csr_array
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    macro: dict[str, float]
    weighted: dict[str, float]

    @property
    def most_confused_with(self) -> list[int | None]:
        """The most frequent wrong prediction for each class; None if there is none."""
        counted = self.matrix.tocoo()
        wrong = counted.row != counted.col
        rows, columns, counts = counted.row, counted.col, counted.data
        found: list[int | None] = [None] * self.matrix.shape[0]
        # The last one written stays: the largest count and, in a tie, the first class.
        for i in np.lexsort((-columns, counts)):
            if wrong[i]:
                found[rows[i]] = int(columns[i])
        return found


def score(results: Results, num_classes: int) -> Scores:
    """Computes the metrics by class of an evaluation."""
    pair = results.labels, results.predicted
    classes = np.arange(num_classes)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        *pair, labels=classes, zero_division=0
    )

    def average(kind: str) -> dict[str, float]:
        values = metrics.precision_recall_fscore_support(
            *pair, average=kind, zero_division=0
        )
        names = ("precision", "recall", "f1")
        return dict(zip(names, map(float, values[:3]), strict=True))

    return Scores(
        matrix=sparse.csr_array(
            (np.ones(len(results.labels), np.int64), pair),
            shape=(num_classes, num_classes),
        ),
        precision=precision,
        recall=recall,
        f1=f1,
        macro=average("macro"),
        weighted=average("weighted"),
    )


class Reporter:
    """Writes the reports of one data set into one folder, each file whole."""

    def __init__(
        self,
        eval_dir: str,
        dataset: Dataset,
        *,
        model_name: str,
        labels_offset: int,
        with_page: bool = False,
        gallery: int = 0,
    ) -> None:
        """Makes the folder.

        Args:
          eval_dir: the folder.
          dataset: the split.
          model_name: name of the net.
          labels_offset: number of the data set's first classes that the net lacks.
          with_page: whether to write report.html.
          gallery: number of images in gallery.html; 0 to write none.

        Raises:
          UserError: the folder cannot be written.
        """
        self._eval_dir = os.path.expanduser(eval_dir)
        self._dataset = dataset
        self._model_name = model_name
        self._with_page = with_page
        self._gallery = gallery
        names = dataset.class_names or tuple(map(str, range(dataset.num_classes)))
        self._class_names = names[labels_offset:]
        self._photos: list[str] = []
        with _writing(eval_dir):
            shared_folder.make(self._eval_dir)
            # Finds out before the work if the folder cannot be written.
            storage.require_writable(self._eval_dir)
        self._writer = summaries.open_writer(self._eval_dir)

    @property
    def pages(self) -> list[str]:
        """A line for each page that is written, with its path."""
        pages = {PAGE: self._with_page, GALLERY: self._gallery}
        return [
            f"{name.partition('.')[0]}: {os.path.join(self._eval_dir, name)}"
            for name, is_written in pages.items()
            if is_written
        ]

    def write(
        self,
        results: Results,
        *,
        checkpoint_path: str,
        step: int,
        uses_moving_average: bool,
        tta: str | None = None,
    ) -> None:
        """Writes all files, replacing earlier ones, and TensorBoard's events.

        Args:
          results: the results of the evaluation.
          checkpoint_path: the checkpoint; several, separated by commas, if their
            predictions were averaged.
          step: its global step.
          uses_moving_average: whether its moving averages were evaluated.
          tta: value of `--tta`, if views were averaged.

        Raises:
          UserError: a file cannot be written.
        """
        scores = score(results, len(self._class_names))
        dataset = self._dataset
        summary = {
            "accuracy": results.accuracy,
            "recall_5": results.recall_5,
            "loss": results.loss,
            "images": len(results.labels),
            "bad_records": dataset.num_bad_records,
            "step": step,
            "checkpoint": storage.absolute(checkpoint_path),
            "moving_average": uses_moving_average,
            "dataset": dataset.name,
            "split": dataset.split_name,
            "model": self._model_name,
            "macro": scores.macro,
            "weighted": scores.weighted,
            **({"tta": tta} if tta else {}),
        }
        title = (
            f"{self._model_name} at step {step} on {dataset.name}/{dataset.split_name}:"
            f" accuracy {results.accuracy:.4f}"
        )
        picture = confusion_figure.draw(scores.matrix, self._class_names, title)
        if not self._photos:
            self._photos = photo_names.read(dataset, len(results.labels))
        pages = dict(self._pages(results, scores, summary, picture))
        with self._all_or_none() as folder:
            _write_csv(folder, "per_class.csv", self._class_rows(scores))
            _write_csv(folder, "predictions.csv", self._prediction_rows(results))
            _write(folder, "confusion_matrix.png", picture)
            _write(folder, _METRICS, json.dumps(summary, indent=1).encode() + b"\n")
            for name, page in pages.items():
                _write(folder, name, page.encode("utf-8", "backslashreplace"))
        with summaries.writing(self._writer, self._eval_dir, step):
            summaries.write_evaluation_scalars(results)
            tf.summary.image(
                "eval/confusion_matrix", tf.io.decode_png(picture)[tf.newaxis]
            )

    @contextlib.contextmanager
    def _all_or_none(self) -> Iterator[str]:
        """A folder whose files replace those of an earlier evaluation, all at once.

        Earlier files are removed even if this evaluation does not write them again.
        """
        with (
            _writing(self._eval_dir),
            scratch_directory(self._eval_dir, "evaluation") as aside,
        ):
            yield aside
            # An evaluation without metrics.json does not exist: it is removed first and
            # written last.
            for name in (_METRICS, PAGE, GALLERY):
                with contextlib.suppress(FileNotFoundError):
                    storage.remove(os.path.join(self._eval_dir, name))
            publish(aside, self._eval_dir, last=[_METRICS])

    def _pages(
        self, results: Results, scores: Scores, summary: dict, picture: bytes
    ) -> Iterator[tuple[str, str]]:
        """The names and contents of the requested pages."""
        # The modules of the pages are slow to import.
        if self._with_page:
            from engine.report import report_page

            evaluated = report_page.Evaluated(
                summary=summary,
                results=results,
                dataset=self._dataset,
                class_names=self._class_names,
                photos=self._photos,
                class_rows=list(self._class_rows(scores)),
                confusion_matrix=picture,
                command=app.command_line(),
            )
            yield PAGE, report_page.render(evaluated)
        if self._gallery:
            from engine.report import gallery_page

            yield (
                GALLERY,
                gallery_page.render(
                    *(summary, results, self._dataset, self._class_names),
                    *(self._photos, self._gallery),
                ),
            )

    def _class_rows(self, scores: Scores) -> Iterator[Sequence[Any]]:
        yield ["class", "images", "precision", "recall", "f1", "most_confused_with"]
        images = scores.matrix.sum(axis=1)
        for i, other in enumerate(scores.most_confused_with):
            shares = (
                f"{s[i]:.6f}" for s in (scores.precision, scores.recall, scores.f1)
            )
            confused_with = "" if other is None else self._class_names[other]
            yield [self._class_names[i], images[i], *shares, confused_with]

    def _prediction_rows(self, results: Results) -> Iterator[Sequence[Any]]:
        header = ["shard", "record", "label", "predicted", "probability", "correct"]
        yield [*header, "filename"]
        names = self._class_names
        shards = [os.path.basename(shard.path) for shard in self._dataset.shards]
        for i, photo in enumerate(self._photos):
            label, predicted = results.labels[i], results.predicted[i]
            yield [
                shards[results.shards[i]],
                results.records[i],
                names[label],
                names[predicted],
                f"{results.probabilities[i]:.6f}",
                int(label == predicted),
                photo,
            ]


def _write_csv(folder: str, name: str, rows: Iterator[Sequence[Any]]) -> None:
    text = io.StringIO()
    CsvWriter(text, line_end="\r\n").write_rows(rows)
    _write(folder, name, text.getvalue().encode())


def _write(folder: str, name: str, content: bytes) -> None:
    with atomic_write(os.path.join(folder, name)) as file:
        file.write(content)


@contextlib.contextmanager
def _writing(eval_dir: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"--eval_dir={eval_dir} cannot be written: {error.strerror}; name another"
            " folder"
        ) from error
