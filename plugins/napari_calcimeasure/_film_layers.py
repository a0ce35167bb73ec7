"""A session and the napari layers that show it: strokes go in, numbers and undone strokes come out. No Qt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from inspect import isgeneratorfunction
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from napari.layers import Image as Picture
from napari.layers import Labels, Points, Shapes
from napari.utils.colormaps import CyclicLabelColormap
from napari.utils.colormaps.standardize_color import transform_color

from calcimeasure.errors import CalcimeasureError
from calcimeasure.io.files import sha256_of
from calcimeasure.model.image import Mask
from calcimeasure.reading.patch import Array, Where
from calcimeasure.reading.record import Source
from calcimeasure.reading.session import Event, Session
from calcimeasure.recipe import Recipe
from napari_calcimeasure import _layers
from napari_calcimeasure._outline import Drawing
from napari_calcimeasure._sample_data import home

#: Changes of fewer pixels are shown by themselves; larger ones by drawing the mask anew.
_SMALL = 1 << 20
#: More deposits than this are not numbered on the picture: nobody could read it.
_MOST_NUMBERS = 300
#: An outline is drawn one pixel wide for so many pixels of the picture's long side.
_OUTLINE_SHARE = 700
#: Outlines of large changes are drawn for so long at a time, in s: the window lives in between.
_DRAWS = 0.02
_MODES = {"erase": "erase", "fill": "fill", "polygon": "outline"}


class FilmLayers:
    """One open picture, with its session and its layers.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    picture : napari Image layer
        Opened by us or by anybody.
    source : Source, optional
        Where it comes from, when a worklist knows.
    recipe : Recipe, optional
    later : callable, optional
        Does what it is given once the window has had its turn; without it, at once. napari also writes some strokes
        only after telling of them: what is refused is taken back once it has.
    """

    def __init__(
        self,
        viewer: Any,
        picture: Picture,
        source: Source | None = None,
        recipe: Recipe | None = None,
        later: Callable[[Callable[[], None]], None] = lambda action: action(),
    ) -> None:
        self.viewer, self.picture = viewer, picture
        self.session = Session(
            _layers.image_of(picture), recipe, _hashed(source, picture) if source else _source_of(picture)
        )
        self.refused: Callable[[CalcimeasureError], None] = _raise
        self.later = later
        self.chosen = 0
        self.trouble = ""
        self._ours = False
        self._tool_before: str | None = None
        empty = np.zeros(self.session.image.shape, np.int32)
        # Not shown before it is on the viewer: napari would draw it three times.
        look: dict[str, Any] = {"opacity": 1.0, "colormap": _bright(), "visible": False}
        self.outlines = Labels(empty, name=f"{picture.name} deposits", **look, **self._placed)
        self.drawing = Drawing(self.outlines)
        self.outlines.contour = max(1, round(max(empty.shape) / _OUTLINE_SHARE))
        self.outlines.metadata[_layers.KEY] = self.session.image.spacing
        self._tell_authors()
        self.region_outline: RegionOutline | None = None
        self.numbers = Points(ndim=2, name=f"{picture.name} numbers", **_look(), **self._placed)
        self._lay_down()
        self.session.on_change(self.show)

    @property
    def layers(self) -> tuple[Any, ...]:
        """Picture, outlines and numbers, and the region of interest where one is in force."""
        return (
            self.picture,
            self.outlines,
            self.numbers,
            *((self.region_outline.layer,) if self.region_outline else ()),
        )

    def lift(self, *, picture: bool = False, discard: bool = False) -> str:
        """Take our layers off, or the picture as well, and give the journal back; gives what went wrong with it."""
        trouble = self.session.keeping.close(discard=discard)
        # As a batch: napari goes through all of Python's memory after each removal, a sixth of a second.
        with self.viewer.layers.batched_update():
            for layer in self.layers[0 if picture else 1 :]:
                if layer in self.viewer.layers:
                    self.viewer.layers.remove(layer)
        return trouble

    def show(self, event: Event) -> None:
        """What the session changed, on the layers."""
        if event.where is not None and not self._ours:
            self._lay(event.where)
        if event.name == "scale" or event.how == "restore":
            _layers.place(self.layers, self.session.image.spacing)
            self.outlines.metadata[_layers.KEY] = self.session.image.spacing
        self._tell_authors()
        self._draw_region()
        self.outlines.editable = not self.session.is_signed

    def _draw_region(self) -> None:
        """The region of interest that is in force, on the picture."""
        region = self.session.region
        if self.region_outline is not None and self.region_outline.region is not region:
            self.region_outline.lift(self.viewer)
            self.region_outline = None
        if region is not None and self.region_outline is None:
            self.region_outline = RegionOutline(self.viewer, region, f"{self.picture.name} region", self._placed)

    def _tell_authors(self) -> None:
        """What the writer needs to know besides the pixels."""
        self.outlines.metadata[_layers.AUTHORSHIP] = self.session.state.authorship

    def show_rows(self) -> None:
        """Features and numbers of all deposits; not for every stroke, since napari lays all texts anew."""
        rows = [self.session.rows[number] for number in sorted(self.session.rows)]
        self.outlines.features = _layers.features_of(rows)
        few = rows if len(rows) <= _MOST_NUMBERS else [row for row in rows if row.label == self.chosen]
        self.numbers.data = np.array([row.centroid for row in few] or np.zeros((0, 2)))
        self.numbers.features = {"number": [str(row.label) for row in few]}
        self.numbers.size = [1.6 * _extent(row.bbox) for row in few] or 10
        chosen = np.array([row.label == self.chosen for row in few], bool)
        self.numbers.border_color = [[1, 1, 0, 1] if one else [0, 0, 0, 0] for one in chosen] or [[0, 0, 0, 0]]

    def choose(self, number: int) -> None:
        """Ring a deposit and take it as the one to paint on; 0 for a new one."""
        self.chosen = number
        with self._quietly():
            self.outlines.selected_label = number or self.session.next_label
        self.show_rows()

    def brush(self, mm: float) -> int:
        """Set the brush to a diameter in mm (in px while there is no scale); gives it in px."""
        px = self.session.brush_px(mm) or max(1, round(mm))
        self.outlines.brush_size = px
        return px

    # --- from the layer to the session ------------------------------------------------------------------

    def painted(self, event: Any) -> None:
        """One finished stroke of napari's brush, eraser, bucket or polygon."""
        if self._ours:
            return
        where, values = _painted(self.outlines.data, event.value)
        self._forget()
        self._hand_over(where, values, _MODES.get(str(self.outlines.mode), "paint"))

    def replaced(self, event: Any = None) -> None:
        """Somebody gave the layer another array."""
        if self._ours:
            return
        self._forget()
        shape = self.session.image.shape
        if np.shape(self.outlines.data) != shape:
            self.refused(_wrong_shape(self.outlines, shape))
            with self._quietly():
                self.outlines.data = np.array(self.session.labels)
            return
        where = slice(0, shape[0]), slice(0, shape[1])
        self._hand_over(where, np.asarray(self.outlines.data), "load mask")

    def picked(self, event: Any = None) -> None:
        """Painting with the background's number would erase: that is what the eraser is for."""
        if not self._ours and self.outlines.selected_label == 0:
            with self._quietly():
                self.outlines.selected_label = self.session.next_label

    def end_hold(self) -> None:
        """The key that moves the picture while it is tool went up, or the focus is elsewhere: the tool is back."""
        tool, self._tool_before = self._tool_before, None
        if tool is not None:
            self.outlines.mode = tool

    def _hold(self, layer: Any) -> Iterator[None]:
        """Napari's hook: what comes after the yield is done when the key goes up."""
        if str(self.outlines.mode) != "pan_zoom":
            mode = str(self.outlines.mode)
            self.outlines.mode = "pan_zoom"
            self._tool_before = mode
        yield
        self.end_hold()

    def _chose(self, event: Any = None) -> None:
        """Another tool was chosen meanwhile: that is the one to keep."""
        self._tool_before = None

    def undo(self, *_: Any) -> None:
        """Take the newest step back."""
        self._attempt(self.session.undo)

    def redo(self, *_: Any) -> None:
        """Do again what was undone last."""
        self._attempt(self.session.redo)

    def _hand_over(self, where: Where, values: Array, name: str) -> None:
        with self._quietly():
            event = self._attempt(lambda: self.session.edit.edited(where, values, name))
        if event is None or event.clipped:
            self.later(lambda: self._lay(where))

    def _attempt(self, action: Callable[[], Event | None]) -> Event | None:
        try:
            return action()
        except CalcimeasureError as error:
            self.refused(error)
            return None

    # --- layers -----------------------------------------------------------------------------------------

    @property
    def _placed(self) -> dict[str, Any]:
        return _layers.placed(self.session.image.spacing)

    def _lay_down(self) -> None:
        for layer in (self.numbers, self.outlines):  # the mask is on top, so that the brush works at once
            self.viewer.add_layer(layer)
        self.outlines.visible = True
        self.viewer.layers.selection.active = self.outlines
        self.outlines.events.paint.connect(self.painted)
        self.outlines.events.data.connect(self.replaced)
        self.outlines.events.selected_label.connect(self.picked)
        self.outlines.events.mode.connect(self._chose)
        self._bind_keys()

    def _bind_keys(self) -> None:
        """A key chooses a tool once and for all.

        napari takes back the tool of a key that goes up late, and of any key of that letter later (Ctrl+Z after Z).
        """
        for key, act in Labels.class_keymap.items():
            if callable(act) and not isgeneratorfunction(act):
                self.outlines.bind_key(key, _once(act), overwrite=True)
        self.outlines.bind_key("7", lambda layer: None, overwrite=True)  # would move the mask off its picture
        self.outlines.bind_key("Space", self._hold, overwrite=True)
        # napari's own undo knows nothing of a segmentation, and tells nobody what it undid.
        self.outlines.bind_key("Control-Z", self.undo, overwrite=True)
        self.outlines.bind_key("Control-Shift-Z", self.redo, overwrite=True)

    def _lay(self, where: Where) -> None:
        """The session's mask into the layer."""
        values = self.session.labels[where]
        with self._quietly():
            if values.size <= _SMALL:
                rows, columns = np.nonzero(self.outlines.data[where] != values)
                at = (rows + where[0].start, columns + where[1].start)
                self.outlines.data_setitem(at, values[rows, columns])
            else:
                self.drawing.lay(where, values)
                self._draw()
        self._forget()

    def _draw(self) -> None:
        if self.drawing.draw(_DRAWS):
            self.later(self._draw)

    def _forget(self) -> None:
        """Empty napari's own undo history: ours holds every step, and two would take memory twice.

        The one private name of napari that we use; without it undo still works, with more memory.
        """
        getattr(self.outlines, "_reset_history", lambda: None)()

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """While we write to the layer, its events are not a person's."""
        before, self._ours = self._ours, True
        try:
            yield
        finally:
            self._ours = before


