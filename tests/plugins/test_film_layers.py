"""Strokes on the layer and steps of the session are the same thing seen from two sides; no window needed."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.components import ViewerModel
from napari.layers import Labels, Layer
from napari_calcimeasure import _layers, _sample_data
from napari_calcimeasure._film_layers import FilmLayers
from napari_calcimeasure._outline import Drawing, outlines
from napari_calcimeasure._reader import read
from napari_calcimeasure._writer import write_outlines
from scipy import ndimage as ndi

from calcimeasure.errors import EditRefused, MaskError
from calcimeasure.io.results.masks import read_labels
from calcimeasure.model.authorship import Author, Authorship, Doubt
from calcimeasure.model.labels import Labels as Outlines
from calcimeasure.reading.record import Source

CROSS = ndi.generate_binary_structure(2, 1)
HAND = _sample_data.home() / "hand_dx.dcm"


@pytest.fixture
def film():
    viewer = ViewerModel()
    film = FilmLayers(viewer, viewer.add_layer(Layer.create(*read(str(HAND))[0])), Source(name="hand"))
    truth = read_labels(HAND.parent / "truth" / "hand_dx.labels.tif", film.session.image.shape)
    film.session.edit.set_labels(truth)
    yield film
    assert np.array_equal(film.outlines.data, film.session.labels)


def _stroke(film: FilmLayers, *places: tuple[int, int], label: int = 9, mode: str = "paint") -> None:
    """As the mouse does it: many stamps, one step."""
    film.outlines.mode = mode
    with film.outlines.block_history():
        for place in places:
            film.outlines.paint(place, label)


def test_a_stroke_is_one_step_with_its_number(film: FilmLayers) -> None:
    before = film.session.measurement
    _stroke(film, (100, 100), (100, 108), (104, 116))
    assert film.session.history.names == ("load mask", "paint")
    painted = np.count_nonzero(film.outlines.data == 9)
    assert film.session.measurement.area_px.value == before.area_px.value + painted


@pytest.mark.parametrize(
    ("edit", "name"),
    [
        (lambda layer: layer.paint((100, 100), 9), "paint"),
        (lambda layer: layer.fill((100, 100), 9), "paint"),
        (lambda layer: layer.paint_polygon([(90, 90), (90, 120), (120, 120)], 9), "paint"),
        (lambda layer: layer.data_setitem((np.array([5, 5]), np.array([5, 6])), 9), "paint"),
    ],
    ids=["brush", "bucket", "polygon", "script"],
)
def test_every_way_to_edit_reaches_the_session(film: FilmLayers, edit, name: str) -> None:
    edit(film.outlines)
    assert film.session.history.names[-1] == name
    assert 9 in film.session.rows


def test_outlines_that_napari_saves_with_our_writer_stay_as_doubtful_as_they_are(
    film: FilmLayers, tmp_path: Path
) -> None:
    def saved():
        data, facts, _ = film.outlines.as_layer_data_tuple()
        (written,) = write_outlines(str(tmp_path / "deposits.tif"), data, facts)
        found = read_labels(Path(written), film.session.image.shape)
        assert found.passed_over_px == film.session.state.passed_over_px
        return dict(found.doubts)

    assert saved() == {}
    both = {1: Doubt(0.2, 0.1), 2: Doubt(0.3)}
    by = Authorship(Author.NETWORKS, doubts=both, passed_over_px=7.5)
    drawn = Outlines(film.session.labels.copy(), authorship=by)
    film.session.edit.set_labels(Outlines.empty(drawn.shape))
    film.session.edit.set_labels(drawn)
    assert film.session.state.passed_over_px == 7.5
    assert saved() == both
    row, column = np.argwhere(film.session.labels == 1)[0]
    film.outlines.data_setitem((np.array([row]), np.array([column])), 0)
    assert saved() == {2: both[2]}
    film.undo()
    assert saved() == both


def test_undo_and_redo_go_there_and_back(film: FilmLayers) -> None:
    first = film.session.labels.copy()
    _stroke(film, (100, 100))
    second = film.session.labels.copy()
    film.undo()
    assert np.array_equal(film.outlines.data, first)
    film.redo()
    assert np.array_equal(film.outlines.data, second)


def test_napari_keeps_no_second_history(film: FilmLayers) -> None:
    _stroke(film, (100, 100))
    film.outlines.undo()
    assert 9 in film.session.rows


def test_a_new_array_is_a_mask_that_was_loaded(film: FilmLayers) -> None:
    other = np.zeros_like(film.outlines.data)
    other[20:30, 20:30] = 4
    film.outlines.data = other
    assert list(film.session.rows) == [4]
    film.undo()
    assert 4 in film.session.rows
    assert len(film.session.rows) > 1


def test_an_array_of_another_shape_is_taken_back(film: FilmLayers) -> None:
    told = []
    film.refused = told.append
    film.outlines.data = np.zeros((5, 5), np.int32)
    assert isinstance(told[0], MaskError)


def test_a_signed_mask_takes_no_stroke(film: FilmLayers) -> None:
    told = []
    film.refused = told.append
    film.later = lambda action: waiting.append(action)
    waiting: list = []
    film.session.keeping.sign("AB")
    assert not film.outlines.editable
    film.outlines.paint((100, 100), 9)
    for action in waiting:
        action()
    assert isinstance(told[0], EditRefused)


def test_what_lies_outside_the_region_is_taken_back(film: FilmLayers) -> None:
    region = np.zeros(film.session.image.shape, bool)
    region[:, :100] = True
    film.session.finding.set_region(region)
    _stroke(film, (100, 100))
    assert film.outlines.data[100, 97] == 9
    assert film.outlines.data[100, 103] == 0


def test_the_scale_moves_every_layer(film: FilmLayers) -> None:
    film.session.calibration.set_spacing(0.1)
    assert {tuple(layer.scale) for layer in film.layers} == {(0.1, 0.1)}
    film.undo()
    assert {tuple(layer.scale) for layer in film.layers} == {(0.2, 0.2)}


def test_rows_numbers_and_the_chosen_one_are_shown(film: FilmLayers) -> None:
    film.choose(2)
    assert list(film.outlines.features["index"]) == sorted(film.session.rows)
    assert list(film.numbers.features["number"]) == [str(n) for n in sorted(film.session.rows)]
    ringed = np.flatnonzero(film.numbers.border_color[:, 3] > 0)
    assert [sorted(film.session.rows)[i] for i in ringed] == [2]
    assert film.outlines.selected_label == 2


def test_the_brush_is_set_in_mm(film: FilmLayers) -> None:
    assert film.brush(3.0) == 15
    assert film.outlines.brush_size == 15


def test_a_sample_is_not_written_beside(tmp_path: Path) -> None:
    viewer = ViewerModel()
    film = FilmLayers(viewer, viewer.add_layer(Layer.create(*_sample_data.film()[0])))
    assert film.session.source.path is None
    assert film.session.source.sha256
    assert not list(HAND.parent.glob("*journal*"))
    assert _layers.path_of(film.picture) == HAND


@pytest.mark.parametrize("width", [1, 3])
def test_outlines_are_the_inner_edges_of_deposits(width: int) -> None:
    labels = np.kron(np.random.default_rng(0).integers(0, 3, (40, 30)), np.ones((13, 17), int)).astype(np.int32)
    near = ndi.maximum_filter(labels, footprint=CROSS) != ndi.minimum_filter(labels, footprint=CROSS)
    wanted = np.where(ndi.maximum_filter(near, 2 * width - 1), labels, 0)
    assert (outlines(labels, np.s_[0:520, 0:510], width) == wanted).all()
    assert (outlines(labels, np.s_[200:290, 100:300], width) == wanted[200:290, 100:300]).all()


def test_a_large_change_is_drawn_a_little_at_a_time_and_ends_as_a_whole_drawing() -> None:
    layer = Labels(np.zeros((600, 700), np.int32))
    drawing = Drawing(layer)
    layer.contour = 2
    mask = np.zeros((600, 700), np.int32)
    mask[250:300, 100:600], mask[500:560, 500:560] = 3, 4  # across the squares that are drawn one by one
    drawing.lay(np.s_[0:600, 0:700], mask)
    assert np.array_equal(layer.data, mask)
    turns = 0
    while drawing.draw(0.0001):
        turns += 1
    assert turns > 0
    layer.refresh()
    shown = layer._slice.image.view
    assert np.array_equal(shown > 0, outlines(mask, np.s_[0:600, 0:700], 2) > 0)


def test_drawing_follows_strokes_another_width_and_another_mask() -> None:
    layer = Labels(np.zeros((300, 300), np.int32))
    Drawing(layer)
    for change in (
        lambda: setattr(layer, "contour", 2),
        lambda: layer.paint((100, 100), 5),
        lambda: setattr(layer, "contour", 4),
        lambda: setattr(layer, "data", np.pad(np.ones((50, 50), np.int32), 125)),
    ):
        change()
        expected = outlines(layer.data, np.s_[0:300, 0:300], int(layer.contour)) > 0
        assert np.array_equal(layer._slice.image.view > 0, expected)
