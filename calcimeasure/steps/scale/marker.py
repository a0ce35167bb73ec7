"""Scale and plane from printed ArUco markers of known size.

The plan: the corners of every marker are found with the one refinement that does not shrink them. The squares of our
own sheet are known to be even, so its corners then come from the whole pattern; what others print is often drawn with
uneven squares, and only its outline counts. One camera looking at one plane is fitted to all markers, each free to lie
anywhere in that plane. Eight numbers of a free homography cannot be told from one small marker, and what they get wrong
grows with the distance from it; a camera with a loosely known focal length and centre holds them in place and gives way
when the corners speak against it. Markers of unequal size look like tilt; but the shape of each says how much tilt
there is, so a second fit in which every marker has its own size tells the two apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median_low
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.image import Image, Spacing, SpacingOrigin
from calcimeasure.model.plane import ObjectPlane, PlaneError
from calcimeasure.model.scale import Scale, ScaleMethod
from calcimeasure.steps.scale.pattern import fit_pattern
from calcimeasure.steps.scale.sheet import DICTIONARY, marker_modules, size_from_ids

Array = npt.NDArray[np.float64]

#: A plane tilted more than this is refused, in degrees.
MOST_TILT = 30.0

#: Root mean square distance of the corners from the fitted plane over which it is refused, in px.
MOST_REPROJECTION = 1.0

#: Largest disagreement between the sizes of markers seen together.
MOST_DISAGREEMENT = 0.02

_CORNER_SD = 0.12  # px
_LOOSE_SD = 1.0  # px, where something hides part of a marker
# Focal length over the longer side of the picture, and the sd of its logarithm: main cameras of phones 0.7-0.8, their
# second lens and reflex cameras at close range more.
_FOCAL = (0.85, 0.4)
_EQUAL = 0.0005  # sd of the logarithm of a marker's size, all being from one print
_UNEQUAL = 0.3  # the same where nothing is taken for granted
_ROUNDS = 30
_CERTAIN = 3.0  # standard deviations over which a difference in size is one
_CENTRE_SD = 0.03  # of the optical centre, as a share of the longer side
_PRINT_SD = 0.003  # of a marker measured with a ruler after printing: 0.06 mm on 20 mm
_FOREIGN = (cv2.aruco.DICT_6X6_1000, cv2.aruco.DICT_4X4_1000, cv2.aruco.DICT_7X7_1000, cv2.aruco.DICT_ARUCO_ORIGINAL)
# Of the distortion that is left in what a phone shows, and how sure the markers must be of more of it to refuse.
_LENS_SD, _LENS_CERTAIN = 0.02, 3.0
_REFINED_SIDE = 2000  # px: smaller pictures are enlarged towards it, since the refinement wants a few px a square


@dataclass(frozen=True, slots=True, eq=False)
class Markers:
    """Markers seen in a picture.

    Parameters
    ----------
    ids : tuple of int
    corners : float array, shape (n, 4, 2)
        (x, y) in px, clockwise from the marker's own upper left; the centre of the first pixel is (0, 0).
    covariance : float array, shape (n, 8, 8)
        Of x, y of each marker's first corner, then of its second, ..., in px2.
    """

    ids: tuple[int, ...]
    corners: Array
    covariance: Array

    @classmethod
    def none(cls) -> Markers:
        """No marker."""
        return cls((), np.empty((0, 4, 2)), np.empty((0, 8, 8)))

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, *which: int) -> Markers:
        """Some of the markers, by their place."""
        return Markers(tuple(self.ids[k] for k in which), self.corners[list(which)], self.covariance[list(which)])


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """The plane of the markers: where its millimetres lie in the picture.

    Parameters
    ----------
    to_mm : float array, shape (3, 3)
        Homography from (x, y, 1) in px to mm in the plane.
    tilt_degrees : float
        Angle between the plane and the sensor.
    reprojection_px : float
        Root mean square distance between corners seen and fitted.
    sides_mm : float array, shape (n,)
        Side of every marker as measured in the plane.
    unequal : float
        Largest difference in size that the markers' own shapes tell of, as a share; 0 where it may be chance.
    error : PlaneError
        How well a length is known at each place.
    distortion : float
        Of the lens, where the markers tell it beyond doubt; else 0.
    """

    to_mm: Array
    tilt_degrees: float
    reprojection_px: float
    sides_mm: Array
    unequal: float
    error: PlaneError
    distortion: float = 0.0

    @property
    def relative_sd(self) -> float:
        """Standard deviation of a length in the middle of the picture, as a share of it."""
        return math.hypot(*self.sd_at(self.error.middle).values())

    def sd_at(self, at: Sequence[float]) -> dict[str, float]:
        """What the standard deviation of a length at (x, y) consists of."""
        x, y = np.array([at[0]]), np.array([at[1]])
        parts = ObjectPlane(_tuples(self.to_mm), error=self.error).length_sd(y, x)
        return {name: float(part[0]) for name, part in parts.items()}

    @property
    def disagreement(self) -> float:
        """Largest difference of a marker's side from the (lower) median, as a share of it."""
        # The mean of two would halve what they disagree by.
        return max(self.unequal, float(np.max(np.abs(self.sides_mm / median_low(self.sides_mm.tolist()) - 1))))


