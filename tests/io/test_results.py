"""The results folder: journal, tables, lock, and what is refused."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calcimeasure.errors import OutputError
from calcimeasure.io.given.inputs import RESULTS_MARK, Input
from calcimeasure.io.results import columns
from calcimeasure.io.results.folder import JOURNAL, Results, open_results
from calcimeasure.io.results.masks import label_bytes
from calcimeasure.io.results.opening import check_apart
from calcimeasure.io.results.pictures import is_whole_png, png
from calcimeasure.io.results.record import Record, files_of
from calcimeasure.io.results.written import NOTES
from calcimeasure.model.labels import Labels

INPUTS = tuple(Input(Path(name), name, name) for name in ("a", "b", "c"))
RUN = {"settings": {"recipe": {"x": 1}}, "version": "0", "recipe_hash": "h"}


def _record(image: str, status: str = "measured") -> Record:
    labels = Labels(np.pad(np.ones((3, 4), np.int32), 5 + ord(image) % 5))
    mask = label_bytes(labels, None)
    row, column = (float(at.mean()) for at in np.nonzero(labels.array))
    return Record(
        f"{image}-key",
        dict.fromkeys(columns.names("images.csv"))
        | {"image": image, "name": image, "status": status, "sha256": "0", "deposits": 1, "area_px": 12}
        | {"warnings": "", "spacing_origin": "none", "error": "broken" if status == "failed" else None},
        ({"image": image, "label": 1, "area_px": 12, "centroid_row": row, "centroid_column": column},),
        files=dict(zip(files_of(image), (mask, png(np.zeros((9, 9, 3), np.uint8))), strict=True)),
    )


def _made(folder: Path, images: str = "abc") -> Path:
    """A results folder of a run that is over."""
    with _open(folder) as results:
        for image in images:
            results.add(_record(image))
        results.written.write({"run.json": json.dumps({**RUN, "names": {}}), "report.html": "<p>"})
        results.write_tables()
    return folder


def _tree(folder: Path) -> dict[str, bytes]:
    mark = folder / RESULTS_MARK
    files = (path for path in folder.rglob("*") if path.is_file() and mark not in path.parents)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


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


# --- what a person made -----------------------------------------------------------------------------


def _corrected(folder: Path) -> None:
    mask = folder / "masks/b.labels.tif"
    mask.write_bytes(label_bytes(Labels(np.eye(20, dtype=np.int32)), None))


def _signed(folder: Path) -> None:
    (folder / "masks/b.provenance.json").write_text('{"signature": ["AB", "2026-01-01"]}')


def _put(name: str) -> Callable[[Path], None]:
    def put(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"hours of work")

    return put


def _drawn_on(folder: Path) -> None:
    (folder / "overlays/b.png").write_bytes(png(np.full((9, 9, 3), 200, np.uint8)))


def _linked(folder: Path) -> None:
    (folder.parent / "mine").mkdir()
    (folder.parent / "mine/z.labels.tif").write_bytes(b"hours of work")
    (folder / "masks/z.labels.tif").symlink_to(folder.parent / "mine/z.labels.tif")


def _damaged_and_signed(folder: Path) -> None:
    (folder / "masks/b.labels.tif").write_bytes(b"II*")
    _signed(folder)


@pytest.mark.parametrize("how", ["resume", "overwrite"])
@pytest.mark.parametrize(
    "touch",
    [
        _corrected,
        _signed,
        _drawn_on,
        _linked,
        _damaged_and_signed,
        _put("masks/of a film that is not there.labels.tif"),
        _put("masks/deep/er/x.labels.tif"),
        _put("masks/a.region.tif"),
        _put("masks/b.labels.tif.asc"),
        _put("masks/overrides.csv"),
        _put("masks/b.png.calcimeasure-journal"),
        _put("pairs/notes.txt"),
    ],
)
def test_no_flag_replaces_what_a_person_made(tmp_path: Path, touch: Callable[[Path], None], how: str) -> None:
    folder = _made(tmp_path / "out")
    touch(folder)
    before = _tree(folder)
    with pytest.raises(OutputError, match="put the results into another folder"):
        _open(folder, **{how: True})
    assert _tree(folder) == before


def test_a_mask_that_a_person_saves_while_the_run_goes_on_is_kept(tmp_path: Path) -> None:
    with _open(tmp_path / "out") as results:
        results.add(_record("b"))
        _corrected(tmp_path / "out")
        before = _tree(tmp_path / "out")["masks/b.labels.tif"]
        kept = results.add(_record("b"))
        assert kept.failed
        assert "changed by a person" in kept.row["error"]
        assert results.add(_record("b", "failed")).failed
        assert not results.add(_record("c")).failed
    assert _tree(tmp_path / "out")["masks/b.labels.tif"] == before


def test_a_table_with_a_column_of_remarks_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    folder = _made(tmp_path / "out")
    (folder / "images.csv").write_text("image,remark\na,look again\n")
    (folder / "report.html").write_text("<p>annotated")
    with _open(folder, resume=True) as results:
        results.write_tables()
        results.written.write({"report.html": "<p>"})
        assert len(results.remarks) == 2
    assert "look again" in (folder / "images.kept.csv").read_text()
    assert "annotated" in (folder / "report.kept.html").read_text()
    assert "look again" not in (folder / "images.csv").read_text()


def test_to_begin_again_deletes_what_runs_wrote_and_nothing_else(tmp_path: Path) -> None:
    folder = _made(tmp_path / "out")
    for name in ("overrides.csv", "film.png.calcimeasure-journal", "profile.json", "masks/.DS_Store"):
        _put(name)(folder)
    _open(folder, overwrite=True).__exit__(None, None, None)
    left = _tree(folder)
    assert set(left) == {
        "overrides.csv", "film.png.calcimeasure-journal", "profile.json", "masks/.DS_Store", "columns.json", "run.json"
    }  # fmt: skip
    assert left["profile.json"] == b"hours of work"


@pytest.mark.parametrize("other", [{"study": True}, {"repeatability": True}])
@pytest.mark.parametrize("how", ["resume", "overwrite"])
def test_no_run_begins_over_another_sort_of_run(tmp_path: Path, other: dict[str, bool], how: str) -> None:
    folder = _made(tmp_path / "out")
    for run in ({**RUN, "settings": {**RUN["settings"], **other}}, {**RUN, "demo": True}):
        with pytest.raises(OutputError, match=r"results of `measure`, not of `"):
            _open(folder, run=run, **{how: True})


@pytest.mark.parametrize("way", ["out/masks", "out", "out/masks/deep", "link", "out/../out/masks", "masks_are_here"])
def test_a_run_never_reads_what_it_writes(tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _made(tmp_path / "out")
    (tmp_path / "out/masks/deep").mkdir()
    (tmp_path / "link").symlink_to("out/masks")
    (tmp_path / "masks_are_here").mkdir()
    (tmp_path / "out/pairs").symlink_to(tmp_path / "masks_are_here")
    monkeypatch.chdir(tmp_path)
    check_apart(Path("out"), [Path("outer"), tmp_path])
    with pytest.raises(OutputError, match="never reads what it writes"):
        check_apart(Path("out"), [Path(way)])


# --- going on ---------------------------------------------------------------------------------------


def _cut(folder: Path) -> str:
    mask = folder / "masks/b.labels.tif"
    mask.write_bytes(mask.read_bytes()[:-9])
    return "masks/b.labels.tif"


def _cut_picture(folder: Path) -> str:
    picture = folder / "overlays/b.png"
    data = bytearray(picture.read_bytes())
    data[len(data) // 2] ^= 1
    picture.write_bytes(data)
    return "overlays/b.png"


@pytest.mark.parametrize("damage", [_cut, _cut_picture])
def test_a_damaged_file_is_laid_aside_whole_and_made_again(tmp_path: Path, damage: Callable[[Path], str]) -> None:
    folder = _made(tmp_path / "out")
    name, whole = "", _tree(folder)
    name = damage(folder)
    damaged = (folder / name).read_bytes()
    with _open(folder, resume=True) as results:
        assert [results.done_key(image) for image in "abc"] == ["a-key", None, "c-key"]
        assert f"{name}.damaged" in results.remarks[0]
        results.add(_record("b"))
    assert (folder / f"{name}.damaged").read_bytes() == damaged
    assert (folder / name).read_bytes() == whole[name]
    with _open(folder, resume=True) as results:
        assert results.done_key("b") == "b-key"


@pytest.mark.parametrize("name", files_of("b"))
def test_a_missing_file_is_made_again(tmp_path: Path, name: str) -> None:
    folder = _made(tmp_path / "out")
    (folder / name).unlink()
    with _open(folder, resume=True) as results:
        assert [results.done_key(image) for image in "abc"] == ["a-key", None, "c-key"]


def test_a_failed_image_leaves_no_mask_of_an_earlier_run(tmp_path: Path) -> None:
    folder = _made(tmp_path / "out")
    with _open(folder, resume=True) as results:
        results.add(_record("b", "failed"))
    assert not {*files_of("b")} & set(_tree(folder))


def test_drafts_of_killed_writers_go(tmp_path: Path) -> None:
    folder = _made(tmp_path / "out")
    drafts = [
        folder / f"{place}.x.{number}.part" for place, number in (("masks/", 7), ("", 8), (f"{RESULTS_MARK}/", 9))
    ]
    for draft in drafts:
        draft.write_bytes(b"half")
    _open(folder, resume=True).__exit__(None, None, None)
    assert not any(draft.exists() for draft in drafts)


def test_results_of_old_keep_their_names_and_are_known_again(tmp_path: Path) -> None:
    folder = _made(tmp_path / "out")
    _as_of_old(folder)
    with _open(folder, resume=True) as results:
        assert [item.name for item in results.inputs] == ["older a", "b", "c"]
        assert [results.done_key(image) for image in "abc"] == ["a-key", "b-key", "c-key"]
        assert not results.remarks
    (folder / RESULTS_MARK / NOTES).unlink()
    _corrected(folder)
    with pytest.raises(OutputError, match=r"b\.labels\.tif"):
        _open(folder, overwrite=True)


def _as_of_old(folder: Path) -> None:
    """Without notes, without check sums, without a table of names."""
    mark = folder / RESULTS_MARK
    (mark / NOTES).unlink()
    for name, older in zip(files_of("a"), files_of("older a"), strict=True):
        (folder / name).rename(folder / older)
    lines = [line.partition("\t")[0] for line in (mark / JOURNAL).read_text().splitlines()]
    (mark / JOURNAL).write_text("\n".join([lines[0].replace('"name": "a"', '"name": "older a"'), *lines[1:], ""]))
    (folder / "run.json").write_text(json.dumps(RUN))


@pytest.mark.parametrize("name", ["../../up", "/root", "a\\b", "", "a\nb", 5])
def test_a_name_of_a_strangers_folder_stays_inside(tmp_path: Path, name: object) -> None:
    folder = _made(tmp_path / "out")
    (folder / "run.json").write_text(json.dumps({**RUN, "names": {"a": name}}))
    with _open(folder, resume=True) as results:
        assert [item.name for item in results.inputs] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "text",
    ["[]", '{"settings": []}', "{}", '{"settings": ' + "9" * 5000 + "}", "[" * 100_000, "\xff\xfe", "", '"settings"'],
    ids=["list", "of a list", "empty", "long number", "nested", "binary", "nothing", "text"],
)
def test_a_run_file_of_another_shape_is_one_line(tmp_path: Path, text: str) -> None:
    folder = _made(tmp_path / "out")
    (folder / "run.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(OutputError, match=r"^run\.json of out cannot be understood"):
        _open(folder, resume=True)
    _open(folder, overwrite=True).__exit__(None, None, None)
    assert (folder / "run.kept.json").read_bytes() == text.encode("latin-1")


@pytest.mark.parametrize("name", [JOURNAL, NOTES, "lock"])
def test_a_pipe_in_the_folder_is_one_line(tmp_path: Path, name: str) -> None:
    folder = _made(tmp_path / "out")
    (folder / RESULTS_MARK / name).unlink()
    os.mkfifo(folder / RESULTS_MARK / name)
    with pytest.raises(OutputError, match="is no file"):
        _open(folder, resume=True)


# --- the journal ------------------------------------------------------------------------------------


def _flip(at: int) -> Callable[[bytes], bytes]:
    def flip(data: bytes) -> bytes:
        where = data.index(b"\n") + at
        return data[:where] + bytes([data[where] ^ 0x15]) + data[where + 1 :]

    return flip


@pytest.mark.parametrize(
    "damage",
    [*map(_flip, (1, 5, 30, 60, 100)), lambda data: data.replace(b'"area_px": 12', b'"area_px": 13', 2)],
)
def test_a_damaged_byte_costs_its_line_and_none_behind(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    folder = _made(tmp_path / "out")
    journal = folder / RESULTS_MARK / JOURNAL
    damaged = damage(journal.read_bytes())
    journal.write_bytes(damaged)
    with _open(folder, resume=True) as results:
        assert results.record_of("c") is not None
        lost = [image for image in "abc" if results.record_of(image) is None]
        assert len(lost) == results.journal.unread > 0
        assert "could not be read" in results.remarks[0]
        for image in lost:
            results.add(_record(image))
    assert (folder / RESULTS_MARK / f"{JOURNAL}.damaged").read_bytes() == damaged
    with _open(folder, resume=True) as results:
        assert [record.image for record in results.records()] == ["a", "b", "c"]
        assert not results.remarks


def test_a_last_line_without_its_end_is_whole(tmp_path: Path) -> None:
    folder = _made(tmp_path / "out", "ab")
    journal = folder / RESULTS_MARK / JOURNAL
    journal.write_bytes(journal.read_bytes().rstrip(b"\n"))
    with _open(folder, resume=True) as results:
        results.add(_record("c"))
    with _open(folder, resume=True) as results:
        assert [record.image for record in results.records()] == ["a", "b", "c"]
        assert not results.remarks


@pytest.mark.parametrize(
    "line",
    [b"[" * 100_000, b'{"row": 5}', b"9" * 5000, b"\xff\xfe\x00", b"null", b'{"key": "k", "row": {"image": 5}}', b"\t"],
)
def test_a_strange_line_is_passed_over(tmp_path: Path, line: bytes) -> None:
    folder = _made(tmp_path / "out")
    journal = folder / RESULTS_MARK / JOURNAL
    journal.write_bytes(line + b"\n" + journal.read_bytes())
    with _open(folder, resume=True) as results:
        assert [record.image for record in results.records()] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("where", "cells"),
    [
        ("row", {"kind": 5}),
        ("row", {"warnings": None}),
        ("row", {"area_px": "12"}),
        ("row", {"deposits": True}),
        ("row", {"spacing_row_mm": 0.1, "spacing_column_mm": 0.1, "spacing_origin": "elsewhere"}),
        ("row", {"status": "failed", "error": None}),
        ("row", {"a column of theirs": "x"}),
        ("deposits", [{"image": "a", "feret_mm": "long"}]),
        ("excluded", [{"image": "a", "reason": 5}]),
        ("thumbnail", "no picture"),
        ("thumbnail", 5),
    ],
)
def test_a_line_whose_cells_are_of_another_kind_is_passed_over(tmp_path: Path, where: str, cells: Any) -> None:
    folder = _made(tmp_path / "out")
    journal = folder / RESULTS_MARK / JOURNAL
    first = json.loads(_record("a").to_json())
    first[where] = first["row"] | cells if where == "row" else cells
    journal.write_bytes(journal.read_bytes() + json.dumps(first).encode() + b"\n")
    with _open(folder, resume=True) as results:
        assert results.journal.unread == 1
        results.finish({**RUN, "names": {}})


def test_a_line_that_is_too_long_is_none_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calcimeasure.io.results.journal.LONGEST_LINE", 5000)
    folder = _made(tmp_path / "out")
    journal = folder / RESULTS_MARK / JOURNAL
    journal.write_bytes(b'"' + b"x" * 20_000 + b'"\n' + journal.read_bytes())
    with _open(folder, resume=True) as results:
        assert [record.image for record in results.records()] == ["a", "b", "c"]
        assert results.journal.unread == 1


def test_a_png_is_whole_or_not() -> None:
    data = png(np.arange(300, dtype=np.uint8).reshape(10, 10, 3))
    assert is_whole_png(data)
    assert not any(
        is_whole_png(one)
        for one in (b"", data[:-1], data[:40], data + b"", data.replace(b"IDAT", b"IDAU"))
        if one != data
    )


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
