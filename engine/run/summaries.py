"""What TensorBoard shows of a run."""

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto import event_pb2
from tensorboard.plugins.histogram import metadata as histogram_metadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from checkpoints import plan_text
from datasets.records import record_faults
from engine.evaluation.evaluation import Results
from engine.events import event_files
from engine.events.run_events import tag_of
from engine.run.background import BackgroundWriter
from engine.step.train_state import TrainState
from errors import UserError

_NUM_BUCKETS = 30  # TensorBoard's own number


class TrainSummaries:
    """Writes a training run's events into its folder.

    Scalars, every --log_every_n_steps: `curves/loss` (without the penalty),
    `curves/accuracy`, `curves/learning_rate`, `total_loss` (with the penalty),
    `regularization_loss`, `global_step/sec`, `images/sec` and `waiting_for_input`, a
    share of the time. At longer intervals: histograms `weights/<variable>` of every
    trained variable and, unless a head is solved, `outputs/<end point>`, and a few
    images as the net sees them. Validation has a separate TensorBoard run, so that its
    curves share charts with those of training.

    TensorBoard sorts charts by the first part of their tags and opens the first two
    groups: the curves come first, the many histograms last.
    """

    def __init__(
        self,
        train_dir: str,
        state: TrainState,
        interval_secs: int,
        background: BackgroundWriter,
        *,
        images_tag: str,
        outputs: bool,
        sparsity: bool,
    ) -> None:
        """Opens the event files and writes the plan as text.

        Args:
          train_dir: the run's folder.
          state: what is trained.
          interval_secs: seconds between two sets of histograms and images; 0 for none.
          background: the thread that computes and writes histograms.
          images_tag: the tag of the images.
          outputs: whether to write histograms of the end points.
          sparsity: also writes `sparsity/<end point>`, the share of zeros.
        """
        self._background = background
        self._images_tag = images_tag
        self._outputs = outputs
        self._sparsity = sparsity
        self._interval_secs = interval_secs
        self._histograms_at = time.monotonic()
        self._train_dir = train_dir
        self._state = state
        self._first_step = step = int(state.global_step.numpy())
        _mark_start(step, train_dir)
        self._writer = open_writer(train_dir)
        self._validation_writer: tf.summary.SummaryWriter | None = None
        with writing(self._writer, train_dir, step):
            tf.summary.text("plan", plan_text.as_markdown(state.plan))

    def write_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
        """Writes scalars by their names."""
        with writing(self._writer, self._train_dir, step):
            for name, value in scalars.items():
                tf.summary.scalar(tag_of(name), value)

    def write_histograms_if_due(
        self, step: int, sample_images: Callable[[int], tf.Tensor], *, now: bool
    ) -> None:
        """Writes weights, activations, if they are wanted, and the images themselves.

        Args:
          step: the global step.
          sample_images: from a step to a few training images, `[n, height, width,
            channels]` float32; called only if the histograms are due.
          now: writes even if the interval is not over.
        """
        secs = time.monotonic() - self._histograms_at
        if not self._interval_secs or not (now or secs >= self._interval_secs):
            return
        self._histograms_at = time.monotonic()
        images = sample_images(step)
        weights = {n: tf.identity(v) for n, v in self._state.trained.items()}
        end_points: dict[str, tf.Tensor] = {}
        if self._outputs:
            # Layer by layer: compiling takes longer than it saves in an hour of calls.
            _, end_points = self._state.network(images, is_training=False)
        self._background.submit(
            functools.partial(self._write_histograms, step, weights, end_points, images)
        )

    def _write_histograms(
        self,
        step: int,
        weights: dict[str, tf.Tensor],
        end_points: dict[str, tf.Tensor],
        images: tf.Tensor,
    ) -> None:
        with writing(self._writer, self._train_dir, step):
            for name, values in weights.items():
                _write_histogram(f"weights/{name}", values.numpy())
            for name, output in end_points.items():
                _write_histogram(f"outputs/{name}", output.numpy())
                if self._sparsity:
                    share = tf.math.zero_fraction(output)
                    tf.summary.scalar(f"sparsity/{name}", share)
            tf.summary.image(self._images_tag, _to_unit_range(images), max_outputs=4)

    def write_validation(self, step: int, split_name: str, results: Results) -> None:
        """Writes the results of an evaluation during training."""
        if self._validation_writer is None:
            folder = os.path.join(self._train_dir, f"eval_{split_name}")
            _mark_start(self._first_step, folder)
            self._validation_writer = open_writer(folder)
        with writing(self._validation_writer, self._train_dir, step):
            _write_accuracy_and_loss(results)

    def close(self) -> None:
        """Writes out what is buffered."""
        for writer in (self._writer, self._validation_writer):
            if writer is not None:
                writer.close()


