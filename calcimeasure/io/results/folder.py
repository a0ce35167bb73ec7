"""The results folder: who may write it, what is done already, and the tables made from that.

Every finished image is one line of a journal, flushed to disk before the next is taken up. The tables
are always made from the journal in input order, so that a run that was killed and continued ends in the
same bytes as one that was not.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from calcimeasure.errors import OutputError
from calcimeasure.io.files import write_whole
from calcimeasure.io.given.inputs import RESULTS_MARK, Input
from calcimeasure.io.results import columns
from calcimeasure.io.results.journal import Journal
from calcimeasure.io.results.record import Record
from calcimeasure.io.results.report_file import report_of
from calcimeasure.io.results.tables import csv_text

try:
    import fcntl
except ImportError:  # Windows has no advisory locks: two runs into one folder are then not prevented
    fcntl = None  # type: ignore[assignment]

JOURNAL = "journal.jsonl"
TRIAL_JOURNAL = "intervals.jsonl"
_JOURNALS = (JOURNAL, TRIAL_JOURNAL)
_OURS = (
    *columns.TABLES,
    *columns.REPEATED,
    "profile.json",
    "masks",
    "overlays",
    "pairs",
    "columns.json",
    "run.json",
    "report.html",
    "report.pdf",
    "films.html",
)


@dataclass(slots=True)
class Results:
    """An open results folder; one process writes it at a time.

    Use `open_results` to make one, and as a context manager, so that the lock is given back.
    """

    folder: Path
    order: tuple[str, ...]
    journal: Journal[Record] = field(init=False)
    _lock: IO[str] | None = None
    _next_tables: float = 0.0

    def __post_init__(self) -> None:
        self.journal = Journal(self.folder / RESULTS_MARK / JOURNAL, Record.from_json, lambda record: record.image)

    def __enter__(self) -> Results:
        self.journal.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.journal.__exit__()
        if self._lock:
            self._lock.close()

    def record_of(self, image: str) -> Record | None:
        """The newest record of an image, `None` when it was never finished."""
        return self.journal.get(image)

    def done_key(self, image: str) -> str | None:
        """Key of an earlier record of an image; a failed one is tried again."""
        record = self.record_of(image)
        return None if record is None or record.failed else record.key

    def add(self, record: Record) -> None:
        """Keep a record: on disk when this returns, in the tables at the latest a few seconds on."""
        self.journal.add(record)
        self._refresh_tables()

    def records(self) -> Iterator[Record]:
        """Records of this run's inputs in table order, read from disk one by one."""
        for image in self.order:
            if record := self.record_of(image):
                yield record

    def write_tables(self) -> None:
        """Make images.csv, deposits.csv and excluded.csv anew from the journal."""
        texts = {name: [csv_text(name, ())] for name in columns.MEASURED}
        for record in self.records():
            texts["images.csv"].append(csv_text("images.csv", [record.row], header=False))
            texts["deposits.csv"].append(csv_text("deposits.csv", record.deposits, header=False))
            texts["excluded.csv"].append(csv_text("excluded.csv", record.excluded, header=False))
        for name, parts in texts.items():
            write_whole(self.folder / name, "".join(parts))

    def finish(self, run: Mapping[str, Any]) -> None:
        """Write the tables, the report, and run.json with the hash of every input.

        What stands on disk counts: an interrupt may have come between a journal line and our note of it.
        """
        self.journal.reread()
        self.write_tables()
        self.write_run(run)
        self.write_report(run)

    def write_run(self, run: Mapping[str, Any]) -> None:
        """Write run.json with the hash of every input, and what every standard deviation consists of."""
        hashes = {record.image: record.row["sha256"] for record in self.records()}
        parts = {record.image: record.sd_components for record in self.records() if record.sd_components}
        write_whole(
            self.folder / "run.json", json.dumps({**run, "inputs": hashes, "sd_components": parts}, indent=1) + "\n"
        )

    def write_report(self, run: Mapping[str, Any], name: str = "report.html") -> None:
        """Write the page with a card for every image."""
        write_whole(self.folder / name, report_of(self.records(), run))

    def _refresh_tables(self) -> None:
        """Tables as they are made, but never more than a twentieth of the time spent on writing them."""
        start = time.monotonic()
        if start < self._next_tables:
            return
        self.write_tables()
        spent = time.monotonic() - start
        self._next_tables = time.monotonic() + max(2.0, 20 * spent)


def open_results(
    folder: Path, inputs: Sequence[Input], run: Mapping[str, Any], *, resume: bool, overwrite: bool
) -> Results:
    """The results folder, made or continued.

    Parameters
    ----------
    folder : Path
        Where results go.
    inputs : sequence of Input
        This run's inputs in table order.
    run : mapping
        Facts for run.json; ``run["settings"]`` must be equal for a run to be continued.
    resume, overwrite : bool
        Continue what is there, or delete our own files and begin again.

    Raises
    ------
    OutputError
        When the folder holds results and neither was asked for, holds results of another recipe, holds
        files that are not ours, or is being written by another run.
    """
    mark = folder / RESULTS_MARK
    _check_free(folder, mark, resume or overwrite)
    try:
        mark.mkdir(parents=True, exist_ok=True)
        lock = _locked(mark)
    except OSError as error:
        raise OutputError(f"cannot use the results folder {folder.name}: {error.strerror}; choose another") from error
    try:
        _prepare(folder, run, overwrite)
    except OutputError:
        lock.close()
        raise
    return Results(folder, tuple(item.image for item in inputs), _lock=lock)


def _prepare(folder: Path, run: Mapping[str, Any], overwrite: bool) -> None:
    if overwrite:
        _clear(folder)
    else:
        _check_same_run(folder, run)
    write_whole(folder / "columns.json", columns.dictionary(run.get("tables", columns.MEASURED)))
    write_whole(folder / "run.json", json.dumps({**run, "inputs": {}}, indent=1) + "\n")


def _check_free(folder: Path, mark: Path, allowed: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{folder.name} is a file: name a folder for the results")
    if mark.exists() and not allowed:
        raise OutputError(f"{folder.name} holds results already: add --resume to go on or --overwrite to begin again")
    if not mark.exists() and any(folder.iterdir()):
        raise OutputError(f"{folder.name} holds files that are not ours: choose an empty or a new folder")


def _locked(mark: Path) -> IO[str]:
    """An advisory lock that the system gives back when the process dies, however it dies."""
    lock = (mark / "lock").open("w")
    if fcntl is None:
        return lock
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise OutputError(
            "another run is writing this results folder: wait for it, or choose another folder"
        ) from error
    return lock


def _check_same_run(folder: Path, run: Mapping[str, Any]) -> None:
    """Numbers of two recipes are never mixed in one table."""
    file = folder / "run.json"
    if not file.exists():
        return
    with suppress(ValueError, KeyError):
        before = json.loads(file.read_text())["settings"]
        if before != json.loads(json.dumps(run["settings"])):
            changed = sorted(
                name for name in {*before, *run["settings"]} if before.get(name) != run["settings"].get(name)
            )
            raise OutputError(
                f"{folder.name} was made with other settings ({', '.join(changed)}): use --overwrite or another folder"
            )


def _clear(folder: Path) -> None:
    """Remove our own files, and nothing else."""
    for journal in _JOURNALS:
        (folder / RESULTS_MARK / journal).unlink(missing_ok=True)
    for name in _OURS:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
