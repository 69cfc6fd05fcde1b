"""Training steps on a batch in memory: ours, slim's way, Keras, torchvision.

python -m benchmarks.step --trainable=head
python -m benchmarks.step --trainable=all
python -m benchmarks.step --model_name=convnext_tiny,vit_b16
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator

from benchmarks import measuring
from benchmarks.measuring import Contestant, Measure, Scale
from config import flags
from config.options import Options, option, split_list


@dataclasses.dataclass(frozen=True)
class StepOptions(Options):
    """Step."""

    trainable: str = option(
        "head", "What is trained: head or all.", choices=("head", "all")
    )
    model_name: str = option(Scale.model_name, "Networks, comma-separated.")


def tables(folder: pathlib.Path, scale: Scale, *, trainable: str) -> Iterator[str]:
    """Images a second of a step that trains the head alone, or everything.

    Args:
      folder: for the data.
      scale: of the work.
      trainable: "head" or "all".
    """
    from benchmarks import ours

    folder = ours.make_data(folder, scale)
    contestants = [
        Contestant("ours", functools.partial(_ours, folder, scale, trainable)),
        Contestant("Keras", functools.partial(_keras, scale, trainable)),
        Contestant("torchvision", functools.partial(_torch, scale, trainable)),
    ]
    if scale.precision == "float32":  # slim knows no other
        prepare = functools.partial(_slim, scale, trainable)
        contestants.append(Contestant("slim's way", prepare))
    title = f"{scale.precision} step of {scale.model_name}, trained: {trainable}"
    yield measuring.table(title, measuring.race(contestants, scale), "images/s")


def _ours(folder: pathlib.Path, scale: Scale, trainable: str) -> Measure:
    from benchmarks import ours

    return ours.prepare_training(
        folder,
        scale,
        images_in_memory=True,
        trainable_scopes="head" if trainable == "head" else None,
    )


def _slim(scale: Scale, trainable: str) -> Measure:
    from benchmarks import slim_peer

    return _warm(slim_peer.make_step(scale, trainable), scale)


def _keras(scale: Scale, trainable: str) -> Measure:
    from benchmarks import keras_peer

    model = keras_peer.make_model(scale, trainable, precision=scale.precision)
    batch = keras_peer.noise(scale)

    def step() -> int:
        model.train_on_batch(*batch)
        return scale.batch_size

    return _warm(step, scale)


def _torch(scale: Scale, trainable: str) -> Measure:
    from benchmarks import torch_peer

    return _warm(torch_peer.make_step(scale, trainable), scale)


def _warm(step: Callable[[], int], scale: Scale) -> Measure:
    step()
    return functools.partial(measuring.rate, step, scale.round_secs)


def _all_tables(folder: pathlib.Path, scale: Scale) -> Iterator[str]:
    """A table for each net that the flags name, at the net's own image size."""
    from nets import nets_factory

    options = flags.read(StepOptions)
    for model_name in split_list(options.model_name):
        size = nets_factory.get_entry(model_name).image_size
        of_net = dataclasses.replace(scale, model_name=model_name, image_size=size)
        yield from tables(folder, of_net, trainable=options.trainable)


if __name__ == "__main__":
    flags.define(StepOptions)
    measuring.run(_all_tables, has_precision=True)
