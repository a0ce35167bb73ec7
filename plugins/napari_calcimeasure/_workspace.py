"""The films that are open in a viewer, the one being worked on, and the work that runs beside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from napari.layers import Image as Picture
from napari.utils.notifications import show_info, show_warning
from qtpy.QtCore import QEvent, QObject, QSettings, QTimer, Signal
from qtpy.QtWidgets import QApplication, QMainWindow, QMessageBox, QWidget

from calcimeasure.errors import CalcimeasureError, OutputError
from calcimeasure.io.given.inputs import find_inputs
from calcimeasure.reading.custody import Unfinished
from calcimeasure.reading.folder_custody import SAVED, FolderCustody
from calcimeasure.reading.keeping import Receipt
from calcimeasure.reading.later import Later
from calcimeasure.reading.record import Source
from calcimeasure.reading.session import Event, Session
from napari_calcimeasure import _layers
from napari_calcimeasure._background import Background, Outcome
from napari_calcimeasure._film_layers import FilmLayers
from napari_calcimeasure._marking import Marking

#: Features and numbers on the picture follow this long after the last stroke, in ms.
_SETTLE_MS = 120
#: What could not be written is tried again so often, in ms.
_KEEP_MS = 1500


def workspace_of(viewer: Any) -> Workspace:
    """The workspace of a viewer; all panels of a viewer share it, and it belongs to the application."""
    real, app = getattr(viewer, "__wrapped__", viewer), QApplication.instance()
    known = app.findChildren(Workspace) if app is not None else []
    return next((one for one in known if one.is_of(real)), None) or Workspace(viewer, app)


class Workspace(QObject):
    """The open films of a viewer.

    Signals
    -------
    changed(Event)
        The session of the film in work did something.
    turned()
        Another film is in work, or none.
    kept()
        What is done is no longer safe on the disk, or is again; `Session.trouble` says why.
    """

    changed = Signal(object)
    turned = Signal()
    kept = Signal()

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self._is_left = False
        self.background = Background(self, self.attempt)
        self.films: list[FilmLayers] = []
        self.film: FilmLayers | None = None
        self.marking = Marking(viewer, self)
        self.ask: Callable[[QWidget, str], str] = ask_to_save
        self.naming: dict[Path, Any] = {}
        self._window: QMainWindow | None = None
        self._discarded: list[FilmLayers] = []
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

    def is_of(self, viewer: Any) -> bool:
        """Whether this is the workspace of a viewer that still has its window."""
        return not self._is_left and getattr(self.viewer, "__wrapped__", self.viewer) is viewer

    # --- films -----------------------------------------------------------------------------------------

    @property
    def session(self) -> Session | None:
        """The session in work."""
        return self.film.session if self.film else None

    @property
    def waiting(self) -> Unfinished | None:
        """Unsaved work of an earlier session on this film that nobody has decided about."""
        return self.session.keeping.offered if self.session else None

    def start(self) -> None:
        """Take up the picture that is active, or the topmost."""
        if self.film is None:
            active = self.viewer.layers.selection.active
            pictures = [layer for layer in self.viewer.layers if _is_picture(layer)]
            if pictures:
                self.take_up(active if _is_picture(active) else pictures[-1])

    def take_up(self, picture: Any) -> FilmLayers | None:
        """Work on a picture; a session is opened for one that has none."""
        picture = getattr(picture, "__wrapped__", picture)
        known = next((film for film in self.films if film.picture is picture), None)
        film = known or self.attempt(lambda: self._opened(picture))
        if film is not None and film is not self.film:
            self.film = film
            if known is None:
                self._begin(film)
            self.turned.emit()
        return film

    def restore(self) -> None:
        """Do the unsaved work of an earlier session again."""
        session, waiting = self.session, self.waiting
        if session and waiting:
            steps = self.attempt(lambda: session.keeping.restore(waiting))
            if steps is not None:
                show_info(f"{steps_in_words(steps)} back")
                self._tell_unread(session)
            self.turned.emit()

    def start_afresh(self) -> None:
        """Leave earlier unsaved work aside (it is kept on disk) and journal this session."""
        if self.session and self.waiting:
            self._keep_journal(self.session)
            self.turned.emit()

    def put_away(self, film: FilmLayers, *, picture: bool = False, discard: bool = False) -> None:
        """Close a film, or take its picture off as well; with `discard` its unsaved work is thrown away."""
        self.films.remove(film)
        if self.film is film:
            self.film = None
            self.marking.put_away()
        if trouble := film.lift(picture=picture, discard=discard):
            show_warning(trouble)

    def folder_of(self, film: FilmLayers) -> Path:
        """Where the results of a film go: beside the folder that was opened, or beside the film."""
        opened = _layers.opened_of(film.picture)
        return opened.folder / SAVED if opened and opened.folder else FolderCustody.beside(film.session.source).folder

    def keep_up(self) -> None:
        """Try again to write what could not be written, and say when that changes."""
        for film in self.films:
            self._tell_trouble(film, film.session.keeping.keep_up())

    def _begin(self, film: FilmLayers) -> None:
        """Go on with what is saved of the film; journal from now on, unless unsaved work waits for a decision."""
        session = film.session
        self.attempt(lambda: session.keeping.resume(FolderCustody(self.folder_of(film))))
        if session.keeping.offered_work() is None:
            self._keep_journal(session)

    def _keep_journal(self, session: Session) -> None:
        self.attempt(session.keeping.keep_journal)
        if session.keeping.aside:
            show_info(f"earlier work that was not restored is kept as {session.keeping.aside.name}")

    def _tell_unread(self, session: Session) -> None:
        keeping = session.keeping
        if keeping.unread:
            kept = f"kept as {keeping.aside.name}" if keeping.aside else "left where it is"
            show_warning(
                f"{lines_in_words(keeping.unread)} of the journal could not be read: look whether an outline is "
                f"missing; the whole journal is {kept}"
            )

    def _tell_trouble(self, film: FilmLayers, trouble: str) -> None:
        if trouble == film.trouble:
            return
        film.trouble = trouble
        show_warning(trouble) if trouble else show_info("what you do is kept on disk again")
        self.kept.emit()

    def _end_holds(self, *_: Any) -> None:
        """A key that is held goes up unseen once the focus is elsewhere."""
        for film in self.films:
            film.end_hold()

    def _opened(self, picture: Any) -> FilmLayers:
        path = _layers.path_of(picture)
        source = (self.naming.get(path) or _named_in(_layers.opened_of(picture))) if path else None
        film = FilmLayers(self.viewer, picture, source, later=lambda action: QTimer.singleShot(0, action))
        film.refused = self.tell
        film.session.changes.initials = initials()
        film.session.on_change(lambda event: self._heard(film, event))
        self.films.append(film)
        return film

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

    # --- listening --------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Bring features and numbers up to date now."""
        self._settle.stop()
        self._show_rows()

    def _heard(self, film: FilmLayers, event: Event) -> None:
        self._tell_trouble(film, event.trouble)
        if film in self._discarded:
            self._discarded.remove(film)
        if event.clipped:
            show_info("part of the stroke lay outside your region and was not taken")
        self._settle.start()
        if event.name == "scale":
            self.viewer.reset_view()
        if film is self.film:
            self.changed.emit(event)

    def _show_rows(self) -> None:
        if self.film is not None:
            self.film.show_rows()

    def _attend(self, event: Any) -> None:
        layer = event.value
        if layer is None or self.marking.is_out:
            return
        layer = getattr(layer, "__wrapped__", layer)
        mine = next((film for film in self.films if layer in film.layers), None)
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
        gone = next((film for film in self.films if event.value in film.layers[:2]), None)
        if gone is None:
            return
        if not gone.session.keeping.is_saved:
            show_warning("closed with unsaved corrections: they are kept, open the film again to restore them")
        # Not inside napari's own removal.
        QTimer.singleShot(0, lambda: self._put_away_if_there(gone))

    def _put_away_if_there(self, film: FilmLayers) -> None:
        if film in self.films:
            self.put_away(film)
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
            answer = self.ask(self._window, ", ".join(film.picture.name for film in unsaved))
            if answer == "cancel" or (answer == "save" and not all(map(self.save_now, unsaved))):
                event.ignore()
                return True
            self._discarded = unsaved if answer == "discard" else []
        QTimer.singleShot(0, self._leave_if_closed)
        return False

    def save(
        self,
        film: FilmLayers,
        folder: Path | None = None,
        then: Callable[[], Any] = lambda: None,
        overwrite: Callable[[str], bool] = lambda words: False,
    ) -> None:
        """Write mask, tables and record of a film in a thread, then do `then`.

        `overwrite` is asked, with the reason, whether a mask that is there already is replaced.
        """
        where, session = folder or self.folder_of(film), film.session

        def written(later: Later[Receipt], receipt: Receipt) -> None:
            later.take(receipt)
            still = "; it stays open until you outline calcium or say that there is none"
            show_info(f"saved {session.source.name} in {where.name}{still if session.keeping.status == 'open' else ''}")
            then()

        def work(on_purpose: bool) -> None:
            later = self.attempt(lambda: session.keeping.saving(FolderCustody(where), overwrite=on_purpose))
            if later is not None:
                done = partial(answer, later, on_purpose)
                self.background.run("saving", lambda: _or_there(later), done, may_stop=False)

        def answer(later: Later[Receipt], on_purpose: bool, outcome: Outcome) -> None:
            if outcome.refusal is None:
                written(later, outcome.result)
            elif not on_purpose and overwrite(str(outcome.refusal)):
                work(True)
            else:
                self.tell(outcome.refusal)

        work(False)

    def save_now(self, film: FilmLayers, folder: Path | None = None) -> bool:
        """As `save`, and wait for it; gives whether all is saved."""
        self.save(film, folder)
        self.background.finish()
        return film.session.keeping.is_saved

    def _unsaved(self) -> list[FilmLayers]:
        return [film for film in self.films if not film.session.keeping.is_saved]

    def _leave_if_closed(self) -> None:
        """The window may stay open after all: others are asked, too."""
        if self._window is not None and not self._window.isVisible():
            self._leave()

    def _leave(self) -> None:
        self._keeping.stop()
        for film in self.films:
            film.session.keeping.close(discard=film in self._discarded)
        self._is_left = True


def _or_there(job: Callable[[], Receipt]) -> Outcome:
    """What the job gives, or why it may not write: that is a question to the reader."""
    try:
        return Outcome(job())
    except OutputError as error:
        return Outcome(refusal=error)


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


def _is_picture(layer: Any) -> bool:
    """Whether a layer is a picture to measure; those of a comparison are not."""
    real = getattr(layer, "__wrapped__", layer)
    return isinstance(real, Picture) and real.metadata.get(_layers.KEY) != _layers.COMPARED
