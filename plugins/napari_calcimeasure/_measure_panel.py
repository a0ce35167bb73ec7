"""The Measure panel: find, correct, read the number, save; all of it acts on the session that lies on the desk."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFileDialog,
    QInputDialog,
    QLabel,
    QLineEdit,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QSlider,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from calcimeasure.errors import CalcimeasureError
from calcimeasure.model.deposit import Deposit
from calcimeasure.model.image import Kind, Mask
from calcimeasure.reading.journal import Pending
from calcimeasure.reading.session import Event, Loaded, Proposal, Session
from calcimeasure.reading.state import Held
from calcimeasure.reading.worklist import Item, Worklist
from calcimeasure.report.words import area, bare, in_words, reason_in_words, scale_in_words, sentences
from calcimeasure.steps.outline.settings import SegmentSettings
from napari_calcimeasure import _layers
from napari_calcimeasure._buttons import Buttons, Doing, divided, line_of
from napari_calcimeasure._desk import Desk, desk_of, lines_in_words, settings, steps_in_words
from napari_calcimeasure._pencil import box_of
from napari_calcimeasure._table import Column, ThingsTable

#: The sliders' smallest step: a hundredth of the score; the size slider runs over these areas.
_SIZES_MM2 = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 50.0)
_SIZES_PX = (1, 4, 12, 25, 50, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000)
_BRUSH_MM = 2.0
_TICK_MS = 200
#: The table follows a change of more deposits than this once the window has had its turn.
_MANY = 20
#: A slider that is moved is acted on every so often, in ms.
_REST_MS = 60


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
        self.desk: Desk = desk_of(napari_viewer)
        self.worklist: Worklist | None = None
        self._still_accepted: Collection[int] = ()
        self._wanted: dict[str, float] = {}
        self._drag = self._taken = 0
        self._sizes: tuple[float, ...] = ()
        self._sure: dict[int, float] = {}
        self._rest = QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self._sift)
        self._build()
        self._tick = QTimer(self, interval=_TICK_MS)
        self._tick.timeout.connect(self._show_seconds)
        self.desk.changed.connect(self._changed)
        self.desk.turned.connect(self._turned)
        self.desk.busy.connect(self._busy)
        self.desk.kept.connect(self._show_kept)
        self.buttons.on_canvas(napari_viewer)
        napari_viewer.mouse_drag_callbacks.append(self._clicked)
        self.desk.start()
        self._turned()

    # --- what a person does -----------------------------------------------------------------------------

    def open_sample(self) -> None:
        """Open the drawn film of a hand."""
        self.viewer.open_sample("calcimeasure", "film")

    def segment(self) -> None:
        """Find deposits, in a thread; what a person did already stays."""
        if (session := self._session) is not None:
            job = self.desk.attempt(session.segmenting)
            if job is not None:
                self.desk.in_background("looking for deposits", job, partial(self._found, session))

    def _found(self, session: Session, result: Proposal) -> None:
        """Take what was found; when a stroke came in between, it is laid beside that in the thread, too."""
        if session.is_stale(result):
            self.desk.in_background("looking for deposits", session.again(result), partial(self._found, session))
        else:
            session.found(result)

    def set_threshold(self, value: int) -> None:
        """Keep findings that are at least so sure."""
        self.threshold_text.setText(f"{value} %")
        self._want("threshold", self._sure.get(value, value / 100), self.threshold)

    def set_smallest(self, at: int) -> None:
        """Keep findings that are at least so large."""
        session = self._session
        if session is None:
            return
        known = session.image.spacing is not None
        size = self._sizes[min(at, len(self._sizes) - 1)]
        self.smallest_text.setText(f"{size:g} {'mm²' if known else 'px'}")
        self._want("min_area_mm2" if known else "min_area_px", size if known else int(size), self.smallest)

    def brush(self) -> None:
        """Paint on the chosen deposit, or a new one when none is chosen."""
        self._tool("paint")

    def erase(self) -> None:
        """Erase with the brush."""
        self._tool("erase")

    def hand(self) -> None:
        """Move the picture; a click chooses a deposit."""
        self.desk.pencil.put_away()
        self._tool("pan_zoom")

    def new_deposit(self) -> None:
        """Paint a deposit that is not there yet."""
        self.choose([])
        self._tool("paint")

    def accept(self) -> None:
        """Agree with the chosen deposits."""
        self._do(lambda session: session.accept(self._chosen(session)))

    def reject(self) -> None:
        """Do not count the chosen deposits; they move to the findings that are not counted."""
        self._do(lambda session: session.reject(self._chosen(session)))

    def delete(self) -> None:
        """Erase the chosen deposits for good; undo brings them back."""
        self._do(lambda session: session.delete(self._chosen(session)))

    def merge(self) -> None:
        """Make one deposit of the chosen ones."""
        self._do(lambda session: session.merge(self._chosen(session)))

    def split(self) -> None:
        """Part the chosen deposit: into its pieces, or along a line that is drawn next."""
        session = self._session
        if session is None:
            return
        (number, *others) = self._chosen(session) or [0]
        if others or not number:
            self._do(lambda session: session.split(number))
            return
        try:
            session.split(number)
        except CalcimeasureError:
            self._say(f"draw a line right across deposit {number}")
            self._draw("line", "line to split along", lambda line: self._do(lambda s: s.split(number, line.tolist())))

    def deny(self) -> None:
        """Say that there is no calcium on this film; what is outlined moves to what is not counted."""
        session = self._session
        if session is None or not self._has_initials(session):
            return
        outlined = len(session.rows)
        if self._do(lambda session: session.deny(session.initials or "")) and outlined:
            self._say(f"{_counted(outlined)} moved to what is not counted; undo brings them back")

    def bring_back(self) -> None:
        """Count the chosen finding after all."""
        for held in self.excluded.selected() or self._only_excluded():
            self._do(partial(_bring_back, held))

    def choose(self, numbers: Collection[int], *, look: bool = False) -> None:
        """Choose deposits in the table and on the picture; with `look` the picture moves there."""
        self.table.select(numbers)
        sheet = self.desk.sheet
        if sheet is not None:
            sheet.choose(next(iter(numbers), 0))
            if look and numbers:
                self._look_at(sheet.session.rows[next(iter(numbers))].bbox)
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
        self._do(lambda session: session.set_region(None))

    def undo(self) -> None:
        """Take the newest step back."""
        self._do(lambda session: session.undo())

    def redo(self) -> None:
        """Do again what was undone."""
        self._do(lambda session: session.redo())

    def save(self) -> bool:
        """Save mask, tables and record in a thread, another person's file only after a yes; gives whether it began."""
        sheet = self.desk.sheet
        if sheet is None or not self._has_initials(sheet.session):
            return False
        self.desk.save(sheet, self.folder, lambda: self._show_worklist(renew=True), lambda why: self.ask_overwrite(why))
        return True

    def sign(self) -> None:
        """Lock the mask under the reader's initials, or unlock it with a reason."""
        session = self._session
        if session is None or not self._has_initials(session):
            return
        if session.is_signed:
            reason, given = self.ask_reason()
            if given:
                self._do(lambda session: session.reopen(reason, session.initials or ""))
        else:
            self._do(lambda session: session.sign(session.initials or ""))
        self._turned()

    def load_mask(self) -> None:
        """Lay a mask made elsewhere on the picture."""
        session = self._session
        path, _ = QFileDialog.getOpenFileName(self, "Load a mask", "", "Label images (*.tif *.tiff *.png)")
        job = self._do(lambda session: session.loading(Path(path))) if path else None
        if job is not None and session is not None:
            self.desk.in_background("loading the mask", job, lambda found: self._take_mask(session, found))

    def _take_mask(self, session: Session, found: Loaded) -> None:
        """Take a mask that was read, and say what was decided about it."""
        from napari.utils.notifications import show_info

        session.loaded(found)
        for words in sentences(found.labels.warnings):
            show_info(words)

    def turn_page(self, forward: bool) -> None:
        """Open the next or the previous film of the worklist; unsaved work is asked about.

        It is read here and not in a thread: layers that come and go in a turn of their own crash software OpenGL.
        """
        item = self._neighbour(forward)
        sheet = self.desk.sheet
        leaving = item and self._leaving()
        if item is None or leaving not in ("saved", "discard"):
            return
        from napari_calcimeasure._reader import page

        data = self.desk.attempt(lambda: page(item.path, self._folder_of_list()))
        if data is None:
            return
        self.desk.naming[item.path] = item.source
        if sheet is not None:
            self.desk.put_away(sheet, picture=True, discard=leaving == "discard")
        from napari.layers import Layer

        self.viewer.add_layer(Layer.create(*data))
        self.viewer.reset_view()

    # --- questions, replaceable in tests ----------------------------------------------------------------

    def ask_overwrite(self, words: str) -> bool:
        """Whether a mask that is there already may be replaced."""
        answer = QMessageBox.question(self, "Replace the saved mask?", f"{words}\n\nReplace it?")
        return bool(answer == QMessageBox.StandardButton.Yes)

    def ask_reason(self) -> tuple[str, bool]:
        """Why a signed mask is opened again."""
        reason, given = QInputDialog.getText(self, "Reopen a signed mask", "Why is it opened again?")
        return str(reason), bool(given)

    # --- drawing and choosing ---------------------------------------------------------------------------

    @property
    def _session(self) -> Session | None:
        return self.desk.session

    @property
    def folder(self) -> Path:
        """Where results are saved."""
        if self.worklist is not None:
            return self.worklist.saved
        return self.desk.folder_of(self.desk.sheet) if self.desk.sheet else Path.home()

    def _do(self, action: Callable[[Session], Any]) -> Any:
        session = self._session
        if session is None:
            return None
        return self.desk.attempt(lambda: action(session))

    def _want(self, setting: str, value: float, slider: QSlider) -> None:
        """A slider was moved: act on it in a moment, with all that it is moved until then."""
        self._wanted[setting] = value
        if not slider.isSliderDown():
            self._begin_drag()
        if not self._rest.isActive():
            self._rest.start()

    def _begin_drag(self) -> None:
        """From here on moves are one step, until the slider is taken anew."""
        self._drag += 1

    def _goes_on(self) -> bool:
        """Whether a step of the present drag was done already; from here on one was."""
        before, self._taken = self._taken, self._drag
        return before == self._drag

    def _sift(self) -> None:
        """What the sliders want, in a thread; while nothing was found yet, it is only noted."""
        if self.desk.is_aside("sift"):
            self._rest.start()
            return
        session, wanted = self._session, self._wanted
        self._wanted = {}
        if session is None or not wanted:
            return
        if not session.has_findings:
            for setting, value in wanted.items():
                self._do(partial(_set, setting, value, self._goes_on()))
            return
        job = self._do(lambda session: session.sifting(**wanted))
        if job is not None:
            name = "threshold" if "threshold" in wanted else "smallest size"
            self.desk.aside("sift", job, partial(self._sifted, session, name, self._goes_on()))

    def _sifted(self, session: Session, name: str, joins: bool, result: Proposal) -> None:
        if session is not self._session:
            return
        if session.is_stale(result):
            self.desk.aside("sift", session.again(result), partial(self._sifted, session, name, joins))
        else:
            session.found(result, name, joins=joins)

    def _chosen(self, session: Session) -> list[int]:
        return [number for number in self.table.selected() if number in session.rows]

    def _only_excluded(self) -> list[Held]:
        found = self._session.excluded if self._session else ()
        return list(found) if len(found) == 1 else []

    def _tool(self, mode: str) -> None:
        sheet = self.desk.sheet
        if sheet is None:
            return
        self.viewer.layers.selection.active = sheet.outlines
        sheet.outlines.mode = mode
        if mode == "paint":
            sheet.choose(next(iter(self._chosen(sheet.session)), 0))
        self._set_brush(self.brush_size.value())

    def _set_brush(self, mm: float) -> None:
        if self.desk.sheet is not None:
            self.desk.sheet.brush(mm)
            settings().setValue("brush", mm)

    def _draw(self, kind: str, name: str, taken: Callable[[_layers.Corners], Any]) -> None:
        if (session := self._session) is not None:
            self.desk.pencil.draw(kind, name, session.image.spacing, taken)

    def _prompted(self, kind: str, mark: _layers.Corners) -> None:
        session = self._session
        if session is None:
            return
        from calcimeasure.steps.outline.photo import segment_photo

        image, points = session.image, mark.reshape(-1, 2)
        prompt: dict[str, Any] = {"box": box_of(points)} if kind == "box" else {_PROMPTS[kind]: points}
        self.desk.in_background("outlining", lambda: segment_photo(image, **prompt), session.prompted)

    def _region_drawn(self, corners: _layers.Corners) -> None:
        session = self._session
        job = self._do(lambda session: session.limiting(_layers.inside(corners, session.image.shape)))
        if job is not None and session is not None:
            self.desk.in_background("limiting to the region", job, session.limited)

    def _clicked(self, viewer: Any, event: Any) -> None:
        """A click on the picture chooses the deposit under it (napari's hook)."""
        sheet = self.desk.sheet
        if sheet is None or self.desk.pencil.is_out or event.button != 1:
            return
        active = viewer.layers.selection.active
        if active not in sheet.layers or str(active.mode) != "pan_zoom":
            return
        number = sheet.session.at(*sheet.outlines.world_to_data(event.position)[-2:])
        if number:
            self.choose([number])

    def _look_at(self, box: tuple[int, int, int, int]) -> None:
        sheet = self.desk.sheet
        if sheet is None:
            return
        middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        camera = getattr(self.viewer, "scene", self.viewer).camera
        camera.center = tuple(sheet.outlines.data_to_world(middle))

    # --- worklist ---------------------------------------------------------------------------------------

    def _folder_of_list(self) -> Path | None:
        return self.worklist.saved.parent if self.worklist else None

    def _neighbour(self, forward: bool) -> Item | None:
        if self.worklist is None:
            return None
        here = self._session.source.image if self._session else ""
        return self.worklist.next_after(here) if forward else self.worklist.previous_before(here)

    def _leaving(self) -> str:
        """``saved`` or ``discard`` when the film in work may be put away, else something else."""
        sheet = self.desk.sheet
        if sheet is None or sheet.session.is_saved:
            return "saved"
        answer = self.desk.ask(self, sheet.picture.name)
        if answer == "save" and self.save():
            self.desk.finish()
            return "saved" if sheet.session.is_saved else "cancel"
        return answer

    def _take_worklist(self) -> None:
        """A folder that was dropped becomes the worklist."""
        sheet = self.desk.sheet
        opened = _layers.opened_of(sheet.picture) if sheet else None
        folder = opened.folder if opened else None
        if folder is not None and folder != self._folder_of_list():
            self.worklist = self.desk.attempt(lambda: Worklist.of(folder))

    def _show_worklist(self, renew: bool = False) -> None:
        if renew and self.worklist is not None:
            self.worklist = self.worklist.renewed()
        self.pages.setVisible(self.worklist is not None)
        if self.worklist is None or self._session is None:
            return
        images = [item.image for item in self.worklist.items]
        here = self._session.source.image
        at = images.index(here) + 1 if here in images else 0
        counts = ", ".join(f"{count} {status}" for status, count in self.worklist.counts.items() if count)
        self.page_text.setText(f"{at} of {len(images)} · {self._session.status}\n{counts}")

    # --- showing ----------------------------------------------------------------------------------------

    def _changed(self, event: Event) -> None:
        if len(event.numbers) > _MANY:
            QTimer.singleShot(0, self._show_numbers)
        else:
            self._show_numbers()
        if event.name in ("scale", "sign", "reopen", "open", "region") or event.how == "restore":
            self._show_head()
        self._show_sliders()
        self._enable()

    def _turned(self) -> None:
        self._sizes, self._sure, self._wanted = (), {}, {}
        for layer in self.desk.sheet.layers[:3] if self.desk.sheet else ():
            self.buttons.on_canvas(layer)
        self._take_worklist()
        self._show_head()
        self._show_sliders()
        self._show_numbers()
        self._show_worklist()
        self._enable()

    def _show_head(self) -> None:
        session = self._session
        waiting = self.desk.waiting
        self.welcome.setVisible(session is None)
        self.restoring.setVisible(waiting is not None)
        if waiting is not None and session is not None:
            self.restore_text.setText(_offer(waiting, session))
        self._show_kept()
        if session is None or self.desk.sheet is None:
            self.head.setText("Open a film or photo: drop it here, or")
            self.prompts.setVisible(False)
            return
        lock = f" · signed {session.signature.initials}" if session.signature else ""
        limits = (
            "" if session.region is None else f"<br>Only the region is measured: {_share(session.region)} of the film"
        )
        scale = scale_in_words(session.image.spacing)
        self.head.setText(f"<b>{self.desk.sheet.picture.name}</b>{lock}<br>{scale}{limits}")
        self.head.setToolTip("\n".join(sentences(session.warnings)))
        self.prompts.setVisible(session.image.kind is Kind.PHOTO)

    def _show_sliders(self) -> None:
        session = self._session
        if session is None:
            return
        known = session.image.spacing is not None
        self.brush_size.setSuffix(" mm" if known else " px")
        if self._wanted or self.desk.is_aside("sift") or self.threshold.isSliderDown() or self.smallest.isSliderDown():
            return  # a person is moving them
        first, chosen = session.first_recipe.segment, session.recipe.segment
        size = chosen.min_area_mm2 if known else chosen.min_area_px
        self._learn(first, chosen, known)
        at, sure = self._sizes.index(size), round(100 * chosen.threshold)
        for slider, top, value in ((self.threshold, 100, sure), (self.smallest, len(self._sizes) - 1, at)):
            slider.blockSignals(True)
            slider.setMaximum(top)
            slider.setValue(value)
            slider.blockSignals(False)
        self.threshold_text.setText(f"{sure} %")
        self.smallest_text.setText(f"{size:g} {'mm²' if known else 'px'}")

    def _learn(self, first: SegmentSettings, chosen: SegmentSettings, known: bool) -> None:
        """The sliders stop at what the film was opened with and at what is in force, too: both can be moved back to."""
        usual = set(_SIZES_MM2 if known else _SIZES_PX)
        ours = {one.min_area_mm2 if known else one.min_area_px for one in (first, chosen)}
        before = self._sizes if set(self._sizes) >= usual else ()
        self._sizes = tuple(sorted({*usual, *ours, *before}))
        self._sure |= {round(100 * one.threshold): one.threshold for one in (first, chosen)}

    def _show_numbers(self) -> None:
        session = self._session
        rows = sorted(session.rows) if session else []
        if session is None:
            self.total.setText("–")
        else:
            self.total.setText(_total(session))
        unit = "mm²" if session and session.image.spacing else "px"
        self.table.retitle(1, f"Area {unit}")
        accepted = session.accepted if session else frozenset()
        renew, self._still_accepted = accepted != self._still_accepted, accepted
        self.table.show_things((number, session.rows[number]) for number in rows if session)
        if renew:
            self.table.renew()
        excluded = session.excluded if session else ()
        self.excluded.show_things((held, held) for held in excluded)
        self.lists.setTabText(0, f"Deposits ({len(rows)})")
        self.lists.setTabText(1, f"Not counted ({len(excluded)})")

    def _enable(self) -> None:
        session = self._session
        there = session is not None and self.desk.seconds is None
        free = there and session is not None and not session.is_signed and self.desk.waiting is None
        self.buttons.enable(dict.fromkeys(self.buttons.names, free))
        chosen = len(self._chosen(session)) if session else 0
        undo, redo = (session.undo_name, session.redo_name) if session else (None, None)
        self.buttons.enable(
            {
                "accept": free and chosen > 0,
                "reject": free and chosen > 0,
                "delete": free and chosen > 0,
                "merge": free and chosen > 1,
                "split": free and chosen == 1,
                "undo": free and undo is not None,
                "redo": free and redo is not None,
                "save": there and self.desk.waiting is None,
                "sign": there and self.desk.waiting is None,
                "whole": free and session is not None and session.region is not None,
                "back": free and session is not None and bool(session.excluded),
                "next": self._neighbour(True) is not None,
                "previous": self._neighbour(False) is not None,
            }
        )
        self.buttons["undo"].setToolTip(f"Undo {undo}" if undo else "Nothing to undo")
        self.buttons["redo"].setToolTip(f"Do {redo} again" if redo else "Nothing to do again")
        self.buttons["sign"].setText("Reopen" if session is not None and session.is_signed else "Sign")
        film = session is not None and session.image.kind is not Kind.PHOTO
        self.buttons.enable(dict.fromkeys(("box", "lasso", "click"), free and not film))
        for slider in (self.threshold, self.smallest):  # proposals on a photo have settings of their own
            slider.setEnabled(free and film)

    def _busy(self, words: str) -> None:
        for part in (self.progress, self.busy_text):
            part.setVisible(bool(words))
        self.buttons["segment"].setVisible(not words)
        self.cancel.setVisible(self.desk.may_stop)
        self._tick.start() if words else self._tick.stop()
        self._show_seconds()
        self._enable()

    def _show_seconds(self) -> None:
        seconds = self.desk.seconds
        self.busy_text.setText("" if seconds is None else f"{self.desk.doing}, {seconds:.0f} s")

    def _show_kept(self) -> None:
        trouble = self._session.trouble if self._session else ""
        self.kept.setVisible(bool(trouble))
        self.kept.setText(f"<b>A crash would lose what you do now</b>: {trouble}")

    def _say(self, words: str) -> None:
        from napari.utils.notifications import show_info

        show_info(words)

    def _has_initials(self, session: Session) -> bool:
        given = self.initials.text().strip()
        if given:
            self.desk.attempt(lambda: session.set_initials(given))
        if session.initials is None:
            self.initials.setFocus()
            self._say("type your initials first: they are written into every saved record")
            return False
        settings().setValue("initials", session.initials)
        return True

    # --- building ---------------------------------------------------------------------------------------

    def showEvent(self, event: Any) -> None:
        """Qt's hook: the panel has its window now."""
        super().showEvent(event)
        self.desk.guard(self)

    def _build(self) -> None:
        self.buttons = Buttons(self, self._doings())
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 4)
        column.setSpacing(4)
        for part in (self._head(), self._finding(), self._tools(), self._lists(), self._ends()):
            column.addWidget(part, stretch=1 if part is self.lists_box else 0)
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
            Doing("previous", "◀", "PgUp", "Previous film of the worklist", lambda: self.turn_page(False)),
            Doing("next", "▶", "PgDown", "Next film of the worklist", lambda: self.turn_page(True)),
        )

    def _head(self) -> QWidget:
        self.head = QLabel(wordWrap=True)
        self.welcome = QPushButton("Open the sample film", objectName="sample")
        self.welcome.clicked.connect(self.open_sample)
        self.restore_text = QLabel(wordWrap=True)
        yes, no = QPushButton("Restore", objectName="restore"), QPushButton("Start afresh", objectName="afresh")
        yes.clicked.connect(self.desk.restore)
        no.clicked.connect(self.desk.start_afresh)
        self.restoring = divided(self.restore_text, line_of(yes, no))
        self.kept = QLabel(wordWrap=True, objectName="kept", visible=False)
        return divided(self.head, self.welcome, self.restoring, self.kept)

    def _finding(self) -> QWidget:
        self.progress = QProgressBar(minimum=0, maximum=0, textVisible=False, visible=False)
        self.progress.setMaximumWidth(60)
        self.busy_text = QLabel(visible=False)  # napari's style shows no words on the bar itself
        self.cancel = QPushButton("Cancel", objectName="cancel", visible=False)
        self.cancel.clicked.connect(self.desk.cancel)
        self.threshold, self.threshold_text = _slider(100, "Findings less sure than this are not counted")
        self.smallest, self.smallest_text = _slider(len(_SIZES_MM2) - 1, "Findings smaller than this are not counted")
        self.threshold.valueChanged.connect(self.set_threshold)
        self.smallest.valueChanged.connect(self.set_smallest)
        for slider in (self.threshold, self.smallest):
            slider.sliderPressed.connect(self._begin_drag)
        return divided(
            line_of(self.buttons["segment"], self.busy_text, self.progress, self.cancel),
            line_of(QLabel("Sure at least"), self.threshold, self.threshold_text),
            line_of(QLabel("Size at least"), self.smallest, self.smallest_text),
        )

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
        self.total = QLabel("–", objectName="total")
        parts = "outline, scale and, until you went through all outlines, what is missed"
        self.total.setToolTip(f"Sum of all deposits with its 95 % interval: {parts}")
        font = self.total.font()
        font.setPointSizeF(font.pointSizeF() * 1.2)
        font.setBold(True)
        self.total.setFont(font)
        self.table: ThingsTable = ThingsTable(self._columns(), self, sort_by=0)
        self.excluded: ThingsTable = ThingsTable(_FINDINGS, self, sort_by=0)
        self.table.chosen.connect(lambda numbers: self.choose(numbers, look=True))
        self.excluded.chosen.connect(self._finding_chosen)
        self.lists: QTabWidget = QTabWidget()
        self.lists.addTab(self.table, "Deposits")
        self.lists.addTab(divided(self.excluded, self.buttons["back"]), "Not counted")
        self.lists_box: QWidget = divided(self.total, self.lists)
        return self.lists_box

    def _finding_chosen(self, chosen: list[Held]) -> None:
        if chosen:
            self._look_at(chosen[0].finding.bbox)

    def _columns(self) -> tuple[Column, ...]:
        return (
            Column(
                "No.",
                lambda row: str(row.label),
                lambda row: float(row.label),
                "Its number on the picture",
                narrow=True,
            ),
            Column("Area", lambda row: bare(area(row)), lambda row: float(area(row).value), "mm² (px without a scale)"),
            Column("Across", _across, lambda row: float(row.feret_mm or 0.0), "Largest diameter", narrow=True),
            Column(
                "Seen",
                lambda row: "✓" if row.label in self._still_accepted else "",
                lambda row: float(row.label in self._still_accepted),
                tip="✓ accepted by you",
                narrow=True,
            ),
        )

    def _ends(self) -> QWidget:
        self.initials = QLineEdit(settings().value("initials", "") or "", maxLength=6, placeholderText="initials")
        self.initials.setToolTip("Who reads: 1 to 6 letters, remembered, written into every saved record")
        self.initials.setMaximumWidth(70)
        b = self.buttons
        self.page_text = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self.pages = line_of(b["previous"], self.page_text, b["next"])
        return divided(
            line_of(b["undo"], b["redo"], b["load"]),
            line_of(self.initials, b["save"], b["sign"]),
            self.pages,
        )


