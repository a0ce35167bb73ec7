"""How dense each deposit is: in mm of aluminium by the film's wedge, or relative to cortex without one.

The plan: the calibration's map of log attenuation becomes mm of aluminium by its curve. A smooth surface is laid
through the soft tissue around each deposit and taken off. What is left is corrected for the hardness of the beam that
reaches it (`Beam.hardened`), then integrated over the outline and the rim into which blur has carried some of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects

from calcimeasure.errors import MaskError, MeasurementRefused
from calcimeasure.model.density import (
    Components,
    Densities,
    DepositDensity,
    Hydroxyapatite,
    NoDensity,
    RelativeDensity,
    TotalDensity,
    WedgeCalibration,
)
from calcimeasure.model.image import Image, Kind, Mask, Meaning
from calcimeasure.model.labels import Labels
from calcimeasure.model.quantity import Quantity

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

RING_GAP_MM, RING_GAP_PX = 0.6, 2
#: Share of a deposit that may lie over bone. On drawn films this catches about 9 of 10 deposits over bone, and 1 of 20
#: beside it.
MOST_OVER_BONE = 0.1

#: How far cortex may lie from the deposit that it is compared with.
CORTEX_MM, CORTEX_PX = 20.0, 80
_LEAST_CORTEX_PX = 50
_LEAST_RING_PX = 40  # soft tissue that a surface can be laid through
_LEAST_PLANE_PX = 16
_FARTHEST_PX = 60
_KNEE = 3.0  # robust sd: ring pixels further from the surface are something else
_CENTRAL_PX = math.sqrt(1 / 3)  # a central difference is a slope averaged over 2 px, of this sd
_TEXTURE_PX = 6.0  # length over which soft tissue keeps its texture: ring pixels are no independent witnesses

#: Shares of the corrections that are doubted. From drawn films over 40-70 kVp, scatter 0-42 % and heel to 15 %.
SCATTER_DOUBT = 0.08
CALIBRATION_DOUBT = 0.012  # of the number itself: heel, and how well the beam is known at all
HARDENING_DOUBT = {True: 0.07, False: 0.2}  # whether the file states the tube voltage
BACKGROUND_DOUBT = 0.1
BLUR_DOUBT = 0.25  # of what lies in the rim


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A window around one deposit: mm of aluminium, share of scatter, deposit, ring, clipped and valid pixels.

    `whole` is the deposit with the rim into which blur has carried some of it; `over_bone` is the share of the deposit
    over bone.
    """

    mmal: Floats
    scatter: Floats
    inside: Mask
    whole: Mask
    ring: Mask
    ends: Mask
    readable: Mask
    over_bone: float
    at: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class _Surface:
    """The background under a deposit and its rim, its sd at the mean, the pixel noise, how far it is from a plane."""

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
        Left out of the background. A deposit of which more than `MOST_OVER_BONE` lies over bone has no density.
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
    its bend; *scatter* and *hardening*, shares of these two corrections; *blur*, a share of what blur carried over the
    outline, which is taken from a rim as wide as the ring's gap. Doubts about the outline are not in it.
    """
    _check_shapes(image, labels, calibration, bone)
    mmal = calibration.millimetres(calibration.attenuation)
    maps = (mmal, calibration.scatter_share)
    places = {mine.number: _place(image, labels, mine, maps, bone) for mine in _outlines(labels)}
    rows = tuple(_one(number, place, image, calibration) for number, place in places.items())
    total = _total(rows, [int(place.inside.sum()) for place in places.values()], image)
    doubt = (f"densities are unsure: {calibration.reason}",) if calibration.reason else ()
    total = replace(total, warnings=(*doubt, *((total.reason,) if total.reason else ())))
    return _with_factor(Densities(rows, total), hydroxyapatite)


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
    return tuple(_relative(image, labels, mine, (low, high)) for mine in _outlines(labels))


def local_relative_density(image: Image, labels: Labels, limb: Mask, bone: Mask) -> tuple[RelativeDensity, ...]:
    """Each deposit's contrast as a share of cortex's near it: (deposit - soft) / (cortex - soft), nothing marked.

    Soft tissue is the median of the ring around the deposit, inside the limb and off bone; cortex the brightest tenth
    of the bone within `CORTEX_MM` of it. Where the file says that its values are linear in the beam they are taken to
    their logarithm first. A ratio of two contrasts of one film: gain, offset and exposure drop out, tube voltage,
    anatomy and a display film's processing do not. Never compare it across devices.

    Parameters
    ----------
    limb, bone : bool array, shape of the image
        Where the body and bone were seen.

    Returns
    -------
    tuple of RelativeDensity
        In label order; one without a value says why.

    Raises
    ------
    MaskError
        When a mask is not as large as the image.
    MeasurementRefused
        For a photo.
    """
    for what, mask in (("label image", labels.array), ("limb mask", limb), ("bone mask", bone)):
        _check_shape(image, mask, what)
    if image.kind is not Kind.RADIOGRAPH or image.pixels.ndim != 2:
        raise MeasurementRefused("relative density needs a radiograph; on a photo measure colour instead")
    return tuple(_beside_cortex(image, labels, mine, (limb, bone)) for mine in _outlines(labels))


def without_deposits(image: Image, labels: Labels) -> Image:
    """The film as if its deposits were not there: their pixels take the value of the nearest one outside.

    For looking for bone: a large deposit is as bright, and would be taken for it.
    """
    _check_shape(image, labels.array, "label image")
    gap = RING_GAP_PX if image.spacing is None else max(1, round(RING_GAP_MM / image.spacing.mean_mm))
    covered = _grown(labels.array > 0, gap)
    if not covered.any() or covered.all():
        return image
    _, nearest = cv2.distanceTransformWithLabels(
        covered.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    values = np.zeros(int(nearest.max()) + 1, image.pixels.dtype)
    values[nearest[~covered]] = image.pixels[~covered]
    return replace(image, pixels=values[nearest])


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


@dataclass(frozen=True, slots=True)
class _Outline:
    """A deposit's number, its rows and columns, and its pixels."""

    number: int
    box: tuple[slice, slice]
    size: int

    def middle(self, shape: tuple[int, ...]) -> tuple[float, float]:
        """Of its box, in shares of the film's rows and columns."""
        rows, columns = self.box
        return (rows.start + rows.stop) / 2 / shape[0], (columns.start + columns.stop) / 2 / shape[1]

    def window(self, reach: int) -> tuple[slice, slice]:
        """Its box widened."""
        rows, columns = self.box
        return (
            slice(max(rows.start - reach, 0), rows.stop + reach),
            slice(max(columns.start - reach, 0), columns.stop + reach),
        )


