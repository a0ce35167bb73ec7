"""The manifest is valid, points at what exists, and says what the hub shows."""

import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import pytest

npe2 = pytest.importorskip("npe2")
pytest.importorskip("qtpy")
pytest.importorskip("napari")

MANIFEST = Path(__file__).resolve().parents[2] / "plugins" / "napari_calcimeasure" / "napari.yaml"


@pytest.fixture(scope="module")
def manifest():
    return npe2.PluginManifest.from_file(MANIFEST)


def test_npe2_accepts_it_with_imports() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "npe2", "validate", "--imports", str(MANIFEST)]
    told = subprocess.run(command, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr


def test_every_menu_exists(manifest) -> None:
    from napari._app_model.constants import MenuId

    known = {str(menu.value) for menu in MenuId.contributables()}
    assert set(manifest.contributions.menus) <= known


def test_every_panel_stands_in_a_menu(manifest) -> None:
    shown = {item.command for items in manifest.contributions.menus.values() for item in items}
    assert shown == {widget.command for widget in manifest.contributions.widgets}


def test_it_is_found_once_installed() -> None:
    assert "calcimeasure" in {one.name for one in npe2.PluginManifest.discover() for one in [one.manifest] if one}


def test_the_hub_learns_what_it_shows(manifest) -> None:
    facts = metadata("calcimeasure")
    assert "Framework :: napari" in facts.get_all("Classifier")
    assert manifest.display_name
    assert manifest.categories == ["Measurement", "Annotation", "Segmentation", "IO"]


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("film.dcm", True), ("FILM.DCM", True), ("a.TIFF", True), ("photo.heic", True), ("IM0001", True),
        ("00000001", True), ("1.2.840.113619.2.55", True), ("CR.1.2.840.10008", True),
        ("points.csv", False), ("2026.csv", False), ("cells.nd2", False), ("stack.h5", False), ("notes", False),
    ],
)  # fmt: skip
def test_it_is_offered_for_films_and_not_for_the_rest(manifest, name: str, ours: bool) -> None:
    manager = npe2.PluginManager()
    manager.register(manifest)
    assert bool(list(manager.iter_compatible_readers(f"/films/{name}"))) is ours


def test_a_folder_may_be_dropped(manifest, tmp_path: Path) -> None:
    manager = npe2.PluginManager()
    manager.register(manifest)
    assert list(manager.iter_compatible_readers(str(tmp_path)))
