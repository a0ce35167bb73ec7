"""The panels in a real window, driven as a person drives them: by clicks, strokes and keys."""

import csv
import gc
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

napari = pytest.importorskip("napari")
pytest.importorskip("qtpy")

from napari.settings import get_settings
from napari.utils.notifications import notification_manager
from napari_calcimeasure import _sample_data, _workspace
from pydicom import dcmread
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QCloseEvent, QDropEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QPushButton, QTableView

from calcimeasure.io.results.masks import read_labels
from calcimeasure.model.labels import Labels
from calcimeasure.reading.matches import matches_file
from calcimeasure.report.words import area, in_one, in_words

#: One window for all: pytest-xdist keeps them in one process.
pytestmark = pytest.mark.xdist_group("window")
HAND = _sample_data.home() / "hand_dx.dcm"
LEFT = Qt.MouseButton.LeftButton


def until(done: Callable[[], bool], seconds: float = 180.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "waited in vain"
        QApplication.processEvents()
        time.sleep(0.005)


def settle() -> None:
    for _ in range(5):
        QApplication.processEvents()


class Window:
    """A napari window with our panels, and a hand to use them."""

    def __init__(self) -> None:
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(1280, 720)
        docked = self.viewer.window.add_plugin_dock_widget
        _, self.measure = docked("calcimeasure", "Measure calcinosis")
        _, self.calibrate = docked("calcimeasure", "Calibrate the scale", tabify=True)
        _, self.compare = docked("calcimeasure", "Compare two visits", tabify=True)
        self.workspace = self.measure.workspace
        self.clicks = 0
        self.front(self.measure)

    @property
    def session(self):
        return self.workspace.session

    def front(self, panel) -> None:
        panel.parentWidget().raise_()
        settle()

    def press(self, panel, name: str) -> None:
        button = panel.findChild(QPushButton, name)
        assert button.isEnabled(), name
        QTest.mouseClick(button, LEFT)
        self.clicks += 1
        settle()

    def open(self, path: Path) -> None:
        self.viewer.open(str(path), plugin="calcimeasure")
        until(lambda: self.session is not None)

    def find(self) -> None:
        self.press(self.measure, "segment")
        until(lambda: self.workspace.background.seconds is None)

    def stroke(self, *moves: QPoint) -> None:
        canvas = self.viewer.window._qt_viewer.canvas.native
        middle = QPoint(canvas.width() // 2, canvas.height() // 2)
        QTest.mousePress(canvas, LEFT, pos=middle)
        for move in moves:
            QTest.mouseMove(canvas, middle + move)
        QTest.mouseRelease(canvas, LEFT, pos=middle + (moves[-1] if moves else QPoint()))
        self.clicks += 1
        settle()

    def save(self) -> None:
        self.measure.saving.initials.setText("AB")
        self.press(self.measure, "save")
        until(lambda: self.workspace.background.seconds is None)

    def key(self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(self.viewer.window._qt_viewer.canvas.native, key, modifier)
        settle()

    def clear(self) -> None:
        self.compare.stop()
        self.workspace.marking.put_away()
        for film in list(self.workspace.films):
            self.workspace.put_away(film)
        self.viewer.layers.clear()
        self.measure.pages.worklist, self.workspace.naming, self.clicks = None, {}, 0
        self.measure.saving.initials.setText("")
        gc.collect()  # here: what Qt made must not be taken apart by a thread
        settle()
        self.front(self.measure)
        self.measure._turned()


@pytest.fixture
def shared_window(display: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    """A window of its own for each test: software OpenGL dies of layers that come and go in one window for long."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            patch.setenv(name, str(home))
        window = Window()
        yield window
        window.clear()
        window.viewer.close()
        settle()


@pytest.fixture
def window(shared_window: Window, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Window]:
    monkeypatch.setenv("HOME", str(tmp_path))
    raised: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: raised.append(error))  # Qt swallows them
    _workspace.settings().clear()
    shared_window.clear()
    yield shared_window
    shared_window.clear()
    assert not raised


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Part of the sample film with three deposits: quicker to search than all of it."""
    whole = dcmread(HAND)
    part = whole.pixel_array[400:800, 250:650]
    whole.Rows, whole.Columns, whole.PixelData = *part.shape, part.tobytes()
    whole.save_as(tmp_path / "hand.dcm")
    return tmp_path / "hand.dcm"


@pytest.fixture
def truth() -> np.ndarray:
    """The true deposits of that part."""
    return read_labels(HAND.parent / "truth" / "hand_dx.labels.tif", (1125, 800)).array[400:800, 250:650]


def _record_of() -> list[str]:
    return [record.message for record in notification_manager.records]


def test_from_the_sample_to_a_saved_number_in_six_clicks(window: Window, tmp_path: Path) -> None:
    panel = window.measure
    window.press(panel, "sample")
    until(lambda: window.session is not None)
    window.find()
    found = window.session.measurement.area_mm2.value
    window.press(panel, "new")
    window.stroke(QPoint(12, 0), QPoint(12, 12))
    QTest.mouseClick(panel.saving.initials, LEFT)
    window.clicks += 1
    QTest.keyClicks(panel.saving.initials, "AB")
    window.press(panel, "save")
    until(lambda: window.session.keeping.is_saved)
    assert window.clicks <= 6
    shown = window.session.measurement.area_mm2
    assert shown.value > found
    assert in_words(shown) in panel.lists.total.text()
    with (panel.pages.folder / "images.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (float(row["area_mm2"]), float(row["area_mm2_sd"])) == pytest.approx((shown.value, shown.sd), rel=1e-6)
    with (panel.pages.folder / "deposits.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(panel.table.shown())
    assert window.session.keeping.is_saved
    assert panel.pages.folder.parent == tmp_path


def test_keys_undo_and_redo_on_the_picture(window: Window, film: Path) -> None:
    window.open(film)
    window.press(window.measure, "brush")
    empty = window.session.labels.copy()
    window.stroke(QPoint(20, 0))
    painted = window.session.labels.copy()
    assert painted.any()
    window.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert np.array_equal(window.workspace.film.outlines.data, empty)
    window.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert np.array_equal(window.workspace.film.outlines.data, painted)
    assert window.session.history.names == ("paint",)


def test_no_key_leaves_a_tool_behind_that_nobody_chose(window: Window, film: Path) -> None:
    window.open(film)
    outlines, none = window.workspace.film.outlines, Qt.KeyboardModifier.NoModifier
    canvas, control = window.viewer.window._qt_viewer.canvas.native, Qt.KeyboardModifier.ControlModifier

    def after(*keys: tuple[Qt.Key, Qt.KeyboardModifier], tool: str = "erase") -> str:
        outlines.mode = tool
        for key, modifier in keys:
            QTest.keyPress(canvas, key, modifier)
            settle()
            time.sleep(get_settings().application.hold_button_delay + 0.05)
            QTest.keyRelease(canvas, key, modifier)
            settle()
        return str(outlines.mode)

    letter = Qt.Key
    assert after((letter.Key_Z, none)) == "pan_zoom"
    assert after((letter.Key_Z, none), (letter.Key_Z, control)) == "pan_zoom"
    assert after((letter.Key_P, none), (letter.Key_P, control)) == "paint"
    assert after((letter.Key_E, none), tool="paint") == "erase"
    assert after((letter.Key_1, none), tool="paint") == "paint"  # a box on photos, nothing on films
    assert after((letter.Key_F, none), (letter.Key_F, control)) == "fill"
    assert after((letter.Key_7, none), tool="paint") == "paint"
    assert after((letter.Key_Space, none), tool="erase") == "erase"
    outlines.mode = "erase"
    QTest.keyPress(canvas, letter.Key_Space)
    assert str(outlines.mode) == "pan_zoom"
    QApplication.instance().focusChanged.emit(canvas, None)  # it goes up where we do not see it
    assert str(outlines.mode) == "erase"
    window.press(window.measure, "hand")
    QTest.keyRelease(canvas, letter.Key_Space)
    QTest.keyClick(canvas, letter.Key_Space)
    assert str(outlines.mode) == "pan_zoom"
    for key in (letter.Key_X, letter.Key_Minus):  # painting with the background would erase
        after((key, none), tool="paint")
        assert outlines.selected_label > 0


def test_the_panel_says_what_is_known(window: Window, film: Path) -> None:
    window.open(film)
    panel, layers = window.measure, window.workspace.film
    assert "not measured yet" in panel.lists.total.text()
    window.session.edit.edited((slice(50, 60), slice(50, 60)), np.ones((10, 10), np.int32))
    region = np.zeros(window.session.labels.shape, bool)
    region[:40] = True
    window.session.finding.set_region(region)
    assert "10 %" in panel.head.text()
    assert layers.region_outline.layer in window.viewer.layers
    assert window.viewer.layers.selection.active is layers.outlines
    window.press(panel, "whole")
    assert list(window.session.rows) == [1]
    assert layers.region_outline is None
    assert "region" not in panel.head.text()
    assert [layer.name for layer in window.viewer.layers if "region" in layer.name] == []
    assert not panel.buttons["whole"].isEnabled()
    panel.saving.initials.setText("AB")
    window.press(panel, "deny")
    assert panel.lists.total.text() == "No calcium, says AB"
    away = film.parent.rename(film.parent.with_name("away"))
    window.workspace.keep_up()
    assert panel.kept.isVisible()
    assert "crash" in panel.kept.text()
    away.rename(film.parent)
    window.workspace.keep_up()
    assert not panel.kept.isVisible()


def test_sliders_show_what_is_in_force_and_a_drag_is_one_step(window: Window, film: Path) -> None:
    window.open(film)
    panel = window.measure
    window.session.finding.set_min_area_mm2(0.6)  # between two stops
    slider, first = panel.sliders.smallest, panel.sliders.smallest.value()
    slider.setSliderDown(True)
    for at in (slider.maximum(), 3, slider.maximum()):
        slider.setValue(at)
        until(lambda: not panel.sliders._wanted)
    slider.setSliderDown(False)
    assert window.session.history.names == ("smallest size", "smallest size")
    slider.setValue(first)
    until(lambda: window.session.recipe.segment.min_area_mm2 == 0.6)
    window.session.undo()
    assert slider.value() == slider.maximum()
    window.session.undo()
    window.session.undo()
    assert panel.sliders.smallest_text.text() == "0.5 mm²"


QUIT = """
import sys
from pathlib import Path
import napari, numpy as np
from qtpy.QtCore import QTimer
viewer = napari.Viewer(show=True)
_, panel = viewer.window.add_plugin_dock_widget("calcimeasure", "Measure calcinosis")
viewer.open(sys.argv[1], plugin="calcimeasure")
panel.workspace.session.edit.edited((slice(50, 60), slice(50, 60)), np.ones((10, 10), np.int32))
panel.workspace.ask = lambda *_: sys.argv[2]
QTimer.singleShot(0, panel.window().close)
napari.run()
"""


def test_discarding_on_quitting_discards(window: Window, film: Path) -> None:
    quit_ = subprocess.run([sys.executable, "-c", QUIT, str(film), "discard"], check=False)
    assert quit_.returncode == 0
    assert list(film.parent.glob("*journal*")) == []


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from calcimeasure.reading.session import Session
session = Session.open(Path(sys.argv[1]))
session.keeping.keep_journal()
for at in range(10, 60, 10):
    session.edit.edited((slice(at, at + 5), slice(20, 30)), np.full((5, 10), at, np.int32))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_work_of_a_killed_process_is_offered_and_restored(window: Window, film: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(film)], env=os.environ | {"QT_QPA_PLATFORM": ""})
    assert killed.returncode == -9
    window.open(film)
    assert window.measure.restoring.isVisible()
    window.press(window.measure, "restore")
    assert sorted(window.session.rows) == [10, 20, 30, 40, 50]
    assert np.array_equal(window.workspace.film.outlines.data, window.session.labels)
    assert not window.measure.restoring.isVisible()


def test_a_row_shows_its_deposit_and_a_deposit_its_row(window: Window, film: Path, truth: np.ndarray) -> None:
    window.open(film)
    window.session.edit.set_labels(Labels(truth))
    panel = window.measure
    view = panel.table
    QTest.mouseClick(view.viewport(), LEFT, pos=view.visualRect(view.model().index(1, 0)).center())
    (number,) = view.selected()
    assert window.workspace.film.chosen == number
    row = window.session.rows[number]
    camera = window.viewer.scene.camera.center
    assert np.allclose(camera[-2:], np.array([row.bbox[0] + row.bbox[2], row.bbox[1] + row.bbox[3]]) * 0.1)
    panel.choose([])
    window.press(panel, "hand")
    if window.session.at(*[round(at / 0.2) for at in camera[-2:]]):
        window.stroke()
        assert view.selected() == [number]


def test_sliders_act_at_once_and_a_finding_comes_back(window: Window, film: Path) -> None:
    window.open(film)
    window.find()
    panel = window.measure
    found = len(window.session.rows)
    panel.sliders.smallest.setValue(panel.sliders.smallest.maximum())
    until(lambda: len(window.session.rows) < found)
    held = window.session.excluded
    panel.lists.tabs.setCurrentIndex(1)
    panel.excluded.select([held[0]])
    before = len(window.session.rows)
    window.press(panel, "back")
    assert len(window.session.rows) == before + 1
    panel.lists.tabs.setCurrentIndex(0)
    panel.sliders.threshold.setValue(5)
    until(lambda: window.session.recipe.segment.threshold == 0.05)
    assert len(panel.table.shown()) == len(window.session.rows)


def test_deposits_are_merged_parted_refused_and_accepted(window: Window, film: Path, truth: np.ndarray) -> None:
    window.open(film)
    window.session.edit.set_labels(Labels(truth))
    panel, session = window.measure, window.session
    one, other, third = sorted(session.rows, key=lambda n: -session.rows[n].area_px.value)[:3]
    panel.choose([one, other])
    window.press(panel, "merge")
    kept = min(one, other)
    count = len(session.rows)
    assert max(one, other) not in session.rows
    panel.choose([kept])
    window.press(panel, "split")
    assert len(session.rows) > count
    panel.choose([third])
    window.press(panel, "accept")
    assert third in session.accepted
    panel.choose([third])
    window.press(panel, "reject")
    assert third not in session.rows
    assert panel.buttons["undo"].toolTip() == "Undo reject"
    assert [texts[0] for texts in panel.excluded.shown()] == ["refused by you"]


def test_a_prompt_outlines_a_deposit_on_a_photo(window: Window, tmp_path: Path) -> None:
    window.open(Path(shutil.copy(_sample_data.home() / "skin_light.jpg", tmp_path / "skin.jpg")))
    assert window.measure.prompts.isVisible()
    window.press(window.measure, "box")
    window.workspace.marking._layer.add_rectangles(np.array([[105, 335], [105, 405], [175, 405], [175, 335]]))
    until(lambda: bool(window.session.rows))
    assert window.session.at(140, 370) == 1
    assert not window.workspace.marking.is_out
    assert "px" in window.measure.lists.total.text()


def test_a_region_limits_what_is_counted(window: Window, film: Path, truth: np.ndarray) -> None:
    window.open(film)
    window.session.edit.set_labels(Labels(truth))
    window.press(window.measure, "region")
    window.workspace.marking._layer.add_polygons(np.array([[0, 0], [0, 399], [120, 399], [120, 0]]))
    until(lambda: window.session.region is not None)
    assert window.session.rows
    assert not window.session.labels[122:].any()
    window.press(window.measure, "whole")
    assert window.session.region is None


def test_a_line_of_known_length_changes_the_numbers_at_once(window: Window) -> None:
    window.viewer.add_image(np.tile(np.arange(200, dtype=np.uint16), (200, 1)), name="strange")
    until(lambda: window.session is not None)
    session = window.session
    session.edit.edited((slice(50, 60), slice(50, 60)), np.ones((10, 10), np.int32))
    assert "100 px" in window.measure.lists.total.text()
    window.front(window.calibrate)
    window.calibrate.length.setValue(10.0)
    window.press(window.calibrate, "line")
    window.workspace.marking._layer.add_lines(np.array([[20.0, 20.0], [20.0, 120.0]]))
    until(lambda: session.image.spacing is not None)
    assert session.measurement.area_mm2.value == pytest.approx(1.0)
    assert in_words(area(session.measurement)) in window.measure.lists.total.text()
    assert "line of known length" in window.calibrate.now.text()
    assert {str(unit) for layer in window.workspace.film.layers for unit in layer.units} == {"millimeter"}
    window.press(window.calibrate, "forget")
    until(lambda: session.image.spacing is None)


def test_a_picture_without_marker_says_why_there_is_no_scale(window: Window, film: Path) -> None:
    window.open(film)
    window.front(window.calibrate)
    window.press(window.calibrate, "find")
    until(lambda: window.workspace.background.seconds is None)
    assert len(window.calibrate.scale_text.text()) > 20


def test_a_signed_mask_is_locked_until_it_is_reopened(window: Window, film: Path) -> None:
    window.open(film)
    window.session.edit.edited((slice(50, 60), slice(50, 60)), np.ones((10, 10), np.int32))
    panel = window.measure
    panel.saving.initials.setText("AB")
    window.press(panel, "sign")
    assert not panel.buttons["brush"].isEnabled()
    assert "signed AB" in panel.head.text()
    panel.saving.ask_reason = lambda: ("second look", True)
    window.press(panel, "sign")
    assert panel.buttons["brush"].isEnabled()
    assert not window.session.is_signed


def test_another_mask_is_not_overwritten_without_a_yes(window: Window, film: Path) -> None:
    window.open(film)
    panel = window.measure
    window.session.edit.edited((slice(50, 60), slice(50, 60)), np.ones((10, 10), np.int32))
    window.save()
    (written,) = panel.pages.folder.glob("masks/*.tif")
    first = written.read_bytes()
    window.clear()
    window.open(film)
    assert list(window.session.rows) == [1]
    written.write_bytes(first + b" ")
    asked = []
    panel.saving.ask_overwrite = lambda words: asked.append(words) or False
    window.session.edit.delete([1])
    window.save()
    assert asked
    assert not window.session.keeping.is_saved
    assert written.read_bytes() == first + b" "


def test_a_folder_is_a_worklist(window: Window, film: Path) -> None:
    shutil.copy(film, film.with_name("other.dcm"))
    window.open(film.parent)
    panel = window.measure
    assert "1 of 2" in panel.pages.text.text()
    window.session.edit.edited((slice(50, 60), slice(50, 60)), np.ones((10, 10), np.int32))
    window.save()
    window.press(panel, "next")
    until(lambda: window.session is not None and window.session.source.image == "other.dcm")
    assert "2 of 2" in panel.pages.text.text()
    assert "1 corrected" in panel.pages.text.text()
    window.session.edit.edited((slice(50, 60), slice(50, 60)), np.ones((10, 10), np.int32))
    window.workspace.ask = lambda *_: "cancel"
    window.press(panel, "previous")
    assert window.session.source.image == "other.dcm"
    window.workspace.ask = lambda *_: "discard"
    window.press(panel, "previous")
    until(lambda: window.session is not None and window.session.source.image == "hand.dcm")
    assert list(window.session.rows) == [1]
    assert list(film.parent.glob("other*journal*")) == []


def test_closing_over_unsaved_work_asks(window: Window, film: Path) -> None:
    window.open(film)
    window.session.edit.edited((slice(50, 60), slice(50, 60)), np.ones((10, 10), np.int32))
    asked = []
    window.workspace.ask = lambda _, names: asked.append(names) or "cancel"
    main = window.measure.window()
    QApplication.sendEvent(main, QCloseEvent())
    assert asked == ["hand"]
    assert main.isVisible()


def test_what_is_refused_is_said_in_plain_words(window: Window, film: Path) -> None:
    window.open(film)
    window.session.edit.deny("AB")
    window.session.keeping.sign("AB")
    window.workspace.film.undo()
    assert any("signed by AB" in words for words in _record_of())


def test_cancelled_work_changes_nothing(window: Window, film: Path) -> None:
    window.open(film)
    window.press(window.measure, "segment")
    until(lambda: window.workspace.background.is_working)
    window.press(window.measure, "cancel")
    assert window.workspace.background.seconds is None
    until(lambda: not window.workspace.background.is_working)
    settle()
    assert not window.session.rows


def test_the_wedge_gives_densities_that_are_saved(window: Window) -> None:
    film = _sample_data.home() / "hand_wedge.dcm"
    if not film.is_file():
        pytest.skip("needs sample_images/hand_wedge.dcm: make samples draws it")
    window.open(film)
    session, panel = window.session, window.calibrate
    session.edit.edited((slice(400, 412), slice(330, 342)), np.ones((12, 12), np.int32))
    window.front(panel)
    panel.steps.setText("0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10")
    window.press(panel, "findwedge")
    until(lambda: panel.densities.text() != "")
    assert "10 steps" in panel.wedge_text.text()
    assert session.recipe.wedge.steps_mm == (0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10)
    (row,) = session.analysing()().measurement.deposits
    assert (in_words(row.density.mmal_mean).split(" ")[0] if row.density.mmal_mean else in_one(row.density.reason)) in (
        panel.densities.text()
    )
    session.undo()
    settle()
    assert panel.densities.text() == ""
    assert session.recipe.wedge.steps_mm == ()


@pytest.fixture
def compared(window: Window) -> Window:
    """The sample pair with its true outlines, compared."""
    window.viewer.open_sample("calcimeasure", "pair")
    until(lambda: len(window.workspace.films) == 2)
    truth = _sample_data.home() / "ivig_study" / "truth"
    for film, (name, _) in zip(window.workspace.films, _sample_data.PAIR, strict=True):
        film.session.edit.set_labels(read_labels(truth / f"{Path(name).stem}.labels.tif", film.session.image.shape))
    window.front(window.compare)
    window.press(window.compare, "compare")
    until(lambda: window.workspace.background.seconds is None)
    return window


def test_two_visits_are_compared_and_a_match_is_corrected(compared: Window, tmp_path: Path) -> None:
    window, panel = compared, compared.compare
    rows = {row.deposit: row for row in panel.pair.change.deposits}
    assert [texts[0] for texts in panel.table.shown()] == sorted(rows)
    assert any(word in panel.verdict.text() for word in ("improved", "stable", "worse"))
    assert window.viewer.canvas.grid.enabled
    first, second = sorted(rows)[:2]
    drag(panel.table, first, second)
    assert len(panel.pair.change.deposits) == len(rows) - 1
    assert any("✎" in texts[1] for texts in panel.table.shown())
    overrides = panel.pair.overrides
    window.press(panel, "compare")
    until(lambda: window.workspace.background.seconds is None)
    assert panel.pair.overrides == overrides
    panel.automatic()
    assert len(panel.pair.change.deposits) == len(rows)
    assert not matches_file(window.workspace.films[1].session.source).exists()
    for way in panel.ways.buttons():
        way.click()
        settle()
    panel.ask_folder = lambda: str(tmp_path / "report")
    window.press(panel, "export")
    until(lambda: window.workspace.background.seconds is None)
    assert {"report.html", "report.pdf"} <= {path.name for path in (tmp_path / "report").iterdir()}
    window.press(panel, "stop")
    assert not window.viewer.canvas.grid.enabled
    assert window.workspace.films[0].picture.visible


def drag(table: QTableView, name: str, onto: str) -> None:
    """A row dropped on another: the event that Qt gives the table at the end of a drag.

    Qt sends it to the target of a running drag only, and that needs a real pointer: the table gets it from us.
    """
    rows = {table.model().index(at, 0).data(): at for at in range(table.model().rowCount())}
    table.selectRow(rows[name])
    place = table.visualRect(table.model().index(rows[onto], 0)).center()
    mime = table.model().mimeData(table.selectionModel().selectedIndexes())
    move, left, none = Qt.DropAction.MoveAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    assert table.model().flags(table.model().index(rows[name], 0)) & Qt.ItemFlag.ItemIsDragEnabled
    assert table.dragEnabled()
    assert table.viewport().acceptDrops()
    table.dropEvent(QDropEvent(QPointF(place), move, mime, left, none))
    settle()


def test_the_picture_shows_outlines_and_numbers(window: Window, film: Path, truth: np.ndarray) -> None:
    window.open(film)
    window.session.edit.set_labels(Labels(truth))
    window.workspace.settle()
    settle()
    shown = window.viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    for layer in window.workspace.film.layers[1:]:
        layer.visible = False
    bare = window.viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    assert bare.mean() > 10
    assert np.ptp(bare, axis=-1).max() < 12
    coloured = np.ptp(shown, axis=-1) > 60
    assert 200 < coloured.sum() < 0.05 * coloured.size