def _outlines(labels: Labels) -> Iterator[_Outline]:
    """In label order; the whole image is looked at once, however many there are."""
    where, numbers = labels.array > 0, labels.numbers
    order = np.zeros(labels.shape, np.int32)
    order[where] = np.searchsorted(numbers, labels.array[where]) + 1
    sizes = np.bincount(order.ravel())
    for k, box in enumerate(find_objects(order)):
        yield _Outline(int(numbers[k]), box, int(sizes[k + 1]))


def _place(image: Image, labels: Labels, mine: _Outline, maps: tuple[Array, Array], bone: Mask | None) -> _Place:
    gap, width = _ring_of(mine, image)
    window = mine.window(gap + width)
    inside, other = labels.array[window] == mine.number, labels.array[window] > 0
    free, rim = ~_grown(other, gap), _grown(inside, gap) & ~_grown(other & ~inside, gap)
    bony = np.zeros(inside.shape, bool) if bone is None else bone[window]
    readable = np.ones(inside.shape, bool) if image.valid is None else image.valid[window]
    ends = _ends(image, window)
    mmal, scatter = (np.asarray(m[window], float) for m in maps)
    ring = _grown(inside, gap + width) & free & ~bony & readable & ~ends
    whole = inside | (rim & ~bony & readable & ~ends)
    return _Place(
        mmal, scatter, inside, whole, ring, ends, readable, float(bony[inside].mean()), mine.middle(image.shape)
    )


