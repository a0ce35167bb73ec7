"""Which of the spacings that a projection image states is believed, and what it is worth.

The rule is that of DICOM PS3.3 10.7.1 and of cornerstone's ``getPixelSpacingInformation``: never fall back
silently, always say where the value comes from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from calcimeasure.model.image import Spacing, SpacingOrigin
from calcimeasure.model.warning import Code, Remark

Pair = tuple[float, float]

# Relative difference under which two stated spacings are the same number written twice.
_EQUAL = 1e-3
# Outside these a number is a slip of unit or hostile (its square would under- or overflow), not a pixel.
_LEAST_MM, _MOST_MM = 1e-6, 1e4
# A pixel is square up to this; no device makes one taller or wider than that many times.
_SQUARE, _MOST_ASPECT = 0.005, 10.0
# No limb is filmed at more; a larger factor is a typing error or a distance in another unit.
_HIGHEST_MAGNIFICATION = 5.0

_WARNING = {
    SpacingOrigin.FIDUCIAL: Code.SCALE_FIDUCIAL,
    SpacingOrigin.GEOMETRY: Code.SCALE_GEOMETRY,
    SpacingOrigin.MODALITY_CORRECTED: Code.SCALE_MODALITY_CORRECTED,
    SpacingOrigin.ERMF: Code.SCALE_ERMF,
    SpacingOrigin.DETECTOR_PLANE: Code.SCALE_DETECTOR_PLANE,
    SpacingOrigin.DETECTOR_ONLY: Code.SCALE_DETECTOR_PLANE,
    SpacingOrigin.UNCERTAIN: Code.SCALE_UNCERTAIN,
    SpacingOrigin.NOMINAL: Code.SCALE_NOMINAL,
}


@dataclass(frozen=True, slots=True)
class Stated:
    """What a header says about scale; `None` for absent or malformed, values unchecked.

    Parameters
    ----------
    pixel, imager, nominal : pair of float or None
        PixelSpacing, ImagerPixelSpacing, NominalScannedPixelSpacing: row spacing, column spacing, in mm.
    calibration : str or None
        PixelSpacingCalibrationType.
    magnification : float or None
        EstimatedRadiographicMagnificationFactor.
    source_detector_mm, source_patient_mm : float or None
        Distances of the tube focus.
    """

    pixel: Pair | None = None
    imager: Pair | None = None
    nominal: Pair | None = None
    calibration: str | None = None
    magnification: float | None = None
    source_detector_mm: float | None = None
    source_patient_mm: float | None = None


def stated_spacing(stated: Stated) -> Spacing | None:
    """The scale that a header supports, or `None` when it supports none.

    A spacing that is zero, negative or not finite counts as absent. ``FIDUCIAL`` and ``GEOMETRY`` win; then a pixel
    spacing that differs from the imager's; then the imager's over the magnification (of the header, or from the
    distances); then the imager's, the lone pixel spacing, and the nominal one.
    """
    pixel, imager, nominal = (_usable(pair) for pair in (stated.pixel, stated.imager, stated.nominal))
    if pixel and stated.calibration in ("FIDUCIAL", "GEOMETRY"):
        return Spacing.of(*pixel, SpacingOrigin(stated.calibration.lower()))
    if pixel and imager and not _same(pixel, imager):
        return Spacing.of(*pixel, SpacingOrigin.MODALITY_CORRECTED)
    if imager:
        return _from_detector(imager, _magnification(stated), both=pixel is not None)
    if pixel:
        return Spacing.of(*pixel, SpacingOrigin.UNCERTAIN)
    return Spacing.of(*nominal, SpacingOrigin.NOMINAL) if nominal else None


def aspect_of(pair: Pair | None) -> float | None:
    """Height of a pixel over its width, from a pair of them; `None` for square pixels and for what is no shape."""
    if pair is None or not all(math.isfinite(side) and side > 0 for side in pair):
        return None
    aspect = pair[0] / pair[1]
    return None if abs(aspect - 1) < _SQUARE or not 1 / _MOST_ASPECT < aspect < _MOST_ASPECT else aspect


def scale_in_shape(
    stated: Spacing | None, user: Spacing | None, aspect: float | None
) -> tuple[Spacing | None, tuple[Remark, ...]]:
    """As `chosen_spacing`, a user's one number being the width of pixels that the file says are not square."""
    shaped = user if user is None or aspect is None else user.shaped(aspect)
    spacing, words = chosen_spacing(stated, shaped)
    if shaped == user:
        return spacing, words
    return spacing, (*words, Remark.of(Code.SCALE_TAKEN_AS_WIDTH, aspect=aspect))


def chosen_spacing(stated: Spacing | None, user: Spacing | None) -> tuple[Spacing | None, tuple[Remark, ...]]:
    """The scale to measure with and what to know about it: the user's, else the file's."""
    if user is None:
        return stated, (Remark.of(_WARNING[stated.origin] if stated else Code.SCALE_ABSENT),)
    if stated is None or _same((user.row_mm, user.column_mm), (stated.row_mm, stated.column_mm)):
        return user, ()
    return user, (
        Remark.of(
            Code.SCALE_GIVEN_REPLACES_FILE,
            row_mm=user.row_mm,
            column_mm=user.column_mm,
            file_row_mm=stated.row_mm,
            file_column_mm=stated.column_mm,
            origin=stated.origin,
        ),
    )


def _from_detector(imager: Pair, magnification: float | None, *, both: bool) -> Spacing:
    if magnification is not None:
        return Spacing.of(imager[0] / magnification, imager[1] / magnification, SpacingOrigin.ERMF)
    return Spacing.of(*imager, SpacingOrigin.DETECTOR_PLANE if both else SpacingOrigin.DETECTOR_ONLY)


def _magnification(stated: Stated) -> float | None:
    # The header's own estimate wins over the distances; exactly 1 corrects nothing, as in cornerstone.
    detector, patient = stated.source_detector_mm, stated.source_patient_mm
    ratio = detector / patient if detector and patient else None
    for factor in (stated.magnification, ratio):
        if factor is not None and 1 <= factor <= _HIGHEST_MAGNIFICATION:
            return factor if factor > 1 else None
    return None


def _usable(pair: Pair | None) -> Pair | None:
    return pair if pair and all(math.isfinite(mm) and _LEAST_MM < mm < _MOST_MM for mm in pair) else None


def _same(one: Pair, other: Pair) -> bool:
    return all(math.isclose(a, b, rel_tol=_EQUAL) for a, b in zip(one, other, strict=True))
