"""What a film with a wedge should show: the beam, its heel, and the scatter of limb and wedge.

The film is shrunk to where heel and scatter are smooth; the open field and the steps are compared with the model there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from calcimeasure.model.density import Beam, Writing
from calcimeasure.model.image import Image
from calcimeasure.steps.measure.wedge.open_field import open_field
from calcimeasure.steps.measure.wedge.steps import WedgeSteps, inner

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Averages = Any  # a sparse array, which scipy does not type

#: Where each parameter lies in the vector that is fitted; the weights of the scatter kernel come last.
FILTRATION, KVP, PEDESTAL, GAIN, CONTRAST, MINERAL_SCATTER, WEIGHING, KERNEL = 0, 1, 2, 3, 9, 10, 11, 12
HEEL = slice(4, 9)  # u, v, uu, vv, uv

_COARSE_PX = 128  # longer side of the picture on which heel and scatter are fitted: both are smooth
_KERNELS = (0.04, 0.08, 0.16, 0.32)  # widths of the scatter kernel over the longer side where no scale is known
_KERNELS_MM = (6.0, 12.0, 24.0, 48.0)
USUAL_KVP = (54.0, 8.0)  # of limbs, where the file does not state it
_KVP_SD = 1.0  # of a stated one: tubes are within a few per cent of it
USUAL_FILTRATION = (3.2, 0.8)  # mm; IEC 60601-1-3 asks for 2.5 in all, and the anode stops some of its own beam
USUAL_MINERAL_SCATTER = (0.45, 0.25)  # aluminium and calcium over tissue: at 25-50 keV 25-50 %, water 60-90 %
_BONE_MM, _BONE = (
    15.0,
    0.1,
)  # narrower and denser than its surroundings is mineral; without scale, of the side
_FIELD_SD, _STEP_SD = 0.0015, 0.002  # of a logarithm of the signal: how well the model can be hoped to fit
_PEDESTAL, _KERNEL_SD, _CONTRAST_SD, _HEEL_SD = (0.03, 0.2), 0.3, 0.25, 0.15
_WEIGHING_SD = 0.5
_BLOCK_PX, _LEAST_OPEN = (
    4,
    0.5,
)  # side of a witness of the open field, and share of it that must be open
_FIELD_WORTH = 100.0  # independent places that the open field counts as


class Haze(Enum):
    """Where scattered light comes from: a limb that ends with the film or goes on beyond it, or the whole picture.

    A limb scatters what it stops; a thick one stops much of what it scatters again, so that what leaves it follows the
    beam behind it (`LIMB_EXIT`).
    """

    LIMB = 1
    LIMB_BEYOND = 2
    GLARE = 3
    LIMB_EXIT = 4


@dataclass(frozen=True, slots=True, eq=False)
class CoarseFilm:
    """The film shrunk.

    `signal` is as stored (LINEAR: rising with the beam; LOG: falling), `open_field` where the beam is bare, `wedge`
    where the wedge lies, `dark` where there is no picture, `u` and `v` coordinates from -1 to 1, `sigmas` the widths of
    the kernel in px, `bone_px` the width up to which a dense band is mineral, `noise` the sd of the signal from one
    coarse pixel to the next in the open field.
    """

    signal: Array
    open_field: Mask
    wedge: Mask
    dark: Mask
    u: Array
    v: Array
    sigmas: tuple[float, ...]
    bone_px: int
    noise: float

    @classmethod
    def of(cls, image: Image, found: WedgeSteps, values: Array) -> CoarseFilm:
        """The shrunk film of what `stored` gives."""
        scale = min(1.0, _COARSE_PX / max(image.shape))
        rows, columns = (max(8, round(n * scale)) for n in image.shape)
        signal = cv2.resize(values, (columns, rows), interpolation=cv2.INTER_AREA)
        v, u = np.meshgrid((np.arange(columns) + 0.5) / columns * 2 - 1, (np.arange(rows) + 0.5) / rows * 2 - 1)
        bare = open_field(image, found.region, found.values[0], (rows, columns))
        *sigmas, bone = _widths(image, (rows, columns))
        places = bare, _covered(image, found, bare), _dark(image, bare)
        return cls(signal, *places, u, v, tuple(sigmas), max(3, round(bone)), _noise(signal, bare))

    @property
    def field_blocks(self) -> Averages:
        """Blocks of open field, one row each."""
        rows, columns = np.indices(self.signal.shape) // _BLOCK_PX
        block = (rows * (columns.max() + 1) + columns)[self.open_field]
        pixels = np.flatnonzero(self.open_field)
        _, number, count = np.unique(block, return_inverse=True, return_counts=True)
        table = csr_array((1 / count[number], (number, pixels)), shape=(len(count), self.signal.size))
        return table[count >= _LEAST_OPEN * _BLOCK_PX**2]

    def steps_of(self, found: WedgeSteps, shape: tuple[int, ...]) -> Averages:
        """The middle of each step, one row each."""
        rows, columns = self.signal.shape
        boxes = np.array(found.boxes)
        middle = np.stack([boxes[:, 0] + boxes[:, 2], boxes[:, 1] + boxes[:, 3]], axis=1) / 2
        row, column = np.clip((middle * (rows, columns) / shape).astype(int), 0, (rows - 1, columns - 1)).T
        return csr_array(
            (np.ones(len(row)), (np.arange(len(row)), row * columns + column)), shape=(len(row), rows * columns)
        )


def stored(image: Image, found: WedgeSteps, writing: Writing) -> Array:
    """LINEAR: signal over the open beam's near the wedge; LOG: values over the open field's, in shares of the wedge.

    Values written linear were turned over by the reader about the ends of the bit range.
    """
    pixels = image.pixels.astype(float)
    base = float(np.percentile(pixels[:: 1 + pixels.shape[0] // 500, :: 1 + pixels.shape[1] // 500], 3))
    if writing is Writing.LOG:
        return (pixels - base) / (found.values[-1] - base)
    top = image.ceiling if image.ceiling is not None else float(pixels.max())
    return np.asarray((top - pixels) / max(top - base, 1e-9))


def _widths(image: Image, shape: tuple[int, int]) -> tuple[float, ...]:
    """Of the kernel and, last, of bone, in coarse pixels."""
    if image.spacing is None:
        return tuple(share * max(shape) for share in (*_KERNELS, _BONE))
    return tuple(mm / image.spacing.mean_mm * shape[1] / image.shape[1] for mm in (*_KERNELS_MM, _BONE_MM))


def _covered(image: Image, found: WedgeSteps, like: Mask) -> Mask:
    """Coarse pixels that the wedge or its blurred edge touches."""
    row0, column0, row1, column1 = found.region
    down, across = (n / m for n, m in zip(like.shape, image.shape, strict=True))
    out = np.zeros(like.shape, bool)
    top, left = max(0, int(row0 * down) - 1), max(0, int(column0 * across) - 1)
    out[top : int(np.ceil(row1 * down)) + 1, left : int(np.ceil(column1 * across)) + 1] = True
    return out


def _dark(image: Image, like: Mask) -> Mask:
    if image.valid is None:
        return np.zeros(like.shape, bool)
    share = cv2.resize(image.valid.astype(np.float32), like.shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(share < 0.99)


def _noise(signal: Array, where: Mask) -> float:
    """Standard deviation between neighbours in a row, robust; 0 where there are none."""
    steps = np.diff(signal, axis=1)[where[:, 1:] & where[:, :-1]]
    return 1.4826 * float(np.median(np.abs(steps))) / np.sqrt(2) if steps.size else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Witness:
    """Places where model and film are compared.

    `averages` has a row for each and a column for each coarse pixel; `values` are as stored with `grain` their sd by
    noise, `hazes` (2, kernels, n).
    """

    averages: Averages
    values: Array
    grain: Array
    u: Array
    v: Array
    hazes: Array

    @classmethod
    def of(cls, coarse: CoarseFilm, averages: Averages, values: Array, grain: Array) -> Witness:
        """Places without any haze yet."""
        u, v = averages @ coarse.u.ravel(), averages @ coarse.v.ravel()
        return cls(averages, values, grain, u, v, np.zeros((2, len(coarse.sigmas), len(values))))

    def under(self, hazes: Array) -> Witness:
        """The same places under these maps of haze."""
        flat = hazes.reshape(-1, hazes.shape[-2] * hazes.shape[-1])
        return replace(self, hazes=(self.averages @ flat.T).T.reshape(*hazes.shape[:2], -1))


@dataclass(frozen=True, slots=True, eq=False)
class FilmModel:
    """What is compared: open field and steps of one film in one writing.

    `hazes` are coarse maps (2, kernels, rows, columns) of what tissue and mineral give off, spread by each width.
    """

    writing: Writing
    coarse: CoarseFilm
    thickness: Array
    field: Witness
    steps: Witness
    kvp: float | None
    contrast: float
    haze: Haze
    hazes: Array

    @classmethod
    def bare(cls, image: Image, found: WedgeSteps, writing: Writing) -> FilmModel:
        """The model of a film before any scatter is known."""
        values = stored(image, found, writing)
        coarse = CoarseFilm.of(image, found, values)
        on_steps, grain = np.array([_level(values[inner(box)]) for box in found.boxes]).T
        in_field, at_steps = coarse.field_blocks, coarse.steps_of(found, image.shape)
        level = in_field @ coarse.signal.ravel()
        field = Witness.of(coarse, in_field, level, np.full(level.size, coarse.noise / _BLOCK_PX))
        steps = Witness.of(coarse, at_steps, on_steps, grain)
        kvp, thickness = image.acquisition.kvp, np.array(found.thickness)
        empty = np.zeros((2, len(coarse.sigmas), *coarse.signal.shape))
        contrast = _contrast(kvp, thickness, on_steps)
        return cls(writing, coarse, thickness, field, steps, kvp, contrast, Haze.LIMB, empty)

    @property
    def start(self) -> Array:
        """A first guess: usual filtration, hardly any scatter."""
        kvp = np.clip(self.kvp or USUAL_KVP[0], 31, 119)
        head = [USUAL_FILTRATION[0], kvp, 0.02, 0.0, *[0.0] * 5, self.contrast, USUAL_MINERAL_SCATTER[0], 0.0]
        return np.array([*head, *[1e-3] * len(self.coarse.sigmas)])

    def intensity(self, values: Array, p: Array) -> Array:
        """Signal in units of about the open beam, from values of `stored`."""
        return values if self.writing is Writing.LINEAR else np.exp(-values * np.exp(-p[CONTRAST]))

    def heel(self, u: Array, v: Array, p: Array) -> Array:
        """The open beam's signal at these coordinates."""
        a, b, aa, bb, ab = p[HEEL]
        return np.asarray(np.exp(p[GAIN] + a * u + b * v + aa * u**2 + bb * v**2 + ab * u * v))

    def scatter(self, hazes: Array, p: Array) -> Array:
        """Signal that is no primary beam, pedestal included, under maps or places of haze."""
        weights = np.stack([p[KERNEL:], p[MINERAL_SCATTER] * p[KERNEL:]])
        return np.asarray(p[PEDESTAL] + np.tensordot(weights, hazes, 2))

    def beam(self, p: Array) -> Beam:
        """The spectrum behind the filter."""
        return Beam(float(p[KVP]), float(p[FILTRATION]), float(p[WEIGHING]))

    def attenuation(self, p: Array) -> Array:
        """Log attenuation of the primary beam by each step, as the film shows it."""
        steps = self.steps
        primary = self.intensity(steps.values, p) - self.scatter(steps.hazes, p)
        return np.asarray(-np.log(np.maximum(primary, 1e-5) / self.heel(steps.u, steps.v, p)))

    def residuals(self, p: Array) -> Array:
        """Field, steps and priors, each in its standard deviations."""
        return np.concatenate([self.on_field(p), self.on_steps(p), self.priors(p)])

    def on_field(self, p: Array) -> Array:
        """Misfit of the open field, weighed as so many independent places."""
        worth = np.sqrt(min(1.0, _FIELD_WORTH / max(self.field.values.size, 1)))
        return np.asarray(worth * self._misfit(self.field, self.heel(self.field.u, self.field.v, p), p, _FIELD_SD))

    def on_steps(self, p: Array) -> Array:
        """Misfit of the steps."""
        light = self.heel(self.steps.u, self.steps.v, p) * self.beam(p).transmission(0.0, self.thickness)
        return self._misfit(self.steps, light, p, _STEP_SD)

    def _misfit(self, witness: Witness, light: Array, p: Array, hoped: float) -> Array:
        """Of the logarithm of the signal, in its standard deviations: what can be hoped for, and noise."""
        seen = np.maximum(self.intensity(witness.values, p), 1e-6)
        made = np.maximum(light + self.scatter(witness.hazes, p), 1e-6)
        slope = 1 / seen if self.writing is Writing.LINEAR else np.exp(-p[CONTRAST])
        return np.asarray(np.log(seen / made) / np.hypot(hoped, slope * witness.grain))

    def priors(self, p: Array) -> Array:
        """What is known before the film is looked at."""
        kvp = (p[KVP] - self.kvp) / _KVP_SD if self.kvp else (p[KVP] - USUAL_KVP[0]) / USUAL_KVP[1]
        filtration = (p[FILTRATION] - USUAL_FILTRATION[0]) / USUAL_FILTRATION[1]
        pedestal = (p[PEDESTAL] - _PEDESTAL[0]) / _PEDESTAL[1]
        contrast = (p[CONTRAST] - self.contrast - 0.1) / _CONTRAST_SD
        mineral = (p[MINERAL_SCATTER] - USUAL_MINERAL_SCATTER[0]) / USUAL_MINERAL_SCATTER[1]
        return np.concatenate(
            [
                [kvp, filtration, p[WEIGHING] / _WEIGHING_SD, contrast, mineral, pedestal],
                p[HEEL] / _HEEL_SD,
                p[KERNEL:] / _KERNEL_SD,
            ]
        )

    def with_scatter(self, p: Array) -> FilmModel:
        """The model with the hazes that follow from what its last fit says is missing from the beam."""
        hazes = np.stack([self._spread(source) for source in self._sources(p)])
        return replace(self, hazes=hazes, field=self.field.under(hazes), steps=self.steps.under(hazes))

    def _sources(self, p: Array) -> tuple[Array, Array]:
        """What tissue and mineral give off, in units of the open beam; glare is all that reaches the detector."""
        coarse = self.coarse
        bare = self.heel(coarse.u, coarse.v, p)
        primary = self.intensity(coarse.signal, p) - self.scatter(self.hazes, p)
        stopped = np.where(coarse.open_field | coarse.dark, 0.0, np.clip(bare - primary, 0.0, bare))
        if self.haze is Haze.GLARE:
            return np.where(coarse.dark, 0.0, bare - stopped), np.zeros_like(bare)
        through = np.maximum(1 - stopped / bare, 1e-3)
        given = stopped * through if self.haze is Haze.LIMB_EXIT else stopped
        mineral = given * _mineral_share(-np.log(through), coarse)
        return given - mineral, mineral

    def _spread(self, source: Array) -> Array:
        border = cv2.BORDER_CONSTANT if self.haze is Haze.LIMB else cv2.BORDER_REPLICATE
        return np.stack([cv2.GaussianBlur(source, (0, 0), s, borderType=border) for s in self.coarse.sigmas])


def _mineral_share(met: Array, coarse: CoarseFilm) -> Array:
    """Share of the attenuation that is no soft tissue: the wedge, and what is denser than all around it."""
    box = np.ones((coarse.bone_px, coarse.bone_px), np.uint8)
    soft = cv2.morphologyEx(met, cv2.MORPH_OPEN, box, borderType=cv2.BORDER_REPLICATE)
    return np.where(coarse.wedge, 1.0, 1 - np.minimum(soft, met) / np.maximum(met, 1e-6))


def _level(inside: Array) -> tuple[float, float]:
    """Median of a step and the standard deviation that its pixels' noise leaves it."""
    middle = float(np.median(inside))
    return middle, 1.2533 * 1.4826 * float(np.median(np.abs(inside - middle))) / float(np.sqrt(inside.size))


def _contrast(kvp: float | None, thickness: Array, steps: Array) -> float:
    """Log contrast of the LOG writing that the first and last step tell without any scatter."""
    beam = Beam(kvp or USUAL_KVP[0], USUAL_FILTRATION[0])
    first, last = -np.log(beam.transmission(0.0, thickness[[0, -1]]))
    return float(np.log(max(abs(steps[-1] - steps[0]), 1e-6) / (last - first)))
