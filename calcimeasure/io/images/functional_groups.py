"""What enhanced DICOM objects say of each frame: their functional groups (PS3.3 C.7.6.16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calcimeasure.io.images.dicom_elements import Elements
from calcimeasure.model.warning import Code, Remark

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_SHARED, _OF_EACH = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
#: Groups whose elements say the same as those of a plain film; spacings are looked for by themselves.
_GROUPS = (
    "PixelValueTransformationSequence",
    "FrameVOILUTSequence",
    "FramePixelDataPropertiesSequence",
    "FrameDisplayShutterSequence",
    "FrameAnatomySequence",
)
#: Facts that change numbers, or the side, when they are said twice and differently.
_TELLING = (
    "RescaleSlope",
    "RescaleIntercept",
    "PixelIntensityRelationship",
    "PixelIntensityRelationshipSign",
    "WindowCenter",
    "WindowWidth",
    "ImagerPixelSpacing",
)


def has_groups(get: Elements) -> bool:
    """Whether there are any."""
    return bool(get.items(_SHARED) or get.items(_OF_EACH))


def groups_of(get: Elements, frame: int) -> tuple[Dataset, ...]:
    """What the functional groups say of a frame, counted from 1: each as it is of this frame, else as it is of all."""
    groups = [Elements(one) for one in (*get.items(_OF_EACH)[frame - 1 : frame], *get.items(_SHARED)[:1])]
    found = [next(filter(None, (group.items(name) for group in groups)), ()) for name in _GROUPS]
    return tuple(items[0] for items in found if items)


def group_doubts(get: Elements, groups: tuple[Dataset, ...], frames: int) -> tuple[Remark, ...]:
    """Where the groups contradict the rest of the header, or are not of as many frames."""
    its = Elements(get.dataset, groups)
    twice = [name for name in _TELLING if get.stated(name) and its.stated(name) and get.raw(name) != its.raw(name)]
    words = tuple(Remark.of(Code.FRAME_AGAINST_FILE, name=name) for name in twice)
    count = len(get.items(_OF_EACH))
    if count in (0, frames):
        return words
    return (*words, Remark.of(Code.FRAME_GROUPS_MISCOUNTED, count=count, frames=frames))
