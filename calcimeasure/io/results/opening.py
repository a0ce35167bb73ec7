"""A results folder made, continued or begun again: whether it may be, who holds it, and whose files lie there.

A run replaces and deletes what runs wrote, byte for byte, and nothing else: no option says otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from calcimeasure.errors import CalcimeasureError, OutputError
from calcimeasure.io.files import sha256_of
from calcimeasure.io.given.inputs import RESULTS_MARK, Input, hashed_name
from calcimeasure.io.results import columns
from calcimeasure.io.results.interval_record import IntervalRecord
from calcimeasure.io.results.journal import UNBELIEVABLE, Kept, RunJournal
from calcimeasure.io.results.masks import PROVENANCE, SUFFIX, read_labels
from calcimeasure.io.results.record import Record
from calcimeasure.io.results.written import NOTES, Written, is_inside
from calcimeasure.report.plain_text import plain

try:
    import fcntl
except ImportError:  # Windows has no advisory locks: two runs into one folder are then not prevented
    fcntl = None  # type: ignore[assignment]

JOURNAL = "journal.jsonl"
TRIAL_JOURNAL = "intervals.jsonl"
LOCK = "lock"
_OF_THE_RUN = (LOCK, JOURNAL, TRIAL_JOURNAL, NOTES)
#: Tables, pages and facts of a run, at the top of its folder.
_PAGES = (
    *columns.TABLES,
    *columns.REPEATED,
    *columns.VALIDATED,
    "profile.json",
    "columns.json",
    "run.json",
    "report.html",
    "report.pdf",
    "films.html",
    "validation.html",
)
_LARGEST_RUN_FILE = 512 * 2**20


class RunKind(StrEnum):
    """What sort of run a results folder is of; one never begins again in the folder of another."""

    MEASURE = "measure"
    STUDY = "study"
    REPEATABILITY = "repeatability"
    VALIDATION = "validation"
    DEMO = "demo"


def kind_of(run: Mapping[str, Any]) -> RunKind:
    """The sort of run that the facts of a run.json tell."""
    settings = run["settings"]
    if run.get("demo"):
        return RunKind.DEMO
    if settings.get("repeatability"):
        return RunKind.REPEATABILITY
    if settings.get("validation"):
        return RunKind.VALIDATION
    return RunKind.STUDY if settings.get("study") else RunKind.MEASURE


@dataclass(frozen=True, slots=True)
class OpenedFolder:
    """A results folder that this process may write: the lock, whose files are whose, and the NAMEs given before."""

    lock: IO[str]
    written: Written
    names: Mapping[str, str] = field(default_factory=dict)

    def named(self, inputs: Sequence[Input]) -> tuple[Input, ...]:
        """The inputs under the NAMEs that they have in this folder: those of earlier runs stay."""
        taken = {name: image for image, name in self.names.items()}
        return tuple(replace(one, name=self._name(one, taken)) for one in inputs)

    def _name(self, item: Input, taken: Mapping[str, str]) -> str:
        if item.image in self.names:
            return self.names[item.image]
        return item.name if taken.get(item.name, item.image) == item.image else hashed_name(item.image)


def check_apart(folder: Path, read: Sequence[Path]) -> None:
    """That nothing a run is to read lies in the folder that it writes, by whatever links and names it is reached.

    Raises
    ------
    OutputError
        For the first that does.
    """
    for path in read:
        if is_inside(path, folder):
            raise OutputError(
                f"{plain(path.name)} lies in the results folder {plain(folder.name)}, and a run never reads what it "
                "writes: put the results into another folder"
            )


def open_folder(folder: Path, run: Mapping[str, Any], *, resume: bool, overwrite: bool) -> OpenedFolder:
    """The folder, locked, swept of drafts, and empty of what runs wrote if it is to be begun again.

    Raises
    ------
    OutputError
        When the folder holds results and neither was asked for, holds results of another recipe or another sort of
        run, holds files that are not ours, a person's masks among them, or is being written by another run.
    """
    mark = folder / RESULTS_MARK
    try:
        _check_free(folder, mark, resume or overwrite)
        mark.mkdir(parents=True, exist_ok=True)
        lock = _locked(mark)
    except OSError as error:
        raise OutputError(
            f"cannot use the results folder {plain(folder.name)}: {error.strerror}; choose another"
        ) from error
    try:
        return _prepared(folder, lock, run, overwrite)
    except BaseException:
        lock.close()
        raise


def _prepared(folder: Path, lock: IO[str], run: Mapping[str, Any], overwrite: bool) -> OpenedFolder:
    before = _run_before(folder, overwrite)
    _check_same_run(folder, before, run, overwrite)
    written = Written(folder)
    written.sweep()
    names = _names_before(folder, before)
    _know_old_results(folder, written)
    _check_nobody_elses(folder, written)
    if overwrite:
        written.clear()
        for journal in (JOURNAL, TRIAL_JOURNAL):
            (folder / RESULTS_MARK / journal).unlink(missing_ok=True)
        names = {}
    facts = json.dumps({**run, "inputs": {}, "names": names}, indent=1) + "\n"
    written.write({"columns.json": columns.dictionary(run.get("tables", columns.MEASURED)), "run.json": facts})
    return OpenedFolder(lock, written, names)


def _check_free(folder: Path, mark: Path, allowed: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{plain(folder.name)} is a file: name a folder for the results")
    if mark.exists() and not allowed:
        raise OutputError(
            f"{plain(folder.name)} holds results already: add --resume to go on or --overwrite to begin again"
        )
    if not mark.exists() and any(folder.iterdir()):
        raise OutputError(f"{plain(folder.name)} holds files that are not ours: choose an empty or a new folder")


def _locked(mark: Path) -> IO[str]:
    """An advisory lock that the system gives back when the process dies, however it dies."""
    for name in _OF_THE_RUN:
        if (mark / name).exists() and not (mark / name).is_file():
            raise OutputError(f"{name} in the results folder is no file: choose another folder")
    lock = (mark / LOCK).open("a")
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


# --- the run before ---------------------------------------------------------------------------------


def _run_before(folder: Path, overwrite: bool) -> Mapping[str, Any] | None:
    """What run.json tells of the run that made the folder; `None` where there is none.

    One that cannot be understood does not keep a run from beginning again: it is laid aside then.
    """
    file = folder / "run.json"
    if not file.exists():
        return None
    try:
        if not file.is_file() or file.stat().st_size > _LARGEST_RUN_FILE:
            raise ValueError
        told = json.loads(file.read_bytes())
        if not (isinstance(told, dict) and isinstance(told["settings"], dict)):
            raise TypeError
    except (OSError, *UNBELIEVABLE) as error:
        if overwrite:
            return None
        raise OutputError(
            f"run.json of {plain(folder.name)} cannot be understood, so that the run cannot go on: use another folder"
        ) from error
    return told


def _check_same_run(folder: Path, before: Mapping[str, Any] | None, run: Mapping[str, Any], overwrite: bool) -> None:
    """Neither are results of another sort of run begun over, nor numbers of two recipes mixed in one table."""
    if before is None:
        return
    if kind_of(before) is not kind_of(run):
        raise OutputError(
            f"{plain(folder.name)} holds the results of `{kind_of(before)}`, not of `{kind_of(run)}`: "
            "use another folder"
        )
    settings, wanted = before["settings"], json.loads(json.dumps(run["settings"]))
    if not overwrite and settings != wanted:
        changed = sorted(name for name in {*settings, *wanted} if settings.get(name) != wanted.get(name))
        told = plain(", ".join(changed))[:200]
        raise OutputError(
            f"{plain(folder.name)} was made with other settings ({told}): use --overwrite or another folder"
        )


def _names_before(folder: Path, before: Mapping[str, Any] | None) -> dict[str, str]:
    """NAME of every image of earlier runs: from run.json, or, in results of old, from the rows themselves."""
    told = (before or {}).get("names")
    if not isinstance(told, dict):
        told = {record.image: record.name for record in _entries(folder / RESULTS_MARK / JOURNAL, Record.from_json)}
    return {image: name for image, name in sorted(told.items()) if isinstance(name, str) and _is_harmless(name)}


def _is_harmless(name: str) -> bool:
    """Whether a NAME stays inside its folder."""
    path = PurePosixPath(name)
    return bool(name) and plain(name) == name and "\\" not in name and not path.is_absolute() and ".." not in path.parts


# --- whose files ------------------------------------------------------------------------------------


def _check_nobody_elses(folder: Path, written: Written) -> None:
    """Refuse where a person's work lies among the masks and pictures; damaged files of runs are laid aside.

    Raises
    ------
    OutputError
        Naming the first, and where to put the results instead.
    """
    others = written.others()
    damaged = [name for name in others if _is_damaged(folder, name, written)]
    theirs = [name for name in others if name not in damaged]
    if theirs:
        more = f" and {len(theirs) - 1} more" if len(theirs) > 1 else ""
        raise OutputError(
            f"{plain(folder.name)} holds work that no run made: {plain(theirs[0])}{more} came from a person or another "
            "program, or was changed since, and is never replaced or deleted: put the results into another folder "
            f"(--masks {plain(folder.name)}/masks measures the masks there)"
        )
    for name in damaged:
        written.lay_aside(name)


def _is_damaged(folder: Path, name: str, written: Written) -> bool:
    """Whether a file that a run wrote cannot be read any more, and no person's facts lie beside it."""
    path = folder / name
    beside = path.with_name(path.name.removesuffix(SUFFIX) + PROVENANCE)
    return written.knows(name) and path.is_file() and not beside.exists() and not _is_readable(path)


