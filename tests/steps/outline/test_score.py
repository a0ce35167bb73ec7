"""The judge of findings, specks that join their cluster, and outlines of doubtful deposits."""

import numpy as np
import pytest

from calcimeasure.steps.outline.candidates import Candidate, in_reading_order, specks_joined
from calcimeasure.steps.outline.judge import FACTS, Judge
from calcimeasure.steps.outline.learned import EDGE, groups, inside_given_a_deposit
from calcimeasure.steps.outline.weights import Weights


def test_a_blank_judge_knows_nothing():
    assert Judge(0.0, (0.0,) * len(FACTS)).score((3.0,) * len(FACTS)) == 0.5


def test_a_fact_moves_the_score_the_way_of_its_weight():
    judge = Judge(0.0, tuple(float(name == "size") for name in FACTS))
    scores = [judge.score([value * (name == "size") for name in FACTS]) for value in (-1, 0, 1)]
    assert scores == sorted(scores)
    assert scores[1] == 0.5
    assert scores[2] == pytest.approx(1 / (1 + np.exp(-1)))


def test_a_judge_weighs_every_fact():
    with pytest.raises(ValueError, match="weighs 5 facts, got 1"):
        Judge(0.0, (1.0,))


def test_on_a_trunk_the_same_facts_are_a_third_as_likely_calcium():
    judge = Judge(0.3, (0.1,) * len(FACTS))
    limb, trunk = (one.score((1.0,) * len(FACTS)) for one in (judge, judge.on_trunk()))
    assert (limb / (1 - limb)) / (trunk / (1 - trunk)) == pytest.approx(3, rel=0.01)


@pytest.mark.parametrize("name", ["deposits", "deposits-free"])
def test_the_shipped_judges_like_what_both_networks_are_sure_of(name):
    judge = Weights.named(name).judge
    assert judge.score((-4, -3, -4, -3, 2)) < 0.5 < judge.score((4, 3, 4, 3, 2))


def _plateau(height):
    """A disc of probability with a soft rim."""
    y, x = np.mgrid[:60, :60] - 30.0
    return (height * np.clip((14 - np.hypot(y, x)) / 6, 0, 1)).astype(np.float32)


@pytest.mark.parametrize("height", [0.3, 0.45, 0.7, 1.0])
def test_a_doubtful_deposit_has_the_outline_of_a_sure_one(height):
    inside, sure = inside_given_a_deposit(_plateau(height))
    assert ((inside > EDGE) == (_plateau(1.0) > EDGE)).mean() > 0.995
    assert sure[30, 30] == (height > EDGE)


def test_what_is_hardly_seen_is_no_finding():
    inside, sure = inside_given_a_deposit(_plateau(0.1))
    assert not (inside > EDGE).any()
    assert not sure.any()


SPECKS = {
    "a speck joins the nearest larger part": ([(5, 5, 4), (5, 12, 1), (30, 30, 4)], 2),
    "specks without a larger part are one deposit": ([(5, 5, 1), (5, 8, 1), (8, 5, 1)], 1),
    "larger parts stay deposits of their own": ([(5, 5, 4), (5, 12, 4)], 2),
    "one speck alone stays": ([(5, 5, 1)], 1),
}


@pytest.mark.parametrize(("parts", "count"), SPECKS.values(), ids=SPECKS)
def test_specks_join_their_cluster(parts, count):
    mask = np.zeros((50, 50), bool)
    for row, column, side in parts:
        mask[row : row + side, column : column + side] = True
    numbered = in_reading_order(mask)
    joined = specks_joined(numbered, groups(mask, 0.2), least_px=6)
    assert joined.max() == len(np.unique(joined[joined > 0])) == count
    assert ((joined > 0) == mask).all()
    assert all(len(np.unique(joined[numbered == n])) == 1 for n in range(1, numbered.max() + 1))


def test_nothing_to_join_changes_nothing():
    assert not specks_joined(np.zeros((5, 5), np.int32), [Candidate(0, 0, np.ones((2, 2), bool), 1.0)], 6).any()
