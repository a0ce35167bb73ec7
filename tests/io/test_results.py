"""The results folder: journal, tables, lock, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from calcimeasure.errors import OutputError
from calcimeasure.io.given.inputs import RESULTS_MARK, Input
from calcimeasure.io.results.folder import JOURNAL, Results, open_results
from calcimeasure.io.results.record import Record

INPUTS = tuple(Input(Path(name), name, name) for name in ("a", "b", "c"))
RUN = {"settings": {"recipe": {"x": 1}}, "version": "0", "recipe_hash": "h"}


def _record(image: str, status: str = "measured") -> Record:
    return Record(
        f"{image}-key",
        {"image": image, "status": status, "sha256": "0", "deposits": 1},
        ({"image": image, "label": 1},),
    )


def _open(folder: Path, **how: Any) -> Results:
    return open_results(
        folder, INPUTS, how.pop("run", RUN), resume=how.get("resume", False), overwrite=how.get("overwrite", False)
    )


def test_tables_stand_in_input_order_whatever_is_finished_first(tmp_path: Path) -> None:
    with _open(tmp_path / "out") as results:
        for image in "cab":
            results.add(_record(image))
        results.write_tables()
    rows = (tmp_path / "out" / "images.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["a", "b", "c"]


def test_a_torn_journal_line_is_cut_off_and_nothing_else_is_lost(tmp_path: Path) -> None:
    with _open(tmp_path / "out") as results:
        results.add(_record("a"))
        results.add(_record("b"))
    journal = tmp_path / "out" / RESULTS_MARK / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-20])
    with _open(tmp_path / "out", resume=True) as results:
        assert results.record_of("b") is None
        results.add(_record("b"))
    with _open(tmp_path / "out", resume=True) as results:
        assert [record.image for record in results.records()] == ["a", "b"]


def test_the_newest_record_counts(tmp_path: Path) -> None:
    with _open(tmp_path / "out") as results:
        results.add(_record("a", "failed"))
        results.add(_record("a"))
        assert [record.failed for record in results.records()] == [False]


def test_results_are_neither_mixed_nor_overwritten_silently(tmp_path: Path) -> None:
    _open(tmp_path / "out").__exit__(None, None, None)
    with pytest.raises(OutputError, match="--resume to go on or --overwrite"):
        _open(tmp_path / "out")
    with pytest.raises(OutputError, match=r"made with other settings \(recipe\)"):
        _open(tmp_path / "out", resume=True, run={"settings": {"recipe": {"x": 2}}})


def test_files_that_are_not_ours_are_never_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(OutputError, match="files that are not ours"):
        _open(tmp_path, overwrite=True)
    with _open(tmp_path / "out") as results:
        results.add(_record("a"))
    (tmp_path / "out" / "note.txt").write_text("mine")
    _open(tmp_path / "out", overwrite=True).__exit__(None, None, None)
    assert (tmp_path / "out" / "note.txt").read_text() == "mine"
    assert not (tmp_path / "out" / "images.csv").exists()


def test_two_runs_cannot_write_one_folder(tmp_path: Path) -> None:
    with _open(tmp_path / "out"), pytest.raises(OutputError, match="another run"):
        _open(tmp_path / "out", resume=True)


def test_a_file_cannot_be_a_results_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="is a file"):
        _open(tmp_path / "out")
