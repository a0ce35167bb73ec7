"""The page is whole, closed, repeatable, and safe from the names in it."""

import base64
import json
import re
import shutil
import subprocess
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from calcimeasure.model.image import Spacing, SpacingOrigin
from calcimeasure.model.quantity import Quantity
from calcimeasure.model.warning import Remark
from calcimeasure.report.html import PLAIN_ROWS, FilmCard, Report, report_html
from calcimeasure.report.plain_text import plain

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&<!--<script>{{7*7}}\u2028.png"
CARD = FilmCard(
    "hand.dcm",
    "measured",
    kind="radiograph",
    meaning="detector",
    deposits=3,
    area_mm2=Quantity(12.345, 0.82, "mm2"),
    area_px=Quantity(617.0, 40.0, "px"),
    contrast_mean=301.26,
    spacing=Spacing.of(0.143, 0.143, SpacingOrigin.DETECTOR_PLANE),
    excluded={"too_small": 4, "bone": 0},
    warnings=(Remark.other("lossy compression"),),
    thumbnail=b"\xff\xd8jpeg",
    overlay="overlays/hand.png",
    mask="masks/hand.labels.tif",
)


def _report(*cards, **facts):
    return Report("A run", "0.1.0", "abc123def456", cards, **facts)


class _Page(HTMLParser):
    """Elements, the text of scripts and every address that a browser could follow."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.addresses, self.handlers = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [value for name, value in attributes if name in ("href", "src", "action", "data", "srcset")]
        self.handlers += [name for name, _ in attributes if name.startswith("on")]

    def handle_data(self, data):
        if self.lasttag == "script" and data.strip():
            self.scripts.append(data)


def _rows(text):
    return json.loads(re.search(r'<script type="application/json" id="cards">(.*?)</script>', text, re.S)[1])


def test_the_same_report_gives_the_same_text():
    assert report_html(_report(CARD)) == report_html(_report(replace(CARD)))


def test_numbers_are_rounded_to_their_error_and_travel_with_their_unit():
    row = _rows(report_html(_report(CARD)))[0]
    assert row["area"] == "12.35 ± 1.61 mm²"
    assert row["scale"] == "0.143 mm/px, detector plane"
    assert row["contrast"] == "301.3"
    assert row["excluded"] == [["too small", 4]]
    assert row["mm2"] == 12.345
    assert base64.b64decode(row["thumb"]) == CARD.thumbnail


@pytest.mark.parametrize(
    ("value", "sd", "shown"),
    [
        (12.345, 0.82, "12.35 ± 1.61"),
        (1234567.0, 4321.0, "1\u202f234\u202f567 ± 8\u202f469"),
        (0.0123, 0.0011, "0.0123 ± 0.0022"),
        (0.0, 0.0, "0"),
        (5.25, None, "5.250"),
        (float("nan"), 1.0, "–"),
        (3.0, float("inf"), "3"),
    ],
)
def test_area_with_half_of_its_interval(value, sd, shown):
    card = replace(CARD, area_mm2=Quantity(value, sd, "mm2"))
    assert _rows(report_html(_report(card)))[0]["area"] == f"{shown} mm²"


def test_an_unknown_scale_stays_px_and_adds_nothing_to_the_total():
    text = report_html(_report(replace(CARD, area_mm2=None, spacing=None)))
    row = _rows(text)[0]
    assert (row["area"], row["mm2"], row["scale"]) == ("617 ± 78 px", None, "unknown")
    assert "mm² in total" in text
    assert "over 0 images" in text


def test_totals_come_from_the_cards():
    text = report_html(
        _report(CARD, CARD, FilmCard("bad.dcm", "failed", error="cut off"), replace(CARD, status="proposed"))
    )
    figures = re.findall(r"<li><b>(.*?)</b><span>(.*?)</span>", text)
    assert figures[:3] == [("2", "measured"), ("1", "failed"), ("9", "deposits")]
    assert ("37.04", "mm² in total") in figures


def test_hostile_names_stay_text():
    card = replace(
        CARD, image=HOSTILE, kind=HOSTILE, error=HOSTILE, warnings=(Remark.other(HOSTILE),), excluded={HOSTILE: 1}
    )
    text = report_html(
        replace(_report(card, warnings=(HOSTILE,), tables=(HOSTILE,), letters={HOSTILE: "X"}), title=HOSTILE)
    )
    page = _Page(text)
    assert page.tags.count("script") == 2
    assert "img" not in page.tags
    assert page.handlers == []
    assert _rows(text)[0]["name"] == plain(HOSTILE)
    assert "{{7*7}}" in text  # shown, not evaluated


@pytest.mark.parametrize(
    "path",
    [
        "javascript:alert(1)",
        "//evil.example/x",
        "http://evil.example/x",
        "a#b?c d.png",
        '"><script>',
        "h\udce9.png",
        "/etc/x",
    ],
)
def test_links_stay_beside_the_page(path):
    row = _rows(report_html(_report(replace(CARD, overlay=path, mask=path))))[0]
    assert re.fullmatch(r"\./[A-Za-z0-9/%._~-]+", row["overlay"])
    assert row["mask"] == row["overlay"]


def test_a_name_that_is_no_unicode_can_still_be_written():
    report_html(_report(replace(CARD, image="h\udce9.png"))).encode("utf-8")


def test_the_page_asks_nothing_of_a_network():
    text = report_html(_report(CARD, date="2026-11-22"))
    assert not re.search(r"(https?:)?//[a-z0-9]", text, re.I)
    assert all(address.startswith(("./", "#", "data:,")) for address in _Page(text).addresses)
    assert "url(" not in text
    assert "@import" not in text


def test_the_browser_may_run_only_the_script_that_we_wrote():
    text = report_html(_report(replace(CARD, image=HOSTILE)))
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', text)[1]
    script = re.search(r"<script>(.*?)</script>", text, re.S)[1]
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{base64.b64encode(sha256(script.encode()).digest()).decode()}'" in policy.replace(
        "&#43;", "+"
    )
    assert "innerHTML" not in script


def test_a_plain_table_stands_where_javascript_is_off():
    cards = [replace(CARD, image=f"hand_{i}.dcm") for i in range(PLAIN_ROWS + 5)]
    plain = re.search(r"<noscript>(.*?)</noscript>", report_html(_report(*cards)), re.S)[1]
    assert plain.count("<tr>") == PLAIN_ROWS + 1
    assert f"first {PLAIN_ROWS} of {PLAIN_ROWS + 5} images" in plain
    assert "12.35 ± 1.61 mm²" in plain


def test_two_thousand_images_cost_their_thumbnails_and_little_more():
    thumb = bytes(9_000)
    text = report_html(_report(*(replace(CARD, image=f"hand_{i}.dcm", thumbnail=thumb) for i in range(2_000))))
    assert len(text) < 2_000 * (12_000 + 700) + 250_000
    assert text.count("<article") == 0  # cards are built by the browser, one page at a time


@pytest.mark.parametrize("cards", [(), (FilmCard("bad.dcm", "failed", error="cut off"),)])
def test_nothing_to_show_is_still_a_page(cards):
    text = report_html(_report(*cards))
    assert len(_rows(text)) == len(cards)
    assert "Research use only; not a medical device." in text
    assert "mm² in total" in text


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs the browser: apt-get install chromium")
def test_a_browser_builds_one_page_of_cards_and_complains_of_nothing(tmp_path):
    page = tmp_path / "report.html"
    cards = [replace(CARD, image=f"{i} {HOSTILE}", thumbnail=None) for i in range(100)]
    page.write_text(report_html(_report(*cards)), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += [
        f"--user-data-dir={tmp_path / 'profile'}",
        "--enable-logging=stderr",
        "--virtual-time-budget=4000",
        "--dump-dom",
    ]
    seen = subprocess.run(["chromium", *flags, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    assert seen.stdout.count('<article class="card">') == 48
    assert "1–48 of 100" in seen.stdout
    assert "CONSOLE" not in seen.stderr
    assert "onerror=alert(1)&gt;" in seen.stdout
