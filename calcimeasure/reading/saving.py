"""Saved work: a folder with the masks, who made them and how, and the tables over all of them.

::

    FOLDER/
    ├── masks/NAME.labels.tif         what `calcimeasure measure --masks FOLDER/masks` measures; none while it is open
    ├── masks/NAME.provenance.json    who, when, every step, recipe, scale; enough to go on where it was left
    ├── images.csv  deposits.csv  excluded.csv  columns.json
    └── .calcimeasure/                marks the folder as ours, so that it is never an input

The mask is written first, then its provenance with the mask's hash, then the tables, which are made from all
provenance files: killed at any moment, what is there is whole.

A film is open while nothing is outlined and nobody said that there is no calcium: it has a record, so that its scale or
region is not lost, but no mask and no numbers, since an empty mask would be measured as none.
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
from calcimeasure.io.given.inputs import RESULTS_MARK, hashed_name, name_before
from calcimeasure.io.results import columns, tables
from calcimeasure.io.results.folder import JOURNAL
from calcimeasure.io.results.masks import PROVENANCE, SUFFIX, write_labels
from calcimeasure.model.warning import once
from calcimeasure.reading.codec import Codec, record_to_json
from calcimeasure.reading.custody import Standing, Work
from calcimeasure.reading.lines import LARGEST, UNBELIEVABLE, is_plausible
from calcimeasure.reading.record import Signature, Source, now
from calcimeasure.recipe import Analysis
from calcimeasure.report.words import sentences

KIND, FORMAT = "calcimeasure correction", 1
#: What the row of a film tells that nobody measured.
_OF_THE_FILM = (
    *("kind", "meaning", "spacing_row_mm", "spacing_column_mm", "spacing_origin", "spacing_sd_mm"),
    *("side", "view", "warnings", "warning_codes"),
    *("recipe", "polarity", "frame"),
)


@dataclass(frozen=True, slots=True)
class Saved:
    """What is saved of a film: its mask, and the facts beside it."""

    mask: Path
    facts: Mapping[str, Any]

    @property
    def status(self) -> str:
        """``open``, ``corrected`` or ``signed``; a record from before negatives were said is open when it is empty."""
        state = self.facts.get("state")
        said = self.facts.get("deposits") or (isinstance(state, dict) and state.get("negative"))
        return "signed" if self.facts.get("signature") else "corrected" if said else "open"

    @property
    def has_mask(self) -> bool:
        """Whether a mask was saved with it."""
        return bool(self.facts.get("mask_sha256"))

    @property
    def initials(self) -> str:
        """Who saved it last."""
        return str(self.facts.get("saved_by", ""))[:6]

    @property
    def signature(self) -> Signature | None:
        """Who signed it, and when; a signature that cannot be read is one all the same."""
        said = self.facts.get("signature")
        if isinstance(said, list) and len(said) == 2:
            return Signature(str(said[0])[:6], str(said[1])[:40])
        return Signature("?", "") if said else None

    @property
    def is_untouched(self) -> bool:
        """Whether the mask on disk is still the one that was saved."""
        if not self.has_mask:
            return not self.mask.exists()
        return self.mask.is_file() and sha256_of(self.mask) == self.facts.get("mask_sha256")


def mask_file(folder: Path, name: str) -> Path:
    """Where the mask of a film is saved."""
    return folder / "masks" / f"{name}{SUFFIX}"


def name_in(folder: Path, source: Source) -> str:
    """NAME under which a film is saved in a folder: its own, or the one that it had there by the rule of before.

    Where its own is what another film has by the rule of before, it is told apart by a hash.
    """
    before = name_before(source.image)
    mine, old = saved_in(folder, source.name), saved_in(folder, before)
    if mine is None and old is not None and _is_of(old, source):
        return before
    taken = mine is not None and source.name == before and not _is_of(mine, source)
    return hashed_name(source.image) if taken and source.image else source.name


def _is_of(saved: Saved, source: Source) -> bool:
    """Whether it was saved of this film, by its name or its bytes."""
    facts = saved.facts
    return bool(facts.get("image") == source.image or (source.sha256 and facts.get("image_sha256") == source.sha256))


def saved_in(folder: Path, name: str) -> Saved | None:
    """What is saved of a film; `None` when nothing is, or nothing that can be read."""
    facts = _facts(_record_file(folder, name))
    return Saved(mask_file(folder, name), facts) if facts else None


def check_readable(folder: Path, name: str) -> None:
    """That the record of a film is there and can be read where its mask is there.

    Raises
    ------
    MaskError
        When it is not: whether somebody signed the mask is then not known.
    """
    mask, record = mask_file(folder, name), _record_file(folder, name)
    if saved_in(folder, name) is None and (mask.exists() or record.exists()):
        raise MaskError(f"{mask.name} has no record that can be read: load it as a mask, and save into another folder")


def _record_file(folder: Path, name: str) -> Path:
    return folder / "masks" / f"{name}{PROVENANCE}"


def save(work: Work, folder: Path, *, overwrite: bool) -> str:
    """Write mask, provenance and tables; gives the mask's SHA-256, or nothing for a film that stays open.

    Parameters
    ----------
    work : Work
    folder : Path
        Made when it is not there.
    overwrite : bool
        Whether a mask of somebody else may be replaced. The one that the work goes on from always may.

    Raises
    ------
    OutputError
        When another mask of this film is there and `overwrite` is false, when that one is signed, when the folder
        is a results folder of ``calcimeasure measure``, or when it cannot be written.
    """
    _check_folder(folder)
    work = replace(work, source=replace(work.source, name=name_in(folder, work.source)))
    _check_free(work, folder, overwrite)
    try:
        (folder / RESULTS_MARK).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write into {folder.name}: {error.strerror}; choose another folder") from error
    mask, analysis, sha256 = mask_file(folder, work.source.name), work.analysis, ""
    if not work.is_open:
        write_labels(mask, analysis.segmentation.labels, analysis.image.spacing)
        sha256 = sha256_of(mask)
    facts = _record_of(work, analysis, sha256)
    write_whole(_record_file(folder, work.source.name), json.dumps(facts, indent=1) + "\n")
    if work.is_open:
        mask.unlink(missing_ok=True)
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


def _record_of(work: Work, analysis: Analysis, mask_sha256: str) -> dict[str, Any]:
    here, source, recipe = work.standing, work.source, analysis.recipe
    told = once(analysis.warnings, here.state.warnings)
    return {
        "kind": KIND,
        "format": FORMAT,
        "version": __version__,
        "image": source.image,
        "image_sha256": source.sha256,
        "shape": list(analysis.image.shape),
        "mask": f"{Path(source.name).name}{SUFFIX}" if mask_sha256 else None,
        "mask_sha256": mask_sha256 or None,
        "saved": now(),
        "saved_by": work.initials,
        "signature": [here.signature.initials, here.signature.when] if here.signature else None,
        "recipe_hash": recipe.hash,
        "recipe": recipe.as_dict(),
        "weights_sha256": recipe.weights_sha256,
        "spacing": asdict(analysis.image.spacing) if analysis.image.spacing else None,
        "warnings": list(sentences(told)),
        "warning_codes": [one.code.value for one in told],
        "steps": [record_to_json(record) for record in here.log],
        "row": _row(work, analysis),
        "deposits": [tables.deposit_row(source.image, row) for row in analysis.measurement.deposits],
        "excluded": [tables.excluded_row(source.image, finding) for finding in analysis.segmentation.excluded],
        "state": Codec(here.blank.image).state_to_json(here.blank, here.state),
    }


def _row(work: Work, analysis: Analysis) -> dict[str, Any]:
    """The film's line of images.csv; one that is open has no numbers."""
    source, cells = work.source, tables.image_row(analysis)
    identity = {"image": source.image, "name": source.name, "sha256": source.sha256, "version": __version__}
    if work.is_open:
        return identity | {"status": "open"} | {name: cells[name] for name in _OF_THE_FILM}
    return identity | {"status": "measured"} | cells


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder.name} is a file: name a folder for the saved work")
    if (folder / RESULTS_MARK / JOURNAL).exists():
        raise OutputError(f"{folder.name} holds the results of a run: choose another folder for the corrected masks")


