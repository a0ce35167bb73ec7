"""A method is one module and one entry; nobody else knows its name."""

import ast
from pathlib import Path

import numpy as np
import pytest

from calcimeasure import Image, Kind, Meaning, Recipe, Spacing, SpacingOrigin, analyse
from calcimeasure.errors import RecipeError
from calcimeasure.model.authorship import Author
from calcimeasure.recipe import is_automatic
from calcimeasure.steps.outline import SegmentSettings, methods
from calcimeasure.steps.outline.classical import find as find_closed_regions

ROOM = Path(methods.__file__).parent
PACKAGE = ROOM.parents[1]


@pytest.fixture
def drawn() -> Image:
    yy, xx = np.mgrid[:240, :200]
    grey = 200 + 600.0 * (abs(xx - 100) < 70) + np.random.default_rng(1).normal(0, 6, xx.shape)
    grey += 500 * np.exp(-((((yy - 120) ** 2 + (xx - 70) ** 2) / 90) ** 2))
    spacing = Spacing.of(0.3, 0.3, SpacingOrigin.USER)
    return Image(np.clip(grey, 0, 4095).astype(np.uint16), Kind.RADIOGRAPH, Meaning.DISPLAY, spacing=spacing)


def _with(monkeypatch: pytest.MonkeyPatch, author: Author, digest: str | None = None) -> Recipe:
    new = methods.Method("new", find_closed_regions, lambda settings: digest, author)
    monkeypatch.setattr(methods, "METHODS", (*methods.METHODS, new))
    return Recipe.from_toml('[segment]\nmethod = "new"\n')


@pytest.mark.parametrize("author", [Author.NETWORKS, Author.PROGRAM])
def test_one_entry_is_a_whole_method(drawn: Image, author: Author, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = _with(monkeypatch, author, "f" * 64)
    found = analyse(drawn, recipe)
    known = analyse(drawn, Recipe(SegmentSettings(method="classical")))
    assert found.segmentation.labels.count == 1
    np.testing.assert_array_equal(found.segmentation.labels.array, known.segmentation.labels.array)
    assert recipe.weights_sha256 == "f" * 64
    # Its candidates have no probability, so that nothing is doubted by it, whoever made them.
    assert not is_automatic(drawn, found.segmentation, recipe)


def test_the_hash_follows_the_files_of_any_method(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = [_with(monkeypatch, Author.NETWORKS, digest).hash for digest in ("a" * 64, "b" * 64)]
    assert len({*hashes, Recipe().hash}) == 3


def test_a_photo_goes_to_its_own_method_whatever_the_settings() -> None:
    photo = Image(np.full((40, 40, 3), 120, np.uint8), Kind.PHOTO, Meaning.PHOTO)
    for method in methods.METHODS:
        assert methods.method_for(photo, SegmentSettings(method=method.name)) is methods.ON_PHOTOS


def test_a_method_that_is_none_is_told_with_those_there_are() -> None:
    with pytest.raises(RecipeError, match=r"'photo'; choose from learned, classical"):
        methods.method_named("photo")


def test_nobody_else_knows_a_method_by_name() -> None:
    names = {method.name for method in (*methods.METHODS, methods.ON_PHOTOS)} - {Kind.PHOTO.value}
    others = [file for file in PACKAGE.rglob("*.py") if ROOM not in file.parents]
    asked = [
        f"{file.relative_to(PACKAGE)}:{node.lineno}"
        for file in others
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert others
    assert not asked
