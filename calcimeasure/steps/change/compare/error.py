"""How far a change of area can be off: smallest detectable change, interval, probability, power."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from scipy import special

from calcimeasure.model.image import Image, Spacing, SpacingOrigin
from calcimeasure.model.precision import PrecisionProfile, multiplier
from calcimeasure.steps.change.compare.settings import CompareSettings

_AGREEMENT, _SURE, _CONTRADICTION = 1.5, 1.96, 2.5  # standard deviations
#: Read from each picture anew: two such scales err independently even when they come out equal.
_READ_FROM_PICTURE = (SpacingOrigin.MARKER, SpacingOrigin.RULER, SpacingOrigin.POINTS)


@dataclass(frozen=True, slots=True)
class Area:
    """An area without its scale's error: value and standard deviation of the outline's, in the unit of the change."""

    value: float
    sd: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """An area after over one before, as a natural logarithm, with its standard deviation."""

    log: float
    sd: float

    def joined(self, other: Ratio) -> Ratio:
        """The mean of two independent witnesses, each counted by its precision."""
        one, two = (1 / max(ratio.sd, 1e-9) ** 2 for ratio in (self, other))
        return Ratio((one * self.log + two * other.log) / (one + two), math.sqrt(1 / (one + two)))

    def contradicts(self, other: Ratio) -> bool:
        """Whether chance alone does not set the two so far apart (in 1 of 80 cases it does)."""
        return abs(self.log - other.log) > _CONTRADICTION * math.hypot(self.sd, other.sd)

    def agrees(self, other: Ratio) -> bool:
        """Whether the two lie as near to each other as most repeats do (in 7 of 8 cases)."""
        return abs(self.log - other.log) <= _AGREEMENT * math.hypot(self.sd, other.sd)

    def opposes(self, other: Ratio) -> bool:
        """Whether it tells a change beyond its own error, and the other one the opposite change."""
        return self.contradicts(other) and self.log * other.log < 0 and abs(self.log) > _SURE * self.sd

    def is_change(self, cut_percent: float, level: float) -> bool:
        """Whether it is beyond its own error, and beyond the cut."""
        percent = 100 * math.expm1(self.log)
        return abs(self.log) > multiplier(level) * self.sd and abs(percent) >= cut_percent

    def power(self, cut_percent: float, level: float) -> float:
        """Chance that a true fall by the cut would be seen."""
        if cut_percent >= 100:
            return 1.0
        return float(special.ndtr(-math.log1p(-cut_percent / 100) / self.sd - multiplier(level)))


@dataclass(frozen=True, slots=True)
class ErrorModel:
    """What the change between two areas of one pair of films may be off by.

    Parameters
    ----------
    profile : PrecisionProfile or None
        Of one measurement by size; `None` where there is none in this unit.
    unit : str
    scale_common, scale_own : float
        Relative standard deviation of an area by the scale: the part that both films share, and each film's own.
    settings : CompareSettings

    Notes
    -----
    A scale that both films share makes both areas too large or too small alike. It multiplies the change, too, and
    cancels in percent. A film's own scale error does neither.
    """

    profile: PrecisionProfile | None
    unit: str
    scale_common: float
    scale_own: float
    settings: CompareSettings

    @classmethod
    def of(
        cls, baseline: Image, followup: Image, profile: PrecisionProfile | None, settings: CompareSettings
    ) -> ErrorModel:
        """The model for two films that the gate let through."""
        one, two = baseline.spacing, followup.spacing
        if one is None or two is None:
            return cls(_fitting(profile, "px"), "px", 0.0, 0.0, settings)
        relative = 2 * max(one.relative_sd, two.relative_sd)
        shared = _is_shared(one, two)
        common, own = (relative, 0.0) if shared else (0.0, relative)
        return cls(_fitting(profile, "mm2"), "mm2", common, own, settings)

    def with_profile(self, profile: PrecisionProfile | None) -> ErrorModel:
        """The same films with the profile of something else."""
        return replace(self, profile=_fitting(profile, self.unit))

    def sd(self, area: Area) -> float:
        """Standard deviation of one measurement: by the profile, else by the outline and a share of the size."""
        if self.profile is not None:
            return self.profile.wsd(area.value)
        return math.hypot(area.sd, self.settings.relative_sd * area.value)

    def detectable(self, before: Area, after: Area, level: float | None = None) -> float:
        """Smallest change beyond measurement error, at the mean of both sizes."""
        level = self.settings.level if level is None else level
        own = multiplier(level) * self.scale_own * math.hypot(before.value, after.value)
        if self.profile is not None:
            return math.hypot(self.profile.sdc_upper((before.value + after.value) / 2, level), own)
        return math.hypot(multiplier(level) * math.hypot(self.sd(before), self.sd(after)), own)

    @property
    def detectable_multiplier(self) -> float:
        """How many standard deviations the smallest detectable change is at the settings' level."""
        return multiplier(self.settings.level)

    def change_sd(self, before: Area, after: Area) -> float:
        """Standard deviation of after - before."""
        scale = math.hypot(
            self.scale_common * (after.value - before.value), self.scale_own * math.hypot(before.value, after.value)
        )
        return math.hypot(self.sd(before), self.sd(after), scale)

    def ratio(self, before: Area, after: Area) -> Ratio:
        """The ratio of two outlined areas; a scale that both share cancels."""
        parts = [math.hypot(self.sd(area) / area.value, self.scale_own) for area in (before, after)]
        return Ratio(math.log(after.value / before.value), math.hypot(*parts))

    def area_sd(self, area: Area) -> float:
        """Standard deviation of one area, its scale's included."""
        return math.hypot(self.sd(area), (self.scale_common + self.scale_own) * area.value)

    def percent_interval(self, before: Area, after: Area) -> tuple[float, float] | None:
        """Interval of the change in percent of the baseline; see `fieller`."""
        if before.value <= 0:
            return None
        sds = (math.hypot(self.sd(area), self.scale_own * area.value) for area in (before, after))
        return fieller((before.value, after.value), (next(sds), next(sds)), self.settings.level)

    def power(self, before: Area) -> float:
        """Chance that a true fall by the cut would be seen beyond measurement error."""
        after = Area(before.value * (1 - self.settings.cut_percent / 100), before.sd)
        sd = self.change_sd(before, after)
        if sd == 0:
            return 1.0
        return float(special.ndtr((before.value - after.value - self.detectable(before, after)) / sd))