def _grown(mask: Mask, reach: int) -> Mask:
    """All that lies within so many pixels of a mask; as quick for a wide reach as for a narrow one."""
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(away <= reach)


def _ends(image: Image, window: tuple[slice, slice]) -> Mask:
    values = image.pixels[window]
    at = values == 0 if values.dtype.kind == "u" else np.zeros(values.shape, bool)
    return at if image.ceiling is None else at | (values >= image.ceiling)


def _one(number: int, place: _Place, image: Image, calibration: WedgeCalibration) -> DepositDensity:
    if why := _why_not(place, calibration):
        return DepositDensity(number, None, None, reason=why)
    surface, size = _surface(place), int(place.inside.sum())
    lost = _lost_in_blur(place, calibration)
    seen = place.mmal[place.whole] - surface.under + lost
    excess = calibration.beam.hardened(float(np.median(surface.under)), seen)
    spilt = float(excess[~place.inside[place.whole]].sum()) / size + float(np.abs(lost.sum())) / size
    parts = _components(
        place, surface, calibration, _Means(float(seen.sum()) / size, float(excess.sum()) / size, spilt)
    )
    mean = Quantity(float(excess.sum()) / size, parts.total, "mm Al", parts.by_name)
    return DepositDensity(number, mean, _volume(mean, size, image), components=parts)


def _lost_in_blur(place: _Place, calibration: WedgeCalibration) -> Floats:
    """What deposit and rim lose because blur mixes light, not thickness: mm of aluminium at each of their pixels.

    The logarithm of a mixture is less than the mixture of logarithms, for an edge of height h by h2 s / (2 sqrt(pi)) of
    attenuation along each px of it, with s the sd of the blur; squared slopes add up to the same but for their factor.
    """
    steep = calibration.steepness(place.mmal)
    slope2 = np.sum(np.square(np.gradient(place.mmal)), axis=0)
    grain = float(np.median(slope2[place.ring]))
    blur = calibration.blur_px
    return np.asarray((blur * math.hypot(blur, _CENTRAL_PX) * steep * (slope2 - grain))[place.whole])


@dataclass(frozen=True, slots=True)
class _Means:
    """Over a deposit's pixels, in mm of aluminium: as the wedge sees it, corrected, and what of it lies in the rim."""

    seen: float
    true: float
    spilt: float


def _why_not(place: _Place, calibration: WedgeCalibration) -> str:
    """Why a deposit has no density, and what to do; empty when it has."""
    clipped, dark = int(place.ends[place.inside].sum()), int((~place.readable[place.inside]).sum())
    if clipped:
        return f"{clipped} {NoDensity.SATURATED}: expose so that the deposit is not clipped"
    if dark:
        return f"{dark} pixels of it {NoDensity.NO_PICTURE}: outline only what the film shows"
    if place.over_bone > MOST_OVER_BONE:
        return f"{place.over_bone:.0%} {NoDensity.OVER_BONE}: film it from the side"
    if np.mean(place.mmal[place.inside] > calibration.reach_mm) > 0.01:
        return f"{NoDensity.TOO_DENSE} ({calibration.thickest_mm:g} mm): use a thicker wedge"
    if place.ring.sum() < _LEAST_PLANE_PX:
        return f"{NoDensity.NO_BACKGROUND}: see the neighbouring outlines and the bone mask"
    return ""


