"""Numbers as a clinician reads them: rounded to their error, with sign and unit; nothing is a dash."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from calcimeasure.model.quantity import Quantity
from calcimeasure.model.study import Change
from calcimeasure.report.marks import PLUS_MINUS, half_width
from calcimeasure.steps.agreement.interval import ConfidenceInterval as Range

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
_MOST_LINES = 6
_MOST_NAMES = 12


def few(lines: Iterable[str]) -> tuple[str, ...]:
    """The first lines, and how many more there are."""
    every = tuple(lines)
    rest = len(every) - _MOST_LINES
    return every if rest <= 0 else (*every[:_MOST_LINES], f"and {rest} more, in the tables beside this report")


def names(every: Sequence[str]) -> str:
    """Names in a row, cut where the row gets long."""
    rest = len(every) - _MOST_NAMES
    return ", ".join(every[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def stopped(text: str) -> str:
    """A sentence: a capital first, a full stop last."""
    capital = text[:1].upper() + text[1:]
    return capital if capital.endswith((".", "!", "?")) else f"{capital}."


def unit(quantity: Quantity) -> str:
    """The unit as it is printed."""
    powers = {"mm2": "mm\N{SUPERSCRIPT TWO}", "mm3": "mm\N{SUPERSCRIPT THREE}"}
    return powers.get(quantity.unit, quantity.unit)


def with_unit(quantity: Quantity | None) -> str:
    """A value, rounded to its error, with its unit."""
    return f"{fixed(quantity.value, decimals(quantity))} {unit(quantity)}" if quantity else DASH


def with_error(quantity: Quantity | None, *, sign: bool = False) -> str:
    """A value ± half of its 95 % interval, both rounded to the second digit of the standard deviation."""
    if quantity is None:
        return DASH
    places, reach = decimals(quantity), half_width(quantity)
    value = signed(quantity.value, places) if sign else fixed(quantity.value, places)
    return value if reach is None else f"{value} {PLUS_MINUS} {fixed(reach, places)}"


def decimals(quantity: Quantity) -> int:
    """How many decimals the error allows."""
    sd = quantity.sd
    if sd is None or not math.isfinite(sd) or sd <= 0:
        return 1
    return min(3, max(0, 1 - math.floor(math.log10(sd))))


def rounded(value: float | None) -> str:
    """About three digits."""
    if value is None or not math.isfinite(value):
        return DASH
    return fixed(value, 0 if abs(value) >= 100 else 1 if abs(value) >= 1 else 2)


def fixed(value: float, places: int) -> str:
    """A number with so many decimals, thousands apart, with a true minus."""
    return f"{value:,.{places}f}".replace(",", "\u202f").replace("-", MINUS) if math.isfinite(value) else DASH


def signed(value: float | None, places: int = 1) -> str:
    """A change: with its sign, also when it is a plus."""
    if value is None or not math.isfinite(value):
        return DASH
    text = fixed(round(value, places) + 0.0, places)
    return f"+{text}" if round(value, places) > 0 else text


def change_range(change: Change) -> str:
    """The interval of a change in percent."""
    return between(*change.percent_interval) if change.percent_interval else DASH


def between(low: float, high: float, places: int = 1) -> str:
    """Two ends of a change."""
    return f"{signed(low, places)} to {signed(high, places)}"


def percent(share: float) -> str:
    """A share (0-1) in percent."""
    return f"{100 * share:.1f}"


def shares(interval: Range) -> str:
    """Two ends of a share, in percent."""
    return f"{100 * interval.low:.1f}{DASH}{100 * interval.high:.1f}"


def p_value(value: float) -> str:
    """A p value of two digits."""
    return "< 0.0001" if value < 0.0001 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def equals(value: float) -> str:
    """A p value in a sentence."""
    text = p_value(value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def chance(value: float) -> str:
    """A probability in percent, never 0 or 100."""
    return "> 99.9 %" if value > 0.999 else "< 0.1 %" if value < 0.001 else f"{100 * value:.1f} %"
