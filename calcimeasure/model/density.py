"""How much the beam met: the beam, a film's calibration by its step wedge, and deposits in mm of aluminium."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from calcimeasure.errors import RecipeError
from calcimeasure.model.image import frozen_array
from calcimeasure.model.quantity import Quantity

Array = npt.NDArray[np.float64]
Field = npt.NDArray[np.float32]

#: Fewest steps that a curve is fitted to.
LEAST_STEPS = 5

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
    weighing : float
        Power of the energy by which the detector departs from taking all of it: a thin scintillator lets the hard
        quanta through, so below 0.
    """

    kvp: float
    filtration_mm: float
    weighing: float = 0.0

    def transmission(self, water_mm: npt.ArrayLike, aluminium_mm: npt.ArrayLike) -> Array:
        """Share of the open beam's signal behind water and aluminium; the two broadcast."""
        energy = np.linspace(0.17 * self.kvp, self.kvp, 49)[:-1]
        photo, kn = (energy / 30.0) ** -3, _klein_nishina(energy) / _klein_nishina(np.array(30.0))
        stop = {name: p * photo + c * kn for name, (p, c) in _PARTS.items()}
        signal = (
            (self.kvp - energy) * np.exp(-stop["aluminium"] * self.filtration_mm) * (energy / 30.0) ** self.weighing
        )
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


Knots = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One way to read a film with a wedge: its heel and its scatter (coarse maps), its curve and its beam.

    `contrast` is the power to which this reading takes the signal of the first; `weight` what its distance from the
    first counts in the variance.
    """

    heel: Field
    scatter: Field
    contrast: float
    knots: Knots
    beam: Beam
    weight: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "heel", frozen_array(self.heel))
        object.__setattr__(self, "scatter", frozen_array(self.scatter))

    def signal(self, attenuation: Array, at: tuple[float, float]) -> Array:
        """What the detector saw, from the primary beam's log attenuation at a place given in shares of the film."""
        heel, scatter = self._there(at)
        return np.asarray(np.exp(-attenuation) * heel + scatter)

    def attenuation(self, signal: Array, at: tuple[float, float]) -> Array:
        """The primary beam's log attenuation, from what the first reading says the detector saw."""
        heel, scatter = self._there(at)
        return np.asarray(-np.log(np.maximum(np.maximum(signal, 1e-6) ** self.contrast - scatter, 1e-5) / heel))

    def millimetres(self, attenuation: npt.ArrayLike) -> Array:
        """By its curve."""
        return _along(self.knots, np.asarray(attenuation, float))

    def _there(self, at: tuple[float, float]) -> tuple[float, float]:
        row, column = (min(int(share * n), n - 1) for share, n in zip(at, self.heel.shape, strict=True))
        return float(self.heel[row, column]), float(self.scatter[row, column])


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
    readings : tuple of Reading
        This one's, and others that the film allows too.
    blur_px : float
        Standard deviation of the film's blur, from the wedge's own edges.
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
    readings: tuple[Reading, ...] = ()
    blur_px: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "attenuation", frozen_array(self.attenuation))
        object.__setattr__(self, "scatter_share", frozen_array(self.scatter_share))
        if self.unsure and not self.reason:
            raise ValueError("a calibration that is unsure must say why")

    @property
    def thickest_mm(self) -> float:
        """Thickness of the thickest step."""
        return self.steps[-1].mm

    @property
    def reach_mm(self) -> float:
        """Thickness at which the curve ends; a little beyond the thickest step."""
        return self.knots[-1][1]

    def millimetres(self, attenuation: npt.ArrayLike) -> Array:
        """Millimetres of the wedge's material worth a log attenuation; straight on beyond both ends."""
        return _along(self.knots, np.asarray(attenuation, float))

    def steepness(self, mm: npt.ArrayLike) -> Array:
        """Log attenuation per mm of the wedge's material, behind so many."""
        log, at = np.array(self.knots).T
        return np.asarray(np.interp(np.asarray(mm, float), at, np.gradient(log, at)))

    def spread(self, at: tuple[float, float], background_mm: float, seen_mm: float) -> float:
        """By what share a deposit's thickness differs between the readings that the film allows: a standard deviation.

        Parameters
        ----------
        at : (float, float)
            Where it lies, in shares of the film's rows and columns.
        background_mm, seen_mm : float
            Soft tissue under it and what it seems to add, in mm of aluminium by the wedge.
        """
        log, mm = np.array(self.knots).T
        met = np.interp([background_mm, background_mm + seen_mm], mm, log)
        first, *others = self.readings
        signal = first.signal(met, at)
        excess = np.array([_excess(reading, signal, at) for reading in (first, *others)])
        weights = np.array([reading.weight for reading in self.readings])
        return float(np.sqrt(np.sum(weights * (excess / excess[0] - 1) ** 2)))


def _excess(reading: Reading, signal: Array, at: tuple[float, float]) -> float:
    """Millimetres of aluminium of a deposit from the signal behind the tissue and behind both."""
    background, both = reading.millimetres(reading.attenuation(signal, at))
    return float(reading.beam.hardened(float(background), np.array([both - background]))[0])


def _along(knots: Knots, value: Array) -> Array:
    """Along the knots, straight on beyond both ends."""
    log, mm = np.array(knots).T
    low = value * (mm[1] - mm[0]) / (log[1] - log[0])
    high = mm[-1] + (value - log[-1]) * (mm[-1] - mm[-2]) / (log[-1] - log[-2])
    return np.asarray(np.where(value < log[0], low, np.where(value > log[-1], high, np.interp(value, log, mm))))


