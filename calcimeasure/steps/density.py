"""How dense each deposit is: in mm of aluminium by the film's wedge, or relative to cortex without one.

The plan: the calibration's map of log attenuation becomes mm of aluminium by its curve. A smooth surface is laid
through the soft tissue around each deposit and taken off. What is left is corrected for the hardness of the beam that
reaches it (`Beam.hardened`), then averaged and integrated over the outline.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.errors import MaskError, MeasurementRefused
from calcimeasure.model.density import (
    Components,
    Densities,
    DepositDensity,
    Hydroxyapatite,
    NoDensity,
    RelativeDensity,
    WedgeCalibration,
)
from calcimeasure.model.image import Image, Kind, Mask, Meaning
from calcimeasure.model.labels import Labels
from calcimeasure.model.quantity import Quantity

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

RING_GAP_MM, RING_GAP_PX = 0.6, 2
_LEAST_RING_PX = 40  # soft tissue that a surface can be laid through
_LEAST_PLANE_PX = 16
_FARTHEST_PX = 60
_KNEE = 3.0  # robust sd: ring pixels further from the surface are something else
_TEXTURE_PX = 6.0  # length over which soft tissue keeps its texture: ring pixels are no independent witnesses

#: Shares of the corrections that are doubted. From phantoms over 40-70 kVp, scatter 0-40 % and heel to 15 %.
SCATTER_DOUBT = 0.05
CALIBRATION_DOUBT = 0.012  # of the number itself: heel, and how well the beam is known at all
HARDENING_DOUBT = {True: 0.07, False: 0.2}  # whether the file states the tube voltage
BACKGROUND_DOUBT = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A window around one deposit: mm of aluminium, share of scatter, deposit, ring, clipped and valid pixels."""

    mmal: Floats
    scatter: Floats
    inside: Mask
    ring: Mask
    ends: Mask
    readable: Mask


@dataclass(frozen=True, slots=True, eq=False)
class _Surface:
    """The background under a deposit, its sd at the mean, the pixel noise, and how far it is from a plane."""

    under: Floats
    sd: float
    noise: float
    bend: float


def density(
    image: Image,
    labels: Labels,
    calibration: WedgeCalibration,
    *,
    bone: Mask | None = None,
    hydroxyapatite: Hydroxyapatite | None = None,
) -> Densities:
    """Every deposit's mean mm of aluminium over its local background, and its integral.

    Parameters
    ----------
    image : Image
        The very film that the calibration was made from.
    labels : Labels, shape of the image
    calibration : WedgeCalibration
    bone : bool array, shape of the image, optional
        Left out of the background. A deposit over bone is not separable in one view.
    hydroxyapatite : Hydroxyapatite, optional
        The user's factor; without it nothing is said about hydroxyapatite.

    Returns
    -------
    Densities
        In label order; a deposit without a density says why.

    Raises
    ------
    MaskError
        When labels or bone are not as large as the image.
    MeasurementRefused
        When the calibration was made from a film of another size.

    Notes
    -----
    The sd of a mean is the root of the summed squares of: *noise* of the pixels; *calibration*, the curve's residual
    taken through to the difference, and a share of the number; *background*, the surface's own error and a share of
    its bend; *scatter* and *hardening*, shares of these two corrections. Doubts about the outline are not in it.
    """
    _check_shapes(image, labels, calibration, bone)
    mmal = calibration.millimetres(calibration.attenuation)
    rows = tuple(
        _one(number, _place(image, labels, number, (mmal, calibration.scatter_share), bone), image, calibration)
        for number in map(int, labels.numbers)
    )
    source = None if hydroxyapatite is None else hydroxyapatite.source
    if hydroxyapatite is not None:
        rows = tuple(_with_hydroxyapatite(row, hydroxyapatite) for row in rows)
    return Densities(rows, source, (calibration.reason,) if calibration.reason else ())


