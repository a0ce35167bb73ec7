"""The corners of a printed marker from its whole pattern.

The plan: a marker's squares are known, so its picture can be drawn: black and white squares, softened by the lens, seen
through the homography of its four corners. Corners, softness, brightness and its slope are moved until the drawing is
the photo (Gauss-Newton, what disagrees counts less: a glare, a pen line). Every edge inside the pattern then helps to
place the corners. Ink that bleeds and cameras that brighten move the edges of white and black apart, and a marker
measured at its rim grows or shrinks with them; the pattern's pitch does not. A term s (1 - s), largest on the edges,
takes that up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from calcimeasure.model.arrays import Floats

_RIM = 0.7  # modules of the white border that are looked at
_MOST_PIXELS = 6000  # of a marker that are looked at: more say nothing new
_FEWEST_PIXELS = 100
_STEPS = 25
_NUDGE = 0.01  # px
_SOFT = 0.8  # px to begin with
_LONGEST_STEP = 0.5  # px
_STILL = 2e-4  # px: corners that move less have come to rest
_FARTHEST = 0.08  # of a side: corners that wander further have followed something else
_CONTRAST = 0.5  # of black to white: pixels off by more show something else
_SHARPEST = 0.35  # px: a pixel is no point
_LEAST_LIKENESS = 0.9  # correlation of drawing and photo
_ALIKE = 4.0  # pixels whose residuals go together, since JPEG and demosaicing smear them
_FLOOR_PX = 0.02  # of a corner, whatever the noise: prints and lenses are not perfect


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """Corners of one marker and how well they are known.

    Parameters
    ----------
    corners : float array, shape (4, 2)
        (x, y) in px.
    covariance : float array, shape (8, 8)
        Of x, y of the first corner, then of the second, ..., in px2.
    """

    corners: Floats
    covariance: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Patch:
    """The pixels looked at: their places (x, y) and their brightness."""

    places: Floats
    light: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Drawing:
    """The softened pattern at every pixel.

    Parameters
    ----------
    shade : float array, shape (n,)
        0 is black, 1 white.
    slopes : float array, shape (n, 10)
        Of the shade, by the corners' coordinates and the logarithms of the softness along both sides.
    where : float array, shape (n, 2)
        Places on the marker, from -0.5 to 0.5.
    """

    shade: Floats
    slopes: Floats
    where: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Match:
    """A drawing laid on the photo: next step, covariance of the corners, and how alike both are (a correlation)."""

    step: Floats
    covariance: Floats
    likeness: float


def fit_pattern(grey: npt.NDArray[np.uint8], white: npt.NDArray[np.bool_], corners: Floats) -> Fitted | None:
    """Corners of a marker by its whole pattern; `None` where the photo does not look like it.

    Parameters
    ----------
    grey : uint8 array, shape (rows, columns)
    white : bool array, shape (k, k)
        The marker's squares, black ring included, as it lies with its first corner at the upper left.
    corners : float array, shape (4, 2)
        (x, y) in px to begin with, clockwise from the marker's own upper left.
    """
    k, module = len(white), _module_px(corners, len(white))
    patch = _patch(grey, corners, k)
    if len(patch.light) < _FEWEST_PIXELS:
        return None
    bordered = np.pad(white.astype(float), 1, constant_values=1.0)
    state = _settled(patch, bordered, corners, module)
    match = _match(patch, _draw(patch, bordered, state))
    moved = np.abs(state[:8].reshape(4, 2) - corners).max()
    if moved > max(1.0, _FARTHEST * k * module) or match.likeness < _LEAST_LIKENESS:
        return None
    return Fitted(state[:8].reshape(4, 2), match.covariance)


def _settled(patch: _Patch, bordered: Floats, corners: Floats, module: float) -> Floats:
    """Corners (8) and logarithms of both softnesses, in modules, that draw the photo best."""
    state = np.concatenate([corners.ravel(), np.log(np.full(2, _SOFT / module))])
    for _ in range(_STEPS):
        step = _match(patch, _draw(patch, bordered, state)).step
        state = state + step
        state[8:] = np.clip(state[8:], np.log(_SHARPEST / module), 0.0)
        if np.abs(step[:8]).max() < _STILL:
            break
    return state


def _module_px(corners: Floats, k: int) -> float:
    return float(np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1).mean() / k)


def _patch(grey: npt.NDArray[np.uint8], corners: Floats, k: int) -> _Patch:
    """Pixels of the marker and of a rim around it, at most about `_MOST_PIXELS`, evenly spread."""
    margin = _RIM * _module_px(corners, k) * 1.5 + 1
    low = np.maximum(np.floor(corners.min(axis=0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=0) + margin), np.array(grey.shape[::-1]) - 1).astype(int)
    every = max(1, round(float(np.sqrt(np.prod(high - low) / _MOST_PIXELS))))
    x, y = np.meshgrid(np.arange(low[0], high[0] + 1, every), np.arange(low[1], high[1] + 1, every))
    places = np.column_stack([x.ravel(), y.ravel()]).astype(float)
    u = _on_marker(corners, places, k)
    seen = np.all((u > -_RIM) & (u < k + _RIM), axis=1)
    return _Patch(places[seen], grey[y.ravel()[seen], x.ravel()[seen]].astype(float))


def _on_marker(corners: Floats, places: Floats, k: int) -> Floats:
    """Places in modules: (0, 0) is the marker's first corner, (k, k) its third."""
    middle = corners.mean(axis=0)  # coordinates about it keep the equations well conditioned
    to_marker = _homography(corners - middle, np.array([[0.0, 0], [k, 0], [k, k], [0, k]]))
    out = np.column_stack([places - middle, np.ones(len(places))]) @ to_marker.T
    return np.asarray(out[:, :2] / out[:, 2:])


