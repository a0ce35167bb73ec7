"""One conductor for each question: a script gives the same bytes as the command, with whatever crew."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType

import cv2
import numpy as np
import pytest
from PIL import Image as Picture
from typer.testing import CliRunner, Result

import calcimeasure
from calcimeasure import Advice, Begin, FilmFile, InThisProcess, Job, Progress, Stage
from calcimeasure.cli import app
from calcimeasure.errors import MeasurementRefused, NothingToMeasure
from calcimeasure.io.results.masks import write_labels
from calcimeasure.model.labels import Labels

MM = 0.3
SHAPE = (300, 220)
PACKAGE = Path(calcimeasure.__file__).parent


def draw(folder: Path, name: str, radii: tuple[int, ...], shift: int = 0) -> None:
    """A limb of a bone in flesh with deposits, moved down by some rows, and its label image."""
    labels = np.zeros(SHAPE, np.int32)
    for number, (radius, row) in enumerate(zip(radii, (100, 150, 200), strict=False), 1):
        cv2.circle(labels, (110, row + shift), radius, number, -1)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    rows -= shift
    off = abs(columns - 110 - 12 * np.sin(rows / 40))
    grey = 20 + 70.0 * (off < 70 - rows / 12) + 50.0 * (off < 14 + 4 * np.cos(rows / 25)) + 55.0 * (labels > 0)
    grey += 6 * np.sin(rows / 9) * np.cos(columns / 11) + np.random.default_rng(shift + radii[0]).normal(0, 1.5, SHAPE)
    Picture.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).save(folder / f"{name}.png")
    write_labels(folder / f"{name}.labels.tif", Labels(labels), None)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two patients with two visits, one of a damaged film, and the tables that speak of them."""
    folder = tmp_path_factory.mktemp("films")
    draw(folder, "a1", (9, 8), 0)
    draw(folder, "a2", (7, 6), 4)
    draw(folder, "b1", (8, 9), 2)
    (folder / "b2.png").write_bytes((folder / "b1.png").read_bytes()[:300])
    rows = [f"{film[0]},{film[1]},{film}.png,{film}.labels.tif,{MM}" for film in ("a1", "a2", "b1")]
    (folder / "study.csv").write_text(
        "\n".join(
            [
                "subject,visit,date,image,mask,spacing_mm",
                *(f"{row.split(',')[0]},{row.split(',')[1]},,{row.split(',', 2)[2]}" for row in rows),
                f"b,2,,b2.png,,{MM}",
                "",
            ]
        )
    )
    (folder / "scans.csv").write_text("\n".join(["subject,repeat,image,mask,spacing_mm", *rows, ""]))
    (folder / "areas.csv").write_text("subject,area_mm2\na,100\na,104\nb,50\nb,49\n")
    (folder / "landmarks.csv").write_text(
        "baseline_row,baseline_column,followup_row,followup_column\n100,100,104,100\n200,110,204,110\n150,140,154,140\n"
    )
    return folder


Script = Callable[[Path, Job, calcimeasure.Crew, Callable[[Progress], None]], object]


def _measure(films: Path, job: Job, crew: calcimeasure.Crew, tell: Callable[[Progress], None]) -> object:
    job = Job(job.out, kind="radiograph", spacing_mm=MM, masks=films, begin=job.begin)
    return calcimeasure.measure_folder([films], job, crew, tell)


def _compare(films: Path, job: Job, crew: calcimeasure.Crew, tell: Callable[[Progress], None]) -> object:
    given = [FilmFile(films / f"{name}.png", films / f"{name}.labels.tif", "L") for name in ("a1", "a2")]
    job = Job(job.out, kind="radiograph", spacing_mm=MM, begin=job.begin)
    return calcimeasure.compare_films(given, job, Advice.in_files(landmarks=films / "landmarks.csv"), crew, tell)


#: What a person types, and the one call of a script that answers the same question.
QUESTIONS: dict[str, tuple[str, int, Script]] = {
    "measure": ("measure {films} --masks {films} --kind radiograph --spacing 0.3", 1, _measure),
    "compare": (
        "compare {films}/a1.png {films}/a2.png --masks {films}/a1.labels.tif --masks {films}/a2.labels.tif --side L "
        "--kind radiograph --spacing 0.3 --landmarks {films}/landmarks.csv",
        0,
        _compare,
    ),
    "study": (
        "study {films}/study.csv",
        1,
        lambda films, job, crew, tell: calcimeasure.run_study(films / "study.csv", job, None, crew, tell),
    ),
    "repeatability": (
        "repeatability {films}/scans.csv",
        0,
        lambda films, job, crew, tell: calcimeasure.repeatability_of(films / "scans.csv", job, crew, tell),
    ),
    "areas": (
        "repeatability {films}/areas.csv",
        0,
        lambda films, job, crew, tell: calcimeasure.repeatability_of(films / "areas.csv", job, crew, tell),
    ),
}


def _typed(words: str, films: Path, out: Path, *more: str) -> Result:
    return CliRunner().invoke(app, [word.format(films=films) for word in words.split()] + ["-o", str(out), *more])


