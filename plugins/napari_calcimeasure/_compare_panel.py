"""The Compare panel: two visits over each other, every deposit's fate, matches that a reader corrects, the verdict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QFileDialog,
    QLabel,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from calcimeasure.follow_up import Comparison
from calcimeasure.model.labels import Labels
from calcimeasure.model.quantity import Quantity
from calcimeasure.model.study import DepositChange
from calcimeasure.reading.finding import Proposal
from calcimeasure.reading.later import Later
from calcimeasure.reading.matches import Films, Kept, keep
from calcimeasure.reading.pair import compared, export
from calcimeasure.reading.record import Source
from calcimeasure.reading.session import Session
from calcimeasure.recipe import Recipe
from calcimeasure.report.marks import FATES
from calcimeasure.report.words import in_one, in_words, sentences, value_in_words, verdict_in_words
from napari_calcimeasure._buttons import Buttons, Doing, divided, line_of
from napari_calcimeasure._film_layers import FilmLayers
from napari_calcimeasure._pair_layers import PairLayers
from napari_calcimeasure._table import Column, ThingsTable
from napari_calcimeasure._workspace import Workspace, workspace_of

_FLICKER_MS = 600
_HINT = "Open two films of one limb and choose the earlier one as baseline."
_WAYS = ("Side by side", "Curtain", "Flicker")

#: The search of each film that was not searched yet.
Searches = list[Later[Proposal] | None]


class ComparePanel(QWidget):
    """Two visits of one limb, deposit by deposit.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        Given by napari.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.workspace: Workspace = workspace_of(napari_viewer)
        self.pair: Comparison | None = None
        self._sources: Films = (Source(), Source())
        self.layers: PairLayers | None = None
        self._names = ("baseline", "follow-up")
        self._flicker = QTimer(self, interval=_FLICKER_MS)
        self._flicker.timeout.connect(self._flick)
        self._shows_after = True
        self._build()
        napari_viewer.layers.events.inserted.connect(self._list_films)
        napari_viewer.layers.events.removed.connect(self._list_films)
        self.workspace.turned.connect(self._list_films)
        self.workspace.background.busy.connect(self._busy)
        self.workspace.start()
        self._list_films()
        self._show()

    # --- what a person does -----------------------------------------------------------------------------

    def compare(self) -> None:
        """Lay the films on each other and compare; a film without outlines is searched first."""
        films = self._chosen_films()
        if films is None:
            return
        self.stop()
        sessions = [film.session for film in films]
        self._sources = sessions[0].source, sessions[1].source
        self._names = films[0].picture.name, films[1].picture.name
        searches = [
            None if session.rows or session.changes.log else session.finding.segmenting() for session in sessions
        ]
        now = [session.outlines for session in sessions]
        self.workspace.background.run(
            "comparing",
            lambda: _compared(sessions, searches, now),
            lambda found: self._compared(searches, *found),
            self.verdict.setText,
        )

    def join(self, names: list[str], onto: str | None = None) -> None:
        """The chosen rows are one deposit; a row dropped on another says the same."""
        wanted = {*names, *([onto] if onto else [])}
        if len(wanted) > 1:
            self._correct(lambda pair: pair.joined(wanted, self._reader()))

    def part(self) -> None:
        """The chosen match is wrong: what lies on the two films is not the same."""
        names = self.table.selected()
        if names:
            self._correct(lambda pair: pair.parted(names, self._reader()))

    def automatic(self) -> None:
        """Forget all matches by hand."""
        self._correct(lambda pair: pair.with_overrides(()))

    def export(self) -> None:
        """Write the report into a folder."""
        folder = self.ask_folder()
        if folder and self.pair is not None:
            pair, names = self.pair, self._names
            self.workspace.background.run(
                "writing the report", lambda: export(pair, Path(folder), names), self._exported
            )

    def show_way(self, way: str) -> None:
        """Side by side, curtain or flicker."""
        self._flicker.stop()
        self.share.setVisible(way == "Curtain")
        if self.layers is None:
            return
        if way == "Side by side":
            self.layers.side_by_side()
        elif way == "Curtain":
            self.layers.curtain(self.share.value() / 100)
        else:
            self.layers.curtain(0.0)
            self._flicker.start()
        self.viewer.reset_view()

    def stop(self) -> None:
        """Take the comparison off the picture."""
        self._flicker.stop()
        if self.layers is not None:
            layers, self.layers, self.pair = self.layers, None, None
            layers.put_away()
            self._show()

    def ask_folder(self) -> str:
        """Where the report goes."""
        return str(QFileDialog.getExistingDirectory(self, "Folder for the report"))

    # --- how it is done ---------------------------------------------------------------------------------

    def _chosen_films(self) -> tuple[FilmLayers, FilmLayers] | None:
        chosen = [self.baseline.currentData(), self.followup.currentData()]
        if None in chosen or chosen[0] is chosen[1]:
            self.verdict.setText(_HINT)
            return None
        films = [self.workspace.take_up(picture) for picture in chosen]
        return (films[0], films[1]) if films[0] is not None and films[1] is not None else None

    def _compared(self, searches: Searches, proposals: list[Proposal | None], pair: Comparison, old: Kept) -> None:
        for search, proposal in zip(searches, proposals, strict=True):
            if search is not None and proposal is not None:
                search.take(proposal)
        self.workspace.settle()
        self.pair, self.layers = pair, PairLayers(self.viewer, pair)
        self._show()
        self.show_way(self.ways.checkedButton().text())
        if old.links or old.lost:
            self._tell_kept(old)

    def _tell_kept(self, old: Kept) -> None:
        """That matches by hand of an earlier day are in force, or do not fit these outlines."""
        from napari.utils.notifications import show_info, show_warning

        if old.lost:
            show_warning(f"{old.lost} matches made by hand do not fit these outlines: make them again")
        if old.links:
            show_info(f"{len(old.links)} matches made by hand before are in force; Automatic forgets them")

    def _correct(self, change: Callable[[Comparison], Comparison]) -> None:
        pair = self.pair
        if pair is None:
            return
        fresh = self.workspace.attempt(lambda: change(pair))
        if fresh is not None and self.layers is not None:
            self.pair = fresh
            self.workspace.attempt(lambda: keep(fresh, self._sources))
            self.layers.take(fresh)
            self._show()
            if self.ways.checkedButton().text() == "Curtain":
                self.layers.curtain(self.share.value() / 100)

    def _reader(self) -> str:
        session = self.workspace.session
        return (session.initials if session else None) or "reader"

    def _exported(self, page: Path) -> None:
        from napari.utils.notifications import show_info

        show_info(f"wrote {page.name} in {page.parent.name}")

    def _flick(self) -> None:
        self._shows_after = not self._shows_after
        if self.layers is not None:
            self.layers.flicker(self._shows_after)

    def _drawn_aside(self, value: int) -> None:
        if self.layers is not None and self.ways.checkedButton().text() == "Curtain":
            self.layers.curtain(value / 100)

    # --- showing ----------------------------------------------------------------------------------------

    def _list_films(self, *_: Any) -> None:
        pictures = [film.picture for film in self.workspace.films]
        chosen = [self.baseline.currentData(), self.followup.currentData()]
        if chosen[0] is chosen[1]:
            chosen[1] = None
        for at, box in enumerate((self.baseline, self.followup)):
            box.clear()
            for picture in pictures:
                box.addItem(picture.name, picture)
            there = next((i for i, picture in enumerate(pictures) if picture is chosen[at]), at)
            box.setCurrentIndex(min(there, len(pictures) - 1))
        self.buttons.enable({"compare": len(pictures) > 1})

    def _show(self) -> None:
        change = self.pair.change if self.pair else None
        rows = self.pair.change.deposits if self.pair else ()
        self.table.show_things((row.deposit, row) for row in rows)
        if change is None:
            self.verdict.setText(_HINT)
        else:
            percent = "" if change.percent is None else f" ({change.percent:+.0f} %)"
            self.verdict.setText(
                f"<b>{verdict_in_words(change.verdict)}</b>{percent}<br>"
                f"{in_words(change.before)} → {in_words(change.after)}<br>{in_one(change.reason)}"
            )
            self.verdict.setToolTip("\n".join(sentences(change.warnings)))
        self._enable()

    def _enable(self) -> None:
        there = self.pair is not None and self.workspace.background.seconds is None
        rows = len(self.table.selected())
        hand = bool(self.pair and self.pair.overrides)
        self.buttons.enable(
            {
                "join": there and rows > 1,
                "part": there and rows > 0,
                "auto": there and hand,
                "export": there,
                "stop": there,
            }
        )

    def _busy(self, words: str) -> None:
        self.progress.setVisible(bool(words))
        self.progress.setToolTip(words)
        self.cancel.setVisible(self.workspace.background.may_stop)
        self._enable()

    def _chosen(self, names: list[str]) -> None:
        self._enable()
        row = next(
            (row for row in (self.pair.change.deposits if self.pair else ()) if names and row.deposit == names[0]), None
        )
        if row is not None and self.layers is not None:
            self.layers.look_at(row)

    # --- building ---------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.buttons = Buttons(self, self._doings())
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 4)
        column.setSpacing(4)
        self.verdict = QLabel(wordWrap=True, objectName="verdict")
        for part in (self._films(), self._ways(), self.verdict):
            column.addWidget(part)
        column.addWidget(self._rows(), stretch=1)
        self.setMinimumWidth(320)

    def _doings(self) -> tuple[Doing, ...]:
        return (
            Doing("compare", "Compare", "", "Lay the two films on each other and compare every deposit", self.compare),
            Doing("stop", "Close", "", "Take the comparison off the picture", self.stop),
            Doing(
                "join", "Same deposit", "", "The chosen rows are one deposit; or drag one row onto another", self._join
            ),
            Doing("part", "Not the same", "", "The chosen match is wrong", self.part),
            Doing("auto", "Automatic", "", "Forget all matches by hand", self.automatic),
            Doing(
                "export",
                "Export the report",
                "",
                "The report of calcimeasure compare, and what it makes it from",
                self.export,
            ),
        )

    def _join(self) -> None:
        self.join(self.table.selected())

    def _films(self) -> QWidget:
        self.baseline, self.followup = QComboBox(objectName="baseline"), QComboBox(objectName="followup")
        self.progress = QProgressBar(minimum=0, maximum=0, textVisible=False, visible=False)
        self.cancel = QPushButton("Cancel", visible=False)
        self.cancel.clicked.connect(self.workspace.background.cancel)
        return divided(
            line_of(QLabel("Baseline"), self.baseline),
            line_of(QLabel("Follow-up"), self.followup),
            line_of(self.buttons["compare"], self.buttons["stop"]),
            line_of(self.progress, self.cancel),
        )

    def _ways(self) -> QWidget:
        self.ways, buttons = QButtonGroup(self), [QRadioButton(way) for way in _WAYS]
        for button in buttons:
            self.ways.addButton(button)
        self.ways.buttonClicked.connect(lambda button: self.show_way(button.text()))
        buttons[0].setChecked(True)
        self.share = QSlider(Qt.Orientation.Horizontal, minimum=0, maximum=100, value=50, visible=False)
        self.share.setToolTip("Draw the follow-up aside")
        self.share.valueChanged.connect(self._drawn_aside)
        return divided(line_of(*buttons), self.share)

    def _rows(self) -> QWidget:
        self.table = ThingsTable(_COLUMNS, self, sort_by=0)
        self.table.chosen.connect(self._chosen)
        self.table.let_drop(self.join)
        b = self.buttons
        return divided(self.table, line_of(b["join"], b["part"], b["auto"]), b["export"])


