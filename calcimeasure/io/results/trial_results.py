"""The results folder of a trial: that of `measure`, and a line and rows for every interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from calcimeasure.errors import FileInTheWay
from calcimeasure.io.given.inputs import RESULTS_MARK, Input
from calcimeasure.io.results.change_tables import change_row, deposit_rows, study_row
from calcimeasure.io.results.folder import TRIAL_JOURNAL, Results, open_results, unread_remarks
from calcimeasure.io.results.interval_record import IntervalRecord
from calcimeasure.io.results.journal import RunJournal
from calcimeasure.io.results.tables import Row, csv_text
from calcimeasure.io.results.written import Written
from calcimeasure.model.study import Interval, Subject
from calcimeasure.steps.agreement.cohort import Member

#: Of the films' own page, beside the report of the trial.
FILMS_PAGE = "films.html"
_TABLES = ("changes.csv", "deposit_changes.csv", "study.csv")


@dataclass(slots=True)
class TrialResults:
    """An open results folder of a trial; use as a context manager.

    `films` keeps what was measured, `intervals` what was compared.
    """

    films: Results
    intervals: RunJournal[IntervalRecord] = field(init=False)

    def __post_init__(self) -> None:
        path = self.films.folder / RESULTS_MARK / TRIAL_JOURNAL
        self.intervals = RunJournal(path, IntervalRecord.from_json, lambda record: record.name)

    def __enter__(self) -> TrialResults:
        self.films.__enter__()
        self.intervals.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.intervals.__exit__()
        self.films.__exit__(kind, error, trace)

    @property
    def written(self) -> Written:
        """What runs wrote into the folder."""
        return self.films.written

    @property
    def remarks(self) -> list[str]:
        """What the user ought to know of the folder as it was found, a line each."""
        return [*self.films.remarks, *unread_remarks(self.intervals)]

    def add_interval(self, record: IntervalRecord) -> IntervalRecord:
        """Keep the record of an interval and its pictures; what was kept: a failed one where they could not be."""
        try:
            self.written.write(record.files)
        except FileInTheWay as error:
            record = record.failing(str(error))
        kept = record.kept()
        self.intervals.add(kept)
        return kept

    def has_pictures(self, record: IntervalRecord) -> bool:
        """Whether the pictures of an interval's pairs are as they were written."""
        return all(self.written.stands(f"pairs/{pair.picture}.png") for pair in record.pairs if pair.picture)

    def reread(self) -> None:
        """Take note of what stands on disk: an interrupt may have come between a line and our note of it."""
        self.films.journal.reread()
        self.intervals.reread()

    def forget_intervals(self, holds: Callable[[IntervalRecord], bool]) -> None:
        """Pass over the intervals that do not hold; their lines stay in the journal."""
        for name in list(self.intervals.offsets):
            record = self.intervals.get(name)
            if record is not None and not holds(record):
                self.intervals.forget(name)

    def picture_of(self, interval: Interval) -> Path | None:
        """The picture of an interval's first pair of films, `None` when there is none."""
        names = [pair.picture for pair in interval.pairs if pair.picture]
        path = self.films.folder / "pairs" / f"{names[0]}.png" if names else None
        return path if path and path.is_file() else None

    def write_films(self, run: Mapping[str, Any]) -> None:
        """Write the tables and the page of the films, and run.json."""
        self.films.write_tables()
        self.films.write_run(run)
        self.films.write_report(run, FILMS_PAGE)

    def write_changes(self, members: Iterable[tuple[Subject, Member]], recipe: str) -> None:
        """Write changes.csv, deposit_changes.csv and study.csv, subject by subject."""
        texts = {name: [csv_text(name, ())] for name in _TABLES}
        for subject, member in members:
            for name, rows in _rows(subject, member, recipe).items():
                texts[name].append(csv_text(name, rows, header=False))
        self.written.write({name: "".join(parts) for name, parts in texts.items()})


def _rows(subject: Subject, member: Member, recipe: str) -> dict[str, list[Row]]:
    """Rows of each table, the visits in their order."""
    order = {visit.name: k for k, visit in enumerate(subject.visits)}
    told = [one for one in (member.primary, *member.others) if one]
    told.sort(key=lambda one: (order[one.baseline.name], order[one.followup.name]))
    return {
        "changes.csv": [change_row(one, recipe, primary=one is member.primary) for one in told],
        "deposit_changes.csv": [row for one in told for row in deposit_rows(one)],
        "study.csv": [study_row(subject, member)],
    }


def open_trial(
    folder: Path, inputs: Sequence[Input], run: Mapping[str, Any], *, resume: bool, overwrite: bool
) -> TrialResults:
    """The results folder of a trial, made or continued, as `io.results.open_results` does it.

    Raises
    ------
    OutputError
        When the folder holds results and neither was asked for, holds results of other settings, holds files that are
        not ours, or is being written by another run.
    """
    return TrialResults(open_results(folder, inputs, run, resume=resume, overwrite=overwrite))