class NoDensity(StrEnum):
    """Why a deposit has no density."""

    SATURATED = "pixels at the end of the detector's range"
    TOO_DENSE = "denser than the thickest step of the wedge"
    NO_BACKGROUND = "too little soft tissue around it"
    NO_PICTURE = "parts of it lie where there is no picture"
    OVER_BONE = "of it lie over bone, which one view cannot separate"
    NO_CORTEX = "no cortex brighter than the soft tissue nearby, or it is clipped"


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
class WedgeSettings:
    """The step wedge that lies on the films, and what the user knows of hydroxyapatite (TOML table ``[wedge]``).

    Parameters
    ----------
    steps_mm : tuple of float
        Thickness of every step, in any order; empty is no wedge.
    material : str
        Of the wedge; only ``"Al"`` is known.
    region : tuple of int
        (row0, column0, row1, column1) around the wedge, end exclusive, the same on every film; `None` finds it.
    hydroxyapatite : float
        mm of aluminium worth 1 mg/mm2 of hydroxyapatite in your beam; `None` says nothing about hydroxyapatite.
    hydroxyapatite_sd : float
        Its standard deviation.
    hydroxyapatite_source : str
        Where it comes from; it is written beside every number made with it.

    Raises
    ------
    RecipeError
        For fewer than five steps, steps that are not positive and different, another material, a region without
        pixels, or a factor without its source.
    """

    steps_mm: tuple[float, ...] = ()
    material: str = "Al"
    region: tuple[int, int, int, int] | None = None
    hydroxyapatite: float | None = None
    hydroxyapatite_sd: float = 0.0
    hydroxyapatite_source: str = ""

    def __post_init__(self) -> None:
        _check_steps(self.steps_mm)
        if self.material != "Al":
            raise RecipeError(f'[wedge] material {self.material!r} is not known: use a wedge of aluminium, "Al"')
        if self.region is not None and not _is_box(self.region):
            raise RecipeError(f"[wedge] region must be row0, column0, row1, column1 in pixels, got {self.region!r}")
        if self.hydroxyapatite is not None:
            _check_factor(self.hydroxyapatite, self.hydroxyapatite_sd, self.hydroxyapatite_source)

    @property
    def factor(self) -> Hydroxyapatite | None:
        """The user's factor for hydroxyapatite, if there is one."""
        if self.hydroxyapatite is None:
            return None
        return Hydroxyapatite(self.hydroxyapatite, self.hydroxyapatite_source, self.hydroxyapatite_sd)


@dataclass(frozen=True, slots=True)
class Components:
    """Standard deviations that make up that of a mean density, in its unit."""

    noise: float
    calibration: float
    background: float
    scatter: float
    hardening: float
    blur: float = 0.0

    @property
    def total(self) -> float:
        """All of them, taken as independent."""
        return float(np.sqrt(sum(part**2 for part in asdict(self).values())))

    @property
    def by_name(self) -> tuple[tuple[str, float], ...]:
        """As a `Quantity` carries them."""
        return tuple(asdict(self).items())

    @classmethod
    def of_sum(cls, parts: Sequence[Components], weights: Sequence[float]) -> Components:
        """Those of a weighted sum of densities on one film.

        Noise and background differ from deposit to deposit; the others are one film's, so all its deposits err alike
        in them.
        """
        w = np.asarray(weights, float)
        of = {name: np.array([getattr(part, name) for part in parts]) for name in cls.__slots__}
        alone = {name: float(np.hypot.reduce(of[name] * w, initial=0.0)) for name in ("noise", "background")}
        return cls(**{name: alone.get(name, float(np.sum(of[name] * w))) for name in cls.__slots__})


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
class TotalDensity:
    """All deposits of an image: the mean over their pixels, and the sum of their volumes.

    Every number is `None` where one of the deposits lacks its own, and `reason` says so. `hydroxyapatite_source` is
    the user's words on the factor.
    """

    mmal_mean: Quantity | None
    al_volume_mm3: Quantity | None
    hydroxyapatite: Quantity | None = None
    hydroxyapatite_source: str | None = None
    components: Components | None = None
    reason: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Densities:
    """Every deposit's absolute density, in label order, and the image's."""

    deposits: tuple[DepositDensity, ...]
    total: TotalDensity

    @classmethod
    def refused(cls, labels: Sequence[int], reason: str) -> Densities:
        """No density for any of these deposits, and why."""
        rows = tuple(DepositDensity(label, None, None, reason=reason) for label in labels)
        return cls(rows, TotalDensity(None, None, reason=reason, warnings=(f"no density: {reason}",)))


def _check_steps(steps: tuple[float, ...]) -> None:
    if not isinstance(steps, tuple) or not all(_is_number(mm) for mm in steps):
        raise RecipeError(f"[wedge] steps_mm must be a list of millimetres, got {steps!r}")
    if steps and len(steps) < LEAST_STEPS:
        raise RecipeError(
            f"a wedge of {len(steps)} steps gives no curve: use one of at least {LEAST_STEPS} and name every step's mm"
        )
    if not all(0 < mm < np.inf for mm in steps) or len(set(steps)) < len(steps):
        raise RecipeError(f"[wedge] steps_mm must be positive and all different, got {steps}: give each step's mm")


def _check_factor(factor: float, sd: float, source: str) -> None:
    if not (_is_number(factor) and _is_number(sd) and isinstance(source, str)):
        raise RecipeError("[wedge] hydroxyapatite and its sd must be numbers, and its source a text")
    try:
        Hydroxyapatite(factor, source, sd)
    except ValueError as error:
        raise RecipeError(f"[wedge] {error}") from error


def _is_box(region: object) -> bool:
    if not isinstance(region, tuple) or len(region) != 4 or not all(type(n) is int for n in region):
        return False
    return bool(0 <= region[0] < region[2] and 0 <= region[1] < region[3])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