def _compared(
    sessions: list[Session], searches: Searches, now: list[Labels]
) -> tuple[list[Proposal | None], Comparison, Kept]:
    """What the thread does: search the films that were not, then compare. Nothing of a session is changed."""
    proposals = [search() if search is not None else None for search in searches]
    labels = [p.segmentation.labels if p is not None else kept for p, kept in zip(proposals, now, strict=True)]
    first, second = ((session.image, one) for session, one in zip(sessions, labels, strict=True))
    recipe: Recipe = sessions[0].recipe
    pair, old = compared(first, second, recipe, (sessions[0].source, sessions[1].source))
    return proposals, pair, old


def _sorting(name: str) -> Callable[[DepositChange], float]:
    def value(row: DepositChange) -> float:
        area = getattr(row, name)
        return 0.0 if area is None else float(area.value)

    return value


def _value(quantity: Quantity | None) -> str:
    return "–" if quantity is None else value_in_words(quantity)


def _percent(row: DepositChange) -> str:
    return "–" if row.percent is None else f"{row.percent:+.0f} %"


_COLUMNS = (
    Column("No.", lambda row: row.deposit, lambda row: row.deposit, "The same name at every visit", narrow=True),
    Column(
        "Fate",
        lambda row: f"{FATES[row.fate].letter}  {FATES[row.fate].word}{'' if row.by == 'calcimeasure' else ' ✎'}",
        lambda row: FATES[row.fate].word,
        "✎ matched by a reader",
        lambda row: in_one(row.note),
        narrow=True,
    ),
    Column(
        "Before",
        lambda row: _value(row.area_before),
        _sorting("area_before"),
        "Area at the baseline, in the unit of the total above",
        lambda row: in_words(row.area_before),
    ),
    Column(
        "After",
        lambda row: _value(row.area_after),
        _sorting("area_after"),
        "Area at the follow-up, in the unit of the total above",
        lambda row: in_words(row.area_after),
    ),
    Column("Change", _percent, lambda row: float(row.percent or 0.0), "", lambda row: in_words(row.area_change)),
)
