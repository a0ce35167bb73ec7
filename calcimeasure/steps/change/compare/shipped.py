"""The precision that stands in until a site has measured its own: from simulated films, and it says so."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

from calcimeasure.model.precision import Precision


@cache
def shipped_precision() -> Precision:
    """The profiles that come with the package, made by ``benchmarks/renew_precision_profile.py``."""
    file = resources.files("calcimeasure") / "weights" / "precision.json"
    return Precision.from_json(json.loads(file.read_text(encoding="utf-8")))
