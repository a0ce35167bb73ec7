"""Whether two films that were laid on each other may stay so: the limits, and what is said when they may not.

The limits lie between what right pairs and wrong pairs show (`benchmarks/bench_align.py`). A wrong pair
accepted is worse than a right one refused.
"""

from __future__ import annotations

from calcimeasure.model.warning import Code, Remark
from calcimeasure.steps.change.align.quality import Quality

#: A right pair reaches these ...
LIKENESS, OVERLAP, SHARED = 0.75, 0.60, 0.25
#: ... and stays under these: mm (pixels of the work where no scale is known are about as long), share.
RESIDUAL_MM, STRAIN = 1.5, 0.25
#: A place by the edge where the way forth and the way back part by more than this, in mm, is not followed: deposits
#: missed by 7 mm where they parted by 11, on drawn limbs; with 1.5 mm the ends of ordinary limbs would be lost, too.
LOST_MM = 4.0
#: How much better the mirrored film must fit (or worse the upright one) before the sides are told apart.
MARGIN = 0.02


def fits(quality: Quality, mm: float) -> bool:
    """Whether an alignment may be used."""
    return not faults(quality, mm)


def faults(quality: Quality, mm: float) -> tuple[Remark, ...]:
    """What is wrong with it; empty when nothing is."""
    told = {
        Remark.of(Code.DETAIL_DISAGREES, likeness=float(quality.likeness)): quality.likeness < LIKENESS,
        Remark.of(Code.OUTLINES_DISAGREE, overlap=float(quality.overlap)): quality.overlap < OVERLAP,
        Remark.of(Code.LITTLE_SHARED): quality.shared < SHARED,
        Remark.of(Code.WAYS_PART): quality.residual_px * mm > RESIDUAL_MM,
        Remark.of(Code.BENT_TOO_FAR): quality.strain > STRAIN,
    }
    return tuple(fault for fault, holds in told.items() if holds)


def merit(quality: Quality) -> float:
    """One number to rank alignments of the same two films by."""
    return quality.likeness - quality.strain


def refusal(upright: Quality, turned: Quality | None, mm: float) -> Remark | None:
    """Why the films cannot be compared as they are, and what to do; `None` when they can.

    Parameters
    ----------
    upright, turned : Quality
        As the caller says they lie, and the other way left for right (`None` when that is out of the question).
    mm : float
        Millimetres per working pixel.
    """
    wrong = faults(upright, mm)
    if turned is not None and fits(turned, mm):
        if wrong or merit(turned) > merit(upright) + MARGIN:
            return Remark.of(Code.OPPOSITE_SIDES)
        if merit(turned) > merit(upright) - MARGIN:
            return Remark.of(Code.MAYBE_FLIPPED)
    return Remark.of(Code.NOT_THE_SAME_LIMB, faults=wrong) if wrong else None
