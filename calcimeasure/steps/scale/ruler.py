"""Scale from a ruler that lies in the picture, at any angle, bent or in perspective.

The plan: bars are found at three sizes of picture, dark and light; runs of bars at equal steps are followed; each
run is straightened, and what its longer ticks say decides the unit. A run whose ticks are all alike gives no scale:
its step could be a millimetre, half of one or a sixteenth of an inch, or a radiator.

Every fifth and tenth tick is longer on rulers of millimetres, but on some of two or five millimetres, of centimetres
or of tenths of an inch, too. So the ticks' width is asked as well: rulers are printed in lines of some tenths of a
millimetre, and lines that fill a fifth of their distance lie a millimetre apart, not two or more. Thinner ones may be
anything, and a person must say what they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product

import cv2
import numpy as np

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.image import Image, Spacing, SpacingOrigin
from calcimeasure.model.scale import Scale, ScaleMethod
from calcimeasure.steps.scale.graduation import STEP_MM, Graduation, Verdict, graduate
from calcimeasure.steps.scale.points import FLATNESS_SD
from calcimeasure.steps.scale.runs import Run, find_runs
from calcimeasure.steps.scale.strip import Curve, Strip, straighten
from calcimeasure.steps.scale.ticks import Array, Plane, find_ticks

_WORKING_SIDE = 1600  # px: a larger photo is reduced first
_RUNS = 16  # the longest runs are straightened
_FEWEST = 10  # ticks: fewer are no ruler
_ENOUGH = 15  # ticks: fewer are unsure
_STRONG = (20.0, 10.0)  # evidence over ticks all alike, and over another unit, for a sure reading
_WEAK = (10.0, 4.0)  # and for an unsure one
_DRIFT = 0.15  # change of the step along the ruler
_SAME = 0.05  # share by which the steps of one ruler may differ
# Ticks at least so wide, in steps and in px, are a millimetre apart: 0.36 mm of ink on a ruler of 2 mm, 0.46 mm on one
# of tenths of an inch would be bold lines. Of 19 rulers in photos of skin 14 have wider ones; narrower than 1.8 px no
# line is printed wide or thin, but drawn as the picture can show it.
_BROAD, _BROAD_PX = 0.18, 1.8
# Distance of the camera in sides of the picture: that of a long lens, so that a tilt is not thought too small.
_LENS = 1.5
_ADVICE = "or give two points a known distance apart (--scale-points)"
_TELL = "say how far apart the ticks are (--ruler-mm)"


@dataclass(frozen=True, slots=True, eq=False)
class Ruler:
    """A ruler as read: where its ticks are, and what one step is worth.

    Parameters
    ----------
    feet : float array, shape (n, 2)
        Foot of every tick, (row, column) in px of the picture given.
    ends : float array, shape (n, 2)
        The other end of every tick.
    step_px : float
        Median step.
    drift : float
        How much the step changes along the ruler, as a share of it.
    verdict : Verdict
        What the longer ticks say.
    seen : int
        Ticks found, of the n places.
    errors : mapping of str to float
        What the standard deviation of the scale consists of, as shares of it.
    breadth : float
        Least width of the ticks, in steps.
    """

    feet: Array
    ends: Array
    step_px: float
    drift: float
    verdict: Verdict
    seen: int
    errors: Mapping[str, float]
    breadth: float

    @property
    def step_mm(self) -> float | None:
        """Millimetres in a step; `None` when the ticks do not tell."""
        weak = self.verdict.over_plain < _WEAK[0] or self.verdict.over_rival < _WEAK[1]
        return None if weak else STEP_MM[self.verdict.graduation]

    @property
    def px_per_mm(self) -> float | None:
        """Pixels in a millimetre, or `None`."""
        return None if self.step_mm is None else self.step_px / self.step_mm

    @property
    def doubt(self) -> str:
        """Why a person should look before the reading is used; empty when it is sure."""
        if self.seen < _ENOUGH:
            return f"only {self.seen} ticks are seen"
        if self.verdict.graduation is Graduation.FIVES:
            return "every fifth tick is longer but no tenth: taken for millimetres"
        if self.verdict.graduation is Graduation.HALF_MILLIMETRE:
            return "every second tick is longer: taken for half millimetres, but inches halve too"
        if self.verdict.over_plain < _STRONG[0] or self.verdict.over_rival < _STRONG[1]:
            return f"the longer ticks are hard to tell: taken for {self.verdict.graduation}"
        if self.verdict.graduation is Graduation.MILLIMETRE and not self.is_broad:
            return (
                "every fifth and tenth tick is longer, as on millimetres, but the ticks are thin: they could be "
                "2 mm, 5 mm, 1 cm or a tenth of an inch apart as well"
            )
        return self.bent

    @property
    def is_broad(self) -> bool:
        """Whether the ticks are too wide to lie further apart than a millimetre."""
        return self.breadth >= _BROAD and self.breadth * self.step_px >= _BROAD_PX

    @property
    def bent(self) -> str:
        """Why the scale along the ruler is no scale beside it; empty when it is."""
        if self.drift > _DRIFT:
            return f"the scale changes by {self.drift:.0%} along the ruler: lay it flat and photograph it from above"
        return ""


def scale_from_ruler(image: Image, ruler_mm: float | None = None) -> Scale:
    """The scale of a photo with a ruler in it; without a spacing, and with the reason, where none can be told.

    Parameters
    ----------
    image : Image
        Photo.
    ruler_mm : float, optional
        Distance of neighbouring ticks in mm, where a person knows it: the longer ticks are then not asked.
    """
    if ruler_mm is not None and not (math.isfinite(ruler_mm) and ruler_mm > 0):
        raise MeasurementRefused(f"ticks cannot be {ruler_mm} mm apart: give a distance of more than 0")
    rulers = find_rulers(image)
    if not rulers or (rulers[0].step_mm is None and rulers[0].seen < _ENOUGH):
        return Scale.refused(f"no ruler found: lay a millimetre ruler flat beside the lesion, {_ADVICE}")
    if ruler_mm is not None:
        return _as_told(rulers, ruler_mm)
    best = rulers[0]
    if best.px_per_mm is None:
        return Scale.refused(
            f"{_riddle(best)}: photograph a ruler with longer 5 and 10 mm ticks in full, {_TELL}, {_ADVICE}",
            ScaleMethod.RULER,
        )
    return _scale(best, 1 / best.px_per_mm, _quarrel(rulers) or best.doubt, f"check the ticks and {_TELL}, {_ADVICE}")


def _as_told(rulers: list[Ruler], step_mm: float) -> Scale:
    """The scale by the ruler with most ticks, when a person says how far apart they are."""
    best = max(rulers, key=lambda ruler: ruler.seen)
    others = [one.step_px for one in rulers if one.seen >= _ENOUGH and not _same_ruler(one, best)]
    doubt = f"rows of ticks {best.step_px:.1f} and {others[0]:.1f} px apart were found" if others else best.bent
    return _scale(best, step_mm / best.step_px, doubt, f"leave one ruler in the photo, {_ADVICE}")


def _same_ruler(one: Ruler, other: Ruler) -> bool:
    """Whether two rows of ticks are all, or every second or third ..., of one ruler."""
    ratio = max(one.step_px, other.step_px) / min(one.step_px, other.step_px)
    return abs(ratio / round(ratio) - 1) <= _SAME


def _scale(ruler: Ruler, mm: float, doubt: str, advice: str) -> Scale:
    spacing = Spacing.with_errors(mm, mm, SpacingOrigin.RULER, **ruler.errors)
    return Scale(ScaleMethod.RULER, spacing, unsure=bool(doubt), reason=f"{doubt}; {advice}" if doubt else "")


def find_rulers(image: Image) -> list[Ruler]:
    """Every run of ticks that can be a ruler, the surest first; the same edge of a ruler may appear several times."""
    grey = _grey(image)
    factor = max(1.0, max(grey.shape) / _WORKING_SIDE)
    work = _reduced(grey, factor)
    runs = sorted(_runs(work), key=lambda found: -len(found[0]))[:_RUNS]
    read = (_read(work, run, factor, dark=dark) for run, dark in runs)
    return sorted((ruler for ruler in read if ruler), key=_rank)


def _grey(image: Image) -> Plane:
    """Brightness 0-255 with the coloured ink of a ruler kept dark."""
    pixels = image.pixels.astype(np.float32)
    grey = pixels.mean(axis=2) if pixels.ndim == 3 else pixels
    low, high = np.percentile(grey, [0.5, 99.5]) if image.pixels.dtype != np.uint8 else (0.0, 255.0)
    return np.asarray((grey - low) * (255 / max(high - low, 1e-6)), np.float32)


def _reduced(grey: Plane, factor: float) -> Plane:
    if factor == 1:
        return grey
    size = (max(1, round(grey.shape[1] / factor)), max(1, round(grey.shape[0] / factor)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA))


def _runs(grey: Plane) -> Iterator[tuple[Run, bool]]:
    """Runs of dark and of light bars, at full, half and quarter size, in px of the picture given."""
    for factor, dark in product((1, 2, 4), (True, False)):
        small = _reduced(grey, factor)
        if min(small.shape) >= 16:
            for ticks in find_ticks(small, dark=dark):
                yield from ((run.times(factor), dark) for run in find_runs(ticks))


def _read(grey: Plane, run: Run, factor: float, *, dark: bool) -> Ruler | None:
    """The ruler that a run is, or `None` when it is no ruler."""
    if len(run) < _FEWEST:
        return None
    curve = Curve.through(run)
    strip = straighten(grey, run, curve, dark=dark)
    step = float(np.median(curve.steps()))
    if not _is_ruler(strip, curve.residual / step):
        return None
    number = np.arange(curve.last + 1, dtype=float)
    feet = curve.feet(number)
    depth = np.where(np.isfinite(strip.depth), strip.depth, 0)[:, None] * step
    drift = float(np.ptp(curve.steps())) / step
    return Ruler(
        feet=_on_photo(feet, factor),
        ends=_on_photo(feet + depth * curve.ways(number), factor),
        step_px=step * factor,
        drift=drift,
        verdict=_verdict(strip),
        seen=min(len(run), round(strip.seen * len(number))),
        errors=_errors(curve, step, drift, max(grey.shape)),
        breadth=strip.breadth,
    )


def _is_ruler(strip: Strip, spread: float) -> bool:
    """Whether the bars are crisp, evenly laid on even paper, and hardly any is missing."""
    clear = strip.contrast >= 8 and strip.two_sided >= 0.6 and strip.evenness <= 0.3
    return clear and strip.seen >= 0.75 and spread <= 0.125


def _verdict(strip: Strip) -> Verdict:
    """What lengths say, or what heavier ticks say on rulers whose ticks are equally long."""
    length, ink = graduate(strip.depth), graduate(strip.ink)
    # Width is a weak witness: a line out of focus changes it, and so does the next digit.
    heavy = ink.graduation in (Graduation.MILLIMETRE, Graduation.FIVES) and length.over_plain < _WEAK[0]
    return replace(ink, over_plain=min(ink.over_plain, _STRONG[0] - 1)) if heavy else length


def _on_photo(points: Array, factor: float) -> Array:
    """(x, y) on the reduced picture as (row, column) on the photo; pixel centres are whole numbers."""
    return np.asarray(((points + 0.5) * factor - 0.5)[:, ::-1])


def _errors(curve: Curve, step: float, drift: float, side_px: float) -> dict[str, float]:
    """Error of the step, half the change along the ruler, and what a line cannot say about the other direction.

    A ruler tilted along its axis by t, at the distance Z, changes its step by 2 L sin(t) / Z over its length L, and
    shows all of it cos(t) too short.
    """
    fit = float(curve.residual / step * np.sqrt(12 / max(curve.last, 1) ** 3))
    sine = min(drift * _LENS * side_px / (2 * step * max(curve.last, 1)), 1.0)
    return {"ticks": fit, "drift": float(drift / np.sqrt(12)), "flatness": math.hypot(FLATNESS_SD, sine**2 / 2)}


def _rank(ruler: Ruler) -> tuple[bool, bool, float]:
    """Sure readings first, millimetres before others, by their ticks; then whatever has most evidence for it."""
    if ruler.step_mm is None or ruler.doubt:
        return (True, True, -ruler.verdict.over_plain)
    return (False, ruler.step_mm != 1.0, -ruler.seen - min(ruler.verdict.over_plain, 50.0) / 10)


def _riddle(ruler: Ruler) -> str:
    """Why the unit of a row of marks is not known."""
    row = f"a row of {ruler.seen} marks {ruler.step_px:.1f} px apart was found, but"
    if ruler.verdict.graduation is Graduation.INCH and ruler.verdict.over_plain >= _WEAK[0]:
        return f"{row} they halve as on an inch ruler"
    return f"{row} no longer marks tell whether they are millimetres"


def _quarrel(rulers: list[Ruler]) -> str:
    """Why readings of one photo contradict each other; empty when they agree."""
    sure = [ruler.px_per_mm for ruler in rulers if ruler.px_per_mm and not ruler.doubt]
    if sure and max(sure) > (1 + _SAME) * min(sure):
        return f"two rulers disagree ({min(sure):.2f} and {max(sure):.2f} px per mm)"
    rivals = [ruler.verdict.graduation for ruler in rulers if _contradicts(ruler, rulers[0])]
    return f"the ticks may also be those of another ruler ({rivals[0]})" if rivals else ""


def _contradicts(other: Ruler, best: Ruler) -> bool:
    """Whether another reading of the same ticks has more evidence for another unit."""
    same = abs(other.step_px / best.step_px - 1) < 0.03
    kind = other.verdict.graduation in (Graduation.INCH, Graduation.ALTERNATE)
    return same and kind and other.verdict.over_plain > best.verdict.over_plain
