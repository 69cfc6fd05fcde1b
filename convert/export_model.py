r"""Exports a checkpoint to the formats of other programs.

    python convert/export_model.py --checkpoint_path=runs/a \
        --output_dir=export --formats=saved_model,tflite

The net, its image size, preprocessing and classes are read from `model.json` next to
the checkpoint; for a published checkpoint, flags give them. Every export is loaded
again and compared with the checkpoint on images before it appears under its name.
--output_file writes slim's inference graph: a GraphDef without weights.
"""

import script_start  # noqa: F401  (before all that takes time)

import contextlib
import os
import tempfile
import textwrap
from collections.abc import Iterator, Sequence

import numpy as np
from absl import logging
from google.protobuf import text_format

import common.quiet_tensorflow  # noqa: F401  (before others load it)
from common import atomic_files, native_log, storage
from common.progress import progress
from common.quiet_tensorflow import tf
from config import app, flags
from convert.exports import export_photos, graphs
from convert.exports.check import Check
from convert.exports.formats import FORMATS, Job
from convert.exports.options import MAX_SAMPLES, ExportConfig, ExportOptions
from datasets import input_pipeline, labels
from engine.restored import checkpoint_info
from engine.restored import classifier as classifiers
from engine.restored.classifier import Classifier
from errors import UserError
from nets.network import Network

_FULL_DISK = ("No space left on device", "File too large", "quota exceeded")
_COPIES = 3  # of the weights on disk: TensorFlow's, the converter's, the result


def export(
    job: Job, formats: Sequence[str], output_dir: str, check: Check
) -> Iterator[tuple[str, str]]:
    """Writes a classifier in some formats, each checked before it appears.

    Args:
      job: what to export.
      formats: keys of `FORMATS`.
      output_dir: folder for the exports and labels.txt, created if necessary.
      check: compares them with the checkpoint.

    Yields:
      The path of each export once it is written, and the result of its check.

    Raises:
      UserError: an export exists already, or cannot be written.
      CheckError: one differs from the checkpoint; it is removed.
    """
    for name in formats:
        path = os.path.join(output_dir, FORMATS[name].file)
        if storage.exists(path):
            raise UserError(
                f"{path} exists already: delete it, or choose another --output_dir"
            )
    with atomic_files.explained_errors(), _workshop(output_dir) as aside:
        for name in progress(
            formats, total=len(formats), desc="exporting", unit="format"
        ):
            kind = FORMATS[name]
            path = os.path.join(aside, kind.file)
            with native_log.held_back(), _full_disk_explained(job, output_dir):
                kind.write(job, path)
                found = check.compare(kind, path)
                found += f"\n{_wrapped(f'takes {kind.takes(path)}')}"
            target = os.path.join(output_dir, kind.file)
            atomic_files.move_new(path, target)
            if job.classifier.info.class_names:
                labels.write(output_dir, job.classifier.labels)
            yield target, found


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 80, initial_indent="  ", subsequent_indent="  ")


@contextlib.contextmanager
def _workshop(output_dir: str) -> Iterator[str]:
    """A hidden folder in `output_dir`, deleted afterwards, as is the latter if empty.

    It is also where converters put their temporary files.

    Raises:
      UserError: `output_dir` is inside a file.
    """
    storage.make_folders(output_dir)
    usual = tempfile.tempdir
    try:
        with atomic_files.scratch_directory(output_dir, "export") as aside:
            tempfile.tempdir = os.path.join(aside, "converting")
            os.mkdir(tempfile.tempdir)
            yield aside
    finally:
        tempfile.tempdir = usual
        with contextlib.suppress(OSError):
            os.rmdir(output_dir)


