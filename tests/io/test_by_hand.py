"""Matches and landmarks made by hand."""

from pathlib import Path

import pytest

from calcimeasure.errors import TableError
from calcimeasure.io.given.by_hand import ByHand, read_landmarks, read_overrides
from calcimeasure.model.study import Link


def _write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "by_hand.csv"
    path.write_text(text)
    return path


def test_matches_are_read_as_the_tables_write_them(tmp_path: Path) -> None:
    table = "baseline_labels,followup_labels,by,baseline_name,followup_name\n1 2,3,Dr W,A/v1,A/v2\n4,,,A/v1,A/v2\n"
    told = ByHand(read_overrides(_write(tmp_path, table)))
    assert told.links_of(("A/v1", "A/v2")) == (Link((1, 2), (3,), by="Dr W"), Link((4,), (), by="a reader"))
    assert told.links_of(("B/v1", "B/v2")) == ()
    assert told.names == {("A/v1", "A/v2")}


def test_landmarks_without_names_speak_of_the_only_pair(tmp_path: Path) -> None:
    rows = "\n".join(f"{n},0,{n + 1},2" for n in range(3))
    told = ByHand(
        {}, read_landmarks(_write(tmp_path, f"baseline_row,baseline_column,followup_row,followup_column\n{rows}\n"))
    )
    assert told.landmarks_of(("x", "y")) == (((0, 0), (1, 2)), ((1, 0), (2, 2)), ((2, 0), (3, 2)))
    assert told.names == set()


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (read_overrides, "baseline_labels\n1\n", "lacks the column followup_labels"),
        (read_overrides, "baseline_labels,followup_labels,who\n1,2,x\n", "unknown column 'who'"),
        (read_overrides, "baseline_labels,followup_labels\n1;2,3\n", "line 2: labels are numbers"),
        (read_overrides, "baseline_labels,followup_labels\n0,3\n", "line 2: labels are numbers"),
        (read_landmarks, "baseline_row,baseline_column,followup_row,followup_column\n1,2,3,nan\n", "must be a number"),
        (read_landmarks, "baseline_row,baseline_column,followup_row,followup_column\n1,2,3,4\n", "at least 3"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(tmp_path: Path, read, text: str, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TableError, match=message):
        read(_write(tmp_path, text))


def test_a_missing_table_is_told(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"no table of landmarks 'gone\.csv'"):
        read_landmarks(tmp_path / "gone.csv")
