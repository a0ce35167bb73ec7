"""What a stranger installs: a wheel that is built here, installed apart from the checkout, and runs the demo."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="hatchling builds the wheel")
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    assert len(list(folder.glob("*.tar.gz"))) == 1
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_what_is_needed_and_no_checkpoint(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "calcimeasure/weights/deposits.onnx" in names
    assert "napari_calcimeasure/napari.yaml" in names
    assert "calcimeasure/sample_images/hand_dx.dcm" in names
    assert [name for name in names if name.endswith((".safetensors", "LOG.md", ".pt"))] == []


def test_the_demo_runs_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """Slow (a minute): the demo is the first thing that a stranger runs."""
    home = tmp_path / "environment"
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    own = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(own)]
    subprocess.run([*install, str(wheel)], check=True)
    (own / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = [str(python), "-m", "calcimeasure", "demo", "-o", str(tmp_path / "demo")]
    done = subprocess.run(run, cwd=tmp_path, env=clean, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "demo" / "report.html").is_file()
