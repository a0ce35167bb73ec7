"""Which of the spacings that a projection image states is believed, and what it is worth.

The rule is that of DICOM PS3.3 10.7.1 and of cornerstone's ``getPixelSpacingInformation``: never fall back
silently, always say where the value comes from.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from calcimeasure.errors import RecipeError
from calcimeasure.model.image import Spacing, SpacingOrigin
from calcimeasure.model.pixel_size import impossible

Pair = tuple[float, float]

# Relative difference under which two stated spacings are the same number written twice.
_EQUAL = 1e-3
# A pixel in the body is at most as large as the detector's; an object measured by hand may miss that by so much.
_ROUNDING = 0.02
# Two statements of one magnification that lie further apart contradict each other.
_AGREE = 0.05
# A pixel is square up to this; no device makes one taller or wider than that many times.
_SQUARE, _MOST_ASPECT = 0.005, 10.0
# No limb is filmed at more; a larger factor is a typing error or a distance in another unit.
_HIGHEST_MAGNIFICATION = 5.0
# Dots per inch of screens, which converters write where they know nothing.
_SCREEN_MM = tuple(25.4 / dpi for dpi in (72, 96))

_WARNING = {
    SpacingOrigin.FILE: "scale is what the program that wrote the file says of it",
    SpacingOrigin.FIDUCIAL: "scale is calibrated on an object of known size: it holds at the depth of that object",
    SpacingOrigin.GEOMETRY: "scale is corrected by the device for an assumed magnification",
    SpacingOrigin.MODALITY_CORRECTED: "scale was corrected by the device in a way the file does not tell",
    SpacingOrigin.ERMF: "scale is the detector's divided by an estimated magnification",
    SpacingOrigin.DETECTOR_PLANE: "scale is that of the detector plane: magnification is not corrected",
    SpacingOrigin.DETECTOR_ONLY: "scale is that of the detector plane: magnification is not corrected",
    SpacingOrigin.UNCERTAIN: "scale is uncertain: the file does not say if it holds at the detector or in the patient",
    SpacingOrigin.NOMINAL: "scale is that of the scanned film, not of the patient",
}
NO_SCALE = "no usable scale in the file: sizes stay in pixels; give one with --spacing"


@dataclass(frozen=True, slots=True)
class Stated:
    """What a header says about scale; `None` for absent or malformed, values unchecked.

    Parameters
    ----------
    pixel, imager, nominal : pair of float or None
        PixelSpacing, ImagerPixelSpacing, NominalScannedPixelSpacing: row spacing, column spacing, in mm.
    grouped : pair of float or None
        PixelSpacing of the functional groups, where all frames agree.
    calibration : str or None
        PixelSpacingCalibrationType.
    magnification : float or None
        EstimatedRadiographicMagnificationFactor.
    source_detector_mm, source_patient_mm : float or None
        Distances of the tube focus.
    unreadable : tuple of str
        Keywords of spacings that are there and are not two positive numbers.
    shape : tuple of int or None
        Rows and columns, to judge the field of view.
    """

    pixel: Pair | None = None
    imager: Pair | None = None
    nominal: Pair | None = None
    calibration: str | None = None
    magnification: float | None = None
    source_detector_mm: float | None = None
    source_patient_mm: float | None = None
    grouped: Pair | None = None
    unreadable: tuple[str, ...] = ()
    shape: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class FileScale:
    """The scale that a file supports, `None` when it supports none, and what of its statements was not believed."""

    spacing: Spacing | None = None
    doubts: tuple[str, ...] = ()

    def turned(self) -> FileScale:
        """The same of the picture with its rows and columns exchanged."""
        if (own := self.spacing) is None:
            return self
        return replace(self, spacing=Spacing.of(own.column_mm, own.row_mm, own.origin))


def stated_spacing(stated: Stated) -> FileScale:
    """The scale that a header supports.

    A spacing that is no two positive numbers, a placeholder, or of an impossible size counts as absent, and is told
    of. ``FIDUCIAL`` and ``GEOMETRY`` win; then a pixel spacing that differs from the imager's; then the imager's over
    the magnification (of the header, or from the distances); then the imager's, the lone pixel spacing, and the
    nominal one. Two plausible statements that contradict each other leave no scale.
    """
    doubts = [f"{keyword} in the file is not two positive numbers: ignored" for keyword in stated.unreadable]
    sound = replace(
        stated,
        pixel=_believed("PixelSpacing", stated.pixel, stated, doubts),
        imager=_believed("ImagerPixelSpacing", stated.imager, stated, doubts),
        nominal=_believed("NominalScannedPixelSpacing", stated.nominal, stated, doubts),
        grouped=_believed("PixelSpacing of the functional groups", stated.grouped, stated, doubts),
        magnification=_believed_estimate(stated, doubts),
    )
    ratio = _believed_ratio(stated, doubts)
    if contradictions := tuple(_contradictions(sound, ratio)):
        return FileScale(None, (*doubts, *contradictions))
    doubts += _differences(sound, ratio)
    return FileScale(_ruled(sound, ratio), tuple(doubts))


def calibrated(pair: Pair, shape: tuple[int, int]) -> FileScale:
    """The scale that the program which wrote a raster states, height and width of a pixel in mm."""
    if why := impossible(*pair, shape) or _placeholder(pair):
        return FileScale(doubts=(f"the calibration in the file, {_told(pair)} per pixel, {why}: not used",))
    return FileScale(Spacing.of(*pair, SpacingOrigin.FILE))


def chosen_spacing(
    stated: FileScale, user: Spacing | None, shape: tuple[int, int] | None = None
) -> tuple[Spacing | None, tuple[str, ...]]:
    """The scale to measure with and what to know about it: the user's, else the file's.

    Raises
    ------
    RecipeError
        When the user's cannot be true of a picture of that shape.
    """
    own = stated.spacing
    if user is None:
        return own, (*stated.doubts, *scale_words(own))
    check_given(user, shape)
    return user, (*stated.doubts, *replaced_words(own, user))


def scale_words(own: Spacing | None) -> tuple[str, ...]:
    """What to know of the scale that a file supports."""
    if own is None:
        return (NO_SCALE,)
    return (_WARNING[own.origin],) if own.origin in _WARNING else ()


def replaced_words(own: Spacing | None, user: Spacing) -> tuple[str, ...]:
    """What to know of a scale that a person gave, beside the file's own."""
    if own is None or _same((user.row_mm, user.column_mm), (own.row_mm, own.column_mm)):
        return ()
    return (
        f"the given scale of {user.row_mm:g} x {user.column_mm:g} mm replaces the file's "
        f"{own.row_mm:g} x {own.column_mm:g} mm ({own.origin})",
    )


