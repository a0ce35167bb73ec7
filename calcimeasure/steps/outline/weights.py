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
class Finder:
    """The network that finds deposits: its file, the pixel size (mm) it was trained for, and how often it looks.

    It sees the film at the pixel size times each of `looks`: what it sees in all of them is rarely false.
    """

    file: Path
    working_mm: float
    looks: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Weights:
    """One set of weights: the finder, the outline network's file, the judge of findings.

    `redraws` where the network that is pointed at draws the findings' outlines anew (it may not, for weights that hold
    nothing of real films).
    """

    finder: Finder
    outline: Path
    judge: Judge
    redraws: bool = False

    @classmethod
    def named(cls, name: str) -> Weights:
        """The weights called `name`, as the package ships them."""
        return cls.read(_HOME / f"{name}.json")

    @classmethod
    def read(cls, card: Path) -> Weights:
        """The weights that a card describes; their files lie beside it."""
        facts = json.loads(card.read_text())
        use = facts["finder"]
        finder = Finder(card.parent / use["file"], use["working_mm"], tuple(use["looks"]))
        judge = Judge(facts["judge"]["base"], tuple(facts["judge"]["weights"][fact] for fact in FACTS))
        return cls(finder, card.parent / facts["outline"], judge, bool(facts.get("redraws", False)))


@dataclass(frozen=True, slots=True)
class Prompter:
    """The network that outlines what it is pointed at: its file, and the chance from which on something is there."""

    file: Path
    least: float

    @classmethod
    def shipped(cls) -> Prompter:
        """As the package ships it."""
        return cls.read(_HOME / "prompted.json")

    @classmethod
    def read(cls, card: Path) -> Prompter:
        """The network that a card describes; its file lies beside it."""
        facts = json.loads(card.read_text())
        return cls(card.parent / facts["file"], facts["least"])


@cache
def fingerprint(name: str) -> str:
    """SHA-256 of the networks and the card: other weights give other numbers, so the recipe's hash holds this."""
    weights = Weights.named(name)
    files = [_HOME / f"{name}.json", weights.finder.file, weights.outline]
    if weights.redraws:
        files += [_HOME / "prompted.json", Prompter.shipped().file]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
