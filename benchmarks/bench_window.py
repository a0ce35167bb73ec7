"""How long the window stands still: the longest gap of a fast timer for each thing that a person does.

A real napari window with the Measure panel, a film of 3000 x 4000 pixels, 1,000 deposits. *gap* is the longest time
between two ticks of a Qt timer while it happens, by clock; *work* is what the window's own thread computed in the
longest such time, which other programs on the machine disturb less. *napari* is both of the same thing in a window
without the plugin, where napari can do it at all: two layers of the same size. Without a GPU all drawing is done by the
processor.
"""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SHAPE, DEPOSITS = (3000, 4000), 1000
#: After it is done, so long is listened for what follows, in s.
_AFTER = 0.8


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            os.environ[name] = home
        film, mask = drawn_film(Path(home) / "films")
        alone = Alone(film, mask).gaps()
        ours = Reader(film, mask).gaps()
    print(f"film {SHAPE[0]} x {SHAPE[1]}, {DEPOSITS} deposits; longest gaps in ms")
    print(f"{'':<26}{'gap':>6}{'work':>6}{'napari gap':>12}{'work':>6}")
    for name, gap in ours.items():
        same = alone.get(name)
        napari = "" if same is None else f"{same.clock:>12.0f}{same.work:>6.0f}"
        print(f"{name:<26}{gap.clock:>6.0f}{gap.work:>6.0f}{napari}")


def drawn_film(folder: Path) -> tuple[Path, np.ndarray]:
    """The sample film enlarged, twice, as DICOM, and a mask of ellipses, from specks to plaques."""
    from napari_calcimeasure._sample_data import home
    from pydicom import dcmread

    film = dcmread(home() / "hand_dx.dcm")
    pixels = cv2.resize(film.pixel_array, SHAPE[::-1], interpolation=cv2.INTER_LINEAR)
    film.Rows, film.Columns, film.PixelData = *pixels.shape, pixels.tobytes()
    folder.mkdir()
    for name in ("a.dcm", "b.dcm"):
        film.save_as(folder / name)
    rng, mask = np.random.default_rng(0), np.zeros(SHAPE, np.int32)
    for number in range(1, DEPOSITS + 1):
        centre = int(rng.integers(SHAPE[1])), int(rng.integers(SHAPE[0]))
        axes = tuple(int(axis) for axis in 2 + rng.lognormal(2, 0.7, 2))
        cv2.ellipse(mask, centre, axes, float(rng.integers(180)), 0, 360, number, -1)
    return folder / "a.dcm", mask


@dataclass(frozen=True, slots=True)
class Gap:
    """Longest gap of the timer by clock, and longest of the thread's own computing, in ms."""

    clock: float
    work: float


class Heartbeat:
    """A timer of the event loop that notes its longest gaps."""

    def __init__(self) -> None:
        from qtpy.QtCore import QTimer

        self._clock = self._work = 0.0
        self._last = time.perf_counter(), time.thread_time()
        self._timer = QTimer(interval=1)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def during(self, do: Callable[[], Any], done: Callable[[], bool] = lambda: True) -> Gap:
        """The longest gaps from `do` until `done`, and a little longer."""
        from qtpy.QtCore import QTimer

        live(0.3)
        self._clock = self._work = 0.0
        self._last = time.perf_counter(), time.thread_time()
        QTimer.singleShot(0, do)
        live(0.05)
        live(60.0, done)
        live(_AFTER)
        return Gap(1000 * self._clock, 1000 * self._work)

    def _beat(self) -> None:
        now = time.perf_counter(), time.thread_time()
        self._clock = max(self._clock, now[0] - self._last[0])
        self._work = max(self._work, now[1] - self._last[1])
        self._last = now


def live(seconds: float, done: Callable[[], bool] = lambda: False) -> None:
    """Let the window live, until something is done or so long."""
    from qtpy.QtWidgets import QApplication

    end = time.perf_counter() + seconds
    while not done() and time.perf_counter() < end:
        QApplication.processEvents()
        time.sleep(0.0005)


