"""Label images on disk."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from calcimeasure.errors import MaskError
from calcimeasure.io.results.masks import find_region, read_labels, read_region, write_labels
from calcimeasure.model.authorship import UNSAID, Author, Authorship, Doubt
from calcimeasure.model.image import Spacing, SpacingOrigin
from calcimeasure.model.labels import Labels

LABELS = Labels(np.array([[0, 1, 1], [2, 0, 0]]))
SPACING = Spacing.of(0.2, 0.1, SpacingOrigin.USER)


def test_labels_come_back_as_they_were(tmp_path: Path) -> None:
    write_labels(tmp_path / "a.labels.tif", LABELS, SPACING)
    assert np.array_equal(read_labels(tmp_path / "a.labels.tif", (2, 3)).array, LABELS.array)


def test_the_physical_size_travels_with_the_mask(tmp_path: Path) -> None:
    write_labels(tmp_path / "a.labels.tif", LABELS, SPACING)
    with tifffile.TiffFile(tmp_path / "a.labels.tif") as tiff:
        assert tiff.is_ome
        assert 'PhysicalSizeX="0.1"' in tiff.ome_metadata
        assert 'PhysicalSizeY="0.2"' in tiff.ome_metadata
        assert tiff.pages[0].dtype == np.uint16


def test_an_unknown_scale_is_not_written(tmp_path: Path) -> None:
    write_labels(tmp_path / "a.labels.tif", LABELS, None)
    with tifffile.TiffFile(tmp_path / "a.labels.tif") as tiff:
        assert "PhysicalSize" not in tiff.ome_metadata


def test_large_numbers_get_32_bits(tmp_path: Path) -> None:
    write_labels(tmp_path / "a.labels.tif", Labels(np.array([[70000]])), None)
    assert tifffile.imread(tmp_path / "a.labels.tif").dtype == np.uint32
    assert read_labels(tmp_path / "a.labels.tif", (1, 1)).array[0, 0] == 70000


def test_the_doubt_of_an_outline_travels_with_it_until_another_program_changes_it(tmp_path: Path) -> None:
    path, doubts = tmp_path / "a.labels.tif", {1: Doubt(0.1 + 0.2, 0.25), 2: Doubt(0.0), 9: Doubt(0.5)}
    write_labels(path, replace(LABELS, authorship=Authorship(doubts=doubts)), SPACING)
    assert read_labels(path, (2, 3)).doubts == {1: Doubt(0.1 + 0.2, 0.25), 2: Doubt(0.0)}
    with tifffile.TiffFile(path) as tiff:
        told = tiff.ome_metadata
    tifffile.imwrite(path, np.array([[0, 0, 1], [2, 0, 0]], np.uint16), metadata=None, description=told)
    assert read_labels(path, (2, 3)).doubts == {2: Doubt(0.0)}


@pytest.mark.parametrize("doubts", [{}, {1: Doubt(0.25)}], ids=["alone", "beside doubts"])
def test_what_was_passed_over_travels_with_the_outlines(tmp_path: Path, doubts: dict) -> None:
    path = tmp_path / "a.labels.tif"
    write_labels(path, replace(LABELS, authorship=Authorship(doubts=doubts, passed_over_px=0.1 + 0.2)), SPACING)
    found = read_labels(path, (2, 3))
    assert (found.passed_over_px, found.doubts) == (0.1 + 0.2, doubts)


@pytest.mark.parametrize("px", ["-1", "1e11", "nan", "inf", "e-e", "."])
def test_what_no_film_can_lack_is_not_believed(tmp_path: Path, px: str) -> None:
    told = f'<M><A Namespace="calcimeasure/outline-doubt"><M K="passed-over">{px}</M></A></M>'
    tifffile.imwrite(tmp_path / "a.tif", LABELS.array.astype(np.uint16), metadata=None, description=told)
    assert read_labels(tmp_path / "a.tif", (2, 3)).passed_over_px == 0


def test_a_file_of_old_tells_where_its_outlines_are_doubtful_only(tmp_path: Path) -> None:
    told = '<M><A Namespace="calcimeasure/outline-doubt"><M K="1">0.25 2</M></A></M>'
    tifffile.imwrite(tmp_path / "a.tif", LABELS.array.astype(np.uint16), metadata=None, description=told)
    assert read_labels(tmp_path / "a.tif", (2, 3)).doubts == {1: Doubt(0.25)}


MIXED = Authorship(Author.PERSON, {1: Author.NETWORKS, 2: Author.ACCEPTED})


@pytest.mark.parametrize("by", [*(Authorship(author) for author in Author), MIXED], ids=str)
def test_who_drew_the_outlines_travels_with_them(tmp_path: Path, by: Authorship) -> None:
    for name, labels in (("some", replace(LABELS, authorship=by)), ("none", Labels.empty((2, 3), by))):
        write_labels(tmp_path / f"{name}.labels.tif", labels, SPACING)
        found = read_labels(tmp_path / f"{name}.labels.tif", (2, 3)).authorship
        assert found.film is by.film
        assert all(found.of(int(n)) is by.of(int(n)) for n in labels.numbers)


#: what another program makes of deposit 1 (2 px) and 2 (1 px), both of the networks: whose they are then
CHANGED = {
    "untouched": ([[0, 1, 1], [2, 0, 0]], Author.NETWORKS, {1: Author.NETWORKS, 2: Author.NETWORKS}),
    "one is smaller": ([[0, 0, 1], [2, 0, 0]], Author.PERSON, {1: Author.PERSON, 2: Author.NETWORKS}),
    "one is gone": ([[0, 1, 1], [0, 0, 0]], Author.PERSON, {1: Author.NETWORKS}),
    "one is new": ([[3, 1, 1], [2, 0, 0]], Author.PERSON, {1: Author.NETWORKS, 2: Author.NETWORKS, 3: Author.PERSON}),
    "all are gone": ([[0, 0, 0], [0, 0, 0]], Author.PERSON, {}),
}


@pytest.mark.parametrize(("array", "film", "deposits"), CHANGED.values(), ids=CHANGED)
def test_what_another_program_changed_is_a_persons(tmp_path: Path, array: list, film: Author, deposits: dict) -> None:
    path = tmp_path / "a.labels.tif"
    write_labels(path, replace(LABELS, authorship=Authorship(Author.NETWORKS)), SPACING)
    with tifffile.TiffFile(path) as tiff:
        told = tiff.ome_metadata
    tifffile.imwrite(path, np.array(array, np.uint16), metadata=None, description=told)
    found = read_labels(path, (2, 3)).authorship
    assert (found.film, dict(found.deposits)) == (film, deposits)


def test_outlines_of_unsaid_authors_are_written_as_ever(tmp_path: Path) -> None:
    write_labels(tmp_path / "a.labels.tif", LABELS, SPACING)
    assert b"authorship" not in (tmp_path / "a.labels.tif").read_bytes()
    assert read_labels(tmp_path / "a.labels.tif", (2, 3)).authorship == UNSAID


def test_an_author_that_nobody_knows_is_not_believed(tmp_path: Path) -> None:
    told = '<M><A Namespace="calcimeasure/authorship"><M K="film">martian</M><M K="1">person 2</M></A></M>'
    tifffile.imwrite(tmp_path / "a.tif", LABELS.array.astype(np.uint16), metadata=None, description=told)
    assert read_labels(tmp_path / "a.tif", (2, 3)).authorship == UNSAID


def test_a_doubt_that_is_no_number_is_none(tmp_path: Path) -> None:
    told = '<M><A Namespace="calcimeasure/outline-doubt"><M K="1">1e307 0 2</M><M K="2">.-. 0 1</M>'
    tifffile.imwrite(tmp_path / "a.tif", LABELS.array.astype(np.uint16), metadata=None, description=told)
    assert read_labels(tmp_path / "a.tif", (2, 3)).doubts == {}


def test_the_same_labels_give_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        write_labels(tmp_path / f"{name}.labels.tif", LABELS, SPACING)
    assert (tmp_path / "a.labels.tif").read_bytes() == (tmp_path / "b.labels.tif").read_bytes()


def _broken(tmp_path: Path, case: str) -> Path:
    path = tmp_path / "x.labels.tif"
    match case:
        case "shape":
            tifffile.imwrite(path, np.zeros((5, 5), np.uint16))
        case "float":
            tifffile.imwrite(path, np.full((2, 3), 0.5, np.float32))
        case "negative":
            tifffile.imwrite(path, np.full((2, 3), -1, np.int16))
        case "rgb":
            tifffile.imwrite(path, np.arange(18, dtype=np.uint8).reshape(2, 3, 3), photometric="rgb")
        case "text":
            path.write_text("no picture")
        case "truncated":
            tifffile.imwrite(path, np.random.default_rng(0).integers(0, 9, (2, 3)).astype(np.uint16))
            path.write_bytes(path.read_bytes()[:150])
    return path


@pytest.mark.parametrize("case", ["missing", "shape", "float", "negative", "rgb", "text", "truncated"])
def test_a_mask_that_does_not_fit_is_refused(tmp_path: Path, case: str) -> None:
    with pytest.raises(MaskError, match=r"x\.labels\.tif"):
        read_labels(_broken(tmp_path, case), (2, 3))


def test_a_region_is_every_pixel_that_is_not_zero(tmp_path: Path) -> None:
    PillowImage.fromarray(np.array([[0, 9], [1, 0]], np.uint8)).save(tmp_path / "a.png")
    assert read_region(find_region(tmp_path, "a"), (2, 2)).tolist() == [[False, True], [True, False]]


def test_a_missing_region_says_what_to_add(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match=r"add b\.region\.tif"):
        find_region(tmp_path, "b")
