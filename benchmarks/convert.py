"""Photos to TFRecords: our script and a plain loop, both as whole commands.

python -m benchmarks.convert --images=30000
"""

import dataclasses
import pathlib
import shutil
from collections.abc import Iterator

from benchmarks import measuring, photos
from benchmarks.measuring import Contestant, Scale
from config import flags
from config.options import Options, option


@dataclasses.dataclass(frozen=True)
class ConvertOptions(Options):
    """Conversion."""

    images: int = option(3000, "Photos to convert.", minimum=1)


def tables(folder: pathlib.Path, scale: Scale) -> Iterator[str]:
    """Photos a second, start-up included; every photo is decoded by both."""
    from benchmarks import ours

    image_dir = folder / "to_convert"
    photos.write_windows(image_dir, range(scale.num_images), *scale.photo_size)

    def run_ours() -> float:
        shutil.rmtree(folder / "converted", ignore_errors=True)
        secs = ours.run_script(
            "convert/images_to_tfrecord.py",
            image_dir=image_dir,
            dataset_dir=folder / "converted",
            dataset_name="photos",
        )
        return scale.num_images / secs

    def run_plain() -> float:
        secs = ours.run_script(
            "benchmarks/plain_convert.py",
            image_dir=image_dir,
            output_file=folder / "plain.tfrecord",
        )
        return scale.num_images / secs

    # Each turn starts its own process.
    in_turn = dataclasses.replace(scale, isolated=False)
    contestants = [
        Contestant("ours", lambda: run_ours),
        Contestant("plain loop", lambda: run_plain),
    ]
    title = f"conversion of {scale.num_images} photos"
    yield measuring.table(title, measuring.race(contestants, in_turn), "photos/s")


def _at_full_scale(folder: pathlib.Path, scale: Scale) -> Iterator[str]:
    return tables(
        folder, dataclasses.replace(scale, num_images=flags.read(ConvertOptions).images)
    )


if __name__ == "__main__":
    flags.define(ConvertOptions)
    measuring.run(_at_full_scale)
