"""The network weights that the package ships: where they lie, and a fingerprint that travels with every number."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from calcimeasure.steps.outline.judge import FACTS, Judge

_HOME = Path(__file__).parents[2] / "weights"


@dataclass(frozen=True, slots=True)
class FinderFile:
    """The network that finds deposits: its file, the pixel size (mm) it was trained for, and how often it looks.

    It sees the film at the pixel size times each of `looks`: what it sees in all of them is rarely false.
    """

    file: Path
    working_mm: float
    looks: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Weights:
    """One set of weights: the finder, the outline network's file, and the judge of findings."""

    finder: FinderFile
    outline: Path
    judge: Judge

    @classmethod
    def named(cls, name: str) -> Weights:
        """The weights called `name`, as the package ships them."""
        return cls.read(_HOME / f"{name}.json")

    @classmethod
    def read(cls, card: Path) -> Weights:
        """The weights that a card describes; their files lie beside it."""
        facts = json.loads(card.read_text())
        use = facts["finder"]
        finder = FinderFile(card.parent / use["file"], use["working_mm"], tuple(use["looks"]))
        judge = Judge(facts["judge"]["base"], tuple(facts["judge"]["weights"][fact] for fact in FACTS))
        return cls(finder, card.parent / facts["outline"], judge)


@cache
def fingerprint(name: str) -> str:
    """SHA-256 of the networks and the card: other weights give other numbers, so the recipe's hash holds this."""
    weights = Weights.named(name)
    files = (_HOME / f"{name}.json", weights.finder.file, weights.outline)
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
