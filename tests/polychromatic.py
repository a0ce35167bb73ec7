"""Step-wedge films shot with a polychromatic beam, whose deposits are known in mm of aluminium.

Written apart from the fit: nothing here is imported from the package but the nouns of its results, and the physics is
not ours. Spectra of a tungsten tube come from SpekPy, attenuation and how much of it is scattering from xraydb. The
plan: millimetres of water, bone, aluminium and hydroxyapatite under every pixel; the beam through them on a detector of
caesium iodide, selenium, or one that takes all energy; heel; scatter, of which aluminium gives off far less than it
stops; blur; quanta; then what the detector writes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import spekpy
import xraydb
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

from calcimeasure.model.image import Acquisition, Image, Kind, Meaning, Spacing, SpacingOrigin
from calcimeasure.model.labels import Labels

#: Composition and g/cm3. Bone is cortical, by ICRU 44 (its mineral and its collagen and water).
_MATERIALS = {
    "water": ("H2O", 1.0),
    "aluminium": ("Al", 2.699),
    "hydroxyapatite": ("Ca10(PO4)6(OH)2", 3.16),
    "bone": ("H3.4C1.29N0.3O2.72Mg0.008P0.333S0.009Ca0.561", 1.92),
    "copper": ("Cu", 8.96),
    "titanium": ("Ti", 4.506),
    "acrylic": ("C5H8O2", 1.19),
    "csi": ("CsI", 4.51),
    "selenium": ("Se", 4.28),
}
_DETECTORS_MM = {"csi": 0.45, "selenium": 0.5}

STEPS_MM = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
SHAPE, MM = (300, 400), 0.4
_STEP_PX, _WIDTH_PX = 20, 34


@dataclass(frozen=True, slots=True)
class Scene:
    """What lies on the film and how it is shot; `deposits` are (row, column, radius px, mm, material).

    `kvp` is what the tube gives and `kvp_off` by how much the file overstates it. `scatter` is the share of the signal
    behind the limb; `aluminium_scatters` multiplies what the wedge gives off, which lies nearer to the detector than
    the limb.
    """

    kvp: float = 55.0
    filtration_mm: float = 2.5
    copper_mm: float = 0.0
    anode_deg: float = 12.0
    detector: str = "csi"
    scatter: float = 0.2
    scatter_kind: str = "stopped"
    kernel: str = "tailed"
    aluminium_scatters: float = 1.0
    reach_mm: float = 14.0
    heel: float = 0.08
    heel_along: int = 0
    quanta: float = 30000.0
    gain: float = 1.0
    offset: float = 0.0
    log: bool = True
    bits: int = 14
    limb_mm: float = 24.0
    limb_width_mm: float = 52.0
    bones: bool = False
    wedge_column: int = 350
    wedge_material: str = "aluminium"
    steps_mm: tuple[float, ...] = STEPS_MM
    deposits: tuple[tuple[float, float, float, float, str], ...] = ((150.0, 130.0, 14.0, 2.0, "aluminium"),)
    states_kvp: bool = True
    kvp_off: float = 0.0
    blur_mm: float = 0.15
    collimated_px: int = 0
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A film with the outline of its deposits and their mean mm of aluminium inside it."""

    image: Image
    labels: Labels
    truth: dict[int, float]
    aluminium: np.ndarray
    wedge: tuple[int, int, int, int]
    scatter_share: np.ndarray
    bone: np.ndarray

    @property
    def around(self) -> tuple[int, int, int, int]:
        """The box that a reader would mark."""
        row0, column0, row1, column1 = self.wedge
        return row0 - 3, column0 - 4, row1 + 5, column1 + 4


