"""Disks that are full when something is written, and have room again later.

Two kinds: a small tmpfs, where this process may mount one, and a limit on the size of
any file, which needs no permission.
"""

import contextlib
import os
import pathlib
import re
import resource
import subprocess
import sys

import pytest

from config.predict_config import NetOptions
from convert import export_model
from convert.exports import export_photos
from convert.exports.check import Check
from convert.exports.formats import Job
from engine.restored import classifier as classifiers
from errors import UserError
from tests.convert.sample_photos import make_folder
from tests.engine import small_runs

pytestmark = [
    pytest.mark.usefixtures("small_net"),
    pytest.mark.filterwarnings("ignore:`layer:UserWarning"),
]

ROOT = pathlib.Path(__file__).parents[2]
FULL = r"No space left on device|File too large"


class SizeLimit:
    """A folder in which no file can grow beyond some bytes, when it is full."""

    def __init__(self, folder):
        self.folder = folder

    @contextlib.contextmanager
    def full(self, left):
        """Only `left` bytes a file can be written inside."""
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (left, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


class SmallDisk:
    """A folder on a disk of its own."""

    def __init__(self, folder):
        self.folder = folder

    @contextlib.contextmanager
    def full(self, left):
        """Only `left` bytes can be written inside."""
        disk = os.statvfs(self.folder)
        filler = self.folder / "filler"
        with open(filler, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - left)
        try:
            yield
        finally:
            filler.unlink()


@pytest.fixture(params=[SizeLimit, SmallDisk])
def disk(request, tmp_path):
    if request.param is SizeLimit:
        yield SizeLimit(tmp_path)
        return
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", folder]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no command mount")
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    yield SmallDisk(folder)
    # Lazily: what TensorFlow holds open of it ends with the process.
    subprocess.run(["umount", "--lazy", folder], check=True)


def contents(folder):
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def train(run_dir, images_dir, steps, **flags):
    return small_runs.train(
        train_dir=run_dir, dataset_dir=images_dir, max_number_of_steps=steps, **flags
    )


def test_a_checkpoint(disk, images_dir, monkeypatch):
    run_dir = disk.folder / "run"
    train(run_dir, images_dir, 2)
    before = contents(run_dir)
    # What is written before it has room.
    monkeypatch.setattr("engine.run.training.TrainSummaries", NoSummaries)
    with disk.full(4096), pytest.raises(UserError, match=FULL) as raised:
        train(run_dir, images_dir, 4)
    assert "\n" not in str(raised.value)
    assert str(run_dir) in str(raised.value)
    assert "MB are free. Make room there" in str(raised.value)
    assert "SaveV2" not in str(raised.value)
    after = contents(run_dir)
    for path, content in before.items():
        if path.name.startswith(("model.ckpt", "checkpoint")):
            assert after[path] == content
    assert not [path for path in after if ".tmp-" in str(path)]
    assert train(run_dir, images_dir, 4) == 0
    assert small_runs.steps_saved(run_dir) == [2, 4]


class NoSummaries:
    """Stands in for TensorBoard's events."""

    def __init__(self, *args, **kwargs):
        pass

    def __getattr__(self, name):
        return lambda *args, **kwargs: None


def test_tensorboards_events(disk, images_dir):
    run_dir = disk.folder / "run"
    train(run_dir, images_dir, 2)
    before = small_runs.steps_saved(run_dir)
    with disk.full(4096), pytest.raises(UserError, match=FULL) as raised:
        train(run_dir, images_dir, 4, save_summaries_secs=1)
    assert "TensorBoard's events" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert small_runs.steps_saved(run_dir) == before
    assert train(run_dir, images_dir, 4, save_summaries_secs=1) == 0
    assert small_runs.steps_saved(run_dir) == [2, 4]


def test_the_feature_cache(disk, images_dir, tmp_path):
    flags = {
        "trainable_scopes": "head",
        "feature_cache": "disk",
        "feature_cache_dir": str(disk.folder / "features"),
        "feature_cache_views": 8,
    }
    run_dir = tmp_path / "run"
    # Of a disk it is known before; a file's largest size is met in making it.
    refused = f"cannot be kept in .*(0 MB are free|{FULL})"
    with disk.full(2048), pytest.raises(UserError, match=refused) as raised:
        train(run_dir, images_dir, 2, **flags)
    assert "use another --feature_cache_dir" in str(raised.value)
    assert train(run_dir, images_dir, 2, **flags) == 0


def test_an_export(disk, images_dir, tmp_path):
    run_dir = tmp_path / "run"
    train(run_dir, images_dir, 2)
    classifier = classifiers.load(str(run_dir), NetOptions(), use_moving_average=False)
    check = Check(classifier, export_photos.generated()[:1])
    out = disk.folder / "out"

    def export():
        formats = ["saved_model", "tflite", "frozen_graph"]
        return list(export_model.export(Job(classifier), formats, str(out), check))

    with disk.full(1024), pytest.raises(UserError, match=FULL) as raised:
        export()
    assert re.search(r"/out: .* needs about \d+ MB there", str(raised.value))
    assert "\n" not in str(raised.value)
    assert not out.exists()
    assert len(export()) == 3


def test_a_conversion(disk, tmp_path):
    photos = make_folder(tmp_path / "photos", number=40)
    command = [
        *(sys.executable, "convert/images_to_tfrecord.py", f"--image_dir={photos}"),
        *(f"--dataset_dir={disk.folder / 'data'}", "--dataset_name=pets"),
        *("--num_shards=1", "--num_workers=1"),
    ]

    def convert():
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False
        )

    with disk.full(8192):
        done = convert()
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert any(reason in done.stderr for reason in FULL.split("|"))
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    if isinstance(disk, SmallDisk):
        assert f"{disk.folder / 'data'}: No space left on device" in last
        assert "MB are free without the data set, it needs about" in last
    assert not (disk.folder / "data").exists()
    assert convert().returncode == 0
