"""The results folder: who may write it, what is done already, and the tables made from that.

Every finished image is one line of a journal, flushed to disk before the next is taken up. The tables
are always made from the journal in input order, so that a run that was killed and continued ends in the
same bytes as one that was not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from calcimeasure.errors import FileInTheWay
from calcimeasure.io.given.inputs import RESULTS_MARK, Input
from calcimeasure.io.results import columns
from calcimeasure.io.results.journal import RunJournal
from calcimeasure.io.results.opening import JOURNAL, TRIAL_JOURNAL, open_folder
from calcimeasure.io.results.record import Record, files_of, whole_record
from calcimeasure.io.results.report_file import report_of
from calcimeasure.io.results.tables import csv_text
from calcimeasure.io.results.written import Written
from calcimeasure.report.plain_text import plain

__all__ = ["JOURNAL", "TRIAL_JOURNAL", "Results", "open_results"]


@dataclass(slots=True)
class Results:
    """An open results folder; one process writes it at a time.

    Use `open_results` to make one, and as a context manager, so that the lock is given back.

    Parameters
    ----------
    folder : Path
    inputs : tuple of Input
        This run's inputs in table order, under the NAMEs that they have in this folder.
    written : Written
        What runs wrote here: all else is somebody else's.
    names : mapping of str to str
        NAME of every image of earlier runs.
    """

    folder: Path
    inputs: tuple[Input, ...]
    written: Written
    names: Mapping[str, str] = field(default_factory=dict)
    journal: RunJournal[Record] = field(init=False)
    _lock: IO[str] | None = None
    _next_tables: float = 0.0

    def __post_init__(self) -> None:
        self.journal = RunJournal(self.folder / RESULTS_MARK / JOURNAL, whole_record, lambda record: record.image)

    def __enter__(self) -> Results:
        self.journal.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.journal.__exit__()
        if self._lock:
            self._lock.close()

    @property
    def remarks(self) -> list[str]:
        """What the user ought to know of the folder as it was found, a line each."""
        moved = [
            f"{plain(old)} was not as a run wrote it: it is kept as {plain(new)}" for old, new in self.written.aside
        ]
        return moved + unread_remarks(self.journal)

    def record_of(self, image: str) -> Record | None:
        """The newest record of an image, `None` when it was never finished."""
        return self.journal.get(image)

    def done_key(self, image: str) -> str | None:
        """Key of an earlier record of an image whose files are as they were; a failed one is tried again."""
        record = self.record_of(image)
        if record is None or record.failed or not all(map(self.written.stands, files_of(record.name))):
            return None
        return record.key

    def add(self, record: Record) -> Record:
        """Keep a record and its files: on disk when this returns, in the tables at the latest a few seconds on.

        Returns
        -------
        Record
            What was kept; a failed one where a file could not be written, a person's mask standing there for instance.
        """
        kept = self._with_files(record)
        self.journal.add(kept)
        self._refresh_tables()
        return kept

    def _with_files(self, record: Record) -> Record:
        try:
            self.written.write(record.files)
        except FileInTheWay as error:
            record = record.failing(str(error))
        if record.failed:
            self.written.remove(files_of(record.name))
        return record.kept()

    def records(self) -> Iterator[Record]:
        """Records of this run's inputs in table order, read from disk one by one."""
        for item in self.inputs:
            if record := self.record_of(item.image):
                yield record

    def write_tables(self) -> None:
        """Make images.csv, deposits.csv and excluded.csv anew from the journal."""
        texts = {name: [csv_text(name, ())] for name in columns.MEASURED}
        for record in self.records():
            texts["images.csv"].append(csv_text("images.csv", [record.row], header=False))
            texts["deposits.csv"].append(csv_text("deposits.csv", record.deposits, header=False))
            texts["excluded.csv"].append(csv_text("excluded.csv", record.excluded, header=False))
        self.written.write({name: "".join(parts) for name, parts in texts.items()})

    def finish(self, run: Mapping[str, Any]) -> None:
        """Write the tables, the report, and run.json with the hash of every input.

        What stands on disk counts: an interrupt may have come between a journal line and our note of it.
        """
        self.journal.reread()
        self.write_tables()
        self.write_run(run)
        self.write_report(run)

    def write_run(self, run: Mapping[str, Any]) -> None:
        """Write run.json with the hash and NAME of every input, and what every standard deviation consists of."""
        hashes = {record.image: record.row["sha256"] for record in self.records()}
        parts = {record.image: record.sd_components for record in self.records() if record.sd_components}
        names = {**self.names, **{item.image: item.name for item in self.inputs}}
        names = dict(sorted(names.items()))
        told = {**run, "inputs": hashes, "names": names, "sd_components": parts}
        self.written.write({"run.json": json.dumps(told, indent=1) + "\n"})

    def write_report(self, run: Mapping[str, Any], name: str = "report.html") -> None:
        """Write the page with a card for every image."""
        self.written.write({name: report_of(self.records(), run)})

    def _refresh_tables(self) -> None:
        """Tables as they are made, but never more than a twentieth of the time spent on writing them."""
        start = time.monotonic()
        if start < self._next_tables:
            return
        self.write_tables()
        spent = time.monotonic() - start
        self._next_tables = time.monotonic() + max(2.0, 20 * spent)


def unread_remarks(journal: RunJournal[Any]) -> list[str]:
    """A line about what could not be read of a journal; none when all could."""
    if not journal.unread:
        return []
    told = "1 line" if journal.unread == 1 else f"{journal.unread} lines"
    return [f"{told} of {journal.path.name} could not be read and will be made again; it is kept as {journal.aside}"]


def open_results(
    folder: Path, inputs: Sequence[Input], run: Mapping[str, Any], *, resume: bool, overwrite: bool
) -> Results:
    """The results folder, made or continued.

    Parameters
    ----------
    folder : Path
        Where results go.
    inputs : sequence of Input
        This run's inputs in table order; they keep the NAMEs that an earlier run gave them here.
    run : mapping
        Facts for run.json; ``run["settings"]`` must be equal for a run to be continued.
    resume, overwrite : bool
        Continue what is there, or delete what runs wrote and begin again.

    Raises
    ------
    OutputError
        When the folder holds results and neither was asked for, holds results of another recipe or another sort of
        run, holds files that are not ours, a person's masks among them, or is being written by another run.
    """
    opened = open_folder(folder, run, overwrite=overwrite, resume=resume)
    return Results(folder, opened.named(inputs), opened.written, opened.names, _lock=opened.lock)
