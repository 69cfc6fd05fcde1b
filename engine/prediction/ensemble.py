"""Predictions averaged over several checkpoints and several views of a photo."""

from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from common.untrusted_text import first_few
from engine.prediction import photo_views
from engine.restored.classifier import Classifier
from errors import UserError
from preprocessing.photo import Photo


class Ensemble:
    """Classifiers of the same classes whose probabilities are averaged.

    Attributes:
      members: the classifiers, at least one.
    """

    def __init__(self, members: Sequence[Classifier], tta: Sequence[str]) -> None:
        """Takes the classifiers.

        Args:
          members: with the same classes; see `require_same_classes`.
          tta: views of each photo, see `photo_views.views`.
        """
        self.members = members
        self._tta = tta

    def views(
        self, photo_for: Callable[[Classifier], Photo | tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Preprocesses a photo for every member.

        Args:
          photo_for: returns the photo, decoded for a member.

        Returns:
          `[views, size, size, channels]` float32 by the member's index.
        """
        return {
            str(i): photo_views.views(member, photo_for(member), self._tta)
            for i, member in enumerate(self.members)
        }

    def log_probabilities(self, views: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Logarithms of the mean probabilities over members and views.

        As a logarithm, a mean that would underflow in float32 stays exact.

        Args:
          views: `[batch, views, size, size, channels]` float32 by the member's index.

        Returns:
          `[batch, classes]` float32.
        """
        answers = []
        for i, member in enumerate(self.members):
            images = views[str(i)]
            flat = tf.reshape(images, [-1, *member.network.input_shape])
            logits, _ = member.network(flat, is_training=False)
            num_views = tf.shape(images)[1]
            shape = [-1, num_views, logits.shape[-1]]
            # Every member has the same weight, however many views it has.
            answers.append(_log_mean(tf.reshape(tf.nn.log_softmax(logits), shape), 1))
        return _log_mean(tf.stack(answers), 0)


def _log_mean(logs: tf.Tensor, axis: int) -> tf.Tensor:
    count = tf.cast(tf.shape(logs)[axis], logs.dtype)
    return tf.reduce_logsumexp(logs, axis) - tf.math.log(count)


def require_same_classes(members: Sequence[Classifier], paths: Sequence[str]) -> None:
    """Refuses to average checkpoints that have different classes.

    Raises:
      UserError: their classes differ.
    """
    first = members[0].labels
    for member, path in zip(members, paths, strict=True):
        if member.labels != first:
            raise UserError(
                f"{path} has the classes {first_few(member.labels)}, but {paths[0]} has"
                f" {first_few(first)}: only checkpoints with the same classes, in the"
                " same order, can be averaged"
            )
