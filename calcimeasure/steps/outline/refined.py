"""Findings outlined anew by the network that is pointed at: it has learnt where a reader's outline runs.

Each finding is shown to it as an outline carried over. What it draws elsewhere, or far larger, is not believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from calcimeasure.model.image import Image
from calcimeasure.steps.outline.candidates import Candidate
from calcimeasure.steps.outline.prompted import Pointed, Prompt, answer

Map = npt.NDArray[np.float32]

#: Findings that are less likely keep their outline, and so do all but so many of the likeliest ones; and all on films
#: of larger pixels, where this network draws too wide (limbs kept back at 0.4 mm: +17 % instead of +13 %).
LEAST_SCORE, MOST, COARSEST_MM = 0.2, 40, 0.3
#: The new outline holds at least this share of the finding, and is at most so many times as large.
OVERLAP, GROWTH = 0.3, 8.0


def refined(image: Image, findings: Sequence[Candidate], inside: Map) -> tuple[list[Candidate], Map]:
    """The findings with their new outlines, in the same order, and the map of what lies inside a deposit with them."""
    likely = sorted((k for k, one in enumerate(findings) if one.score >= LEAST_SCORE), key=lambda k: -findings[k].score)
    found, map_ = list(findings), inside.copy()
    drawn = [(k, _redrawn(image, findings[k])) for k in likely[:MOST]]
    sure = [(k, pointed) for k, pointed in drawn if _is_believed(findings[k], pointed)]
    for k, _ in sure:
        map_[findings[k].window][findings[k].mask] = 0
    for k, pointed in sure:
        map_[pointed.window] = np.maximum(map_[pointed.window], pointed.probability)
        found[k] = replace(findings[k], redrawn=_trimmed(pointed, findings[k].score))
    return found, map_


def _redrawn(image: Image, finding: Candidate) -> Pointed:
    shown = np.zeros(image.shape, bool)
    shown[finding.window] = finding.mask
    return answer(image, Prompt(outline=shown))


def _is_believed(finding: Candidate, pointed: Pointed) -> bool:
    """Whether it is the same thing that is outlined."""
    size = int(np.count_nonzero(pointed.mask))
    top, left = finding.row - pointed.row, finding.column - pointed.column
    rows, columns = np.nonzero(finding.mask)
    rows, columns = rows + top, columns + left
    here = (rows >= 0) & (columns >= 0) & (rows < pointed.mask.shape[0]) & (columns < pointed.mask.shape[1])
    shared = int(np.count_nonzero(pointed.mask[rows[here], columns[here]]))
    return shared >= OVERLAP * finding.area and size <= GROWTH * finding.area


def _trimmed(pointed: Pointed, score: float) -> Candidate:
    """The outline in the smallest window that holds it."""
    rows, columns = np.flatnonzero(pointed.mask.any(1)), np.flatnonzero(pointed.mask.any(0))
    mask = pointed.mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Candidate(pointed.row + int(rows[0]), pointed.column + int(columns[0]), mask, score)
