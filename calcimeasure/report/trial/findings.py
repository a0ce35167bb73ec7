"""All that a trial's report is made of, in one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from calcimeasure.model.study import Study
from calcimeasure.steps.agreement.cohort import Cohort, Outcome
from calcimeasure.steps.agreement.readers import ReaderAgreement

#: What is said of a subject by how far it came.
OUTCOMES = {
    Outcome.COMPARED: "Compared: in the result",
    Outcome.NOT_EVALUABLE: "Not evaluable",
    Outcome.FAILED: "Could not be measured",
    Outcome.EXCLUDED: "Excluded by the study file",
    Outcome.ONE_VISIT: "Only one visit",
    Outcome.OUTSIDE_WINDOW: "No visit in the window",
}


@dataclass(frozen=True, slots=True)
class TrialFindings:
    """A study with its result and the facts of its run.

    Parameters
    ----------
    study : Study
    cohort : Cohort
    run : mapping
        ``version``, ``recipe_hash``, ``weights_sha256``, ``packages`` (name to version); and where the recipe differs
        from the usual, ``rule`` (a sentence on what counts as improved) and ``cut_percent``.
    readers : ReaderAgreement or None
        Where several people read the films.
    """

    study: Study
    cohort: Cohort
    run: Mapping[str, Any]
    readers: ReaderAgreement | None = None

    @property
    def anchors(self) -> dict[str, str]:
        """The anchor of each patient's page."""
        return {subject.name: f"patient-{number}" for number, subject in enumerate(self.study.subjects, 1)}

    def fact(self, name: str) -> str:
        """A fact of the run as text."""
        return str(self.run.get(name) or "unknown")

    @property
    def cut(self) -> float:
        """Change in percent that the rule asks for."""
        return float(self.run.get("cut_percent") or 25)
