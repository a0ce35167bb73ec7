"""What one deposit is: grains within 2 mm are one, large bodies stay apart, gaps under 1 mm count."""

import numpy as np
import pytest

from calcimeasure.errors import RecipeError
from calcimeasure.steps.outline.candidates import in_reading_order
from calcimeasure.steps.outline.clusters import gaps_filled, joined
from calcimeasure.steps.outline.settings import SegmentSettings

MM = 0.1


def film(*squares: tuple[float, float, float]) -> np.ndarray:
    """Squares of (top, left, side) in mm on a film of 0.1 mm a pixel."""
    out = np.zeros((400, 400), bool)
    for top, left, side in squares:
        row, column, length = (round(v / MM) for v in (top, left, side))
        out[row : row + length, column : column + length] = True
    return out


CASES = {
    "two grains 1.9 mm apart": ([(5, 5, 1), (5, 7.9, 1)], 1),
    "two grains 2.2 mm apart": ([(5, 5, 1), (5, 8.2, 1)], 2),
    "a grain beside a body": ([(5, 5, 5), (5, 11.5, 1)], 1),
    "two bodies 1 mm apart": ([(5, 5, 5), (5, 11, 5)], 2),
    "a chain of grains": ([(5, 5 + 2.5 * k, 1) for k in range(8)], 1),
    "two bodies with a grain between": ([(5, 5, 5), (5, 11, 0.8), (5, 12.8, 5)], 1),
    "grains aslant": ([(5, 5, 1), (7, 7, 1)], 1),
}


@pytest.mark.parametrize(("squares", "count"), CASES.values(), ids=CASES)
def test_grains_of_a_cluster_are_one_deposit(squares, count) -> None:
    numbered = joined(in_reading_order(film(*squares)), 2.0, MM)
    assert set(np.unique(numbered)) == {*range(count + 1)}


@pytest.mark.parametrize(("squares", "count"), CASES.values(), ids=CASES)
def test_what_belongs_together_does_so_however_the_film_lies(squares, count) -> None:
    for turned in (film(*squares).T, film(*squares)[::-1], np.rot90(film(*squares))):
        assert joined(in_reading_order(np.ascontiguousarray(turned)), 2.0, MM).max() == count


def test_numbers_stay_in_reading_order_and_nothing_is_lost() -> None:
    mask = film((2, 20, 1), (5, 5, 1), (5, 7, 1), (20, 20, 4))
    numbered = joined(in_reading_order(mask), 2.0, MM)
    assert ((numbered > 0) == mask).all()
    assert [
        int(numbered[round(y / MM), round(x / MM)]) for y, x in ((2.2, 20.2), (5.2, 5.2), (5.2, 7.2), (21, 21))
    ] == [1, 2, 2, 3]


@pytest.mark.parametrize(("gap_mm", "filled"), [(0.7, True), (1.4, False)])
def test_a_gap_under_1_mm_inside_a_deposit_counts(gap_mm: float, filled: bool) -> None:
    numbered = joined(in_reading_order(film((5, 5, 1), (5, 6 + gap_mm, 1))), 2.0, MM)
    between = round((6 + gap_mm / 2) / MM)
    closed = gaps_filled(numbered, MM, np.ones(numbered.shape, bool))
    assert (closed[55, between] == 1) == filled
    assert (closed[numbered > 0] == numbered[numbered > 0]).all()


def test_a_gap_is_not_filled_into_another_deposit_or_beyond_the_region() -> None:
    numbered = in_reading_order(film((5, 5, 3), (5, 8.6, 3)))
    assert (gaps_filled(numbered, MM, np.ones(numbered.shape, bool)) == numbered).all()
    allowed = np.zeros(numbered.shape, bool)
    one = (numbered > 0).astype(np.int32)
    assert (gaps_filled(one, MM, allowed) == one).all()


def test_join_mm_is_checked() -> None:
    assert SegmentSettings().join_mm == 2.0
    with pytest.raises(RecipeError, match="join_mm"):
        SegmentSettings(join_mm=-1)
