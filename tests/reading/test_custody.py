"""The custodies: files, and one in memory, which shows that the protocol asks for nothing that only files have."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from custody_suite import CustodySuite

from calcimeasure.errors import EditRefused, MaskError, OutputError
from calcimeasure.model.labels import Labels
from calcimeasure.reading.codec import Codec, record_to_json
from calcimeasure.reading.custody import SavedWork
from calcimeasure.reading.folder_custody import FolderCustody
from calcimeasure.reading.journal import snapshot_line, step_line
from calcimeasure.reading.record import SAVE, Base


class TestFolderCustody(CustodySuite):
    @pytest.fixture
    def custody(self, tmp_path):
        return FolderCustody(tmp_path / "saved")

    def killed(self, session):
        session.keeping._journal._file.close()
        session.keeping._journal = None


class TestMemoryCustody(CustodySuite):
    @pytest.fixture
    def custody(self):
        return _Memory()

    def killed(self, session):
        session.keeping._journal.book.is_open = False
        session.keeping._journal = None


@dataclass
class _Book:
    """The lines of one film's journal."""

    recipe: dict
    recipe_hash: str
    is_open: bool = True
    written: list = field(default_factory=list)


@dataclass
class _Unfinished:
    memory: "_Memory"
    sha256: str
    other_recipe: bool
    unread: int = 0

    @property
    def book(self):
        return self.memory.books[self.sha256]

    @property
    def recipe(self):
        return self.book.recipe

    @property
    def steps(self):
        return self.memory.unsaved(self.book)

    @property
    def when(self):
        return self.book.written[-1]["did"]["when"]

    def lines(self):
        return iter(self.book.written)

    def discard(self):
        del self.memory.books[self.sha256]


@dataclass
class _MemoryJournal:
    memory: "_Memory"
    sha256: str
    codec: Codec
    trouble: str = ""
    aside: Path | None = None

    @property
    def book(self):
        return self.memory.books[self.sha256]

    def step(self, step, how, did):
        self.book.written.append(step_line(self.codec, step, how, did))
        return ""

    def note(self, did, signature, base):
        signed = [signature.initials, signature.when] if signature else None
        told = [base.mask_sha256, base.signature and [base.signature.initials, base.signature.when]] if base else None
        self.book.written.append({"kind": "note", "did": record_to_json(did), "signature": signed, "base": told})
        return ""

    def replaces(self, waiting):
        return waiting.sha256 == self.sha256

    def mend(self):
        return ""

    def close(self, *, remove):
        self.book.is_open = False
        if remove:
            del self.memory.books[self.sha256]
        return ""


@dataclass
class _Memory:
    """A custody in two dictionaries: what a database would have as two tables."""

    saved: dict = field(default_factory=dict)
    books: dict = field(default_factory=dict)

    def unsaved(self, book):
        names = [one["did"]["name"] for line in book.written for one in self._entries(line)]
        return next((at for at, name in enumerate(reversed(names)) if name == SAVE), len(names))

    def _entries(self, line):
        return [{"did": did} for did in line["log"]] if line["kind"] == "snapshot" else [line]

    def opened(self, source, shape):
        if source.name not in self.saved:
            return None
        saved, sha256 = self.saved[source.name]
        if sha256 != source.sha256 or saved.labels.shape != shape:
            raise MaskError("it was made on another file of this name: load it as a mask if it fits")
        return saved

    def save(self, work, *, overwrite):
        name, here = work.source.name, work.standing
        if not name:
            raise EditRefused("this film has no name: give it one first")
        there = self.saved.get(name)
        if there and there[0].base != here.base:
            self._refuse(there[0].base, overwrite)
        labels = Labels.empty(here.labels.shape) if work.is_open else Labels(here.labels, (), here.state.authorship)
        sha256 = "" if work.is_open else hashlib.sha256(np.ascontiguousarray(labels.array)).hexdigest()
        state = Codec(here.blank.image).state_to_json(here.blank, here.state)
        facts = {"state": state, "steps": [record_to_json(did) | {"numbers": list(did.numbers)} for did in here.log]}
        saved = SavedWork(name, labels, facts, Base(sha256, here.signature), True)
        self.saved[name] = saved, work.source.sha256
        return sha256

    def _refuse(self, base, overwrite):
        if base.signature:
            raise OutputError(f"it is signed by {base.signature.initials}: save it elsewhere")
        if base.mask_sha256 and not overwrite:
            raise OutputError("another mask is there already: replace it on purpose")

    def unfinished(self, begin):
        book = self.books.get(begin.source.sha256)
        if book is None or book.is_open or not self.unsaved(book):
            return None
        return _Unfinished(self, begin.source.sha256, book.recipe_hash != begin.recipe.hash)

    def begin(self, begin, here):
        sha256, codec = begin.source.sha256, Codec(begin.image)
        if sha256 in self.books and self.books[sha256].is_open:
            raise OutputError("this film is being edited in another window: close it there")
        before = self.books.pop(sha256, None)
        if before is not None and self.unsaved(before):
            self.books[f"{sha256}.{len(self.books)}"] = before
        self.books[sha256] = book = _Book(begin.recipe.as_dict(), begin.recipe.hash)
        if here().log:
            book.written.append(snapshot_line(codec, here()))
        return _MemoryJournal(self, sha256, codec)

    def go_on(self, begin, waiting, codec, here):
        waiting.book.is_open = True
        return _MemoryJournal(self, waiting.sha256, codec)

    def lay_aside(self, waiting):
        number = len(self.books)
        self.books[f"{waiting.sha256}.{number}"] = self.books.pop(waiting.sha256)
        return Path(f"journal {number}")
