"""What the last digits depend on beside the recipe stands in run.json."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Picture

from calcimeasure.io.given.inputs import Input
from calcimeasure.run import films
from calcimeasure.run.films import Task, measure_file
from calcimeasure.run.job import Job, run_facts


def test_run_json_tells_with_which_ipp_opencv_calculates(tmp_path: Path) -> None:
    build = cv2.ipp.getIppVersion() if cv2.ipp.useIPP() else None
    assert run_facts(Job(tmp_path))["arithmetic"] == {"opencv_ipp": build}


def test_run_json_tells_when_there_is_none() -> None:
    asked = "from calcimeasure.run.job import arithmetic; print(arithmetic())"
    environment = {**os.environ, "OPENCV_IPP": "disabled"}
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, env=environment, check=True)
    assert told.stdout.strip() == "{'opencv_ipp': None}"


def test_a_film_measured_with_other_arithmetic_or_packages_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, job = tmp_path / "a.png", Job(tmp_path, masks=tmp_path)
    noise = np.random.default_rng(0).integers(90, 110, (96, 96), np.uint8)
    Picture.fromarray(noise).save(path)
    Picture.fromarray((noise > 108).astype(np.uint8)).save(tmp_path / "a.labels.png")
    record = measure_file(Task(Input(path, "a.png", "a")), job)
    assert record is not None
    assert not record.failed
    again = Task(Input(path, "a.png", "a"), record.key)
    assert measure_file(again, job) is None
    monkeypatch.setattr(films, "foundation", lambda: {"arithmetic": {"opencv_ipp": "another"}})
    assert measure_file(again, job) is not None
