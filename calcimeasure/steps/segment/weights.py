"""The network weights that the package ships: where they lie, and a fingerprint that travels with every number."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

_HOME = Path(__file__).parents[2] / "weights"


def finder_file(name: str) -> Path:
    """The network that finds deposits, of the weights called `name`."""
    return _HOME / f"{name}.onnx"


def outline_file(name: str) -> Path:
    """The network that draws their outline."""
    return _HOME / f"{name.replace('deposits', 'outline')}.onnx"


@cache
def fingerprint(name: str) -> str:
    """SHA-256 of both networks' bytes: other weights give other numbers, so the recipe's hash holds this."""
    bytes_ = b"".join(file.read_bytes() for file in (finder_file(name), outline_file(name)))
    return hashlib.sha256(bytes_).hexdigest()
