"""How much the beam met: the beam, a film's calibration by its step wedge, and deposits in mm of aluminium."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from calcimeasure.model.image import frozen_array
from calcimeasure.model.quantity import Quantity

Array = npt.NDArray[np.float64]
Field = npt.NDArray[np.float32]

#: Attenuation per mm at 30 keV by photoelectric effect (as E^-3) and by scattering (as Klein-Nishina), after Alvarez &
#: Macovski, Phys Med Biol 1976;21:733; fitted to the NIST tables from 15 to 60 keV, within 1.3 %.
_PARTS = {"aluminium": (0.2605, 0.0460), "water": (0.01805, 0.01993)}


@dataclass(frozen=True, slots=True)
class Beam:
    """A tube's beam as an energy-weighing detector sees it: Kramers' spectrum behind so much aluminium.

    Parameters
    ----------
    kvp : float
        Tube voltage in kV.
    filtration_mm : float
        Aluminium in the tube and its filter, in mm.
    """

    kvp: float
    filtration_mm: float

    def transmission(self, water_mm: npt.ArrayLike, aluminium_mm: npt.ArrayLike) -> Array:
        """Share of the open beam's signal behind water and aluminium; the two broadcast."""
        energy = np.linspace(0.17 * self.kvp, self.kvp, 49)[:-1]
        photo, kn = (energy / 30.0) ** -3, _klein_nishina(energy) / _klein_nishina(np.array(30.0))
        stop = {name: p * photo + c * kn for name, (p, c) in _PARTS.items()}
        signal = (self.kvp - energy) * np.exp(-stop["aluminium"] * self.filtration_mm)
        water, aluminium = np.asarray(water_mm, float)[..., None], np.asarray(aluminium_mm, float)[..., None]
        through = np.exp(-stop["water"] * water - stop["aluminium"] * aluminium)
        return np.asarray(through @ (signal / signal.sum()), float)

    def hardened(self, background_mm: float, excess_mm: Array) -> Array:
        """Millimetres of aluminium lying on soft tissue, from what they seem to add to it.

        A wedge in the open beam hardens it more than the soft tissue that looks equally dense, so aluminium on tissue
        stops more of the beam than the wedge's curve expects: it seems 3-22 % too thick on 10-30 mm of tissue.

        Parameters
        ----------
        background_mm : float
            The soft tissue, in mm of aluminium by the wedge.
        excess_mm : float array
            By how much the deposit exceeds it, in mm of aluminium by the wedge.
        """
        scale = np.linspace(0.0, 60.0, 601)
        log = -np.log(self.transmission(0.0, scale))
        tissue = np.linspace(0.0, 120.0, 121)
        water = np.interp(background_mm, np.interp(-np.log(self.transmission(tissue, 0.0)), log, scale), tissue)
        true = np.linspace(0.0, 30.0, 121)
        seen = np.interp(-np.log(self.transmission(water, true)), log, scale)
        low = true[1] / max(seen[1] - seen[0], 1e-9)
        return np.where(excess_mm < 0, excess_mm * low, np.interp(excess_mm, seen - seen[0], true))


def _klein_nishina(energy: Array) -> Array:
    """Total cross-section of free electrons, up to a factor; energy in keV."""
    a = energy / 511.0
    log = np.log1p(2 * a)
    head = (1 + a) / a**2 * (2 * (1 + a) / (1 + 2 * a) - log / a)
    return np.asarray(head + log / (2 * a) - (1 + 3 * a) / (1 + 2 * a) ** 2)


