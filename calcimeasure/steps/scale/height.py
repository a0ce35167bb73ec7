"""Magnification of a part that lies over the detector."""

from __future__ import annotations

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.image import RELATIVE_SD, Spacing, SpacingOrigin

#: Origins that hold at the detector and nowhere else.
AT_DETECTOR = (SpacingOrigin.DETECTOR_PLANE, SpacingOrigin.DETECTOR_ONLY)

#: Error of a height that was measured or guessed, at least so many mm, or this share of it: a limb is thick.
_HEIGHT_SD_MM, _HEIGHT_SD = 5.0, 0.2
#: Error of the distance between focus and detector, as a share of it.
_SOURCE_SD = 0.01
_HIGHEST = 0.8  # of the source distance: a fivefold magnification, which nobody films a limb with


def spacing_at_height(spacing: Spacing, object_mm: float, source_mm: float) -> Spacing:
    """Spacing in a plane `object_mm` over the detector, the tube's focus being `source_mm` away from it.

    A length is the detector's times (source - object) / source. Its relative error gains that of the height,
    sd(object) / (source - object), and that of the distance, sd(source) object / (source (source - object)).

    Raises
    ------
    MeasurementRefused
        For distances that cannot be, and for a spacing that does not hold at the detector.
    """
    if spacing.origin not in AT_DETECTOR:
        raise MeasurementRefused(f"only a scale of the detector plane can be corrected, this one is {spacing.origin}")
    if not 0 <= object_mm <= _HIGHEST * source_mm < float("inf"):
        raise MeasurementRefused(
            f"a part cannot lie {object_mm:g} mm over the detector when the source is {source_mm:g} mm away: "
            "give both distances from the detector, in mm"
        )
    left = source_mm - object_mm
    return Spacing.with_errors(
        spacing.row_mm * left / source_mm,
        spacing.column_mm * left / source_mm,
        SpacingOrigin.OBJECT_DISTANCE,
        detector=RELATIVE_SD[SpacingOrigin.OBJECT_DISTANCE],
        height=max(_HEIGHT_SD_MM, _HEIGHT_SD * object_mm) / left,
        source=_SOURCE_SD * object_mm / left,
    )
