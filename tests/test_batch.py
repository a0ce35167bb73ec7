"""The crew: a worker that dies or hangs costs its file's row and nothing else."""

import ctypes
import hashlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from calcimeasure.errors import OutputError, ReadError
from calcimeasure.io.files import sha256_of
from calcimeasure.io.given.inputs import Input
from calcimeasure.io.given.spacing_table import GivenSpacing, SpacingTable
from calcimeasure.io.given.study_file import Source
from calcimeasure.io.results.masks import write_labels
from calcimeasure.io.results.record import Record, files_of
from calcimeasure.model.labels import Labels
from calcimeasure.model.study import Film
from calcimeasure.recipe import Recipe
from calcimeasure.run import films
from calcimeasure.run.crew import Crew
from calcimeasure.run.films import Job, Task, lost_file
from calcimeasure.run.trial import MeasuredFilm, _reading


def act(task: Task, job: Job) -> Record:
    """Stands in for measuring: some files kill the process, some never end."""
    match task.item.image:
        case "dies":
            os._exit(3)
        case "hangs":
            time.sleep(60)
        case "disk full":
            raise OutputError("no space left")
    return Record("key", {"image": task.item.image, "status": "measured"})


def _run(tmp_path: Path, *images: str, size: int = 1) -> dict[str, str]:
    tasks = [Task(Input(tmp_path / image, image, image)) for image in images]
    with Crew(Job(tmp_path / "out"), act, lost_file, size, seconds_a_file=5) as crew:
        done = {task.item.image: record for task, record in crew.run(tasks)}
    return {image: str(record.row.get("error", "")) for image, record in done.items() if record}


class FailingStart:
    """Orders that end a worker in its start-up, as often as is asked."""

    threads = 1

    def __init__(self, folder: Path, times: int) -> None:
        self.recipe, self.folder, self.times = Recipe(), folder, times

    def __getstate__(self) -> dict[str, object]:
        return {"recipe": self.recipe, "folder": self.folder, "times": self.times}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        died = len(list(self.folder.iterdir()))
        if died < self.times:
            (self.folder / str(died)).touch()
            os._exit(7)


@pytest.mark.parametrize(("times", "lost"), [(1, 0), (3, 1)])
def test_a_worker_that_dies_in_its_start_is_replaced_and_no_file_is_blamed(
    tmp_path: Path, times: int, lost: int
) -> None:
    (tmp_path / "deaths").mkdir()
    tasks = [Task(Input(tmp_path / image, image, image)) for image in "ab"]
    with Crew(FailingStart(tmp_path / "deaths", times), act, lost_file, seconds_a_file=60) as crew:
        errors = [str(record.row.get("error", "")) for _, record in crew.run(tasks)]
    assert len(errors) == 2
    assert sum("died as they began" in error for error in errors) == lost


def test_no_worker_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path\n"
        "from tests.test_batch import stay\n"
        "from calcimeasure.run.crew import Crew\n"
        "from calcimeasure.run.films import Job, lost_file\n"
        f"if __name__ == '__main__':\n"
        f"    with Crew(Job(Path({str(tmp_path)!r})), stay, lost_file) as crew:\n"
        f"        list(crew.run([{str(tmp_path / 'pid')!r}]))\n"
    )
    (tmp_path / "run.py").write_text(script)
    home = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
    parent = subprocess.Popen([sys.executable, tmp_path / "run.py"], env={**os.environ, **home})
    worker = int(_within(60, lambda: (tmp_path / "pid").read_text() if (tmp_path / "pid").exists() else ""))
    parent.kill()
    parent.wait()
    assert _within(30, lambda: "gone" if not _is_running(worker) else "")


def stay(task: str, job: Job) -> None:
    """Stands in for a decoder that never ends and never lets go of the interpreter."""
    Path(f"{task}.draft").write_text(str(os.getpid()))
    Path(f"{task}.draft").rename(task)
    ctypes.PyDLL(None).sleep(120)


def _within(seconds: float, found: Callable[[], str]) -> str:
    deadline = time.monotonic() + seconds
    while not (told := found()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return told


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def test_hash_and_numbers_are_of_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (np.full((40, 50 + n), 90, np.uint8) for n in (0, 1))
    for name, array in (("film.png", one), ("other.png", other)):
        PillowImage.fromarray(array).save(tmp_path / name)
    sha256 = hashlib.sha256((tmp_path / "film.png").read_bytes()).hexdigest()

    def swapped(item: Input, job: Job) -> films.Given:
        its = given(item, job)
        (tmp_path / "other.png").replace(tmp_path / "film.png")
        return its

    given = films.given
    monkeypatch.setattr(films, "given", swapped)
    job = Job(tmp_path / "out", Recipe.from_dict({"segment": {"method": "classical"}}), kind="radiograph")
    record = films.measure_file(Task(Input(tmp_path / "film.png", "film.png", "film")), job)
    assert record is not None
    assert record.row["status"] == "measured"
    assert record.row["sha256"] == sha256
    assert tifffile.imread(io.BytesIO(record.files["masks/film.labels.tif"])).shape == one.shape


def test_a_film_that_changed_since_it_was_measured_is_not_compared(tmp_path: Path) -> None:
    PillowImage.fromarray(np.full((40, 50), 90, np.uint8)).save(tmp_path / "film.png")
    job, name = Job(tmp_path), "s/v"
    source = Source(Film("s", "v", None, "film.png"), Input(tmp_path / "film.png", name, name))
    mask = tmp_path / files_of(name)[0]
    write_labels(mask, Labels(np.zeros((40, 50), np.int32)), None)
    film = MeasuredFilm(source, sha256_of(tmp_path / "film.png"), sha256_of(mask))
    assert _reading(film, job).image.shape == (40, 50)
    for stale in (replace(film, sha256="0"), replace(film, mask_sha256="0")):
        with pytest.raises(ReadError, match="changed after it was measured"):
            _reading(stale, job)


@pytest.mark.parametrize("size", [1, 2])
def test_a_dead_or_hanging_worker_costs_one_row(tmp_path: Path, size: int) -> None:
    errors = _run(tmp_path, "a", "dies", "b", "hangs", "c", size=size)
    assert "reader process die" in errors.pop("dies")
    assert "took longer than 5 s" in errors.pop("hangs")
    assert errors == {"a": "", "b": "", "c": ""}


def test_a_full_disk_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no space"):
        _run(tmp_path, "disk full", "a")


def test_the_users_scale_is_that_of_the_table_else_the_one_number(tmp_path: Path) -> None:
    table = SpacingTable("t.csv", (GivenSpacing(2, "a.png", 0.1, 3.0), GivenSpacing(3, "other/b.png", 0.2)))
    films = [Input(tmp_path / image, image, image) for image in ("a.png", "deep/b.png", "other/b.png")]
    job = Job(tmp_path, spacing_mm=0.5, spacing_table=table).for_films(films)
    assert [job.spacing_of(film.image) for film in films] == [0.1, 0.5, 0.2]
    assert job.user_spacing("a.png").relative_sd == pytest.approx(0.03)
