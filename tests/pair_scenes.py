"""Small pairs of films whose deposits and alignment are known, for the tests of match and compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from calcimeasure.model.alignment import Alignment
from calcimeasure.model.authorship import UNSAID, Authorship
from calcimeasure.model.image import Acquisition, Image, Kind, Meaning, Spacing, SpacingOrigin
from calcimeasure.model.labels import Labels
from calcimeasure.model.study import Film, Reading
from calcimeasure.steps.measure.area import measure

SHAPE = (200, 200)
MM = 0.2
Disc = tuple[float, float, float]  # row, column, radius, in pixels


def drawn(discs: Mapping[int, Sequence[Disc]], shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """A label image of discs; several discs of a label are its pieces."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    out = np.zeros(shape, np.int32)
    for label, pieces in discs.items():
        for row, column, radius in pieces:
            out[((rows - row) ** 2 + (columns - column) ** 2 <= radius**2) & (out == 0)] = label
    return out


def reading(
    discs: Mapping[int, Sequence[Disc]],
    *,
    by: Authorship = UNSAID,
    spacing: Spacing | None = Spacing(MM, MM, SpacingOrigin.USER, 0.005),  # noqa: B008
    shown: np.ndarray | None = None,
    film: Film | None = None,
    **facts: object,
) -> Reading:
    """A film with these deposits outlined, and `shown` (else the outlines) bright on it."""
    labels = drawn(discs)
    bright = labels > 0 if shown is None else shown
    texture = np.random.default_rng(0).normal(100, 2, SHAPE)
    image = Image((texture + 60 * bright).astype(np.float32), Kind.RADIOGRAPH, Meaning.DISPLAY, spacing)
    image = replace(image, acquisition=Acquisition(**facts))  # type: ignore[arg-type]
    outlines = Labels(labels, authorship=by)
    return Reading(image, outlines, measure(image, outlines), film=film)


def shifted(rows: float = 0.0, columns: float = 0.0, shape: tuple[int, int] = SHAPE) -> Alignment:
    """The follow-up lies so many rows and columns further."""
    grid = np.moveaxis(np.mgrid[: shape[0], : shape[1]].astype(np.float32), 0, 2)
    step = np.array([rows, columns], np.float32)
    return Alignment(grid + step, grid - step, overlap=1.0, residual_px=0.0)


def turned(alignment: Alignment) -> Alignment:
    """The same seen from the follow-up."""
    return replace(alignment, forward=alignment.backward, backward=alignment.forward)
