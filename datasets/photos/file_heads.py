"""What a file is by its first bytes, regardless of its name."""

import functools
import importlib
import re

from datasets.photos.unfit_photos import NotAPhotoError, UnfitPhotoError

NUM_BYTES = 4096  # at the start of a file; more than any rule below needs
_READ = "JPEG, PNG, GIF, BMP, WebP, TIFF or AVIF"
RAW = "a camera's raw file; develop it and save it as JPEG or PNG"
_RESAVE = "save it as JPEG or PNG"
_VIDEO = "a video; save its frames as JPEG or PNG"
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")

# Most cameras' raw files begin like TIFF, too: see `camera_raw`.
_READABLE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|BM|RIFF....WEBP|II[*+]\0|MM\0[*+]",
    re.DOTALL,
)
_PICTURES = {
    rb"\0\0\0\x0cJXL |\xff\x0a": f"a JPEG XL photo; {_RESAVE}",
    rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51": f"a JPEG 2000 photo; {_RESAVE}",
    rb"II\xbc": f"a JPEG XR photo; {_RESAVE}",
    rb"IIR[OS]|MMOR|IIU\0|FUJIFILMCCD-RAW|.{6}HEAPCCDR|\0MRM|FOVb": RAW,
    rb"8BPS": f"a Photoshop document; {_RESAVE}",
    rb"gimp xcf": f"a GIMP document; {_RESAVE}",
    rb"\x76\x2f\x31\x01": f"an OpenEXR picture; {_RESAVE}",
    rb"#\?RADIANCE": f"a Radiance picture; {_RESAVE}",
    rb"SIMPLE  =": f"a FITS picture; {_RESAVE}",
    rb".{128}DICM": f"a DICOM picture; {_RESAVE}",
    rb"qoif": f"a QOI picture; {_RESAVE}",
    rb"DDS ": f"a DDS texture; {_RESAVE}",
    rb"\0\0\x01\0": f"an icon; {_RESAVE}",
    rb"P[1-7Ff][\s#]": f"a PNM picture; {_RESAVE}",
}
_OTHERS = {
    rb"%PDF-": "a PDF document; save its pictures as JPEG or PNG",
    rb"%!PS": f"a PostScript drawing; {_RESAVE}",
    rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!DOCTYPE svg[^>]*>\s*)?<svg": (
        f"an SVG drawing; {_RESAVE}"
    ),
    rb"(?i)\s*<(!doctype )?html": "a web page; the download failed",
    rb"version https://git-lfs": "a Git LFS pointer; fetch the file with git lfs pull",
    rb"\x1aE\xdf\xa3|RIFF....AVI |\0\0\x01[\xb3\xba]|FLV\x01|G.{187}G": _VIDEO,
    rb"OggS|0&\xb2u\x8ef\xcf\x11": _VIDEO,
    rb"PK\x03\x04|Rar!|7z\xbc\xaf|\x1f\x8b|.{257}ustar": "an archive; unpack it",
    rb"\x93NUMPY|\x89HDF": f"an array of numbers; {_RESAVE}",
    rb"\0+\Z": f"no {_READ} image: all zeros, as after an interrupted copy",
}


def check(head: bytes) -> None:
    """Checks whether a file may be a photo of a supported format.

    Args:
      head: its first `NUM_BYTES` bytes, or all.

    Raises:
      NotAPhotoError: it is not a picture.
      UnfitPhotoError: it is a picture of an unsupported format; the message says which,
        and what to do.
    """
    if _READABLE.match(head):
        return
    if head[4:8] == b"ftyp":
        _check_brands(head)
        return
    for pattern, what in _PICTURES.items():
        if re.match(pattern, head, re.DOTALL):
            raise UnfitPhotoError(what)
    for pattern, what in _OTHERS.items():
        if re.match(pattern, head, re.DOTALL):
            raise NotAPhotoError(what)
    raise NotAPhotoError(f"no {_READ} image")


@functools.cache
def reads_heic() -> bool:
    """Whether Pillow's plugin for HEIC is installed; it is loaded if so."""
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True


def _check_brands(head: bytes) -> None:
    """Distinguishes HEIC, AVIF, Canon's raw files and videos, all ISO media files.

    ISO/IEC 14496-12, 4.3: the file begins with a box "ftyp", which holds the major
    brand, its version, and the compatible brands.
    """
    size = int.from_bytes(head[:4], "big")
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, min(size, 256), 4))}
    if brands.intersection(_AVIF_BRANDS):
        return
    if brands.intersection(_HEIC_BRANDS):
        if not reads_heic():
            raise UnfitPhotoError(
                "a HEIC photo, which needs a package: pip install pillow-heif"
            )
    elif head[8:11] == b"crx":
        raise UnfitPhotoError(RAW)
    else:
        raise NotAPhotoError(_VIDEO)
