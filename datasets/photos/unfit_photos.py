"""The reasons why a file cannot be used as a photo, as exceptions."""


class UnfitPhotoError(Exception):
    """A photo that cannot be used: damaged, or of an unsupported format."""


class NotAPhotoError(UnfitPhotoError):
    """A file that is not a picture but a text, a video, an archive."""


class UnreadablePhotoError(UnfitPhotoError):
    """A file that cannot be opened, or is a folder, a pipe or a device."""


class EmptyPhotoError(UnfitPhotoError):
    """An empty file."""


class TooLargePhotoError(UnfitPhotoError):
    """A photo of more pixels, or a file of more bytes, than is reasonable."""


class TooLargeFileError(TooLargePhotoError):
    """A file of more bytes than any photo has."""


class UnclearBitsError(UnfitPhotoError):
    """A 16-bit photo that is either dark or has fewer bits: another one may tell."""


class TooFewBitsError(UnfitPhotoError):
    """A photo with values beyond the stated number of bits."""
