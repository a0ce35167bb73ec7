"""The Calibrate panel: a scale from a line of known length, a marker or a ruler, and density from the step wedge."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QDoubleSpinBox, QLabel, QLineEdit, QProgressBar, QPushButton, QVBoxLayout, QWidget

from calcimeasure.model.density import WedgeCalibration
from calcimeasure.model.image import Spacing
from calcimeasure.model.scale import Scale
from napari_calcimeasure import _layers
from napari_calcimeasure._buttons import Buttons, Doing, divided, line_of
from napari_calcimeasure._desk import Desk, desk_of, settings
from napari_calcimeasure._pencil import box_of
from napari_calcimeasure._session import Event, Session
from napari_calcimeasure._words import area, in_words, scale_in_words


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
        self.desk: Desk = desk_of(napari_viewer)
        self.offered: Scale | None = None
        self.wedge: WedgeCalibration | None = None
        self._build()
        self.desk.changed.connect(self._changed)
        self.desk.turned.connect(self._turned)
        self.desk.busy.connect(self._busy)
        self.desk.start()
        self._turned()

    # --- what a person does -----------------------------------------------------------------------------

    def draw_line(self) -> None:
        """Draw a line along something of known length."""
        self._draw("line", "line of known length", self._line_drawn)

    def find(self) -> None:
        """Look for a printed marker or a ruler, in a thread."""
        session = self._session
        if session is not None:
            from calcimeasure.steps.calibrate import find_scale

            image = session.image
            self.desk.in_background(
                "looking for a marker or ruler", lambda: find_scale(image), self._found, self.told.setText
            )

    def use_offered(self) -> None:
        """Use a scale that a person had to look at first."""
        if self.offered is not None:
            self._use(self.offered)

    def type_in(self) -> None:
        """Use the millimetres per pixel that were typed."""
        self._do(lambda session: session.set_spacing(self.typed.value()))

    def forget(self) -> None:
        """Go back to the scale of the file."""
        self._do(lambda session: session.set_spacing(None))

    def draw_wedge(self) -> None:
        """Draw a box around the aluminium step wedge."""
        self._draw("box", "box around the step wedge", self._wedge_drawn)

    # --- how it is done ---------------------------------------------------------------------------------

    @property
    def _session(self) -> Session | None:
        return self.desk.session

    def _do(self, action: Any) -> None:
        session = self._session
        if session is not None:
            self.desk.attempt(lambda: action(session))

    def _draw(self, kind: str, name: str, taken: Any) -> None:
        if (session := self._session) is not None:
            self.desk.pencil.draw(kind, name, session.image.spacing, taken)

    def _line_drawn(self, corners: _layers.Corners) -> None:
        from calcimeasure.steps.calibrate import scale_from_points

        first, second = (tuple(map(float, end)) for end in (corners[0], corners[-1]))
        scale = self.desk.attempt(lambda: scale_from_points(first, second, self.length.value()))
        if scale is not None:
            self._found(scale)

    def _found(self, scale: Scale) -> None:
        """Use a sure scale at once; an unsure one waits for a yes; a refused one says why."""
        self.offered = None
        if scale.spacing is None:
            self.told.setText(f"<b>No scale.</b> {scale.reason}")
        elif scale.unsure:
            self.offered = scale
            self.told.setText(f"<b>Please look.</b> {scale_in_words(scale.spacing)}. {scale.reason}")
        else:
            self._use(scale)
        self._enable()

    def _use(self, scale: Scale) -> None:
        self.offered = None
        self._do(lambda session: session.set_scale(scale))
        tilt = "" if scale.tilt_degrees is None else f" The marker is tilted by {scale.tilt_degrees:.0f}°."
        self.told.setText(f"Scale in use: {scale_in_words(scale.spacing)}.{tilt}")
        self._enable()

    def _wedge_drawn(self, corners: _layers.Corners) -> None:
        session = self._session
        if session is None:
            return
        from calcimeasure.steps.calibrate import calibrate_wedge

        row0, column0, row1, column1 = (round(side) for side in box_of(corners))
        image, steps = session.image, self._thicknesses()
        if not steps:
            self.wedge_text.setText("Type the thickness of every step first, in mm.")
            return
        box = (row0, column0, row1, column1)
        self.desk.in_background("reading the wedge", lambda: calibrate_wedge(image, box, steps), *self._on_wedge)

    @property
    def _on_wedge(self) -> tuple[Any, Any]:
        return self._wedge_read, lambda words: self.wedge_text.setText(f"<b>No curve.</b> {words}")

    def _thicknesses(self) -> list[float]:
        """What was typed, in mm; empty when it is no list of numbers."""
        words = self.steps.text().replace(";", " ").replace(",", " ").split()
        settings().setValue("steps", self.steps.text())
        return [float(word) for word in words] if all(_is_number(word) for word in words) else []

    def _wedge_read(self, found: WedgeCalibration) -> None:
        self.wedge = found
        steps = ", ".join(f"{step.mm:g}" for step in found.steps)
        doubt = f" <b>Unsure:</b> {found.reason}" if found.unsure else ""
        self.wedge_text.setText(
            f"{len(found.steps)} steps of aluminium ({steps} mm), curve within {found.residual_mm:.2f} mm.{doubt}"
        )
        self._show_densities()

    def _show_densities(self) -> None:
        session = self._session
        if session is None or self.wedge is None or not session.rows:
            self.densities.setText("")
            return
        from calcimeasure.model.labels import Labels
        from calcimeasure.steps.density import density

        wedge = self.wedge
        found = self.desk.attempt(lambda: density(session.image, Labels(session.labels), wedge))
        rows = found.deposits if found is not None else ()
        lines = [
            f"{row.label}: {in_words(row.mmal_mean).replace('mmAl', 'mm Al') if row.mmal_mean else row.reason}"
            for row in rows
        ]
        self.densities.setText("<b>Mean thickness, mm of aluminium</b><br>" + "<br>".join(lines[:12]))

    # --- showing ----------------------------------------------------------------------------------------

    def _changed(self, event: Event) -> None:
        self._show()
        if event.where is not None:
            self._show_densities()

    def _turned(self) -> None:
        self.offered, self.wedge = None, None
        self.told.setText("")
        self.wedge_text.setText("")
        self.densities.setText("")
        self._show()

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
        free = session is not None and not session.is_signed and self.desk.seconds is None
        self.buttons.enable(dict.fromkeys(self.buttons.names, free) | {"use": free and self.offered is not None})

    def _busy(self, words: str) -> None:
        self.progress.setVisible(bool(words))
        self.progress.setFormat(words)
        self.stop.setVisible(bool(words))
        self._enable()

    # --- building ---------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.buttons = Buttons(self, self._doings())
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 4)
        for part in (self._standing(), self._line(), self._picture(), self._typing(), self._wedge()):
            column.addWidget(part)
        column.addStretch(1)
        self.setMinimumWidth(300)

    def _doings(self) -> tuple[Doing, ...]:
        return (
            Doing(
                "line", "Draw the line", "", "Draw along something of known length lying at the skin", self.draw_line
            ),
            Doing("find", "Find marker or ruler", "", "Look for a printed marker sheet or a ruler", self.find),
            Doing("use", "Use it", "", "You looked: the scale is right", self.use_offered),
            Doing("type", "Use", "", "Use these millimetres per pixel", self.type_in),
            Doing("forget", "Back to the file's own scale", "", "Forget the calibration", self.forget),
            Doing("wedge", "Mark the wedge", "", "Draw a box around the aluminium step wedge", self.draw_wedge),
        )

    def _standing(self) -> QWidget:
        self.now, self.number = QLabel(wordWrap=True), QLabel(objectName="number")
        font = self.number.font()
        font.setBold(True)
        self.number.setFont(font)
        self.progress = QProgressBar(minimum=0, maximum=0, visible=False)
        self.stop = QPushButton("Cancel", visible=False)
        self.stop.clicked.connect(self.desk.cancel)
        return divided(QLabel("<b>Scale now</b>"), self.now, self.number, line_of(self.progress, self.stop))

    def _line(self) -> QWidget:
        self.length = QDoubleSpinBox(minimum=0.1, maximum=1000.0, decimals=1, suffix=" mm")
        self.length.setValue(50.0)
        self.length.setToolTip("How long the line that you draw is")
        return divided(_title("From a line of known length"), line_of(self.length, self.buttons["line"]))

    def _picture(self) -> QWidget:
        self.told = QLabel(wordWrap=True, objectName="told")
        return divided(_title("From the picture"), line_of(self.buttons["find"], self.buttons["use"]), self.told)

    def _typing(self) -> QWidget:
        self.typed = QDoubleSpinBox(minimum=0.0001, maximum=10.0, decimals=4, singleStep=0.01, suffix=" mm per pixel")
        return divided(
            _title("Known from elsewhere"), line_of(self.typed, self.buttons["type"]), self.buttons["forget"]
        )

    def _wedge(self) -> QWidget:
        self.wedge_text, self.densities = QLabel(wordWrap=True), QLabel(wordWrap=True)
        self.steps = QLineEdit(str(settings().value("steps", "") or ""), placeholderText="0.5, 1, 2, 3, 4 ...")
        self.steps.setToolTip("Thickness of every step of the wedge in mm of aluminium, from one end to the other")
        steps = line_of(QLabel("Steps, mm"), self.steps)
        return divided(
            _title("Density from a step wedge"), steps, self.buttons["wedge"], self.wedge_text, self.densities
        )


def _title(words: str) -> QLabel:
    return QLabel(f"<b>{words}</b>")


def _is_number(word: str) -> bool:
    return word.replace(".", "", 1).isdigit()


def _type(box: QDoubleSpinBox, spacing: Spacing | None) -> None:
    if spacing is not None:
        box.setValue(spacing.mean_mm)