def scale_from_marker(image: Image, marker_mm: float | None = None, *, foreign: bool = True) -> Scale:
    """The scale of a photo with printed markers in it; without a spacing, and with the reason, where refused.

    Parameters
    ----------
    image : Image
        Photo.
    marker_mm : float, optional
        Side of the black square as measured on the print; needed for markers that are not of our sheet, whose
        numbers tell their size.
    foreign : bool
        Whether to look for markers that are not of our sheet although no size is given.

    Raises
    ------
    MeasurementRefused
        For a size that is not positive.
    """
    if marker_mm is not None and not 0 < marker_mm < np.inf:
        raise MeasurementRefused(f"a marker cannot be {marker_mm} mm wide: give the side of its black square in mm")
    markers = find_markers(image, foreign=foreign or marker_mm is not None)
    if not len(markers):
        return Scale.refused(
            "no marker found: lay the printed sheet flat beside the lesion, in focus, with the white border in view"
        )
    side = marker_mm or size_from_ids(markers.ids)
    plane = fit_plane(markers, side or 1.0, image.shape)
    refusal = _refusal(plane, len(markers), side)
    if refusal or side is None:
        return Scale.refused(refusal, ScaleMethod.MARKER, plane.tilt_degrees, plane.reprojection_px)
    return Scale(
        ScaleMethod.MARKER,
        _spacing(plane, markers.corners.mean(axis=(0, 1))),
        tilt_degrees=plane.tilt_degrees,
        homography=_tuples(plane.to_mm),
        reprojection_px=plane.reprojection_px,
        error=plane.error,
    )


def find_markers(image: Image, *, foreign: bool = True) -> Markers:
    """Markers of our sheet, or, when there are none, of the other usual dictionaries (the one with most of them)."""
    grey = _grey(image)
    ours = _detect(grey, DICTIONARY)
    if len(ours) and size_from_ids(ours.ids):
        return _refined(ours, grey)
    if not foreign:
        return Markers.none()
    return max((ours, *(_detect(grey, dictionary) for dictionary in _FOREIGN)), key=len)


def fit_plane(markers: Markers, side_mm: float, shape: tuple[int, int]) -> Plane:
    """The plane in which all these markers are squares of `side_mm`.

    Parameters
    ----------
    markers : Markers
        At least one.
    side_mm : float
        Side of every marker.
    shape : tuple of int
        Rows and columns of the picture.
    """
    corners = markers.corners
    camera = _Camera(corners, shape, np.linalg.inv(np.linalg.cholesky(markers.covariance)))
    fits = [_fit(camera, start) for start in camera.starts()]
    best = min(fits, key=lambda fit: fit.cost)
    view = camera.view(best.x)
    to_mm = np.diag([side_mm, side_mm, 1.0]) @ np.linalg.inv(view.to_px)
    to_mm /= to_mm[2] @ [*corners.mean(axis=(0, 1)), 1.0]
    lens, lens_sd = camera.lens(best)
    certain = lens if lens_sd < _LENS_SD and abs(lens) > max(_LENS_SD, _LENS_CERTAIN * lens_sd) else 0.0
    return Plane(
        to_mm=to_mm,
        tilt_degrees=float(np.degrees(np.arccos(np.clip(abs(view.turn[2, 2]), 0, 1)))),
        reprojection_px=camera.off_px(best.x),
        sides_mm=_sides(to_mm, corners),
        unequal=camera.unequal(best.x),
        error=PlaneError(
            covariance=_tuples(camera.row_covariance(best, to_mm)),
            print_sd=_PRINT_SD,
            lens_sd=min(_LENS_SD, math.hypot(lens, lens_sd)),
            camera_mm=float(best.x[5] * side_mm),
            markers=tuple((float(x), float(y)) for x, y in corners.mean(axis=1)),
            middle=camera.middle,
        ),
        distortion=certain,
    )


