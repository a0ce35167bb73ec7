"""Make calcimeasure/weights/boundary.json anew: how far automatic outlines err, by the segmenter's own doubt.

    python benchmarks/renew_boundary_error.py [--limbs 90] [--visible 60] [--films 280] [--jobs 2]  # after new weights

Films with known areas are outlined by the default recipe: drawn ones, and real limbs of the `train` films with drawn
calcium, because outlines err most over real bone (--films 0 does without them). The error, as a share of the area
found, is taken to scale as a power of the doubt and of the size (`steps.measure.error`); the powers come from a
regression of the 95 % quantile, the factor from the errors' quantile of rank 0.95 (n + 1) then, as in split conformal
prediction. What totals err by besides, strays and findings passed over aside, is fitted to the shared bench's films on
limbs that the networks were not trained on: the least that lets the bars of 95 % of their totals hold the truth (the
package's own calcium is harder to see than a reader's worklist). The coverage printed is held out: every fifth film is
measured with the fit to the others.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from bench_coverage import Match, Score, bench_films, score, scored, tell, tell_all, total_of
from bench_segment import SHARED, make_cases
from scipy.optimize import linprog

from calcimeasure.io.files import write_whole
from calcimeasure.recipe import Recipe
from calcimeasure.steps.measure.error import USUAL_DOUBT, USUAL_PX, OutlineError, shipped_outline_error

TARGET = Path(__file__).resolve().parents[1] / "calcimeasure" / "weights" / "boundary.json"
FIRST = 21_000
FOLDS = 5
FEWEST = 60  # deposits
KEPT_BACK = (  # films with calcium, clean ones, seed, source, part: limbs kept back from training, hands for error bars
    (60, 20, 1, "radiographs", "validation"),
    (50, 10, 2, "radiographs", "validation"),
    (60, 20, 3, "hands", "calibrate"),
)
_LEAST = 0.003  # of an area: a chance hit tells nothing of the scale
LEVEL = 0.95


def main() -> None:
    args = _arguments()
    films = {
        what: list(scored(what, range(FIRST, FIRST + count), args.jobs))
        for what, count in (("limbs", args.limbs), ("visible", args.visible), ("films", args.films))
    }
    for what, scores in films.items():
        print(f"{what}, held out:")
        others = [one for name, some in films.items() if name != what for one in some]
        tell_all(held_out(scores, others))
    matches = _matches([one for some in films.values() for one in some])
    unread = list(kept_back()) if args.films else []
    if len(matches) < FEWEST:
        raise SystemExit(f"{len(matches)} deposits are too few, at least {FEWEST} are needed: nothing was written")
    drawn = f"{args.limbs} drawn limbs, {args.visible} drawn forearms and {args.films} real limbs with drawn calcium"
    networks = str(Recipe().weights_sha256)[:12]
    found = fitted(matches, f"{len(matches)} deposits of {drawn}, outlined by the default networks {networks}")
    if unread:
        tell("totals of limbs kept back, held out", totals_held_out(unread, found))
        found = replace(found, unseen_mm2=unseen_besides(unread, found))
    write_whole(args.out, json.dumps(found.to_json(), indent=2) + "\n")
    by_doubt, by_size = (
        f"(doubt / {USUAL_DOUBT:g}) ^ {found.power:.3g}",
        f"(px / {USUAL_PX:g}) ^ {found.size_power:.3g}",
    )
    print(f"wrote {args.out.name}: sd = {found.factor:.3g} x {by_doubt} x {by_size} of the area")
    print(f"besides, a total: {found.unseen_mm2:.3g} mm2")


def fitted(matches: Sequence[Match], origin: str) -> OutlineError:
    """The error whose 1.96 times holds 95 % of these, whatever their doubt and size: a regression of that quantile."""
    errors = np.array([abs(1 - m.true / m.found) for m in matches])
    facts = np.array([(1.0, math.log(m.doubt / USUAL_DOUBT), math.log(m.pixels / USUAL_PX)) for m in matches])
    _, power, size_power = _quantile(facts, np.log(np.maximum(errors, _LEAST)))
    power, size_power = float(np.clip(power, -1, 4)), float(np.clip(size_power, -1, 1))
    ratios = np.sort(errors / np.exp(facts[:, 1:] @ (power, size_power)))
    rank = min(len(ratios), math.ceil(LEVEL * (len(ratios) + 1)))
    return OutlineError(float(ratios[rank - 1]) / 1.96, power, size_power, shipped_outline_error().unseen_mm2, origin)


def kept_back() -> Iterator[Score]:
    """The shared bench's films on limbs and hands that the networks were not trained on."""
    for films, clean, seed, source, part in KEPT_BACK:
        facts = {"films": films, "clean": clean, "seed": seed, "source": source, "part": part, "shared": SHARED}
        folder = make_cases(argparse.Namespace(**facts), None)
        for image, truth in bench_films(folder / "films", films):
            yield score(image, truth)


