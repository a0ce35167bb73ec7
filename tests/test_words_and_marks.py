"""Facts before sentences: every code has its words, nobody reads them back, and all who show a mark show the same."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

import calcimeasure
from calcimeasure.io.results.record import Record
from calcimeasure.model.precision import PrecisionProfile
from calcimeasure.model.quantity import Quantity
from calcimeasure.model.study import Fate, Verdict
from calcimeasure.model.warning import Code, Remark, once, remarks_from_json
from calcimeasure.report.marks import FATES, PLUS_MINUS, VERDICTS, half_width
from calcimeasure.report.numbers import with_error
from calcimeasure.report.trial.blocks import banner
from calcimeasure.report.words import OPTIONS, SENTENCES, codes, in_one, in_words, sentence, sentences, verdict_in_words

PACKAGE = Path(calcimeasure.__file__).parent
SOURCES = [*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "plugins").rglob("*.py")]
NESTED = Remark.of(Code.FILM_NOT_EVALUABLE, film="hand", why=(Remark.of(Code.LITTLE_SHARED), Remark.other("a; b")))


# --- remarks ------------------------------------------------------------------------------------------------


def test_every_code_has_a_sentence_of_its_own() -> None:
    assert set(SENTENCES) == set(Code)
    assert len({code.value for code in Code}) == len(Code)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", code.value) for code in Code)


def _made() -> Iterator[tuple[str, str, set[str]]]:
    """Every place where a remark is made of a code named there: the place, the code, the names of the facts."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) not in ("Remark.of", "cls.of") or not node.args:
                continue
            named = [one.attr for one in ast.walk(node.args[0]) if isinstance(one, ast.Attribute)]
            for code in (name for name in named if name in Code.__members__):
                yield f"{path.name}:{node.lineno}", code, {str(word.arg) for word in node.keywords}


def test_a_remark_has_the_facts_that_its_sentence_asks_for() -> None:
    wrong = []
    for place, code, given in _made():
        asked = {name for _, name, _, _ in Formatter().parse(SENTENCES[Code[code]]) if name} - set(OPTIONS)
        if asked != given:
            wrong.append((place, code, asked ^ given))
    assert not wrong


def test_every_code_is_said_somewhere() -> None:
    """A code that nobody gives is a sentence that nobody reads."""
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in SOURCES if path.name not in ("warning.py", "words.py")
    )
    silent = {code.name for code in Code if not re.search(rf"\bCode\.{code.name}\b", text)} - {"OTHER"}
    assert not silent


@pytest.mark.parametrize(
    "remark",
    [Remark.of(Code.LOSSY), Remark.of(Code.OTHER_UNIT, times=9.97), Remark.of(Code.SATURATED, count=3), NESTED],
    ids=lambda remark: remark.code.value,
)
def test_a_remark_survives_json(remark: Remark) -> None:
    again = Remark.from_json(json.loads(json.dumps(remark.as_json())))
    assert again == remark
    assert hash(again) == hash(remark)
    assert sentence(again) == sentence(remark)


@pytest.mark.parametrize(
    ("told", "words"),
    [("", ()), (None, ()), ("too dark; too small", ("too dark; too small",)), (["a", "b"], ("a", "b"))],
    ids=["none", "no cell", "one text", "a list of texts"],
)
def test_what_was_written_before_there_were_codes_keeps_its_words(told: object, words: tuple[str, ...]) -> None:
    found = remarks_from_json(told)
    assert sentences(found) == words
    assert all(one.code is Code.OTHER for one in found)


@pytest.mark.parametrize("told", [7, {"code": "lossy"}, [{"code": "eaten", "facts": []}], [None], [["a"]]], ids=str)
def test_what_is_no_remark_is_refused(told: object) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        remarks_from_json(told)


def test_a_strangers_braces_stay_words() -> None:
    text = "{film} {0} {why.__class__} 100 %"
    assert sentence(Remark.other(text)) == text
    assert sentence(Remark.of(Code.FAILED, film="{x}", why=Remark.other(text))) == f"{{x}}: {text}"


@pytest.mark.parametrize("fact", [None, ["a"], {"a": 1}, ("a",), object()])
def test_a_fact_is_plain_or_a_remark(fact: object) -> None:
    with pytest.raises(TypeError):
        Remark.of(Code.OTHER, text=fact)


def test_one_cell_holds_all_and_the_codes_beside_it() -> None:
    remarks = once((NESTED, Remark.of(Code.LOSSY)), (Remark.of(Code.LOSSY),))
    assert in_one(remarks) == (
        "hand not evaluable: they share too little of the limb; a; b; lossy compression: edges of small deposits may "
        "have moved"
    )
    assert codes(remarks) == "film_not_evaluable lossy"
    assert in_one(None) == in_one(()) == codes(()) == ""


def test_a_reason_inside_a_scales_warning_does_not_part_the_cell() -> None:
    unsure = Remark.of(Code.RULER_UNSURE, doubt=Remark.of(Code.TICKS_FEW, count=12))
    told = sentence(Remark.of(Code.SCALE_REFUSED, why=(Remark.of(Code.NO_MARKER), unsure)))
    assert "; " not in told
    assert "only 12 ticks are seen, check the ticks" in told


def test_the_panel_names_no_option_of_the_command_line() -> None:
    remark = Remark.of(Code.RULER_UNSURE, doubt=Remark.of(Code.MARKER_SIZE_UNKNOWN, count=1))
    assert "(--scale-points)" in sentence(remark)
    assert "(--marker-mm)" in sentence(remark)
    assert "--" not in sentence(remark, options=False)


