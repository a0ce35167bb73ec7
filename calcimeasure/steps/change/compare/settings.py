"""What a user may choose about the comparison of two visits."""

from __future__ import annotations

from dataclasses import dataclass, fields

from calcimeasure.errors import RecipeError

_RANGES = {
    "cut_percent": (0.0, 100.0),
    "level": (0.5, 0.9999),
    "most_outside": (0.0, 1.0),
    "least_in_field": (0.0, 1.0),
    "least_new_mm": (0.0, 1000.0),
    "apart_mm": (0.0, 1000.0),
    "apart_px": (0.0, 1000.0),
    "clear_mm": (0.0, 1000.0),
    "clear_px": (0.0, 1000.0),
    "clear_share": (0.0, 1.0),
    "gone_share": (0.0, 1.0),
    "large_mm": (0.0, 1000.0),
    "large_px": (0.0, 1000.0),
    "large_gone_share": (0.0, 1.0),
    "shadow_sd": (0.01, 1.0),
    "search_mm": (0.0, 50.0),
    "search_px": (0.0, 500.0),
    "relative_sd": (0.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class CompareSettings:
    """When a change counts, and what is compared at all.

    Parameters
    ----------
    cut_percent : float
        A change must reach this share of the baseline, in percent (25: A. Valenzuela and others, Semin Arthritis Rheum
        53 (2022) 151980, for a score of hand films in systemic sclerosis).
    level : float
        And exceed what measurement error alone passes in 1 - `level` of patients without a change.
    most_outside : float
        With more of the baseline burden (0-1) outside the common field there is no verdict.
    least_in_field : float
        A deposit with less of it (0-1) in the common field is left out.
    least_new_mm : float
        A confirmed new deposit makes a patient worse from this equivalent diameter on, where the scale is known.
    apart_mm, apart_px, clear_mm, clear_px, clear_share : float
        Two deposits merged, or one split, only when the parts lay this far apart, and each has this equivalent
        diameter and at least this share of the area; what is smaller or closer is a piece of one deposit.
    gone_share : float
        What a program outlined at one visit only was there at the other, too, when its place shows this share of the
        brightness over the tissue around, and twice its noise.
    large_mm, large_px, large_gone_share : float
        From this equivalent diameter of its outline on, its place must show this share: of a large deposit, less would
        be outlined itself, and what still shines is bone or flesh.
    shadow_sd : float
        Where a program drew the outlines: scatter of the logarithm of the areas' ratio, as the brightness of both films
        tells it, where nothing changed.
    search_mm, search_px : float
        How far around the place that the alignment gives the calcium is looked for.
    relative_sd : float
        Where no precision profile fits (unknown scale): error of an area beside its outline's, as a share of it.

    Raises
    ------
    RecipeError
        For a value out of range.
    """

    cut_percent: float = 25.0
    level: float = 0.95
    most_outside: float = 0.20
    least_in_field: float = 0.5
    least_new_mm: float = 2.0
    apart_mm: float = 1.0
    apart_px: float = 5.0
    clear_mm: float = 2.0
    clear_px: float = 10.0
    clear_share: float = 0.2
    gone_share: float = 0.15
    large_mm: float = 5.0
    large_px: float = 25.0
    large_gone_share: float = 0.25
    shadow_sd: float = 0.13
    search_mm: float = 1.0
    search_px: float = 5.0
    relative_sd: float = 0.05

    def __post_init__(self) -> None:
        for field in fields(self):
            value, (low, high) = getattr(self, field.name), _RANGES[field.name]
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise RecipeError(f"[compare] {field.name} must be a number from {low:g} to {high:g}, got {value!r}")
