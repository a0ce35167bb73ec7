"""How one film has to be turned, shifted and scaled to lie on another, found without a first guess.

The plan: both films at some 3 mm per pixel; the follow-up at every tenth of a turn and several scales; all
shifts at once by correlation in the frequency domain, of the outline of the limb and of its inner detail
together; then the best few made exact on the half-size pictures (ECC), and judged there.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import fft

from calcimeasure.model.arrays import Floats, Grey
from calcimeasure.steps.change.align.chart import chained, mirror, scaling
from calcimeasure.steps.change.align.view import View

#: Long side of the pictures of the search, in pixels.
SEARCH_SIDE = 64
TURNS = tuple(range(0, 360, 10))
#: Scales tried when the films' scales are known (they differ by magnification only), and when they are not.
KNOWN_SCALES = (0.94, 1.0, 1.06)
UNKNOWN_SCALES = (0.64, 0.73, 0.84, 0.92, 1.0, 1.09, 1.2, 1.37, 1.56)
#: How much the outline counts beside the detail.
OUTLINE = 0.6
#: Candidates that are made exact, and how far apart they must lie (turn in degrees, scale ratio, shift in pixels).
CANDIDATES = 4
APART = (15.0, 0.1, 6.0)


@dataclass(frozen=True, slots=True, eq=False)
class Placing:
    """An affine map from the baseline to the follow-up, both at work, and how well the films agree under it."""

    affine: Floats
    score: float
    mirrored: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _SearchPlace:
    """A place of the search: the follow-up turned and scaled about its middle, then shifted."""

    score: float
    turn: float
    scale: float
    shift: tuple[float, float]

    def near(self, other: _SearchPlace) -> bool:
        turn = abs((self.turn - other.turn + 180) % 360 - 180)
        shift = np.hypot(self.shift[0] - other.shift[0], self.shift[1] - other.shift[1])
        return bool(turn < APART[0] and abs(self.scale / other.scale - 1) < APART[1] and shift < APART[2])


def placings(baseline: View, followup: View, *, known: bool, mirrored: bool) -> list[Placing]:
    """The likeliest placings, best first; `mirrored` looks for the follow-up turned left for right."""
    there = mirror(followup.shape[1]) if mirrored else np.eye(2, 3)
    pictures = [_Small.of(view) for view in (baseline, followup)]
    turned = pictures[1].mirrored() if mirrored else pictures[1]
    spots = _spots(pictures[0], turned, KNOWN_SCALES if known else UNKNOWN_SCALES)
    exact = [_exact(baseline, followup, _affine(spot, pictures[0], turned, there)) for spot in spots]
    found = [Placing(affine, agreement(baseline, followup, affine), mirrored) for affine in exact]
    return sorted(found, key=lambda placing: -placing.score)


def agreement(baseline: View, followup: View, affine: Floats) -> float:
    """Correlation of detail and outline under an affine map, over what both films show.

    `affine` is (2, 3) on points (x, y).
    """
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = baseline.shape[::-1]
    detail, body, seen = (
        cv2.warpAffine(np.asarray(a, np.float32), affine, size, flags=flags)
        for a in (followup.detail, followup.body, followup.valid)
    )
    common = (seen > 0.5) & baseline.valid
    if common.sum() < 50:
        return -1.0
    inner = _correlation(cv2.GaussianBlur(baseline.detail, (0, 0), 1.5), cv2.GaussianBlur(detail, (0, 0), 1.5), common)
    both = (baseline.limb & (body > 0.5) & common).sum()
    either = ((baseline.limb | (body > 0.5)) & common).sum()
    extent = both / max(1, min(baseline.limb.sum(), followup.limb.sum()))
    return float(inner + OUTLINE * both / max(either, 1)) * float(min(1.0, 2 * extent))


def _correlation(one: Grey, other: Grey, where: np.ndarray) -> float:
    a, b = one[where], other[where]
    return float((a * b).sum() / (np.sqrt((a * a).sum() * (b * b).sum()) + 1e-6))


@dataclass(frozen=True, slots=True, eq=False)
class _Small:
    """A film at search size: outline and detail, and the size it was."""

    layers: np.ndarray
    was: tuple[int, int]
    step: float

    @classmethod
    def of(cls, view: View) -> _Small:
        step = max(view.shape) / SEARCH_SIDE
        shape = tuple(max(4, round(n / step)) for n in view.shape)
        fine = cv2.GaussianBlur(view.detail, (0, 0), 0.35 * step)
        layers = [cv2.resize(a, shape[::-1], interpolation=cv2.INTER_AREA) for a in (view.body, fine)]
        return cls(np.stack(layers).astype(np.float32), view.shape, step)

    def mirrored(self) -> _Small:
        return _Small(np.ascontiguousarray(self.layers[..., ::-1]), self.was, self.step)

    @property
    def shape(self) -> tuple[int, int]:
        return int(self.layers.shape[1]), int(self.layers.shape[2])


def _spots(fixed: _Small, moving: _Small, scales: tuple[float, ...]) -> list[_SearchPlace]:
    """The best places of the search that are not near a better one."""
    side = fft.next_fast_len(2 * SEARCH_SIDE + 32, real=True)
    spectrum = fft.rfft2(_even(_centred(fixed, 0.0, fixed_scale(fixed, fixed), side)), workers=1)
    every = [_best(spectrum, moving, turn, scale, fixed, side) for scale in scales for turn in TURNS]
    kept: list[_SearchPlace] = []
    for spot in sorted((s for spots in every for s in spots), key=lambda s: -s.score):
        if not any(spot.near(other) for other in kept):
            kept.append(spot)
        if len(kept) == CANDIDATES:
            break
    return kept


def fixed_scale(fixed: _Small, moving: _Small) -> float:
    """Search pixels of the fixed film per search pixel of the moving one."""
    return moving.step / fixed.step


def _best(
    spectrum: np.ndarray, moving: _Small, turn: float, scale: float, fixed: _Small, side: int
) -> list[_SearchPlace]:
    turned = fft.rfft2(_even(_centred(moving, turn, scale * fixed_scale(fixed, moving), side)), workers=1)
    map_ = fft.irfft2((spectrum * turned.conj()).sum(axis=0), s=(side, side), workers=1)
    y, x = np.unravel_index(int(map_.argmax()), map_.shape)
    shift = tuple(float((v + side // 2) % side - side // 2) for v in (x, y))
    return [_SearchPlace(float(map_[y, x]), turn, scale, (shift[0], shift[1]))]


def _centred(small: _Small, turn: float, scale: float, side: int) -> np.ndarray:
    """The layers turned and scaled about the picture's middle, in the middle of a square."""
    affine = _about_middle(small.shape, turn, scale, side)
    return np.stack([cv2.warpAffine(layer, affine, (side, side), flags=cv2.INTER_LINEAR) for layer in small.layers])


