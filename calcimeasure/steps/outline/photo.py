"""Pale deposits in a colour photo, where a person points: at each with a click, or around it with a box or a lasso."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.arrays import Box, Floats, Mask
from calcimeasure.model.authorship import Author, Authorship
from calcimeasure.model.image import Image
from calcimeasure.model.labels import Labels
from calcimeasure.steps.outline.level_sets import CLICKED, Region, deposit_in, explained, inside_of, require_photo
from calcimeasure.steps.outline.pieces import Piece, numbered

Points = Sequence[tuple[float, float]] | Floats


def segment_photo(
    image: Image,
    *,
    box: tuple[float, float, float, float] | None = None,
    lasso: Points | None = None,
    clicks: Points | None = None,
) -> Labels:
    """The deposits a person points at, one label each, in reading order.

    One prompt, one deposit: a box or a lasso gives the deposit it was drawn around (the one in its middle;
    a neighbour cut by its edge is left out); clicks give one deposit each. Clicks together with a box or a
    lasso give one deposit each and confine them to it. A box together with a lasso is refused.

    Parameters
    ----------
    image : Image
        A colour photo; pixels of shape (rows, columns, 3).
    box : (row0, column0, row1, column1), optional
        In pixels, the end exclusive; the part outside the frame is ignored. Draw it loosely: skin must be
        seen around the deposit.
    lasso : array, shape (points, 2), optional
        (row, column) corners of a closed outline around the deposit.
    clicks : sequence of (row, column), optional
        A point on each deposit.

    Returns
    -------
    Labels
        Shape of the image. Two clicks on one deposit give one label.

    Raises
    ------
    MeasurementRefused
        When the image is no colour photo, the prompt makes no sense, or nothing pale stands out from it.
    """
    require_photo(image)
    if box is None and lasso is None and clicks is None:
        raise MeasurementRefused("no prompt: give a box, a lasso or clicks, or use propose() to search the photo")
    region = _region(image.shape, box, lasso)
    if clicks is None:
        masks = [deposit_in(image, region)]
    else:
        masks = [_deposit_at(image, region, point) for point in _clicked(clicks, image.shape, region)]
    outlines = numbered([Piece.of(mask) for mask in masks], image.shape)
    return Labels(outlines, (_told(box, lasso, clicks),), Authorship(Author.ACCEPTED))


def _region(shape: tuple[int, int], box: tuple[float, float, float, float] | None, lasso: Points | None) -> Region:
    if box is not None and lasso is not None:
        raise MeasurementRefused("a box and a lasso were given: give one of them")
    if lasso is not None:
        return _lassoed(lasso, shape)
    return Region(Box(0, 0, *shape) if box is None else _boxed(box, shape))


def _boxed(box: tuple[float, float, float, float], shape: tuple[int, int]) -> Box:
    sides = np.asarray(box, float)
    if sides.shape != (4,) or not np.isfinite(sides).all():
        raise MeasurementRefused(f"the box {box} is not four finite numbers (row0, column0, row1, column1)")
    low, high = np.floor(sides[:2]), np.ceil(sides[2:])
    clipped = np.clip(np.concatenate([low, high]), 0, [*shape, *shape]).astype(int)
    found = Box(*(int(side) for side in clipped))
    if min(found.size) < 4:
        raise MeasurementRefused(
            f"the box {box} holds less than 4 x 4 px of this {shape[0]} x {shape[1]} photo: draw it around a deposit"
        )
    return found


def _corners(points: Points, what: str) -> Floats:
    corners = np.asarray(points, float)
    if corners.ndim != 2 or corners.shape[1] != 2 or not len(corners) or not np.isfinite(corners).all():
        raise MeasurementRefused(f"the {what} must be finite (row, column) pairs, one or more")
    return corners


def _lassoed(lasso: Points, shape: tuple[int, int]) -> Region:
    corners = _corners(lasso, "lasso")
    if len(corners) < 3:
        raise MeasurementRefused(f"a lasso needs three points or more, got {len(corners)}")
    low, high = corners.min(0), corners.max(0)
    box = _boxed((low[0], low[1], high[0] + 1, high[1] + 1), shape)
    # Points far outside the frame would overflow the polygon filler: one frame beyond is as good as any.
    held = np.clip(corners, [-shape[0], -shape[1]], [2 * shape[0], 2 * shape[1]])
    inside = np.zeros(box.size, np.uint8)
    cv2.fillPoly(inside, [np.rint(held - [box.row0, box.column0])[:, ::-1].astype(np.int32)], 1)
    if inside.sum() < 16:
        raise MeasurementRefused("the lasso holds less than 16 px of this photo: draw it around a deposit")
    return Region(box, inside > 0)


def _clicked(clicks: Points, shape: tuple[int, int], region: Region) -> list[tuple[int, int]]:
    points = [(int(row), int(column)) for row, column in np.floor(_corners(clicks, "clicks")).clip(-1, 2**31 - 1)]
    for row, column in points:
        if not (0 <= row < shape[0] and 0 <= column < shape[1]):
            raise MeasurementRefused(f"the click ({row}, {column}) lies outside this {shape[0]} x {shape[1]} photo")
        if not region.holds(row, column):
            raise MeasurementRefused(f"the click ({row}, {column}) lies outside the box or lasso given with it")
    return points


def _deposit_at(image: Image, region: Region, point: tuple[int, int]) -> Mask:
    """The deposit under a click: the box around it that explains best what is seen there."""
    boxes = _boxes_around(point, image.shape)
    scores = [explained(image, Region(box, inside_of(region, box, image.shape))) for box in boxes]
    box = boxes[int(np.argmax(scores))]
    return deposit_in(image, Region(box, inside_of(region, box, image.shape)), CLICKED)


def _boxes_around(point: tuple[int, int], shape: tuple[int, int]) -> list[Box]:
    row, column = point
    halves = [half for half in (np.rint(6 * 1.35**step).astype(int) for step in range(24)) if 2 * half <= min(shape)]
    return [Box(row - h, column - h, row + h + 1, column + h + 1).within(shape) for h in map(int, halves or [3])]


def _told(box: object, lasso: object, clicks: Points | None) -> str:
    prompts = [name for name, prompt in (("box", box), ("lasso", lasso)) if prompt is not None]
    if clicks is not None:
        prompts.append(f"{len(clicks)} click{'s' if len(clicks) > 1 else ''}")
    return f"photo outlined by level sets of colour inside {' and '.join(prompts)}"
