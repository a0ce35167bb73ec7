"""What a header tells of patient and day: two films can be compared by it, nothing of it can be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from calcimeasure.io.images.keyed import keyed_hash
from calcimeasure.io.images.read import read_image
from calcimeasure.model.image import Acquisition


def film(path: Path, **facts: str) -> Path:
    """A small digital film with these elements in its header."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid(entropy_srcs=[path.name])
    dataset.Modality, dataset.PhotometricInterpretation, dataset.SamplesPerPixel = "DX", "MONOCHROME2", 1
    dataset.Rows, dataset.Columns, dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 16, 12, 11
    dataset.PixelRepresentation, dataset.PresentationLUTShape = 0, "IDENTITY"
    for name, text in facts.items():
        setattr(dataset, name, text)
    dataset.PixelData = np.arange(256, dtype="<u2").tobytes()
    dataset.save_as(path, enforce_file_format=True)
    return path


def read(path: Path, **facts: str) -> Acquisition:
    return read_image(film(path, **facts)).acquisition


def test_patients_are_told_apart_and_never_named(tmp_path: Path) -> None:
    one = read(tmp_path / "a.dcm", PatientID="DOE-4711", PatientBirthDate="19570203")
    same = read(tmp_path / "b.dcm", PatientID=" doe-4711 ", PatientBirthDate="19570203")
    other = read(tmp_path / "c.dcm", PatientID="DOE-4712", PatientBirthDate="19570204")
    assert one.patient == same.patient != other.patient
    assert one.born == same.born != other.born
    assert "4711" not in str(asdict(one))
    assert "1957" not in str(asdict(one))
    assert one.patient not in repr(one)


@pytest.mark.parametrize("text", [None, "", "  "])
def test_no_identifier_is_none(text: str | None) -> None:
    assert keyed_hash(text) is None


#: elements of a header, and when the film was taken by them
TAKEN = {
    "nothing": ({}, None),
    "day and time": ({"AcquisitionDate": "20240105", "AcquisitionTime": "113000.25"}, "20240105113000"),
    "one element": ({"AcquisitionDateTime": "20240105113000.25+0100"}, "20240105113000"),
    "the day": ({"AcquisitionDate": "20240105"}, "20240105"),
    "the study": ({"StudyDate": "20240105", "AcquisitionTime": "113000"}, "20240105"),
}


@pytest.mark.parametrize(("facts", "taken"), TAKEN.values(), ids=TAKEN)
def test_when_a_film_was_taken(tmp_path: Path, facts: dict[str, str], taken: str | None) -> None:
    assert read(tmp_path / "a.dcm", **facts).taken == taken


def test_processes_of_one_run_hash_alike_and_runs_do_not() -> None:
    told = "from calcimeasure.io.images.keyed import keyed_hash; print(keyed_hash('x'))"

    def hashed(env: dict[str, str]) -> str:
        return subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, env=env, check=True).stdout

    here = keyed_hash("x")
    assert hashed({**os.environ}).strip() == here
    assert hashed({k: v for k, v in os.environ.items() if k != "CALCIMEASURE_RUN_KEY"}).strip() != here


def test_info_tells_no_patient(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from calcimeasure.cli import app

    film(tmp_path / "a.dcm", PatientID="DOE-4711", PatientBirthDate="19570203", AcquisitionDate="20240105")
    told = CliRunner().invoke(app, ["info", str(tmp_path / "a.dcm"), "--json"])
    assert told.exit_code == 0
    assert not {"patient", "born", "taken"} & set(str(json.loads(told.stdout)).replace("'", " ").split())
    assert "20240105" not in told.stdout
