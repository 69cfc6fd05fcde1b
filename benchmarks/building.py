"""Building nets and tracing them into graphs, before the first image is seen.

python -m benchmarks.building
python -m benchmarks.building --model_name=inception_v3

Our variables have no values yet, as before a checkpoint is restored; Keras draws them.
"""

import dataclasses
import functools
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import measuring
from benchmarks.measuring import Contestant, Measure, MissingPeerError, Scale
from config import flags
from config.options import Options, option, split_list

_LARGEST = "efficientnet_v2_l,efficientnet_b7,convnext_xlarge,nasnet_large,vit_l16"
_NUM_CLASSES = 1000


@dataclasses.dataclass(frozen=True)
class BuildingOptions(Options):
    """Building."""

    model_name: str = option(_LARGEST, "Networks, comma-separated.")


def tables(folder: pathlib.Path, scale: Scale) -> Iterator[str]:
    """Seconds to build the net and to trace it, for inference and for a training step.

    Args:
      folder: not used.
      scale: its net.
    """
    del folder
    contestants = [
        Contestant("ours", functools.partial(_ours, scale, with_step=False)),
        Contestant("Keras", functools.partial(_keras, scale)),
        Contestant("ours, step", functools.partial(_ours, scale, with_step=True)),
    ]
    yield measuring.table(
        f"{scale.model_name}, built and traced",
        measuring.race(contestants, scale),
        "s",
        more_is_better=False,
    )


def _ours(scale: Scale, *, with_step: bool) -> Measure:
    import tensorflow as tf

    from nets.network import Network

    def make() -> None:
        network = Network(
            scale.model_name, num_classes=_NUM_CLASSES, draw_weights=False
        )
        images = tf.TensorSpec((scale.batch_size, *network.input_shape))
        trained = [v for v in network.model_variables.values() if v.trainable]

        def infer(images: tf.Tensor) -> tf.Tensor:
            return network(images, is_training=False)[0]

        def step(images: tf.Tensor) -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                logits, _ = network(images, is_training=True)
                loss = tf.reduce_sum(logits)
            return tape.gradient(loss, trained, unconnected_gradients="zero")

        traced = tf.function(step if with_step else infer, autograph=False)
        traced.get_concrete_function(images)

    return _seconds(make)


def _keras(scale: Scale) -> Measure:
    import keras
    import tensorflow as tf

    from convert.from_keras.applications import APPLICATIONS

    for application in APPLICATIONS.values():
        if application.model_name == scale.model_name:
            break
    else:
        raise MissingPeerError("not among its applications")

    def make() -> None:
        options: dict[str, Any] = {"weights": None, "classes": _NUM_CLASSES}
        model = getattr(keras.applications, application.function)(
            **options, **application.options
        )
        images = tf.TensorSpec((scale.batch_size, *model.input_shape[1:]))
        traced = tf.function(lambda images: model(images, training=False))
        traced.get_concrete_function(images)

    return _seconds(make)


def _seconds(make: Callable[[], None]) -> Measure:
    """Times it; the first time, which loads what it needs, does not count."""
    make()

    def measure() -> float:
        started_at = time.monotonic()
        make()
        return time.monotonic() - started_at

    return measure


def _each_net(folder: pathlib.Path, scale: Scale) -> Iterator[str]:
    for name in split_list(flags.read(BuildingOptions).model_name):
        yield from tables(folder, dataclasses.replace(scale, model_name=name))


if __name__ == "__main__":
    flags.define(BuildingOptions)
    measuring.run(_each_net)
