r"""Shows what a data set holds, and the batches that training makes of it.

    python convert/inspect_dataset.py --dataset_dir=data/stamps \
        --model_name=inception_v3 --output_dir=sheets

Prints the number of images of each class and split, their formats and sizes, and images
that occur more than once. With --output_dir it also draws a sheet of images for each
class, and the first augmented batches of a training run with the same flags.
"""

import script_start  # noqa: F401  (before all that takes time)

import dataclasses
import os
import re
from collections.abc import Set

import numpy as np
from PIL import Image

from common import atomic_files, storage
from common.progress import progress
from common.quiet_tensorflow import tf
from common.untrusted_text import CsvWriter
from config import app, flags
from config.options import Options, option
from config.shared_options import DataOptions, ModelNameOptions
from config.training.augmentation_options import AugmentationOptions
from config.training.data_options import TrainDataOptions
from convert.inspection import contact_sheet, report
from convert.inspection.survey import SAMPLE_SIDE, Survey
from datasets import dataset_factory, input_pipeline
from datasets.dataset import Dataset
from datasets.records import record_faults
from engine import inputs
from engine.step import randomness
from errors import UserError
from nets import nets_factory
from preprocessing import preprocessing_factory

_BATCH_SIDE = 160  # pixels


@dataclasses.dataclass(frozen=True)
class InspectionOptions(Options):
    """Inspection."""

    output_dir: str | None = option(
        None,
        "Folder for classes/*.png, batches/*.png and duplicates.csv. By default only"
        " tables are printed.",
    )
    images_per_class: int = option(20, "Images on each class's sheet.", minimum=1)
    num_batches: int = option(2, "Number of augmented batches to draw.", minimum=0)
    seed: int = option(
        0, "The --seed of the training run to draw batches of.", minimum=0
    )


@dataclasses.dataclass(frozen=True)
class InspectionConfig:
    """All options: those of training that affect its images, and our own."""

    inspection: InspectionOptions
    data: DataOptions
    train_data: TrainDataOptions
    augmentation: AugmentationOptions
    model: ModelNameOptions


def main() -> None:
    """Reads the flags and inspects."""
    with atomic_files.explained_errors():
        inspect(flags.read(InspectionConfig), given=flags.given())


def inspect(config: InspectionConfig, given: Set[str]) -> None:
    """Prints the tables, and draws the pictures if asked for.

    Args:
      config: the options.
      given: names of the flags on the command line.

    Raises:
      UserError: the data set does not exist, cannot be read, or has unusable records.
    """
    data = inputs.with_found_name(config.data, given)
    name, directory = data.dataset_name, data.dataset_dir or ""
    output_dir = config.inspection.output_dir
    storage.require_local(output_dir, flag="output_dir", instead="name a local folder")
    splits = [
        dataset_factory.get_dataset(name, split, directory)
        for split in dataset_factory.available_splits(name, directory)
    ]
    training = dataset_factory.get_dataset(
        name, config.train_data.dataset_split_name, directory
    )
    preprocess_fn = _preprocess_fn(
        config
    )  # reports an unknown net before the slow part
    print(report.class_table(splits))
    survey = Survey(config.inspection.images_per_class if output_dir else 0)
    for dataset in splits:
        survey.add(dataset)
    print(report.size_table(splits, survey))
    print(report.copies_text(splits[0], survey))
    if output_dir:
        _write_sheets(splits[0], survey, os.path.join(output_dir, "classes"))
        _write_copies(survey, os.path.join(output_dir, "duplicates.csv"))
    if survey.unfit:
        raise UserError(report.unfit_text(splits[0], survey))
    if output_dir:
        directory = os.path.join(output_dir, "batches")
        _write_batches(config, training, preprocess_fn, directory)
        print(f"Wrote pictures and duplicates.csv to {output_dir}")