def _files(out: Path) -> dict[str, bytes]:
    """Everything that a person may look at."""
    found = {path.relative_to(out).as_posix(): path for path in sorted(out.rglob("*")) if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(".calcimeasure/")}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_script_gives_the_same_bytes_as_the_command(
    films: Path, tmp_path: Path, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, code, script = QUESTIONS[question]
    if question != "study":  # one question is answered by other processes: the others would only take longer
        monkeypatch.setattr(calcimeasure, "Processes", lambda *_: InThisProcess(), raising=False)
    typed = _typed(words, films, tmp_path / "typed" / "out", "--json")
    assert typed.exit_code == code, typed.stderr
    heard: list[Progress] = []
    found = script(films, Job(tmp_path / "asked" / "out"), InThisProcess(), heard.append)
    assert _files(tmp_path / "asked" / "out") == _files(tmp_path / "typed" / "out")
    told = json.dumps(found.to_json()).replace("/asked/", "/typed/")  # type: ignore[attr-defined]
    assert json.loads(told) == json.loads(typed.stdout)
    failed = [f"failed: {news.failed}: {news.reason}" for news in heard if news.failed]
    assert failed == [line for line in typed.stderr.splitlines() if line.startswith("failed")]
    _check_heard(heard)


def _check_heard(heard: Sequence[Progress]) -> None:
    """Every stage begins with nothing done and counts up to its total."""
    assert heard[0].stage is Stage.OPENING
    for stage in {news.stage for news in heard} - {Stage.OPENING}:
        its = [news for news in heard if news.stage is stage]
        assert [news.done for news in its] == list(range(its[0].total + 1))


@pytest.mark.parametrize("question", ["measure", "study"])
def test_ctrl_c_leaves_tables_of_what_is_done_and_a_second_call_ends_in_the_same_bytes(
    films: Path, tmp_path: Path, question: str
) -> None:
    _, _, script = QUESTIONS[question]

    def weary(news: Progress) -> None:
        if news.stage is Stage.MEASURING and news.done == 2:
            raise KeyboardInterrupt

    broken = script(films, Job(tmp_path / "broken"), InThisProcess(), weary)
    assert broken.interrupted  # type: ignore[attr-defined]
    assert (tmp_path / "broken" / "images.csv").read_text().count("\n") == 3
    again = script(films, Job(tmp_path / "broken", begin=Begin.RESUME), InThisProcess(), lambda _: None)
    assert not again.interrupted  # type: ignore[attr-defined]
    script(films, Job(tmp_path / "whole"), InThisProcess(), lambda _: None)
    assert _files(tmp_path / "broken") == _files(tmp_path / "whole")


def test_what_cannot_be_asked_is_an_error_of_ours(films: Path, tmp_path: Path) -> None:
    job = Job(tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingToMeasure, match="no image"):
        calcimeasure.measure_folder([tmp_path / "empty"], job)
    with pytest.raises(MeasurementRefused, match="two films or more"):
        calcimeasure.compare_films([films / "a1.png"], job)
    with pytest.raises(MeasurementRefused, match="side"):
        FilmFile(films / "a1.png", side="up")
    assert not job.out.exists()


# --- the walk of a study row -----------------------------------------------------------------------------------

#: Floors of the house from the ground up, by the first word after the package's name.
FLOORS = {
    name: height
    for height, names in enumerate(
        [
            ("errors",),
            ("model",),
            ("steps", "phantom"),
            ("recipe", "report"),
            ("follow_up",),
            ("io",),
            ("run",),
            ("cli",),
        ]
    )
    for name in names
}


class Walk:
    """Every call that goes up a floor, and every call of the command line from below it, as pairs of function names."""

    def __init__(self) -> None:
        self.climbs: set[tuple[str, str]] = set()

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_back is not None:
            (above, name), (below, caller) = _place(frame.f_code), _place(frame.f_back.f_code)
            if above is not None and below is not None and above > below:
                self.climbs.add((caller, name))


@lru_cache(None)
def _place(code: CodeType) -> tuple[int | None, str]:
    """Floor of a function and its name; no floor outside the house, and at its front page."""
    path = Path(code.co_filename)
    if not path.is_relative_to(PACKAGE):
        return None, ""
    inside = path.relative_to(PACKAGE)
    return FLOORS.get(Path(inside.parts[0]).stem), f"{inside.with_suffix('')}:{code.co_qualname}"


def test_a_study_row_climbs_little_and_meets_the_command_line_once(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calcimeasure, "Processes", lambda *_: InThisProcess(), raising=False)
    walk = Walk()
    before = sys.getprofile()
    sys.setprofile(walk)
    try:
        told = _typed("study {films}/study.csv", films, tmp_path / "out")
    finally:
        sys.setprofile(before)
    assert told.exit_code == 1, told.stderr
    assert (tmp_path / "out" / "changes.csv").read_text().count("\n") == 3
    assert len(walk.climbs) <= 6, walk.climbs
    to_the_door = {name for _, name in walk.climbs if name.startswith("cli/")}
    assert to_the_door <= {"cli/terminal:told.<locals>.tell"}, "only progress is told upwards"
