"""Step-wedge films shot with a polychromatic beam, whose deposits are known in mm of aluminium.

Written apart from the fit: nothing here is imported from the package but the nouns of its results. The plan: a tube
spectrum (Kramers, filtered by aluminium) on an energy-weighing detector; millimetres of water, aluminium and
hydroxyapatite under every pixel; heel; scatter; blur; quanta; then what the detector writes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter

from calcimeasure.model.image import Acquisition, Image, Kind, Meaning, Spacing, SpacingOrigin
from calcimeasure.model.labels import Labels

# Mass attenuation in cm2/g (NIST XCOM tables; hydroxyapatite by its mass fractions of Ca, P, O and H).
_KEV = np.array([10.0, 15, 20, 30, 40, 50, 60, 80])
_MU_RHO = {
    "aluminium": np.array([26.23, 7.955, 3.441, 1.128, 0.5685, 0.3681, 0.2778, 0.2018]),
    "water": np.array([5.329, 1.673, 0.8096, 0.3756, 0.2683, 0.2269, 0.2059, 0.1837]),
    "calcium": np.array([93.41, 29.79, 13.06, 4.080, 1.830, 1.019, 0.6578, 0.3656]),
    "phosphorus": np.array([40.35, 12.39, 5.352, 1.700, 0.8096, 0.4916, 0.3494, 0.2324]),
    "oxygen": np.array([5.952, 1.836, 0.8651, 0.3779, 0.2585, 0.2132, 0.1907, 0.1678]),
    "hydrogen": np.array([0.3854, 0.3764, 0.3695, 0.3570, 0.3458, 0.3355, 0.3260, 0.3091]),
}
_HYDROXYAPATITE = {"calcium": 0.3989, "phosphorus": 0.1850, "oxygen": 0.4141, "hydrogen": 0.0020}
_MU_RHO["hydroxyapatite"] = np.sum([share * _MU_RHO[name] for name, share in _HYDROXYAPATITE.items()], axis=0)
_DENSITY = {"aluminium": 2.699, "water": 1.0, "hydroxyapatite": 3.16}  # g/cm3

STEPS_MM = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
SHAPE, MM = (300, 400), 0.4
_STEP_PX, _WIDTH_PX = 20, 34


@dataclass(frozen=True, slots=True)
class Scene:
    """What lies on the film and how it is shot; `deposits` are (row, column, radius px, mm, material)."""

    kvp: float = 55.0
    filtration_mm: float = 2.5
    scatter: float = 0.2
    scatter_kind: str = "limb"
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
    wedge_column: int = 350
    steps_mm: tuple[float, ...] = STEPS_MM
    deposits: tuple[tuple[float, float, float, float, str], ...] = ((150.0, 130.0, 14.0, 2.0, "aluminium"),)
    states_kvp: bool = True
    blur_mm: float = 0.15
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A film with the outline of its deposits and their mean mm of aluminium inside it."""

    image: Image
    labels: Labels
    truth: dict[int, float]
    aluminium: np.ndarray
    wedge: tuple[int, int, int, int]


def shoot(scene: Scene) -> Shot:
    """The film of a scene; truth of hydroxyapatite is the aluminium that stops the same beam in its place."""
    rng = np.random.default_rng(scene.seed)
    water, wedge, deposits, labels = _lay_out(scene, rng)
    field = _heel(scene)
    primary = field * _transmission(scene, water, wedge, deposits)
    beam = gaussian_filter(primary + _scatter(scene, primary, field), scene.blur_mm / MM)
    beam = rng.poisson(beam * scene.quanta) / scene.quanta
    image = Image(
        _written(scene, beam),
        Kind.RADIOGRAPH,
        Meaning.DETECTOR,
        Spacing.of(MM, MM, SpacingOrigin.USER),
        ceiling=float(2**scene.bits - 1),
        acquisition=Acquisition(
            intensity_relationship="LOG" if scene.log else "LIN",
            kvp=scene.kvp if scene.states_kvp else None,
            bits=scene.bits,
        ),
    )
    truth = {number: float(_equivalent(scene, water, deposits)[labels == number].mean()) for number in _used(labels)}
    return Shot(image, Labels(labels), truth, wedge, _wedge_box(scene))


