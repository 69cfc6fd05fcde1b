"""Evaluation of a network on a split: each image once."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from cluster.cluster import ALONE, Cluster
from common.progress import progress
from config.shared_options import DataOptions
from datasets import input_pipeline
from datasets.dataset import Dataset
from datasets.records import record_faults
from engine import inputs
from engine.cluster.agreement import WITH_NOBODY, Agreement
from engine.cluster.gathering import gather
from errors import UserError
from nets.network import Network

# Of the fields of `Results`.
_DTYPES = {
    "labels": np.int32,
    "predicted": np.int32,
    "probabilities": np.float32,
    "in_top_5": np.bool_,
    "losses": np.float32,
    "shards": np.int32,
    "records": np.int32,
}

LogitsFn = Callable[[dict[str, tf.Tensor]], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Results:
    """The predictions of a network for every image, in the order of the files.

    Attributes:
      labels: `[images]` int32, the true classes.
      predicted: `[images]` int32, the classes with the largest logits.
      probabilities: `[images]` float32, probabilities of the predicted classes.
      in_top_5: `[images]` bool, whether the true class has one of the 5 largest logits.
      losses: `[images]` float32, cross-entropies.
      shards: `[images]` int32, index of the file in `Dataset.shards`.
      records: `[images]` int32, index of the record in that file.
    """

    labels: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray
    in_top_5: np.ndarray
    losses: np.ndarray
    shards: np.ndarray
    records: np.ndarray

    @property
    def accuracy(self) -> float:
        """Share of images whose predicted class is the true one."""
        return float(np.mean(self.predicted == self.labels))

    @property
    def recall_5(self) -> float:
        """Share of images whose true class is among the 5 most likely."""
        return float(np.mean(self.in_top_5))

    @property
    def loss(self) -> float:
        """Mean cross-entropy, without smoothing or penalty."""
        return float(np.mean(self.losses))


class Evaluator:
    """Runs one network over one split, any number of times."""

    def __init__(
        self,
        dataset: Dataset,
        batches: tf.data.Dataset,
        logits_fn: LogitsFn,
        *,
        labels_offset: int = 0,
        cluster: Cluster = ALONE,
        agreement: Agreement = WITH_NOBODY,
    ) -> None:
        """Prepares the compiled step.

        Args:
          dataset: the split.
          batches: each of its examples once, as from `input_pipeline.eval_batches`.
          logits_fn: from a batch to its logits, `[batch, classes]` float32.
          labels_offset: what was subtracted from labels, for messages.
          cluster: the machines that share the batches: each gives its own ones as
            `batches`, `part=(rank, size)`.
          agreement: with these machines.
        """
        self._cluster = cluster
        self._agreement = agreement
        self._dataset = dataset
        self._batches = batches
        self._labels_offset = labels_offset
        self._batch_size = batches.element_spec["label"].shape[0]

        def step(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            labels = batch["label"]
            logits = logits_fn(batch)
            best = min(5, logits.shape[-1])
            return {
                "labels": labels,
                "predicted": tf.argmax(logits, 1, tf.int32),
                "probabilities": tf.reduce_max(tf.nn.softmax(logits), 1),
                "in_top_5": tf.math.in_top_k(labels, logits, best),
                "losses": tf.nn.sparse_softmax_cross_entropy_with_logits(
                    labels, logits
                ),
                "shards": batch["shard"],
                "records": batch["record"],
            }

        self._num_batches = math.ceil(dataset.num_examples / self._batch_size)
        self._step = tf.function(step, autograph=False)

    def run(self, max_num_batches: int | None = None) -> Results:
        """Evaluates the network with its current weights.

        Args:
          max_num_batches: number of batches to evaluate; None or 0 for all.

        Returns:
          The predictions.

        Raises:
          UserError: a record cannot be read or decoded, or has a label out of range, or
            a batch does not fit into memory.
        """
        num_batches = min(max_num_batches or self._num_batches, self._num_batches)
        own = self._own_outputs(range(num_batches))
        parts = gather(
            own,
            _DTYPES,
            num_pieces=num_batches,
            num_rows=self._batch_size,
            agreement=self._agreement,
        )
        return Results(
            **{key: np.concatenate([part[key] for part in parts]) for key in _DTYPES}
        )

    def _own_outputs(self, numbers: range) -> dict[int, dict[str, np.ndarray]]:
        """What this machine computes of some batches: its own, by number."""
        numbers = numbers[self._cluster.rank :: self._cluster.size]
        outputs: dict[int, dict[str, np.ndarray]] = {}
        try:
            steps = progress(
                self._batches.take(len(numbers)),
                total=len(numbers),
                desc="evaluating",
                unit="step",
            )
            for number, batch in zip(numbers, steps, strict=False):
                mask = batch["mask"].numpy()
                of_batch = self._step(batch)
                outputs[number] = {k: v.numpy()[mask] for k, v in of_batch.items()}
        except tf.errors.ResourceExhaustedError as error:
            raise UserError(
                f"out of memory evaluating batches of {self._batch_size} images: lower"
                " --batch_size"
            ) from error
        except record_faults.READ_ERRORS as error:
            raise record_faults.explain(
                self._dataset, error, labels_offset=self._labels_offset
            ) from error
        return outputs


def make_evaluator(
    network: Network,
    dataset: Dataset,
    data: DataOptions,
    *,
    batch_size: int,
    cluster: Cluster = ALONE,
    agreement: Agreement = WITH_NOBODY,
) -> Evaluator:
    """Makes the evaluator of a network on all images of a split.

    Args:
      network: the net.
      dataset: the split.
      data: how to read it.
      batch_size: images per batch.
      cluster: the machines that share the work; see `Evaluator`.
      agreement: with these machines.
    """
    batches = input_pipeline.eval_batches(
        dataset,
        inputs.preprocess_fn(data, network, is_training=False),
        batch_size=batch_size,
        labels_offset=data.labels_offset,
        num_threads=data.num_preprocessing_threads,
        part=(cluster.rank, cluster.size),
    )
    return Evaluator(
        dataset,
        batches,
        lambda batch: network(batch["image"], is_training=False)[0],
        labels_offset=data.labels_offset,
        cluster=cluster,
        agreement=agreement,
    )