def _about_middle(shape: tuple[int, int], turn: float, scale: float, side: int) -> Floats:
    middle = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    affine = cv2.getRotationMatrix2D(middle, turn, scale)
    affine[:, 2] += (side - 1) / 2 - np.array(middle)
    return np.asarray(affine)


def _even(layers: np.ndarray) -> np.ndarray:
    """Each layer with zero mean and unit length; the outline counted as `OUTLINE`."""
    level = layers - layers.mean(axis=(1, 2), keepdims=True)
    length = np.sqrt((level**2).sum(axis=(1, 2), keepdims=True)) + 1e-6
    return np.asarray(level / length * np.array([OUTLINE, 1.0])[:, None, None], np.float32)


def _affine(spot: _SearchPlace, fixed: _Small, moving: _Small, there: Floats) -> Floats:
    """From baseline pixels at work to follow-up pixels at work."""
    side = 0
    onto_square = _about_middle(moving.shape, spot.turn, spot.scale * fixed_scale(fixed, moving), side)
    onto_square[:, 2] += spot.shift
    from_fixed = _about_middle(fixed.shape, 0.0, 1.0, side)
    small = chained(cv2.invertAffineTransform(onto_square), from_fixed)
    full = chained(scaling(moving.shape, moving.was), chained(small, scaling(fixed.was, fixed.shape)))
    return chained(there, full)


def _exact(baseline: View, followup: View, affine: Floats) -> Floats:
    """The placing made exact on pictures of half size; as it was when that does not settle."""
    half = [_picture(view) for view in (baseline, followup)]
    shapes = [picture.shape for picture in half]
    start = chained(scaling(followup.shape, shapes[1]), chained(affine, scaling(shapes[0], baseline.shape)))
    try:
        _, found = cv2.findTransformECC(
            half[0],
            half[1],
            start.astype(np.float32),
            cv2.MOTION_AFFINE,
            (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4),
            None,
            5,
        )
    except cv2.error:
        return affine
    exact = chained(
        scaling(shapes[1], followup.shape), chained(found.astype(np.float64), scaling(baseline.shape, shapes[0]))
    )
    return exact if _kept_shape(exact, affine) else affine


def _kept_shape(found: Floats, start: Floats) -> bool:
    """Whether making it exact neither squashed, sheared nor turned it far."""
    change = found[:, :2] @ np.linalg.inv(start[:, :2])
    stretch = np.linalg.svd(change, compute_uv=False)
    return bool(stretch[1] > 0.8 and stretch[0] < 1.25)


def _picture(view: View) -> Grey:
    """Detail with the outline as a step, at about a third of the size."""
    shape = [max(16, round(n / 3)) for n in view.shape]
    both = cv2.GaussianBlur(view.detail, (0, 0), 1.5) + 1.5 * view.body
    return np.asarray(cv2.resize(both, (shape[1], shape[0]), interpolation=cv2.INTER_AREA), np.float32)
