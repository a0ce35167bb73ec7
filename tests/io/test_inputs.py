"""Which files are inputs, and the NAME rule."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from calcimeasure.errors import TableError
from calcimeasure.io.given.inputs import RESULTS_MARK, find_inputs, name_of
from calcimeasure.report.plain_text import plain_name

PNG = b"\x89PNG\r\n\x1a\n" + bytes(30)


def _tree(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(PNG)
    return root


def _images(*paths: Path, out: Path | None = None) -> list[str]:
    return [item.image for item in find_inputs(paths, out).files]


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("a.png", "a"),
        ("b/a.png", "b/a"),
        ("a.PNG", "a.PNG"),
        ("a.dcm.png", "a.dcm.png"),
        ("a.dcm", "a.dcm"),
        ("1.2.826.0.1.100.2", "1.2.826.0.1.100.2"),
        ("noext", "noext"),
        ("Müller 上肢.dcm", "Müller 上肢.dcm"),
    ],
)
def test_the_name_is_the_path_whatever_lies_beside_it(image: str, name: str) -> None:
    assert name_of(image) == name


@pytest.mark.parametrize("image", ["x" * 244 + ".png", "é" * 120 + ".png", plain_name("a\nb\x1b[2J.png"), 'a:"b".png'])
def test_a_name_that_no_file_could_have_is_shortened_and_told_apart(image: str) -> None:
    name = name_of(f"deep/{image}")
    assert name == name_of(f"deep/{image}") != name_of(f"deep/{image[:-5]}y.png")
    assert len(f".{name}.labels.tif.4194304.part".encode()) <= 255
    assert name.startswith("deep/")
    assert not set('\\:"\n\x1b') & set(name)


def test_a_name_does_not_change_when_another_file_comes(tmp_path: Path) -> None:
    (before,) = find_inputs([_tree(tmp_path, "hand.dcm")]).files
    found = {item.path.name: item for item in find_inputs([_tree(tmp_path, "hand.png", "hand")]).files}
    assert found["hand.dcm"].name == before.name
    assert len({item.name.casefold() for item in found.values()}) == 3
    assert (before.stem, found["hand.dcm"].stem) == ("hand", "")


def test_a_folder_is_searched_and_what_is_no_image_is_counted(tmp_path: Path) -> None:
    _tree(tmp_path, "film.png", "deep/er/film.png", ".hidden/film.png", "__MACOSX/film.png", "old.labels.tif")
    _tree(tmp_path, "film.region.tif", "film.REGION.png", "film.labels.png")
    (tmp_path / "notes.txt").write_text("not an image")
    found = find_inputs([tmp_path])
    assert [item.image for item in found.files] == ["deep/er/film.png", "film.png"]
    assert found.skipped == 5


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


def test_what_a_link_leads_to_is_not_told(tmp_path: Path) -> None:
    _tree(tmp_path, "secret/jane.png", "two/film.png")
    for link, target in (("film.png", "secret/jane.png"), ("again.png", "film.png"), ("folder", "secret")):
        (tmp_path / link).symlink_to(tmp_path / target)
    alone = find_inputs([tmp_path / "film.png"]).files[0]
    assert (alone.image, alone.name, alone.path.name) == ("film.png", "film", "film.png")
    assert _images(tmp_path / "film.png", tmp_path / "again.png") == [f"{tmp_path.name}/film.png"]
    assert _images(tmp_path / "folder", tmp_path / "two") == ["folder/jane.png", "two/film.png"]


def test_a_film_keeps_its_name_when_a_link_to_it_comes(tmp_path: Path) -> None:
    _tree(tmp_path, "film.png")
    for link in ("a.png", "z.png"):
        (tmp_path / link).symlink_to("film.png")
    assert _images(tmp_path) == ["film.png"]


def test_a_file_named_by_itself_is_an_input_whatever_it_holds(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not an image")
    assert _images(tmp_path / "notes.txt") == ["notes.txt"]


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no file or folder 'gone'"):
        find_inputs([tmp_path / "gone"])


def test_what_is_no_file_is_passed_over_and_never_opened(tmp_path: Path) -> None:
    _tree(tmp_path, "film.png", "a.labels.tif/film.png")
    os.mkfifo(tmp_path / "pipe.png")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket.png"))
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "null.png").symlink_to("/dev/zero")
    found = find_inputs([tmp_path])
    assert [item.image for item in found.files] == ["a.labels.tif/film.png", "film.png", "loop.png"]
    assert found.skipped == 3


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    _tree(tmp_path, "films/z/film.png", "elsewhere/film.png")
    for name, target in {"a": "z", "back": ".", "out": "../elsewhere", "out2": "../elsewhere"}.items():
        (tmp_path / "films" / name).symlink_to(target)
    assert _images(tmp_path / "films") == ["out/film.png", "z/film.png"]


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _tree(tmp_path, "shut/film.png", "film.png")
    listed = Path.iterdir

    def refuse(path: Path) -> Iterator[Path]:
        if path.name == "shut":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    found = find_inputs([tmp_path])
    assert ([item.image for item in found.files], found.unread) == (["film.png"], ("shut",))


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "film.png/below"])
def test_a_path_that_cannot_be_is_one_line(tmp_path: Path, name: str) -> None:
    _tree(tmp_path, "film.png")
    with pytest.raises(TableError) as told:
        find_inputs([tmp_path / name])
    assert len(str(told.value)) < 400
    assert str(told.value).isprintable()


def test_names_of_files_cannot_act_on_who_reads_them(tmp_path: Path) -> None:
    for name in ("a\nb.png", "a\x1b[2Jb.png", "a\u202eb.png", "a\\x0ab.png", os.fsdecode(b"a\xffb.png")):
        _tree(tmp_path, name)
    found = find_inputs([tmp_path]).files
    assert all(item.image.isprintable() for item in found)
    assert len({item.image for item in found}) == len({item.name for item in found}) == 5
