"""A smooth map from the pixels of one film to those of another: an affine part and a bend.

Points are (x, y) = (column, row) here, as OpenCV has them; only `Alignment` speaks (row, column).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from calcimeasure.model.arrays import Floats, Map

#: Rounds of the fixed-point inversion; each shrinks the error by the strain of the bend (well under a half).
ROUNDS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """Where the points of one picture lie on another.

    Parameters
    ----------
    affine : float array, shape (2, 3)
        From (x, y, 1) of the source to (x, y) of the target.
    bend : float32 array, shape (rows, columns, 2) of the source
        (x, y) in target pixels that is added; beyond its border it stays as it is there.
    """

    affine: Floats
    bend: Map

    @classmethod
    def straight(cls, affine: Floats, shape: tuple[int, ...]) -> Chart:
        """The affine map without a bend.

        `affine` is (2, 3) on points (x, y).
        """
        return cls(affine, np.zeros((*shape[:2], 2), np.float32))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the source."""
        return int(self.bend.shape[0]), int(self.bend.shape[1])

    @property
    def dense(self) -> Map:
        """(x, y) on the target of every source pixel, shape (rows, columns, 2)."""
        return np.asarray(_straight(self.affine, grid(self.shape)) + self.bend, np.float32)

    def at(self, points: Map) -> Map:
        """The target points of an array of source points, shape (rows, columns, 2)."""
        bend = cv2.remap(self.bend, points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(_straight(self.affine, points) + bend, np.float32)

    def bent(self, bend: Map) -> Chart:
        """The same affine part with another bend.

        `bend` is (rows, columns, 2), in pixels (x, y).
        """
        return replace(self, bend=np.asarray(bend, np.float32))

    def inverse(self, shape: tuple[int, int]) -> Chart:
        """The map back from a target of that shape, by fixed-point iteration."""
        back, places = cv2.invertAffineTransform(self.affine), grid(shape)
        straight, bend = _straight(back, places), np.zeros((*shape, 2), np.float32)
        turn = np.column_stack([back[:, :2], [0, 0]])
        for _ in range(ROUNDS):
            bend = bend + _straight(turn, places - self.at(straight + bend))
        return Chart(back, bend)

    def enlarged(self, source: tuple[int, int], target: tuple[int, int], target_now: tuple[int, int]) -> Map:
        """(x, y) on a target of another size for every pixel of a source of another size.

        Shape (rows, columns, 2) of the source.

        Pixel centres keep their place: pixel i of n lies at (i + 0.5) / n of the picture.
        """
        there = scaling(self.shape, source)
        onto = scaling(target_now, target)
        affine = chained(onto, chained(self.affine, cv2.invertAffineTransform(there)))
        stretch = np.array([target[1] / target_now[1], target[0] / target_now[0]], np.float32)
        bend = cv2.resize(self.bend, source[::-1], interpolation=cv2.INTER_LINEAR) * stretch
        return np.asarray(_straight(affine, grid(source)) + bend, np.float32)


def scaling(before: tuple[int, int], after: tuple[int, int]) -> Floats:
    """The affine map of a resize from one shape to another, pixel centres keeping their place."""
    y, x = after[0] / before[0], after[1] / before[1]
    return np.array([[x, 0, 0.5 * x - 0.5], [0, y, 0.5 * y - 0.5]])


def chained(second: Floats, first: Floats) -> Floats:
    """The affine map that does `first`, then `second`.

    Both (2, 3) on points (x, y).
    """
    return np.asarray((np.vstack([second, [0, 0, 1]]) @ np.vstack([first, [0, 0, 1]]))[:2])


def moved(affine: Floats, points: Floats) -> Floats:
    """Points (x, y), shape (n, 2), under an affine map."""
    return np.asarray(points @ affine[:, :2].T + affine[:, 2])


def grid(shape: tuple[int, ...]) -> Map:
    """(x, y) of every pixel.

    Shape (rows, columns, 2).
    """
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return np.dstack([x, y])


def mirror(columns: int) -> Floats:
    """The affine map that turns a picture of that width left for right.

    Shape (2, 3), on points (x, y).
    """
    return np.array([[-1.0, 0, columns - 1], [0, 1.0, 0]])


def _straight(affine: Floats, points: Map) -> Map:
    (a, b, c), (d, e, f) = affine.astype(np.float32)
    x, y = points[..., 0], points[..., 1]
    return np.dstack([a * x + b * y + c, d * x + e * y + f])
