r"""Makes a slim checkpoint of a Keras model.

    python -m convert.keras_to_slim --keras_model=inception_v3 \
        --checkpoint_path=weights/inception_v3/model.ckpt
    python -m convert.keras_to_slim --keras_model=my_model.keras \
        --checkpoint_path=weights/my_model/model.ckpt

The model is a net of keras.applications: by its name, with the weights that Keras
offers, or a file of your own, with another classifier or none. Which net it is, is seen
from its layers. Source and result are run on the same images before anything is
written.
"""

import script_start  # noqa: F401  (before all that takes time)

import dataclasses

import common.quiet_tensorflow  # noqa: F401  (before others load it)
from config import app, flags
from config.options import option
from convert.from_keras import keras_source, model_inputs
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
        "Weights for a model given by name: a .weights.h5 or .h5 file as"
        " keras.applications publishes them. By default Keras downloads its ImageNet"
        " weights.",
    )
    channel_order: str | None = option(
        None,
        "Order of the color channels that the model was trained on; the checkpoint"
        " takes RGB in any case. By default that of Keras' preprocess_input for the"
        " net: bgr for vgg and resnet v1, rgb for all others.",
        choices=("rgb", "bgr"),
    )
    input_range: str | None = option(
        None,
        "What the model was fed: pixels of this range, or what Keras' preprocess_input"
        " makes of them for the net. By default pixels from 0 to 255 where the model"
        " rescales them itself, and preprocess_input otherwise.",
        choices=tuple(model_inputs.RANGES),
    )


def main() -> None:
    """Converts the model that the flags name."""
    options = flags.read(KerasOptions)
    model, loss, is_published = keras_source.load(
        options.keras_model, options.weights_file
    )
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
    app.run(main)