def _write_sheets(dataset: Dataset, survey: Survey, directory: str) -> None:
    os.makedirs(directory, exist_ok=True)
    for label, samples in progress(
        survey.samples.items(), total=len(survey.samples), desc="drawing", unit="class"
    ):
        title = report.class_title(dataset, label)
        sheet = contact_sheet.draw(
            [sample.image for sample in samples],
            [f"{sample.width} × {sample.height}" for sample in samples],
            title=title,
            side=SAMPLE_SIDE,
        )
        stem = re.sub(r"[^\w.-]+", "_", title.replace(":", "_"))[:100]
        _write_png(sheet, os.path.join(directory, f"{stem}.png"))


def _write_copies(survey: Survey, path: str) -> None:
    with atomic_files.atomic_write(path, "w") as file:
        writer = CsvWriter(file)
        writer.write_row(["group", "split", "file", "record", "label", "photo"])
        for group, records in enumerate(survey.copies):
            for record in records:
                place = [record.split, record.file, record.number, record.label]
                writer.write_row([group, *place, record.photo])


def _write_batches(
    config: InspectionConfig,
    dataset: Dataset,
    preprocess_fn: input_pipeline.PhotoPreprocessFn,
    directory: str,
) -> None:
    """Draws the first batches of a training run with the same flags."""
    data, train, seed = config.data, config.train_data, config.inspection.seed
    examples = input_pipeline.TrainExamples(
        dataset,
        preprocess_fn,
        seed=seed,
        labels_offset=data.labels_offset,
        num_readers=train.num_readers,
    )
    batches = input_pipeline.train_batches(
        examples,
        batch_size=train.batch_size,
        seed=seed,
        num_threads=data.num_preprocessing_threads,
    )
    os.makedirs(directory, exist_ok=True)
    try:
        for number, batch in enumerate(batches.take(config.inspection.num_batches)):
            images, targets = randomness.mix(
                batch["image"],
                tf.one_hot(batch["label"], dataset.num_classes - data.labels_offset),
                randomness.step_seed(seed, tf.constant(number, tf.int64), 0),
                config.augmentation,
            )
            sheet = contact_sheet.draw(
                _to_images(images.numpy()),
                [_caption(dataset, data, shares) for shares in targets.numpy()],
                title=f"batch {number} of {dataset.name}, {dataset.split_name}",
                side=_BATCH_SIDE,
            )
            _write_png(sheet, os.path.join(directory, f"{number}.png"))
    except record_faults.READ_ERRORS as error:
        raise record_faults.explain(
            dataset, error, labels_offset=data.labels_offset
        ) from error


def _caption(dataset: Dataset, data: DataOptions, shares: np.ndarray) -> str:
    """The class of an image, or the classes of a mixed one with their shares."""
    titles = [
        (share, report.class_title(dataset, label + data.labels_offset))
        for label, share in enumerate(shares)
        if share > 0
    ]
    if len(titles) == 1:
        return titles[0][1]
    return ", ".join(f"{share:.0%} {title}" for share, title in sorted(titles)[::-1])


def _preprocess_fn(config: InspectionConfig) -> input_pipeline.PhotoPreprocessFn:
    entry = nets_factory.get_entry(config.model.model_name)
    size = config.train_data.train_image_size or entry.image_size
    recipe = preprocessing_factory.get_preprocessing(
        config.data.preprocessing_name or entry.preprocessing,
        True,
        config.data.use_grayscale,
    )

    return inputs.augmented(recipe, size, config.augmentation)


def _to_images(batch: np.ndarray) -> list[Image.Image]:
    """A batch, [n, h, w, 1 or 3] in any range, as images scaled to the full range."""
    low, high = batch.min(), batch.max()
    scaled = (batch - low) * (255 / max(high - low, 1e-6))
    pixels = np.broadcast_to(scaled, (*batch.shape[:3], 3)).round().astype(np.uint8)
    return [Image.fromarray(image) for image in pixels]


def _write_png(image: Image.Image, path: str) -> None:
    with atomic_files.atomic_write(path) as file:
        image.save(file, "PNG")


if __name__ == "__main__":
    flags.define(InspectionConfig)
    app.run(main)
