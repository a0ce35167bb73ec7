"""The trial's report: what it says, that a stranger's words stay words, and that nothing is fetched."""

import datetime
import re
import shutil
import subprocess
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from calcimeasure.errors import OutputError
from calcimeasure.io.results import pdf_text
from calcimeasure.io.results.trial_report import PICTURE_BYTES, compressed, write_findings, write_reports
from calcimeasure.model.quantity import Quantity
from calcimeasure.model.study import (
    Change,
    DepositChange,
    Fate,
    Film,
    Interval,
    Status,
    Study,
    Subject,
    Verdict,
    Visit,
)
from calcimeasure.model.warning import Remark
from calcimeasure.report.trial import TrialFindings, cohort_pages, patient_page, sentence
from calcimeasure.steps.agreement import Read, cohort, readers_agree

HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{7*7}}<b>$x^2$\x00\u202e\udce9\N{SNOWMAN}"
START = datetime.date(2024, 1, 31)
RUN = {"version": "0.1.0", "recipe_hash": "abc123", "weights_sha256": "f" * 64, "packages": {"numpy": "2.0"}}
DEPOSITS = (
    DepositChange("1", Fate.SHRUNK, (1,), (1,), None, None, Quantity(60.0, 2.0, "mm2"), Quantity(30.0, 1.0, "mm2"),
                  Quantity(-30.0, 2.2, "mm2"), -50.0, 5.0, 0.9),
    DepositChange("2", Fate.NEW, (), (2,), area_after=Quantity(4.0, 0.5, "mm2"), area_change=Quantity(4.0, 0.5, "mm2")),
    DepositChange("3", Fate.OUT_OF_FIELD, (3,), (), area_before=Quantity(9.0, 0.5, "mm2"), counted=False),
)  # fmt: skip


def _change(percent=-30.0, verdict=Verdict.IMPROVED, **facts):
    before, delta = Quantity(100.0, 2.0, "mm2"), Quantity(percent, 2.5, "mm2")
    given = {"percent_interval": (percent - 5, percent + 5), "p_decrease": 0.9999, "detectable": 6.9} | facts
    after = Quantity(100.0 + percent, 1.5, "mm2")
    return Change(
        Status.COMPARED, verdict, (Remark.other("beyond error and 25 %"),), before, after, delta, percent, **given
    )


def _trial(changes, word="p"):
    subjects, intervals = [], []
    for number, change in enumerate(changes):
        name = f"{number}{word}"
        dates = START, START + datetime.timedelta(days=270)
        visits = tuple(
            Visit(f"{v}{word}", date, (Film(name, v, date, "folder/film.dcm", word, "left", exclude_reason=word),))
            for v, date in zip(("v0", "v1"), dates, strict=True)
        )
        subjects.append(Subject(name, visits, START))
        intervals += [Interval(name, *visits, change)] if change else []
    return Study(tuple(subjects)), intervals


def _write(folder, changes, word="p", pictures=lambda _: None, run=RUN):
    study, intervals = _trial(changes, word)
    write_reports(folder, study, intervals, pictures, run)
    return (folder / "report.html").read_text(encoding="utf-8")


def _picture(folder, shape=(900, 1536, 3)):
    path = folder / "pair.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, shape, np.uint8))
    return path