def random_scene(seed: int) -> Scene:
    """A draw over the whole range that the calibration must stand: 40-70 kVp, scatter to 40 %, heel to 15 %."""
    rng = np.random.default_rng([seed, 5])
    log = bool(rng.random() < 0.5)
    return Scene(
        kvp=rng.uniform(40, 70),
        filtration_mm=rng.uniform(2.0, 3.5),
        scatter=rng.uniform(0, 0.4),
        scatter_kind=str(rng.choice(["limb", "limb", "veil", "uniform"])),
        reach_mm=rng.uniform(8, 25),
        heel=rng.uniform(0, 0.15),
        heel_along=int(rng.integers(2)),
        quanta=float(np.exp(rng.uniform(np.log(8e3), np.log(8e4)))),
        gain=rng.uniform(0.6, 1.0) if not log else rng.uniform(0.7, 1.3),
        offset=rng.uniform(0, 0.04),
        log=log,
        limb_mm=rng.uniform(12, 32),
        limb_width_mm=rng.uniform(44, 60),
        steps_mm=STEPS_MM if rng.random() < 0.7 else (0.5, 1.0, 2.0, 3.5, 5.0, 7.0, 9.0),
        deposits=_random_deposits(rng),
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


def _random_deposits(rng: np.random.Generator) -> tuple[tuple[float, float, float, float, str], ...]:
    rows = (65.0, 150.0, 235.0)
    return tuple(
        (
            row + rng.normal(0, 5),
            130 + rng.normal(0, 12),
            rng.uniform(4, 18),
            float(np.exp(rng.uniform(np.log(1.0), np.log(4.0)))),
            str(rng.choice(["aluminium", "hydroxyapatite"])),
        )
        for row in rows
    )


def _used(labels):
    return [int(n) for n in np.unique(labels) if n]


def _lay_out(scene, rng):
    """Maps: mm of water, mm of aluminium of the wedge, {material: mm of it}, and the labels."""
    row, column = np.indices(SHAPE)
    u = (column - 130) * MM / (scene.limb_width_mm / 2)
    water = scene.limb_mm * np.sqrt(np.clip(1 - np.abs(u) ** 2.5, 0, None))
    water = water * (1 + 0.02 * _texture(rng, 12 / MM))
    labels = np.zeros(SHAPE, np.int32)
    deposits = {"aluminium": np.zeros(SHAPE), "hydroxyapatite": np.zeros(SHAPE)}
    for number, (r, c, radius, mm, material) in enumerate(scene.deposits, 1):
        away2 = ((row - r) ** 2 + (column - c) ** 2) / radius**2
        worth = mm if material == "aluminium" else mm * 0.55
        deposits[material] += worth * np.sqrt(np.clip(1 - away2, 0, None))
        labels[away2 < 1] = number
    return water, _wedge(scene), deposits, labels


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


def _spectrum(scene):
    """Energies in keV and their shares of the signal behind the tube's filter."""
    energy = np.arange(12.0, scene.kvp, 0.5)
    photons = (scene.kvp - energy) / energy * np.exp(-_mu("aluminium", energy) * scene.filtration_mm)
    signal = photons * energy
    return energy, signal / signal.sum()


def _mu(material, energy):
    """Linear attenuation per mm."""
    table = np.interp(np.log(energy), np.log(_KEV), np.log(_MU_RHO[material]))
    return np.exp(table) * _DENSITY[material] / 10


def _transmission(scene, water, wedge, deposits):
    out = np.zeros(SHAPE)
    for energy, share in zip(*_spectrum(scene), strict=True):
        aluminium = wedge + deposits["aluminium"]
        stopped = _mu("water", energy) * water + _mu("aluminium", energy) * aluminium
        out += share * np.exp(-stopped - _mu("hydroxyapatite", energy) * deposits["hydroxyapatite"])
    return out


def _equivalent(scene, water, deposits):
    """Millimetres of aluminium that stop the same primary beam behind the same water, by bisection."""
    where = deposits["hydroxyapatite"] > 0
    energy, share = _spectrum(scene)
    behind = share * np.exp(-np.outer(water[where], _mu("water", energy)))
    wanted = (behind * np.exp(-np.outer(deposits["hydroxyapatite"][where], _mu("hydroxyapatite", energy)))).sum(1)
    low, high = np.zeros(where.sum()), np.full(where.sum(), 40.0)
    for _ in range(40):
        middle = (low + high) / 2
        brighter = (behind * np.exp(-np.outer(middle, _mu("aluminium", energy)))).sum(1) > wanted
        low, high = np.where(brighter, middle, low), np.where(brighter, high, middle)
    out = deposits["aluminium"].copy()
    out[where] += low
    return out


def _heel(scene):
    """Beam before the limb: falls along one side, a little bent."""
    along = np.indices(SHAPE)[scene.heel_along] / (SHAPE[scene.heel_along] - 1)
    return 1 - scene.heel * (0.7 * along + 0.3 * along**2)


def _scatter(scene, primary, field):
    """Scatter whose share of the signal behind the middle of the limb is `scene.scatter`.

    "limb": what was taken from the beam comes back spread by a kernel with a core and long tails; "veil": the whole
    picture spread (glare of the detector); "uniform": the same everywhere.
    """
    kinds = {
        "limb": lambda: _tailed(field - primary, scene.reach_mm / MM),
        "veil": lambda: gaussian_filter(primary, scene.reach_mm / MM, mode="nearest"),
        "uniform": lambda: np.ones(SHAPE),
    }
    shape = kinds[scene.scatter_kind]()
    centre = np.s_[140:160, 100:160]
    scale = scene.scatter / (1 - scene.scatter) * np.median(primary[centre]) / np.median(shape[centre])
    return scale * shape


def _tailed(source, reach_px):
    """Spread by 65 % of a Gaussian and 35 % of one twice as wide; nothing comes from outside the film."""
    return 0.65 * gaussian_filter(source, reach_px, mode="constant") + 0.35 * gaussian_filter(
        source, 2 * reach_px, mode="constant"
    )


def _written(scene, beam):
    top = 2**scene.bits - 1
    if scene.log:
        share = 0.05 + scene.offset - 0.16 * scene.gain * np.log(np.maximum(beam, 1e-4))
    else:
        share = 1 - (scene.offset + 0.62 * scene.gain * beam)
    return np.round(np.clip(share, 0, 1) * top).astype(np.uint16)
