"""What a user may choose about segmentation."""

from __future__ import annotations

from dataclasses import dataclass

from calcimeasure.errors import RecipeError

#: Segmentation methods by name; their functions are found in `calcimeasure.steps.outline.METHODS`.
METHOD_NAMES = ("learned", "classical")
#: Sets of network weights that the package ships.
WEIGHTS_NAMES = ("deposits", "deposits-free", "deposits-0.1")


@dataclass(frozen=True, slots=True)
class SegmentSettings:
    """How deposits are found and which of them are kept.

    Parameters
    ----------
    method : str
        Name in `calcimeasure.steps.outline.METHODS`; used for radiographs, photos have their own.
    threshold : float
        A candidate is kept when its score (0-1) reaches this. Lower finds more, and more that is not calcium.
    min_area_mm2 : float
        Smallest deposit where the scale is known, in mm2. The default, 0.5 mm2 (0.8 mm across), is what is
        left of a speck after the blur of a usual detector: smaller ones cannot be told from bone texture.
    min_area_px : int
        Smallest deposit in pixels of the image; rules alone where the scale is unknown, and besides
        `min_area_mm2` where it is known, because below it an outline has no meaning.
    join_mm : float
        Grains nearer to another part than this are one deposit with it, at every visit alike; gaps under 1 mm inside an
        automatic outline count then, too. 0 leaves every part a deposit of its own. A reader's outlines are never
        touched.
    weights : str
        Networks of the learned method, by name: ``"deposits"``, the newest that were trained on real films (no
        commercial use); ``"deposits-0.1"``, those of release 0.1, for a study that began with them; or
        ``"deposits-free"``, trained on drawn limbs alone (no such duty, but many false finds on real films).

    Raises
    ------
    RecipeError
        For a method that does not exist or a number out of range.
    """

    method: str = "learned"
    threshold: float = 0.5
    min_area_mm2: float = 0.5
    min_area_px: int = 12
    join_mm: float = 2.0
    weights: str = "deposits"

    def __post_init__(self) -> None:
        if self.method not in METHOD_NAMES:
            raise RecipeError(f"unknown segmentation method {self.method!r}; choose from {', '.join(METHOD_NAMES)}")
        if self.weights not in WEIGHTS_NAMES:
            raise RecipeError(f"unknown weights {self.weights!r}; choose from {', '.join(WEIGHTS_NAMES)}")
        _check("threshold", self.threshold, 0.0, 1.0)
        _check("min_area_mm2", self.min_area_mm2, 0.0, 1e4)
        _check("join_mm", self.join_mm, 0.0, 20.0)
        _check("min_area_px", self.min_area_px, 1, 10**9)
        if not isinstance(self.min_area_px, int):
            raise RecipeError(f"min_area_px counts pixels, got {self.min_area_px!r}; give a whole number")


def _check(name: str, value: object, low: float, high: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and low <= value <= high):  # type: ignore[operator]
        raise RecipeError(f"{name} must be a number from {low:g} to {high:g}, got {value!r}")
