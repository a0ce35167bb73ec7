"""A trial: its study, where its films lie, how they are measured, and what a person says of their pairs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from calcimeasure.errors import TableError
from calcimeasure.follow_up import Guidance
from calcimeasure.io.given.by_hand import ByHand, read_landmarks, read_overrides
from calcimeasure.io.given.profile_file import read_profile
from calcimeasure.io.given.study_file import Source
from calcimeasure.io.results import columns
from calcimeasure.io.results.opening import check_apart
from calcimeasure.io.results.trial_results import TrialResults, open_trial
from calcimeasure.model.study import Film, Study
from calcimeasure.run.job import Begin, Job, run_facts
from calcimeasure.steps.change.schedule import Span, spans_of


@dataclass(frozen=True, slots=True)
class Advice:
    """What a person says of the pairs of a trial, beyond the study file.

    Parameters
    ----------
    every : Guidance
        What holds for every pair of films: the precision profile, and whether the limb is shown mirrored.
    by_hand : ByHand
        Matches and landmarks of single pairs.
    """

    every: Guidance = field(default_factory=Guidance)
    by_hand: ByHand = field(default_factory=ByHand)

    @classmethod
    def in_files(
        cls,
        profile: Path | None = None,
        overrides: Path | None = None,
        landmarks: Path | None = None,
        *,
        mirrored: bool = False,
    ) -> Advice:
        """The advice in a precision profile of `repeatability`, a table of matches and one of landmarks.

        Raises
        ------
        TableError
            When one of them cannot be read or is not what it should be.
        """
        every = (
            Guidance(mirrored=mirrored)
            if profile is None
            else Guidance(mirrored=mirrored, profile=read_profile(profile))
        )
        links = {} if overrides is None else read_overrides(overrides)
        return cls(every, ByHand(links, {} if landmarks is None else read_landmarks(landmarks)))

    def of(self, names: tuple[str, str]) -> Guidance:
        """What is said of a pair of films, by their NAMEs."""
        links, landmarks = self.by_hand.links_of(names), self.by_hand.landmarks_of(names)
        return replace(self.every, overrides=links, landmarks=landmarks)


@dataclass(frozen=True, slots=True)
class Trial:
    """A study, where its films lie, and how they are measured and compared.

    Parameters
    ----------
    study : Study
    sources : mapping of str to Source
        Every film by NAME, as `io.study_file.films_of` finds them.
    job : Job
        How films are measured, with what the study file says of each; make it with `trial_of`.
    advice : Advice
        What a person says of the pairs of films.
    """

    study: Study
    sources: Mapping[str, Source]
    job: Job
    advice: Advice = field(default_factory=Advice)

    @property
    def used(self) -> dict[str, Source]:
        """The films that the study file does not exclude."""
        return {name: one for name, one in self.sources.items() if not one.film.exclude_reason}

    @property
    def spans(self) -> tuple[Span, ...]:
        """Every pair of visits to compare."""
        return tuple(span for subject in self.study.subjects for span in spans_of(subject))


def trial_of(study: Study, sources: Mapping[str, Source], job: Job, advice: Advice | None = None) -> Trial:
    """The trial, its job knowing the scales and masks that the study file gives.

    Raises
    ------
    TableError
        When a match or landmark by hand names a film that is not in the study.
    """
    spacings = {name: one.film.spacing_mm for name, one in sources.items() if one.film.spacing_mm is not None}
    masks = {name: one.mask for name, one in sources.items() if one.mask is not None}
    whole = replace(job, spacings_mm={**job.spacings_mm, **spacings}, mask_files=masks)
    advice = advice or Advice()
    for names in advice.by_hand.names:
        if not {*names} <= sources.keys():
            raise TableError(f"a match or landmark is given for {' and '.join(names)}, and the study has no such films")
    return Trial(study, sources, whole, advice)


def trial_facts(trial: Trial) -> dict[str, Any]:
    """Facts for run.json: those of the measuring, and what the comparisons rest on."""
    facts = run_facts(trial.job)
    every = trial.advice.every
    told = {"study": True, "profile": every.profile.to_json(), "mirrored": every.mirrored}
    settings = {**facts["settings"], **json.loads(json.dumps(told))}
    return {**facts, "settings": settings, "spacing_table": {}, "tables": list(columns.TABLES)}


def opened(trial: Trial, run: Mapping[str, Any]) -> TrialResults:
    """The results folder of a trial, begun as its job says; a context manager.

    Raises
    ------
    OutputError
        When it cannot be used as asked, or a film lies in it.
    """
    job, inputs = trial.job, [one.item for one in trial.used.values()]
    check_apart(job.out, [*job.reads, *(item.path for item in inputs)])
    return open_trial(job.out, inputs, run, resume=job.begin is Begin.RESUME, overwrite=job.begin is Begin.OVERWRITE)


def twins_among(trial: Trial, results: TrialResults) -> dict[str, str]:
    """Films whose pixels are those of a film of another visit or subject, each with the NAME of one such film."""
    by_pixels: dict[str, list[tuple[str, Film]]] = {}
    for name, source in trial.used.items():
        record = results.films.record_of(name)
        if record is not None and not record.failed and record.pixels:
            by_pixels.setdefault(record.pixels, []).append((name, source.film))
    found = {}
    for same in by_pixels.values():
        for name, film in same:
            others = [other for other, its in same if (its.subject, its.visit) != (film.subject, film.visit)]
            found.update({name: others[0]} if others else {})
    return found
