"""The calibration that a fitted film gives: attenuation at every pixel, the curve through the steps, other readings."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.density import Beam, Knots, Reading, Step, WedgeCalibration, Writing
from calcimeasure.model.image import Image
from calcimeasure.steps.measure.wedge.blur import blur_px
from calcimeasure.steps.measure.wedge.fit import Fit, fitted, swayed
from calcimeasure.steps.measure.wedge.model import CONTRAST, Array, FilmModel, stored
from calcimeasure.steps.measure.wedge.steps import Region, WedgeSteps, inner

#: Least share of the steps' variance that the curve must explain.
LEAST_R2 = 0.99

_LEAST_WITNESSES = 60
_USUAL_WEDGE_COST, _MOST_WEDGE_COST = 4.0, 12.0  # 97 of 100 drawn films of another physics fit below 3
_USUAL_FIELD_COST, _MOST_FIELD_COST = 20.0, 100.0  # and below 15
_MOST_BEYOND = 1.2  # how far the curve goes on, as the beam does, beyond the thickest step
_TOLD_APART = 3.0  # difference in cost at which one sort of haze is e times as likely as another


def calibration(image: Image, found: WedgeSteps, material: str) -> WedgeCalibration:
    """The calibration of a film by its steps.

    Raises
    ------
    MeasurementRefused
        When the model does not explain the film.
    """
    fits = min((fitted(FilmModel.bare(image, found, writing)) for writing in _writings(image)), key=lambda f: f[0].cost)
    best, beam = fits[0], fits[0].model.beam(fits[0].parameters)
    attenuation, share = _corrected(image, found, best)
    steps = tuple(_step(attenuation, mm, box) for mm, box in zip(found.thickness, found.boxes, strict=True))
    levels = np.array([step.attenuation for step in steps])
    if np.diff(levels, prepend=0.0).min() <= 0:
        raise MeasurementRefused("the wedge's steps do not grow denser one by one: check the list of steps and region")
    residual, r2 = _goodness(best, levels)
    _check_fit(best)
    doubt = "; ".join(_doubts(image, best))
    return WedgeCalibration(
        steps, attenuation, share, _knots(levels, best.model.thickness, beam), residual, residual, r2, found.region,
        best.model.writing, beam, image.acquisition.kvp is not None, material, bool(doubt),
        doubt, _readings(fits), blur_px(image, found),
    )  # fmt: skip


def _writings(image: Image) -> tuple[Writing, ...]:
    stated = image.acquisition.intensity_relationship
    return (Writing(stated),) if stated in ("LIN", "LOG") else (Writing.LINEAR, Writing.LOG)


def _doubts(image: Image, fit: Fit) -> list[str]:
    out = []
    if len(_writings(image)) > 1:
        out.append("the file does not say whether its values are linear or logarithmic: the wedge's curve decided")
    if fit.model.field.values.size < _LEAST_WITNESSES:
        out.append("too little open field to take heel and scatter from")
    if image.acquisition.kvp is None:
        out.append("the file states no kVp: the hardness of the beam was guessed")
    return out


def _check_fit(fit: Fit) -> None:
    if fit.wedge_cost > _MOST_WEDGE_COST:
        raise MeasurementRefused(
            "the steps do not darken as so much aluminium does in this beam: check the list of steps, the metal, the "
            "tube voltage in the file, and that nothing lies over the wedge"
        )
    if fit.field_cost > _MOST_FIELD_COST:
        raise MeasurementRefused(
            "heel and scatter of this film are not explained by its open field: keep metal, letters and the edge of "
            "the collimator away from the wedge"
        )


def _corrected(image: Image, found: WedgeSteps, fit: Fit) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Log attenuation of the primary beam at every pixel, and scatter as a share of the signal."""
    model, p = fit.model, fit.parameters
    heel, scatter = (cv2.resize(c, image.shape[1::-1], interpolation=cv2.INTER_CUBIC) for c in _maps(model, p))
    seen = np.maximum(model.intensity(stored(image, found, model.writing), p), 1e-6)
    primary = np.maximum(seen - scatter, 1e-5)
    return np.asarray(-np.log(primary / heel), np.float32), np.asarray(scatter / seen, np.float32)


