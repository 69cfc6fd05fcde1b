r"""Makes a slim checkpoint of a Keras model.

    python -m convert.keras_to_slim --keras_model=inception_v3 \
        --checkpoint_path=checkpoints/inception_v3/model.ckpt
    python -m convert.keras_to_slim --keras_model=my_model.keras \
        --checkpoint_path=checkpoints/my_model/model.ckpt

The model is a net of keras.applications: by its name, with the weights that Keras
offers, or a file of your own, with another classifier or none. Which net it is, is seen
from its layers. Source and result are run on the same images before anything is
written.
"""

import script_start  # noqa: F401  (before all that takes time)

from absl import flags

import common.quiet_tensorflow  # noqa: F401  (before others load it)
from config import app
from convert.from_keras import keras_inputs, keras_source
from convert.from_keras.keras_applications import APPLICATIONS
from convert.weights import weight_classes, weight_conversion

FLAGS = flags.FLAGS


def main() -> None:
    """Converts the model that the flags name."""
    model, loss, is_published = keras_source.load(FLAGS.keras_model, FLAGS.weights_file)
    source = keras_source.source(
        model,
        channel_order=FLAGS.channel_order,
        input_range=FLAGS.input_range,
        loss=loss,
        is_published=is_published,
    )
    weight_conversion.convert(source, FLAGS.checkpoint_path, FLAGS.class_names)


def _define_flags() -> None:
    flags.DEFINE_string(
        "keras_model",
        None,
        "A .keras or .h5 file with a whole model, or a name: "
        + ", ".join(APPLICATIONS),
    )
    flags.DEFINE_string(
        "weights_file",
        None,
        "Weights for a model given by name, a .weights.h5 or .h5 file as keras."
        "applications publishes them. Unset: Keras downloads its ImageNet weights.",
    )
    flags.DEFINE_enum(
        "channel_order",
        None,
        ["rgb", "bgr"],
        "Order of colours that the model was trained with; the checkpoint takes RGB in "
        "any case. Unset: that of Keras' preprocess_input for the net: bgr for vgg and "
        "resnet v1, rgb for all others.",
    )
    flags.DEFINE_enum(
        "input_range",
        None,
        list(keras_inputs.RANGES),
        "What the model was fed: pixels of this range, or those that Keras' "
        "preprocess_input makes for the net. Unset: pixels from 0 to 255 where the "
        "model rescales them itself, and else preprocess_input's.",
    )
    flags.DEFINE_string(
        "checkpoint_path",
        None,
        "Where to write the checkpoint: a prefix such as folder/model.ckpt, to which "
        "TensorFlow's endings .index and .data-00000-of-00001 are added.",
    )
    weight_classes.define_flag()
    flags.mark_flags_as_required(["keras_model", "checkpoint_path"])


if __name__ == "__main__":
    _define_flags()
    app.run(main)
