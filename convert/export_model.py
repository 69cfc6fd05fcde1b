r"""Exports a checkpoint to the forms that other programs take.

    python -m convert.export_model --checkpoint_path=/tmp/run --output_dir=/tmp/export \
        --formats=saved_model,tflite

`model.json` beside the checkpoint says which net it is, with its image size,
preprocessing and classes; of a published checkpoint flags say it. Every export is
loaded again and compared with the checkpoint on images before it gets its name. With
--output_file it writes slim's inference graph: a GraphDef without weights.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
from absl import logging
from google.protobuf import text_format

from config import app, flags
from config.progress import progress
from convert import export_check, export_flags, export_graph
from convert.export_check import Check
from convert.export_flags import ExportConfig, ExportOptions
from convert.export_formats import FORMATS, Job
from datasets import files, input_pipeline, labels
from engine import checkpoint_record
from engine import classifier as classifiers
from engine.classifier import Classifier
from errors import UserError
from nets.network import Network


def export(
    job: Job, formats: Sequence[str], output_dir: str, check: Check
) -> Iterator[tuple[str, str]]:
    """Writes a classifier in some formats, each checked before it gets its name.

    Args:
      job: what to export.
      formats: keys of `FORMATS`.
      output_dir: made if absent; gets the exports and labels.txt.
      check: compares them with the checkpoint.

    Yields:
      Of each export, once it is there, its path and what the check found.

    Raises:
      UserError: an export is there already, or cannot be written.
      CheckError: one differs from the checkpoint; it is not left behind.
    """
    for name in formats:
        path = os.path.join(output_dir, FORMATS[name].file)
        if os.path.exists(path):
            raise UserError(
                f"{path} is there already: remove it, or choose another --output_dir"
            )
    with files.explained_errors(), _workshop(output_dir) as aside:
        for name in progress(
            formats, total=len(formats), desc="exporting", unit="format"
        ):
            kind = FORMATS[name]
            path = os.path.join(aside, kind.file)
            kind.write(job, path)
            found = check.compare(kind, path)
            target = os.path.join(output_dir, kind.file)
            os.rename(path, target)
            if job.classifier.record.class_names:
                labels.write(output_dir, job.classifier.labels)
            yield target, found


@contextlib.contextmanager
def _workshop(output_dir: str) -> Iterator[str]:
    """A hidden folder inside `output_dir`, gone afterwards; so is the latter if empty.

    Raises:
      UserError: a name on the way to it is a file's.
    """
    os.makedirs(output_dir, exist_ok=True)
    aside = tempfile.mkdtemp(prefix=".export.tmp-", dir=output_dir)
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.rmdir(output_dir)


def write_inference_graph(
    network: Network, output_file: str, *, batch_size: int | None, as_text: bool
) -> str:
    """Writes what slim's export_inference_graph does.

    Args:
      network: the net; its weights are not written.
      output_file: the file.
      batch_size: images at once; None leaves it open.
      as_text: write the text form of protocol buffers.

    Returns:
      The name of the node with the net's predictions, for tools that freeze.
    """
    graph, predictions = export_graph.inference_graph(network, batch_size)
    with files.explained_errors():
        if as_text:
            with files.atomic_write(output_file, "w") as file:
                file.write(text_format.MessageToString(graph))
        else:
            with files.atomic_write(output_file) as file:
                file.write(graph.SerializeToString(deterministic=True))
    return predictions


def _samples(classifier: Classifier, config: ExportConfig) -> Iterator[np.ndarray]:
    """Preprocessed images of the folder or data set that calibrates int8."""
    where = config.export.representative_dir
    if where:
        paths = export_check.find_photos(where, "representative_dir")
        # From everywhere in the folder, which may be sorted by class.
        for path in paths[:: -(-len(paths) // export_flags.MAX_SAMPLES)]:
            pixels = classifier.decode(tf.constant(export_check.read_photo(path)))
            yield classifier.preprocess(pixels).numpy()
        return
    record = classifier.record
    dataset = checkpoint_record.any_split(config.net, record.dataset_name)
    batches = input_pipeline.eval_batches(
        dataset,
        lambda image, _: classifier.preprocess(image),
        batch_size=1,
        labels_offset=record.labels_offset,
    )
    for batch in batches.take(export_flags.MAX_SAMPLES):
        yield batch["image"][0].numpy()


def _check(classifier: Classifier, options: ExportOptions) -> Check:
    photos = export_check.generated_photos()
    if options.check_images:
        names = export_check.find_photos(options.check_images, "check_images")
        photos = [export_check.read_photo(name) for name in names]
    return Check(classifier, photos, options.max_difference)


def main() -> None:
    """Exports what the flags say."""
    config = flags.read(ExportConfig)
    export_options, graph = config.export, config.graph
    if export_options.checkpoint_path:
        classifier = classifiers.load(
            export_options.checkpoint_path,
            config.net,
            use_moving_average=bool(export_options.moving_average_decay),
        )
    else:
        classifier = Classifier(checkpoint_record.describe(None, config.net))
    if graph.output_file:
        predictions = write_inference_graph(
            classifier.network,
            graph.output_file,
            batch_size=export_options.batch_size,
            as_text=graph.write_text_graphdef,
        )
        logging.info("%s: predictions are %s", graph.output_file, predictions)
    if export_options.output_dir:
        _export_all(classifier, config, export_options.output_dir)


def _export_all(classifier: Classifier, config: ExportConfig, output_dir: str) -> None:
    job = Job(
        classifier,
        config.export.batch_size,
        lambda: progress(
            _samples(classifier, config), total=None, desc="calibrating", unit="image"
        ),
    )
    check = _check(classifier, config.export)
    for path, found in export(job, config.formats, output_dir, check):
        print(f"{path}: {found}", flush=True)


if __name__ == "__main__":
    flags.define(ExportConfig)
    app.run(main)