def _is_readable(path: Path) -> bool:
    from calcimeasure.io.results.pictures import is_whole_png

    if path.name.endswith(SUFFIX):
        return _labels_in(path) is not None
    return is_whole_png(path.read_bytes())


def _labels_in(path: Path) -> npt.NDArray[np.int32] | None:
    with suppress(CalcimeasureError):
        return read_labels(path, None).array
    return None


def _know_old_results(folder: Path, written: Written) -> None:
    """Note what runs of old wrote, who kept no notes: masks with the deposits of their rows, and their pictures."""
    mark = folder / RESULTS_MARK
    of_old = (mark / JOURNAL).is_file() and not (mark / NOTES).exists()
    if not of_old and all(map(written.knows, written.others())):
        return
    names = [*_as_recorded(folder), *(_PAGES if of_old else ())]
    written.suppose({name: sha256_of(folder / name) for name in names if _is_new(folder, name, written)})


def _is_new(folder: Path, name: str, written: Written) -> bool:
    return not written.knows(name) and (folder / name).is_file() and not (folder / name).is_symlink()


def _as_recorded(folder: Path) -> Iterator[str]:
    mark = folder / RESULTS_MARK
    for record in _entries(mark / JOURNAL, Record.from_json):
        if _is_harmless(record.name):
            yield f"overlays/{record.name}.png"
            if _has_deposits_of(folder / f"masks/{record.name}{SUFFIX}", record):
                yield f"masks/{record.name}{SUFFIX}"
    for interval in _entries(mark / TRIAL_JOURNAL, IntervalRecord.from_json):
        yield from (f"pairs/{pair.picture}.png" for pair in interval.pairs if _is_harmless(pair.picture))


