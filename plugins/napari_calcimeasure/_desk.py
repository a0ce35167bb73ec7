"""What lies on a viewer's desk: its sheets, the one being worked on, and the work that runs beside it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from napari.layers import Image as Picture
from napari.qt.threading import create_worker
from napari.utils.notifications import show_info, show_warning
from qtpy.QtCore import QEvent, QObject, QSettings, QTimer, Signal
from qtpy.QtWidgets import QApplication, QMainWindow, QMessageBox, QWidget

from calcimeasure.errors import CalcimeasureError, OutputError
from calcimeasure.io.given.inputs import find_inputs
from calcimeasure.reading.journal import Pending
from calcimeasure.reading.record import Source
from calcimeasure.reading.session import Event, Session
from calcimeasure.reading.worklist import SAVED
from napari_calcimeasure import _layers
from napari_calcimeasure._errand import Errand
from napari_calcimeasure._pencil import Pencil
from napari_calcimeasure._sheet import Sheet

#: Features and numbers on the picture follow this long after the last stroke, in ms.
_SETTLE_MS = 120
#: What could not be written is tried again so often, in ms.
_KEEP_MS = 1500
_DESKS: dict[int, Desk] = {}


def desk_of(viewer: Any) -> Desk:
    """The desk of a viewer; all panels of a viewer share it."""
    real = getattr(viewer, "__wrapped__", viewer)
    if id(real) not in _DESKS:
        _DESKS[id(real)] = Desk(viewer, id(real))
    return _DESKS[id(real)]


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """What runs in the background: since when, in words, and whether it may be given up."""

    errand: Errand
    since: float
    words: str
    may_stop: bool = True


class Desk(QObject):
    """The sheets of a viewer.

    Signals
    -------
    changed(Event)
        The session of the sheet in work did something.
    turned()
        Another sheet is in work, or none.
    busy(str)
        Words for what runs in the background; empty when nothing does.
    kept()
        What is done is no longer safe on the disk, or is again; `Session.trouble` says why.
    """

    changed = Signal(object)
    turned = Signal()
    busy = Signal(str)
    kept = Signal()

    def __init__(self, viewer: Any, key: int) -> None:
        super().__init__()
        self.viewer, self._key = viewer, key
        self.sheets: list[Sheet] = []
        self.sheet: Sheet | None = None
        self.pencil = Pencil(viewer, self)
        self.ask: Callable[[QWidget, str], str] = ask_to_save
        self.naming: dict[Path, Any] = {}
        self._work: _Work | None = None
        self._aside: dict[str, Errand] = {}
        self._window: QMainWindow | None = None
        self._discarded: list[Sheet] = []
        self._keeping = QTimer(self, interval=_KEEP_MS)
        self._keeping.timeout.connect(self.keep_up)
        self._keeping.start()
        self._settle = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._settle.timeout.connect(self._show_rows)
        viewer.layers.events.inserted.connect(self._inserted)
        viewer.layers.events.removed.connect(self._removed)
        viewer.layers.selection.events.active.connect(self._attend)
        if (app := QApplication.instance()) is not None:
            app.aboutToQuit.connect(self._leave)
            app.focusChanged.connect(self._end_holds)

    # --- sheets -----------------------------------------------------------------------------------------

    @property
    def session(self) -> Session | None:
        """The session in work."""
        return self.sheet.session if self.sheet else None

    @property
    def waiting(self) -> Pending | None:
        """Unsaved work of an earlier session on this film that nobody has decided about."""
        return self.session.offered if self.session else None

    def start(self) -> None:
        """Take up the picture that is active, or the topmost."""
        if self.sheet is None:
            active = self.viewer.layers.selection.active
            pictures = [layer for layer in self.viewer.layers if _is_picture(layer)]
            if pictures:
                self.take_up(active if _is_picture(active) else pictures[-1])

    def take_up(self, picture: Any) -> Sheet | None:
        """Work on a picture; a session is opened for one that has none."""
        picture = getattr(picture, "__wrapped__", picture)
        known = next((sheet for sheet in self.sheets if sheet.picture is picture), None)
        sheet = known or self.attempt(lambda: self._opened(picture))
        if sheet is not None and sheet is not self.sheet:
            self.sheet = sheet
            if known is None:
                self._begin(sheet)
            self.turned.emit()
        return sheet

    def restore(self) -> None:
        """Do the unsaved work of an earlier session again."""
        session, waiting = self.session, self.waiting
        if session and waiting:
            steps = self.attempt(lambda: session.restore(waiting))
            if steps is not None:
                show_info(f"{steps_in_words(steps)} back")
                self._tell_unread(session)
            self.turned.emit()

    def start_afresh(self) -> None:
        """Leave earlier unsaved work aside (it is kept on disk) and journal this session."""
        if self.session and self.waiting:
            self._keep_journal(self.session)
            self.turned.emit()

    def put_away(self, sheet: Sheet, *, picture: bool = False, discard: bool = False) -> None:
        """Take a sheet off the desk, or its picture as well; with `discard` its unsaved work is thrown away."""
        self.sheets.remove(sheet)
        if self.sheet is sheet:
            self.sheet = None
            self.pencil.put_away()
        if trouble := sheet.lift(picture=picture, discard=discard):
            show_warning(trouble)

    def folder_of(self, sheet: Sheet) -> Path:
        """Where the results of a sheet go: beside the folder that was opened, or beside the film."""
        opened = _layers.opened_of(sheet.picture)
        return opened.folder / SAVED if opened and opened.folder else results_folder(sheet.session)

    def keep_up(self) -> None:
        """Try again to write what could not be written, and say when that changes."""
        for sheet in self.sheets:
            self._tell_trouble(sheet, sheet.session.keep_up())

    def _begin(self, sheet: Sheet) -> None:
        """Go on with what is saved of the film; journal from now on, unless unsaved work waits for a decision."""
        session = sheet.session
        self.attempt(lambda: session.resume(self.folder_of(sheet)))
        if session.offered_work() is None:
            self._keep_journal(session)

    def _keep_journal(self, session: Session) -> None:
        self.attempt(session.keep_journal)
        if session.aside:
            show_info(f"earlier work that was not restored is kept as {session.aside.name}")

    def _tell_unread(self, session: Session) -> None:
        if session.unread:
            kept = f"kept as {session.aside.name}" if session.aside else "left where it is"
            show_warning(
                f"{lines_in_words(session.unread)} of the journal could not be read: look whether an outline is "
                f"missing; the whole journal is {kept}"
            )

    def _tell_trouble(self, sheet: Sheet, trouble: str) -> None:
        if trouble == sheet.trouble:
            return
        sheet.trouble = trouble
        show_warning(trouble) if trouble else show_info("what you do is kept on disk again")
        self.kept.emit()

    def _end_holds(self, *_: Any) -> None:
        """A key that is held goes up unseen once the focus is elsewhere."""
        for sheet in self.sheets:
            sheet.end_hold()

    def _opened(self, picture: Any) -> Sheet:
        path = _layers.path_of(picture)
        source = (self.naming.get(path) or _named_in(_layers.opened_of(picture))) if path else None
        sheet = Sheet(self.viewer, picture, source, later=lambda action: QTimer.singleShot(0, action))
        sheet.refused = self.tell
        sheet.session.initials = initials()
        sheet.session.on_change(lambda event: self._heard(sheet, event))
        self.sheets.append(sheet)
        return sheet

    # --- doing ------------------------------------------------------------------------------------------

    def attempt(self, action: Callable[[], Any]) -> Any:
        """Do something; what is refused is told in its own words, and gives `None`."""
        try:
            return action()
        except CalcimeasureError as error:
            self.tell(error)
            return None

    def tell(self, error: CalcimeasureError) -> None:
        """Say in a notification what was refused and what to do."""
        show_warning(str(error))

    def in_background(
        self,
        words: str,
        work: Callable[[], Any],
        then: Callable[[Any], Any],
        refused: Callable[[str], None] | None = None,
        *,
        may_stop: bool = True,
    ) -> None:
        """Run `work` in a thread and hand its result to `then` here, unless it was cancelled meanwhile.

        What is refused is told in a notification, and to `refused` in the same words.
        """
        self._work = running = _Work(Errand(work), time.monotonic(), words, may_stop)
        self.busy.emit(words)
        _start(
            running.errand,
            lambda result: self._done(running, lambda: then(result)),
            lambda error: self._done(running, lambda: self._failed(error, refused)),
        )

    def aside(self, kind: str, work: Callable[[], Any], then: Callable[[Any], Any]) -> None:
        """Run short `work` in a thread while everything stays as it is, in place of older work of its kind."""
        if kind in self._aside:
            self._aside[kind].stop()
        self._aside[kind] = errand = Errand(work)

        def done(action: Callable[[], Any]) -> None:
            if self._aside.get(kind) is errand:
                del self._aside[kind]
                self.attempt(action)

        _start(errand, lambda result: done(lambda: then(result)), lambda error: done(lambda: _raise(error)))

    def is_aside(self, kind: str) -> bool:
        """Whether work of a kind runs aside."""
        return kind in self._aside

    def cancel(self) -> None:
        """Give up what runs: it stops soon, and its result is dropped."""
        if self._work is not None and self._work.may_stop:
            self._work.errand.stop()
            self._work = None
            self.busy.emit("")

    def finish(self) -> None:
        """Wait until the background work is done; the window lives on meanwhile."""
        while self._work is not None:
            QApplication.processEvents()
            time.sleep(0.005)

    @property
    def seconds(self) -> float | None:
        """How long the background work has been running."""
        return time.monotonic() - self._work.since if self._work else None

    @property
    def is_working(self) -> bool:
        """Whether any thread still works, given up or not."""
        return _Turns.running > 0

    @property
    def doing(self) -> str:
        """The background work in words; empty for none."""
        return self._work.words if self._work else ""

    @property
    def may_stop(self) -> bool:
        """Whether there is something to cancel."""
        return self._work is not None and self._work.may_stop

    def _failed(self, error: BaseException, refused: Callable[[str], None] | None) -> None:
        if refused is not None and isinstance(error, CalcimeasureError):
            refused(str(error))
        raise error

    def _done(self, running: _Work, then: Callable[[], Any]) -> None:
        if self._work is not running:
            return
        self._work = None
        self.busy.emit("")
        self.attempt(then)

    # --- listening --------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Bring features and numbers up to date now."""
        self._settle.stop()
        self._show_rows()

    def _heard(self, sheet: Sheet, event: Event) -> None:
        self._tell_trouble(sheet, event.trouble)
        if sheet in self._discarded:
            self._discarded.remove(sheet)
        if event.clipped:
            show_info("part of the stroke lay outside your region and was not taken")
        self._settle.start()
        if event.name == "scale":
            self.viewer.reset_view()
        if sheet is self.sheet:
            self.changed.emit(event)

    def _show_rows(self) -> None:
        if self.sheet is not None:
            self.sheet.show_rows()

    def _attend(self, event: Any) -> None:
        layer = event.value
        if layer is None or self.pencil.is_out:
            return
        layer = getattr(layer, "__wrapped__", layer)
        mine = next((sheet for sheet in self.sheets if layer in sheet.layers), None)
        if mine is not None:
            self.take_up(mine.picture)

    def _inserted(self, event: Any) -> None:
        if _is_picture(event.value):
            # napari goes on setting up the layer after this event.
            QTimer.singleShot(0, lambda: self._take_up_if_there(event.value))

    def _take_up_if_there(self, picture: Any) -> None:
        if picture in self.viewer.layers:
            self.take_up(picture)

    def _removed(self, event: Any) -> None:
        gone = next((sheet for sheet in self.sheets if event.value in sheet.layers[:2]), None)
        if gone is None:
            return
        if not gone.session.is_saved:
            show_warning("closed with unsaved corrections: they are kept, open the film again to restore them")
        # Not inside napari's own removal.
        QTimer.singleShot(0, lambda: self._put_away_if_there(gone))

    def _put_away_if_there(self, sheet: Sheet) -> None:
        if sheet in self.sheets:
            self.put_away(sheet)
            self.turned.emit()

    # --- the window -------------------------------------------------------------------------------------

    def guard(self, panel: QWidget) -> None:
        """Ask before the window closes over unsaved work."""
        window = panel.window()
        if isinstance(window, QMainWindow) and window is not self._window:
            self._window = window
            window.installEventFilter(self)
            window.destroyed.connect(self._leave)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Qt's hook: `True` keeps the window open."""
        if event is None or event.type() != QEvent.Type.Close or self._window is None:
            return False
        self._discarded = []
        if unsaved := self._unsaved():
            answer = self.ask(self._window, ", ".join(sheet.picture.name for sheet in unsaved))
            if answer == "cancel" or (answer == "save" and not all(map(self.save_now, unsaved))):
                event.ignore()
                return True
            self._discarded = unsaved if answer == "discard" else []
        QTimer.singleShot(0, self._leave_if_closed)
        return False

    def save(
        self,
        sheet: Sheet,
        folder: Path | None = None,
        then: Callable[[], Any] = lambda: None,
        overwrite: Callable[[str], bool] = lambda words: False,
    ) -> None:
        """Write mask, tables and record of a sheet in a thread, then do `then`.

        `overwrite` is asked, with the reason, whether a mask that is there already is replaced.
        """
        where, session = folder or self.folder_of(sheet), sheet.session

        def written(receipt: Any) -> None:
            session.saved(receipt)
            still = "; it stays open until you outline calcium or say that there is none"
            show_info(f"saved {session.source.name} in {where.name}{still if session.status == 'open' else ''}")
            then()

        def work(on_purpose: bool) -> None:
            job = self.attempt(lambda: session.saving(where, overwrite=on_purpose))
            if job is not None:
                done = partial(answer, on_purpose)
                self.in_background("saving", lambda: _or_there(job), done, may_stop=False)

        def answer(on_purpose: bool, told: _Outcome) -> None:
            if told.refusal is None:
                written(told.result)
            elif not on_purpose and overwrite(str(told.refusal)):
                work(True)
            else:
                self.tell(told.refusal)

        work(False)

    def save_now(self, sheet: Sheet, folder: Path | None = None) -> bool:
        """As `save`, and wait for it; gives whether all is saved."""
        self.save(sheet, folder)
        self.finish()
        return sheet.session.is_saved

    def _unsaved(self) -> list[Sheet]:
        return [sheet for sheet in self.sheets if not sheet.session.is_saved]

    def _leave_if_closed(self) -> None:
        """The window may stay open after all: others are asked, too."""
        if self._window is not None and not self._window.isVisible():
            self._leave()

    def _leave(self) -> None:
        self._keeping.stop()
        for sheet in self.sheets:
            sheet.session.close(discard=sheet in self._discarded)
        _DESKS.pop(self._key, None)


