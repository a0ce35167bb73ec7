"""What the last digits depend on beside the recipe stands in run.json."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2

from calcimeasure.run.job import Job, run_facts


def test_run_json_tells_with_which_ipp_opencv_calculates(tmp_path: Path) -> None:
    build = cv2.ipp.getIppVersion() if cv2.ipp.useIPP() else None
    assert run_facts(Job(tmp_path))["arithmetic"] == {"opencv_ipp": build}


def test_run_json_tells_when_there_is_none() -> None:
    asked = "from calcimeasure.run.job import arithmetic; print(arithmetic())"
    environment = {**os.environ, "OPENCV_IPP": "disabled"}
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, env=environment, check=True)
    assert told.stdout.strip() == "{'opencv_ipp': None}"
