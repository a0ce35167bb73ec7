"""The mask of a film in a folder of masks, also where it was called by another rule once."""

from __future__ import annotations

import csv
import json
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from calcimeasure.errors import MaskError
from calcimeasure.io.given.inputs import Input, name_before
from calcimeasure.io.results.masks import PROVENANCE, SUFFIX, find_mask

_LARGEST = 64 * 2**20


def mask_of_film(folder: Path, item: Input, sha256: str) -> Path:
    """Where the mask of a film lies, or would lie: NAME.labels.tif, or another of its forms.

    A mask that was made under an older NAME, or is called by the film's name without its suffix, is found too: where
    what lies with it tells that it was made on a film of this hash, or, where nothing is told, when no other film of
    the run could be meant.

    Raises
    ------
    MaskError
        When a mask could be this film's or another's.
    """
    exact = find_mask(folder, item.name, item.path)
    if exact.exists():
        return exact
    for name in dict.fromkeys((item.stem or name_before(item.image), name_before(item.image))):
        path = find_mask(folder, name, item.path)
        if path.is_file() and _is_of(path, item, name, sha256):
            return path
    return exact


def _is_of(path: Path, item: Input, name: str, sha256: str) -> bool:
    told = _told_beside(path) or _told_in_table(path, name)
    if told is not None:
        return told == sha256
    if name == name_before(item.image) and not item.stem:
        raise MaskError(
            f"{path.name} could be the mask of {item.image} or of another film: call it {Path(item.name).name}{SUFFIX}"
        )
    return name == item.stem


def _told_beside(path: Path) -> str | None:
    """Hash of the film that the facts beside a mask name."""
    beside = path.with_name(path.name.removesuffix(SUFFIX) + PROVENANCE)
    with suppress(OSError, ValueError, RecursionError):
        if beside.is_file() and beside.stat().st_size <= _LARGEST:
            match json.loads(beside.read_bytes()):
                case {"image_sha256": str(sha256)}:
                    return sha256
    return None


def _told_in_table(path: Path, name: str) -> str | None:
    """Hash of the film of that NAME in the images.csv of the results folder that the masks are of."""
    depth = len(Path(name).parts)
    table = path.parents[depth] / "images.csv" if len(path.parents) > depth else None
    with suppress(OSError):
        if table and table.is_file() and table.stat().st_size <= _LARGEST:
            return _hashes(table, table.stat().st_mtime_ns).get(name)
    return None


@lru_cache(maxsize=4)
def _hashes(table: Path, _: int) -> dict[str, str]:
    """Hash by NAME of a table of images; nothing of one that is no such table."""
    with suppress(OSError, ValueError, csv.Error), table.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row.get("name") and row.get("sha256")]
        return {row["name"]: row["sha256"] for row in rows}
    return {}
