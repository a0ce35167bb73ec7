"""A labels layer saved with its physical size and its authors, which napari's own writer drops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from calcimeasure.io.results.masks import write_labels
from calcimeasure.model.authorship import UNSAID
from calcimeasure.model.image import Spacing, SpacingOrigin
from calcimeasure.model.labels import Labels
from napari_calcimeasure._layers import AUTHORSHIP, KEY


def write_outlines(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write one labels layer as OME-TIFF; gives the path written.

    With millimetres where they are known, and with who drew the outlines: without this those of the networks would
    count as a person's, and get a person's error bars.
    """
    known = meta.get("metadata", {})
    labels = Labels(np.asarray(data), authorship=known.get(AUTHORSHIP, UNSAID))
    write_labels(Path(path), labels, _spacing(meta))
    return [path]


def _spacing(meta: dict[str, Any]) -> Spacing | None:
    known = meta.get("metadata", {}).get(KEY)
    if isinstance(known, Spacing):
        return known
    units = {str(unit) for unit in meta.get("units", ())}
    if not units <= {"mm", "millimeter"} or not units:
        return None
    row, column = (float(side) for side in meta["scale"][-2:])
    return Spacing.of(row, column, SpacingOrigin.UNCERTAIN)
