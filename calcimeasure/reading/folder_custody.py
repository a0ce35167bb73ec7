"""Custody by files: saved work in a folder, the journal beside the film."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from calcimeasure.errors import OutputError
from calcimeasure.io.files import sha256_of
from calcimeasure.io.results.masks import read_labels
from calcimeasure.model.labels import Labels
from calcimeasure.reading.codec import Codec
from calcimeasure.reading.custody import Begin, SavedWork, Standing, Unfinished, Work
from calcimeasure.reading.journal import FileJournal, Pending, begun, laid_aside, pending, resumed
from calcimeasure.reading.record import Base, Source
from calcimeasure.reading.saving import Saved, check_of, check_readable, name_in, save, saved_in

#: Where corrected masks go when nothing else is chosen: a folder of this name in the folder of the films.
SAVED = "calcimeasure-corrected"


@dataclass(frozen=True, slots=True)
class FolderCustody:
    """Keeps saved work in a folder; a journal lies beside its film, or in the user's own state folder.

    Parameters
    ----------
    folder : Path
        Made when something is saved.
    """

    folder: Path

    @classmethod
    def beside(cls, source: Source) -> FolderCustody:
        """The folder beside a film; in the home folder when the film has no place of its own."""
        return cls((Path.home() if source.path is None else source.path.parent) / SAVED)

    def opened(self, source: Source, shape: tuple[int, int]) -> SavedWork | None:
        """What is saved of a film in the folder; `None` when nothing is."""
        saved = saved_in(self.folder, name_in(self.folder, source))
        if saved is None:
            check_readable(self.folder, source.name)
            return None
        check_of(saved, source, shape)
        return _whole(saved, shape)

    def save(self, work: Work, *, overwrite: bool) -> str:
        """Write mask, provenance and tables into the folder; gives the mask's SHA-256."""
        return save(work, self.folder, overwrite=overwrite)

    def unfinished(self, begin: Begin) -> Pending | None:
        """The newest journal of unsaved work on a film."""
        return pending(begin)

    def begin(self, begin: Begin, here: Callable[[], Standing]) -> FileJournal:
        """A new journal file."""
        return begun(begin, here)

    def go_on(self, begin: Begin, waiting: Unfinished, codec: Codec, here: Callable[[], Standing]) -> FileJournal:
        """The journal file of restored work."""
        return resumed(begin, _file_of(waiting), codec, here)

    def lay_aside(self, waiting: Unfinished) -> Path | None:
        """Rename a journal file."""
        return laid_aside(_file_of(waiting))


def _file_of(waiting: Unfinished) -> Pending:
    if not isinstance(waiting, Pending):
        raise OutputError("this unsaved work is kept elsewhere: open the film there to restore it")
    return waiting


def _whole(saved: Saved, shape: tuple[int, int]) -> SavedWork:
    untouched = saved.is_untouched
    labels = read_labels(saved.mask, shape) if saved.has_mask else Labels.empty(shape)
    base = Base(sha256_of(saved.mask) if saved.has_mask else "", saved.signature)
    return SavedWork(saved.mask.name, labels, saved.facts, base, untouched)
