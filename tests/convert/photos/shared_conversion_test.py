"""Several tasks make the files that one makes, byte for byte."""

import shutil

import pytest

from cluster.shares import Share
from convert.photos import conversion, shared_conversion
from convert.photos.settings import Settings
from errors import PeerError, UserError
from tests.convert import sample_photos

NUM_TASKS = 3


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(shared_conversion, "_BLOCK", 3)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Photos that are shrunk, one twice, one broken."""
    folder = sample_photos.make_folder(tmp_path_factory.mktemp("photos") / "all")
    shutil.copy(folder / "cat" / "0.png", folder / "cat" / "copy.png")
    (folder / "dog" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    return folder


def convert(photos, dataset_dir, task=0, num_tasks=1):
    settings = Settings(
        *(str(photos), None, str(dataset_dir), "pets"),
        validation_fraction=0.4,
        num_shards=2,
        max_side=5,
    )
    conversion.convert(
        settings,
        num_workers=1,
        max_rejected_fraction=0.5,
        shows_next=False,
        share=Share(task, num_tasks, wait_secs=1),
    )


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_each_does_its_share_and_the_first_puts_it_together(photos, tmp_path, capsys):
    whole, shared = tmp_path / "whole", tmp_path / "shared"
    convert(photos, whole)
    told = capsys.readouterr().out
    for task in (2, 1):
        with pytest.raises(PeerError, match="of the checked photos are missing"):
            convert(photos, shared, task, NUM_TASKS)
    with pytest.raises(PeerError, match="of the TFRecord files are missing"):
        convert(photos, shared, 0, NUM_TASKS)
    assert not list(shared.glob("[!.]*"))  # nothing that passes for a data set
    for task in (1, 2):
        convert(photos, shared, task, NUM_TASKS)
    assert not list(shared.glob("[!.]*"))
    capsys.readouterr()
    convert(photos, shared, 0, NUM_TASKS)
    assert files(shared) == files(whole)
    assert capsys.readouterr().out.partition("pets: ")[2] == told.partition("pets: ")[2]
    convert(photos, shared, 1, NUM_TASKS)  # started again, it finds all done
    assert files(shared) == files(whole)


def test_a_photo_that_a_crash_cut_short_is_not_stored(photos, tmp_path):
    """Of a machine without power a file's record may outlive its bytes."""
    for task in (1, 0):
        with pytest.raises(PeerError):
            convert(photos, tmp_path, task, 2)
    parts = next(tmp_path.glob(".pets.parts-*"))
    for path in (parts / "photos").iterdir():
        path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(
        UserError, match=r"is damaged: delete .*/\.pets\.parts-"
    ) as raised:
        convert(photos, tmp_path, 1, 2)
    assert "\n" not in str(raised.value)


def test_a_publication_that_was_cut_short_goes_on(photos, tmp_path, monkeypatch):
    whole, shared = tmp_path / "whole", tmp_path / "shared"
    convert(photos, whole)

    def cut_short(folder, target):
        shutil.move(f"{folder}/publish/labels.txt", target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("convert.tfrecords.staging.publish_dataset", cut_short)
        with pytest.raises(PeerError):
            convert(photos, shared, 1, 2)
        with pytest.raises(PeerError):
            convert(photos, shared, 0, 2)
        convert(photos, shared, 1, 2)
        with pytest.raises(KeyboardInterrupt):
            convert(photos, shared, 0, 2)
    assert not (shared / "dataset.json").exists()
    convert(photos, shared, 0, 2)
    assert files(shared) == files(whole)


def test_object_storage_is_refused(photos):
    with pytest.raises(UserError, match="let the tasks share a folder"):
        convert(photos, "ram://bucket/data", 1, 2)