class Writing(StrEnum):
    """How a detector's values follow the beam."""

    LINEAR = "LIN"
    LOG = "LOG"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a wedge: its thickness, the log attenuation measured on it, and its box (end exclusive)."""

    mm: float
    attenuation: float
    sd: float
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class WedgeCalibration:
    """What a film's brightness is worth in mm of the wedge's material.

    Parameters
    ----------
    steps : tuple of Step
        Thinnest first.
    attenuation : float32 array, shape of the image
        -ln(I / I0) of the primary beam at every pixel, heel and scatter taken off; NaN where there is none.
    scatter_share : float32 array, shape of the image
        Share of the signal that was taken off as scatter or offset beyond what lies on the wedge, for the error.
    knots : tuple of (float, float)
        (log attenuation, mm), both rising; straight lines between them are the monotone curve.
    residual_mm : float
        Root mean square distance of the steps from the physical curve, in mm.
    sd_mm : float
        Standard deviation of a thickness read from the curve, in mm.
    r2 : float
        Share of the steps' variance that the physical curve explains.
    region : tuple of int
        (row0, column0, row1, column1) of the wedge, end exclusive.
    writing : Writing
        Whether the values were taken as linear or logarithmic in the beam.
    beam : Beam
        The spectrum that fits the wedge; its tube voltage is assumed where the file states none.
    kvp_stated : bool
        Whether the file stated the voltage.
    material : str
        Of the wedge.
    unsure : bool
    reason : str
        What a reader must know before using the curve; empty when sure.
    """

    steps: tuple[Step, ...]
    attenuation: Field
    scatter_share: Field
    knots: tuple[tuple[float, float], ...]
    residual_mm: float
    sd_mm: float
    r2: float
    region: tuple[int, int, int, int]
    writing: Writing
    beam: Beam
    kvp_stated: bool
    material: str = "Al"
    unsure: bool = False
    reason: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "attenuation", frozen_array(self.attenuation))
        object.__setattr__(self, "scatter_share", frozen_array(self.scatter_share))
        if self.unsure and not self.reason:
            raise ValueError("a calibration that is unsure must say why")

    @property
    def thickest_mm(self) -> float:
        """Thickness of the thickest step: the curve ends there."""
        return self.steps[-1].mm

    def millimetres(self, attenuation: npt.ArrayLike) -> Array:
        """Millimetres of the wedge's material worth a log attenuation; straight on beyond both ends."""
        log, mm = np.array(self.knots).T
        value = np.asarray(attenuation, float)
        low = value * (mm[1] - mm[0]) / (log[1] - log[0])
        high = mm[-1] + (value - log[-1]) * (mm[-1] - mm[-2]) / (log[-1] - log[-2])
        return np.asarray(np.where(value < log[0], low, np.where(value > log[-1], high, np.interp(value, log, mm))))


class NoDensity(StrEnum):
    """Why a deposit has no density."""

    SATURATED = "pixels at the end of the detector's range"
    TOO_DENSE = "denser than the thickest step of the wedge"
    NO_BACKGROUND = "too little soft tissue around it"
    NO_PICTURE = "parts of it lie where there is no picture"


@dataclass(frozen=True, slots=True)
class Hydroxyapatite:
    """The user's own factor: mm of aluminium per mg/mm2 of hydroxyapatite, its standard deviation and its source.

    Raises
    ------
    ValueError
        For a factor that is not positive, or one without a source.
    """

    mm_per_mg_mm2: float
    source: str
    sd: float = 0.0

    def __post_init__(self) -> None:
        if not self.mm_per_mg_mm2 > 0 or not self.sd >= 0:
            raise ValueError(f"the hydroxyapatite factor must be positive, got {self.mm_per_mg_mm2} +- {self.sd}")
        if not self.source.strip():
            raise ValueError("a hydroxyapatite factor needs its source: name the phantom or paper it comes from")


@dataclass(frozen=True, slots=True)
class Components:
    """Standard deviations that make up that of a mean density, in its unit."""

    noise: float
    calibration: float
    background: float
    scatter: float
    hardening: float

    @property
    def total(self) -> float:
        """All of them, taken as independent."""
        parts = (self.noise, self.calibration, self.background, self.scatter, self.hardening)
        return float(np.sqrt(sum(part**2 for part in parts)))


@dataclass(frozen=True, slots=True)
class DepositDensity:
    """One deposit's density over its local background; every number is `None` where `reason` says why.

    `mmal_mean` is in mm of aluminium, `al_volume_mm3` its integral (needs a scale), `hydroxyapatite` in mg/mm2 (needs
    the user's factor); `components` are those of `mmal_mean`.
    """

    label: int
    mmal_mean: Quantity | None
    al_volume_mm3: Quantity | None
    hydroxyapatite: Quantity | None = None
    components: Components | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RelativeDensity:
    """One deposit's contrast as a share of cortex's over the same soft tissue; not comparable across devices."""

    label: int
    value: float | None
    reason: str = ""
    relative: bool = True


@dataclass(frozen=True, slots=True)
class Densities:
    """Every deposit's absolute density, and where the factor for hydroxyapatite comes from."""

    deposits: tuple[DepositDensity, ...]
    hydroxyapatite_source: str | None = None
    warnings: tuple[str, ...] = ()
