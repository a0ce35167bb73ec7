"""Cells, rows and the user's tables."""

import csv
import io
import json
from pathlib import Path

import pytest

from calcimeasure.errors import TableError
from calcimeasure.io.results import columns
from calcimeasure.io.results.tables import cell, csv_text, read_spacing_sds, read_spacings


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (3, "3"),
        (2.5, "2.5"),
        (1 / 3, "0.333333"),
        (100.0, "100"),
        (float("nan"), ""),
        (float("inf"), ""),
        (-1.5, "-1.5"),
        ("plain", "plain"),
        ("=1+1", "'=1+1"),
        ("\t=1+1", "'\\x09=1+1"),
        ("a\x1b[31m\u202egnp", "a\\x1b[31m\\u202egnp"),
        ("+x", "'+x"),
        ("-x.png", "'-x.png"),
        ("@SUM(A1)", "'@SUM(A1)"),
    ],
)
def test_a_cell(value: object, text: str) -> None:
    assert cell(value) == text


def test_every_table_writes_exactly_its_columns() -> None:
    for table in columns.TABLES:
        rows = list(csv.reader(io.StringIO(csv_text(table, [{columns.names(table)[0]: "a,b\n.png"}]))))
        assert rows[0] == columns.names(table)
        assert rows[1] == ["a,b\\x0a.png", *[""] * (len(rows[0]) - 1)]


def test_the_dictionary_describes_every_column() -> None:
    told = json.loads(columns.dictionary(columns.TABLES))
    assert {table: list(entries) for table, entries in told.items()} == {t: columns.names(t) for t in columns.TABLES}
    assert all(entry["description"] and entry["dtype"] for entries in told.values() for entry in entries.values())


def test_spacings_are_read(tmp_path: Path) -> None:
    table = tmp_path / "spacing.csv"
    table.write_text("\ufeffimage,spacing_mm\na.png,0.15\nb/c.png,0.2\n", encoding="utf-8")
    assert read_spacings(table) == {"a.png": 0.15, "b/c.png": 0.2}


def test_the_users_errors_are_read_where_given(tmp_path: Path) -> None:
    table = tmp_path / "spacing.csv"
    table.write_text("image,spacing_mm,spacing_sd_percent\na.png,0.15,3\nb.png,0.2,\n")
    assert read_spacing_sds(table) == {"a.png": 3.0}
    table.write_text("image,spacing_mm\na.png,0.15\n")
    assert read_spacing_sds(table) == {}
    table.write_text("image,spacing_mm,spacing_sd_percent\na.png,0.15,-1\n")
    with pytest.raises(TableError, match="line 2: spacing_sd_percent must be a positive number"):
        read_spacing_sds(table)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,mm\na,1\n", "needs the columns"),
        ("image,spacing_mm\n", "at least one row"),
        ("image,spacing_mm\na,0\n", "line 2: spacing_mm must be a positive number, got '0'"),
        ("image,spacing_mm\na,0.1\nb,x\n", "line 3"),
        ("image,spacing_mm\na,inf\n", "positive"),
        ("image,spacing_mm\na\n", "got None"),
    ],
)
def test_a_spacing_table_that_cannot_be_used_says_why(tmp_path: Path, text: str, message: str) -> None:
    table = tmp_path / "spacing.csv"
    table.write_text(text)
    with pytest.raises(TableError, match=message):
        read_spacings(table)