def test_a_record_of_before_keeps_the_words_of_its_row() -> None:
    row = {"image": "a.png", "status": "measured", "sha256": "0", "warnings": "one; two"}
    old = {"key": "k", "row": row, "deposits": [], "excluded": [], "thumbnail": None, "sd_components": {}}
    assert sentences(Record.from_json(json.dumps(old)).warnings) == ("one; two",)
    record = Record("k", row, [], [], warnings=(NESTED,))
    assert Record.from_json(record.to_json()) == record


def test_a_profile_says_whether_it_is_simulated() -> None:
    flat = ((0.0, 0.0, 0.0),) * 3
    mine = PrecisionProfile(1.0, 0.0, 0.0, "mm2", "simulated by ourselves", 9.0, 9, 1.0, 9.0, flat)
    told = json.loads(json.dumps(mine.to_json()))
    assert not PrecisionProfile.from_json(told).is_simulated
    old = {name: value for name, value in told.items() if name != "is_simulated"}
    assert not PrecisionProfile.from_json(old).is_simulated
    assert PrecisionProfile.from_json(old | {"origin": "simulated films, not patients"}).is_simulated
    assert PrecisionProfile.from_json(told | {"is_simulated": True}).is_simulated


# --- nobody reads a sentence back -----------------------------------------------------------------------------

_SAID = r"(?:warnings?|words|note|notes|reason|refused|origin|sentence\(.*\)|in_one\(.*\)|in_words\(.*\)|bare\(.*\))"
_PARSES = r"(?:r?split\((?!\))|(?:r?partition|startswith|endswith|removeprefix|removesuffix|r?find|index)\()"
_READS = re.compile(
    rf"""\b{_SAID}(?:\[[^]]*\])?\.{_PARSES}
    |["']\s(?:not\s)?in\s(?:[\w.]*\.)?(?:warnings?|note|notes|reason|refused)\b
    |\bre\.\w+\([^)]*\b(?:warnings?|note|reason|refused)\b
    |row\["warnings"\]\.
    """,
    re.VERBOSE,
)
#: Where text of files that we wrote before there were fields is read.
_OF_OLD = {("precision.py", 'return _words(profile, "origin").startswith("simulated films")')}


def test_nothing_parses_text_that_we_wrote() -> None:
    found = {
        (path.name, line.strip())
        for path in SOURCES
        for line in path.read_text(encoding="utf-8").splitlines()
        if _READS.search(line)
    }
    assert found <= _OF_OLD


@pytest.mark.parametrize(
    "line",
    [
        'if "new, unconfirmed" not in change.note:',
        "text.reason.split('; ')",
        'row["warnings"].split("; ")',
        're.sub("a", "", reason)',
        'profile.origin.startswith("simulated")',
        'bare(quantity).split(" ")[0]',
        "if 'second look' in one.note",
    ],
)
def test_the_search_finds_who_parses(line: str) -> None:
    assert _READS.search(line)


# --- marks ----------------------------------------------------------------------------------------------------


def test_every_fate_and_verdict_is_told_apart_without_colour() -> None:
    assert set(FATES) == set(Fate)
    assert set(VERDICTS) == set(Verdict)
    for marks, name in ((FATES, "letter"), (FATES, "word"), (FATES, "colour"), (VERDICTS, "sign"), (VERDICTS, "word")):
        assert len({getattr(mark, name) for mark in marks.values()}) == len(marks), name


def test_words_of_marks_are_those_of_the_tables() -> None:
    assert {fate: mark.word for fate, mark in FATES.items()} == {fate: fate.value.replace("_", " ") for fate in Fate}
    assert {one: mark.word for one, mark in VERDICTS.items()} == {one: one.value.replace("_", " ") for one in Verdict}


def test_nobody_else_marks_a_fate_or_a_verdict() -> None:
    """A table of colours, letters or words by fate or verdict elsewhere would be a second truth."""
    key = re.compile(r"^\s+(?:\w+\.)?(?:Fate|Verdict)\.[A-Z_]+:\s*(?:\(|\w*Mark\()?\s*['\"]", re.MULTILINE)
    found = {path.name for path in SOURCES if key.search(path.read_text(encoding="utf-8"))}
    assert found == {"marks.py"}


@pytest.mark.parametrize("verdict", Verdict)
def test_panel_page_and_table_say_a_verdict_alike(verdict: Verdict) -> None:
    mark, said = VERDICTS[verdict], banner(verdict, "")
    assert verdict_in_words(verdict) == mark.said
    assert (said.sign, said.word.lower(), said.tone) == (mark.sign, mark.word, mark.tone)


@pytest.mark.parametrize(("value", "sd"), [(12.34, 0.5), (250.0, 0.61), (3.0, 0.25)])
def test_a_person_reads_the_same_half_width_everywhere(value: float, sd: float) -> None:
    from calcimeasure.report.html import FilmCard, Report, report_html

    quantity = Quantity(value, sd, "mm2")
    reach = half_width(quantity)
    assert reach == pytest.approx(1.96 * sd)
    page = report_html(Report("t", "1", "h", [FilmCard("a.png", "measured", area_mm2=quantity)]))
    told = json.loads(re.search(r'id="cards">(.*?)</script>', page, re.DOTALL)[1])[0]["area"]
    read = [
        float(text.partition(PLUS_MINUS)[2].split()[0]) for text in (in_words(quantity), with_error(quantity), told)
    ]
    assert read == pytest.approx([reach] * 3, abs=0.006)
