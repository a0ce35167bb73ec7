"""The Measure panel: find, correct, read the number, save; all of it acts on the film in work."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFileDialog,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from calcimeasure.errors import CalcimeasureError
from calcimeasure.model.image import Kind, Mask
from calcimeasure.reading.corrections import Loaded
from calcimeasure.reading.custody import Unfinished
from calcimeasure.reading.session import Event, Session
from calcimeasure.reading.state import Uncounted
from calcimeasure.report.words import scale_in_words, sentences
from napari_calcimeasure import _layers
from napari_calcimeasure._buttons import Buttons, Doing, divided, line_of
from napari_calcimeasure._deposit_lists import DepositLists, counted
from napari_calcimeasure._marking import box_of
from napari_calcimeasure._saving import Saving
from napari_calcimeasure._sliders import Sliders
from napari_calcimeasure._worklist_pages import WorklistPages
from napari_calcimeasure._workspace import Workspace, lines_in_words, settings, steps_in_words, workspace_of

_BRUSH_MM = 2.0
_TICK_MS = 200
#: The table follows a change of more deposits than this once the window has had its turn.
_MANY = 20


class MeasurePanel(QWidget):
    """Find deposits, correct them, and read the number.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        Given by napari.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.workspace: Workspace = workspace_of(napari_viewer)
        self._build()
        self._tick = QTimer(self, interval=_TICK_MS)
        self._tick.timeout.connect(self._show_seconds)
        self.workspace.changed.connect(self._changed)
        self.workspace.turned.connect(self._turned)
        self.workspace.background.busy.connect(self._busy)
        self.workspace.kept.connect(self._show_kept)
        self.buttons.on_canvas(napari_viewer)
        napari_viewer.mouse_drag_callbacks.append(self._clicked)
        self.workspace.start()
        self._turned()

    # --- what a person does -----------------------------------------------------------------------------

    def open_sample(self) -> None:
        """Open the drawn film of a hand."""
        self.viewer.open_sample("calcimeasure", "film")

    def segment(self) -> None:
        """Find deposits, in a thread; what a person did already stays."""
        if (session := self._session) is not None:
            later = self.workspace.attempt(session.finding.segmenting)
            if later is not None:
                self.workspace.background.take("looking for deposits", later)

    def brush(self) -> None:
        """Paint on the chosen deposit, or a new one when none is chosen."""
        self._tool("paint")

    def erase(self) -> None:
        """Erase with the brush."""
        self._tool("erase")

    def hand(self) -> None:
        """Move the picture; a click chooses a deposit."""
        self.workspace.marking.put_away()
        self._tool("pan_zoom")

    def new_deposit(self) -> None:
        """Paint a deposit that is not there yet."""
        self.choose([])
        self._tool("paint")

    def accept(self) -> None:
        """Agree with the chosen deposits."""
        self._do(lambda session: session.edit.accept(self._chosen(session)))

    def reject(self) -> None:
        """Do not count the chosen deposits; they move to the findings that are not counted."""
        self._do(lambda session: session.edit.reject(self._chosen(session)))

    def delete(self) -> None:
        """Erase the chosen deposits for good; undo brings them back."""
        self._do(lambda session: session.edit.delete(self._chosen(session)))

    def merge(self) -> None:
        """Make one deposit of the chosen ones."""
        self._do(lambda session: session.edit.merge(self._chosen(session)))

    def split(self) -> None:
        """Part the chosen deposit: into its pieces, or along a line that is drawn next."""
        session = self._session
        if session is None:
            return
        (number, *others) = self._chosen(session) or [0]
        if others or not number:
            self._do(lambda session: session.edit.split(number))
            return
        try:
            session.edit.split(number)
        except CalcimeasureError:
            self._say(f"draw a line right across deposit {number}")
            self._draw(
                "line", "line to split along", lambda line: self._do(lambda s: s.edit.split(number, line.tolist()))
            )

    def deny(self) -> None:
        """Say that there is no calcium on this film; what is outlined moves to what is not counted."""
        session = self._session
        if session is None or not self.saving.has_initials(session):
            return
        outlined = len(session.rows)
        if self._do(lambda session: session.edit.deny(session.initials or "")) and outlined:
            self._say(f"{counted(outlined)} moved to what is not counted; undo brings them back")

    def bring_back(self) -> None:
        """Count the chosen finding after all."""
        for uncounted in self.excluded.selected() or self._only_excluded():
            self._do(partial(_bring_back, uncounted))

    def choose(self, numbers: Collection[int], *, look: bool = False) -> None:
        """Choose deposits in the table and on the picture; with `look` the picture moves there."""
        self.table.select(numbers)
        film = self.workspace.film
        if film is not None:
            film.choose(next(iter(numbers), 0))
            if look and numbers:
                self._look_at(film.session.rows[next(iter(numbers))].bbox)
        self._enable()

    def draw_prompt(self, kind: str) -> None:
        """Point at a deposit on a photo with a box, a lasso or a click."""
        self._draw(kind, f"{kind} around a deposit", lambda mark: self._prompted(kind, mark))

    def draw_region(self) -> None:
        """Limit finding and measuring to an outline."""
        self._say("click around what shall be measured; a double click closes the outline")
        self._draw("outline", "region of interest", self._region_drawn)

    def clear_region(self) -> None:
        """Measure the whole picture."""
        self._do(lambda session: session.finding.set_region(None))

    def undo(self) -> None:
        """Take the newest step back."""
        self._do(lambda session: session.undo())

    def redo(self) -> None:
        """Do again what was undone."""
        self._do(lambda session: session.redo())

    def save(self) -> bool:
        """Save mask, tables and record in a thread; gives whether it began."""
        return self.saving.save(self.pages.folder, lambda: self.pages.follow(renew=True))

    def sign(self) -> None:
        """Lock the mask under the reader's initials, or unlock it with a reason."""
        if self.saving.sign():
            self._turned()

    def load_mask(self) -> None:
        """Lay a mask made elsewhere on the picture."""
        path, _ = QFileDialog.getOpenFileName(self, "Load a mask", "", "Label images (*.tif *.tiff *.png)")
        later = self._do(lambda session: session.edit.loading(Path(path))) if path else None
        if later is not None:
            self.workspace.background.take("loading the mask", later, self._tell_of_mask)

    def _tell_of_mask(self, found: Loaded) -> None:
        """Say what was decided about a mask that was read."""
        for words in sentences(found.labels.warnings):
            self._say(words)

    # --- drawing and choosing ---------------------------------------------------------------------------

    @property
    def _session(self) -> Session | None:
        return self.workspace.session

    def _do(self, action: Callable[[Session], Any]) -> Any:
        session = self._session
        if session is None:
            return None
        return self.workspace.attempt(lambda: action(session))

    def _chosen(self, session: Session) -> list[int]:
        return [number for number in self.table.selected() if number in session.rows]

    def _only_excluded(self) -> list[Uncounted]:
        found = self._session.excluded if self._session else ()
        return list(found) if len(found) == 1 else []

    def _tool(self, mode: str) -> None:
        film = self.workspace.film
        if film is None:
            return
        self.viewer.layers.selection.active = film.outlines
        film.outlines.mode = mode
        if mode == "paint":
            film.choose(next(iter(self._chosen(film.session)), 0))
        self._set_brush(self.brush_size.value())

    def _set_brush(self, mm: float) -> None:
        if self.workspace.film is not None:
            self.workspace.film.brush(mm)
            settings().setValue("brush", mm)

    def _draw(self, kind: str, name: str, taken: Callable[[_layers.Corners], Any]) -> None:
        if (session := self._session) is not None:
            self.workspace.marking.draw(kind, name, session.image.spacing, taken)

    def _prompted(self, kind: str, mark: _layers.Corners) -> None:
        session = self._session
        if session is None:
            return
        from calcimeasure.steps.outline.photo import segment_photo

        image, points = session.image, mark.reshape(-1, 2)
        prompt: dict[str, Any] = {"box": box_of(points)} if kind == "box" else {_PROMPTS[kind]: points}
        self.workspace.background.run("outlining", lambda: segment_photo(image, **prompt), session.finding.prompted)

    def _region_drawn(self, corners: _layers.Corners) -> None:
        later = self._do(lambda session: session.finding.limiting(_layers.inside(corners, session.image.shape)))
        if later is not None:
            self.workspace.background.take("limiting to the region", later)

    def _clicked(self, viewer: Any, event: Any) -> None:
        """A click on the picture chooses the deposit under it (napari's hook)."""
        film = self.workspace.film
        if film is None or self.workspace.marking.is_out or event.button != 1:
            return
        active = viewer.layers.selection.active
        if active not in film.layers or str(active.mode) != "pan_zoom":
            return
        number = film.session.at(*film.outlines.world_to_data(event.position)[-2:])
        if number:
            self.choose([number])

    def _look_at(self, box: tuple[int, int, int, int]) -> None:
        film = self.workspace.film
        if film is None:
            return
        middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        camera = getattr(self.viewer, "scene", self.viewer).camera
        camera.center = tuple(film.outlines.data_to_world(middle))

    # --- showing ----------------------------------------------------------------------------------------

    def _changed(self, event: Event) -> None:
        if len(event.numbers) > _MANY:
            QTimer.singleShot(0, self._show_numbers)
        else:
            self._show_numbers()
        if event.name in ("scale", "sign", "reopen", "open", "region") or event.how == "restore":
            self._show_head()
        if self._session is not None:
            self._show_sliders(self._session)
        self._enable()

    def _turned(self) -> None:
        self.sliders.forget()
        for layer in self.workspace.film.layers[:3] if self.workspace.film else ():
            self.buttons.on_canvas(layer)
        self.pages.take()
        self._show_head()
        if self._session is not None:
            self._show_sliders(self._session)
        self._show_numbers()
        self.pages.follow()
        self._enable()

    def _show_head(self) -> None:
        session = self._session
        waiting = self.workspace.waiting
        self.welcome.setVisible(session is None)
        self.restoring.setVisible(waiting is not None)
        if waiting is not None and session is not None:
            self.restore_text.setText(_offer(waiting, session))
        self._show_kept()
        if session is None or self.workspace.film is None:
            self.head.setText("Open a film or photo: drop it here, or")
            self.prompts.setVisible(False)
            return
        lock = f" · signed {session.signature.initials}" if session.signature else ""
        limits = (
            "" if session.region is None else f"<br>Only the region is measured: {_share(session.region)} of the film"
        )
        scale = scale_in_words(session.image.spacing)
        self.head.setText(f"<b>{self.workspace.film.picture.name}</b>{lock}<br>{scale}{limits}")
        self.head.setToolTip("\n".join(sentences(session.warnings)))
        self.prompts.setVisible(session.image.kind is Kind.PHOTO)

    def _show_sliders(self, session: Session) -> None:
        self.brush_size.setSuffix(" mm" if session.image.spacing is not None else " px")
        self.sliders.follow(session)

    def _show_numbers(self) -> None:
        self.lists.follow(self._session)

    def _enable(self) -> None:
        session = self._session
        there = session is not None and self.workspace.background.seconds is None
        free = there and session is not None and not session.is_signed and self.workspace.waiting is None
        self.buttons.enable(dict.fromkeys(self.buttons.names, free))
        chosen = len(self._chosen(session)) if session else 0
        undo, redo = (session.history.undo_name, session.history.redo_name) if session else (None, None)
        self.buttons.enable(
            {
                "accept": free and chosen > 0,
                "reject": free and chosen > 0,
                "delete": free and chosen > 0,
                "merge": free and chosen > 1,
                "split": free and chosen == 1,
                "undo": free and undo is not None,
                "redo": free and redo is not None,
                "save": there and self.workspace.waiting is None,
                "sign": there and self.workspace.waiting is None,
                "whole": free and session is not None and session.region is not None,
                "back": free and session is not None and bool(session.excluded),
                "next": self.pages.neighbour(True) is not None,
                "previous": self.pages.neighbour(False) is not None,
            }
        )
        self.buttons["undo"].setToolTip(f"Undo {undo}" if undo else "Nothing to undo")
        self.buttons["redo"].setToolTip(f"Do {redo} again" if redo else "Nothing to do again")
        self.buttons["sign"].setText("Reopen" if session is not None and session.is_signed else "Sign")
        film = session is not None and session.image.kind is not Kind.PHOTO
        self.buttons.enable(dict.fromkeys(("box", "lasso", "click"), free and not film))
        self.sliders.enable(free and film)  # proposals on a photo have settings of their own

    def _busy(self, words: str) -> None:
        for part in (self.progress, self.busy_text):
            part.setVisible(bool(words))
        self.buttons["segment"].setVisible(not words)
        self.cancel.setVisible(self.workspace.background.may_stop)
        self._tick.start() if words else self._tick.stop()
        self._show_seconds()
        self._enable()

    def _show_seconds(self) -> None:
        seconds = self.workspace.background.seconds
        self.busy_text.setText("" if seconds is None else f"{self.workspace.background.words}, {seconds:.0f} s")

    def _show_kept(self) -> None:
        trouble = self._session.keeping.trouble if self._session else ""
        self.kept.setVisible(bool(trouble))
        self.kept.setText(f"<b>A crash would lose what you do now</b>: {trouble}")

    def _say(self, words: str) -> None:
        from napari.utils.notifications import show_info

        show_info(words)

    # --- building ---------------------------------------------------------------------------------------

    def showEvent(self, event: Any) -> None:
        """Qt's hook: the panel has its window now."""
        super().showEvent(event)
        self.workspace.guard(self)

    def _build(self) -> None:
        self.buttons = Buttons(self, self._doings())
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 4)
        column.setSpacing(4)
        for part in (self._head(), self._finding(), self._tools(), self._lists(), self._ends()):
            column.addWidget(part, stretch=1 if part is self.lists else 0)
        self.setMinimumWidth(320)

    def _doings(self) -> tuple[Doing, ...]:
        return (
            Doing("segment", "Find deposits", "G", "Outline calcium; your own corrections stay", self.segment),
            Doing("hand", "Move", "Z", "Move the picture; a click chooses a deposit", self.hand),
            Doing("brush", "Paint", "P", "Paint calcium: on the chosen deposit, or a new one", self.brush),
            Doing("erase", "Erase", "E", "Take calcium away with the brush", self.erase),
            Doing("new", "New", "M", "Paint a deposit that was missed", self.new_deposit),
            Doing(
                "accept",
                "Accept",
                "A",
                "You agree with the chosen deposits: their error bars become a reader's",
                self.accept,
            ),
            Doing(
                "reject", "Not calcium", "R", "Do not count the chosen deposits; they can be brought back", self.reject
            ),
            Doing("delete", "Delete", "Delete", "Erase the chosen deposits; undo brings them back", self.delete),
            Doing("merge", "Merge", "J", "The chosen deposits are one", self.merge),
            Doing(
                "split", "Split", "S", "The chosen deposit is several: its pieces, or along a line you draw", self.split
            ),
            Doing(
                "deny",
                "No calcium",
                "",
                "You looked: there is no calcium on this film. Written under your initials",
                self.deny,
            ),
            Doing("back", "Bring back", "B", "Count the chosen finding after all", self.bring_back),
            Doing("region", "Region", "O", "Draw an outline: only its inside is measured", self.draw_region),
            Doing(
                "whole",
                "Whole film",
                "W",
                "Measure the whole picture: what the region cut off is back",
                self.clear_region,
            ),
            Doing("load", "Load mask", "", "Lay a mask made elsewhere on this picture", self.load_mask),
            Doing("box", "Box", "1", "Draw a loose box around a deposit", lambda: self.draw_prompt("box")),
            Doing("lasso", "Lasso", "2", "Draw around a deposit", lambda: self.draw_prompt("lasso")),
            Doing("click", "Click", "3", "Click on a deposit", lambda: self.draw_prompt("click")),
            Doing("undo", "Undo", "Ctrl+Z", "", self.undo),
            Doing("redo", "Redo", "Ctrl+Shift+Z", "", self.redo),
            Doing("save", "Save", "Shift+S", "Write mask, tables and record beside the film", self.save),
            Doing("sign", "Sign", "", "Lock the mask under your initials; reopening asks for a reason", self.sign),
            Doing("previous", "◀", "PgUp", "Previous film of the worklist", lambda: self.pages.turn(False)),
            Doing("next", "▶", "PgDown", "Next film of the worklist", lambda: self.pages.turn(True)),
        )

    def _head(self) -> QWidget:
        self.head = QLabel(wordWrap=True)
        self.welcome = QPushButton("Open the sample film", objectName="sample")
        self.welcome.clicked.connect(self.open_sample)
        self.restore_text = QLabel(wordWrap=True)
        yes, no = QPushButton("Restore", objectName="restore"), QPushButton("Start afresh", objectName="afresh")
        yes.clicked.connect(self.workspace.restore)
        no.clicked.connect(self.workspace.start_afresh)
        self.restoring = divided(self.restore_text, line_of(yes, no))
        self.kept = QLabel(wordWrap=True, objectName="kept", visible=False)
        return divided(self.head, self.welcome, self.restoring, self.kept)

    def _finding(self) -> QWidget:
        self.progress = QProgressBar(minimum=0, maximum=0, textVisible=False, visible=False)
        self.progress.setMaximumWidth(60)
        self.busy_text = QLabel(visible=False)  # napari's style shows no words on the bar itself
        self.cancel = QPushButton("Cancel", objectName="cancel", visible=False)
        self.cancel.clicked.connect(self.workspace.background.cancel)
        self.sliders = Sliders(self.workspace)
        return divided(line_of(self.buttons["segment"], self.busy_text, self.progress, self.cancel), self.sliders)

    def _tools(self) -> QWidget:
        self.brush_size = QDoubleSpinBox(minimum=0.1, maximum=200.0, singleStep=0.5, decimals=1, suffix=" mm")
        self.brush_size.setValue(float(settings().value("brush", _BRUSH_MM)))
        self.brush_size.setToolTip("Diameter of the brush")
        self.brush_size.valueChanged.connect(self._set_brush)
        b = self.buttons
        self.prompts = line_of(QLabel("Point at it"), b["box"], b["lasso"], b["click"])
        return divided(
            line_of(b["hand"], b["brush"], b["erase"], b["new"]),
            line_of(QLabel("Brush"), self.brush_size, b["merge"], b["split"]),
            line_of(b["accept"], b["reject"], b["delete"]),
            line_of(b["region"], b["whole"], b["deny"]),
            self.prompts,
        )

    def _lists(self) -> QWidget:
        self.lists = DepositLists(self.buttons["back"])
        self.table, self.excluded = self.lists.table, self.lists.excluded
        self.table.chosen.connect(lambda numbers: self.choose(numbers, look=True))
        self.excluded.chosen.connect(self._finding_chosen)
        return self.lists

    def _finding_chosen(self, chosen: list[Uncounted]) -> None:
        if chosen:
            self._look_at(chosen[0].finding.bbox)

    def _ends(self) -> QWidget:
        b = self.buttons
        self.saving = Saving(self.workspace, b)
        self.pages = WorklistPages(self.workspace, b, self.save)
        return divided(line_of(b["undo"], b["redo"], b["load"]), self.saving, self.pages)


_PROMPTS = {"lasso": "lasso", "click": "clicks"}


def _offer(waiting: Unfinished, session: Session) -> str:
    """What comes back with a restore, and what it takes the place of."""
    when = waiting.when[:16].replace("T", " ")
    signed = session.signature
    beside = f" Below is the mask that {signed.initials} signed; it stays saved." if signed else ""
    lost = f" {lines_in_words(waiting.unread)} of it cannot be read." if waiting.unread else ""
    return f"Unsaved work of {when}: {steps_in_words(waiting.steps)} kept.{lost}{beside}"


def _share(region: Mask) -> str:
    return f"{100 * region.mean():.2g} %"


def _bring_back(uncounted: Uncounted, session: Session) -> Event:
    return session.edit.bring_back(uncounted)