def opened_window() -> Any:
    import napari

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 720)
    live(1.0)
    return viewer


class Alone:
    """What napari does by itself with layers of this size."""

    def __init__(self, film: Path, mask: np.ndarray) -> None:
        from calcimeasure import read_image

        self.pixels, self.mask = read_image(film).pixels, mask

    def gaps(self) -> dict[str, Gap]:
        self.viewer, self.heart = opened_window(), Heartbeat()
        self.look = {"scale": (0.1, 0.1), "units": ("mm", "mm")}
        found = {"open": self.heart.during(self._open)}
        found["find arrives"] = found["load mask"] = self.heart.during(self._lay)
        found["paint a stroke"] = self.heart.during(self._paint)
        found["new scale"] = self.heart.during(self._scale)
        found["draw a region"] = self.heart.during(self._draw)
        found["zoom"] = self.heart.during(self._zoom)
        found["next film"] = self.heart.during(self._next)
        self.viewer.close()
        del self.viewer, self.picture, self.labels
        live(0.5)
        gc.collect()  # here: what Qt made must not be taken apart by a thread
        return found

    def _open(self) -> None:
        self.picture = self.viewer.add_image(self.pixels, contrast_limits=(0, 4095), colormap="gray", **self.look)
        self.labels = self.viewer.add_labels(np.zeros(SHAPE, np.int32), **self.look)

    def _lay(self) -> None:
        self.labels.data[:] = self.mask
        self.labels.refresh()

    def _paint(self) -> None:
        self.labels.brush_size = 20
        self.labels.paint((1500, 2000), 7)

    def _scale(self) -> None:
        for layer in (self.picture, self.labels):
            layer.scale = (0.15, 0.15)
        self.viewer.reset_view()

    def _draw(self) -> None:
        shapes = self.viewer.add_shapes(ndim=2, **self.look)
        shapes.add_polygons(corners())
        self.viewer.layers.remove(shapes)

    def _zoom(self) -> None:
        self.viewer.scene.camera.zoom *= 4

    def _next(self) -> None:
        for layer in (self.labels, self.picture):
            self.viewer.layers.remove(layer)
        self._open()