def _check_free(work: Work, folder: Path, overwrite: bool) -> None:
    name = work.source.name
    if not name:
        raise EditRefused("this film has no file name: save it under a name first")
    mask, there = mask_file(folder, name), saved_in(folder, name)
    if not mask.exists() or _goes_on_from(work.standing, mask, there):
        return
    if there and there.signature:
        who = there.signature.initials
        raise OutputError(
            f"{mask.name} is signed by {who}, and this work does not go on from it: save into another folder, or close "
            "the film, open it again and reopen it with a reason"
        )
    if there is None and _record_file(folder, name).exists():
        raise OutputError(f"the record of {mask.name} cannot be read, it may be signed: save into another folder")
    if not overwrite:
        raise OutputError(f"{mask.name} is there already: replace it on purpose, or choose another folder")


def _goes_on_from(here: Standing, mask: Path, there: Saved | None) -> bool:
    """Whether the work goes on from what is saved: it is as the work saved or opened it, or all of it is in its log.

    The log tells it where a kill came between the saving and the note of it.
    """
    base, signature = here.base, there.signature if there else None
    if base and base.mask_sha256 == sha256_of(mask) and base.signature == signature:
        return True
    if there is None or not there.is_untouched:
        return False
    log, mine = (
        there.facts.get("steps"),
        [record_to_json(record) | {"numbers": list(record.numbers)} for record in here.log],
    )
    return isinstance(log, list) and 1 < len(log) <= len(mine) + 1 and log[:-1] == mine[: len(log) - 1]


def _all_facts(folder: Path) -> Iterator[Mapping[str, Any]]:
    for path in sorted((folder / "masks").rglob(f"*{PROVENANCE}")):
        facts = _facts(path)
        if facts and _has_tables(facts):
            yield facts


def _has_tables(facts: Mapping[str, Any]) -> bool:
    """Whether the rows are there that the tables are made of."""
    row, lists = facts.get("row"), [facts.get(name) for name in ("deposits", "excluded")]
    rows = all(isinstance(rows, list) and all(isinstance(one, dict) for one in rows) for rows in lists)
    return rows and isinstance(row, dict) and "image" in row


def _facts(path: Path) -> dict[str, Any] | None:
    """The provenance in a file; `None` for none, and for what is not ours or damaged."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return None
        content = path.read_bytes()
        facts = json.loads(content) if is_plausible(content) else None
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
