"""A precision profile, as a repeatability study writes it and `compare` and `study` take it."""

from __future__ import annotations

import json
from pathlib import Path

from calcimeasure.errors import TableError
from calcimeasure.model.precision import Precision


def read_profile(path: Path) -> Precision:
    """The precision profile in a JSON file.

    Raises
    ------
    TableError
        When the file cannot be read or holds something else.
    """
    try:
        return Precision.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise TableError(f"cannot read the precision profile {path.name}: {type(error).__name__}") from error