def _entries(path: Path, parse: Callable[[str], Kept]) -> Iterator[Kept]:
    return RunJournal(path, parse, lambda entry: "").entries()


def _has_deposits_of(path: Path, record: Record) -> bool:
    """Whether a label image holds the deposits of a record: number, pixels and centre of each."""
    labels = _labels_in(path) if path.is_file() else None
    if labels is None:
        return False
    try:
        told = {int(row["label"]): _centre_of(row) for row in record.deposits}
    except UNBELIEVABLE:
        return False
    found = _centres(labels)
    return told.keys() == found.keys() and all(np.allclose(told[n], found[n], atol=0.01) for n in told)


def _centre_of(row: Mapping[str, Any]) -> tuple[float, float, float]:
    return float(row["area_px"]), float(row["centroid_row"]), float(row["centroid_column"])


def _centres(labels: npt.NDArray[np.int32]) -> dict[int, tuple[float, float, float]]:
    """Pixels, mean row and mean column of every number."""
    rows, cols = np.nonzero(labels)
    numbers, which = np.unique(labels[rows, cols], return_inverse=True)
    counts = np.bincount(which, minlength=len(numbers))
    means = [np.bincount(which, at, len(numbers)) / counts for at in (rows, cols)]
    return {int(n): (float(c), float(r), float(k)) for n, c, r, k in zip(numbers, counts, *means, strict=True)}