def _surface(place: _Place) -> _Surface:
    """A surface of second order through the ring, of first where the ring is small; robust against what lies in it."""
    rows, columns = np.mgrid[: place.inside.shape[0], : place.inside.shape[1]]
    scale = max(place.inside.shape)
    r0, c0 = rows[place.whole].mean(), columns[place.whole].mean()
    y, x = (rows - r0) / scale, (columns - c0) / scale
    curved = int(place.ring.sum()) >= _LEAST_RING_PX
    terms = np.stack([np.ones_like(x), x, y, *([x * x, y * y, x * y] if curved else [])], axis=-1)
    ring, under = terms[place.ring], terms[place.whole]
    weights, noise = _robust(ring, place.mmal[place.ring])
    fitted = weights @ place.mmal[place.ring]
    flat = np.linalg.lstsq(ring[:, :3], place.mmal[place.ring], rcond=None)[0]
    # The sum over deposit and rim is shared by the deposit's pixels alone.
    mean = under.sum(axis=0) / place.inside.sum()
    influence = mean @ weights
    sd = noise * math.sqrt(float(np.sum(influence**2)) * _TEXTURE_PX)
    bend = float(abs(mean @ fitted - mean[:3] @ flat))
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


def _components(place: _Place, surface: _Surface, calibration: WedgeCalibration, means: _Means) -> Components:
    mean = means.true
    share = float(np.clip(place.scatter[place.inside].mean(), -1.0, 1.0))
    span = calibration.thickest_mm
    background = float(np.median(surface.under))
    seen = max(float(np.mean(place.mmal[place.inside])) - background, 0.05)
    spread = calibration.spread(place.at, background, seen)
    return Components(
        noise=surface.noise * math.sqrt(place.whole.sum()) / float(place.inside.sum()),
        calibration=math.hypot(
            calibration.sd_mm * math.sqrt(min(1.0, 4 * abs(mean) / span)), CALIBRATION_DOUBT * abs(mean)
        ),
        background=math.hypot(surface.sd, BACKGROUND_DOUBT * surface.bend),
        scatter=math.hypot(SCATTER_DOUBT * abs(share * mean), spread * abs(mean)),
        hardening=HARDENING_DOUBT[calibration.kvp_stated] * abs(mean - means.seen),
        blur=BLUR_DOUBT * abs(means.spilt),
    )


def _volume(mean: Quantity, size: int, image: Image) -> Quantity | None:
    if image.spacing is None:
        return None
    area = size * image.spacing.pixel_mm2
    value = mean.value * area
    return _summed(value, "mm3", density=(mean.sd or 0.0) * area, scale=2 * image.spacing.relative_sd * abs(value))


def _total(rows: tuple[DepositDensity, ...], sizes: list[int], image: Image) -> TotalDensity:
    """The image's density from its deposits' and their pixels."""
    missing = [row.label for row in rows if row.mmal_mean is None]
    if missing:
        which = ", ".join(map(str, missing))
        return TotalDensity(None, None, reason=f"deposits without a density, so no total: {which} (see deposits.csv)")
    known = [(row.mmal_mean.value, row.components) for row in rows if row.mmal_mean and row.components]
    size = sum(sizes)
    weights = [mine / size for mine in sizes]
    parts = Components.of_sum([part for _, part in known], weights)
    mean = Quantity(float(np.dot([value for value, _ in known], weights)), parts.total, "mm Al", parts.by_name)
    return TotalDensity(mean if rows else None, _volume(mean, size, image), components=parts if rows else None)


def _with_factor(found: Densities, factor: Hydroxyapatite | None) -> Densities:
    """The densities with hydroxyapatite beside aluminium, where the user gave a factor."""
    if factor is None:
        return found
    rows = tuple(replace(row, hydroxyapatite=_mineral(row.mmal_mean, factor)) for row in found.deposits)
    mineral = _mineral(found.total.mmal_mean, factor)
    return Densities(rows, replace(found.total, hydroxyapatite=mineral, hydroxyapatite_source=factor.source))