_PROMPTS = {"lasso": "lasso", "click": "clicks"}
_FINDINGS = (
    Column("Why", lambda held: reason_in_words(held.finding.reason), lambda held: reason_in_words(held.finding.reason)),
    Column("Size", lambda held: f"{held.finding.area_px:,} px", lambda held: float(held.finding.area_px), narrow=True),
    Column(
        "Sure",
        lambda held: "–" if held.finding.score is None else f"{100 * held.finding.score:.0f} %",
        lambda held: float(held.finding.score or 0.0),
        "The method's own confidence that it is calcium",
        narrow=True,
    ),
)


def _set(setting: str, value: float, joins: bool, session: Session) -> Event:
    """What a slider says, to a session that has found nothing yet."""
    event: Event = getattr(session, f"set_{setting}")(value, joins=joins)
    return event


def _total(session: Session) -> str:
    """The sum of all deposits; what nobody searched and nobody outlined has none."""
    if session.negative is not None:
        return f"No calcium, says {session.negative.initials}"
    if not session.is_measured:
        return "Total: not measured yet"
    measured = session.measurement
    return f"Total {in_words(area(measured))} · {_counted(measured.count)}"


def _offer(waiting: Pending, session: Session) -> str:
    """What comes back with a restore, and what it takes the place of."""
    when = waiting.when[:16].replace("T", " ")
    signed = session.signature
    beside = f" Below is the mask that {signed.initials} signed; it stays saved." if signed else ""
    lost = f" {lines_in_words(waiting.unread)} of it cannot be read." if waiting.unread else ""
    return f"Unsaved work of {when}: {steps_in_words(waiting.steps)} kept.{lost}{beside}"


def _share(region: Mask) -> str:
    return f"{100 * region.mean():.2g} %"


def _bring_back(held: Held, session: Session) -> Event:
    return session.bring_back(held)


def _across(row: Deposit) -> str:
    return "–" if row.feret_mm is None else f"{row.feret_mm:.1f} mm"


def _counted(count: int) -> str:
    return "1 deposit" if count == 1 else f"{count} deposits"


def _slider(top: int, tip: str) -> tuple[QSlider, QLabel]:
    slider = QSlider(Qt.Orientation.Horizontal, minimum=0, maximum=top)
    slider.setToolTip(tip)
    text = QLabel(minimumWidth=56)
    text.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return slider, text
