"""Text that acts on nobody who reads it."""

import pytest

from calcimeasure.cli.terminal import as_lines, say
from calcimeasure.io.results.tables import cell
from calcimeasure.report.plain_text import plain, plain_name

CONTROLS = ["\x1b[2J", "\x9b2J", "\a", "\r", "\x7f", "\x00"]
ACTING = [*CONTROLS, "\u202e", "\u2028", "\ufeff", "\ud800", "\udcff", "\U000e0041"]


@pytest.mark.parametrize("text", ACTING)
def test_nothing_acts_on_a_terminal_or_in_a_table(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    say(f"failed: a{text}b\nnext")
    told = capsys.readouterr().err
    assert told.count("\n") == 2
    for shown in (told.replace("\n", ""), cell(f"a{text}b"), as_lines({"name": f"a{text}b"}).strip()):
        assert shown.isprintable()
        assert shown.isascii() or text not in shown


@pytest.mark.parametrize("text", ["Müller", "\u0633\u200c\u0645", "上肢", "a b", "\u3000", "e\u0301", "\N{BABY}"])
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert plain(text) == plain_name(text) == cell(text) == text


def test_no_two_names_look_alike() -> None:
    names = ["a\nb", r"a\x0ab", r"a\x5cx0ab", "a\\nb"]
    assert len({plain_name(name) for name in names}) == len(names)
