"""From a folder of photos to an evaluated classifier: fine_tune.py against Keras.

python -m benchmarks.folder_to_report --model_name=mobilenet_v1

300 stamps as JPEG files of 500 pixels; a fifth is held out, in each round another one,
the same for both. Both start from the same published weights. Ours is the one command
as it is in README.md; Keras' is `benchmarks/keras_folder.py`.
"""

import dataclasses
import functools
import json
import os
import pathlib
import shutil
import statistics
import sys
from collections.abc import Iterator

import numpy as np
from absl import flags
from PIL import Image, ImageOps

from benchmarks import measuring, ours, real_photos
from benchmarks.measuring import Scale

_SIDE = 500  # pixels, of the longer side
_QUALITY = 90


@dataclasses.dataclass(frozen=True)
class Turn:
    """What one command took and reached.

    Attributes:
      wall_secs: by the clock.
      cpu_secs: of all its processes on all cores; other work on the machine changes
        it less than the clock's time.
      accuracy: on the photos held out, in [0, 1].
    """

    wall_secs: float
    cpu_secs: float
    accuracy: float


def tables(
    folder: pathlib.Path, scale: Scale, *, model_name: str, photos: pathlib.Path
) -> Iterator[str]:
    """Seconds by the clock and of the cores, and accuracy.

    Args:
      folder: for all that is made.
      scale: rounds.
      model_name: a key of `keras_folder.BASES`.
      photos: with a folder for each class.
    """
    checkpoint = real_photos.checkpoint(model_name)
    weights_file = folder / "base.weights.h5"
    write = functools.partial(_write_weights, model_name, checkpoint, weights_file)
    measuring.in_fresh_process(write, scale)
    turns: dict[str, list[Turn]] = {"ours": [], "Keras": []}
    for number in range(scale.rounds):
        divided = folder / f"photos{number}"
        lay_out(photos, divided, num_photos=scale.num_images, seed=number)
        turns["ours"].append(_ours(divided, folder / "run", model_name, checkpoint))
        turns["Keras"].append(_keras(divided, model_name, weights_file))
        for name, of_one in turns.items():
            print(f"round {number + 1}: {name} {of_one[-1]}", file=sys.stderr)
    for title, field in (("by the clock", "wall_secs"), ("of both cores", "cpu_secs")):
        figures: dict[str, list[float] | str] = {
            name: [getattr(turn, field) for turn in of_one]
            for name, of_one in turns.items()
        }
        yield measuring.table(
            f"{scale.num_images} photos to a report, {model_name}, {title}",
            figures,
            "s",
            more_is_better=False,
        )
    means = [
        f"{name} {statistics.mean(turn.accuracy for turn in of_one):.4f}"
        for name, of_one in turns.items()
    ]
    yield f"accuracy on the photos held out: {', '.join(means)}"


def lay_out(
    source: pathlib.Path, target: pathlib.Path, *, num_photos: int, seed: int
) -> None:
    """Writes `train/` and `validation/` with folders of JPEG files, a fifth held out.

    Where the photos are fewer, mirrored ones of the training photos make up the number.

    Args:
      source: with a folder for each class.
      target: a new folder.
      num_photos: in all.
      seed: of the division.
    """
    paths = sorted(source.glob("*/*"))
    order = np.random.default_rng(seed).permutation(len(paths))[:num_photos]
    num_held_out = num_photos // 5
    for place, number in enumerate(order):
        split = "validation" if place < num_held_out else "train"
        _write(paths[number], target / split, is_mirrored=False)
    for number in order[num_held_out:][: num_photos - len(order)]:
        _write(paths[number], target / "train", is_mirrored=True)


def _write(path: pathlib.Path, folder: pathlib.Path, *, is_mirrored: bool) -> None:
    image = Image.open(path).convert("RGBA")
    photo = Image.new("RGB", image.size, "white")
    photo.paste(image, mask=image.getchannel("A"))
    if is_mirrored:
        photo = ImageOps.mirror(photo)
    photo = ImageOps.contain(photo, (_SIDE, _SIDE), Image.Resampling.BICUBIC)
    name = f"{path.stem}{'-mirrored' if is_mirrored else ''}.jpg"
    (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
    photo.save(folder / path.parent.name / name, quality=_QUALITY)


def _write_weights(model_name: str, checkpoint: str, path: pathlib.Path) -> None:
    from benchmarks import keras_folder, keras_peer

    base = keras_folder.make_base(model_name)
    keras_peer.restore_slim(base, model_name, checkpoint)
    base.save_weights(path)


def _ours(
    photos: pathlib.Path, output_dir: pathlib.Path, model_name: str, checkpoint: str
) -> Turn:
    shutil.rmtree(output_dir, ignore_errors=True)
    ran = ours.run(
        *("fine_tune.py", os.fspath(photos)),
        output_dir=output_dir,
        model_name=model_name,
        checkpoint_path=checkpoint,
    )
    metrics = json.loads((output_dir / "evaluation/metrics.json").read_text())
    return Turn(ran.wall_secs, ran.cpu_secs, metrics["accuracy"])


def _keras(photos: pathlib.Path, model_name: str, weights_file: pathlib.Path) -> Turn:
    ran = ours.run(
        "benchmarks/keras_folder.py",
        photos=photos,
        model_name=model_name,
        weights_file=weights_file,
    )
    return Turn(ran.wall_secs, ran.cpu_secs, float(ran.output.splitlines()[-1]))


def _at_full_scale(folder: pathlib.Path, scale: Scale) -> Iterator[str]:
    values = flags.FLAGS
    photos = real_photos.folder(values.photos)
    scale = dataclasses.replace(scale, num_images=values.images)
    return tables(folder, scale, model_name=values.model_name, photos=photos)


if __name__ == "__main__":
    flags.DEFINE_enum(
        "model_name", "mobilenet_v1", ["mobilenet_v1", "inception_v3"], "Network."
    )
    flags.DEFINE_integer("images", 300, "Photos, a fifth of them held out.", 10)
    flags.DEFINE_string("photos", "stamps", "A set, or a folder of photos.")
    measuring.run(_at_full_scale)
