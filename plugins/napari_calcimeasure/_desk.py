"""What lies on a viewer's desk: its sheets, the one being worked on, and the work that runs beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari.layers import Image as Picture
from napari.qt.threading import create_worker
from napari.utils.notifications import show_info, show_warning
from qtpy.QtCore import QEvent, QObject, QSettings, QTimer, Signal
from qtpy.QtWidgets import QMainWindow, QMessageBox, QWidget

from calcimeasure.errors import CalcimeasureError
from napari_calcimeasure import _layers
from napari_calcimeasure._journal import Pending
from napari_calcimeasure._pencil import Pencil
from napari_calcimeasure._session import Event, Session
from napari_calcimeasure._sheet import Sheet
from napari_calcimeasure._worklist import SAVED

#: Features and numbers on the picture follow this long after the last stroke, in ms.
_SETTLE_MS = 120
_DESKS: dict[int, Desk] = {}


def desk_of(viewer: Any) -> Desk:
    """The desk of a viewer; all panels of a viewer share it."""
    real = getattr(viewer, "__wrapped__", viewer)
    if id(real) not in _DESKS:
        _DESKS[id(real)] = Desk(viewer, id(real))
    return _DESKS[id(real)]


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
    """

    changed = Signal(object)
    turned = Signal()
    busy = Signal(str)

    def __init__(self, viewer: Any, key: int) -> None:
        super().__init__()
        self.viewer, self._key = viewer, key
        self.sheets: list[Sheet] = []
        self.sheet: Sheet | None = None
        self.waiting: Pending | None = None
        self.pencil = Pencil(viewer, self)
        self.ask: Callable[[QWidget, str], str] = ask_to_save
        self.naming: dict[Path, Any] = {}
        self._work: tuple[object, float, str] | None = None
        self._window: QMainWindow | None = None
        self._settle = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._settle.timeout.connect(self._show_rows)
        viewer.layers.events.inserted.connect(self._inserted)
        viewer.layers.events.removed.connect(self._removed)
        viewer.layers.selection.events.active.connect(self._attend)

    # --- sheets -----------------------------------------------------------------------------------------

    @property
    def session(self) -> Session | None:
        """The session in work."""
        return self.sheet.session if self.sheet else None

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
            self.waiting = sheet.session.unfinished() if known is None else None
            if self.waiting is None and known is None:
                self._begin(sheet.session)
            self.turned.emit()
        return sheet

    def restore(self) -> None:
        """Do the unsaved work of an earlier session again."""
        if self.session and self.waiting:
            waiting, self.waiting = self.waiting, None
            session = self.session
            steps = self.attempt(lambda: session.restore(waiting))
            if steps:
                show_info(f"{steps} unsaved steps are back")
            self.turned.emit()

    def start_afresh(self) -> None:
        """Leave earlier unsaved work aside (it is kept on disk) and journal this session."""
        if self.session and self.waiting:
            self.waiting = None
            self._begin(self.session)
            self.turned.emit()

    def put_away(self, sheet: Sheet) -> None:
        """Take a sheet off the desk."""
        self.sheets.remove(sheet)
        if self.sheet is sheet:
            self.sheet, self.waiting = None, None
            self.pencil.put_away()
        sheet.lift()

    def _begin(self, session: Session) -> None:
        """Go on with what is saved of the film, and journal from now on."""
        self.attempt(lambda: session.resume(results_folder(session)))
        self.attempt(session.keep_journal)

    def _opened(self, picture: Any) -> Sheet:
        path = _layers.path_of(picture)
        sheet = Sheet(self.viewer, picture, self.naming.get(path) if path else None)
        sheet.refused = self.tell
        sheet.later = lambda action: QTimer.singleShot(0, action)
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
    ) -> None:
        """Run `work` in a thread and hand its result to `then` here, unless it was cancelled meanwhile.

        What is refused is told in a notification, and to `refused` in the same words.
        """
        if self.waiting:
            self.start_afresh()
        token = object()
        self._work = (token, time.monotonic(), words)
        worker = create_worker(work, _start_thread=False, _ignore_errors=True)
        worker.returned.connect(lambda result: self._done(token, lambda: then(result)))
        worker.errored.connect(lambda error: self._done(token, lambda: self._failed(error, refused)))
        self.busy.emit(words)
        worker.start()

    def cancel(self) -> None:
        """Forget what runs: its result is dropped when it comes."""
        if self._work:
            self._work = None
            self.busy.emit("")

    @property
    def seconds(self) -> float | None:
        """How long the background work has been running."""
        return time.monotonic() - self._work[1] if self._work else None

    def _failed(self, error: BaseException, refused: Callable[[str], None] | None) -> None:
        if refused is not None and isinstance(error, CalcimeasureError):
            refused(str(error))
        raise error

    def _done(self, token: object, then: Callable[[], Any]) -> None:
        if self._work is None or self._work[0] is not token:
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
        if event.trouble:
            show_warning(event.trouble)
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
        if event is not None and event.type() == QEvent.Type.Close and self._unsaved() and self._window is not None:
            answer = self.ask(self._window, ", ".join(sheet.picture.name for sheet in self._unsaved()))
            if answer == "cancel" or (answer == "save" and not all(map(self.save, self._unsaved()))):
                event.ignore()
                return True
        return False

    def save(self, sheet: Sheet, folder: Path | None = None, overwrite: bool = False) -> Path | None:
        """Write mask, tables and record of a sheet; gives the mask's path, `None` when refused."""
        where = folder or results_folder(sheet.session)
        written: Path | None = self.attempt(lambda: sheet.session.save(where, overwrite=overwrite))
        if written is not None:
            show_info(f"saved {written.name} in {where.name}")
        return written

    def _unsaved(self) -> list[Sheet]:
        return [sheet for sheet in self.sheets if not sheet.session.is_saved]

    def _leave(self) -> None:
        for sheet in self.sheets:
            sheet.session.close()
        _DESKS.pop(self._key, None)


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


def results_folder(session: Session) -> Path:
    """Where results go: beside the film; in the home folder when it has no place of its own."""
    path = session.source.path
    return (Path.home() if path is None else path.parent) / SAVED


def _is_picture(layer: Any) -> bool:
    """Whether a layer is a picture to measure; those of a comparison are not."""
    real = getattr(layer, "__wrapped__", layer)
    return isinstance(real, Picture) and real.metadata.get(_layers.KEY) != _layers.COMPARED