def fieller(values: tuple[float, float], sds: tuple[float, float], level: float = 0.95) -> tuple[float, float] | None:
    """Interval of 100 (b / a - 1) for two independent normal values a, b (E. C. Fieller, J R Stat Soc B 16 (1954) 175).

    It holds for b = 0, where a logarithm would not. `None` when a itself cannot be told from 0. Not below -100 %.
    """
    (a, b), (sd_a, sd_b), z = values, sds, multiplier(level)
    g = (z * sd_a / a) ** 2 if a > 0 else 1.0
    if g >= 1:
        return None
    ratio = b / a
    half = z / a * math.sqrt(sd_b**2 * (1 - g) + ratio**2 * sd_a**2)
    low, high = (ratio - half) / (1 - g), (ratio + half) / (1 - g)
    return max(100 * (low - 1), -100.0), 100 * (high - 1)


def _fitting(profile: PrecisionProfile | None, unit: str) -> PrecisionProfile | None:
    return profile if profile is not None and profile.unit == unit else None


def _is_shared(one: Spacing, two: Spacing) -> bool:
    """Whether both scales err alike: one source that is not the picture, and one value."""
    alike = abs(one.mean_mm - two.mean_mm) <= 1e-3 * one.mean_mm
    return one.origin is two.origin and one.origin not in _READ_FROM_PICTURE and alike
