"""Whether two films that were laid on each other may stay so: the limits, and what is said when they may not.

The limits lie between what right pairs and wrong pairs show (`benchmarks/bench_align.py`). A wrong pair
accepted is worse than a right one refused.
"""

from __future__ import annotations

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

MARK = "mark three or more landmarks on both films, or leave the pair out"


def fits(quality: Quality, mm: float) -> bool:
    """Whether an alignment may be used."""
    return not faults(quality, mm)


def faults(quality: Quality, mm: float) -> list[str]:
    """What is wrong with it, in words; empty when nothing is."""
    told = {
        f"their inner detail agrees too little ({quality.likeness:.2f} of 1)": quality.likeness < LIKENESS,
        f"their outlines agree too little ({quality.overlap:.2f} of 1)": quality.overlap < OVERLAP,
        "they share too little of the limb": quality.shared < SHARED,
        "forth and back do not lead to the same place": quality.residual_px * mm > RESIDUAL_MM,
        "one would have to be bent too far": quality.strain > STRAIN,
    }
    return [fault for fault, holds in told.items() if holds]


def merit(quality: Quality) -> float:
    """One number to rank alignments of the same two films by."""
    return quality.likeness - quality.strain


def refusal(upright: Quality, turned: Quality | None, mm: float) -> str:
    """Why the films cannot be compared as they are, and what to do; empty when they can.

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
            return (
                "the films show opposite sides or one is flipped left for right: check the side of each; "
                "if it is the same limb and one film is flipped, say that it is mirrored"
            )
        if merit(turned) > merit(upright) - MARGIN:
            return f"it cannot be told whether one film is flipped left for right: {MARK}"
    return (
        f"the films do not show the same limb in a way that can be followed: {'; '.join(wrong)}; {MARK}"
        if wrong
        else ""
    )
