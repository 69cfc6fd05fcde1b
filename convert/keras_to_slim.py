r"""Converts a Keras model to a slim checkpoint.

    python convert/keras_to_slim.py --keras_model=inception_v3 \
        --checkpoint_path=weights/inception_v3/model.ckpt
    python convert/keras_to_slim.py --keras_model=my_model.keras \
        --checkpoint_path=weights/my_model/model.ckpt

The model is a net of keras.applications: either by name, with the weights that Keras
offers, or a file of your own, with another classifier or none. The net is recognized by
its layers. Model and result are run on the same images before anything is written.
"""

import script_start  # noqa: F401  (before all that takes time)

import dataclasses

import common.quiet_tensorflow  # noqa: F401  (before others load it)
from config import app, flags
from config.options import option
from convert.from_keras import keras_source, loading, model_inputs
from convert.from_keras.applications import APPLICATIONS
from convert.weights import conversion
from convert.weights.options import ConversionOptions


@dataclasses.dataclass(frozen=True)
class KerasOptions(ConversionOptions):
    """Keras model."""

    keras_model: str = option(
        None,
        "A .keras or .h5 file with a whole model, or a name: "
        + ", ".join(APPLICATIONS)
        + ".",
        required=True,
    )
    weights_file: str | None = option(
        None,
        "Weights for a model given by name: a .weights.h5 file, or an .h5 file as"
        " published by keras.applications. By default Keras downloads its ImageNet"
        " weights.",
    )
    channel_order: str | None = option(
        None,
        "Order of the color channels that the model was trained on: rgb or bgr. The"
        " checkpoint takes RGB in either case. By default the order of Keras'"
        " preprocess_input for the net: bgr for vgg and resnet v1, rgb for all others.",
        choices=("rgb", "bgr"),
    )
    input_range: str | None = option(
        None,
        "What the model was fed: pixels of the range 0,1, -1,1 or 0,255, or the"
        " output of Keras' preprocess_input for the net. By default 0,255 if the model"
        " rescales pixels itself, and preprocess_input otherwise.",
        choices=tuple(model_inputs.RANGES),
    )


def main() -> None:
    """Converts the model that the flags name."""
    options = flags.read(KerasOptions)
    model, loss, is_published = loading.load(options.keras_model, options.weights_file)
    source = keras_source.source(
        model,
        channel_order=options.channel_order,
        input_range=options.input_range,
        loss=loss,
        is_published=is_published,
    )
    conversion.convert(source, options.checkpoint_path, options.class_names)


if __name__ == "__main__":
    flags.define(KerasOptions)
    app.run(main, in_one_task=True)