class RegionOutline:
    """The outline of a region of interest, as a layer that is only looked at."""

    def __init__(self, viewer: Any, region: Mask, name: str, placed: dict[str, Any]) -> None:
        self.region = region
        look: dict[str, Any] = {"edge_color": "cyan", "face_color": "transparent"}
        edge = max(1.0, max(region.shape) / _OUTLINE_SHARE)
        self.layer = Shapes(_edges(region), shape_type="polygon", name=name, edge_width=edge, **look, **placed)
        active = viewer.layers.selection.active
        viewer.add_layer(self.layer)
        self.layer.editable = False
        viewer.layers.selection.active = active

    def lift(self, viewer: Any) -> None:
        """Take it off the picture."""
        if self.layer in viewer.layers:
            viewer.layers.remove(self.layer)


def _edges(region: Mask) -> list[npt.NDArray[np.float64]]:
    """The outlines of a region as (row, column) corners."""
    found, _ = cv2.findContours(region.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return [points[:, 0, ::-1].astype(float) for points in found if len(points) > 2]


def _once(act: Callable[[Any], Any]) -> Callable[[Any], None]:
    """What a key does, without what napari would do when it goes up."""

    def press(layer: Any) -> None:
        act(layer)

    return press


def _painted(data: Any, atoms: Any) -> tuple[Where, Array]:
    """Window that holds all that a stroke changed, and the numbers it shall hold.

    napari tells of a stroke before or after it is written, depending on how it was made: the atoms are laid into a
    copy. An atom is a tuple of index arrays, old and new values, or since 0.8 an object with the window `slice_key`,
    the `mask` within it (`None` for all of it) and the `new_value`.
    """
    rows, columns = zip(*(_window(atom) for atom in atoms), strict=True)
    where = _span(rows), _span(columns)
    values = np.array(data[where])
    for atom in atoms:
        _lay_atom(values, atom, (where[0].start, where[1].start))
    return where, values


def _lay_atom(values: Array, atom: Any, origin: tuple[int, int]) -> None:
    key = getattr(atom, "slice_key", None)
    if key is None:
        rows, columns = atom[0][-2:]
        values[np.asarray(rows) - origin[0], np.asarray(columns) - origin[1]] = atom[2]
        return
    rows, columns = key[-2:]
    here = values[rows.start - origin[0] : rows.stop - origin[0], columns.start - origin[1] : columns.stop - origin[1]]
    here[... if atom.mask is None else atom.mask] = atom.new_value


def _window(atom: Any) -> Where:
    key = getattr(atom, "slice_key", None)
    if key is not None:
        return key[-2], key[-1]
    rows, columns = atom[0][-2:]
    return slice(int(np.min(rows)), int(np.max(rows)) + 1), slice(int(np.min(columns)), int(np.max(columns)) + 1)


def _span(parts: tuple[slice, ...]) -> slice:
    return slice(int(min(part.start for part in parts)), int(max(part.stop for part in parts)))


def _extent(box: tuple[int, int, int, int]) -> int:
    return max(box[2] - box[0], box[3] - box[1], 6)


def _look() -> dict[str, Any]:
    """Numbers in yellow on the picture, a ring around the chosen deposit."""
    text = {"string": "{number}", "color": "yellow", "size": 11, "anchor": "lower_left", "translation": [-3, 3]}
    return {
        "features": {"number": np.zeros(0, str)},
        "text": text,
        "face_color": "transparent",
        "border_width": 0.04,
        "size": 10,
    }


def _bright() -> CyclicLabelColormap:
    """Colours that stand out from a film's greys and from skin; numbers tell deposits apart, not they."""
    names = ("#ffd400", "#00e5ff", "#7dff5a", "#ff8a1f", "#ff6ad5", "#9db4ff", "#ff5c5c")
    return CyclicLabelColormap(colors=[transform_color(name)[0] for name in names])


def _hashed(source: Source, picture: Picture) -> Source:
    """The source with the hash of the bytes that the picture was made of; its file's, where another reader read it."""
    opened = _layers.opened_of(picture)
    if opened is not None and opened.sha256:
        return replace(source, sha256=opened.sha256)
    return source if source.path is None else replace(source, sha256=sha256_of(source.path))


def _source_of(picture: Picture) -> Source:
    """Where a picture comes from; a sample image has no place of its own, so that nothing is written beside it."""
    path = _layers.path_of(picture)
    if path is None or not path.is_file():
        return Source(name=picture.name)
    source = Source.of(path, opened.sha256 if (opened := _layers.opened_of(picture)) else "")
    return replace(source, path=None) if home() in path.parents else source


def _wrong_shape(layer: Any, shape: tuple[int, int]) -> CalcimeasureError:
    from calcimeasure.errors import MaskError

    return MaskError(f"{layer.name} became {np.shape(layer.data)} pixels and the picture is {shape}: taken back")


def _raise(error: CalcimeasureError) -> None:
    raise error
