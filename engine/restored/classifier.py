"""A checkpoint as a function from photos to probabilities."""

import tensorflow as tf
from absl import logging

from checkpoints import slim_format
from checkpoints.model_info import ModelInfo
from checkpoints.slim_format import Checkpoint
from config.predict_config import NetOptions
from datasets import example_schema
from datasets.dataset import Dataset
from engine.restored import checkpoint_info, checkpoint_run, eval_weights
from nets.network import Network, first_kernel
from nets.new_head import NewHead
from preprocessing import preprocessing_factory
from preprocessing.photo import Photo


class Classifier:
    """A net with weights, from photos to probabilities.

    Attributes:
      info: what the net is.
      checkpoint_path: where its weights are from; "" before `load`.
      network: the net.
      image_channels: number of channels to decode photos to: 3, or 1 if it was trained
        on gray data.
    """

    def __init__(
        self, info: ModelInfo, image_channels: int = 3, precision: str = "float32"
    ) -> None:
        self.info = info
        self.checkpoint_path = ""
        self.image_channels = image_channels
        self._recipe = preprocessing_factory.get_preprocessing(
            info.preprocessing_name, False, info.use_grayscale
        )
        blank = tf.zeros([32, 32, image_channels], tf.uint8)
        self.network = Network(
            info.model_name,
            num_classes=info.num_classes,
            image_size=info.image_size,
            channels=int(self._recipe(blank, 32, 32).shape[-1]),
            precision=precision,
            head=NewHead.of(info),
            draw_weights=False,
        )

    @property
    def labels(self) -> list[str]:
        """A name for each logit: its label if the classes have no names."""
        info = self.info
        first = info.labels_offset
        labels = range(first, first + info.num_classes)
        return list(info.class_names or map(str, labels))

    def decode(self, encoded: tf.Tensor) -> tf.Tensor:
        """Decodes the bytes of a photo to `[height, width, image_channels]` uint8."""
        features = {
            example_schema.ENCODED: encoded,
            example_schema.FORMAT: tf.constant(""),
            example_schema.HEIGHT: tf.constant(0, tf.int64),
            example_schema.WIDTH: tf.constant(0, tf.int64),
        }
        return example_schema.decode_image(features, self.image_channels)

    def preprocess(
        self, photo: Photo | tf.Tensor, size: int | None = None
    ) -> tf.Tensor:
        """Preprocesses a photo to `[size, size, channels]` float32.

        Args:
          photo: `[height, width, image_channels]` uint8, decoded or not yet.
          size: side in pixels; None for the net's.
        """
        size = size or self.info.image_size
        return self._recipe(photo, size, size)

    def probabilities(self, images: tf.Tensor) -> tf.Tensor:
        """Probabilities, `[batch, num_classes]` float32, of preprocessed images."""
        return tf.nn.softmax(self.network(images, is_training=False)[0])


def load(
    path: str,
    options: NetOptions,
    *,
    use_moving_average: bool,
    needs_head: bool = True,
    precision: str = "float32",
) -> Classifier:
    """Loads the classifier of a checkpoint.

    Args:
      path: a checkpoint, its prefix or a folder (its newest checkpoint).
      options: what the checkpoint is, as far as `model.json` does not say.
      use_moving_average: whether to use the variables' moving averages.
      needs_head: see `eval_weights.load`.
      precision: see `--precision`.

    Raises:
      UserError: there is no checkpoint, or it does not fit the options.
    """
    checkpoint = Checkpoint(slim_format.find_checkpoint(path))
    checkpoint_run.tell_of_best(path, checkpoint)
    info = checkpoint_info.info_of(checkpoint, options)
    logging.info(
        "%s: %s%s at %d px, %d classes of %s",
        *(checkpoint.path, info.model_name, NewHead.of(info).as_flags()),
        *(info.image_size, info.num_classes),
        info.dataset_name or "an unknown data set",
    )
    classifier = Classifier(info, precision=precision)
    if _takes_gray(classifier.network, checkpoint):
        classifier = Classifier(info, image_channels=1, precision=precision)
    offset, names = info.labels_offset, info.class_names
    classes = Dataset(
        info.dataset_name or "its own data set",
        *("", "", (), 0),
        num_classes=info.num_classes + offset,
        class_names=names and (*("",) * offset, *names),
        class_counts=(),
    )
    eval_weights.load(
        classifier.network,
        checkpoint,
        classes,
        use_moving_average=use_moving_average,
        needs_head=needs_head,
    )
    classifier.checkpoint_path = checkpoint.path
    return classifier


def _takes_gray(network: Network, checkpoint: Checkpoint) -> bool:
    """Whether the first kernel was saved for one channel, and is for three."""
    shapes = network.variable_shapes()
    first = first_kernel(shapes)
    saved = checkpoint.shapes.get(first, ())
    return len(saved) == 4 and saved[2] == 1 and shapes[first][2] == 3
