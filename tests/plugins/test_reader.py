"""Everything that `read_image` reads becomes a layer with its scale, unit, window and origin; no window needed."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from napari_calcimeasure import _layers, _sample_data
from napari_calcimeasure._reader import read, reader_for
from napari_calcimeasure._writer import write_outlines

from calcimeasure.errors import MaskError, ReadError, UnsupportedFile
from calcimeasure.io.images.read import read_image
from calcimeasure.io.results.masks import read_labels
from calcimeasure.model.image import Kind, SpacingOrigin
from calcimeasure.recipe import analyse_mask

SAMPLES = sorted(p for p in _sample_data.home().iterdir() if p.suffix in {".dcm", ".png", ".jpg", ".tif"})


def _shown(data) -> Layer:
    return ViewerModel().add_layer(Layer.create(*data))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_file_becomes_a_layer_as_read_image_reads_it(path: Path) -> None:
    image, (layer,) = read_image(path), map(_shown, reader_for(str(path))(str(path)))
    assert np.array_equal(layer.data, image.pixels)
    assert layer.rgb == (image.kind is Kind.PHOTO)
    known = image.spacing is not None
    assert {str(unit) for unit in layer.units} == {"millimeter" if known else "pixel"}
    assert tuple(layer.scale) == ((image.spacing.row_mm, image.spacing.column_mm) if known else (1, 1))
    assert _layers.image_of(layer).spacing == image.spacing
    assert _layers.path_of(layer) == path


def test_the_window_shows_nearly_all_of_a_film_and_never_nothing() -> None:
    film = _layers.image_of(_shown(read(SAMPLES[-1].with_name("foot.png"))[0]))
    low, high = _layers.window_of(film)
    assert 0.95 < np.mean((film.pixels >= low) & (film.pixels <= high)) <= 1
    flat = film.__class__(np.full((5, 5), 7, np.uint8), film.kind, film.meaning)
    assert _layers.window_of(flat) == (7.0, 8.0)


def test_a_stray_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("a,b\n1,2\n")
    assert reader_for(str(tmp_path / "points.csv")) is None


def test_a_damaged_file_is_refused_in_words(tmp_path: Path) -> None:
    broken = tmp_path / "film.png"
    broken.write_bytes(SAMPLES[-1].with_name("foot.png").read_bytes()[:400])
    with pytest.raises(ReadError, match=r"film\.png") as told:
        reader_for(str(broken))(str(broken))
    assert str(tmp_path) not in str(told.value)


def test_a_folder_opens_its_first_image_as_a_worklist() -> None:
    (data,) = read(str(_sample_data.home()))
    source = data[1]["metadata"][_layers.KEY]
    assert source.folder == _sample_data.home()
    assert source.path.name == "foot.png"


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="holds no picture"):
        read(str(tmp_path))


@pytest.mark.parametrize("sample", [_sample_data.film, _sample_data.photo, _sample_data.pair])
def test_samples_open(sample) -> None:
    for data in sample():
        assert _shown(data).visible


def test_the_sample_pair_has_one_scale() -> None:
    before, after = (_layers.image_of(_shown(data)) for data in _sample_data.pair())
    assert before.spacing == after.spacing
    assert before.spacing is not None


# --- pictures of other readers -------------------------------------------------------------------------


def test_a_strangers_film_has_no_scale_until_calibrated() -> None:
    film = _layers.image_of(Image(np.ones((9, 9), np.uint16), scale=(0.1, 0.1), units=("mm", "mm")))
    assert film.spacing is None
    assert film.kind is Kind.RADIOGRAPH


@pytest.mark.parametrize("pixels", [np.full((8, 9, 4), 255, np.uint8), np.ones((8, 9, 3), np.float32)])
def test_a_strangers_photo_becomes_eight_bit_rgb(pixels) -> None:
    photo = _layers.image_of(Image(pixels, rgb=True))
    assert photo.kind is Kind.PHOTO
    assert photo.pixels.dtype == np.uint8
    assert photo.pixels.shape == (8, 9, 3)
    assert photo.pixels.min() == 255


def test_a_stack_is_refused() -> None:
    with pytest.raises(UnsupportedFile, match="3 dimensions"):
        _layers.image_of(Image(np.zeros((3, 9, 9))))


# --- outlines ------------------------------------------------------------------------------------------


@pytest.fixture
def outlined():
    image = read_image(_sample_data.home() / "hand_dx.dcm")
    truth = read_labels(_sample_data.home() / "truth" / "hand_dx.labels.tif", image.shape)
    return image, truth, analyse_mask(image, truth).measurement


def test_outlines_go_there_and_back(outlined) -> None:
    image, truth, measured = outlined
    layer = _shown(_layers.labels_layer(truth, image.spacing, measured, "deposits"))
    assert np.array_equal(_layers.labels_of(layer, image.shape).array, truth.array)
    assert _layers.spacing_of(layer) == image.spacing
    with pytest.raises(MaskError, match="use the mask made for it"):
        _layers.labels_of(layer, (5, 5))


def test_the_row_shown_for_a_label_is_its_own(outlined) -> None:
    image, truth, measured = outlined
    layer = _shown(_layers.labels_layer(truth, image.spacing, measured, "deposits"))
    for deposit in measured.deposits:
        rows, columns = np.nonzero(truth.array == deposit.label)
        told = layer._get_properties((rows[0], columns[0]))
        assert f"area_px: {deposit.area_px.value:.0f}" in told


def test_saved_outlines_keep_their_millimetres(outlined, tmp_path: Path) -> None:
    import tifffile

    image, truth, measured = outlined
    data, facts, _ = _layers.labels_layer(truth, image.spacing, measured, "deposits")
    (written,) = write_outlines(str(tmp_path / "hand.tif"), data, facts)
    assert np.array_equal(read_labels(Path(written), image.shape).array, truth.array)
    with tifffile.TiffFile(written) as tiff:
        assert f'PhysicalSizeY="{image.spacing.row_mm}"' in tiff.ome_metadata


def test_a_strangers_millimetres_are_uncertain() -> None:
    layer = Labels(np.zeros((5, 5), np.int32), scale=(0.1, 0.2), units=("mm", "mm"))
    assert _layers.spacing_of(layer).origin is SpacingOrigin.UNCERTAIN
    assert _layers.spacing_of(Labels(np.zeros((5, 5), np.int32))) is None


def test_layers_move_to_a_new_scale_together(outlined) -> None:
    image, truth, _ = outlined
    viewer = ViewerModel()
    data = [_layers.image_layer(_layers.Opened(image), "film"), _layers.labels_layer(truth, None, None, "deposits")]
    layers = [viewer.add_layer(Layer.create(*one)) for one in data]
    _layers.place(layers, image.spacing)
    assert {tuple(layer.scale) for layer in layers} == {(image.spacing.row_mm, image.spacing.column_mm)}
    assert {str(unit) for layer in layers for unit in layer.units} == {"millimeter"}


def test_an_outline_is_read_in_pixels_of_the_picture() -> None:
    inside = _layers.inside(np.array([[10, 10], [10, 20], [30, 20], [30, 10]]), (40, 40))
    assert inside[20, 15]
    assert not inside[5, 5]
    assert inside.sum() == 21 * 11
