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
    "seen_contrast": (0.0, 2.0),
    "seen_likeness": (-1.0, 1.0),
    "same_contrast": (0.0, 2.0),
    "same_likeness": (-1.0, 1.0),
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
    seen_contrast, seen_likeness : float
        What a program outlined at one visit only is taken as present at the other when its place there shows this
        share of the contrast and correlates so well with it. On the bench's pairs, shares under 0.5 draw true falls
        towards zero, since half-gone calcium passes for the whole; without any such look 5 of 12 unchanged pairs were
        called changed, with it none.
    same_contrast, same_likeness : float
        Where a program outlined both films unlike, the picture is believed over the outlines when it shows this share
        of the contrast and this correlation: the calcium as it was. Calcium that truly shrank or grew also lost or
        gained contrast within its larger outline, and its own outlines stand.
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
    seen_contrast: float = 0.5
    seen_likeness: float = 0.6
    same_contrast: float = 0.8
    same_likeness: float = 0.8
    search_mm: float = 1.0
    search_px: float = 5.0
    relative_sd: float = 0.05

    def __post_init__(self) -> None:
        for field in fields(self):
            value, (low, high) = getattr(self, field.name), _RANGES[field.name]
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise RecipeError(f"[compare] {field.name} must be a number from {low:g} to {high:g}, got {value!r}")