@dataclass(frozen=True, slots=True, eq=False)
class _Outcome:
    """What a thread gives, or why it was refused. Refusals come as values: napari 0.9 trips over a failed worker."""

    result: Any = None
    refusal: CalcimeasureError | None = None


class _Turns:
    """While threads work, Python gives the window its turn more often: it waits for one many times in every click."""

    often, running, usual = 0.0005, 0, 0.005

    @classmethod
    def begin(cls) -> None:
        """A thread starts."""
        if not cls.running:
            cls.usual = sys.getswitchinterval()
            sys.setswitchinterval(min(cls.often, cls.usual))
        cls.running += 1

    @classmethod
    def end(cls) -> None:
        """A thread is done."""
        cls.running -= 1
        if not cls.running:
            sys.setswitchinterval(cls.usual)


def _start(errand: Errand, then: Callable[[Any], Any], failed: Callable[[BaseException], Any]) -> None:
    """Run an errand in a thread; `then` or `failed` hears of it in this one."""
    worker = create_worker(_outcome, errand, _start_thread=False, _ignore_errors=True)
    worker.returned.connect(lambda told: then(told.result) if told.refusal is None else failed(told.refusal))
    worker.errored.connect(failed)
    worker.finished.connect(_Turns.end)
    _Turns.begin()
    worker.start()


