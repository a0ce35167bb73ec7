"""Two films in, one `Alignment` out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from calcimeasure.model.alignment import Alignment
from calcimeasure.model.arrays import Map, Mask
from calcimeasure.model.image import Image
from calcimeasure.model.warning import Code, Remark
from calcimeasure.steps.change.align.bend import Bent, bent
from calcimeasure.steps.change.align.judge import LOST_MM, refusal
from calcimeasure.steps.change.align.landmarks import (
    Pair,
    chart_through,
    is_mirrored,
    lattice,
    left_out_error,
    points_of,
)
from calcimeasure.steps.change.align.placing import Placing, placings
from calcimeasure.steps.change.align.quality import Quality, quality
from calcimeasure.steps.change.align.view import FilmGiven, View, scale_known, seen, views

_RIM_MM = 3.0  # so near to what the other film hides, the picture is drawn into its shade
Masks = tuple[Mask | None, Mask | None]

#: The film turned left for right is bent as well when its placing scores at least this share of the other's.
RIVAL = 0.7


def align(
    baseline: Image,
    followup: Image,
    *,
    limbs: Masks = (None, None),
    landmarks: Sequence[Pair] | None = None,
    mirrored: bool = False,
    ignore: Masks = (None, None),
) -> Alignment:
    """Where every pixel of one film lies on the other, or why that cannot be said.

    Parameters
    ----------
    baseline, followup : Image
        Deposits bright, as the readers give them. Their exposure, size and scale may differ.
    limbs : pair of bool array or None
        Where the limb is on either film; found here when left out.
    landmarks : sequence of ((row, column), (row, column)), optional
        The same places on the baseline and on the follow-up film, three or more; then nothing is searched.
    mirrored : bool
        The caller knows that one film is flipped left for right. Otherwise such a pair is refused.
    ignore : pair of bool array or None
        Deposits on either film: what appears, grows or goes must not bend the map.

    Returns
    -------
    Alignment
        With `refused` set when the films cannot be laid on each other: then its maps are NaN.

    Raises
    ------
    MeasurementRefused
        For landmarks that cannot be used (fewer than three, off the film, in one place).
    """
    pair = _Pair(FilmGiven(baseline, limbs[0], ignore[0]), FilmGiven(followup, limbs[1], ignore[1]))
    if landmarks is not None:
        return _from_landmarks(pair, landmarks, mirrored)
    both = views(pair.baseline, pair.followup)
    if both is None:
        return pair.refused(Remark.of(Code.NO_LIMB_ON_ONE))
    return _searched(pair, both, mirrored)


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """The two films as given."""

    baseline: FilmGiven
    followup: FilmGiven

    @property
    def shapes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return self.baseline.image.shape, self.followup.image.shape

    def refused(self, reason: Remark) -> Alignment:
        return Alignment.refusing(*self.shapes, reason)

    def alignment(self, found: Bent, work: tuple[tuple[int, int], tuple[int, int]]) -> Alignment:
        """Both maps at the films' own sizes, NaN where the other film has no picture."""
        first, second = self.shapes
        forward = found.forward.enlarged(first, second, work[1])[..., ::-1]
        backward = found.backward.enlarged(second, first, work[0])[..., ::-1]
        return Alignment(_off(forward, self.followup.image), _off(backward, self.baseline.image), 1.0)

    def with_residual(self, out: Alignment, px: float) -> Alignment:
        """The alignment with its residual, given in baseline pixels, and in mm where the scale is known."""
        spacing = self.baseline.image.spacing
        return replace(out, residual_px=px, residual_mm=px * spacing.mean_mm if spacing else None)


def _off(field: Map, target: Image) -> Map:
    """The field with NaN where it leads to a place of the target that is no picture."""
    picture = seen(target)
    if picture.all():
        return field
    rows, columns = (np.nan_to_num(field[..., n], nan=-1).round().astype(int) for n in (0, 1))
    inside = (rows >= 0) & (rows < target.shape[0]) & (columns >= 0) & (columns < target.shape[1])
    shown = picture[np.where(inside, rows, 0), np.where(inside, columns, 0)]
    return np.asarray(np.where((inside & ~shown)[..., None], np.nan, field), np.float32)


def _searched(pair: _Pair, both: tuple[View, View], mirrored: bool) -> Alignment:
    known, mm = scale_known(pair.baseline, pair.followup), both[0].mm
    told = placings(*both, known=known, mirrored=mirrored)[0]
    other = placings(*both, known=known, mirrored=not mirrored)[0]
    found, good = _tried(both, told)
    rival = _tried(both, other)[1] if _may_be(other, told, good, mm) else None
    reason = refusal(good, rival, mm)
    out = pair.refused(reason) if reason else pair.alignment(found, (both[0].shape, both[1].shape))
    out = out if reason else _without(out, _lost(*both, found))
    px = good.residual_px * pair.shapes[0][0] / both[0].shape[0]
    return pair.with_residual(replace(out, overlap=good.overlap, mirrored=mirrored), px)


def _lost(baseline: View, followup: View, found: Bent) -> Mask:
    """Limb of the baseline that cannot be followed: the two ways part there, and it borders on what is hidden.

    Elsewhere the ways also part round calcium that came or went and that nobody outlined; that is no loss.
    """
    parted = baseline.limb & (found.contradiction * baseline.mm > LOST_MM)
    shown = cv2.remap(followup.valid.astype(np.float32), found.forward.dense, None, cv2.INTER_LINEAR) > 0.99
    rim = 2 * round(_RIM_MM / baseline.mm) + 1
    hidden = cv2.dilate((~shown).astype(np.uint8), np.ones((rim, rim), np.uint8))
    _, parts = cv2.connectedComponents(parted.astype(np.uint8))
    return parted & np.isin(parts, np.unique(parts[(hidden > 0) & parted]))


def _without(out: Alignment, lost: Mask) -> Alignment:
    """The alignment with NaN where the limb cannot be followed, as beyond the edge of a cut field.

    `lost` is at work, on the baseline.
    """
    if not lost.any():
        return out
    rows, columns = out.forward.shape[:2]
    here = cv2.resize(lost.astype(np.uint8), (columns, rows), interpolation=cv2.INTER_NEAREST) > 0
    there = np.asarray(out.on_followup(here, nearest=True), bool)
    forward, backward = (
        np.where(where[..., None], np.float32(np.nan), field)
        for where, field in ((here, out.forward), (there, out.backward))
    )
    return replace(out, forward=forward, backward=backward)


def _tried(both: tuple[View, View], placing: Placing) -> tuple[Bent, Quality]:
    found = bent(*both, placing.affine)
    return found, quality(*both, found)


def _may_be(other: Placing, told: Placing, good: Quality, mm: float) -> bool:
    """Whether the films may lie the other way left for right."""
    return other.score > RIVAL * told.score or bool(refusal(good, None, mm))


def _from_landmarks(pair: _Pair, landmarks: Sequence[Pair], mirrored: bool) -> Alignment:
    points = points_of(landmarks, pair.shapes)
    if is_mirrored(*points) != mirrored:
        return pair.refused(Remark.of(Code.LANDMARKS_NOT_FLIPPED if mirrored else Code.LANDMARKS_FLIPPED))
    work = lattice(pair.shapes[0]), lattice(pair.shapes[1])
    forward = chart_through(points, pair.shapes, work, mirrored)
    found = Bent(forward, forward.inverse(work[1]), np.zeros(work[0], np.float32))
    out = replace(pair.alignment(found, work), method=f"from {len(landmarks)} landmarks", mirrored=mirrored)
    return pair.with_residual(out, left_out_error(points[1], points[0], mirrored))
