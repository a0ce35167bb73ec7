"""What a file is, before its pixels are read."""

from __future__ import annotations

from dataclasses import dataclass, field

from calcimeasure.model.image import Acquisition, Kind, Meaning, Spacing


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file says it holds; `None` where only the pixels could tell.

    Parameters
    ----------
    form : str
        Its format, as `calcimeasure.io.images.content.identify` names it.
    kind, meaning, decided : Kind, Meaning, str
        What the picture is and how that was decided; a CT or MR file is a volume.
    shape : tuple of int or None
        Rows and columns.
    spacing : Spacing or None
        The scale that the header supports.
    acquisition : Acquisition
        Facts for comparing visits.
    """

    form: str
    kind: Kind | None = None
    meaning: Meaning | None = None
    decided: str = ""
    shape: tuple[int, int] | None = None
    spacing: Spacing | None = None
    acquisition: Acquisition = field(default_factory=Acquisition)
