"""Which files are inputs, and the NAME rule."""

from pathlib import Path

import pytest

from calcimeasure.errors import TableError
from calcimeasure.io.given.inputs import RESULTS_MARK, choose_names, find_inputs

PNG = b"\x89PNG\r\n\x1a\n" + bytes(30)


def _tree(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(PNG)
    return root


def _images(*paths: Path, out: Path | None = None) -> list[str]:
    return [item.image for item in find_inputs(paths, out).files]


@pytest.mark.parametrize(
    ("images", "names"),
    [
        (["a.png"], ["a"]),
        (["a.png", "b/a.png"], ["a", "b/a"]),
        (["a.jpg", "a.png"], ["a.jpg", "a.png"]),
        (["A.jpg", "a.png"], ["A.jpg", "a.png"]),
        (["a.jpg", "a.png", "a.png.tif"], ["a.jpg", "a.png", "a.png.tif"]),
        (["1.2.3", "1.2.4"], ["1.2.3", "1.2.4"]),
        (["noext"], ["noext"]),
    ],
)
def test_the_name_is_the_stem_unless_two_inputs_share_it(images: list[str], names: list[str]) -> None:
    assert list(choose_names(images).values()) == names


def test_a_folder_is_searched_and_what_is_no_image_is_counted(tmp_path: Path) -> None:
    _tree(tmp_path, "film.png", "deep/er/film.png", ".hidden/film.png", "__MACOSX/film.png", "old.labels.tif")
    (tmp_path / "notes.txt").write_text("not an image")
    found = find_inputs([tmp_path])
    assert [item.image for item in found.files] == ["deep/er/film.png", "film.png"]
    assert found.skipped == 2


def test_results_of_ours_are_never_inputs(tmp_path: Path) -> None:
    _tree(tmp_path, "film.png", f"earlier/{RESULTS_MARK}/lock", "earlier/overlays/film.png", "out/overlays/film.png")
    assert _images(tmp_path, out=tmp_path / "out") == ["film.png"]


def test_several_paths_put_the_folder_in_front(tmp_path: Path) -> None:
    _tree(tmp_path, "one/film.png", "two/film.png", "x/one/film.png")
    assert _images(tmp_path / "one", tmp_path / "two" / "film.png") == ["one/film.png", "two/film.png"]
    assert _images(tmp_path / "one", tmp_path / "x" / "one") == ["one-2/film.png", "one/film.png"]


def test_a_file_given_twice_is_measured_once(tmp_path: Path) -> None:
    _tree(tmp_path, "one/film.png")
    assert _images(tmp_path / "one", tmp_path / "one" / "film.png") == ["one/film.png"]


def test_a_file_named_by_itself_is_an_input_whatever_it_holds(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not an image")
    assert _images(tmp_path / "notes.txt") == ["notes.txt"]


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no file or folder 'gone'"):
        find_inputs([tmp_path / "gone"])
