"""The script itself, in a process of its own."""

import pathlib
import subprocess
import sys

import pytest

from datasets import dataset_factory
from tests.convert.sample_photos import encode, pixels

ROOT = pathlib.Path(__file__).parents[2]
SCRIPT = ROOT / "convert" / "download_and_convert_data.py"


def run(*flags):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_imagenet_from_its_folders(tmp_path):
    for split, number in (("train", 3), ("val", 1)):
        for row, synset in enumerate(("n01440764", "n15075141")):
            folder = tmp_path / "ILSVRC" / split / synset
            folder.mkdir(parents=True)
            for photo in range(number):
                data = encode(pixels(10 * row + photo), "JPEG")
                (folder / f"{photo}.JPEG").write_bytes(data)
    data = tmp_path / "data"
    flags = (
        "--dataset_name=imagenet",
        f"--data_dir={tmp_path / 'ILSVRC'}",
        f"--dataset_dir={data}",
    )
    done = run(*flags)
    assert done.returncode == 0, done.stderr
    assert "--dataset_name=imagenet" in done.stdout
    assert done.stderr == ""
    assert (data / "train-00000-of-00006").exists()
    dataset = dataset_factory.get_dataset("imagenet", "train", str(data))
    assert dataset.num_classes == 1001
    assert (dataset.class_counts[1], dataset.class_counts[1000]) == (3, 3)
    again = run(*flags)
    assert again.returncode == 0, again.stderr
    assert "nothing to do" in again.stdout


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "--dataset_name is missing"),
        (("--dataset_name=flower",), "no such data set (did you mean flowers?)"),
        (("--dataset_name=imagenet",), "downloads has no folder train"),
        (
            ("--dataset_name=mnist", "--dataset_dir=gs://bucket/mnist"),
            "--data_dir is missing",
        ),
        (
            ("--dataset_name=mnist", "--data_dir=gs://bucket/downloads"),
            "--data_dir=gs://bucket/downloads: this is read or written on a disk",
        ),
        (("--dataset_name=imagenet", "--dataset_dir="), "--dataset_dir is missing"),
    ],
)
def test_wrong_input_gives_one_line(tmp_path, flags, message):
    done = run(f"--dataset_dir={tmp_path / 'data'}", *flags)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
