"""The crew: a worker that dies or hangs costs its file's row and nothing else."""

import os
import time
from pathlib import Path

import pytest

from calcimeasure.errors import OutputError
from calcimeasure.io.given.inputs import Input
from calcimeasure.io.results.record import Record
from calcimeasure.run.films import Crew, Job, Task


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
    with Crew(Job(tmp_path / "out"), size, seconds_a_file=5, act=act) as crew:
        done = {task.item.image: record for task, record in crew.run(tasks)}
    return {image: str(record.row.get("error", "")) for image, record in done.items() if record}


@pytest.mark.parametrize("size", [1, 2])
def test_a_dead_or_hanging_worker_costs_one_row(tmp_path: Path, size: int) -> None:
    errors = _run(tmp_path, "a", "dies", "b", "hangs", "c", size=size)
    assert "reader process die" in errors.pop("dies")
    assert "took longer than 5 s" in errors.pop("hangs")
    assert errors == {"a": "", "b": "", "c": ""}


def test_a_full_disk_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no space"):
        _run(tmp_path, "disk full", "a")


@pytest.mark.parametrize(
    ("image", "spacing"), [("a.png", 0.1), ("deep/a.png", 0.1), ("other/b.png", 0.2), ("b.png", 0.5)]
)
def test_the_users_scale_is_found_by_path_then_by_file_name(tmp_path: Path, image: str, spacing: float) -> None:
    job = Job(tmp_path, spacing_mm=0.5, spacings_mm={"a.png": 0.1, "other/b.png": 0.2})
    assert job.spacing_of(image) == spacing