def _outcome(errand: Errand) -> _Outcome:
    try:
        return _Outcome(errand())
    except CalcimeasureError as refusal:
        return _Outcome(refusal=refusal)


def _raise(error: BaseException) -> None:
    raise error


def _or_there(job: Callable[[], Any]) -> _Outcome:
    """What the job gives, or why it may not write: that is a question to the reader."""
    try:
        return _Outcome(job())
    except OutputError as error:
        return _Outcome(refusal=error)


def ask_to_save(window: QWidget, names: str) -> str:
    """``save``, ``discard`` or ``cancel``, from a person."""
    buttons = QMessageBox.StandardButton
    answer = QMessageBox.question(
        window,
        "Unsaved corrections",
        f"The corrections of {names} are not saved. Save them now?",
        buttons.Save | buttons.Discard | buttons.Cancel,
        buttons.Save,
    )
    return {buttons.Save: "save", buttons.Discard: "discard"}.get(answer, "cancel")


def settings() -> QSettings:
    """What is remembered between sittings: the reader's initials and the last brush."""
    return QSettings("calcimeasure", "napari")


def initials() -> str | None:
    """The reader's initials, asked once."""
    return str(settings().value("initials", "") or "") or None


def _named_in(opened: _layers.Opened | None) -> Source | None:
    """How the folder that was opened names a film; `None` for a film opened by itself."""
    if opened is None or opened.folder is None:
        return None
    files = find_inputs([opened.folder], opened.folder / SAVED).files
    return next((Source.of_input(one) for one in files if one.path == opened.path), None)


def steps_in_words(steps: int) -> str:
    """How many steps come back."""
    return "1 unsaved step is" if steps == 1 else f"{steps} unsaved steps are"


def lines_in_words(lines: int) -> str:
    """How many lines of a journal."""
    return "1 line" if lines == 1 else f"{lines} lines"


def results_folder(session: Session) -> Path:
    """Where results go: beside the film; in the home folder when it has no place of its own."""
    path = session.source.path
    return (Path.home() if path is None else path.parent) / SAVED


def _is_picture(layer: Any) -> bool:
    """Whether a layer is a picture to measure; those of a comparison are not."""
    real = getattr(layer, "__wrapped__", layer)
    return isinstance(real, Picture) and real.metadata.get(_layers.KEY) != _layers.COMPARED
