"""A SavedModel that takes the files of photos."""

import tensorflow as tf

from convert.exports import served_photo
from engine.restored.classifier import Classifier
from nets.network import is_auxiliary

TOP_K = 5
TAKES = (
    f"photos, by serving_default: {served_photo.FORMATS}, rotated as their EXIF says,"
    " with transparency on white; others (WebP, TIFF, HEIC, AVIF) and 16-bit PNGs that"
    " may use fewer bits are refused. By pixels: upright images, 0 to 255"
)


def write(classifier: Classifier, path: str) -> None:
    """Writes a SavedModel with preprocessing and labels inside."""
    names = [n.encode("utf-8", "surrogateescape") for n in classifier.labels]
    size, channels = classifier.info.image_size, classifier.network.input_shape[-1]
    image = tf.TensorSpec((size, size, channels), tf.float32)

    def classify(images: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = classifier.probabilities(images)
        top = tf.math.top_k(probabilities, min(TOP_K, len(names)))
        return {
            "probabilities": probabilities,
            "top_probabilities": top.values,
            "top_indices": top.indices,
            "top_labels": tf.gather(tf.constant(names), top.indices),
        }

    def encoded(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        def prepare(one: tf.Tensor) -> tf.Tensor:
            photo = served_photo.normalize(one, classifier.info.bits)
            return classifier.preprocess(classifier.decode(photo))

        return classify(tf.map_fn(prepare, image_bytes, fn_output_signature=image))

    def from_pixels(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        rounded = tf.saturate_cast(tf.round(pixels), tf.uint8)
        prepare = classifier.preprocess
        return classify(tf.map_fn(prepare, rounded, fn_output_signature=image))

    # Heads of training only, which some nets read all the same, are not restored.
    for name, variable in classifier.network.model_variables.items():
        if is_auxiliary(name):
            variable.assign(tf.zeros_like(variable))
    shape = (None, None, None, classifier.image_channels)
    signatures = {
        "serving_default": tf.function(encoded).get_concrete_function(
            tf.TensorSpec([None], tf.string, "image_bytes")
        ),
        "pixels": tf.function(from_pixels).get_concrete_function(
            tf.TensorSpec(shape, tf.float32, "pixels")
        ),
    }
    module = tf.Module()
    # Only what inference reads.
    module.weights = [v for f in signatures.values() for v in f.variables]
    tf.saved_model.save(module, path, signatures=signatures)
