"""Folder of photos to a classifier as Keras' guides do it: a frozen base, ten epochs.

python benchmarks/keras_folder.py --photos=photos --model_name=mobilenet_v1 \
    --weights_file=base.weights.h5

Prints the accuracy on the held-out photos.
"""

import pathlib

import keras
import tensorflow as tf
from absl import app, flags

# By slim's name: the net of keras.applications, and the side of its images, in pixels.
BASES = {
    "mobilenet_v1": (keras.applications.MobileNet, 224),
    "inception_v3": (keras.applications.InceptionV3, 299),
}
_EPOCHS = 10


def make_base(model_name: str) -> keras.Model:
    """The net without its classifier; images in [-1, 1] to averaged features."""
    build, side = BASES[model_name]
    return build(
        include_top=False, weights=None, input_shape=(side, side, 3), pooling="avg"
    )


def tune(photos: pathlib.Path, model_name: str, weights_file: str) -> float:
    """Trains a head on `photos/train`; the accuracy on `photos/validation`."""
    _, side = BASES[model_name]
    training, held_out = (
        keras.utils.image_dataset_from_directory(
            photos / split, image_size=(side, side), shuffle=split == "train", seed=0
        )
        for split in ("train", "validation")
    )
    num_classes = len(training.class_names)
    base = make_base(model_name)
    base.load_weights(weights_file)
    base.trainable = False
    images = keras.Input((side, side, 3))
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)(images)
    features = keras.layers.Dropout(0.2)(base(scaled, training=False))
    logits = keras.layers.Dense(num_classes)(features)
    model = keras.Model(images, logits)
    model.compile(
        optimizer=keras.optimizers.Adam(),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(training.prefetch(tf.data.AUTOTUNE), epochs=_EPOCHS, verbose=2)
    _, accuracy = model.evaluate(held_out.prefetch(tf.data.AUTOTUNE), verbose=0)
    return float(accuracy)


def main(_: list[str]) -> None:
    """Trains as the flags say."""
    values = flags.FLAGS
    print(tune(pathlib.Path(values.photos), values.model_name, values.weights_file))


if __name__ == "__main__":
    flags.DEFINE_string("photos", None, "Folder with train/ and validation/.")
    flags.DEFINE_enum("model_name", None, BASES, "Network.")
    flags.DEFINE_string("weights_file", None, "Of the base, as Keras saves them.")
    flags.mark_flags_as_required(["photos", "model_name", "weights_file"])
    app.run(main)
