"""The network weights that the package ships: where they lie, and a fingerprint that travels with every number."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from calcimeasure.steps.segment.judge import FACTS, Judge

_HOME = Path(__file__).parents[2] / "weights"


def finder_file(name: str) -> Path:
    """The network that finds deposits, of the weights called `name`."""
    return _HOME / f"{name}.onnx"


def outline_file(name: str) -> Path:
    """The network that draws their outline."""
    return _HOME / f"{name.replace('deposits', 'outline')}.onnx"


def card_file(name: str) -> Path:
    """How the networks are to be used, as JSON."""
    return _HOME / f"{name}.json"


@dataclass(frozen=True, slots=True)
class Card:
    """How one set of weights is to be used: the pixel size its finder was trained for, in mm, and its judge."""

    working_mm: float
    judge: Judge

    @classmethod
    def named(cls, name: str) -> Card:
        """The card of the weights called `name`."""
        facts = json.loads(card_file(name).read_text())
        return cls(facts["working_mm"], Judge(facts["base"], tuple(facts["weights"][fact] for fact in FACTS)))


@cache
def fingerprint(name: str) -> str:
    """SHA-256 of the networks and the judge: other weights give other numbers, so the recipe's hash holds this."""
    bytes_ = b"".join(file.read_bytes() for file in (finder_file(name), outline_file(name), card_file(name)))
    return hashlib.sha256(bytes_).hexdigest()
