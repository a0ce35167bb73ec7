"""Settings: read, checked, hashed; and the same image with the same recipe gives the same number."""

from dataclasses import replace

import numpy as np
import pytest

from calcimeasure import Image, Kind, Labels, Meaning, Reason, Recipe, Spacing, SpacingOrigin, analyse
from calcimeasure.errors import MaskError, RecipeError
from calcimeasure.recipe import analyse_mask
from calcimeasure.steps.measure.error import shipped_outline_error


def _film() -> Image:
    pixels = np.full((60, 80), 100, np.uint16)
    pixels[20:30, 20:40] = 160
    return Image(pixels, Kind.RADIOGRAPH, Meaning.DISPLAY, Spacing.of(0.5, 0.5, SpacingOrigin.USER))


def _labels() -> Labels:
    array = np.zeros((60, 80), int)
    array[20:30, 20:40] = 1
    array[50:52, 70:72] = 2
    return Labels(array)


def test_left_out_settings_keep_their_defaults() -> None:
    assert Recipe.from_toml("") == Recipe()
    assert Recipe.from_dict(Recipe().as_dict()) == Recipe()


def test_the_hash_changes_with_any_setting() -> None:
    changed = Recipe.from_toml("[measure]\nboundary_sd_px = 0.25\n")
    assert changed.measure.boundary_sd_px == 0.25
    assert changed.hash != Recipe().hash
    assert Recipe().hash == Recipe().hash


def test_the_hash_changes_with_the_error_bars_of_the_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [Recipe.from_toml(f'[segment]\nmethod = "{method}"\n').hash for method in ("learned", "classical")]
    wider = replace(shipped_outline_error(), factor=2 * shipped_outline_error().factor)
    monkeypatch.setattr("calcimeasure.recipe.shipped_outline_error", lambda: wider)
    after = [Recipe.from_toml(f'[segment]\nmethod = "{method}"\n').hash for method in ("learned", "classical")]
    assert before[0] != after[0]
    assert before[1] == after[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[segmnt]\n", "did you mean 'segment'"),
        ("[segment]\nmethd = 'classical'\n", "did you mean 'method'"),
        ("[segment]\nmethod = 'magic'\n", "magic"),
        ("segment = 3\n", "must be a table"),
        ("[measure\n", "not valid TOML"),
        ("[measure]\nboundary_sd_px = -1\n", "boundary_sd_px"),
        ("[measure]\nboundary_sd_px = 'wide'\n", "boundary_sd_px"),
        ("x = " + "[" * 5000 + "]" * 5000, "a nesting that no recipe has"),
        ("[segment]\nmin_area_px = " + "9" * 5000, "a number"),
        ("[segment]\nmin_area_px = " + "9" * 4000, "min_area_px"),
        ("[segment]\nmin_area_mm2 = [[1], {a = 2}]", "min_area_mm2|no use here"),
    ],
)
def test_a_bad_recipe_says_what_to_change(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe.from_toml(text)


def test_a_mask_is_measured_as_it_is() -> None:
    told = analyse_mask(_film(), _labels())
    assert [deposit.area_px.value for deposit in told.measurement.deposits] == [200, 4]
    assert told.measurement.area_mm2 is not None
    assert told.measurement.area_mm2.value == pytest.approx(51.0)


def test_a_region_limits_what_is_measured() -> None:
    region = np.zeros((60, 80), bool)
    region[:, :30] = True
    told = analyse_mask(_film(), _labels(), region=region)
    assert [deposit.area_px.value for deposit in told.measurement.deposits] == [100]
    assert [finding.reason for finding in told.segmentation.excluded] == [Reason.OUTSIDE_REGION]


def test_a_mask_of_another_film_is_refused() -> None:
    with pytest.raises(MaskError, match="use the mask made for this image"):
        analyse_mask(_film(), Labels.empty((3, 3)))
    with pytest.raises(MaskError, match="region"):
        analyse(_film(), region=np.ones((3, 3), bool))


def test_the_same_film_and_recipe_give_the_same_mask() -> None:
    first, second = analyse(_film()), analyse(_film())
    assert np.array_equal(first.segmentation.labels.array, second.segmentation.labels.array)
    assert first.measurement == second.measurement