def relative_density(image: Image, labels: Labels, cortex: Mask, soft: Mask) -> tuple[RelativeDensity, ...]:
    """Each deposit's contrast as a share of cortex's over soft tissue: (deposit - soft) / (cortex - soft), of means.

    For films without a wedge. Never comparable across devices or processing; on DISPLAY films not even across
    exposures.

    Parameters
    ----------
    cortex, soft : bool array, shape of the image
        Where the reader marked cortical bone, and soft tissue beside the deposits.

    Raises
    ------
    MaskError
        When a mask is not as large as the image.
    MeasurementRefused
        For a photo, an empty mark, or cortex that is not brighter than soft tissue.
    """
    for what, mask in (("label image", labels.array), ("cortex mask", cortex), ("soft-tissue mask", soft)):
        _check_shape(image, mask, what)
    if image.kind is not Kind.RADIOGRAPH or image.meaning is Meaning.PHOTO:
        raise MeasurementRefused("relative density needs a radiograph; on a photo measure colour instead")
    if not cortex.any() or not soft.any():
        raise MeasurementRefused("relative density needs marked cortex and soft tissue: mark some of each")
    pixels = image.pixels
    low, high = float(np.median(pixels[soft])), float(np.median(pixels[cortex]))
    if high <= low or _clipped(image, cortex) or _clipped(image, soft):
        raise MeasurementRefused(
            "the marked cortex is not brighter than the soft tissue, or clipped: mark other places"
        )
    return tuple(_relative(image, labels.array == number, int(number), (low, high)) for number in labels.numbers)


# --- what is given -------------------------------------------------------------------------------------


def _check_shapes(image: Image, labels: Labels, calibration: WedgeCalibration, bone: Mask | None) -> None:
    _check_shape(image, labels.array, "label image")
    if bone is not None:
        _check_shape(image, bone, "bone mask")
    if calibration.attenuation.shape != image.shape:
        raise MeasurementRefused(
            "the calibration was made from a film of another size: calibrate with this film's wedge"
        )


def _check_shape(image: Image, mask: Array, what: str) -> None:
    if mask.shape != image.shape:
        mine, its = (" x ".join(map(str, s)) for s in (mask.shape, image.shape))
        raise MaskError(f"the {what} has {mine} pixels and the image {its}: use the mask made for this image, upright")


def _clipped(image: Image, where: Mask) -> bool:
    """Whether any pixel there lies at an end of the detector's range."""
    values = image.pixels[where]
    low = values.dtype.kind == "u" and bool((values == 0).any())
    return low or (image.ceiling is not None and bool((values >= image.ceiling).any()))


# --- one deposit ---------------------------------------------------------------------------------------


def _place(image: Image, labels: Labels, number: int, maps: tuple[Array, Array], bone: Mask | None) -> _Place:
    mine = labels.array == number
    gap = RING_GAP_PX if image.spacing is None else max(1, round(RING_GAP_MM / image.spacing.mean_mm))
    # As wide as half the deposit's radius: a narrower ring does not see how the tissue bends under it.
    width = int(np.clip(round(0.6 * math.sqrt(mine.sum() / math.pi)), 5, _FARTHEST_PX))
    window = _around(mine, gap + width)
    inside, other = mine[window], labels.array[window] > 0
    free = ~_grown(other, gap)
    if bone is not None:
        free &= ~bone[window]
    readable = np.ones(inside.shape, bool) if image.valid is None else image.valid[window]
    ends = _ends(image, window)
    mmal, scatter = (np.asarray(m[window], float) for m in maps)
    ring = _grown(inside, gap + width) & free & readable & ~ends
    return _Place(mmal, scatter, inside, ring, ends, readable)


def _around(mine: Mask, reach: int) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mine.any(axis=1)), np.flatnonzero(mine.any(axis=0))
    return (
        slice(max(int(rows[0]) - reach, 0), int(rows[-1]) + reach + 1),
        slice(max(int(columns[0]) - reach, 0), int(columns[-1]) + reach + 1),
    )


def _grown(mask: Mask, reach: int) -> Mask:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(cv2.dilate(np.ascontiguousarray(mask).view(np.uint8), kernel).view(bool))


def _ends(image: Image, window: tuple[slice, slice]) -> Mask:
    values = image.pixels[window]
    at = values == 0 if values.dtype.kind == "u" else np.zeros(values.shape, bool)
    return at if image.ceiling is None else at | (values >= image.ceiling)


def _one(number: int, place: _Place, image: Image, calibration: WedgeCalibration) -> DepositDensity:
    if why := _why_not(place, calibration):
        return DepositDensity(number, None, None, reason=why)
    surface = _surface(place)
    seen = place.mmal[place.inside] - surface.under
    excess = calibration.beam.hardened(float(np.median(surface.under)), seen)
    parts = _components(place, surface, calibration, (float(seen.mean()), float(excess.mean())))
    mean = Quantity(float(excess.mean()), parts.total, "mm Al")
    return DepositDensity(number, mean, _volume(mean, len(excess), image), components=parts)


