"""Everything that can go wrong, drawn as a tree.

::

    CalcimeasureError
    ├── ReadError             a file cannot be turned into an image
    │   ├── UnknownFormat       no reader knows this content
    │   ├── DamagedFile         truncated, corrupt or lying about itself
    │   ├── UnsupportedFile     sound, but not something we measure (volume, no pixels, 12-bit JPEG)
    │   ├── TooLarge            more pixels or bytes than the cap
    │   └── FrameNeeded         several frames and none was named
    ├── MaskError             a label image does not fit its film
    ├── RecipeError           a setting is unknown or out of its range
    ├── TableError            a CSV of ours or of the user's cannot be used
    ├── EditRefused           the mask cannot be changed as asked (signed, no such deposit)
    ├── NothingToMeasure      no image is there, or every film of a study is excluded
    ├── OutputError           the results folder cannot be used
    │   └── FileInTheWay        a file cannot be written where it belongs: a person's stands there
    └── MeasurementRefused    the image is sound but the number asked for would not be honest

A message says what happened, in which file or value, and what to do about it. It never holds a
patient's name, a header's free text or a full path.
"""


class CalcimeasureError(Exception):
    """Root of every error that calcimeasure raises on purpose."""


class ReadError(CalcimeasureError):
    """A file cannot be turned into an image."""


class UnknownFormat(ReadError):
    """No reader knows the content of this file."""


class DamagedFile(ReadError):
    """The file is truncated, corrupt, or its header contradicts its content."""


class UnsupportedFile(ReadError):
    """The file is sound, but it holds nothing that calcimeasure measures."""


class TooLarge(ReadError):
    """The file declares more pixels than the cap allows."""


class FrameNeeded(ReadError):
    """The file holds several frames and the caller named none, or one that is not there."""


class MaskError(CalcimeasureError):
    """A label image is missing or does not fit its film."""


class RecipeError(CalcimeasureError):
    """A recipe has an unknown setting or a value out of range."""


class TableError(CalcimeasureError):
    """A CSV table cannot be used as it stands."""


class EditRefused(CalcimeasureError):
    """The mask cannot be changed as asked: it is signed, or there is no such deposit."""


class NothingToMeasure(CalcimeasureError):
    """A run has nothing to do: no image was found, or every film is excluded."""


class OutputError(CalcimeasureError):
    """The results folder cannot be used as asked."""


class FileInTheWay(OutputError):
    """One file cannot be written where it belongs; all others can."""


class MeasurementRefused(CalcimeasureError):
    """The image can be read, but the number asked for would not be honest."""