def shoot(scene: Scene) -> Shot:
    """The film of a scene; truth of hydroxyapatite is the aluminium that stops the same beam in its place."""
    rng = np.random.default_rng(scene.seed)
    sheet, wedge, labels = _lay_out(scene, rng)
    field = _heel(scene)
    beam = _Beam.of(scene)
    passed, given = beam.through(sheet, scene.scatter_kind)
    passed_wedge, given_wedge = beam.through({scene.wedge_material: wedge}, scene.scatter_kind)
    primary = field * passed * passed_wedge
    source = field * (given * passed_wedge + scene.aluminium_scatters * given_wedge)
    scattered = _scatter(scene, primary, source)
    light = _collimated(scene, gaussian_filter(primary + scattered, scene.blur_mm / MM))
    light = rng.poisson(light * scene.quanta) / scene.quanta
    image = Image(
        _written(scene, light),
        Kind.RADIOGRAPH,
        Meaning.DETECTOR,
        Spacing.of(MM, MM, SpacingOrigin.USER),
        ceiling=float(2**scene.bits - 1),
        acquisition=Acquisition(
            intensity_relationship="LOG" if scene.log else "LIN",
            kvp=round(scene.kvp * (1 + scene.kvp_off)) if scene.states_kvp else None,
            bits=scene.bits,
        ),
    )
    worth = beam.aluminium_worth(sheet)
    truth = {number: float(worth[labels == number].mean()) for number in _used(labels)}
    return Shot(
        image, Labels(labels), truth, wedge, _wedge_box(scene), scattered / (primary + scattered), sheet["bone"] > 0
    )


def random_scene(seed: int) -> Scene:
    """A draw over the whole range that the calibration must stand: 40-70 kVp, scatter to 40 %, heel to 15 %."""
    rng = np.random.default_rng([seed, 5])
    log = bool(rng.random() < 0.5)
    bones = bool(rng.random() < 0.6)
    return Scene(
        kvp=rng.uniform(40, 70),
        kvp_off=rng.normal(0, 0.012),
        filtration_mm=rng.uniform(2.0, 3.5),
        anode_deg=float(rng.integers(9, 17)),
        detector=str(rng.choice(["csi", "csi", "csi", "energy", "energy", "selenium"])),
        scatter=rng.uniform(0, 0.42),
        scatter_kind=str(rng.choice(["stopped", "stopped", "single", "single", "veil", "uniform"])),
        kernel=str(rng.choice(["tailed", "isotropic", "gaussian"])),
        aluminium_scatters=rng.uniform(0.3, 1.4),
        reach_mm=rng.uniform(8, 28),
        heel=rng.uniform(0, 0.15),
        heel_along=int(rng.integers(2)),
        quanta=float(np.exp(rng.uniform(np.log(8e3), np.log(8e4)))),
        gain=rng.uniform(0.6, 1.0) if not log else rng.uniform(0.7, 1.3),
        offset=rng.uniform(0, 0.04),
        log=log,
        limb_mm=rng.uniform(12, 34),
        limb_width_mm=rng.uniform(50 if bones else 44, 64),
        bones=bones,
        steps_mm=STEPS_MM if rng.random() < 0.7 else (0.5, 1.0, 2.0, 3.5, 5.0, 7.0, 9.0),
        deposits=_random_deposits(rng, bones),
        blur_mm=rng.uniform(0.05, 0.3),
        seed=seed,
    )


def other_exposure(scene: Scene, seed: int) -> Scene:
    """The same limb shot again: other mAs, gain, offset, scatter and heel; the same tube voltage."""
    other = random_scene(seed)
    return replace(
        scene,
        quanta=other.quanta,
        gain=scene.gain * 0.8,
        offset=other.offset,
        heel=other.heel,
        scatter=other.scatter,
        seed=seed + 100_000,
    )


def _random_deposits(rng: np.random.Generator, bones: bool) -> tuple[tuple[float, float, float, float, str], ...]:
    rows = (65.0, 150.0, 235.0)
    return tuple(
        (
            row + rng.normal(0, 5),
            130 + rng.choice([-1, 1]) * (26 + radius + rng.uniform(0, 4)) if bones else 130 + rng.normal(0, 12),
            radius,
            float(np.exp(rng.uniform(np.log(0.6), np.log(4.5)))),
            str(rng.choice(["aluminium", "hydroxyapatite"])),
        )
        for row, radius in zip(rows, rng.uniform(3, 8 if bones else 18, 3), strict=True)
    )


def _used(labels):
    return [int(n) for n in np.unique(labels) if n]


