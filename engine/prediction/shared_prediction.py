"""Prediction by several tasks: blocks of photos, each in a file until all are there.

A block is of consecutive photos, whole batches of them, so that blocks put together in
order are what one task would have written; and it does not depend on the number of
tasks, so that a command started again with any number takes what is there.
"""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from checkpoints.slim_format import digest_of
from cluster.shares import Share, missing_of
from common import storage
from common.atomic_files import atomic_write
from common.progress import progress
from config.predict_config import PredictConfig
from config.version import VERSION
from engine.prediction.photo_batches import Arrays
from engine.prediction.prediction_photos import PredictionPhotos
from engine.prediction.predictions import Guess, Prediction
from engine.restored.classifier import Classifier

_MOST_PHOTOS = 1024  # of a block: what a task that is killed does again
_BLOCKS = 256  # at least, where there are enough photos to share out evenly
_STATS_AT_ONCE = 32  # in object storage each is a request
# Where to and how fast, which change no prediction; the checkpoint has a digest.
_NOT_TOLD = ("output_file", "num_preprocessing_threads", "checkpoint_path")

# Predicts the photos; features go into the file named, and there are no predictions.
Predict = Callable[[PredictionPhotos, str], Sequence[Prediction]]


def identity(
    config: PredictConfig, photos: PredictionPhotos, members: Sequence[Classifier]
) -> str:
    """A digest of all that predictions depend on: photos, nets, options, versions."""
    options = dataclasses.asdict(config.predict)
    for name in _NOT_TOLD:
        del options[name]
    with concurrent.futures.ThreadPoolExecutor(_STATS_AT_ONCE) as pool:
        states = list(pool.map(_state, photos.paths))
    facts = [
        photos.paths,
        states,
        sorted(photos.named),
        photos.folders,
        [digest_of(member.checkpoint_path) for member in members],
        [dataclasses.asdict(member.info) for member in members],
        options,
        dataclasses.asdict(config.net),
        VERSION,
        tf.__version__,
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _state(path: str) -> list[int] | None:
    """The bytes of a file and when they were last changed; None if it is not there."""
    with contextlib.suppress(OSError):
        times = storage.times(path)
        return [times["num_bytes"], times["modified_ns"]]
    return None


class SharedPrediction:
    """The blocks of a prediction, in a folder beside the output until all are there."""

    def __init__(
        self,
        config: PredictConfig,
        photos: PredictionPhotos,
        members: Sequence[Classifier],
    ) -> None:
        """Makes the folder.

        Args:
          config: the options; blocks of others are left alone.
          photos: all of them.
          members: the nets, loaded.
        """
        self._output_file = config.predict.output_file or ""
        self._photos = photos
        self._folder = f"{self._output_file}.parts"
        self._identity = identity(config, photos, members)
        number, batch = len(photos.paths), config.predict.batch_size
        num_batches = min(-(-number // (_BLOCKS * batch)), _MOST_PHOTOS // batch)
        size = max(1, num_batches) * batch
        self._blocks = [slice(at, at + size) for at in range(0, number, size)]
        storage.make_folders(self._folder)

    def status_of_done(self) -> int | None:
        """The exit status of this command, finished; None if it is not.

        It is not finished either where another command has written the output since.
        """
        done = self._path("done")
        if not storage.is_file(done):
            return None
        with storage.open_text(done) as file:
            noted = json.load(file)
        is_untouched = noted["output"] == _state(self._output_file)
        return int(noted["status"]) if is_untouched else None

    def missing(self) -> list[int]:
        """The numbers of the blocks that are not there yet."""
        return missing_of([self._path(number) for number in range(len(self._blocks))])

    def do_share(self, share: Share, predict: Predict) -> PredictionPhotos:
        """Predicts this task's blocks that are missing.

        Returns:
          What became of their photos.
        """
        mine = [number for number in self.missing() if share.holds(number)]
        logging.info("%s: %d of %d blocks", share, len(mine), len(self._blocks))
        seen = dataclasses.replace(self._photos, faults=[], paths=[])
        for number in progress(mine, total=len(mine), desc="predicting", unit="block"):
            block = dataclasses.replace(
                self._photos,
                paths=self._photos.paths[self._blocks[number]],
                faults=[],
                left_out=[],
                num_fit=0,
            )
            found = predict(block, self._path(number, "npz"))
            content = {
                "faults": block.faults,
                "left_out": block.left_out,
                "num_fit": block.num_fit,
                "predictions": [dataclasses.asdict(one) for one in found],
            }
            with atomic_write(self._path(number), "w") as file:
                json.dump(content, file)
            seen.faults += block.faults
        return seen

    def predictions(self) -> list[Prediction]:
        """All predictions, in order; counts what became of the photos."""
        found = []
        for number in range(len(self._blocks)):
            content = self._content(number)
            self._photos.faults += content["faults"]
            self._photos.left_out += content["left_out"]
            self._photos.num_fit += content["num_fit"]
            for one in content["predictions"]:
                guesses = tuple(Guess(**guess) for guess in one["guesses"])
                found.append(Prediction(one["photo"], guesses, one["error"]))
        return found

    def features(self) -> Iterator[tuple[str, Arrays]]:
        """Each photo that is fit, in order, with its features."""
        for number in range(len(self._blocks)):
            if not self._content(number)["num_fit"]:
                continue
            with (
                storage.open_bytes(self._path(number, "npz")) as file,
                np.load(file) as archive,
            ):
                columns = {name: archive[name] for name in archive.files}
            names = columns.pop("names")
            columns.pop("labels", None)
            for row, name in enumerate(names.tolist()):
                yield name, {key: array[row] for key, array in columns.items()}

    def finish(self, status: int) -> None:
        """Removes the blocks, and says that all are in the output."""
        with atomic_write(self._path("done"), "w") as file:
            output = _state(self._output_file)
            json.dump({"status": status, "output": output}, file)
        for name in storage.names_in(self._folder):
            if name != os.path.basename(self._path("done")):
                storage.remove(os.path.join(self._folder, name))

    def _content(self, number: int) -> dict[str, Any]:
        with storage.open_text(self._path(number)) as file:
            content: dict[str, Any] = json.load(file)
        return content

    def _path(self, block: int | str, suffix: str = "json") -> str:
        number = f"{block:05d}" if isinstance(block, int) else block
        return os.path.join(self._folder, f"{self._identity}-{number}.{suffix}")
