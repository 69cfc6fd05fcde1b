"""What keeps a file from being used as a photo; each is an exception of its own."""


class UnfitPhotoError(Exception):
    """A photo that cannot be used: damaged, or of a format that is not read."""


class NotAPhotoError(UnfitPhotoError):
    """A file that is no picture at all: a text, a film, an archive."""


class UnreadablePhotoError(UnfitPhotoError):
    """A file that cannot be opened, or is a folder, a pipe or a device."""


class EmptyPhotoError(UnfitPhotoError):
    """A file without a byte."""


class TooLargePhotoError(UnfitPhotoError):
    """A photo of more pixels, or a file of more bytes, than is reasonable."""


class TooLargeFileError(TooLargePhotoError):
    """A file of more bytes than any photo has."""


class UnclearBitsError(UnfitPhotoError):
    """A 16-bit photo that is either dark or of fewer bits: another one may tell."""


class TooFewBitsError(UnfitPhotoError):
    """A photo with values above those of the bits that it is said to have."""