class _Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.handlers, self.without_alt = [], [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        given = dict(attributes)
        self.addresses += [given[name] for name in ("href", "src", "action") if name in given]
        self.handlers += [name for name in given if name.startswith("on")]
        self.without_alt += tag == "img" and not given.get("alt")


def test_the_verdict_is_one_sentence_with_its_interval():
    assert sentence(_change()) == (
        "Total area fell from 100.0 mm² to 70.0 mm² (−30.0 %, 95 % interval −35.0 to −25.0 %): beyond error and 25 %."
    )
    assert sentence(Change.not_evaluable(Remark.other("another side"))) == "Another side."


def test_a_page_per_patient_and_the_cohort_first(tmp_path):
    text = _write(
        tmp_path, [_change(), _change(2.0, Verdict.STABLE), None, Change.not_evaluable(Remark.other("too dark"))]
    )
    assert re.findall(r'<section id="([\w-]+)"', text) == [
        "cohort",
        "subjects",
        "methods",
        *(f"patient-{n}" for n in (1, 2, 3, 4)),
    ]
    assert "1 of 2 compared subjects improved" in text
    assert "12.8 (4.3–27.4)" in text
    assert "Research use only; not a medical device." in text
    assert "too dark" in text
    assert all(fact in text for fact in ("abc123", "f" * 64, "0.1.0"))


def test_every_responder_rate_has_usual_care_beside_it():
    rules = {"25 % alone": Verdict.IMPROVED, "80 % alone": Verdict.STABLE}
    study, intervals = _trial([_change(under_rules=rules)] * 3)
    pages = list(cohort_pages(TrialFindings(study, cohort(study, intervals), RUN)))
    table = next(block for block in pages[0].blocks if block.kind == "table")
    assert len(table.rows) == 4
    assert {row[-1] for row in table.rows} == {"12.8 (4.3–27.4)"}
    assert [row[1] for row in table.rows] == ["3 of 3", "3 of 3", "3 of 3", "0 of 3"]


def test_a_patient_page_tells_each_fate_in_words_and_what_was_left_out():
    study, intervals = _trial([_change(deposits=DEPOSITS)])
    found = cohort(study, intervals)
    page = patient_page(TrialFindings(study, found, RUN), study.subjects[0], found.members[0], None)
    table = next(block for block in page.blocks if block.kind == "table")
    assert [row[1] for row in table.rows] == ["S shrunk", "O out of field", "N new"]
    assert [row[-1] for row in table.rows] == ["", "not in the totals", "not confirmed: changes no verdict"]
    left = next(block for block in page.blocks if block.kind == "items")
    assert any("deposit 3: outside the field" in line.lower() for line in left.lines)


def test_a_strangers_words_stay_words_in_both_files(tmp_path):
    change = _change(
        deposits=(DepositChange(HOSTILE, Fate.GROWN, note=(Remark.other(HOSTILE),)),),
        warnings=(Remark.other(HOSTILE),),
        under_rules={HOSTILE: Verdict.WORSE},
    )
    run = RUN | {"version": HOSTILE, "rule": HOSTILE, "packages": {HOSTILE: HOSTILE}}
    text = _write(
        tmp_path,
        [change, Change.not_evaluable(Remark.other(HOSTILE)), None],
        HOSTILE,
        lambda _: _picture(tmp_path),
        run,
    )
    page = _Page(text)
    assert "script" not in page.tags
    assert page.handlers == []
    assert page.tags.count("img") == 4
    assert page.without_alt == 0
    assert "{{7*7}}" in text
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    assert not re.search(r"(https?:)?//[a-z0-9]", re.sub(r"data:[^\"]*", "", text), re.I)


def test_the_same_findings_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        _write(tmp_path / name, [_change(deposits=DEPOSITS)] * 4, pictures=lambda _: _picture(tmp_path))
    for name in ("report.html", "report.pdf"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_only_what_the_study_file_said_is_in_the_page(tmp_path):
    text = _write(tmp_path, [_change()], pictures=lambda _: _picture(tmp_path))
    assert str(tmp_path) not in text
    assert "pair.png" not in text
    assert "film.dcm" not in text
    assert str(START.year) not in re.sub(r"data:[^\"]*", "", text)


@pytest.mark.parametrize("shape", [(900, 1536, 3), (3000, 4000, 3), (5, 5, 3)])
def test_pictures_are_small(tmp_path, shape):
    jpeg, size = compressed(_picture(tmp_path, shape).read_bytes())
    assert len(jpeg) <= PICTURE_BYTES
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape[1::-1] == size


@pytest.mark.parametrize(
    "content", [pytest.param(b"", id="empty"), pytest.param(b"no picture", id="text"), pytest.param(None, id="gone")]
)
def test_a_picture_that_is_none_is_told(tmp_path, content):
    path = tmp_path / "pair.png"
    if content is not None:
        path.write_bytes(content)
    text = _write(tmp_path, [_change()], pictures=lambda _: path)
    assert "There is no picture of this pair." in text


def test_nobody_and_nobody_comparable_are_still_a_report(tmp_path):
    assert "No subject could be compared" in _write(tmp_path / "a", [])
    assert "No subject could be compared" in _write(
        tmp_path / "b", [Change.not_evaluable(Remark.other("too dark")), None]
    )
    assert (tmp_path / "b" / "report.pdf").read_bytes()[:5] == b"%PDF-"


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write report\.html"):
        _write(tmp_path / "file", [_change()])


def test_readers_have_a_table_and_a_figure(tmp_path):
    study, intervals = _trial([_change()] * 3)
    reads = [Read(f"f{n}", reader, 10.0 * n + shift) for n in range(5) for reader, shift in (("A", 0), ("B", 0.5 * n))]
    findings = TrialFindings(study, cohort(study, intervals), RUN, readers_agree(reads))
    write_findings(tmp_path, findings, lambda _: None)
    assert "ICC(A,1), two-way random, absolute agreement" in (tmp_path / "report.html").read_text()


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs the browser: apt-get install chromium")
def test_a_browser_opens_it_offline_without_complaint(tmp_path):
    _write(tmp_path, [_change(deposits=DEPOSITS)] * 4, pictures=lambda _: _picture(tmp_path))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--dump-dom"]
    page = (tmp_path / "report.html").as_uri()
    seen = subprocess.run(["chromium", *flags, page], capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in seen.stderr
    assert seen.stdout.count("<section") == 7


#: names as they stand in trials, and the fonts that their letters need beside the embedded one
NAMES = {
    "Ōga Ελένη Иван İı 😀": [],
    "大賀 はな": ["HeiseiKakuGo-W5"],
    "王小明": ["STSong-Light"],
    "劉德華": ["MSung-Light"],
    "김민수": ["HYGothic-Medium"],
    "ก": [],
}


@pytest.mark.parametrize(("name", "needed"), NAMES.items(), ids=map(ascii, NAMES))
def test_every_name_is_readable_in_the_pdf(tmp_path, name, needed):
    visits = [Visit(visit, day, ()) for visit, day in (("base", START), ("m8", START + datetime.timedelta(240)))]
    interval = Interval(name, visits[0], visits[1], Change.not_evaluable(Remark.other("no film")))
    write_reports(tmp_path, Study((Subject(name, tuple(visits)),)), [interval], lambda _: None, RUN)
    pdf = (tmp_path / "report.pdf").read_bytes()
    assert [font for font in ("HeiseiKakuGo-W5", "STSong-Light", "MSung-Light", "HYGothic-Medium")
            if f"/BaseFont /{font}".encode() in pdf] == needed  # fmt: skip
    pdf_text.register()
    for font, piece in pdf_text.pieces(name):
        assert font is not None or pdf_text.is_embedded(piece)


def test_a_letter_that_no_font_has_is_told_by_its_number():
    pdf_text.register()
    assert pdf_text.marked("aก") == "a&lt;U+0E01&gt;"
