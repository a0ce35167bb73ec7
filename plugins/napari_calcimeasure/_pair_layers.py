"""Two compared films as napari layers in the baseline's frame: pictures, outlines coloured by fate, letters."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image as Picture
from napari.layers import Labels, Points
from napari.utils.colormaps import DirectLabelColormap

from calcimeasure.follow_up import Comparison
from calcimeasure.model.study import DepositChange
from calcimeasure.reading.pair import code_of, fate_map
from calcimeasure.report.marks import FATES
from napari_calcimeasure import _layers
from napari_calcimeasure._outline import Drawing


class PairLayers:
    """Six layers at the bottom of the viewer: picture, fates and letters of either visit.

    The follow-up is laid on the baseline's pixels, so that one camera shows the same place of both.
    """

    def __init__(self, viewer: Any, pair: Comparison) -> None:
        self.viewer, self.pair = viewer, pair
        self.before, self.after = self._three("baseline", False), self._three("follow-up", True)
        self._hidden = [layer for layer in viewer.layers if layer.visible]
        for layer in self._hidden:
            layer.visible = False
        # At the bottom, three each: napari's grid counts layers in threes from there.
        for at, layer in enumerate((*self.before, *self.after)):
            viewer.layers.insert(at, layer)
        viewer.layers.selection.active = self.after[0]

    def take(self, pair: Comparison) -> None:
        """The same films with other matches."""
        self.pair = pair
        for layers, followup in ((self.before, False), (self.after, True)):
            layers[1].data = self._fates(followup)
            fresh = self._letters(followup)
            layers[2].data = fresh[0]
            layers[2].features = {"said": fresh[1]}

    def side_by_side(self) -> None:
        """Both films beside each other under one camera."""
        self.curtain(0.0)
        self._show(after=True)
        self._grid(True)

    def curtain(self, share: float) -> None:
        """The follow-up over the baseline, drawn aside from the left by a share (0-1) of the width."""
        self._grid(False)
        self._show(after=True)
        pixels, fates = self._pixels(), self._fates(True)
        column = min(round(share * pixels.shape[1]), pixels.shape[1] - 1)
        step = self.after[0].scale[-1]
        for layer, data in ((self.after[0], pixels), (self.after[1], fates)):
            layer.data = data[:, column:]
            layer.translate = (0.0, column * step)
        for letters, here in ((self.before[2], column > 0), (self.after[2], True)):
            right = letters.data[:, 1] >= column
            letters.shown = right if letters is self.after[2] else ~right if here else np.ones(len(right), bool)

    def flicker(self, show_after: bool) -> None:
        """The follow-up in place of the baseline, or not."""
        self._grid(False)
        self._show(after=show_after, before=not show_after)

    def look_at(self, row: DepositChange) -> None:
        """Move the camera to a deposit."""
        point = row.baseline_point
        if point is None and row.followup_point is not None:
            (point,) = self.pair.alignment.baseline_of([row.followup_point])
        if point is not None and np.isfinite(point).all():
            camera = getattr(self.viewer, "scene", self.viewer).camera
            camera.center = tuple(np.asarray(point) * self.before[0].scale)

    def put_away(self) -> None:
        """Take the six layers off and show what was shown before."""
        self._grid(False)
        for layer in (*self.before, *self.after):
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
        for layer in self._hidden:
            layer.visible = True

    def _grid(self, on: bool) -> None:
        grid = self.viewer.canvas.grid if hasattr(self.viewer, "canvas") else self.viewer.grid
        if grid.enabled != on:
            grid.stride, grid.shape, grid.enabled = 3, (1, 2), on

    def _show(self, after: bool, before: bool = True) -> None:
        for layers, shown in ((self.before, before), (self.after, after)):
            for layer in layers:
                layer.visible = shown

    def _three(self, name: str, followup: bool) -> tuple[Any, ...]:
        placed = _layers.placed(self.pair.baseline.image.spacing)
        pixels = self._pixels() if followup else self.pair.baseline.image.pixels
        look: dict[str, Any] = {"rgb": True}
        if pixels.ndim == 2:
            window = _layers.window_of(self.pair.baseline.image)
            look = {"colormap": "gray", "contrast_limits": window}
        colours = {code_of(fate): mark.hex for fate, mark in FATES.items()} | {None: "transparent", 0: "transparent"}
        fates = Labels(
            self._fates(followup), name=f"{name} fates", colormap=DirectLabelColormap(color_dict=colours), **placed
        )
        Drawing(fates)
        fates.contour = max(2, round(max(pixels.shape) / 500))
        fates.opacity, fates.editable = 1.0, False
        points, said = self._letters(followup)
        text = {"string": "{said}", "color": "yellow", "size": 10, "anchor": "lower_left", "translation": [-3, 3]}
        letters = Points(
            points,
            ndim=2,
            name=f"{name} letters",
            features={"said": said},
            text=text,
            size=1,
            face_color="transparent",
            border_color="transparent",
            **placed,
        )
        mark = {_layers.KEY: _layers.COMPARED}
        return Picture(pixels, name=f"{name}, compared", metadata=mark, **look, **placed), fates, letters

    def _pixels(self) -> Any:
        """The follow-up on the baseline's pixels; itself when the films could not be aligned."""
        pixels = self.pair.followup.image.pixels
        return pixels if self.pair.alignment.refused else self.pair.alignment.on_baseline(pixels)

    def _fates(self, followup: bool) -> Any:
        found = fate_map(self.pair, followup=followup)
        if not followup or self.pair.alignment.refused:
            return found
        return self.pair.alignment.on_baseline(found, nearest=True)

    def _letters(self, followup: bool) -> tuple[Any, list[str]]:
        """Where a deposit's letter and name stand in the baseline's frame."""
        rows = [
            row
            for row in self.pair.change.deposits
            if (row.followup_point if followup else row.baseline_point) is not None
        ]
        points = np.array([row.followup_point if followup else row.baseline_point for row in rows] or np.zeros((0, 2)))
        if followup and len(rows) and not self.pair.alignment.refused:
            points = self.pair.alignment.baseline_of(points)
        there = np.isfinite(points).all(axis=1) if len(rows) else np.zeros(0, bool)
        return points[there], [
            f"{FATES[row.fate].letter} {row.deposit}" for row, ok in zip(rows, there, strict=True) if ok
        ]
