"""Matches corrected by hand, kept beside the follow-up film as they are made, and found again with the same two films.

::

    FOLLOWUP.calcimeasure-matches     for each baseline (its SHA-256): which deposits are the same, by whom

Deposits are kept by a pixel inside them, so that another number or a better outline does not lose the match.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from calcimeasure.errors import OutputError
from calcimeasure.follow_up import Comparison
from calcimeasure.io.files import write_whole
from calcimeasure.model.labels import Labels
from calcimeasure.model.study import Link
from calcimeasure.reading.journal import SUFFIX as JOURNAL
from calcimeasure.reading.journal import journal_file
from calcimeasure.reading.record import Source

SUFFIX = ".calcimeasure-matches"
_KIND, _FORMAT = "calcimeasure matches", 1
_LARGEST = 16 * 2**20
_LONGEST_NAME = 40
_UNBELIEVABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)

#: The films of a pair, the earlier one first.
Films = tuple[Source, Source]


@dataclass(frozen=True, slots=True)
class Kept:
    """Matches that were kept of a pair, by the numbers that its deposits have now, and how many do not fit any more."""

    links: tuple[Link, ...] = ()
    lost: int = 0


def keep(pair: Comparison, films: Films) -> None:
    """Write the matches by hand of a pair, in place of those kept of it; nothing where a film has no file.

    A file that cannot be read is laid aside whole, one without a match is removed.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    baseline, followup = films
    if not (baseline.sha256 and followup.sha256):
        return
    path = matches_file(followup)
    data = _of_followup(path, followup)
    if data is None and path.exists():
        _lay_aside(path)
    every = {**(data or {}), baseline.sha256: [_to_json(link, pair) for link in pair.overrides]}
    _write(path, followup, {sha: links for sha, links in every.items() if links})


def kept(films: Films, labels: tuple[Labels, Labels]) -> Kept:
    """What was kept of a pair, in the numbers of these outlines."""
    baseline, followup = films
    if not (baseline.sha256 and followup.sha256):
        return Kept()
    data = (_of_followup(matches_file(followup), followup) or {}).get(baseline.sha256, [])
    found = [_from_json(one, labels) for one in data]
    good: list[Link] = []
    for link in found:
        if link is not None and not any(_share(link, other) for other in good):
            good.append(link)
    return Kept(tuple(good), len(found) - len(good))


def matches_file(followup: Source) -> Path:
    """Where the matches of a follow-up film lie: where its journal lies."""
    beside = journal_file(followup)
    return beside.with_name(beside.name.removesuffix(JOURNAL) + SUFFIX)


def _of_followup(path: Path, followup: Source) -> dict[str, Any] | None:
    """Matches by baseline; `None` where the file is missing, another film's, or damaged."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        data = json.loads(path.read_bytes())
        ours = data["kind"] == _KIND and data["format"] == _FORMAT and data["followup"] == followup.sha256
        pairs = {str(sha): list(links) for sha, links in data["pairs"].items()}
    except (OSError, *_UNBELIEVABLE):
        return None
    return pairs if ours else None


def _write(path: Path, followup: Source, pairs: Mapping[str, Any]) -> None:
    if not pairs:
        path.unlink(missing_ok=True)
        return
    facts = {"kind": _KIND, "format": _FORMAT, "followup": followup.sha256, "pairs": pairs}
    write_whole(path, json.dumps(facts, indent=1) + "\n")


def _to_json(link: Link, pair: Comparison) -> dict[str, Any]:
    before, after = pair.baseline.labels.array, pair.followup.labels.array
    return {
        "baseline": [_inside(before, n) for n in link.baseline],
        "followup": [_inside(after, n) for n in link.followup],
        "by": link.by,
    }


def _inside(array: npt.NDArray[np.int32], number: int) -> list[int]:
    """Row and column of a pixel of the deposit, about in its middle."""
    pixels = np.argwhere(array == number)
    row, column = pixels[np.argmin(((pixels - pixels.mean(axis=0)) ** 2).sum(axis=1))]
    return [int(row), int(column)]


def _from_json(data: Mapping[str, Any], labels: tuple[Labels, Labels]) -> Link | None:
    """The link in the numbers of these outlines; `None` where a deposit is gone, or it is none."""
    try:
        sides = [_numbers(data[name], one) for name, one in zip(("baseline", "followup"), labels, strict=True)]
        whole = all(0 not in side for side in sides) and any(sides)
        return Link(sides[0], sides[1], by=str(data["by"])[:_LONGEST_NAME]) if whole else None
    except (IndexError, *_UNBELIEVABLE):
        return None


def _numbers(points: Sequence[Sequence[int]], labels: Labels) -> tuple[int, ...]:
    """The deposits at these points, each once; 0 where there is none."""
    at = [(int(row), int(column)) for row, column in points]
    if any(row < 0 or column < 0 for row, column in at):
        raise ValueError("no pixel")
    return tuple(sorted({int(labels.array[point]) for point in at}))


def _share(one: Link, other: Link) -> bool:
    return not set(one.baseline).isdisjoint(other.baseline) or not set(one.followup).isdisjoint(other.followup)


def _lay_aside(path: Path) -> None:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    try:
        path.rename(aside)
    except OSError as error:
        raise OutputError(f"{path.name} cannot be laid aside ({error.strerror}): move it elsewhere") from error
