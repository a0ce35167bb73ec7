"""How likely a finding of the networks is a deposit: a logistic judgement of what they saw in it.

The networks judge pixels. Whether a whole finding is calcium depends on what both saw at its core and throughout, and
on its size. Five facts are weighed; their weights were fitted on films that the networks had not been trained on
(`calcimeasure.training.judge`). Bone and shape are not among them: their weights would be learnt from too few films.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calcimeasure.model.arrays import Map
from calcimeasure.steps.outline.candidates import Candidate

#: What is weighed, in this order: log odds of both networks' high and middle probability in the finding, and its size
#: (log mm2, as far as the scale is known or assumed).
FACTS = ("finder_high", "finder_middle", "outline_high", "outline_middle", "size")

#: On a trunk, shoulder or hip, what looks like calcium is so much less often calcium (log odds; three times): the
#: networks learnt on limbs, and on five held-back films that are none they find several times as much that is none.
TRUNK_ODDS = 1.1


@dataclass(frozen=True, slots=True)
class Judge:
    """Weights of the facts, and the log odds of a finding whose facts are all 0.

    Raises
    ------
    ValueError
        When there is not one weight for each of `FACTS`.
    """

    base: float
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.weights) != len(FACTS):
            raise ValueError(f"a judge weighs {len(FACTS)} facts, got {len(self.weights)} weights")

    def score(self, facts: Sequence[float]) -> float:
        """Probability (0-1) that a finding with these facts is a deposit."""
        return float(1 / (1 + np.exp(-(self.base + np.dot(self.weights, facts)))))

    def on_trunk(self) -> Judge:
        """The judge of a film that shows no limb: it wants more of a finding."""
        return replace(self, base=self.base - TRUNK_ODDS)

    def judged(self, finding: Candidate, finder: Map, outline: Map, mm: float) -> Candidate:
        """The finding with its score."""
        return replace(finding, score=self.score(facts_of(finding, finder, outline, mm)))


def facts_of(finding: Candidate, finder: Map, outline: Map, mm: float) -> tuple[float, ...]:
    """The facts of one finding, in the order of `FACTS`; both maps are probabilities as large as the film.

    Both maps have the shape of the film.
    """
    chances = (image[finding.window][finding.mask] for image in (finder, outline))
    odds = [_log_odds(float(np.percentile(values, rank))) for values in chances for rank in (90, 50)]
    return (*odds, float(np.log(finding.area * mm**2)))


def _log_odds(chance: float) -> float:
    """Log odds, kept within what a probability of 0.01 and of 0.99 give."""
    return float(np.log((chance + 0.01) / (1.01 - chance)))
