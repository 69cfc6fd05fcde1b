"""Files are known by their first bytes, under whatever name."""

import sys
import types

import pytest
from PIL import Image

from datasets.photos import file_heads
from datasets.photos.photo_codec import normalize
from datasets.photos.unfit_photos import NotAPhotoError, UnfitPhotoError
from tests.convert.sample_photos import encode, pixels
from tests.datasets.photos.deep_photo_test import tiff, values


def media_file(major, *compatible):
    """The head of a file of ISO's media format."""
    brands = b"".join([major, bytes(4), *compatible])
    return (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands + bytes(64)


PICTURES = {
    "JPEG XL": b"\xff\x0a" + bytes(50),
    "JPEG XL ": b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(50),
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(50),
    "Photoshop": b"8BPS\0\1" + bytes(50),
    "raw": media_file(b"crx ", b"crx ", b"isom"),
    "raw ": b"FUJIFILMCCD-RAW 0201" + bytes(50),
    "DICOM": bytes(128) + b"DICM" + bytes(50),
    "PNM": b"P5\n4 4\n65535\n" + bytes(32),
    "icon": b"\0\0\1\0\1\0" + bytes(50),
}
OTHERS = {
    "PDF": b"%PDF-1.7\n%\xe2\xe3",
    "SVG": b'<?xml version="1.0"?>\n<!-- a -->\n<svg xmlns="http://www.w3.org/2000/svg">',
    "web page": b"\n<!DOCTYPE html>\n<html>404",
    "git lfs pull": b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
    "video": media_file(b"isom", b"isom", b"mp42"),
    "video ": media_file(b"qt  "),
    "video  ": b"\x1aE\xdf\xa3" + bytes(50),
    "video   ": b"RIFF\x24\0\0\0AVI LIST",
    "archive": b"PK\x03\x04" + bytes(50),
    "no JPEG, PNG, GIF": b"some notes",
    "all zeros": bytes(100),
}


@pytest.mark.parametrize("what", PICTURES)
def test_pictures_that_are_not_read_are_named_with_a_remedy(what):
    with pytest.raises(UnfitPhotoError, match=what.strip()) as caught:
        normalize(PICTURES[what])
    assert not isinstance(caught.value, NotAPhotoError)
    assert "save it as JPEG or PNG" in str(caught.value)


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_no_picture_is_named(what):
    with pytest.raises(NotAPhotoError, match=what.strip()):
        normalize(OTHERS[what])


HEIC = media_file(b"heic", b"mif1", b"heic")


def test_heic_names_the_package_that_reads_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # its import fails
    file_heads.reads_heic.cache_clear()
    for head in (HEIC, media_file(b"mif1", b"mif1", b"heic")):
        with pytest.raises(UnfitPhotoError, match=r"HEIC.*pip install pillow-heif"):
            normalize(head)
    file_heads.reads_heic.cache_clear()


def test_heic_is_read_where_the_package_is(monkeypatch):
    """By a stand-in for it, that takes all for grey."""
    package = types.ModuleType("pillow_heif")
    grey = Image.new("RGB", (5, 6), "grey")
    grey.format = "HEIF"

    def register():
        Image.register_open("HEIF", lambda file, name: grey, lambda head: True)

    package.register_heif_opener = register  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pillow_heif", package)
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    file_heads.reads_heic.cache_clear()
    photo = normalize(HEIC)
    file_heads.reads_heic.cache_clear()
    assert (photo.format, photo.height, photo.width) == ("jpg", 6, 5)


def test_avif_is_read():
    data = encode(pixels(0, 40, 30), "AVIF", quality=90)
    photo = normalize(data)
    assert (photo.format, photo.height, photo.width) == ("jpg", 40, 30)
    with pytest.raises(UnfitPhotoError):
        normalize(data[: len(data) // 2])


def raw_files():
    """TIFF files as cameras write them, whose first picture is a thumbnail."""
    thumbnail = values(8, 3)
    sound = tiff(thumbnail, dtype="u1")
    yield "sound", sound
    yield "CR2", sound[:8] + b"CR\2\0" + sound[12:]  # Canon's mark
    yield "DNG", tiff(thumbnail, dtype="u1", _50706=[0x00000401])
    yield "sensor", tiff(values(16, 1), _262=[32803])
    # A second directory, at byte 5000, that describes the sensor.
    nested = tiff(thumbnail, dtype="u1", _330=[5000]).ljust(5000, b"\0")
    entry = b"\x06\x01\x04\0\x01\0\0\0" + (32803).to_bytes(4, "little")
    yield "nested", nested + b"\x01\0" + entry + bytes(4)


RAW = dict(raw_files())


@pytest.mark.parametrize("kind", RAW)
def test_a_cameras_raw_file_is_not_its_thumbnail(kind):
    if kind == "sound":
        assert normalize(RAW[kind]).format == "png"
        return
    with pytest.raises(UnfitPhotoError, match="raw file; develop it"):
        normalize(RAW[kind])
