"""A trial's own table becomes a study, or an error that names the line."""

import datetime
from pathlib import Path

import pytest

from calcimeasure.errors import TableError
from calcimeasure.io.given.study_file import film_name, films_of, read_study
from calcimeasure.model.study import Film

HEAD = "subject,visit,date,image\n"


def _write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "trial.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_study_is_read(tmp_path: Path) -> None:
    text = (
        "\ufeffsubject,visit,date,image,site,side,treatment_start,mask,spacing_mm,lost_because,exclude_reason\n"
        "A,late,2025-09-10,a2.png,hand,L,2025-01-15,,0.2,surgery,\n"
        "B,base,2025-01-01,b.png,,,,,,,blurred\n"
        " A , base ,2025-01-10,deep/a1.png,hand,L,2025-01-15,m.tif,0.2,,\n\n"
    )
    study = read_study(_write(tmp_path, text))
    assert [subject.name for subject in study.subjects] == ["A", "B"]
    first = study.subjects[0]
    assert [visit.name for visit in first.visits] == ["base", "late"]
    assert first.treatment_start == datetime.date(2025, 1, 15)
    assert first.visits[1].films[0].lost_because == "surgery"
    assert study.subjects[1].visits[0].films[0].exclude_reason == "blurred"
    films = films_of(study, tmp_path)
    assert list(films) == ["A/base/hand-L", "A/late/hand-L", "B/base"]
    assert films["A/base/hand-L"].item.path == tmp_path / "deep/a1.png"
    assert films["A/base/hand-L"].mask == tmp_path / "m.tif"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks the column subject, visit, date, image"),
        ("subject|visit|date|image\n", "lacks the column"),
        (HEAD, "no row"),
        (HEAD + "A,1,,a.png\nA,,,b.png\n", "line 3: the cell 'visit' is empty"),
        (HEAD + "A,1,31.1.2025,a.png\n", "line 2: date must be a date like 2025-01-31, got '31.1.2025'"),
        (HEAD + "A,1,,a.png,x\n", "line 2: 5 cells under 4 columns"),
        (HEAD + "A,1,,a.png\nA,1,,b.png\n", "lists 2 films of A, 1"),
        (HEAD + "A,1,2025-01-01,a.png\nA,2,,b.png\n", "subject A have a date and some none"),
        ("subject,visit,date,image,spacing\n", "unknown column 'spacing'.*did you mean 'spacing_mm'"),
        ("subject,visit,date,image,colour\n", "unknown column 'colour'"),
        ("subject,visit,date,image,date\n", "'date' 2 times"),
        (HEAD.replace("image", "image,spacing_mm") + "A,1,,a.png,-1\n", "line 2: spacing_mm must be a positive"),
        (HEAD.replace("image", "image,treatment_start") + "A,1,,a,2025-01-01\nA,2,,b,2025-01-02\n", "2 different"),
        (HEAD + 'A,1,,"a.png\n', "unexpected end|line"),
    ],
)
def test_a_study_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TableError, match=message) as told:
        read_study(_write(tmp_path, text))
    assert str(tmp_path) not in str(told.value)


def test_a_missing_or_binary_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no study file"):
        read_study(tmp_path / "gone.csv")
    (tmp_path / "trial.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TableError, match="UTF-8"):
        read_study(tmp_path / "trial.csv")


@pytest.mark.parametrize(
    ("subject", "visit", "name"),
    [
        ("../../etc", "passwd", "etc/passwd"),
        ("S 1/2", "v:1", "S_1_2/v_1"),
        ("...", "", "_/_"),
        ("Ä-01", "Woche 3", "Ä-01/Woche_3"),
    ],
)
def test_names_never_leave_the_folder(subject: str, visit: str, name: str) -> None:
    assert film_name(Film(subject, visit, None, "a.png")) == name


def test_names_that_meet_are_told_apart(tmp_path: Path) -> None:
    study = read_study(_write(tmp_path, HEAD + "A b,1,,a.png\nA/B,1,,b.png\n"))
    assert list(films_of(study, tmp_path)) == ["A_b/1", "A_B/1~2"]


@pytest.mark.parametrize("cell", ["subject", "visit"])
def test_a_cell_that_no_page_could_show_is_refused(tmp_path: Path, cell: str) -> None:
    row = {"subject": "A", "visit": "v", "date": "", "image": "deep/" * 100 + "a.png"} | {cell: "S" * 3000}
    with pytest.raises(TableError, match=f"line 2: the cell '{cell}' has 3000 characters"):
        read_study(_write(tmp_path, HEAD + ",".join(row.values()) + "\n"))
