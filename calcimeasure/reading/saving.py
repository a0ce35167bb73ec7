"""Saved work: a folder with the masks, who made them and how, and the tables over all of them.

::

    FOLDER/
    ├── masks/NAME.labels.tif         what `calcimeasure measure --masks FOLDER/masks` measures
    ├── masks/NAME.provenance.json    who, when, every step, recipe, scale; enough to go on where it was left
    ├── images.csv  deposits.csv  excluded.csv  columns.json
    └── .calcimeasure/                marks the folder as ours, so that it is never an input

The mask is written first, then its provenance with the mask's hash, then the tables, which are made from all
provenance files: killed at any moment, what is there is whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from calcimeasure import __version__
from calcimeasure.errors import EditRefused, MaskError, OutputError
from calcimeasure.io.files import sha256_of, write_whole
from calcimeasure.io.given.inputs import RESULTS_MARK
from calcimeasure.io.results import columns, tables
from calcimeasure.io.results.folder import JOURNAL
from calcimeasure.io.results.masks import SUFFIX, write_labels
from calcimeasure.model.labels import Labels
from calcimeasure.reading.codec import Codec, did_to_json
from calcimeasure.reading.journal import UNBELIEVABLE, Standing
from calcimeasure.reading.patch import Array
from calcimeasure.reading.record import Signature, Source, now
from calcimeasure.reading.state import State
from calcimeasure.recipe import Analysis, analyse_mask

KIND, FORMAT = "calcimeasure correction", 1
PROVENANCE = ".provenance.json"
_LARGEST = 256 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """All that is saved of a session."""

    source: Source
    standing: Standing
    initials: str

    @property
    def analysis(self) -> Analysis:
        """What ``calcimeasure measure --masks`` makes of the mask, with what is not counted beside it."""
        state = self.standing.state
        found = analyse_mask(state.image, outlines(self.standing.labels, state), state.recipe)
        dropped = tuple(held.finding for held in state.excluded)
        return replace(found, segmentation=replace(found.segmentation, excluded=dropped))


def outlines(labels: Array, state: State) -> Labels:
    """The mask with the doubts of the outlines that no person drew or accepted, and of what was passed over."""
    return Labels(labels, ("corrected",), state.doubts, state.passed_over_px)


@dataclass(frozen=True, slots=True)
class Saved:
    """What is saved of a film: its mask, and the facts beside it."""

    mask: Path
    facts: Mapping[str, Any]

    @property
    def status(self) -> str:
        """``corrected`` or ``signed``."""
        return "signed" if self.facts.get("signature") else "corrected"

    @property
    def initials(self) -> str:
        """Who saved it last."""
        return str(self.facts.get("saved_by", ""))[:6]

    @property
    def signature(self) -> Signature | None:
        """Who signed it, and when."""
        said = self.facts.get("signature")
        return Signature(str(said[0])[:6], str(said[1])[:40]) if said else None

    @property
    def is_untouched(self) -> bool:
        """Whether the mask on disk is still the one that was saved."""
        return self.mask.is_file() and sha256_of(self.mask) == self.facts.get("mask_sha256")


def mask_file(folder: Path, name: str) -> Path:
    """Where the mask of a film is saved."""
    return folder / "masks" / f"{name}{SUFFIX}"


def saved_in(folder: Path, name: str) -> Saved | None:
    """What is saved of a film; `None` when nothing is, or nothing that can be read."""
    facts = _facts(folder / "masks" / f"{name}{PROVENANCE}")
    return Saved(mask_file(folder, name), facts) if facts else None


def save(work: Work, folder: Path, *, overwrite: bool, own: str | None) -> str:
    """Write mask, provenance and tables; gives the mask's SHA-256.

    Parameters
    ----------
    work : Work
    folder : Path
        Made when it is not there.
    overwrite : bool
        Whether a mask of somebody else may be replaced.
    own : str or None
        SHA-256 of the mask that this session saved or opened there: that one may always be replaced.

    Raises
    ------
    OutputError
        When another mask of this film is there and `overwrite` is false, when that one is signed, when the folder
        is a results folder of ``calcimeasure measure``, or when it cannot be written.
    """
    _check_folder(folder)
    _check_free(work.source.name, folder, overwrite, own)
    try:
        (folder / RESULTS_MARK).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write into {folder.name}: {error.strerror}; choose another folder") from error
    mask = mask_file(folder, work.source.name)
    analysis = work.analysis
    write_labels(mask, analysis.segmentation.labels, analysis.image.spacing)
    sha256 = sha256_of(mask)
    facts = _told(work, analysis, sha256)
    write_whole(folder / "masks" / f"{work.source.name}{PROVENANCE}", json.dumps(facts, indent=1) + "\n")
    write_tables(folder)
    return sha256


def write_tables(folder: Path) -> None:
    """Make the tables anew from every provenance file of the folder, in the order of the images' names."""
    saved = sorted(_all_facts(folder), key=lambda facts: str(facts["row"]["image"]))
    rows: dict[str, list[Any]] = {
        "images.csv": [facts["row"] for facts in saved],
        "deposits.csv": [row for facts in saved for row in facts["deposits"]],
        "excluded.csv": [row for facts in saved for row in facts["excluded"]],
    }
    for table, lines in rows.items():
        write_whole(folder / table, tables.csv_text(table, lines))
    write_whole(folder / "columns.json", columns.dictionary())


