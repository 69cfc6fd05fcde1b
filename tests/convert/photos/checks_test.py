import hashlib
import os
import pathlib

import numpy as np
import pytest

from convert.photos import checks
from convert.tfrecords.rejections import Kind, Rejection
from convert.tfrecords.source_photo import Checked, Source
from datasets.photos.deep_photo import Depth
from errors import UserError
from tests.convert.sample_photos import encode, pixels

FILES = {
    "png.jpg": encode(pixels(0), "PNG"),
    "jpg.png": encode(pixels(1, 40, 30), "JPEG"),
    "x.bmp": encode(pixels(2), "BMP"),
    "no suffix": b"text",
    "notes.txt": b"text",
    "photo.txt": encode(pixels(3), "JPEG"),
    "cut.dat": encode(pixels(3), "JPEG")[:-9],
    "film.jpg": b"\x1aE\xdf\xa3",
    "film.mkv": b"\x1aE\xdf\xa3",
    "broken.HEIC": b"text",
}


@pytest.fixture
def sources(tmp_path):
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    names = [*FILES, "gone.jpg"]
    return [Source(str(tmp_path / name), name, "c", None, 1) for name in names]


def check(sources, tmp_path, **options):
    spill_dir = tmp_path / "spill"
    spill_dir.mkdir(exist_ok=True)
    options = {"max_side": 0, "num_workers": 2} | options
    return list(checks.check_all(sources, str(spill_dir), **options))


def test_each_file_is_used_or_explained(sources, tmp_path):
    results = check(sources, tmp_path)
    kept = {}
    kinds = {}
    for source, result in zip(sources, results, strict=True):
        if isinstance(result, Rejection):
            assert result.name == source.name
            kinds[result.name] = result.kind
        else:
            assert result.source == source
            data = FILES[source.name]
            assert result.digest == hashlib.sha256(data).hexdigest()
            kept[source.name] = (result.format, result.height, result.width)
            assert (result.encoded_path is None) == (source.name != "x.bmp")
    assert kept == {
        "png.jpg": ("png", 6, 5),
        "jpg.png": ("jpg", 40, 30),
        "x.bmp": ("png", 6, 5),
        "photo.txt": ("jpg", 6, 5),
    }
    assert kinds == {
        "no suffix": Kind.DAMAGED,
        "notes.txt": Kind.NOT_A_PHOTO,
        "cut.dat": Kind.DAMAGED,
        "film.jpg": Kind.DAMAGED,
        "film.mkv": Kind.NOT_A_PHOTO,
        "broken.HEIC": Kind.DAMAGED,
        "gone.jpg": Kind.UNREADABLE,
    }


def test_new_bytes_are_spilled_under_names_of_their_own(sources, tmp_path):
    many = [source for source in sources if source.name == "x.bmp"] * 20
    results = check(many, tmp_path)
    paths = {pathlib.Path(result.encoded_path) for result in results}
    assert len(paths) == 20
    assert {path.read_bytes()[:4] for path in paths} == {b"\x89PNG"}


def test_new_bytes_take_the_place_of_a_whole_file(sources, tmp_path):
    """The same task, started twice, does not cut a file that is being read."""
    bitmap = next(source for source in sources if source.name == "x.bmp")
    path = pathlib.Path(check([bitmap], tmp_path)[0].encoded_path)
    with path.open("rb") as file:
        check([bitmap], tmp_path)
        assert os.fstat(file.fileno()).st_ino != path.stat().st_ino
        assert file.read() == path.read_bytes()
    assert [path.name] == os.listdir(path.parent)


def test_max_side_reaches_the_workers(sources, tmp_path):
    result = check(sources[1:2], tmp_path, max_side=20, num_workers=1)[0]
    assert isinstance(result, Checked)
    assert (result.height, result.width) == (20, 15)


def deep(peak):
    """A 16-bit PNG file with values up to `peak`."""
    return encode(np.array([[0, peak]], np.uint16), "PNG")


def checked_folders(tmp_path, bits=None, **folders):
    """What becomes of 16-bit photos with these peaks: "" where they are kept."""
    sources = []
    for folder, peaks in folders.items():
        (tmp_path / folder).mkdir()
        for number, peak in enumerate(peaks):
            path = tmp_path / folder / f"{number}.png"
            path.write_bytes(deep(peak))
            name = f"{folder}/{number}"
            sources.append(Source(str(path), name, folder, None, 1))
    results = checks.settle_bits(check(sources, tmp_path, bits=bits))
    return [r.reason if isinstance(r, Rejection) else r.doubt for r in results], results


def test_dark_photos_are_recognized_by_bright_ones_next_to_them(tmp_path):
    folders = {"bright": [60000, 4000, 50000], "dark": [4000, 900, 65535], "black": [0]}
    reasons, results = checked_folders(tmp_path, **folders)
    kinds = [getattr(result, "kind", None) for result in results]
    unclear = Kind.UNCLEAR_BITS
    assert kinds == [None, None, None, unclear, unclear, None, None]
    assert "values up to 4000: a photo of 12 bits, or a dark one of 16" in reasons[3]
    assert "--bits=10 or --bits=16" in reasons[4]
    assert [result.depth.needed for result in results[:3]] == [16, 12, 16]
    assert [bool(reason) for reason in reasons[:3]] == [False, True, False]


def test_bits_reach_the_workers(tmp_path):
    reasons, results = checked_folders(tmp_path, bits=12, a=[4000, 200, 9000])
    assert [result.depth for result in results[:2]] == [Depth(12, 12), Depth(12, 8)]
    assert results[2].kind == Kind.TOO_FEW_BITS
    assert "--bits=14" in reasons[2]


def die(task, spill_dir, max_side, bits):
    os._exit(9)


def test_a_killed_worker_is_explained(sources, tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "_check_some", die)
    with pytest.raises(
        UserError, match="lack of memory: try fewer than --num_workers=1"
    ):
        check(sources, tmp_path, num_workers=1)
