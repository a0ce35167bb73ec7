"""What the panels say: numbers with their error and unit, scales with their origin, reasons in clinical words."""

from __future__ import annotations

from calcimeasure.model.deposit import Deposit, Measurement, Reason
from calcimeasure.model.image import Spacing, SpacingOrigin
from calcimeasure.model.quantity import Quantity
from calcimeasure.model.study import Fate, Verdict

_UNITS = {"mm2": "mm²", "mm3": "mm³"}
_ORIGINS = {
    SpacingOrigin.USER: "given by you",
    SpacingOrigin.MARKER: "from the marker in the picture",
    SpacingOrigin.RULER: "from the ruler in the picture",
    SpacingOrigin.POINTS: "from a line of known length",
    SpacingOrigin.FIDUCIAL: "from an object of known size",
    SpacingOrigin.GEOMETRY: "corrected by the machine's geometry",
    SpacingOrigin.FILE: "written into the file by the program that saved it",
    SpacingOrigin.MODALITY_CORRECTED: "corrected by the machine, it does not say how",
    SpacingOrigin.ERMF: "detector size divided by the stated magnification",
    SpacingOrigin.DETECTOR_PLANE: "at the detector; magnification not corrected",
    SpacingOrigin.DETECTOR_ONLY: "at the detector; magnification not corrected",
    SpacingOrigin.UNCERTAIN: "in the file, without saying what it means",
    SpacingOrigin.OBJECT_DISTANCE: "at the detector, corrected for the part's height over it",
    SpacingOrigin.NOMINAL: "sampling of the film scanner",
}
_REASONS = {
    Reason.TOO_SMALL: "too small",
    Reason.OUTSIDE_LIMB: "outside the limb",
    Reason.TEXT: "letter or marker",
    Reason.COLLIMATION: "edge of the collimator",
    Reason.PLATE: "dirt of the plate: its line goes on outside the limb",
    Reason.BORDER: "touches the film's border",
    Reason.BONE: "looks like bone",
    Reason.METAL: "metal",
    Reason.FAINT: "too faint",
    Reason.SHAPE: "shape unlike calcium",
    Reason.OUTSIDE_REGION: "outside your region",
    Reason.REJECTED: "refused by you",
}
#: Fates by letter and word: a colour alone tells nothing to one reader in twelve.
FATES = {
    Fate.NEW: ("N", "new"),
    Fate.RESOLVED: ("R", "resolved"),
    Fate.GROWN: ("G", "grown"),
    Fate.SHRUNK: ("S", "shrunk"),
    Fate.STABLE: ("=", "stable"),
    Fate.MERGED: ("M", "merged"),
    Fate.SPLIT: ("P", "split up"),
    Fate.OUT_OF_FIELD: ("?", "outside the other film"),
}
_VERDICTS = {
    Verdict.IMPROVED: "▼ improved",
    Verdict.STABLE: "= stable",
    Verdict.WORSE: "▲ worse",
    Verdict.NOT_EVALUABLE: "— cannot be judged",
}


def in_words(quantity: Quantity | None) -> str:
    """A number with its 95 % interval's half width and unit: ``12.3 ± 0.8 mm²``; a dash when there is none.

    The half width is 1.96 standard deviations.
    """
    if quantity is None:
        return "–"
    unit = _UNITS.get(quantity.unit, quantity.unit)
    if quantity.sd is None or quantity.unit == "px":
        return f"{quantity.value:,.0f} {unit}" if quantity.unit == "px" else f"{quantity.value:.2f} {unit}"
    return f"{quantity.value:.2f} ± {1.96 * quantity.sd:.2f} {unit}"


def bare(quantity: Quantity) -> str:
    """As `in_words`, without the unit: for a column that names it."""
    return in_words(quantity).rsplit(" ", 1)[0]


def area(measured: Deposit | Measurement) -> Quantity:
    """The area in mm2 where the scale is known, else in pixels."""
    return measured.area_px if measured.area_mm2 is None else measured.area_mm2


def scale_in_words(spacing: Spacing | None) -> str:
    """The scale, where it comes from and how sure a length is; or that there is none."""
    if spacing is None:
        return "no scale: areas in pixels until you calibrate"
    size = f"{spacing.row_mm:.4g}" + (
        "" if spacing.row_mm == spacing.column_mm else f" (down) x {spacing.column_mm:.4g} (across)"
    )
    return f"{size} mm per pixel ± {100 * spacing.relative_sd:.2g} %, {_ORIGINS[spacing.origin]}"


def reason_in_words(reason: Reason) -> str:
    """Why a finding was dropped."""
    return _REASONS[reason]


def verdict_in_words(verdict: Verdict) -> str:
    """The verdict with a sign that does without colour."""
    return _VERDICTS[verdict]