def _told(work: Work, analysis: Analysis, mask_sha256: str) -> dict[str, Any]:
    here, source, recipe = work.standing, work.source, analysis.recipe
    return {
        "kind": KIND,
        "format": FORMAT,
        "version": __version__,
        "image": source.image,
        "image_sha256": source.sha256,
        "shape": list(analysis.image.shape),
        "mask": f"{Path(source.name).name}{SUFFIX}",
        "mask_sha256": mask_sha256,
        "saved": now(),
        "saved_by": work.initials,
        "signature": [here.signature.initials, here.signature.when] if here.signature else None,
        "recipe_hash": recipe.hash,
        "recipe": recipe.as_dict(),
        "weights_sha256": recipe.weights_sha256,
        "spacing": asdict(analysis.image.spacing) if analysis.image.spacing else None,
        "warnings": list(dict.fromkeys((*analysis.warnings, *here.state.warnings))),
        "steps": [did_to_json(did) for did in here.did],
        "row": _identity(source) | tables.image_row(analysis),
        "deposits": [tables.deposit_row(source.image, row) for row in analysis.measurement.deposits],
        "excluded": [tables.excluded_row(source.image, finding) for finding in analysis.segmentation.excluded],
        "state": Codec(here.blank.image).state_to_json(here.blank, here.state),
    }


def _identity(source: Source) -> dict[str, Any]:
    facts = {"image": source.image, "name": source.name, "sha256": source.sha256, "version": __version__}
    return facts | {"status": "measured"}


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder.name} is a file: name a folder for the saved work")
    if (folder / RESULTS_MARK / JOURNAL).exists():
        raise OutputError(f"{folder.name} holds the results of a run: choose another folder for the corrected masks")


def _check_free(name: str, folder: Path, overwrite: bool, own: str | None) -> None:
    if not name:
        raise EditRefused("this film has no file name: save it under a name first")
    mask = mask_file(folder, name)
    if not mask.exists() or (own is not None and sha256_of(mask) == own):
        return
    there = saved_in(folder, name)
    if there and there.signature:
        raise OutputError(f"{mask.name} is signed by {there.signature.initials}: open it and reopen it with a reason")
    if not overwrite:
        raise OutputError(f"{mask.name} is there already: replace it on purpose, or choose another folder")


def _all_facts(folder: Path) -> Iterator[Mapping[str, Any]]:
    for path in sorted((folder / "masks").rglob(f"*{PROVENANCE}")):
        facts = _facts(path)
        if facts and isinstance(facts.get("row"), dict) and "image" in facts["row"]:
            yield facts


def _facts(path: Path) -> dict[str, Any] | None:
    """The provenance in a file; `None` for none, and for what is not ours or damaged."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        facts = json.loads(path.read_bytes())
    except (OSError, *UNBELIEVABLE):
        return None
    ours = isinstance(facts, dict) and facts.get("kind") == KIND and facts.get("format") == FORMAT
    return facts if ours else None


def check_of(saved: Saved, source: Source, shape: tuple[int, int]) -> None:
    """That the saved work is of this very film.

    Raises
    ------
    MaskError
        When it is not.
    """
    if saved.facts.get("image_sha256") != source.sha256 or saved.facts.get("shape") != list(shape):
        raise MaskError(f"{saved.mask.name} was made on another file of this name: load it as a mask if it fits")