@contextlib.contextmanager
def _full_disk_explained(job: Job, output_dir: str) -> Iterator[None]:
    """Explains in one line what Python or TensorFlow report about a full disk.

    Raises:
      UserError: the disk is full, or the quota or the largest file size is reached.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        reason = next((r for r in _FULL_DISK if r in str(error)), None)
        if reason is None:
            raise
        weights = job.classifier.network.model_variables.values()
        num_bytes = sum(v.shape.num_elements() * v.dtype.size for v in weights)
        need = -(-num_bytes * _COPIES // 1_000_000)
        raise UserError(
            f"{output_dir}: {reason}; an export of this net needs about {need} MB"
            " there: free some space, or choose another --output_dir"
        ) from error


def write_inference_graph(
    network: Network, output_file: str, *, batch_size: int | None, as_text: bool
) -> str:
    """Writes the graph that slim's export_inference_graph writes.

    Args:
      network: the net; its weights are not written.
      output_file: the file.
      batch_size: the batch size of the placeholder; None for any size.
      as_text: write the text format of protocol buffers.

    Returns:
      The name of the node with the net's predictions, for tools that freeze graphs.
    """
    graph, predictions = graphs.inference_graph(network, batch_size)
    with atomic_files.explained_errors():
        if as_text:
            with atomic_files.atomic_write(output_file, "w") as file:
                file.write(text_format.MessageToString(graph))
        else:
            with atomic_files.atomic_write(output_file) as file:
                file.write(graph.SerializeToString(deterministic=True))
    return predictions


def _samples(classifier: Classifier, config: ExportConfig) -> list[np.ndarray]:
    """Preprocessed images from the folder or data set that calibrates int8.

    Raises:
      UserError: none can be read.
    """
    where = config.export.representative_dir
    if where:
        return [
            classifier.preprocess(classifier.decode(tf.constant(encoded))).numpy()
            for encoded in _representative(where, classifier.info.bits)
        ]
    info = classifier.info
    dataset = checkpoint_info.any_split(config.net, info.dataset_name)
    batches = input_pipeline.eval_batches(
        dataset,
        lambda image, _: classifier.preprocess(image),
        batch_size=1,
        labels_offset=info.labels_offset,
    )
    return [batch["image"][0].numpy() for batch in batches.take(MAX_SAMPLES)]


def _representative(where: str, bits: int | None) -> Iterator[bytes]:
    flag = "representative_dir"
    paths = export_photos.find(where, flag)
    # Spread over the folder, which may be sorted by class.
    some = paths[:: -(-len(paths) // MAX_SAMPLES)]
    photos = export_photos.readable(some, flag, bits)
    read = progress(photos, total=len(some), desc="reading", unit="photo")
    return (encoded for _, encoded in read)


def _check(classifier: Classifier, options: ExportOptions) -> Check:
    photos = export_photos.generated()
    if options.check_images:
        flag = "check_images"
        paths = export_photos.find(options.check_images, flag)
        photos = []
        bits = classifier.info.bits
        for path, _ in export_photos.readable(paths, flag, bits):
            with open(path, "rb") as file:  # unchanged, as it will be served
                photos.append(file.read())
    return Check(classifier, photos, options.max_difference)


def main() -> None:
    """Exports what the flags ask for."""
    export_all(flags.read(ExportConfig))


def export_all(config: ExportConfig) -> None:
    """Exports what the options ask for, and prints the results.

    Raises:
      UserError: wrong input, or an export exists already or cannot be written.
      CheckError: one differs from the checkpoint; it is removed.
    """
    export_options, graph = config.export, config.graph
    if export_options.checkpoint_path:
        classifier = classifiers.load(
            export_options.checkpoint_path,
            config.net,
            use_moving_average=bool(export_options.moving_average_decay),
        )
    else:
        classifier = Classifier(checkpoint_info.info_of(None, config.net))
    if graph.output_file:
        predictions = write_inference_graph(
            classifier.network,
            graph.output_file,
            batch_size=export_options.batch_size,
            as_text=graph.write_text_graphdef,
        )
        logging.info(
            "%s: the predictions are %s; preprocessed float32 images go into the node"
            " %s",
            *(graph.output_file, predictions, graphs.INPUT),
        )
    if export_options.output_dir:
        _write_exports(classifier, config, export_options.output_dir)


def _write_exports(
    classifier: Classifier, config: ExportConfig, output_dir: str
) -> None:
    check = _check(classifier, config.export)
    # Before any slow conversion, as they may not be readable.
    needs_samples = "tflite_int8" in config.formats
    samples = _samples(classifier, config) if needs_samples else []
    job = Job(
        classifier,
        config.export.batch_size,
        lambda: samples,
        config.export.tflite_int8_io,
    )
    for path, found in export(job, config.formats, output_dir, check):
        print(f"{path}: {found}", flush=True)


if __name__ == "__main__":
    flags.define(ExportConfig)
    app.run(main, in_one_task=True)