def check_given(spacing: Spacing, shape: tuple[int, int] | None = None) -> None:
    """Nothing, or why a scale that a person gave cannot be true.

    Raises
    ------
    RecipeError
    """
    if why := impossible(spacing.row_mm, spacing.column_mm, shape):
        raise RecipeError(f"the given scale of {_told((spacing.row_mm, spacing.column_mm))} per pixel {why}; check it")


def _believed(keyword: str, pair: Pair | None, stated: Stated, doubts: list[str]) -> Pair | None:
    """A stated spacing; `None`, and a doubt more, where it cannot be one."""
    if pair is None or not (why := impossible(*pair, stated.shape) or _placeholder(pair)):
        return pair
    doubts.append(f"{keyword} of {_told(pair)} {why}: ignored")
    return None


def _placeholder(pair: Pair) -> str:
    if all(mm >= 1 and mm == round(mm) for mm in pair):
        return "is a placeholder, no size of a pixel"
    if any(math.isclose(mm, screen, rel_tol=1e-4) for mm in pair for screen in _SCREEN_MM):
        return "is that of a screen, no size of a pixel in the patient"
    return ""


def _believed_estimate(stated: Stated, doubts: list[str]) -> float | None:
    """The estimated magnification; `None`, and a doubt more, where no film has it."""
    own = stated.magnification
    if own is None or 1 <= own <= _HIGHEST_MAGNIFICATION:
        return own
    doubts.append(f"an estimated magnification of {own:g} is none that a film has: ignored")
    return None


def _believed_ratio(stated: Stated, doubts: list[str]) -> float | None:
    """The magnification by the distances of the tube; `None`, and a doubt more, where they cannot be."""
    detector, patient = stated.source_detector_mm, stated.source_patient_mm
    if not (detector and patient and min(detector, patient) > 0):
        return None
    if 1 <= detector / patient <= _HIGHEST_MAGNIFICATION:
        return detector / patient
    doubts.append(
        f"the distances of the tube in the file ({detector:g} mm to the detector, {patient:g} mm to the patient) "
        "contradict each other: ignored"
    )
    return None


def _contradictions(stated: Stated, ratio: float | None) -> Iterator[str]:
    """Why statements that are plausible one by one cannot hold together."""
    pixel, imager, grouped, own = stated.pixel, stated.imager, stated.grouped, stated.magnification
    if pixel and grouped and not _same(pixel, grouped):
        yield f"PixelSpacing of {_told(pixel)} contradicts that of the functional groups, {_told(grouped)}"
    if own and own != 1 and ratio and not _close(own, ratio):
        yield f"an estimated magnification of {own:.3g} contradicts the distances of the tube, which make {ratio:.3g}"
    pixel = pixel or grouped
    if pixel and imager and (why := _against_detector(pixel, imager)):
        yield f"PixelSpacing of {_told(pixel)} contradicts ImagerPixelSpacing of {_told(imager)}: {why}"
    elif not stated.calibration:
        yield from _against_magnification(stated, ratio)


