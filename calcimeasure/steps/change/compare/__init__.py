"""Two visits of a patient: whether they compare, what changed, and whether it is more than measurement error."""

from calcimeasure.steps.change.compare.burden import burden, film_pairs
from calcimeasure.steps.change.compare.contradictions import not_two_films
from calcimeasure.steps.change.compare.films import compare
from calcimeasure.steps.change.compare.gate import Facts, Gate, comparable
from calcimeasure.steps.change.compare.settings import CompareSettings
from calcimeasure.steps.change.compare.verdict import Rule, Total

__all__ = [
    "CompareSettings",
    "Facts",
    "Gate",
    "Rule",
    "Total",
    "burden",
    "comparable",
    "compare",
    "film_pairs",
    "not_two_films",
]