def _lay_out(scene, rng):
    """{material: mm of it in the limb}, mm of the wedge, and the labels."""
    row, column = np.indices(SHAPE)
    u = (column - 130) * MM / (scene.limb_width_mm / 2)
    water = scene.limb_mm * np.sqrt(np.clip(1 - np.abs(u) ** 2.5, 0, None))
    water = water * (1 + 0.02 * _texture(rng, 12 / MM))
    labels = np.zeros(SHAPE, np.int32)
    sheet = {"aluminium": np.zeros(SHAPE), "hydroxyapatite": np.zeros(SHAPE), "bone": _bones(scene, column)}
    sheet["water"] = np.maximum(water - sheet["bone"], 0.0)
    for number, (r, c, radius, mm, material) in enumerate(scene.deposits, 1):
        away2 = ((row - r) ** 2 + (column - c) ** 2) / radius**2
        worth = mm if material == "aluminium" else mm * 0.55
        sheet[material] += worth * np.sqrt(np.clip(1 - away2, 0, None))
        labels[away2 < 1] = number
    return sheet, _wedge(scene), labels


def _bones(scene, column):
    """Two tubes of cortex beside the middle of the limb."""
    out = np.zeros(SHAPE)
    if scene.bones:
        for middle in (-5.5, 5.5):
            x = np.abs((column - 130) * MM - middle)
            out += 2 * np.sqrt(np.clip(4.0**2 - x**2, 0, None)) - 2 * np.sqrt(np.clip(2.4**2 - x**2, 0, None))
    return out


def _texture(rng, sigma_px):
    smooth = gaussian_filter(rng.standard_normal(SHAPE), sigma_px)
    return smooth / smooth.std()


def _wedge_box(scene):
    length = _STEP_PX * len(scene.steps_mm)
    top = (SHAPE[0] - length) // 2
    left = scene.wedge_column - _WIDTH_PX // 2
    return top, left, top + length, left + _WIDTH_PX


def _wedge(scene):
    out = np.zeros(SHAPE)
    top, left, _, right = _wedge_box(scene)
    for number, mm in enumerate(scene.steps_mm):
        out[top + number * _STEP_PX : top + (number + 1) * _STEP_PX, left:right] = mm
    return out