def _grey(image: Image) -> npt.NDArray[np.uint8]:
    pixels = image.pixels
    if pixels.ndim == 3:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY), np.uint8)
    low, high = (0.0, 255.0) if pixels.dtype == np.uint8 else np.percentile(pixels, [0.1, 99.9])
    return np.asarray(np.clip((pixels - low) * (255 / max(high - low, 1e-9)), 0, 255), np.uint8)


def _detect(grey: npt.NDArray[np.uint8], dictionary: int) -> Markers:
    """Markers of one dictionary; a number seen twice is no help and both are kept."""
    zoom = int(np.clip(_REFINED_SIDE // max(grey.shape), 1, 3))
    large = cv2.resize(grey, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC) if zoom > 1 else grey
    settings = cv2.aruco.DetectorParameters()
    # The other refinements shrink a marker by 0.5-2.5 % of its side, twice that in area.
    settings.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_APRILTAG
    settings.errorCorrectionRate = 0.3
    detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(dictionary), settings)
    corners, ids, _ = detector.detectMarkers(large)
    if ids is None:
        return Markers.none()
    order = np.argsort(ids.ravel(), kind="stable")
    # This refinement counts from the outer corner of the first pixel, not from its centre.
    points = (np.array(corners, float).reshape(-1, 4, 2) / zoom - 0.5)[order]
    covariance = np.broadcast_to(_CORNER_SD**2 * np.eye(8), (len(points), 8, 8))
    return Markers(tuple(int(k) for k in ids.ravel()[order]), points, covariance)


def _refined(markers: Markers, grey: npt.NDArray[np.uint8]) -> Markers:
    """Markers of our sheet with the corners that their patterns give.

    One that its pattern does not fit is cut off by the picture's edge or covered: beside others it is left out, alone
    it keeps the corners it has, which may then be off by a pixel or more.
    """
    found = [
        fit_pattern(grey, ~marker_modules(number), corners)
        for number, corners in zip(markers.ids, markers.corners, strict=True)
    ]
    fitted = [(number, one) for number, one in zip(markers.ids, found, strict=True) if one is not None]
    if not fitted:
        return replace(markers, covariance=markers.covariance * (_LOOSE_SD / _CORNER_SD) ** 2)
    corners, covariance = (np.array([getattr(one, name) for _, one in fitted]) for name in ("corners", "covariance"))
    return Markers(tuple(number for number, _ in fitted), corners, covariance)


def _refusal(plane: Plane, count: int, side: float | None) -> str:
    """Why the plane must not be used; empty when it may."""
    # Tilt comes last: what markers say that contradict each other about tilt is worth nothing. Corners far from the
    # plane come first, but for those that unequal sizes explain.
    if plane.reprojection_px > MOST_REPROJECTION and not plane.unequal:
        return (
            f"the marker corners lie {plane.reprojection_px:.1f} px from one plane, more than {MOST_REPROJECTION:.0f}: "
            "lay the sheet flat, hold still and photograph it again"
        )
    if plane.disagreement > MOST_DISAGREEMENT:
        return (
            f"the markers disagree by {plane.disagreement:.1%} in size, more than {MOST_DISAGREEMENT:.0%}: lay them "
            "flat in one plane, all from one print, and photograph again"
        )
    if plane.distortion:
        return (
            f"straight lines are bent in this photo (by {plane.distortion:+.1%} at its corners), or the sheet is: "
            "lay it flat and photograph it from farther away, without a wide-angle lens"
        )
    if plane.tilt_degrees > MOST_TILT:
        return (
            f"the marker is tilted by {plane.tilt_degrees:.0f} degrees, more than {MOST_TILT:.0f}: "
            "photograph it again from straight above"
        )
    if side is None:
        agree = f"; they agree within {plane.disagreement:.1%}" if count > 1 else ""
        return f"{count} marker(s) of unknown size{agree}: measure the black square and give its side (--marker-mm)"
    return ""


def _spacing(plane: Plane, at: Array) -> Spacing:
    """Spacing at a point (x, y): square on the plane, row and column as long as the plane shows them."""
    jacobian = _jacobian(plane.to_mm, at)
    column, row = np.linalg.norm(jacobian, axis=0)
    # A sheared pixel is smaller than row times column: both shrink alike so that areas are right.
    shear = np.sqrt(abs(np.linalg.det(jacobian)) / (row * column))
    sides = float(row * shear), float(column * shear)
    return Spacing.with_errors(*sides, SpacingOrigin.MARKER, **plane.sd_at(plane.error.middle))


def _jacobian(matrix: npt.NDArray[Any], at: Array) -> Array:
    x, y, w = matrix @ [*at, 1.0]
    return np.asarray((matrix[:2, :2] - np.outer([x / w, y / w], matrix[2, :2])) / w)


def _sides(to_mm: Array, corners: Array) -> Array:
    """Side of the square of each marker's area in the plane."""
    x, y = np.moveaxis(_apply(to_mm, corners), -1, 0)
    area = (x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1) / 2
    return np.asarray(np.sqrt(np.abs(area)))


def _apply(matrix: npt.NDArray[Any], points: npt.NDArray[Any]) -> Array:
    image = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(image[..., :2] / image[..., 2:])


def _tuples(matrix: Array) -> Any:
    return tuple(tuple(float(value) for value in row) for row in matrix)


_SQUARE = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    turn: Array
    to_px: Array
    corners: Array


def _fit(camera: _Camera, start: Array) -> Any:
    """The camera's parameters that fit best; Levenberg and Marquardt's slopes are counted as calls, too."""
    return least_squares(camera.residuals, start, method="lm", max_nfev=_ROUNDS * (len(start) + 1))


def _covariance(fit: Any) -> Array:
    """Of a fit's parameters; wider where the residuals are larger than their claimed standard deviations."""
    excess = max(1.0, 2 * fit.cost / max(fit.jac.shape[0] - fit.jac.shape[1], 1))
    return np.asarray(np.linalg.pinv(fit.jac.T @ fit.jac) * excess)


@dataclass(frozen=True, slots=True, eq=False)
class _Camera:
    """One camera and one plane; lengths in marker sides.

    The parameters: rotation vector (3), position (3), logarithm of focal length over the longer side, optical centre
    (2, over the longer side), then x, y, angle in the plane and logarithm of size of every marker after the largest.
    """

    corners: Array
    shape: tuple[int, int]
    whitening: Array
    size_sd: float = _EQUAL

    @property
    def _long(self) -> float:
        return float(max(self.shape))

    @property
    def _first(self) -> int:
        x, y = np.moveaxis(self.corners, -1, 0)
        return int(np.argmax(np.abs((x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1))))

    def view(self, p: Array) -> _View:
        """The corners as this camera sees them."""
        turn = cv2.Rodrigues(p[:3])[0]
        focal = np.exp(p[6]) * self._long
        middle = (np.array(self.shape[::-1]) - 1) / 2 + p[7:9] * self._long
        lens = np.array([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1]])
        to_px = lens @ np.column_stack([turn[:, 0], turn[:, 1], p[3:6]])
        return _View(turn, to_px, _apply(to_px, self._laid(p[9:].reshape(-1, 4))))

    def _laid(self, places: Array) -> Array:
        """Corners of all markers in the plane."""
        places = np.insert(places, self._first, 0.0, axis=0)
        c, s = np.cos(places[:, 2]), np.sin(places[:, 2])
        turn = np.stack([np.stack([c, s], 1), np.stack([-s, c], 1)], 1)
        return np.asarray(np.exp(places[:, 3])[:, None, None] * (_SQUARE @ turn) + places[:, None, :2])

    def residuals(self, p: Array) -> Array:
        """Corner distances and what is known of cameras, all in standard deviations."""
        off = np.einsum("nij,nj->ni", self.whitening, (self.view(p).corners - self.corners).reshape(-1, 8)).ravel()
        known = [(p[6] - np.log(_FOCAL[0])) / _FOCAL[1], p[7] / _CENTRE_SD, p[8] / _CENTRE_SD]
        return np.concatenate([off, known, p[9:].reshape(-1, 4)[:, 3] / self.size_sd])

    def off_px(self, p: Array) -> float:
        """Root mean square distance of the corners from where this camera sees them."""
        return float(np.sqrt(np.mean(np.sum((self.view(p).corners - self.corners) ** 2, axis=2))))

    def starts(self) -> list[Array]:
        """Both poses in which a square can be seen."""
        focal = _FOCAL[0] * self._long
        rows, columns = self.shape
        lens = np.array([[focal, 0, (columns - 1) / 2], [0, focal, (rows - 1) / 2], [0, 0, 1]])
        square = np.column_stack([_SQUARE, np.zeros(4)])
        seen = self.corners[self._first]
        count, turns, shifts, _ = cv2.solvePnPGeneric(square, seen, lens, None, flags=cv2.SOLVEPNP_IPPE)
        return [self._start(turns[k].ravel(), shifts[k].ravel()) for k in range(count)]

    def _start(self, turn: Array, shift: Array) -> Array:
        camera = np.concatenate([turn, shift, [np.log(_FOCAL[0]), 0, 0]])
        back = np.linalg.inv(
            _Camera(self.corners[self._first][None], self.shape, self.whitening[:1]).view(camera).to_px
        )
        flat = np.delete(_apply(back, self.corners), self._first, axis=0)
        side = flat[:, 1] - flat[:, 0]
        places = np.column_stack([flat.mean(axis=1), np.arctan2(side[:, 1], side[:, 0]), np.zeros(len(flat))])
        return np.concatenate([camera, places.ravel()])

    def unequal(self, start: Array) -> float:
        """Largest difference between sizes that is certain when every marker may have its own."""
        if len(self.corners) < 2:
            return 0.0
        free = replace(self, size_sd=_UNEQUAL)
        fit = _fit(free, start)
        if free.off_px(fit.x) > MOST_REPROJECTION:
            return 0.0  # no plane at all, and then sizes in it mean nothing
        logs = np.append(fit.x[9:].reshape(-1, 4)[:, 3], 0.0)
        places = np.append(np.arange(12, len(fit.x), 4), len(fit.x))
        covariance = np.pad(_covariance(fit), ((0, 1), (0, 1)))[np.ix_(places, places)]
        apart = logs[:, None] - logs
        sd = np.sqrt(np.maximum(np.diag(covariance)[:, None] + np.diag(covariance) - 2 * covariance, 1e-12))
        return float(np.expm1(np.max(np.abs(apart) * (np.abs(apart) > _CERTAIN * sd))))

    @property
    def middle(self) -> tuple[float, float]:
        """Of the picture, (x, y) in px."""
        return (self.shape[1] - 1) / 2, (self.shape[0] - 1) / 2

    def lens(self, fit: Any) -> tuple[float, float]:
        """Radial distortion at half a diagonal that the corners speak for, and its standard deviation.

        Corners are straightened for a little of it both ways; the costs of the three fits lie on a parabola.
        """
        low, high = (_fit(replace(self, corners=self._straightened(k)), fit.x).cost for k in (-_LENS_SD, _LENS_SD))
        bend = (low - 2 * fit.cost + high) / _LENS_SD**2
        if bend <= 1e-9:
            return 0.0, np.inf
        return (low - high) / (2 * _LENS_SD) / bend, 1 / math.sqrt(bend)

    def _straightened(self, k: float) -> Array:
        middle = np.array(self.middle)
        off = self.corners - middle
        return np.asarray(middle + off * (1 - k * (off**2).sum(axis=-1, keepdims=True) / (middle**2).sum()))

    def row_covariance(self, fit: Any, to_mm: Array) -> Array:
        """Of half the logarithm of the determinant of `to_mm`, and of its third row."""
        step, scale = 1e-5, float(to_mm[2, 2] / np.linalg.inv(self.view(fit.x).to_px)[2, 2])
        here = self._row(fit.x, scale)
        slopes = np.array([self._row(fit.x + step * e, scale) - here for e in np.eye(len(fit.x))]) / step
        return np.asarray(slopes.T @ _covariance(fit) @ slopes)

    def _row(self, p: Array, scale: float) -> Array:
        back = np.linalg.inv(self.view(p).to_px) * scale
        return np.array([np.log(abs(np.linalg.det(back))) / 2, *back[2]])