def _homography(source: Floats, target: Floats) -> Floats:
    """The homography that takes four points to four others."""
    rows = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    return np.append(np.linalg.solve(np.array(rows), target.ravel()), 1.0).reshape(3, 3)


def _match(patch: _Patch, drawing: _Drawing) -> _Match:
    """One Gauss-Newton step from here, and how good it is here."""
    s, (u, v) = drawing.shade, drawing.where.T
    basis = np.column_stack([np.ones_like(s), s, s * (1 - s), u, v, s * u, s * v])
    light, off, weight = _lit(basis, patch.light)
    gain = light[1] + light[2] * (1 - 2 * s) + light[5] * u + light[6] * v
    whole = np.column_stack([basis, gain[:, None] * drawing.slopes])
    noise = float(np.sum(weight * off**2) / max(weight.sum() - whole.shape[1], 1.0))
    inverse = np.linalg.pinv((whole * weight[:, None]).T @ whole)[7:15, 7:15]
    spread = patch.light - np.average(patch.light, weights=weight)
    unlike = np.sum(weight * off**2) / max(np.sum(weight * spread**2), 1e-9)
    covariance = _ALIKE * noise * inverse + _FLOOR_PX**2 * np.eye(8)
    return _Match(_held(_solve(whole, off, weight)[7:]), covariance, float(np.sqrt(max(1 - unlike, 0.0))))


def _lit(basis: Floats, light: Floats) -> tuple[Floats, Floats, Floats]:
    """Coefficients of the brightness, what they leave, and how far each pixel is believed."""
    weight = np.ones(len(light))
    for _ in range(2):
        coefficients = _solve(basis, light, weight)
        off = light - basis @ coefficients
        weight = _trust(off / _CONTRAST / max(abs(coefficients[1]), 1.0))
    return coefficients, off, weight


def _held(step: Floats) -> Floats:
    """The step, no longer than the drawing can be trusted to point the way."""
    corners = step[:8] * min(1.0, _LONGEST_STEP / max(float(np.abs(step[:8]).max()), 1e-12))
    return np.concatenate([corners, np.clip(step[8:], -0.3, 0.3)])


def _solve(columns: Floats, target: Floats, weight: Floats) -> Floats:
    root = np.sqrt(weight)
    return np.asarray(np.linalg.lstsq(columns * root[:, None], target * root, rcond=None)[0])


def _trust(off: Floats) -> Floats:
    """Weights that fall with the distance from the drawing (Geman and McClure)."""
    return np.asarray(1 / (1 + off**2) ** 2)


def _draw(patch: _Patch, bordered: Floats, state: Floats) -> _Drawing:
    k = len(bordered) - 2
    corners, soft = state[:8].reshape(4, 2), np.exp(state[8:])
    where = _on_marker(corners, patch.places, k)
    across, down = (_cells(where[:, axis], soft[axis], k) for axis in (0, 1))
    rows = down[0] @ bordered
    by_u, by_soft_u = ((rows * part).sum(axis=1) for part in across[1:])
    by_v, by_soft_v = (((part @ bordered) * across[0]).sum(axis=1) for part in down[1:])
    by_corners = [by_u * du + by_v * dv for du, dv in _drifts(corners, patch.places, k, where)]
    slopes = np.column_stack([*by_corners, by_soft_u, by_soft_v])
    return _Drawing((rows * across[0]).sum(axis=1), slopes, where / k - 0.5)


def _drifts(corners: Floats, places: Floats, k: int, where: Floats) -> Iterator[Floats]:
    """How every place moves on the marker as each coordinate of a corner does, shape (2, n)."""
    for n in range(8):
        moved = corners.ravel() + _NUDGE * (np.arange(8) == n)
        yield (_on_marker(moved.reshape(4, 2), places, k) - where).T / _NUDGE


def _cells(at: Floats, soft: float, k: int) -> tuple[Floats, Floats, Floats]:
    """How much of each column of squares a softened point sees, and the slopes of that by place and log softness."""
    z = (np.arange(k + 1) - at[:, None]) / soft
    below, bell = special.ndtr(z), np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    ends = np.zeros((len(at), 1))
    share = np.diff(np.hstack([ends, below, ends + 1]), axis=1)
    by_place = -np.diff(np.hstack([ends, bell, ends]), axis=1) / soft
    by_soft = -np.diff(np.hstack([ends, bell * z, ends]), axis=1)
    return share, by_place, by_soft
