"""Which mask of a folder is a film's, also where it was named by another rule."""

import json
from pathlib import Path

import pytest

from calcimeasure.errors import MaskError
from calcimeasure.io.given.inputs import Input, name_of
from calcimeasure.io.given.mask_folder import mask_of_film

MINE, OTHERS = "a" * 64, "b" * 64


def _folder(tmp_path: Path, *names: str) -> Path:
    for name in names:
        path = tmp_path / "masks" / f"{name}.labels.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mask")
    return tmp_path / "masks"


def _found(folder: Path, image: str, stem: str) -> str:
    path = mask_of_film(folder, Input(Path(image), image, name_of(image), stem), MINE)
    return str(path.relative_to(folder)).removesuffix(".labels.tif") if path.exists() else ""


@pytest.mark.parametrize(
    ("there", "image", "stem", "found"),
    [
        (["hand.dcm", "hand"], "hand.dcm", "hand", "hand.dcm"),
        (["hand"], "hand.dcm", "hand", "hand"),
        (["deep/hand"], "deep/hand.dcm", "deep/hand", "deep/hand"),
        (["1.2.840"], "1.2.840.2", "1.2.840.2", ""),
        (["1.2.840.2"], "1.2.840.2", "1.2.840.2", "1.2.840.2"),
        (["scan"], "scan.2024", "scan.2024", ""),
        (["other"], "hand.dcm", "hand", ""),
    ],
)
def test_a_mask_is_found_by_name_or_by_a_stem_that_is_nobody_elses(
    tmp_path: Path, there: list[str], image: str, stem: str, found: str
) -> None:
    assert _found(_folder(tmp_path, *there), image, stem) == found


def test_a_mask_that_could_be_of_two_films_is_nobodys(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match=r"call it hand\.dcm\.labels\.tif"):
        _found(_folder(tmp_path, "hand"), "hand.dcm", "")


@pytest.mark.parametrize("image", ["hand.dcm", "1.2.840.2"])
@pytest.mark.parametrize(("sha256", "mine"), [(MINE, True), (OTHERS, False)])
def test_what_lies_with_a_mask_tells_whose_it_is(tmp_path: Path, image: str, sha256: str, mine: bool) -> None:
    before = image.rpartition(".")[0]
    folder = _folder(tmp_path, before)
    (tmp_path / "images.csv").write_text(f"image,sha256,name\nx,{sha256},{before}\n")
    assert _found(folder, image, "") == (before if mine else "")
    (tmp_path / "images.csv").write_text("image,sha256,name\nx,nonsense," + before + "\n")
    (folder / f"{before}.provenance.json").write_text(json.dumps({"image_sha256": sha256}))
    assert _found(folder, image, "hand") == (before if mine else "")


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, "[]", '{"image_sha256": 5}', "\x00"])
def test_facts_that_are_none_are_passed_over(tmp_path: Path, text: str) -> None:
    folder = _folder(tmp_path, "hand")
    (folder / "hand.provenance.json").write_text(text)
    (tmp_path / "images.csv").write_text(text)
    assert _found(folder, "hand.dcm", "hand") == "hand"
