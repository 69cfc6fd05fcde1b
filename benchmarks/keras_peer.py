"""Keras as its guides use it: `keras.applications`, the base frozen or not."""

import functools
import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.measuring import MissingPeerError, Scale
from benchmarks.photos import NUM_CLASSES
from checkpoints import slim_format
from checkpoints.slim_format import Checkpoint
from convert.from_keras.applications import APPLICATIONS
from convert.from_keras.layer_names import CLASSIFIER
from convert.weights import conversion, net_fit
from nets import nets_factory


def _lenet(image_size: int) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((image_size, image_size, 3)),
            layers.Conv2D(32, 5, activation="relu"),
            layers.MaxPool2D(),
            layers.GlobalAveragePooling2D(),
        ]
    )


def _application(name: str, image_size: int, **options: Any) -> Any:
    return getattr(keras.applications, name)(
        include_top=False,
        weights=None,
        input_shape=(image_size, image_size, 3),
        pooling="avg",
        **options,
    )


_BASES: dict[str, Callable[[int], Any]] = {
    "inception_v3": functools.partial(_application, "InceptionV3"),
    # The net without squeeze-and-excite is not among Keras'.
    "efficientnet_lite0": functools.partial(_application, "EfficientNetB0"),
    "efficientnet_b0": functools.partial(_application, "EfficientNetB0"),
    "efficientnet_v2_b0": functools.partial(
        _application, "EfficientNetV2B0", include_preprocessing=False
    ),
    "convnext_tiny": functools.partial(
        _application, "ConvNeXtTiny", include_preprocessing=False
    ),
    "lenet": _lenet,
}


def make_model(
    scale: Scale,
    trainable: str,
    precision: str = "float32",
) -> Any:
    """A compiled model on images in [-1, 1].

    Args:
      scale: net and image size.
      trainable: "head" or "all".
      precision: "float32" or "mixed_bfloat16".

    Raises:
      MissingPeerError: Keras has no such net.
    """
    if scale.model_name not in _BASES:
        raise MissingPeerError(f"Keras has no {scale.model_name}")
    keras.mixed_precision.set_global_policy(precision)
    base = _BASES[scale.model_name](scale.image_size)
    inputs = keras.Input((scale.image_size, scale.image_size, 3))
    if trainable == "head":
        base.trainable = False
        features = base(inputs, training=False)
    else:
        features = base(inputs)
    features = keras.layers.Dropout(0.2)(features)
    logits = keras.layers.Dense(NUM_CLASSES, dtype="float32")(features)
    model = keras.Model(inputs, logits)
    model.compile(
        optimizer=keras.optimizers.RMSprop(0.001),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def photo_batches(
    folder: pathlib.Path, scale: Scale, split: str, *, shuffle: bool
) -> tf.data.Dataset:
    """Batches of the photos of `ours.make_data`, scaled to [-1, 1]."""
    batches = keras.utils.image_dataset_from_directory(
        folder / "photos" / split,
        image_size=(scale.image_size, scale.image_size),
        batch_size=scale.batch_size,
        shuffle=shuffle,
        seed=0,
        verbose=False,
    )
    return batches.map(
        lambda images, labels: (images / 127.5 - 1, labels), tf.data.AUTOTUNE
    ).prefetch(tf.data.AUTOTUNE)


def noise(scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    """A batch of images in [-1, 1) and of labels."""
    generator = np.random.default_rng(0)
    shape = (scale.batch_size, scale.image_size, scale.image_size, 3)
    images = generator.uniform(-1, 1, shape).astype(np.float32)
    return images, generator.integers(0, NUM_CLASSES, scale.batch_size)


def weights_path(folder: pathlib.Path) -> pathlib.Path:
    """Where the weights are that a run starts from."""
    return folder / "start.weights.h5"


def start(folder: pathlib.Path, scale: Scale) -> Any:
    """A model whose head is to be trained, with the weights of the folder."""
    model = make_model(scale, "head")
    model.load_weights(weights_path(folder))
    return model


def restore_slim(base: Any, model_name: str, checkpoint_path: str) -> None:
    """Gives a net of keras.applications the weights of a slim checkpoint.

    Args:
      base: the net without its classifier, made in a process that made no other one.
      model_name: slim's net.
      checkpoint_path: of the checkpoint.
    """
    (application,) = (a for a in APPLICATIONS.values() if a.model_name == model_name)
    checkpoint = Checkpoint(slim_format.find_checkpoint(checkpoint_path))
    heads = nets_factory.get_entry(model_name).head_scopes
    names = [n for n in net_fit.net_shapes(model_name, 2) if not n.startswith(heads)]
    layers = {layer.name: layer for layer in base.layers if layer.weights}
    scopes = conversion.scopes_of(names)
    for scope, matched in application.match(scopes, list(layers)).items():
        if matched.convolution == CLASSIFIER:
            continue
        kernels = "depthwise_weights", "weights"
        (kernel,) = (k for k in kernels if f"{scope}/{k}" in names)
        layers[matched.convolution].kernel.assign(checkpoint.read(f"{scope}/{kernel}"))
        norm = layers[matched.batch_norm]
        for variable in norm.weights:
            value = checkpoint.read(f"{scope}/BatchNorm/{variable.name}")
            variable.assign(value)
