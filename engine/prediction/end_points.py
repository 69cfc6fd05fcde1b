"""Photos to end points of a net."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from config.options import split_list
from config.predict_config import PredictOptions
from engine.prediction.photo_batches import Arrays, PhotoBatches
from engine.restored.classifier import Classifier
from errors import NotFiniteError, UserError, nearest
from nets.end_points import pooled


def extracting(member: Classifier, options: PredictOptions) -> PhotoBatches:
    """Photos to end points of the net."""
    end_points_of = _extractor(member, options)

    def prepare(encoded: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"images": member.preprocess(member.decode(encoded))}

    def infer(arrays: Arrays) -> Arrays:
        found = end_points_of(arrays["images"])
        return {name: features.numpy() for name, features in found.items()}

    return PhotoBatches.traced(prepare, infer, options)


def _extractor(
    member: Classifier, options: PredictOptions
) -> Callable[[np.ndarray], dict[str, tf.Tensor]]:
    """From images to the end points that the options name, pooled if they say so.

    Raises:
      UserError: an end point does not exist, or the checkpoint does not hold all
        weights that it depends on (`NotFiniteError`).
    """
    wanted = split_list(options.end_point)

    def extract(images: tf.Tensor) -> dict[str, tf.Tensor]:
        _, end_points = member.network(images, is_training=False)
        for name in wanted or ("",):
            if name not in end_points:
                raise UserError(
                    f"--end_point={name}: no such end point{nearest(name, end_points)};"
                    f" {member.info.model_name} has {', '.join(end_points)}"
                )
        found = {name: end_points[name] for name in wanted}
        return {n: pooled(f) for n, f in found.items()} if options.pool else found

    spec = tf.TensorSpec([None, *member.network.input_shape])
    function = tf.function(extract, input_signature=[spec], autograph=False)
    # Called once before any photo is read, to find out what cannot be computed.
    blank = function(tf.zeros([1, *member.network.input_shape]))
    not_finite = [n for n, f in blank.items() if not np.isfinite(f.numpy()).all()]
    if not_finite:
        raise NotFiniteError(
            f"--end_point={','.join(not_finite)} depends on a head that the checkpoint"
            " does not hold, on an auxiliary head, which is not restored, or on weights"
            " that are not finite: name an earlier end point"
        )
    return function