def _against_detector(pixel: Pair, imager: Pair) -> str:
    """Why a pixel in the body cannot have that size on this detector; empty when it can."""
    ratios = [detector / own for detector, own in zip(imager, pixel, strict=True)]
    if min(ratios) < 1 - _ROUNDING:
        return "a film shows nothing smaller than it is"
    if max(ratios) > _HIGHEST_MAGNIFICATION:
        return f"no film magnifies {max(ratios):.3g} times"
    return "" if _close(*ratios) else "their pixels have different shapes"


def _against_magnification(stated: Stated, ratio: float | None) -> Iterator[str]:
    """Whether the two pixel spacings say another magnification than is stated beside them."""
    pixel, imager, factor = stated.pixel or stated.grouped, stated.imager, _factor(stated, ratio)
    if pixel and imager and factor and not _same(pixel, imager) and not _close(imager[0] / pixel[0], factor):
        yield (
            f"PixelSpacing of {_told(pixel)} and ImagerPixelSpacing of {_told(imager)} contradict the stated "
            f"magnification of {factor:.3g}"
        )


def _differences(stated: Stated, ratio: float | None) -> Iterator[str]:
    """What the rule decided between statements that differ."""
    if stated.calibration:
        yield from _against_magnification(stated, ratio)
    if stated.magnification == 1 and ratio and not _close(1, ratio):
        yield f"the estimated magnification of 1 is believed, though the distances of the tube make {ratio:.3g}"
    if stated.pixel and stated.nominal and not _same(stated.pixel, stated.nominal):
        told = f"NominalScannedPixelSpacing of {_told(stated.nominal)}"
        yield f"PixelSpacing of {_told(stated.pixel)} is believed, not {told}"


def _ruled(stated: Stated, ratio: float | None) -> Spacing | None:
    """The spacing that wins by the rule, of statements that do not contradict each other."""
    pixel, imager = stated.pixel or stated.grouped, stated.imager
    if pixel and stated.calibration in ("FIDUCIAL", "GEOMETRY"):
        return Spacing.of(*pixel, SpacingOrigin(stated.calibration.lower()))
    if pixel and imager and not _same(pixel, imager):
        return Spacing.of(*pixel, SpacingOrigin.MODALITY_CORRECTED)
    if imager:
        return _from_detector(imager, _factor(stated, ratio), both=pixel is not None)
    if pixel:
        return Spacing.of(*pixel, SpacingOrigin.UNCERTAIN)
    return Spacing.of(*stated.nominal, SpacingOrigin.NOMINAL) if stated.nominal else None


def _factor(stated: Stated, ratio: float | None) -> float | None:
    # The header's own estimate wins over the distances; exactly 1 corrects nothing, as in cornerstone.
    factor = stated.magnification or ratio
    return factor if factor != 1 else None


def aspect_of(pair: Pair | None) -> float | None:
    """Height of a pixel over its width, from a pair of them; `None` for square pixels and for what is no shape."""
    if pair is None or not all(math.isfinite(side) and side > 0 for side in pair):
        return None
    aspect = pair[0] / pair[1]
    return None if abs(aspect - 1) < _SQUARE or not 1 / _MOST_ASPECT < aspect < _MOST_ASPECT else aspect


def scale_in_shape(
    stated: FileScale, user: Spacing | None, aspect: float | None, shape: tuple[int, int] | None
) -> tuple[Spacing | None, tuple[str, ...]]:
    """As `chosen_spacing`, a user's one number being the width of pixels that the file says are not square."""
    shaped = user if user is None or aspect is None else user.shaped(aspect)
    spacing, words = chosen_spacing(stated, shaped, shape)
    if shaped == user:
        return spacing, words
    return spacing, (*words, f"pixels are {aspect:.4g} times as tall as wide: the given scale was taken as their width")


def _from_detector(imager: Pair, magnification: float | None, *, both: bool) -> Spacing:
    if magnification is not None:
        return Spacing.of(imager[0] / magnification, imager[1] / magnification, SpacingOrigin.ERMF)
    return Spacing.of(*imager, SpacingOrigin.DETECTOR_PLANE if both else SpacingOrigin.DETECTOR_ONLY)


def _close(one: float, other: float) -> bool:
    return abs(math.log(one / other)) <= _AGREE


def _told(pair: Pair) -> str:
    return f"{pair[0]:.6g} x {pair[1]:.6g} mm"


def _same(one: Pair, other: Pair) -> bool:
    return all(math.isclose(a, b, rel_tol=_EQUAL) for a, b in zip(one, other, strict=True))
