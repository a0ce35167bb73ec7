"""The Calibrate panel: a scale from a line of known length, a marker or a ruler, and density from the step wedge."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QDoubleSpinBox, QLabel, QLineEdit, QProgressBar, QPushButton, QVBoxLayout, QWidget

from calcimeasure.model.density import WedgeCalibration
from calcimeasure.model.deposit import Deposit, Measurement
from calcimeasure.model.image import Spacing
from calcimeasure.model.scale import Scale
from calcimeasure.reading.session import Event, Session
from calcimeasure.report.words import area, in_one, in_words, scale_in_words
from napari_calcimeasure import _layers
from napari_calcimeasure._buttons import Buttons, Doing, divided, line_of
from napari_calcimeasure._marking import box_of
from napari_calcimeasure._workspace import Workspace, settings, workspace_of

Box = tuple[int, int, int, int]

#: Densities follow this long after the last stroke, in ms: they look at the whole film.
_DENSE_MS = 600
#: More deposits than this are in the saved table only.
_MOST_TOLD = 12


class CalibratePanel(QWidget):
    """Give the picture a scale, and see what it does to the numbers.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        Given by napari.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.workspace: Workspace = workspace_of(napari_viewer)
        self.offered: Scale | None = None
        self.wedge: WedgeCalibration | None = None
        self._dense = QTimer(self, singleShot=True, interval=_DENSE_MS)
        self._dense.timeout.connect(self._show_densities)
        self._build()
        self.workspace.changed.connect(self._changed)
        self.workspace.turned.connect(self._turned)
        self.workspace.background.busy.connect(self._busy)
        self.workspace.start()
        self._turned()

    # --- what a person does -----------------------------------------------------------------------------

    def draw_line(self) -> None:
        """Draw a line along something of known length."""
        self.scale_text.setText("Drag along it on the picture, from one end to the other.")
        self._draw("line", "line of known length", self._line_drawn)

    def find_scale(self) -> None:
        """Look for a printed marker or a ruler, in a thread."""
        session = self._session
        if session is not None:
            from calcimeasure.steps.scale import find_scale

            image = session.image
            self.workspace.background.run(
                "looking for a marker or ruler", lambda: find_scale(image), self._found, self.scale_text.setText
            )

    def use_offered(self) -> None:
        """Use a scale that a person had to look at first."""
        if self.offered is not None:
            self._use(self.offered)

    def type_in(self) -> None:
        """Use the millimetres per pixel that were typed."""
        self._rescale(self.typed.value())

    def forget(self) -> None:
        """Go back to the scale of the file."""
        self._rescale(None)

    def find_wedge(self) -> None:
        """Look for the aluminium step wedge, in a thread."""
        self._read_wedge(None)

    def draw_wedge(self) -> None:
        """Draw a box around the aluminium step wedge."""
        self.wedge_text.setText("Drag a box around the wedge on the picture.")
        self._draw("box", "box around the step wedge", self._wedge_drawn)

    # --- how it is done ---------------------------------------------------------------------------------

    @property
    def _session(self) -> Session | None:
        return self.workspace.session

    def _rescale(self, scale: Scale | float | None) -> None:
        """Another scale; all deposits are measured anew in a thread."""
        session = self._session
        if session is not None:
            later = self.workspace.attempt(lambda: session.calibration.scaling(scale))
            if later is not None:
                self.workspace.background.take_aside("scale", later)

    def _draw(self, kind: str, name: str, taken: Any) -> None:
        if (session := self._session) is not None:
            self.workspace.marking.draw(kind, name, session.image.spacing, taken)

    def _line_drawn(self, corners: _layers.Corners) -> None:
        from calcimeasure.steps.scale import scale_from_points

        first, second = ((float(row), float(column)) for row, column in (corners[0], corners[-1]))
        aspect = self._session.image.aspect if self._session is not None else 1.0
        scale = self.workspace.attempt(lambda: scale_from_points(first, second, self.length.value(), aspect=aspect))
        if scale is not None:
            self._found(scale)

    def _found(self, scale: Scale) -> None:
        """Use a sure scale at once; an unsure one waits for a yes; a refused one says why."""
        self.offered = None
        if scale.spacing is None:
            self.scale_text.setText(f"<b>Nothing to use.</b> {_sentence(scale)}")
        elif scale.unsure:
            self.offered = scale
            self.scale_text.setText(f"<b>Please look.</b> {scale_in_words(scale.spacing)}. {_sentence(scale)}")
        else:
            self._use(scale)
        self._enable()

    def _use(self, scale: Scale) -> None:
        self.offered = None
        self._rescale(scale)
        tilt = "" if scale.tilt_degrees is None else f" The marker is tilted by {scale.tilt_degrees:.0f}°."
        self.scale_text.setText(f"Scale in use: {scale_in_words(scale.spacing)}.{tilt}")
        self._enable()

    def _wedge_drawn(self, corners: _layers.Corners) -> None:
        row0, column0, row1, column1 = (max(0, round(side)) for side in box_of(corners))
        self._read_wedge((row0, column0, row1, column1))

    def _read_wedge(self, box: Box | None) -> None:
        """The wedge in a box, or wherever it lies; with its curve the densities are saved from now on."""
        session, steps = self._session, self._thicknesses()
        if session is None:
            return
        if not steps:
            self.wedge_text.setText("Type the thickness of every step first, in mm.")
            return
        from calcimeasure.steps.measure.wedge import calibrate_wedge

        image = session.image
        self.workspace.background.run(
            "reading the wedge",
            lambda: calibrate_wedge(image, box, steps),
            lambda found: self._wedge_read(session, found, steps, box),
            lambda words: self.wedge_text.setText(f"<b>No curve.</b> {words}"),
        )

    def _thicknesses(self) -> list[float]:
        """What was typed, in mm; empty when it is no list of numbers."""
        words = self.steps.text().replace(";", " ").replace(",", " ").split()
        settings().setValue("steps", self.steps.text())
        return [float(word) for word in words] if all(_is_number(word) for word in words) else []

    def _wedge_read(self, session: Session, found: WedgeCalibration, steps: list[float], box: Box | None) -> None:
        if self.workspace.attempt(lambda: session.calibration.set_wedge(steps, box, found.region)) is None:
            return
        self.wedge = found
        steps_mm = ", ".join(f"{step.mm:g}" for step in found.steps)
        doubt = f" <b>Unsure:</b> {in_one(found.reason)}" if found.unsure else ""
        self.wedge_text.setText(
            f"{len(found.steps)} steps of aluminium ({steps_mm} mm), curve within {found.residual_mm:.2f} mm. "
            f"Saved with the mask.{doubt}"
        )
        self._dense.start()

    def _show_densities(self) -> None:
        """Densities of the present mask, in a thread, as they will be saved."""
        session = self._session
        if session is None or self.wedge is None or not session.rows:
            self.densities.setText("")
            return
        self.workspace.background.aside(
            "density", session.analysing(), lambda found: self._densities_made(session, found.measurement)
        )

    def _densities_made(self, session: Session, measured: Measurement) -> None:
        if session is self._session:
            lines = [f"{row.label}: {_density(row)}" for row in measured.deposits[:_MOST_TOLD]]
            more = [f"and {len(measured.deposits) - _MOST_TOLD} more"] if len(measured.deposits) > _MOST_TOLD else []
            self.densities.setText("<b>Mean thickness, mm of aluminium</b><br>" + "<br>".join((*lines, *more)))

    # --- showing ----------------------------------------------------------------------------------------

    def _changed(self, event: Event) -> None:
        self._show()
        if self.wedge is not None and self._session is not None and not self._session.recipe.wedge.steps_mm:
            self._forget_wedge()  # undo took it back
        elif self.wedge is not None and event.where is not None:
            self._dense.start()

    def _turned(self) -> None:
        self.offered = None
        self.scale_text.setText("")
        self._forget_wedge()
        known = self._session.recipe.wedge.steps_mm if self._session is not None else ()
        if known:
            self.steps.setText(", ".join(f"{mm:g}" for mm in known))
            self.wedge_text.setText("A step wedge is set: the saved table has densities.")
        self._show()

    def _forget_wedge(self) -> None:
        self.wedge = None
        self.wedge_text.setText("")
        self.densities.setText("")

    def _show(self) -> None:
        session = self._session
        if session is None:
            self.now.setText("Open a film or photo first.")
            self.number.setText("")
        else:
            self.now.setText(scale_in_words(session.image.spacing))
            self.number.setText(f"Total {in_words(area(session.measurement))}")
            _type(self.typed, session.image.spacing)
        self._enable()

    def _enable(self) -> None:
        session = self._session
        free = session is not None and not session.is_signed and self.workspace.background.seconds is None
        self.buttons.enable(dict.fromkeys(self.buttons.names, free) | {"use": free and self.offered is not None})

    def _busy(self, words: str) -> None:
        self.progress.setVisible(bool(words))
        self.progress.setToolTip(words)
        self.stop.setVisible(self.workspace.background.may_stop)
        self._enable()

    # --- building ---------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.buttons = Buttons(self, self._doings())
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 4)
        for part in (self._standing(), self._line(), self._picture(), self._typing(), self._wedge()):
            column.addWidget(part)
        column.addStretch(1)
        self.setMinimumWidth(320)

    def _doings(self) -> tuple[Doing, ...]:
        return (
            Doing(
                "line", "Draw the line", "", "Draw along something of known length lying at the skin", self.draw_line
            ),
            Doing("find", "Find marker or ruler", "", "Look for a printed marker sheet or a ruler", self.find_scale),
            Doing("use", "Use it", "", "You looked: the scale is right", self.use_offered),
            Doing("type", "Use", "", "Use these millimetres per pixel", self.type_in),
            Doing("forget", "Back to the file's own scale", "", "Forget the calibration", self.forget),
            Doing("findwedge", "Find the wedge", "", "Look for the aluminium step wedge on the film", self.find_wedge),
            Doing("wedge", "Mark it", "", "Draw a box around the aluminium step wedge", self.draw_wedge),
        )

    def _standing(self) -> QWidget:
        self.now, self.number = QLabel(wordWrap=True), QLabel(objectName="number")
        font = self.number.font()
        font.setBold(True)
        self.number.setFont(font)
        self.progress = QProgressBar(minimum=0, maximum=0, textVisible=False, visible=False)
        self.stop = QPushButton("Cancel", visible=False)
        self.stop.clicked.connect(self.workspace.background.cancel)
        return divided(QLabel("<b>Scale now</b>"), self.now, self.number, line_of(self.progress, self.stop))

    def _line(self) -> QWidget:
        self.length = QDoubleSpinBox(minimum=0.1, maximum=1000.0, decimals=1, suffix=" mm")
        self.length.setValue(50.0)
        self.length.setToolTip("How long the line that you draw is")
        return divided(_title("From a line of known length"), line_of(self.length, self.buttons["line"]))

    def _picture(self) -> QWidget:
        self.scale_text = QLabel(wordWrap=True, objectName="scale_text")
        return divided(_title("From the picture"), line_of(self.buttons["find"], self.buttons["use"]), self.scale_text)

    def _typing(self) -> QWidget:
        self.typed = QDoubleSpinBox(minimum=0.0001, maximum=10.0, decimals=4, singleStep=0.01, suffix=" mm/px")
        return divided(
            _title("Known from elsewhere"), line_of(self.typed, self.buttons["type"]), self.buttons["forget"]
        )

    def _wedge(self) -> QWidget:
        self.wedge_text, self.densities = QLabel(wordWrap=True), QLabel(wordWrap=True)
        self.steps = QLineEdit(str(settings().value("steps", "") or ""), placeholderText="0.5, 1, 2, 3, 4 ...")
        self.steps.setToolTip("Thickness of every step of the wedge in mm of aluminium, from one end to the other")
        steps = line_of(QLabel("Steps, mm"), self.steps)
        return divided(
            _title("Density from a step wedge"),
            steps,
            line_of(self.buttons["findwedge"], self.buttons["wedge"]),
            self.wedge_text,
            self.densities,
        )


def _title(words: str) -> QLabel:
    return QLabel(f"<b>{words}</b>")


def _density(row: Deposit) -> str:
    """The density of a deposit, or why there is none."""
    dense = row.density
    if dense is None:
        return "–"
    return in_words(dense.mmal_mean).replace("mmAl", "mm Al") if dense.mmal_mean else in_one(dense.reason)


def _sentence(scale: Scale) -> str:
    """Why a scale is missing or unsure, as a sentence that names no option of the command line."""
    words = in_one(scale.reason, options=False)
    return f"{words[:1].upper()}{words[1:]}."


def _is_number(word: str) -> bool:
    return word.replace(".", "", 1).isdigit()


def _type(box: QDoubleSpinBox, spacing: Spacing | None) -> None:
    if spacing is not None:
        box.setValue(spacing.mean_mm)
