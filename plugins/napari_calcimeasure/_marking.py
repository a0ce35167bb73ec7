"""One line, box, lasso, outline or point drawn on the picture, handed over and gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Points, Shapes
from qtpy.QtCore import QObject, QTimer

from napari_calcimeasure import _layers

#: napari's drawing mode of each kind of mark.
_MODES = {
    "line": "add_line",
    "box": "add_rectangle",
    "lasso": "add_polygon_lasso",
    "outline": "add_polygon",
    "click": "add",
}
Taken = Callable[[_layers.Corners], None]


class Marking(QObject):
    """Draws on a layer of its own; a mark is taken off once it was handed over, as (row, column) corners."""

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Any = None
        self._back: Any = None
        self._taken: Taken | None = None

    @property
    def is_out(self) -> bool:
        """Whether a mark is waited for."""
        return self._layer is not None

    def draw(self, kind: str, name: str, spacing: Any, taken: Taken) -> None:
        """Wait for a mark of a kind (line, box, lasso, outline, click) and hand it to `taken`."""
        self.put_away()
        self._back, self._taken = self._viewer.layers.selection.active, taken
        make = Points if kind == "click" else Shapes
        look = {"size": 8} if kind == "click" else {"edge_width": 2}
        self._layer = make(ndim=2, name=name, face_color="transparent", **look, **_layers.placed(spacing))
        self._viewer.add_layer(self._layer)
        self._viewer.layers.selection.active = self._layer
        self._layer.mode = _MODES[kind]
        if kind != "click":
            self._layer.current_edge_color = "yellow"
        self._layer.events.data.connect(self._drawn)

    def put_away(self) -> None:
        """Stop waiting."""
        layer, self._layer = self._layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)
            if self._back is not None and self._back in self._viewer.layers:
                self._viewer.layers.selection.active = self._back

    def _drawn(self, event: Any) -> None:
        # napari is still in its mouse handler: the layer may be removed only after that.
        if str(getattr(event, "action", "")) == "added":
            QTimer.singleShot(0, self._hand_over)

    def _hand_over(self) -> None:
        if self._layer is None or not len(self._layer.data):
            return
        mark, taken = np.array(self._layer.data[-1], float), self._taken
        self.put_away()
        if taken is not None:
            taken(mark)


def box_of(corners: _layers.Corners) -> tuple[float, float, float, float]:
    """(row0, column0, row1, column1) around corners."""
    (row0, column0), (row1, column1) = corners.min(axis=0), corners.max(axis=0)
    return float(row0), float(column0), float(row1), float(column1)
