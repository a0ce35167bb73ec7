"""A file made to do harm costs one line in every command, and nothing else."""

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

from calcimeasure.cli import app

NAME = "giant\x1b[2J.png"
TOLD = "giant\\x1b[2J.png"


def giant() -> bytes:
    """A black PNG of 9,000 x 9,000 pixels in 80 kB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 9000, 9000, 8, 0, 0, 0, 0)
    packed = zlib.compress(bytes(9000 * 9001), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound film, and the same harmful file as film, mask and region."""
    folder = tmp_path_factory.mktemp("hostile")
    for name in ("films", "masks", "regions", "bad"):
        (folder / name).mkdir()
    noise = np.random.default_rng(0).integers(90, 110, (96, 96), np.uint8)
    for name in ("films/film.png", "bad/film.png"):
        Picture.fromarray(noise).save(folder / name)
    for name in (f"bad/{NAME}", "masks/film.labels.png", "masks/film.labels.tif", "regions/film.region.png"):
        (folder / name).write_bytes(giant())
    return folder


def told(place: Path, *words: str) -> str:
    found = CliRunner().invoke(app, [word.replace("@", f"{place}/") for word in words])
    assert found.exception is None or isinstance(found.exception, SystemExit)
    text = found.stdout + found.stderr
    assert "Traceback" not in text
    assert "\x1b" not in text
    return text


@pytest.mark.parametrize("command", ["info", "calibrate"])
def test_a_command_that_looks_goes_on_with_the_next_file(place: Path, command: str) -> None:
    text = told(place, command, "@bad", "--json")
    rows = {json.loads(line)["image"]: line for line in text.splitlines() if line.startswith("{")}
    assert len(rows) == 2
    assert "no film or photo is so empty" in text


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ("measure @bad -o @out1", "no film or photo is so empty"),
        ("measure @films -o @out2 --masks @masks", "9000"),
        ("measure @films -o @out3 --regions @regions", "9000"),
    ],
)
def test_a_run_tells_it_in_its_row(place: Path, words: str, lines: str) -> None:
    text = told(place, *words.split())
    assert lines in text
    assert "1 failed" in text
