"""Study files that contradict themselves are refused, with their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from calcimeasure.errors import TableError
from calcimeasure.io.given.study_file import read_study
from calcimeasure.model.study import VisitOrder

HEAD = "subject,visit,date,image,side,spacing_mm,exclude_reason,reader\n"

#: rows, and what is said of them
WRONG = {
    "letter case": (["P01,a,2024-01-05,b.png", "p01,b,2024-09-05,f.png"], "lines 2 and 3.*look alike.*subjects"),
    "accents": (["M\u00fcller,a,2024-01-05,b.png", "Mu\u0308ller,b,2024-09-05,f.png"], "lines 2 and 3.*look alike"),
    "a letter nobody sees": (["P1,a,2024-01-05,b.png", "P1\u200b,b,2024-09-05,f.png"], "lines 2 and 3.*look alike"),
    "full width": (["P1,a,2024-01-05,b.png", "P\uff11,b,2024-09-05,f.png"], "lines 2 and 3.*look alike"),
    "leading zeros": (["001,a,2024-01-05,b.png", "1,b,2024-09-05,f.png"], "lines 2 and 3.*look alike"),
    "blanks": (["P 1,a,2024-01-05,b.png", "P  1,b,2024-09-05,f.png"], "lines 2 and 3.*look alike"),
    "a visit in two ways": (["P1,V1,2024-01-05,b.png", "P1,v01,2024-09-05,f.png"], "look alike.*visits"),
    "one film at both visits": (["P1,a,2024-01-05,b.png", "P1,b,2024-09-05,./b.png"], "lines 2 and 3: b.png"),
    "one film of two subjects": (["P1,a,2024-01-05,x/b.png", "P2,a,2024-01-05,x\\b.png"], "lines 2 and 3: b.png"),
    "two units": (["P1,a,2024-01-05,b.png,L,0.48", "P1,b,2024-09-05,f.png,left,0.048"], "lines 3 and 2: spacing_mm"),
    "micrometres": (
        ["P1,a,2024-01-05,b.png,,143", "P1,b,2024-09-05,f.png,,0.143"],
        "line 2: spacing_mm of 143 is no size",
    ),
    "one day": (["P1,m8,2024-01-05,f.png", "P1,base,2024-01-05,b.png"], "lines 2 and 3.*one date"),
    "year 204": (["P1,a,0204-01-05,b.png"], "line 2: date must be a date like"),
    "a week": (["P1,a,2024-W01-5,b.png"], "line 2: date must be a date like"),
    "no hyphens": (["P1,a,20240105,b.png"], "line 2: date must be a date like"),
    "a side that is none": (["P1,a,2024-01-05,b.png,links"], "line 2: side must be L, R or both, got 'links'"),
}

RIGHT = {
    "two readers of one film": ["P1,a,2024-01-05,b.png,,,,AB", "P1,a,2024-01-05,b.png,,,,CD"],
    "an excluded film stands there again": ["P1,a,2024-01-05,b.png,,,blurred", "P1,b,2024-09-05,b.png"],
    "scanned finer": ["P1,a,2024-01-05,b.png,L,0.5", "P1,b,2024-09-05,f.png,L,0.1"],
    "two sides of one day": ["P1,a,2024-01-05,b.png,L", "P1,a,2024-01-05,f.png,Right"],
    "numbers that differ": ["P10,a,2024-01-05,b.png", "P1,a,2024-01-05,f.png", "P100,a,2024-01-05,g.png"],
}


def _study(folder: Path, rows: list[str]) -> Path:
    path = folder / "study.csv"
    path.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(("rows", "why"), WRONG.values(), ids=WRONG)
def test_what_contradicts_itself_is_refused(tmp_path: Path, rows: list[str], why: str) -> None:
    with pytest.raises(TableError, match=why):
        read_study(_study(tmp_path, rows))


@pytest.mark.parametrize("rows", RIGHT.values(), ids=RIGHT)
def test_what_does_not_is_read(tmp_path: Path, rows: list[str]) -> None:
    assert read_study(_study(tmp_path, rows)).subjects


ORDERS = {
    VisitOrder.DATED: ["P1,base,2024-01-05,b.png", "P1,m8,2024-09-05,f.png"],
    VisitOrder.DATED_AGAINST_TABLE: ["P1,base,2024-09-05,b.png", "P1,m8,2024-01-05,f.png"],
    VisitOrder.UNDATED_TABLE: ["P1,m8,,f.png", "P1,base,,b.png"],
}


@pytest.mark.parametrize(("order", "rows"), ORDERS.items())
def test_a_subject_knows_by_what_its_visits_are_in_order(tmp_path: Path, order: VisitOrder, rows: list[str]) -> None:
    assert read_study(_study(tmp_path, rows)).subjects[0].order is order
