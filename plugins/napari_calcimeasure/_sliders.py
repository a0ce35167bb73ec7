"""The two sliders over what was found: how sure and how large a finding must be to be counted."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QLabel, QSlider, QVBoxLayout, QWidget

from calcimeasure.reading.session import Event, Session
from calcimeasure.steps.outline.settings import SegmentSettings
from napari_calcimeasure._buttons import line_of
from napari_calcimeasure._workspace import Workspace

#: The size slider runs over these areas.
_SIZES_MM2 = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 50.0)
_SIZES_PX = (1, 4, 12, 25, 50, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000)
#: A slider that is moved is acted on every so often, in ms.
_REST_MS = 60


class Sliders(QWidget):
    """Sliders that act on the film in work, in a thread while they move; one drag is one step.

    Parameters
    ----------
    workspace : Workspace
    """

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.workspace = workspace
        self._wanted: dict[str, float] = {}
        self._drag = self._taken = 0
        self._sizes: tuple[float, ...] = ()
        self._sure: dict[int, float] = {}
        self._rest = QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self._sift)
        self.threshold, self.threshold_text = _slider(100, "Findings less sure than this are not counted")
        self.smallest, self.smallest_text = _slider(len(_SIZES_MM2) - 1, "Findings smaller than this are not counted")
        self.threshold.valueChanged.connect(self.set_threshold)
        self.smallest.valueChanged.connect(self.set_smallest)
        for slider in (self.threshold, self.smallest):
            slider.sliderPressed.connect(self._begin_drag)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(line_of(QLabel("Sure at least"), self.threshold, self.threshold_text))
        column.addWidget(line_of(QLabel("Size at least"), self.smallest, self.smallest_text))

    def set_threshold(self, value: int) -> None:
        """Keep findings that are at least so sure."""
        self.threshold_text.setText(f"{value} %")
        self._want("threshold", self._sure.get(value, value / 100), self.threshold)

    def set_smallest(self, at: int) -> None:
        """Keep findings that are at least so large."""
        session = self.workspace.session
        if session is None:
            return
        known = session.image.spacing is not None
        size = self._sizes[min(at, len(self._sizes) - 1)]
        self.smallest_text.setText(f"{size:g} {'mm²' if known else 'px'}")
        self._want("min_area_mm2" if known else "min_area_px", size if known else int(size), self.smallest)

    def forget(self) -> None:
        """Another film is in work."""
        self._sizes, self._sure, self._wanted = (), {}, {}

    def enable(self, yes: bool) -> None:
        """Whether they can be moved."""
        for slider in (self.threshold, self.smallest):
            slider.setEnabled(yes)

    def follow(self, session: Session) -> None:
        """Show what is in force, unless a person is moving them."""
        if self._wanted or self.workspace.background.is_aside("sift") or self._is_held:
            return
        known = session.image.spacing is not None
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

    @property
    def _is_held(self) -> bool:
        return bool(self.threshold.isSliderDown() or self.smallest.isSliderDown())

    def _learn(self, first: SegmentSettings, chosen: SegmentSettings, known: bool) -> None:
        """The sliders stop at what the film was opened with and at what is in force, too: both can be moved back to."""
        usual = set(_SIZES_MM2 if known else _SIZES_PX)
        ours = {one.min_area_mm2 if known else one.min_area_px for one in (first, chosen)}
        before = self._sizes if set(self._sizes) >= usual else ()
        self._sizes = tuple(sorted({*usual, *ours, *before}))
        self._sure |= {round(100 * one.threshold): one.threshold for one in (first, chosen)}

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
        if self.workspace.background.is_aside("sift"):
            self._rest.start()
            return
        session, wanted = self.workspace.session, self._wanted
        self._wanted = {}
        if session is None or not wanted:
            return
        if not session.finding.has_findings:
            for setting, value in wanted.items():
                self.workspace.attempt(partial(_set, setting, value, self._goes_on(), session))
            return
        joins = self._taken == self._drag
        later = self.workspace.attempt(lambda: session.finding.sifting(joins=joins, **wanted))
        if later is not None:
            self._goes_on()
            self.workspace.background.take_aside("sift", later, lambda: session is self.workspace.session)


def _set(setting: str, value: float, joins: bool, session: Session) -> Event:
    """What a slider says, to a session that has found nothing yet."""
    event: Event = getattr(session.finding, f"set_{setting}")(value, joins=joins)
    return event


def _slider(top: int, tip: str) -> tuple[QSlider, QLabel]:
    slider = QSlider(Qt.Orientation.Horizontal, minimum=0, maximum=top)
    slider.setToolTip(tip)
    text = QLabel(minimumWidth=56)
    text.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return slider, text