def _mineral(mean: Quantity | None, factor: Hydroxyapatite) -> Quantity | None:
    if mean is None:
        return None
    value, worth = mean.value / factor.mm_per_mg_mm2, factor.mm_per_mg_mm2
    return _summed(value, "mg/mm2", density=(mean.sd or 0.0) / worth, factor=abs(value) * factor.sd / worth)


def _summed(value: float, unit: str, **errors: float) -> Quantity:
    """A value whose errors are independent."""
    return Quantity(value, math.hypot(*errors.values()), unit, tuple(errors.items()))


def _relative(image: Image, labels: Labels, mine: _Outline, levels: tuple[float, float]) -> RelativeDensity:
    inside = labels.array[mine.box] == mine.number
    if _ends(image, mine.box)[inside].any():
        why = f"{NoDensity.SATURATED}: expose less, or see the contrast as a lower bound"
        return RelativeDensity(mine.number, None, why)
    low, high = levels
    return RelativeDensity(mine.number, (float(image.pixels[mine.box][inside].mean()) - low) / (high - low))


def _beside_cortex(image: Image, labels: Labels, mine: _Outline, seen: tuple[Mask, Mask]) -> RelativeDensity:
    near = CORTEX_PX if image.spacing is None else max(8, round(CORTEX_MM / image.spacing.mean_mm))
    window = mine.window(near)
    gap, width = _ring_of(mine, image)
    inside = labels.array[window] == mine.number
    limb, bone = (mask[window] for mask in seen)
    apart = ~_grown(labels.array[window] > 0, gap)
    if image.valid is not None:
        apart &= image.valid[window]
    soft, cortex = _grown(inside, gap + width) & limb & ~bone & apart, bone & apart
    return _share_of_cortex(mine.number, _log_values(image, window), (inside, soft, cortex), _ends(image, window))


def _share_of_cortex(number: int, values: Floats, where: tuple[Mask, Mask, Mask], ends: Mask) -> RelativeDensity:
    mine, soft, cortex = where
    if ends[mine].any():
        return RelativeDensity(number, None, f"{int(ends[mine].sum())} {NoDensity.SATURATED}")
    if soft.sum() < _LEAST_PLANE_PX:
        return RelativeDensity(number, None, NoDensity.NO_BACKGROUND)
    if cortex.sum() < _LEAST_CORTEX_PX:
        return RelativeDensity(number, None, NoDensity.NO_CORTEX)
    low, high = float(np.median(values[soft])), float(np.percentile(values[cortex], 90))
    spread = 1.4826 * float(np.median(np.abs(values[soft] - low)))
    if high <= low + 2 * spread or ends[cortex & (values >= high)].any():
        return RelativeDensity(number, None, NoDensity.NO_CORTEX)
    return RelativeDensity(number, (float(values[mine].mean()) - low) / (high - low))


def _log_values(image: Image, window: tuple[slice, slice]) -> Floats:
    """Values that grow with the logarithm of the beam's loss; a display film's and a LOG detector's do as they are."""
    values = np.asarray(image.pixels[window], float)
    if image.meaning is not Meaning.DETECTOR or image.acquisition.intensity_relationship != "LIN":
        return values
    top = float(image.pixels.max()) if image.ceiling is None else image.ceiling
    return np.asarray(-np.log(np.maximum(top - values, 1.0)))


def _ring_of(mine: _Outline, image: Image) -> tuple[int, int]:
    """Where the ring of soft tissue begins outside a deposit, and its width, in pixels.

    It is as wide as half the deposit's radius: a narrower one does not see how the tissue bends under it.
    """
    gap = RING_GAP_PX if image.spacing is None else max(1, round(RING_GAP_MM / image.spacing.mean_mm))
    return gap, int(np.clip(round(0.6 * math.sqrt(mine.size / math.pi)), 5, _FARTHEST_PX))
