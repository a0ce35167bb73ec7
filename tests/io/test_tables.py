"""Cells, rows and the user's tables."""

import csv
import io
import json

import pytest

from calcimeasure.io.results import columns
from calcimeasure.io.results.tables import cell, csv_text


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