def unseen_besides(scores: Sequence[Score], error: OutlineError) -> float:
    """The least sd besides the outlines' with which 1.96 times the total's holds 95 % of these totals."""
    lacking = []
    for one in scores:
        total = total_of(_bars(one, error), one.passed_over, one.total.true)
        lacking.append(math.sqrt(max(0.0, ((total.found - total.true) / 1.96) ** 2 - total.sd**2)))
    rank = min(len(lacking), math.ceil(LEVEL * (len(lacking) + 1)))
    return sorted(lacking)[rank - 1]


def totals_held_out(scores: Sequence[Score], error: OutlineError) -> list[Match]:
    """Totals with what is unseen by the fit to the other films."""
    out: list[Match] = []
    for fold in range(FOLDS):
        unseen = unseen_besides([one for k, one in enumerate(scores) if k % FOLDS != fold], error)
        mine = [one for k, one in enumerate(scores) if k % FOLDS == fold]
        out += [total_of(_bars(one, error), math.hypot(unseen, one.passed_over), one.total.true) for one in mine]
    return [total for total in out if total.true > 0]


def _bars(score: Score, error: OutlineError) -> list[Match]:
    """The outlines of a film with the error bars by another fit."""
    return [replace(m, sd=error.relative_sd(m.doubt, m.pixels) * m.found) for m in score.outlines]


def _quantile(facts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Coefficients of the linear `LEVEL` quantile (R. Koenker and G. Bassett, Econometrica 46 (1978) 33): the least sum
    of what lies above, counted by LEVEL, and below, counted by the rest."""
    n, k = facts.shape
    costs = np.concatenate([np.zeros(k), np.full(n, LEVEL), np.full(n, 1 - LEVEL)])
    rows = np.hstack([facts, np.eye(n), -np.eye(n)])
    free = [(None, None)] * k + [(0, None)] * (2 * n)
    return np.asarray(linprog(costs, A_eq=rows, b_eq=values, bounds=free, method="highs").x[:k])


def held_out(scores: Sequence[Score], others: Sequence[Score]) -> list[Match]:
    """Matches with the sd by a fit to the other films."""
    out: list[Match] = []
    for fold in range(FOLDS):
        kept = [one for k, one in enumerate(scores) if k % FOLDS != fold]
        error = fitted(_matches([*kept, *others]), "held out")
        mine = _matches([one for k, one in enumerate(scores) if k % FOLDS == fold])
        out += [replace(m, sd=error.relative_sd(m.doubt, m.pixels) * m.found) for m in mine]
    return out


def _matches(scores: Sequence[Score]) -> list[Match]:
    return [match for one in scores for match in one.matches if match.doubt > 0]


def _arguments() -> argparse.Namespace:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--limbs", type=int, default=90)
    cli.add_argument("--visible", type=int, default=60)
    cli.add_argument("--films", type=int, default=280)
    cli.add_argument("--jobs", type=int, default=2)
    cli.add_argument("--out", type=Path, default=TARGET, help="where to write; the package's own when left out")
    return cli.parse_args()


if __name__ == "__main__":
    main()