def _maps(model: FilmModel, p: Array) -> tuple[Array, Array]:
    return model.heel(model.coarse.u, model.coarse.v, p), model.scatter(model.hazes, p)


def _step(attenuation: npt.NDArray[np.float32], mm: float, box: Region) -> Step:
    inside = attenuation[inner(box)]
    spread = 1.4826 * float(np.median(np.abs(inside - np.median(inside))))
    return Step(mm, float(np.median(inside)), 1.2533 * spread / np.sqrt(inside.size), box)


def _goodness(fit: Fit, levels: Array) -> tuple[float, float]:
    """Root mean square distance of the steps from the physical curve in mm, and R2.

    Raises
    ------
    MeasurementRefused
        When the curve explains too little.
    """
    thickness = fit.model.thickness
    scale = np.linspace(0, 1.5 * thickness[-1], 600)
    said = np.interp(levels, -np.log(fit.model.beam(fit.parameters).transmission(0.0, scale)), scale)
    off = said - thickness
    r2 = 1 - float(np.sum(off**2) / np.sum((thickness - thickness.mean()) ** 2))
    if r2 < LEAST_R2:
        raise MeasurementRefused(
            f"the wedge's curve does not follow its thickness (R2 {r2:.3f}, at least {LEAST_R2} is needed): check the "
            "list of steps, that nothing lies over the wedge, and that the values are the detector's"
        )
    return float(np.sqrt(np.mean(off**2))), r2


def _knots(levels: Array, thickness: Array, beam: Beam) -> Knots:
    """Points of the monotone cubic through nothing at zero and every step; beyond the last, the beam's own course."""
    curve = PchipInterpolator(np.concatenate([[0.0], levels]), np.concatenate([[0.0], thickness]))
    log = np.linspace(0.0, levels[-1], 200)
    beyond = np.linspace(1.0, _MOST_BEYOND, 9)[1:] * thickness[-1]
    course = -np.log(beam.transmission(0.0, np.concatenate([thickness[-1:], beyond])))
    logs, mms = np.concatenate([log, levels[-1] + course[1:] - course[0]]), np.concatenate([curve(log), beyond])
    return tuple(zip(logs.tolist(), mms.tolist(), strict=True))


def _readings(fits: tuple[Fit, ...]) -> tuple[Reading, ...]:
    """The best fit's, those about as likely along each axis of its error, and those of other sorts of haze."""
    best = fits[0]
    near = [(best.model, p, 0.5 * _excess_cost(best)) for p in swayed(best)]
    rivals = [(fit.model, fit.parameters, float(np.exp((best.cost - fit.cost) / _TOLD_APART))) for fit in fits[1:]]
    first = (best.model, best.parameters, 0.0)
    readings = (_reading(model, p, weight, best) for model, p, weight in (first, *near, *rivals))
    return tuple(reading for reading in readings if reading is not None)


def _excess_cost(fit: Fit) -> float:
    """By what its variance grows when the model fits a film worse than it usually does."""
    return max(1.0, fit.wedge_cost / _USUAL_WEDGE_COST, fit.field_cost / _USUAL_FIELD_COST)


def _reading(model: FilmModel, p: Array, weight: float, best: Fit) -> Reading | None:
    """One way to read the film; none where its steps would not grow denser."""
    levels = model.attenuation(p)
    if np.diff(levels, prepend=0.0).min() <= 0 or (weight < 0.01 and p is not best.parameters):
        return None
    contrast = float(np.exp(best.parameters[CONTRAST] - p[CONTRAST])) if model.writing is Writing.LOG else 1.0
    heel, scatter = (np.asarray(m, np.float32) for m in _maps(model, p))
    beam = model.beam(p)
    return Reading(heel, scatter, contrast, _knots(levels, model.thickness, beam), beam, weight)
