import json
import os
import pathlib
import shlex
import subprocess
import sys

import pytest

from checkpoints import slim_format
from checkpoints.model_info import ModelInfo
from convert.photos import summary
from convert.photos.splits import Fractions
from convert.tfrecords.rejections import Kind, Rejection
from datasets.dataset_json import DatasetInfo, ShardInfo, SplitInfo
from nets.network import Network
from tests.engine import coloured_images

SHARD = (ShardInfo("f", 5, 2_500_000, ""),)
INFO = DatasetInfo(
    "pets",
    ("cat", "two\nlines", "[red]"),
    {
        "train": SplitInfo(1111, (1000, 100, 11), SHARD),
        "test": SplitInfo(1, (1, 0, 0), SHARD),
    },
)


def rows(text):
    """The cells of a table's lines."""
    lines = [line for line in text.splitlines() if "│" in line]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_the_table_counts_classes_and_splits(capsys):
    summary.show(INFO)
    assert rows(capsys.readouterr().out) == [
        ["0:cat", "1,000", "1", "1,001"],
        ["1:two\\nlines", "100", "0", "100"],
        ["2:[red]", "11", "0", "11"],
        ["all", "1,111", "1", "1,112"],
        ["MB", "2.5", "2.5", "5.0"],
    ]


def test_gaps_are_named(caplog, capsys):
    summary.warn_of_gaps(INFO, {*INFO.classes, "owl"}, Fractions(0.1, 0))
    assert [record.getMessage() for record in caplog.records] == [
        "No validation photo of cat, two\\nlines, [red]: add photos, or try another"
        " --seed",
        "No test photo of two\\nlines, [red]: add photos, or try another --seed",
        "Left out, as they have no usable photo: owl",
    ]


def test_a_class_that_cannot_be_learned_is_named(caplog, capsys):
    splits = {"train": SplitInfo(2, (2, 0), SHARD), "test": SplitInfo(2, (1, 1), SHARD)}
    info = DatasetInfo("pets", ("cat", "dog"), splits)
    summary.warn_of_gaps(info, info.classes, Fractions(0, 0))
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "No training photo of dog, so no model can learn"
    )


def test_photos_to_test_on_are_to_be_evaluated(capsys):
    split = SplitInfo(1, (1, 0), SHARD)
    info = DatasetInfo("more", ("cat", "dog"), {"test": split})
    summary.show_next_command(info, "my data")
    command = capsys.readouterr().out.partition(":\n")[2].replace("\\\n", "")
    words = shlex.split(command)
    assert words == [
        *("python", "eval_image_classifier.py", "--dataset_name=more"),
        *("--dataset_dir=my data", "--dataset_split_name=test"),
        *("--checkpoint_path=RUN", "--eval_dir=/tmp/more"),
    ]


def test_a_long_list_of_classes_is_cut(capsys):
    names = tuple(f"c{number:02d}" for number in range(50))
    split = SplitInfo(50, (1,) * 50, SHARD)
    info = DatasetInfo("many", names, {"train": split})
    summary.show(info)
    table = rows(capsys.readouterr().out)
    assert table[39][0] == "39:c39"
    assert table[40][0] == "… and 10 more"
    assert table[41] == ["all", "50", "50"]


def test_rejections_are_counted_and_a_few_shown(caplog):
    caplog.set_level("INFO", logger="absl")
    rejected = [Rejection(f"{n}\n.jpg", Kind.EMPTY, "no bytes") for n in range(7)]
    summary.show_rejections(rejected, num_ignored=2)
    lines = [record.getMessage() for record in caplog.records]
    assert lines[:3] == [
        "Ignored 2 hidden and system files",
        "Left out: 7 × empty file",
        "  0\\n.jpg: no bytes",
    ]
    assert len(lines) == 8
    assert "rejected.csv" in lines[-1]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A working folder and a cache without weights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.usefixtures("elsewhere")
def test_the_next_commands_can_be_pasted(capsys):
    summary.show_next_command(INFO, "/data/my pets")
    commands = capsys.readouterr().out.partition("\n")[2].replace("\\\n", " ")
    fetch, train = map(shlex.split, commands.splitlines())
    assert fetch == [
        *("python", "convert/download_checkpoint.py"),
        *("--model_name=mobilenet_v1", "--checkpoint_dir=weights"),
    ]
    assert train[:2] == ["python", "train_image_classifier.py"]
    assert "--dataset_dir=/data/my pets" in train
    assert "--dataset_name=pets" in train
    assert "--checkpoint_path=weights/mobilenet_v1" in train
    assert not any("eval_split_name" in word for word in train)


@pytest.mark.usefixtures("elsewhere")
def test_the_next_command_works_as_printed_with_the_weights_that_are_there(
    tmp_path, capsys
):
    colours = [0, 1, 2] * 3
    for split in ("train", "validation"):
        coloured_images.write_split(tmp_path / "my data", split, colours, colours)
    network = Network("lenet", num_classes=5)
    values = {n: v.numpy() for n, v in network.model_variables.items()}
    weights = tmp_path / "weights" / "mine"
    slim_format.write_checkpoint(str(weights / "model.ckpt"), values)
    record = ModelInfo("lenet", 28, False, "lenet", 0, None, 5, None)
    record.write(str(weights))
    thirds = SplitInfo(9, (3, 3, 3), SHARD)
    splits = {"train": thirds, "validation": thirds}
    info = DatasetInfo("colours", ("red", "green", "blue"), splits)
    summary.show_next_command(info, "my data")
    command = capsys.readouterr().out.partition(":\n")[2]

    root = pathlib.Path(__file__).resolve().parents[3]
    (tmp_path / "train_image_classifier.py").symlink_to(
        root / "train_image_classifier.py"
    )
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "bin" / "python").chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", command],
        check=False,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path / "runs/colours/best/evaluations.json").read_text())
    assert [score["accuracy"] for score in scores] == [1.0]
