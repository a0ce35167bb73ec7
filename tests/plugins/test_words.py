"""What the panels say: a word for everything that can be said, and numbers with their unit."""

import pytest

from calcimeasure.model.deposit import Reason
from calcimeasure.model.image import Spacing, SpacingOrigin
from calcimeasure.model.quantity import Quantity
from calcimeasure.model.study import Fate, Verdict
from calcimeasure.report.marks import FATES
from calcimeasure.report.words import in_words, reason_in_words, scale_in_words, verdict_in_words


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words(reason: Reason) -> None:
    assert reason_in_words(reason)


@pytest.mark.parametrize("origin", SpacingOrigin)
def test_every_scale_says_where_it_comes_from(origin: SpacingOrigin) -> None:
    assert scale_in_words(Spacing.of(0.1, 0.1, origin))


def test_fates_and_verdicts_are_told_apart_without_colour() -> None:
    assert set(FATES) == set(Fate)
    assert len({mark.letter for mark in FATES.values()}) == len(Fate)
    assert len({verdict_in_words(verdict) for verdict in Verdict}) == len(Verdict)


@pytest.mark.parametrize(
    ("quantity", "words"),
    [
        (None, "–"),
        (Quantity(12.34, 0.5, "mm2"), "12.34 ± 0.98 mm²"),
        (Quantity(1200.0, None, "px"), "1,200 px"),
        (Quantity(3.0, None, "mm2"), "3.00 mm²"),
    ],
)
def test_numbers_carry_their_error_and_unit(quantity: Quantity | None, words: str) -> None:
    assert in_words(quantity) == words
