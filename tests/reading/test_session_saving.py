"""Saving: the command line measures the saved mask to the same digits, and nothing is written over silently."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from session_scenes import film_file, random_edit, stroke

from calcimeasure.errors import EditRefused, MaskError, OutputError
from calcimeasure.io.given.inputs import hashed_name
from calcimeasure.io.results import tables
from calcimeasure.io.results.masks import read_labels
from calcimeasure.reading.folder_custody import FolderCustody
from calcimeasure.reading.saving import mask_file
from calcimeasure.reading.session import Session
from calcimeasure.reading.worklist import Worklist

#: Columns that the panel shows as one draws; densities look at the whole film and are made when asked for.
PANEL = (
    *("label", "area_px", "area_mm2", "area_mm2_sd", "diameter_mm", "feret_mm", "perimeter_mm", "saturated_px"),
    *("centroid_row", "centroid_column", "bbox_row0", "bbox_column1", "contrast_mean", "contrast_integrated"),
)


def _open(path, **reading):
    return Session.open(path, kind="radiograph", **({"spacing": 0.2} | reading))


def _rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def path(tmp_path):
    return film_file(tmp_path / "films" / "film.png")


def _corrected(path, seed=0, scale=True):
    session, rng = _open(path), np.random.default_rng(seed)
    later = session.finding.segmenting()
    later.take(later())
    for _ in range(25):
        random_edit(session, rng)
    stroke(session, (110, 80), 6, 88)
    session.calibration.set_spacing(0.17 if scale else None)
    session.keeping.set_initials("ab")
    return session


def _measured(path, out, masks, *words):
    command = [sys.executable, "-m", "calcimeasure", "measure", path, "-o", out, "--masks", masks]
    command += ["--kind", "radiograph", *words]
    told = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=200, check=False)
    assert told.returncode == 0, told.stderr


@pytest.mark.parametrize(("scale", "words"), [(True, ["--spacing", "0.17"]), (False, ["--spacing", "0.2"])])
def test_the_command_line_gives_the_saved_mask_the_same_cells(path, tmp_path, scale, words):
    session = _corrected(path, scale=scale)
    session.keeping.save(FolderCustody(tmp_path / "saved"))
    _measured(path, tmp_path / "out", tmp_path / "saved" / "masks", *words)
    assert (tmp_path / "saved" / "deposits.csv").read_bytes() == (tmp_path / "out" / "deposits.csv").read_bytes()
    (mine,), (its,) = (_rows(tmp_path / folder / "images.csv") for folder in ("saved", "out"))
    # What a reader rejected is listed by us; a run that only measures a mask knows nothing of it.
    assert int(mine.pop("excluded")) == len(session.excluded) == len(_rows(tmp_path / "saved" / "excluded.csv"))
    del its["excluded"]
    assert mine == its
    assert float(mine["area_mm2"]) == pytest.approx(session.measurement.area_mm2.value, abs=1e-6)
    for cells, row in zip(_rows(tmp_path / "out" / "deposits.csv"), session.measurement.deposits, strict=True):
        shown = {name: tables.cell(value) for name, value in tables.deposit_row("film.png", row).items()}
        assert {name: cells[name] for name in PANEL} == {name: shown[name] for name in PANEL}
    labels = read_labels(tmp_path / "saved" / "masks" / "film.labels.tif", session.image.shape)
    assert (labels.array == session.labels).all()


def test_what_is_edited_while_saving_is_unsaved(path, tmp_path):
    session = _corrected(path)
    session.keeping.keep_journal()
    work = session.keeping.saving(FolderCustody(tmp_path / "saved"))
    stroke(session, (20, 20), 3, 99)
    work.take(work())
    assert not session.keeping.is_saved
    session.keeping.close()
    assert _open(path).keeping.unfinished() is not None
    saved = read_labels(tmp_path / "saved" / "masks" / "film.labels.tif", session.image.shape)
    assert 99 not in saved.numbers


def test_the_provenance_says_who_when_what_and_from_which_recipe(path, tmp_path):
    session = _corrected(path)
    session.keeping.save(FolderCustody(tmp_path / "saved"))
    text = (tmp_path / "saved" / "masks" / "film.provenance.json").read_text()
    facts = json.loads(text)
    assert facts["saved_by"] == "AB"
    assert facts["recipe_hash"] == session.recipe.hash
    assert facts["weights_sha256"] == session.recipe.weights_sha256
    assert facts["image_sha256"] == session.source.sha256
    assert [step["name"] for step in facts["steps"]] == [did.name for did in session.changes.log]
    assert {"segment", "paint", "scale", "save"} <= {step["name"] for step in facts["steps"]}
    assert str(tmp_path) not in text


def test_saving_needs_initials(path, tmp_path):
    session = _open(path)
    with pytest.raises(EditRefused, match="initials"):
        session.keeping.save(FolderCustody(tmp_path / "saved"))
    assert not (tmp_path / "saved").exists()


def test_the_mask_of_another_session_is_replaced_on_purpose_only(path, tmp_path):
    first = _corrected(path)
    first.keeping.save(FolderCustody(tmp_path / "saved"))
    mask = mask_file(tmp_path / "saved", first.source.name)
    first.edit.delete([88])
    first.keeping.save(FolderCustody(tmp_path / "saved"))  # its own
    before = mask.read_bytes()
    second = _corrected(path, seed=1)
    with pytest.raises(OutputError, match="there already"):
        second.keeping.save(FolderCustody(tmp_path / "saved"))
    assert mask.read_bytes() == before
    assert not second.keeping.is_saved
    second.keeping.save(FolderCustody(tmp_path / "saved"), overwrite=True)
    assert mask.read_bytes() != before
    assert second.keeping.is_saved
    with pytest.raises(OutputError, match="there already"):
        first.keeping.save(FolderCustody(tmp_path / "saved"))


def test_a_signed_mask_is_not_replaced_even_on_purpose(path, tmp_path):
    first = _corrected(path)
    first.keeping.sign("ab")
    first.keeping.save(FolderCustody(tmp_path / "saved"))
    second = _corrected(path, seed=1)
    with pytest.raises(OutputError, match="signed by AB"):
        second.keeping.save(FolderCustody(tmp_path / "saved"), overwrite=True)
    third = _open(path)
    assert third.keeping.resume(FolderCustody(tmp_path / "saved"))
    with pytest.raises(EditRefused, match="signed by AB"):
        third.edit.delete([88])
    third.keeping.reopen("second look", "cd")
    third.edit.delete([88])
    third.keeping.save(FolderCustody(tmp_path / "saved"))
    steps = json.loads((tmp_path / "saved" / "masks" / "film.provenance.json").read_text())["steps"]
    assert [(step["name"], step["who"], step["why"]) for step in steps[-3:]] == [
        ("reopen", "CD", "second look"),
        ("delete", "CD", ""),
        ("save", "CD", ""),
    ]


def test_saved_work_is_gone_on_with_where_it_was_left(path, tmp_path):
    before = _corrected(path)
    before.keeping.save(FolderCustody(tmp_path / "saved"))
    session = _open(path)
    assert session.keeping.resume(FolderCustody(tmp_path / "saved"))
    assert session.keeping.is_saved
    assert session.keeping.status == "corrected"
    assert (session.labels == before.labels).all()
    assert session.measurement == before.measurement
    assert session.changes.log == before.changes.log
    for held, its in zip(session.excluded, before.excluded, strict=True):
        assert held.finding == its.finding
    assert not _open(path).keeping.resume(FolderCustody(tmp_path / "elsewhere"))


def test_a_mask_changed_by_another_program_is_no_longer_signed(path, tmp_path):
    first = _corrected(path)
    first.keeping.sign("ab")
    first.keeping.save(FolderCustody(tmp_path / "saved"))
    mask = mask_file(tmp_path / "saved", first.source.name)
    mask.write_bytes(mask.read_bytes() + b"\0")
    session = _open(path)
    session.keeping.resume(FolderCustody(tmp_path / "saved"))
    assert not session.is_signed


def test_saved_work_of_another_file_is_refused(path, tmp_path):
    _corrected(path).keeping.save(FolderCustody(tmp_path / "saved"))
    film_file(path, seed=4)
    with pytest.raises(MaskError, match="another file"):
        _open(path).keeping.resume(FolderCustody(tmp_path / "saved"))


@pytest.mark.parametrize("damage", ["state", "steps"])
def test_a_damaged_record_is_said(path, tmp_path, damage):
    _corrected(path).keeping.save(FolderCustody(tmp_path / "saved"))
    record = tmp_path / "saved" / "masks" / "film.provenance.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {damage: [7]}))
    session = _open(path)
    with pytest.raises(MaskError, match="damaged"):
        session.keeping.resume(FolderCustody(tmp_path / "saved"))
    assert not session.labels.any()
    assert session.changes.log == []


def test_a_results_folder_of_the_command_line_is_left_alone(path, tmp_path):
    session = _corrected(path)
    session.keeping.save(FolderCustody(tmp_path / "saved"))
    _measured(path, tmp_path / "out", tmp_path / "saved" / "masks")
    with pytest.raises(OutputError, match="results of a run"):
        session.keeping.save(FolderCustody(tmp_path / "out"), overwrite=True)


def test_a_kill_between_mask_and_record_leaves_whole_files(path, tmp_path, monkeypatch):
    session = _corrected(path)
    session.keeping.save(FolderCustody(tmp_path / "saved"))
    mask = mask_file(tmp_path / "saved", session.source.name)
    session.edit.delete([88])
    monkeypatch.setattr("calcimeasure.reading.saving._record_of", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        session.keeping.save(FolderCustody(tmp_path / "saved"))
    again = _open(path)
    again.keeping.resume(FolderCustody(tmp_path / "saved"))
    assert (again.labels == read_labels(mask, again.image.shape).array).all()
    assert 88 not in again.rows


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_a_mask_made_elsewhere_is_loaded_if_it_fits(path, tmp_path, suffix):
    import tifffile
    from PIL import Image as PillowImage

    mask = np.zeros((220, 160), np.uint8)
    mask[50:70, 40:60] = 255
    for name, array in (("fits", mask), ("not", mask[:-1])):
        place = tmp_path / f"{name}{suffix}"
        tifffile.imwrite(place, array) if suffix == ".tif" else PillowImage.fromarray(array).save(place)
    session = _open(path)
    with pytest.raises(MaskError, match="220"):
        session.edit.load_mask(tmp_path / f"not{suffix}")
    assert session.changes.log == []
    session.edit.load_mask(tmp_path / f"fits{suffix}")
    assert session.measurement.area_px.value == 400
    session.undo()
    assert not session.labels.any()


def test_the_worklist_tells_how_far_each_film_got(tmp_path):
    for number in range(4):
        film_file(tmp_path / "films" / f"film{number}.png", number)
    films = Worklist.of(tmp_path / "films")
    assert films.counts == {"open": 4, "corrected": 0, "signed": 0}
    for item, sign in zip(films.items[:2], (False, True), strict=True):
        session = Session(_open(item.path).image, source=item.source)
        stroke(session, (60, 50), 5, 1)
        session.keeping.set_initials("AB")
        if sign:
            session.keeping.sign("AB")
        session.keeping.save(FolderCustody(films.saved))
    films = films.renewed()
    assert [item.status for item in films.items] == ["corrected", "signed", "open", "open"]
    assert [item.initials for item in films.items] == ["AB", "AB", "", ""]
    assert films == Worklist.of(tmp_path / "films")
    assert films.next_after("film0.png").image == "film1.png"
    assert films.next_after("film0.png", "open").image == "film2.png"
    assert films.next_after("").image == "film0.png"
    assert films.previous_before("film3.png", "corrected").image == "film0.png"
    assert films.next_after("film3.png") is films.previous_before("film0.png") is None
    assert [row["image"] for row in _rows(films.saved / "images.csv")] == ["film0.png", "film1.png"]
    assert len(_rows(films.saved / "deposits.csv")) == 2


def test_a_signed_film_stays_signed_when_another_of_its_stem_comes(tmp_path):
    path = film_file(tmp_path / "films" / "hand.tif")
    (tmp_path / "films" / "1.2.840.1").write_bytes(film_file(tmp_path / "y.png").read_bytes())
    saved = tmp_path / "films" / "calcimeasure-corrected"
    for name, older in (("hand.tif", "hand"), ("1.2.840.1", "1.2.840")):
        session = _open(path.with_name(name))
        stroke(session, (60, 50), 5, 1)
        session.keeping.set_initials("AB")
        session.keeping.sign("AB")
        session.keeping.save(FolderCustody(saved))
        _as_named_before(saved / "masks", name, older)
    other = film_file(tmp_path / "films" / "hand.png", 3)  # whose own NAME is what the other is saved under
    (tmp_path / "films" / "1.2.840.2").write_bytes(film_file(tmp_path / "x.png", 5).read_bytes())
    status = {item.image: (item.name, item.status) for item in Worklist.of(tmp_path / "films").items}
    beside = hashed_name("hand.png")
    assert status == {
        "1.2.840.1": ("1.2.840", "signed"),
        "1.2.840.2": ("1.2.840.2", "open"),
        "hand.png": (beside, "open"),
        "hand.tif": ("hand", "signed"),
    }
    session = _open(path)
    assert session.keeping.resume(FolderCustody(saved))
    assert session.is_signed
    other = _open(path)
    stroke(other, (60, 50), 5, 1)
    other.keeping.set_initials("CD")
    with pytest.raises(OutputError, match="signed by AB"):
        other.keeping.save(FolderCustody(saved), overwrite=True)


def _as_named_before(masks, name, older):
    """What the rule of before, which took the last part of a name for its suffix, would have written."""
    (masks / f"{name}.labels.tif").rename(masks / f"{older}.labels.tif")
    facts = json.loads((masks / f"{name}.provenance.json").read_text())
    facts["row"]["name"] = older
    (masks / f"{older}.provenance.json").write_text(json.dumps(facts))
    (masks / f"{name}.provenance.json").unlink()


def test_the_hash_of_an_open_film_is_that_of_the_bytes_it_shows(path):
    import hashlib

    session = _open(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    film_file(path, 4)
    assert session.source.sha256 == sha256 != hashlib.sha256(path.read_bytes()).hexdigest()
