"""A table of scales finds its films exactly, however it is written, or says which line does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from calcimeasure.errors import TableError
from calcimeasure.io.given.by_hand import read_landmarks, read_overrides
from calcimeasure.io.given.inputs import Input
from calcimeasure.io.given.repeats_file import read_repeats
from calcimeasure.io.given.spacing_table import read_spacings
from calcimeasure.io.given.study_file import read_study
from calcimeasure.io.given.user_table import number

HEAD = "image,spacing_mm\n"


def _films(tmp_path: Path, *images: str) -> list[Input]:
    return [Input(tmp_path / "films" / image, image, image) for image in images]


@pytest.fixture
def films(tmp_path: Path) -> list[Input]:
    return _films(tmp_path, "v1/film.png", "v2/film.png", "other.png")


def _found(table: Path, stored: str | bytes, films: list[Input]) -> dict[str, float]:
    table.write_bytes(stored if isinstance(stored, bytes) else stored.encode())
    return {image: row.mm for image, row in read_spacings(table).by_image(films).items()}


@pytest.mark.parametrize(
    "stored",
    [
        HEAD + "v1/film.png,0.1\n",
        HEAD + "  v1/film.png  , 0.1 \n",
        HEAD + "v1\\film.png,0.1\n",
        HEAD + ".\\v1\\film.png,0.1\n",
        HEAD + "./v1/film.png,0.1\n",
        HEAD + "v1//film.png,0.1\n",
        HEAD + "films/v1/film.png,0.1\n",
        HEAD + '"v1/film.png","0,1"\n',
        HEAD + "v1/film.png,0.1,,\n",
        HEAD.strip() + ",,\nv1/film.png,0.1,,\n",
        "\n\n" + HEAD + "\n,\nv1/film.png,0.1\n\n",
        " Image , Spacing MM \r\nv1/film.png,0.1\r\n",
        "IMAGE,SPACING-MM\rv1/film.png,0.1\r",
        "spacing_mm,image\n0.1,v1/film.png\n",
        "image;spacing_mm\nv1/film.png;0,1\n",
        "image;spacing_mm\nv1/film.png;0.1\n",
        "image\tspacing_mm\nv1/film.png\t0,1\n",
        "sep=;\nimage;spacing_mm\nv1/film.png;0,1\n",
        "\ufeff" + HEAD + "v1/film.png,0.1\n",
        "\ufeffsep=,\r\n" + HEAD + "v1/film.png,.1\n",
        (HEAD + "v1/film.png,0.1\n").encode("utf-16"),
        ("image\tspacing_mm\nv1/film.png\t0,1\n").encode("utf-16-le"),
        ("image;spacing_mm\nv1/film.png;1e-1\n").encode("utf-16-be"),
    ],
)
def test_the_same_table_however_it_is_written(tmp_path: Path, stored: str | bytes, films: list[Input]) -> None:
    assert _found(tmp_path / "t.csv", stored, films) == {"v1/film.png": 0.1}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("film.png,0.1\n", "line 2: 'film.png' fits 2 films.*give more of the path"),
        ("ilm.png,0.1\n", "line 2: 'ilm.png' is none of the 3 films"),
        ("v1/Film.png,0.1\n", "line 2.*letter case counts.*did you mean 'v1/film.png'"),
        ("other.png,0.1\nv1/fillm.png,0.1\n", "line 3: 'v1/fillm.png' is none"),
        ("v3/film.png,0.1\n", "line 2: 'v3/film.png' is none"),
        ("x/v1/film.png,0.1\n", "line 2: 'x/v1/film.png' is none"),
        ("v1/film.png,0.1\n\nv1/film.png,0.3\n", r"lines 2 and 4: both speak of 'v1/film.png' \(0.1 and 0.3 mm\)"),
        ("other.png,0.1\n./other.png,0.1\n", "lines 2 and 3: both speak of 'other.png'"),
        ("v1/film.png,0.1\nfilms\\v1\\film.png,0.1\n", "lines 2 and 3: both speak of 'v1/film.png'"),
        ("other.png,100\n", "line 2: spacing_mm of 100 is no size of a pixel"),
        ("other.png,143\n", "perhaps one in another unit"),
        ("other.png,0.0001\n", "line 2: spacing_mm of 0.0001 is no size"),
        ("other.png,0\n", "line 2: spacing_mm must be a positive number"),
        ("other.png,-0.1\n", "line 2: spacing_mm must be a positive number"),
        ("other.png,inf\n", "positive number of millimetres per pixel, got 'inf'"),
        ("other.png,0.1mm\n", "got '0.1mm'"),
        ('other.png,"1,234"\n', "got '1,234'"),
        ('other.png,"1.234,5"\n', "got '1.234,5'"),
        ("other.png,1_0\n", "got '1_0'"),
        ("other.png,0,1\n", "line 2: 3 cells under 2 columns"),
        ("other.png\n", "line 2: every row needs an image and a spacing_mm"),
        (",0.1\n", "line 2: every row needs an image and a spacing_mm"),
        ("", "has no row"),
        ('other.png,"0.1\n', "line 2"),
    ],
)
def test_a_row_that_is_not_clear_is_named(tmp_path: Path, rows: str, message: str, films: list[Input]) -> None:
    with pytest.raises(TableError, match=message) as told:
        _found(tmp_path / "t.csv", HEAD + rows, films)
    assert str(tmp_path) not in str(told.value)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("image,mm\na,1\n", "lacks the column spacing_mm"),
        ("image,spacing_mm,unit\na,1,um\n", "unknown column 'unit'"),
        ("image,spacing_mm,Spacing_MM\na,1,2\n", "column 'spacing_mm' 2 times"),
        ("image|spacing_mm\na|1\n", "lacks the column"),
    ],
)
def test_a_header_that_is_not_ours_is_named(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        _found(tmp_path / "t.csv", header, [])


def test_a_whole_path_beats_the_end_of_another(tmp_path: Path) -> None:
    films = _films(tmp_path, "film.png", "v1/film.png")
    assert _found(tmp_path / "t.csv", HEAD + "film.png,0.1\nv1/film.png,0.2\n", films) == {
        "film.png": 0.1,
        "v1/film.png": 0.2,
    }


def test_the_users_own_error_is_read(tmp_path: Path, films: list[Input]) -> None:
    table = tmp_path / "t.csv"
    table.write_text("image;spacing_mm;spacing_sd_percent\nother.png;0,15;2,5\nv1/film.png;0,2;\n")
    rows = read_spacings(table).by_image(films)
    assert {image: row.sd_percent for image, row in rows.items()} == {"other.png": 2.5, "v1/film.png": None}
    table.write_text("image,spacing_mm,spacing_sd_percent\nother.png,0.15,-1\n")
    with pytest.raises(TableError, match="line 2: spacing_sd_percent must be a positive number"):
        read_spacings(table)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0,143", 0.143), ("12,5", 12.5), ("1234,567", 1234.567), ("1,234", None), ("12,345", None), ("0,1,2", None)],
)
def test_a_comma_that_could_be_two_things_is_neither(text: str, value: float | None) -> None:
    assert number(text) == value


def _written(path: Path, text: str, encoding: str = "utf-16") -> Path:
    path.write_text(text, encoding=encoding)
    return path


def test_every_table_comes_through_the_same_door(tmp_path: Path) -> None:
    study = read_study(
        _written(tmp_path / "s.csv", "Subject;Visit;Date;Image;Mask;Spacing mm\nA;1;;v1\\a.png;.\\m.tif;0,15\n")
    )
    film = study.subjects[0].visits[0].films[0]
    assert (film.image, film.mask, film.spacing_mm) == ("v1/a.png", "m.tif", 0.15)
    repeats = read_repeats(_written(tmp_path / "r.csv", "sep=;\nSUBJECT;AREA MM2\nA;12,345\nA;12,5\n"))
    assert [one.area_mm2 for one in repeats] == [12.345, 12.5]
    points = "Baseline row\tBaseline column\tFollowup row\tFollowup column\n" + "1,5\t2\t3\t4\n" * 3
    assert read_landmarks(_written(tmp_path / "l.csv", points))["", ""][0] == ((1.5, 2), (3, 4))
    matches = "Baseline_labels;Followup_labels;baseline_name;followup_name\n1 2;3;A\\1;.\\A\\2\n"
    assert set(read_overrides(_written(tmp_path / "o.csv", matches))) == {("A/1", "A/2")}


@pytest.mark.parametrize("mm", ["143", "0.0001"])
def test_every_table_has_the_same_fence(tmp_path: Path, mm: str) -> None:
    message = f"line 2: spacing_mm of {mm} is no size of a pixel"
    with pytest.raises(TableError, match=message):
        read_study(_written(tmp_path / "s.csv", f"subject,visit,date,image,spacing_mm\nA,1,,a.png,{mm}\n"))
    with pytest.raises(TableError, match=message):
        read_repeats(_written(tmp_path / "r.csv", f"subject,image,spacing_mm\nA,a.png,{mm}\nA,b.png,0.1\n"))