class NoSummaries:
    """In place of `TrainSummaries` where another machine writes."""

    def write_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
        """Writes nothing."""

    def write_histograms_if_due(
        self, step: int, sample_images: Callable[[int], tf.Tensor], *, now: bool
    ) -> None:
        """Writes nothing."""

    def write_validation(self, step: int, split_name: str, results: Results) -> None:
        """Writes nothing."""

    def close(self) -> None:
        """Writes nothing."""


def open_writer(folder: str) -> tf.summary.SummaryWriter:
    """Opens a writer of events in a folder.

    Raises:
      UserError: they cannot be written there.
    """
    with _explained_errors(folder):
        return tf.summary.create_file_writer(folder)


@contextlib.contextmanager
def writing(writer: tf.summary.SummaryWriter, folder: str, step: int) -> Iterator[None]:
    """Makes the writer the default of `tf.summary`, and flushes it afterwards.

    Raises:
      UserError: the events cannot be written.
    """
    with _explained_errors(folder):
        with writer.as_default(step):
            yield
        writer.flush()


@contextlib.contextmanager
def _explained_errors(folder: str) -> Iterator[None]:
    try:
        yield
    except tf.errors.OpError as error:  # a full disk, mostly
        raise UserError(
            f"{folder}: TensorBoard's events cannot be written:"
            f" {record_faults.without_nodes(error)}"
        ) from error


def _mark_start(step: int, log_dir: str) -> None:
    """Tells TensorBoard that a run starts or resumes after `step`.

    Later steps that it wrote before it was killed are hidden: they come again.
    """
    event_files.keep_order(log_dir)
    start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    writer = EventFileWriter(log_dir)
    writer.add_event(
        event_pb2.Event(wall_time=time.time(), step=step + 1, session_log=start)
    )
    writer.close()
    # Among files of the same second, the mark must come first.
    event_files.keep_order(log_dir)


def write_evaluation_scalars(results: Results) -> None:
    """Writes slim's `eval/Accuracy` and `eval/Recall_5`, and both curves."""
    tf.summary.scalar("eval/Accuracy", results.accuracy)
    tf.summary.scalar("eval/Recall_5", results.recall_5)
    _write_accuracy_and_loss(results)


def _write_accuracy_and_loss(results: Results) -> None:
    tf.summary.scalar(tag_of("accuracy"), results.accuracy)
    tf.summary.scalar(tag_of("loss"), results.loss)


def _write_histogram(tag: str, values: np.ndarray) -> None:
    """Like `tf.summary.histogram`, which needs 240 bytes of memory per value."""
    tf.summary.write(
        tag,
        tf.constant(buckets(values)),
        metadata=histogram_metadata.create_summary_metadata(None, None),
    )


def buckets(values: np.ndarray) -> np.ndarray:
    """A histogram in TensorBoard's format.

    Args:
      values: floats of any shape; those that are not finite are left out.

    Returns:
      `[30, 3]` float64, rows of left edge, right edge and count. If all values are
      equal, every edge is that value and the last row counts them all.
    """
    values = values[np.isfinite(values)]
    if values.size and np.ptp(values):
        counts, edges = np.histogram(values, _NUM_BUCKETS)
    else:
        counts = np.array([0] * (_NUM_BUCKETS - 1) + [values.size])
        edges = np.full(_NUM_BUCKETS + 1, values[0] if values.size else 0.0)
    return np.stack([edges[:-1], edges[1:], counts], axis=1).astype(np.float64)


def _to_unit_range(images: tf.Tensor) -> tf.Tensor:
    """Images scaled to [0, 1] by the batch's own range, whatever the preprocessing."""
    low, high = tf.reduce_min(images), tf.reduce_max(images)
    return (images - low) / tf.maximum(high - low, 1e-6)
