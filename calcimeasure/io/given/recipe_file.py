"""A recipe, as a user writes it in TOML."""

from __future__ import annotations

from pathlib import Path

from calcimeasure.errors import RecipeError
from calcimeasure.recipe import Recipe
from calcimeasure.report.plain_text import plain

_MOST_BYTES = 2**20


def read_recipe(path: Path) -> Recipe:
    """The recipe in a TOML file; settings left out keep their defaults.

    Raises
    ------
    RecipeError
        When the file cannot be read or is no recipe (`Recipe.from_toml`).
    """
    try:
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            raise RecipeError(f"{plain(path.name)} is no recipe: name a TOML file")
        return Recipe.from_toml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot read the recipe {plain(path.name)}: {type(error).__name__}") from error