@lru_cache(maxsize=256)
def _fluence(kvp: float, anode_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Energies in keV and quanta of a bare tungsten tube."""
    return spekpy.Spek(kvp=kvp, th=anode_deg, dk=1.0).get_spectrum()


@lru_cache(maxsize=1024)
def _table(material: str, kind: str) -> np.ndarray:
    """Linear attenuation per mm from 10 to 80 keV in steps of 0.5, all of it or its scattering."""
    formula, density = _MATERIALS[material]
    ev = np.arange(10.0, 80.1, 0.5) * 1000
    return xraydb.material_mu(formula, ev, density=density, kind=kind) / 10


def _mu(material, energy):
    return np.interp(energy, np.arange(10.0, 80.1, 0.5), _table(material, "total"))


def _mu_scatter(material, energy):
    """Of it what leaves as scattered quanta."""
    return np.interp(energy, np.arange(10.0, 80.1, 0.5), _table(material, "total") - _table(material, "photo"))


@dataclass(frozen=True, slots=True, eq=False)
class _Beam:
    """Energies in keV and their shares of the open beam's signal."""

    energy: np.ndarray
    share: np.ndarray

    @classmethod
    def of(cls, scene: Scene) -> _Beam:
        energy, quanta = _fluence(round(scene.kvp, 1), scene.anode_deg)
        keep = energy > 12
        energy, quanta = energy[keep], quanta[keep]
        behind = _mu("aluminium", energy) * scene.filtration_mm + _mu("copper", energy) * scene.copper_mm
        signal = quanta * np.exp(-behind) * energy
        if scene.detector in _DETECTORS_MM:
            signal *= 1 - np.exp(-_mu(scene.detector, energy) * _DETECTORS_MM[scene.detector])
        return cls(energy, signal / signal.sum())

    def through(self, sheet, kind):
        """What passes, and what is given off as scatter, as shares of the open beam's signal.

        "single": scattered once, on the way through, and seen if it gets out; any other kind: the scattering share of
        what is stopped.
        """
        passed, given = np.zeros(SHAPE), np.zeros(SHAPE)
        for energy, share in zip(self.energy, self.share, strict=True):
            met = sum(_mu(name, energy) * mm for name, mm in sheet.items())
            scattering = sum(_mu_scatter(name, energy) * mm for name, mm in sheet.items())
            out = np.exp(-met)
            passed += share * out
            given += share * (scattering * out if kind == "single" else scattering / np.maximum(met, 1e-9) * (1 - out))
        return passed, given

    def aluminium_worth(self, sheet):
        """Millimetres of aluminium that stop the same primary beam behind the same tissue, by bisection."""
        where = sheet["hydroxyapatite"] > 0
        tissue = sum(np.outer(sheet[name][where], _mu(name, self.energy)) for name in ("water", "bone"))
        behind = self.share * np.exp(-tissue)
        mineral = np.outer(sheet["hydroxyapatite"][where], _mu("hydroxyapatite", self.energy))
        wanted = (behind * np.exp(-mineral)).sum(1)
        low, high = np.zeros(where.sum()), np.full(where.sum(), 40.0)
        for _ in range(40):
            middle = (low + high) / 2
            brighter = (behind * np.exp(-np.outer(middle, _mu("aluminium", self.energy)))).sum(1) > wanted
            low, high = np.where(brighter, middle, low), np.where(brighter, high, middle)
        out = sheet["aluminium"].copy()
        out[where] += low
        return out


def _heel(scene):
    """Beam before the limb: falls along one side, a little bent."""
    along = np.indices(SHAPE)[scene.heel_along] / (SHAPE[scene.heel_along] - 1)
    return 1 - scene.heel * (0.7 * along + 0.3 * along**2)


def _scatter(scene, primary, source):
    """Scatter whose share of the signal behind the middle of the limb is `scene.scatter`.

    "stopped" and "single": what the limb and the wedge give off, spread; "veil": the whole picture spread (glare of the
    detector); "uniform": the same everywhere.
    """
    kinds = {
        "veil": lambda: gaussian_filter(primary, scene.reach_mm / MM, mode="nearest"),
        "uniform": lambda: np.ones(SHAPE),
    }
    shape = kinds.get(scene.scatter_kind, lambda: _spread(scene, source))()
    centre = np.s_[140:160, 100:160]
    scale = scene.scatter / (1 - scene.scatter) * np.median(primary[centre]) / np.median(shape[centre])
    return scale * shape


def _spread(scene, source):
    """By a Gaussian, by one with a long tail, or as from points that shine alike to all sides so high above the film.

    The limb goes on beyond both ends of the film, nothing comes from beyond its sides.
    """
    reach = scene.reach_mm / MM
    pad = round(3 * reach)
    source = np.pad(np.pad(source, ((pad, pad), (0, 0)), mode="edge"), ((0, 0), (pad, pad)))
    if scene.kernel == "isotropic":
        y, x = np.mgrid[-2 * pad : 2 * pad + 1, -2 * pad : 2 * pad + 1]
        kernel = (y**2 + x**2 + reach**2) ** -1.5
        wide = fftconvolve(source, kernel / kernel.sum(), mode="same")
    else:
        wide = gaussian_filter(source, reach, mode="constant")
    if scene.kernel == "tailed":
        wide = 0.65 * wide + 0.35 * gaussian_filter(source, 2 * reach, mode="constant")
    return wide[pad:-pad, pad:-pad]


def _collimated(scene, light):
    """The film with nothing but a trace of the beam within so many pixels of its right border."""
    if scene.collimated_px:
        light = light.copy()
        light[:, -scene.collimated_px :] = 0.004
    return light


def _written(scene, light):
    top = 2**scene.bits - 1
    if scene.log:
        share = 0.05 + scene.offset - 0.16 * scene.gain * np.log(np.maximum(light, 1e-4))
    else:
        share = 1 - (scene.offset + 0.62 * scene.gain * light)
    return np.round(np.clip(share, 0, 1) * top).astype(np.uint16)
