"""Nothing lost: the journal of every step, saving, going on with what is saved, signing and reopening."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from calcimeasure.errors import EditRefused, MaskError, OutputError
from calcimeasure.reading.changes import Changes, Event, everywhere
from calcimeasure.reading.codec import Codec, record_from_json
from calcimeasure.reading.custody import Begin, Custody, Journal, SavedWork, Standing, Unfinished, Work
from calcimeasure.reading.history import History, Step
from calcimeasure.reading.later import Later
from calcimeasure.reading.lines import UNBELIEVABLE
from calcimeasure.reading.record import SAVE, Base, Signature, Source, StepRecord, initials_of, now, unsaved_in
from calcimeasure.reading.replay import Replay


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was saved: the mask as the next saving may replace it, and the line of the log."""

    base: Base
    record: StepRecord


class Keeping:
    """Keeps a session's work safe, in a custody.

    Parameters
    ----------
    changes : Changes
        Of the session; every step is written down from `keep_journal` on.
    source : Source
        Where the film comes from; without its hash nothing is journalled.
    custody : Custody
        Where the journal is kept, and where work is saved when nothing else is chosen.

    Attributes
    ----------
    unread : int
        How many lines of a restored journal could not be read.
    aside : Path or None
        Where a journal was laid that was in the way, or that could not be read whole.
    """

    def __init__(self, changes: Changes, source: Source, custody: Custody) -> None:
        self._changes, self._film = changes, changes.film
        self.source, self.custody = source, custody
        self.unread = 0
        self.aside: Path | None = None
        self._offered: Unfinished | None = None
        self._journal: Journal | None = None
        self._unkept = ""
        self._saved_at = 0
        self._base: Base | None = None
        changes.recorder = self

    @property
    def offered(self) -> Unfinished | None:
        """Unsaved work that nobody has decided about; until then nothing can be edited."""
        return self._offered

    def step(self, step: Step, how: str, record: StepRecord) -> str:
        """Write down a step before the next begins; gives why that failed, or nothing."""
        return self._journal.step(step, how, record) if self._journal else self._unkept

    def note(self, record: StepRecord) -> str:
        """Write down something that is no step; gives why that failed, or nothing."""
        return self._journal.note(record, self._changes.signature, self._base) if self._journal else self._unkept

    @property
    def is_saved(self) -> bool:
        """Whether closing would lose nothing."""
        return self._saved_at == self._changes.count

    def unfinished(self) -> Unfinished | None:
        """Work on this very film that was journalled and never saved; `None` when there is none."""
        return self.custody.unfinished(self._begin)

    def offered_work(self) -> Unfinished | None:
        """As `unfinished`; until it is restored, discarded or left aside (`keep_journal`), nothing can be edited."""
        self._offer(self.unfinished())
        return self._offered

    def _offer(self, waiting: Unfinished | None) -> None:
        self._offered, self._changes.is_waiting = waiting, waiting is not None

    def restore(self, waiting: Unfinished) -> int:
        """Do the journalled steps again, to the very same mask, and go on with them; gives how many were not saved.

        They take the place of a saved mask that was opened. A journal that cannot be read whole is laid `aside`, and
        `unread` says how many of its lines were not read; a new one is begun with what could be.

        Raises
        ------
        EditRefused
            When this session has work of its own already, or the journal cannot be used.
        OutputError
            When the film is being edited in another window.
        """
        if not self.is_saved or self._journal:
            raise EditRefused("this film was edited already: close it and open it again to restore the earlier work")
        replay = Replay(np.zeros_like(self._film.labels), self._film.blank, History(self._changes.history.bound))
        replay.run(waiting)
        if not replay.unread:
            self._journal = self.custody.go_on(self._begin, waiting, replay.codec, lambda: self._standing)
        self._offer(None)
        self.unread, self._changes.history = replay.unread, replay.history
        self._changes.log, self._changes.signature, self._base = replay.log, replay.signature, replay.base
        self._film.stand(replay.labels, replay.state)
        self._changes.count += 1
        if self.unread:
            self._begin_anew(waiting)
        self._changes.tell(Event("restore", "restore", everywhere(self._film.labels), frozenset(self._film.live.rows)))
        return unsaved_in(self._changes.log)

    def _begin_anew(self, damaged: Unfinished | None = None) -> None:
        """A journal in place of one that could not be read whole, or of none; why there is none is in `trouble`.

        The damaged one is laid aside only once the new one is on the disk: until then it is all there is.
        """
        with suppress(OutputError):
            self.keep_journal()
            if damaged is not None and self._journal is not None and not self._journal.replaces(damaged):
                self.aside = self.custody.lay_aside(damaged)

    def keep_journal(self) -> None:
        """Write every step to disk from now on; unsaved work that was not restored is laid `aside`, not lost.

        Raises
        ------
        OutputError
            When the film is being edited in another window, or nothing can be written.
        """
        if self._journal is not None or not self.source.sha256:
            return
        offered = self._offered
        self._offer(None)
        try:
            self.aside = self.custody.lay_aside(offered) if offered else self.aside
            self._journal = self.custody.begin(self._begin, lambda: self._standing)
        except OutputError as error:
            self._unkept = str(error)
            raise
        self._unkept = ""
        self.aside = self._journal.aside or self.aside

    @property
    def trouble(self) -> str:
        """Why what was done last would not survive a crash; empty when it would, and where nothing is journalled."""
        return self._journal.trouble if self._journal else self._unkept

    def keep_up(self) -> str:
        """Try again to write what could not be written; gives why it is still not safe, or nothing."""
        if self._journal is not None:
            return self._journal.mend()
        if self._unkept:
            self._begin_anew()
        return self._unkept

    @property
    def status(self) -> str:
        """``open``, ``corrected`` or ``signed``, as the worklist shows it; nothing outlined says nothing by itself."""
        said = bool(self._film.live.rows) or self._film.negative is not None
        return "signed" if self._changes.signature else "corrected" if self._changes.log and said else "open"

    @property
    def _begin(self) -> Begin:
        return Begin(self.source, self._film.stated, self._film.blank.recipe)

    @property
    def _standing(self) -> Standing:
        film, changes = self._film, self._changes
        return Standing(film.labels, film.blank, film.state, changes.log, changes.signature, self._base)

    def set_initials(self, initials: str) -> None:
        """Who is reading: 1 to 6 letters or digits, written into every saved record.

        Raises
        ------
        EditRefused
            For anything else.
        """
        self._changes.initials = initials_of(initials)

    def save(self, custody: Custody | None = None, *, overwrite: bool = False) -> Event:
        """Hand mask, tables and provenance over, to the session's own custody when none is named.

        A mask that this session saved or opened there is replaced; any other only when `overwrite` is true.

        Raises
        ------
        EditRefused
            Before anybody gave initials, or when the film has no name.
        OutputError
            When another mask is there, or the folder cannot be used.
        """
        later = self.saving(custody, overwrite=overwrite)
        return later.take(later())

    def saving(self, custody: Custody | None = None, *, overwrite: bool = False) -> Later[Receipt]:
        """As `save`, for another thread: the work takes the mask as it is now."""
        self._changes.check_decided()
        if self._changes.initials is None:
            raise EditRefused("give your initials first: they are written into every saved record")
        record = self._changes.entry(SAVE)
        here = replace(self._standing, labels=self._film.labels.copy(), log=(*self._changes.log, record))
        work = Work(self.source, here, self._changes.initials, self.status)
        there, signature = custody or self.custody, self._changes.signature
        return Later.of(
            self._changes,
            lambda: Receipt(Base(there.save(work, overwrite=overwrite), signature), record),
            self._saved,
            lambda _: self.saving(custody, overwrite=overwrite),
        )

    def _saved(self, receipt: Receipt, nothing_since: bool) -> Event:
        """Take note that saving succeeded; what was edited meanwhile is not saved."""
        self._base = receipt.base
        # A journal that ends in "save" holds nothing unsaved.
        record = receipt.record if nothing_since else replace(receipt.record, name="save of earlier steps")
        self._saved_at = self._changes.count + 1 if nothing_since else -1
        return self._changes.note(record)

    def resume(self, custody: Custody | None = None) -> bool:
        """Go on with what is saved of this film; false when nothing is.

        A mask that was changed by another program since is loaded as it is, and no longer counts as signed.

        Raises
        ------
        EditRefused
            When this session has work of its own already.
        MaskError
            When the saved mask or its record cannot be read, or was made on another file.
        """
        if self._changes.log or not self.is_saved:
            raise EditRefused("this film was edited already: close it and open it again to go on with the saved mask")
        saved = (custody or self.custody).opened(self.source, self._film.image.shape)
        if saved is not None:
            self._take(saved)
        return saved is not None

    def _take(self, saved: SavedWork) -> None:
        """The saved mask, and all that was known beside it."""
        try:
            state = Codec(self._film.stated).state_from_json(saved.facts["state"], self._film.blank)
            state = replace(state, authorship=saved.labels.authorship) if saved.base.mask_sha256 else state
            log = [record_from_json(one) for one in saved.facts["steps"]]
        except UNBELIEVABLE as error:
            raise MaskError(f"the record beside {saved.name} is damaged: load it as a mask instead") from error
        self._changes.log, self._changes.signature = log, saved.base.signature if saved.is_untouched else None
        self._base = saved.base
        self._film.stand(saved.labels.array, state)
        self._changes.tell(Event("open", "restore", everywhere(self._film.labels), frozenset(self._film.live.rows)))

    def sign(self, initials: str) -> Event:
        """Lock the mask under a reader's initials until it is reopened.

        Raises
        ------
        EditRefused
            When nothing is outlined and nobody said that there is nothing (`deny`).
        """
        self._changes.check_open()
        if not self._film.live.rows and self._film.negative is None:
            raise EditRefused("nothing is outlined: say No calcium on this film, if that is what you saw")
        self._changes.initials = initials_of(initials)
        self._changes.signature = Signature(self._changes.initials, now())
        return self._changes.note(self._changes.entry("sign"))

    def reopen(self, reason: str, initials: str) -> Event:
        """Unlock a signed mask; the reason is kept.

        Raises
        ------
        EditRefused
            When it is not signed, or no reason is given.
        """
        self._changes.check_decided()
        if self._changes.signature is None:
            raise EditRefused("this mask is not signed: it can be edited")
        if not (why := " ".join(reason.split())[:500]):
            raise EditRefused("say in a few words why the signed mask is reopened")
        self._changes.initials = initials_of(initials)
        self._changes.signature = None
        return self._changes.note(self._changes.entry("reopen", why=why))

    def close(self, *, discard: bool = False) -> str:
        """Give the journal back; unsaved work stays in it, unless it shall be thrown away.

        Gives why it could not be kept, or not be thrown away; nothing when all went well.
        """
        journal, self._journal = self._journal, None
        return journal.close(remove=self.is_saved or discard) if journal else ""
