"""What is exported: a checkpoint's net, its preprocessing and its classes."""

import dataclasses
import os

import tensorflow as tf

from checkpoints import model_record, slim_format
from checkpoints.model_record import ModelRecord
from checkpoints.slim_format import Checkpoint
from datasets import dataset_factory, example_schema, imagenet
from datasets.dataset import Dataset
from engine import eval_weights
from errors import UserError
from nets import nets_factory
from nets.network import Network
from preprocessing import preprocessing_factory

_DEFAULT_NET = "inception_v3"  # slim's


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What the flags say of a checkpoint; None where `model.json` or slim decides.

    Attributes:
      model_name: the net.
      image_size: side of its images, in pixels.
      preprocessing_name: name in `preprocessing_factory`.
      use_grayscale: whether images are turned to one channel.
      labels_offset: subtracted from the data set's number of classes.
      dataset_name: names the classes where there is no `model.json`.
      dataset_dir: the data set's folder; not needed for imagenet.
    """

    model_name: str | None = None
    image_size: int | None = None
    preprocessing_name: str | None = None
    use_grayscale: bool | None = None
    labels_offset: int | None = None
    dataset_name: str = "imagenet"
    dataset_dir: str | None = None

    def record(self) -> ModelRecord:
        """What a published checkpoint, without `model.json`, is for.

        Raises:
          UserError: nothing says how many classes there are, or no such net.
        """
        entry = nets_factory.get_entry(self.model_name or _DEFAULT_NET)
        names, total = self._classes()
        offset = self.labels_offset or 0
        if offset >= total:
            raise UserError(f"--labels_offset={offset}: there are only {total} classes")
        return ModelRecord(
            model_name=self.model_name or _DEFAULT_NET,
            image_size=self.image_size or entry.image_size,
            use_grayscale=bool(self.use_grayscale),
            preprocessing_name=self.preprocessing_name or entry.preprocessing,
            labels_offset=offset,
            dataset_name=self.dataset_name,
            num_classes=total - offset,
            class_names=names and names[offset:],
        )

    def _classes(self) -> tuple[tuple[str, ...] | None, int]:
        if self.dataset_dir:
            dataset = any_split(self.dataset_name, self.dataset_dir)
            return dataset.class_names, dataset.num_classes
        if self.dataset_name != "imagenet":
            raise UserError(
                f"--dataset_name={self.dataset_name} does not say how many classes"
                f" there are, nor does {model_record.FILE_NAME} beside the checkpoint:"
                " give --dataset_dir"
            )
        names = imagenet.class_names(1001)
        return names, 1001

    def completed(self, record: ModelRecord) -> ModelRecord:
        """The record, with the image size that a flag may change.

        Raises:
          UserError: another flag contradicts the record.
        """
        for name in (
            *("model_name", "preprocessing_name", "use_grayscale", "labels_offset"),
        ):
            value, recorded = getattr(self, name), getattr(record, name)
            if value is not None and value != recorded:
                raise UserError(
                    f"--{name}={value} contradicts {model_record.FILE_NAME} beside the"
                    f" checkpoint, which was trained with {recorded}: leave it out"
                )
        return dataclasses.replace(
            record, image_size=self.image_size or record.image_size
        )


class Classifier:
    """A net with weights, from photographs to probabilities.

    Attributes:
      record: what the net is.
      network: the net.
      image_channels: of the images that it takes undecoded: 3, or 1 where it was
        trained on grey data.
    """

    def __init__(self, record: ModelRecord, image_channels: int = 3) -> None:
        self.record = record
        self.image_channels = image_channels
        self._recipe = preprocessing_factory.get_preprocessing(
            record.preprocessing_name, False, record.use_grayscale
        )
        blank = tf.zeros([32, 32, image_channels], tf.uint8)
        self.network = Network(
            record.model_name,
            num_classes=record.num_classes,
            image_size=record.image_size,
            channels=int(self._recipe(blank, 32, 32).shape[-1]),
        )

    @property
    def labels(self) -> list[str]:
        """A name a logit: its number where the classes have no names."""
        names = self.record.class_names
        return list(names or map(str, range(self.record.num_classes)))

    def decode(self, encoded: tf.Tensor) -> tf.Tensor:
        """The pixels, [height, width, channels] uint8, of a photograph's bytes."""
        features = {
            example_schema.ENCODED: encoded,
            example_schema.FORMAT: tf.constant(""),
            example_schema.HEIGHT: tf.constant(0, tf.int64),
            example_schema.WIDTH: tf.constant(0, tf.int64),
        }
        return example_schema.decode_image(features, self.image_channels)

    def preprocess(self, pixels: tf.Tensor) -> tf.Tensor:
        """The net's input, [size, size, channels] float32, of uint8 pixels."""
        return self._recipe(pixels, self.record.image_size, self.record.image_size)

    def probabilities(self, images: tf.Tensor) -> tf.Tensor:
        """[batch, num_classes] float32 in [0, 1] of preprocessed images."""
        return tf.nn.softmax(self.network(images, is_training=False)[0])


def describe(checkpoint_path: str | None, wanted: Wanted) -> ModelRecord:
    """What a checkpoint is, by `model.json` beside it, else by the flags.

    Args:
      checkpoint_path: a prefix or a file; None where only flags speak.
      wanted: the flags.

    Raises:
      UserError: a flag contradicts `model.json`, or the two say too little.
    """
    folder = os.path.dirname(checkpoint_path) or "." if checkpoint_path else None
    record = model_record.read(folder) if folder else None
    return wanted.completed(record) if record else wanted.record()


def load(path: str, wanted: Wanted, *, use_moving_average: bool) -> Classifier:
    """A checkpoint's classifier.

    Args:
      path: a checkpoint, its prefix or a folder, of which the newest is taken.
      wanted: the flags.
      use_moving_average: take the variables' moving averages.

    Raises:
      UserError: there is no checkpoint, or it does not fit what is said of it.
    """
    checkpoint = Checkpoint(slim_format.find_checkpoint(path))
    record = describe(checkpoint.path, wanted)
    classifier = Classifier(record)
    if _takes_grey(classifier.network, checkpoint):
        classifier = Classifier(record, image_channels=1)
    offset, names = record.labels_offset, record.class_names
    classes = Dataset(
        record.dataset_name,
        *("", "", (), 0),
        num_classes=record.num_classes + offset,
        class_names=names and (*("",) * offset, *names),
        class_counts=(),
    )
    eval_weights.load(
        classifier.network, checkpoint, classes, use_moving_average=use_moving_average
    )
    return classifier


def _takes_grey(network: Network, checkpoint: Checkpoint) -> bool:
    """Whether the first kernel, [height, width, channels, …], is for one channel."""
    shapes = network.variable_shapes()
    first = next(name for name, shape in shapes.items() if len(shape) == 4)
    saved = checkpoint.shapes.get(first, ())
    return len(saved) == 4 and saved[2] == 1 and shapes[first][2] == 3


def any_split(name: str, dataset_dir: str) -> Dataset:
    """The split `train` of a data set, else its first.

    Raises:
      UserError: there is no such data set.
    """
    dataset_factory.require_directory(dataset_dir)
    splits = dataset_factory.available_splits(name, dataset_dir)
    split = splits[0] if splits and "train" not in splits else "train"
    return dataset_factory.get_dataset(name, split, dataset_dir)