class Reader:
    """A reader at the panel."""

    def __init__(self, film: Path, mask: np.ndarray) -> None:
        from calcimeasure import Labels
        from calcimeasure.io.results.masks import write_labels

        self.film, self.found, self.gap = film, Scored(mask), {}
        self.mask_file = film.parents[1] / "mask.tif"
        write_labels(self.mask_file, Labels(np.roll(mask, 40, 0)), None)

    def gaps(self) -> dict[str, Gap]:
        self.viewer = opened_window()
        _, self.panel = self.viewer.window.add_plugin_dock_widget("calcimeasure", "Measure calcinosis")
        self.workspace, self.heart = self.panel.workspace, Heartbeat()
        live(1.0)
        for name, do, done in self._doings():
            self.gap[name] = self.heart.during(do, done)
            if name == "open":
                self.panel.saving.initials.setText("AB")
        for film in list(self.workspace.films):
            self.workspace.put_away(film)
        self.viewer.close()
        return self.gap

    def _doings(self) -> list[tuple[str, Callable[[], Any], Callable[[], bool]]]:
        panel = self.panel
        return [
            ("open", self._open, lambda: self.session is not None),
            ("find, while it searches", panel.segment, self._idle),
            ("find arrives", self._find, lambda: len(self.session.rows) > DEPOSITS / 2),
            ("threshold slider", lambda: panel.sliders.threshold.setValue(60), self._idle),
            ("size slider", lambda: panel.sliders.smallest.setValue(4), self._idle),
            ("paint a stroke", self._paint, self._idle),
            ("undo", panel.undo, self._idle),
            ("redo", panel.redo, self._idle),
            ("undo a slider", lambda: (panel.undo(), panel.undo()), self._idle),
            ("new scale", lambda: self._rescale(0.15), lambda: self._is_at(0.15)),
            ("undo a scale", panel.undo, lambda: not self._is_at(0.15)),
            ("load mask", self._load, self._idle),
            ("undo a mask", panel.undo, self._idle),
            ("redo a mask", panel.redo, self._idle),
            ("draw a region", self._region, lambda: self.session.region is not None),
            ("undo a region", panel.undo, lambda: self.session.region is None),
            ("choose a row", self._choose, self._idle),
            ("merge", lambda: (panel.choose([1, 2]), panel.merge()), self._idle),
            ("delete", lambda: (panel.choose([1]), panel.delete()), self._idle),
            ("zoom", self._zoom, self._idle),
            ("save", panel.save, lambda: self.session.keeping.is_saved),
            ("next film", self._next, lambda: self.session is not None and self.session.source.image == "b.dcm"),
        ]

    @property
    def session(self) -> Any:
        return self.workspace.session

    def _idle(self) -> bool:
        return self.workspace.background.seconds is None and not self.workspace.background.is_working

    def _open(self) -> None:
        self.viewer.open(str(self.film.parent), plugin="calcimeasure")

    def _find(self) -> None:
        finding, recipe = self.session.finding, self.session.recipe
        work = partial(_proposal, self.found, finding._snapshot, recipe)
        self.workspace.background.take("looking", finding._later(work, "segment"))

    def _paint(self) -> None:
        self.panel.brush()
        self.workspace.film.outlines.paint((1500, 2000), self.session.next_label)

    def _rescale(self, mm: float) -> None:
        self.workspace.background.take_aside("scale", self.session.calibration.scaling(mm))

    def _is_at(self, mm: float) -> bool:
        return self.session.image.spacing.row_mm == mm

    def _load(self) -> None:
        self.workspace.background.take("loading the mask", self.session.edit.loading(self.mask_file))

    def _region(self) -> None:
        self.panel.draw_region()
        self.workspace.marking._layer.add_polygons(corners())

    def _choose(self) -> None:
        self.panel.table.selectRow(300)

    def _zoom(self) -> None:
        self.viewer.scene.camera.zoom *= 4

    def _next(self) -> None:
        self.panel.pages.turn(True)


class Scored:
    """A mask as findings of a search: every deposit with a score between 0.3 and 1."""

    probability = None

    def __init__(self, mask: np.ndarray) -> None:
        self._mask, self._scores = mask, np.random.default_rng(2).uniform(0.3, 1.0, int(mask.max()) + 1)
        self._sizes = np.bincount(mask.reshape(-1))

    def under(self, settings: Any) -> Scored:
        return self

    def segmentation(self, settings: Any, region: Any = None) -> Any:
        from calcimeasure import Labels
        from calcimeasure.model.deposit import Segmentation

        kept = (self._scores >= settings.threshold) & (self._sizes >= 20 * settings.min_area_mm2)
        table = np.where(kept, np.arange(len(kept)), 0).astype(np.int32)
        table[0] = 0
        labels = table[self._mask]
        return Segmentation(Labels(labels if region is None else np.where(region, labels, 0)), ())

    def pixels_of(self, finding: Any) -> None:
        return None


def _proposal(*asked: Any) -> Any:
    from calcimeasure.reading.finding import _proposal

    return _proposal(*asked)


def corners() -> np.ndarray:
    return np.array([[100, 100], [100, 3800], [2500, 3800], [2900, 2000], [2500, 100]], float)


if __name__ == "__main__":
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        display = shutil.which("xvfb-run")
        if display is None:
            sys.exit("needs a display or xvfb-run: make libraries installs it")
        os.execv(display, [display, "-a", "-s", "-screen 0 1280x720x24", sys.executable, *sys.argv])
    main()
