"""The ways to outline deposits: each is one module with a function `find`, and one entry in `METHODS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from calcimeasure.errors import RecipeError
from calcimeasure.model.authorship import Author
from calcimeasure.model.image import Image, Kind

if TYPE_CHECKING:
    from calcimeasure.steps.outline.findings import Findings, Proposed
    from calcimeasure.steps.outline.settings import SegmentSettings

    Find = Callable[[Image, SegmentSettings], Findings | Proposed]
    Fingerprint = Callable[[SegmentSettings], str | None]


@dataclass(frozen=True, slots=True)
class Method:
    """A way to outline deposits, and all that the rest of the package may ask about it.

    Parameters
    ----------
    name : str
        What `SegmentSettings.method` calls it.
    find : function of image and settings giving Findings or Proposed
        What it sees, before threshold, smallest size and region choose.
    fingerprint : function of settings giving str or None
        SHA-256 of the files besides the code that its outlines depend on; `None` where there are none.
    author : Author
        Who stands behind its outlines. Those of ``Author.NETWORKS`` carry the error bar that was fitted on the shipped
        networks; another program's carry the one of outlines whose doubts are unknown.
    """

    name: str
    find: Find
    fingerprint: Fingerprint
    author: Author


def method_named(name: str) -> Method:
    """The method for films that is called so.

    Raises
    ------
    RecipeError
        Where there is none.
    """
    named = {method.name: method for method in METHODS}
    if name not in named:
        raise RecipeError(f"unknown segmentation method {name!r}; choose from {', '.join(named)}")
    return named[name]


def method_for(image: Image, settings: SegmentSettings) -> Method:
    """The method that outlines an image: that of the settings; photos have their own, whatever the settings."""
    return ON_PHOTOS if image.kind is Kind.PHOTO else method_named(settings.method)


def _in(module: str) -> Find:
    """`find` of a module of this room, imported when it is first used: networks and filters take long to load."""

    def find(image: Image, settings: SegmentSettings) -> Findings | Proposed:
        found: Findings | Proposed = import_module(f"calcimeasure.steps.outline.{module}").find(image, settings)
        return found

    return find


def _networks(settings: SegmentSettings) -> str:
    from calcimeasure.steps.outline.weights import fingerprint

    return fingerprint(settings.weights)


def _no_files(settings: SegmentSettings) -> None:
    return None


#: The methods for films, the usual one first.
METHODS = (
    Method("learned", _in("learned"), _networks, Author.NETWORKS),
    Method("classical", _in("classical"), _no_files, Author.PROGRAM),
)
#: What searches a photo: it proposes, and a person accepts.
ON_PHOTOS = Method("photo", _in("proposals"), _no_files, Author.PROGRAM)
