"""Reference pages that are made from the code, so that they cannot lie: tables, recipe, commands, public names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import typer

import calcimeasure
from calcimeasure.cli import app
from calcimeasure.io.results import columns
from calcimeasure.recipe import Recipe

MADE = "<!-- Made from the code by docs/from_code.py; edit the code instead. -->\n\n"


def write_pages(folder: Path) -> None:
    """Write every page that the code answers for into a folder; a page that did not change is left alone."""
    pages = {"tables": tables(), "recipe": recipe(), "commands": commands(), "api": public_names()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        file = folder / f"{name}.md"
        if not file.exists() or file.read_text() != MADE + text:
            file.write_text(MADE + text)


def tables() -> str:
    """The data dictionary: every column of every table."""
    return "# Tables\n\nEvery column of every table that a command writes, as in `columns.json`.\n\n" + "\n".join(
        _table(name) for name in columns.EVERY
    )


def _table(name: str) -> str:
    rows = [(f"`{c.name}`", _cell(c.description), c.unit, c.dtype) for c in columns.EVERY[name]]
    return f"## {name}\n\n{_grid(('column', 'meaning', 'unit', 'type'), rows)}\n"


def recipe() -> str:
    """Every setting of a recipe with its default."""
    parts = [_settings(part.name, getattr(Recipe(), part.name)) for part in fields(Recipe)]
    head = (
        "# Recipe\n\nA recipe is a TOML file; what it leaves out keeps its default. `run.json` holds the whole one.\n\n"
    )
    return head + "\n".join(parts)


def _settings(table: str, values: object) -> str:
    rows = [(f"`{f.name}`", f"`{getattr(values, f.name)!r}`") for f in fields(values)]  # type: ignore[arg-type]
    kind = type(values)
    home = f"{kind.__module__}.{kind.__name__}"
    return f"## [{table}]\n\n{_grid(('setting', 'default'), rows)}\n```{{eval-rst}}\n.. autoclass:: {home}\n```\n"


def commands() -> str:
    """Every command with its options, as `--help` prints them."""
    front = typer.main.get_command(app)
    context = front.make_context("calcimeasure", [], resilient_parsing=True)
    return "# Commands\n\n" + "\n".join(_help(front.get_command(context, name), name) for name in front.commands)


def _help(command: object, name: str) -> str:
    context = command.make_context(f"calcimeasure {name}", [], resilient_parsing=True)  # type: ignore[attr-defined]
    context.terminal_width = 110
    return f"## {name}\n\n```text\n{command.get_help(context)}\n```\n"  # type: ignore[attr-defined]


def public_names() -> str:
    """The front page: every public name, from its docstring."""
    return "# Public names\n\n`from calcimeasure import ...`\n\n" + "\n".join(_entries())


def _entries() -> Iterator[str]:
    for name in calcimeasure.__all__:
        thing = getattr(calcimeasure, name)
        how = "autoexception" if _is_error(thing) else "autoclass" if isinstance(thing, type) else "autofunction"
        home = f"{thing.__module__}.{name}"
        members = "   :members:\n   :undoc-members:\n" if how == "autoclass" else ""
        yield f"```{{eval-rst}}\n.. {how}:: {home}\n{members}   :no-index:\n```\n"


def _is_error(thing: object) -> bool:
    return isinstance(thing, type) and issubclass(thing, Exception)


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
