"""The films of a folder, one after the other, each with how far it got."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calcimeasure.io.given.inputs import Input, find_inputs
from calcimeasure.reading.folder_custody import SAVED
from calcimeasure.reading.record import Source
from calcimeasure.reading.saving import name_in, saved_in


@dataclass(frozen=True, slots=True)
class Item:
    """A film of the worklist.

    Parameters
    ----------
    path : Path
        The file.
    image, name : str
        How tables name it, and its mask.
    status : str
        ``open``, ``corrected`` or ``signed``.
    initials : str
        Who saved it last; empty for nobody.
    """

    path: Path
    image: str
    name: str
    status: str = "open"
    initials: str = ""

    @property
    def source(self) -> Source:
        """For a session, which adds the hash of the bytes that it read."""
        return Source(self.path, self.image, self.name)


@dataclass(frozen=True, slots=True)
class Worklist:
    """Films in the order of their names, and the folder where corrected masks are saved."""

    items: tuple[Item, ...]
    saved: Path

    @classmethod
    def of(cls, folder: Path, saved: Path | None = None) -> Worklist:
        """Every film under a folder, with what is saved of it.

        Raises
        ------
        TableError
            When there is no such folder.
        """
        saved = saved or folder / SAVED
        return cls(tuple(_item(one, saved) for one in find_inputs([folder], saved).files), saved)

    def renewed(self) -> Worklist:
        """The same films with how far they got by now."""
        fresh = (_item(Input(item.path, item.image, item.name), self.saved) for item in self.items)
        return Worklist(tuple(fresh), self.saved)

    def next_after(self, image: str, status: str | None = None) -> Item | None:
        """The next film, or the next one with a status; `None` after the last. The first after one not listed."""
        return next((one for one in self.items[self._at(image) + 1 :] if status in (None, one.status)), None)

    def previous_before(self, image: str, status: str | None = None) -> Item | None:
        """The film before, or the last one before with a status; `None` before the first."""
        before = self.items[: max(self._at(image), 0)]
        return next((one for one in reversed(before) if status in (None, one.status)), None)

    @property
    def counts(self) -> dict[str, int]:
        """How many films are open, corrected and signed."""
        return {name: sum(one.status == name for one in self.items) for name in ("open", "corrected", "signed")}

    def _at(self, image: str) -> int:
        return next((at for at, item in enumerate(self.items) if item.image == image), -1)


def _item(one: Input, saved: Path) -> Item:
    name = name_in(saved, Source(one.path, one.image, one.name))
    there = saved_in(saved, name)
    return Item(one.path, one.image, name, *((there.status, there.initials) if there else ()))
