"""The README keeps its word: its columns, commands and picture exist."""

import re
from pathlib import Path

import pytest

from calcimeasure.io.results import columns

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("table", columns.TABLES)
def test_every_column_is_explained(table: str) -> None:
    missing = [name for name in columns.names(table) if f"`{name}`" not in README and not name.startswith("bbox_")]
    assert not missing


def test_the_pictures_exist() -> None:
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", README)
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)


def test_the_two_commands_stand_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for command in re.findall(r"`make (\w+)`", README):
        assert f"\n{command}:" in makefile, command


def test_the_python_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(compile(code, "README.md", "exec"), {})


def test_it_says_what_it_must_not_be_used_for() -> None:
    assert "research use only" in README.lower()
    assert "not a medical device" in README.lower()
