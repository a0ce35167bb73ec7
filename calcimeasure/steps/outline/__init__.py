"""Find the deposits: `segment` looks the method up in `METHODS`; method modules load when they are used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from calcimeasure.model.deposit import Segmentation
from calcimeasure.model.image import Image, Kind, Mask
from calcimeasure.steps.outline.settings import SegmentSettings

if TYPE_CHECKING:
    from calcimeasure.steps.outline.findings import Findings, Proposed

__all__ = ["METHODS", "Method", "SegmentSettings", "find", "segment"]

Method = Callable[[Image, SegmentSettings, Mask | None], Segmentation]


def segment(image: Image, settings: SegmentSettings, region: Mask | None = None) -> Segmentation:
    """The deposits of an image, what was found and dropped, and where limb and bone were seen.

    Parameters
    ----------
    image : Image
        A radiograph goes to the method that the settings name. A photo gets proposals only, which a person
        must accept, whatever the method.
    settings : SegmentSettings
        Method, threshold and smallest size.
    region : bool array, shape (rows, columns), optional
        Only what lies inside is kept: a deposit across its border is cut there. Anatomy is still judged on
        the whole film.
    """
    method = METHODS["photo" if image.kind is Kind.PHOTO else settings.method]
    return method(image, settings, region)


def find(image: Image, settings: SegmentSettings) -> Findings | Proposed:
    """What the method sees, once; its ``segmentation(settings, region)`` is what `segment` gives, at once.

    So a threshold or a smallest size can be tried without running the networks again. The classical method searches
    again for another threshold; on photos the settings of films decide nothing.
    """
    if image.kind is Kind.PHOTO:
        from calcimeasure.steps.outline.findings import Proposed
        from calcimeasure.steps.outline.photo import propose

        return Proposed(propose(image))
    if settings.method == "classical":
        from calcimeasure.steps.outline.classical import find_classical

        return find_classical(image, settings)
    from calcimeasure.steps.outline.learned import find_learned

    return find_learned(image, settings)


def _classical(image: Image, settings: SegmentSettings, region: Mask | None) -> Segmentation:
    from calcimeasure.steps.outline.classical import segment_classical

    return segment_classical(image, settings, region)


def _learned(image: Image, settings: SegmentSettings, region: Mask | None) -> Segmentation:
    from calcimeasure.steps.outline.learned import segment_learned

    return segment_learned(image, settings, region)


def _photo(image: Image, settings: SegmentSettings, region: Mask | None) -> Segmentation:
    from calcimeasure.steps.outline.candidates import limited_to
    from calcimeasure.steps.outline.photo import propose

    # The settings of films say nothing about photos: proposals have their own.
    found = propose(image)
    return found if region is None else limited_to(found, region)


#: Methods by name. Add a function here and its name to `settings.METHOD_NAMES`.
METHODS: dict[str, Method] = {"classical": _classical, "learned": _learned, "photo": _photo}
