"""Find the deposits: `segment` outlines them by the method that the settings name (`methods.METHODS`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calcimeasure.model.arrays import Mask
from calcimeasure.model.deposit import Segmentation
from calcimeasure.model.image import Image
from calcimeasure.steps.outline.methods import METHODS, Method, method_for, method_named
from calcimeasure.steps.outline.settings import SegmentSettings

if TYPE_CHECKING:
    from calcimeasure.steps.outline.findings import Findings, Proposed

__all__ = ["METHODS", "Method", "SegmentSettings", "find", "method_for", "method_named", "segment"]


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
    return find(image, settings).segmentation(settings, region)


def find(image: Image, settings: SegmentSettings) -> Findings | Proposed:
    """What the method sees, once; its ``segmentation(settings, region)`` is what `segment` gives, at once.

    So a threshold or a smallest size can be tried without running the networks again. The classical method searches
    again for another threshold; on photos the settings of films decide nothing.
    """
    return method_for(image, settings).find(image, settings)
