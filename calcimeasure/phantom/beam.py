"""The tube's beam: how much of it passes so many millimetres of each material.

The plan: Kramers' spectrum behind 2.5 mm of aluminium on a detector that weighs quanta by their energy; without a tube
voltage, one energy of 40 keV, at which `PER_MM` holds. Written apart from the fit of `steps.measure.wedge`, which
must find this out alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from calcimeasure.model.arrays import Floats, Map

PER_MM = {"fat": 0.0228, "muscle": 0.0285, "bone": 0.099, "calcium": 0.107, "aluminium": 0.154, "steel": 2.86}
"""Linear attenuation per mm at 40 keV (NIST tables of mass attenuation, rounded). Bone (1.92 g/cm3) and calcium
(1.2 g/cm3 of hydroxyapatite) are what they add to the soft tissue in whose place they lie."""

FILTRATION_MM = 2.5
"""Aluminium in the tube and its filter."""

_KEV = np.array([15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0])
# Mass attenuation in cm2/g (NIST; hydroxyapatite by its mass fractions of Ca, P, O and H).
_CM2_G = {
    "fat": np.array([1.083, 0.5677, 0.3063, 0.2396, 0.2123, 0.1974, 0.1800, 0.1688]),
    "muscle": np.array([1.693, 0.8205, 0.3783, 0.2685, 0.2262, 0.2048, 0.1823, 0.1693]),
    "bone": np.array([9.032, 4.001, 1.331, 0.6655, 0.4242, 0.3148, 0.2229, 0.1855]),
    "hydroxyapatite": np.array([14.94, 6.559, 2.099, 0.9875, 0.5864, 0.4049, 0.2590, 0.2004]),
    "aluminium": np.array([7.955, 3.441, 1.128, 0.5685, 0.3681, 0.2778, 0.2018, 0.1704]),
    "steel": np.array([57.08, 25.68, 8.176, 3.629, 1.958, 1.205, 0.5952, 0.3717]),
}
# Soft tissue that a mm of it displaces is taken off: all by bone, 38 % by hydroxyapatite of 1.2 g/cm3.
_OF_TABLE = {
    "fat": _CM2_G["fat"],
    "muscle": _CM2_G["muscle"],
    "bone": 1.92 * _CM2_G["bone"] - 1.05 * _CM2_G["muscle"],
    "calcium": 1.2 * _CM2_G["hydroxyapatite"] - 0.38 * 1.05 * _CM2_G["muscle"],
    "aluminium": _CM2_G["aluminium"],
    "steel": _CM2_G["steel"],
}


def exponent(thickness: Mapping[str, Map], kvp: float) -> Map:
    """Minus the logarithm of the beam's share that passes: Beer-Lambert, summed over the spectrum.

    Parameters
    ----------
    thickness : mapping of str to float32 array
        Millimetres of each material of `PER_MM`.
    kvp : float
        Tube voltage in kV.
    """
    energies, shares = _spectrum(kvp)
    through = np.zeros(next(iter(thickness.values())).shape, np.float32)
    for energy, share in zip(energies, shares, strict=True):
        stopped = sum(np.float32(_per_mm(name, energy)) * mm for name, mm in thickness.items())
        through += np.float32(share) * np.exp(-np.asarray(stopped, np.float32))
    return np.asarray(-np.log(np.maximum(through, 1e-12)), np.float32)


def aluminium_worth(thickness: Mapping[str, Map], kvp: float | None) -> Map:
    """Millimetres of aluminium that stop the same beam as the calcium does, in its place, behind the same tissue."""
    calcium = thickness["calcium"]
    if kvp is None:
        return np.asarray(calcium * np.float32(PER_MM["calcium"] / PER_MM["aluminium"]), np.float32)
    worth, where = np.zeros_like(calcium), calcium > 0
    others = {name: mm[where] for name, mm in thickness.items() if name != "calcium"}
    wanted = exponent({**others, "calcium": calcium[where]}, kvp)
    low, high = np.zeros_like(wanted), np.full_like(wanted, 3 * float(calcium.max(initial=0.0)) + 1)
    for _ in range(24):
        middle = (low + high) / 2
        with_aluminium = {**others, "aluminium": np.asarray(others["aluminium"] + middle, np.float32)}
        less = exponent(with_aluminium, kvp) < wanted
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    worth[where] = (low + high) / 2
    return worth


def _spectrum(kvp: float) -> tuple[Floats, Floats]:
    """Energies in keV and their shares of the open beam's signal."""
    energy = np.arange(16.0, kvp, 2.5)
    signal = (kvp - energy) * np.exp(-FILTRATION_MM * np.array([_per_mm("aluminium", e) for e in energy]))
    return energy, signal / signal.sum()


def _per_mm(material: str, kev: float) -> float:
    """Attenuation per mm: the table's course, through `PER_MM` at 40 keV."""
    table = _OF_TABLE[material]
    course = np.exp(np.interp(np.log([kev, 40.0]), np.log(_KEV), np.log(table)))
    return float(PER_MM[material] * course[0] / course[1])
