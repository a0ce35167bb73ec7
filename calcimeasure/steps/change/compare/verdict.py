"""The verdict on a patient's total burden, and what it would be under other rules."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special

from calcimeasure.model.precision import multiplier
from calcimeasure.model.study import DepositChange, Fate, Verdict
from calcimeasure.model.warning import Code, Remark
from calcimeasure.steps.change.compare.settings import CompareSettings

_TOLERANCE = 1e-9  # of the cut: a fall of exactly 25 % reaches it


@dataclass(frozen=True, slots=True)
class Total:
    """Total burden before and after, and the errors of its change.

    Parameters
    ----------
    before, after : float
        Areas in the common field.
    error : float
        Standard deviation of the change of a burden that did not change: `multiplier(level)` times it is detectable.
    change_sd : float
        Standard deviation of after - before.
    """

    before: float
    after: float
    error: float
    change_sd: float

    @property
    def change(self) -> float:
        """After - before."""
        return self.after - self.before

    @property
    def percent(self) -> float | None:
        """Change in percent of the baseline; `None` without a baseline."""
        return 100 * self.change / self.before if self.before > 0 else None

    def detectable(self, level: float) -> float:
        """Smallest change beyond measurement error."""
        return multiplier(level) * self.error

    @property
    def p_decrease(self) -> float:
        """Probability that the true total fell: Phi(-change / sd)."""
        if self.change_sd == 0:
            return 0.5 if self.change == 0 else float(self.change < 0)
        return float(special.ndtr(-self.change / self.change_sd))


@dataclass(frozen=True, slots=True)
class Rule:
    """When a change of the total counts: beyond error at a level, by a cut in percent, or both; `None` is not asked."""

    level: float | None
    cut: float | None

    def judge(self, total: Total) -> Verdict:
        """The verdict of this rule on the total alone."""
        if total.change == 0 or not (self._beyond_error(total) and self._beyond_cut(total)):
            return Verdict.STABLE
        return Verdict.IMPROVED if total.change < 0 else Verdict.WORSE

    def _beyond_error(self, total: Total) -> bool:
        return self.level is None or abs(total.change) > total.detectable(self.level)

    def _beyond_cut(self, total: Total) -> bool:
        if self.cut is None:
            return True
        # without a baseline any calcium is an increase of more than any share
        return total.percent is None or abs(total.percent) >= self.cut - _TOLERANCE


def verdict(total: Total, confirmed_new: int, settings: CompareSettings) -> Verdict:
    """The verdict: both rules on the total; a confirmed new deposit makes worse, whatever the total."""
    if confirmed_new:
        return Verdict.WORSE
    return Rule(settings.level, settings.cut_percent).judge(total)


def makes_worse(one: DepositChange, settings: CompareSettings) -> bool:
    """Whether it is a confirmed new deposit of a size that can be measured."""
    if one.fate is not Fate.NEW or not one.confirmed or one.area_after is None:
        return False
    return one.area_after.unit == "px" or one.area_after.value >= math.pi / 4 * settings.least_new_mm**2


def under_rules(total: Total, confirmed_new: int, settings: CompareSettings) -> dict[str, Verdict]:
    """The verdict under each rule alone, at 80 % and 95 %, with and without confirmed new deposits.

    The study's own dichotomy is told as `improved` or `stable`, which there means stable or worse.
    """
    cut = settings.cut_percent
    told: dict[str, Verdict] = {}
    for level in sorted({0.80, 0.95, settings.level}):
        told[f"beyond measurement error ({level:.0%}) and {cut:g} %"] = _with_new(
            Rule(level, cut), total, confirmed_new
        )
        told[f"beyond measurement error ({level:.0%}) alone"] = _with_new(Rule(level, None), total, confirmed_new)
    told[f"{cut:g} % alone"] = _with_new(Rule(None, cut), total, confirmed_new)
    told["new deposits not considered"] = Rule(settings.level, cut).judge(total)
    improved = verdict(total, confirmed_new, settings) is Verdict.IMPROVED
    told["improved against stable or worse"] = Verdict.IMPROVED if improved else Verdict.STABLE
    return told


def reason(total: Total, confirmed_new: int, settings: CompareSettings) -> Remark:
    """Why the verdict is what it is."""
    if confirmed_new == 1:
        return Remark.of(Code.ONE_NEW_CONFIRMED)
    if confirmed_new:
        return Remark.of(Code.NEW_CONFIRMED, count=confirmed_new)
    found = verdict(total, 0, settings)
    way = "decrease" if total.change < 0 else "increase"
    if found is not Verdict.STABLE:
        return Remark.of(Code.BEYOND_ERROR_AND_CUT, way=way, cut=settings.cut_percent)
    if is_inside_error(total, settings):
        return Remark.of(Code.INSIDE_ERROR)
    return Remark.of(Code.BEYOND_ERROR_UNDER_CUT, way=way, cut=settings.cut_percent)


def is_inside_error(total: Total, settings: CompareSettings) -> bool:
    """Whether error alone explains the change of the total."""
    return abs(total.change) <= total.detectable(settings.level)


def _with_new(rule: Rule, total: Total, confirmed_new: int) -> Verdict:
    return Verdict.WORSE if confirmed_new else rule.judge(total)