def _why_not(place: _Place, calibration: WedgeCalibration) -> str:
    """Why a deposit has no density, and what to do; empty when it has."""
    clipped, dark = int(place.ends[place.inside].sum()), int((~place.readable[place.inside]).sum())
    if clipped:
        return f"{clipped} {NoDensity.SATURATED}: expose so that the deposit is not clipped"
    if dark:
        return f"{dark} pixels of it {NoDensity.NO_PICTURE}: outline only what the film shows"
    if np.mean(place.mmal[place.inside] > calibration.thickest_mm) > 0.01:
        return f"{NoDensity.TOO_DENSE} ({calibration.thickest_mm:g} mm): use a thicker wedge"
    if place.ring.sum() < _LEAST_PLANE_PX:
        return f"{NoDensity.NO_BACKGROUND}: see the neighbouring outlines and the bone mask"
    return ""


def _surface(place: _Place) -> _Surface:
    """A surface of second order through the ring, of first where the ring is small; robust against what lies in it."""
    rows, columns = np.mgrid[: place.inside.shape[0], : place.inside.shape[1]]
    scale = max(place.inside.shape)
    r0, c0 = rows[place.inside].mean(), columns[place.inside].mean()
    y, x = (rows - r0) / scale, (columns - c0) / scale
    curved = int(place.ring.sum()) >= _LEAST_RING_PX
    terms = np.stack([np.ones_like(x), x, y, *([x * x, y * y, x * y] if curved else [])], axis=-1)
    ring, under = terms[place.ring], terms[place.inside]
    weights, noise = _robust(ring, place.mmal[place.ring])
    fitted = weights @ place.mmal[place.ring]
    flat = np.linalg.lstsq(ring[:, :3], place.mmal[place.ring], rcond=None)[0]
    influence = under.mean(axis=0) @ weights
    sd = noise * math.sqrt(float(np.sum(influence**2)) * _TEXTURE_PX)
    bend = float(abs(under.mean(axis=0) @ fitted - under[:, :3].mean(axis=0) @ flat))
    return _Surface(under @ fitted, sd, noise, bend)


def _robust(terms: Floats, values: Floats) -> tuple[Floats, float]:
    """The matrix from ring values to coefficients, pixels out of line ignored, and the robust sd of the rest."""
    keep = np.ones(len(values), bool)
    for _ in range(3):
        matrix = np.zeros((terms.shape[1], len(values)))
        matrix[:, keep] = np.linalg.pinv(terms[keep])
        off = values - terms @ (matrix @ values)
        noise = 1.4826 * float(np.median(np.abs(off[keep])))
        better = np.abs(off) <= _KNEE * max(noise, 1e-6)
        if better.sum() < 3 * terms.shape[1] or (better == keep).all():
            break
        keep = better
    return matrix, noise


def _components(
    place: _Place, surface: _Surface, calibration: WedgeCalibration, means: tuple[float, float]
) -> Components:
    seen, mean = means
    share = float(np.clip(place.scatter[place.inside].mean(), -1.0, 1.0))
    span = calibration.thickest_mm
    return Components(
        noise=surface.noise / math.sqrt(place.inside.sum()),
        calibration=math.hypot(
            calibration.sd_mm * math.sqrt(min(1.0, 4 * abs(mean) / span)), CALIBRATION_DOUBT * abs(mean)
        ),
        background=math.hypot(surface.sd, BACKGROUND_DOUBT * surface.bend),
        scatter=SCATTER_DOUBT * abs(share * mean),
        hardening=HARDENING_DOUBT[calibration.kvp_stated] * abs(mean - seen),
    )


def _volume(mean: Quantity, size: int, image: Image) -> Quantity | None:
    if image.spacing is None:
        return None
    area = size * image.spacing.pixel_mm2
    value = mean.value * area
    return Quantity(value, math.hypot((mean.sd or 0.0) * area, 2 * image.spacing.relative_sd * value), "mm3")


def _with_hydroxyapatite(row: DepositDensity, factor: Hydroxyapatite) -> DepositDensity:
    if row.mmal_mean is None:
        return row
    value = row.mmal_mean.value / factor.mm_per_mg_mm2
    sd = math.hypot((row.mmal_mean.sd or 0.0) / factor.mm_per_mg_mm2, value * factor.sd / factor.mm_per_mg_mm2)
    return replace(row, hydroxyapatite=Quantity(value, sd, "mg/mm2"))


def _relative(image: Image, mine: Mask, number: int, levels: tuple[float, float]) -> RelativeDensity:
    if _clipped(image, mine):
        return RelativeDensity(
            number, None, f"{NoDensity.SATURATED}: expose less, or see the contrast as a lower bound"
        )
    low, high = levels
    return RelativeDensity(number, (float(image.pixels[mine].mean()) - low) / (high - low))
