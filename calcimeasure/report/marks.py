"""How a fate and a verdict are marked, and what stands behind a ±: the same in panel, picture, page and figure.

A colour alone tells nothing to one reader in twelve: every mark also has a letter or a sign, and a word, which is that
of the tables.
"""

from __future__ import annotations

from dataclasses import dataclass

from calcimeasure.model.quantity import Quantity
from calcimeasure.model.study import Fate, Verdict

RGB = tuple[int, int, int]
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
#: Standard deviations in the half width of a 95 % interval; tables hold the sd itself.
REACH = 1.96


@dataclass(frozen=True, slots=True)
class FateMark:
    """How a fate is shown: its letter and line tell as much as its colour.

    Parameters
    ----------
    letter, word : str
    colour : tuple of int
        RGB, told apart by every form of colour blindness (M. Okabe and K. Ito, 2008).
    dash : tuple of int
        Lengths drawn and left out along the outline, in units of the line; empty is a full line.
    """

    letter: str
    word: str
    colour: RGB
    dash: tuple[int, ...] = ()

    @property
    def hex(self) -> str:
        """The colour as style sheets write it."""
        return "#{:02x}{:02x}{:02x}".format(*self.colour)


@dataclass(frozen=True, slots=True)
class VerdictMark:
    """How a verdict is shown.

    Parameters
    ----------
    sign, word : str
        In a sentence, a table, a banner.
    letter, colour, hatching, marker : str
        In a figure; `colour` is hexadecimal (Okabe and Ito), `hatching` and `marker` are matplotlib's.
    tone : str
        Of a banner: good, same, bad or none.
    """

    sign: str
    word: str
    letter: str
    colour: str
    hatching: str
    marker: str
    tone: str

    @property
    def said(self) -> str:
        """Sign and word."""
        return f"{self.sign} {self.word}"


#: The marks of the fates, in the order of a key.
FATES = {
    Fate.NEW: FateMark("N", "new", (255, 122, 66), (9, 4)),
    Fate.GROWN: FateMark("G", "grown", (255, 182, 40)),
    Fate.STABLE: FateMark("=", "stable", (240, 240, 240), (2, 2)),
    Fate.SHRUNK: FateMark("S", "shrunk", (98, 200, 255)),
    Fate.RESOLVED: FateMark("R", "resolved", (60, 214, 160), (1, 4)),
    Fate.MERGED: FateMark("M", "merged", (245, 232, 90), (9, 3, 2, 3)),
    Fate.SPLIT: FateMark("P", "split", (222, 150, 205), (9, 3, 2, 3)),
    Fate.OUT_OF_FIELD: FateMark("O", "out of field", (165, 165, 165), (4, 6)),
}

VERDICTS = {
    Verdict.IMPROVED: VerdictMark("\N{DOWNWARDS ARROW}", "improved", "I", "#0072B2", "", "o", "good"),
    Verdict.STABLE: VerdictMark("=", "stable", "S", "#8A8F94", "///", "s", "same"),
    Verdict.WORSE: VerdictMark("\N{UPWARDS ARROW}", "worse", "W", "#D55E00", "xxx", "^", "bad"),
    Verdict.NOT_EVALUABLE: VerdictMark("?", "not evaluable", "n", "#B9BEC3", "...", "x", "none"),
}


def half_width(quantity: Quantity) -> float | None:
    """What people read behind a ±: half of the 95 % interval, in the unit of the value; `None` without an error."""
    return None if quantity.sd is None else REACH * quantity.sd
