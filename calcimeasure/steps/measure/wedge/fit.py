"""The model fitted to a film: the sort of haze that explains it best, and what the film leaves open."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from calcimeasure.steps.measure.wedge.model import Array, FilmModel, Haze

_ROUNDS = 4  # enough to tell which sort of haze it is, and on most drawn films to settle
_MORE_ROUNDS = 20
_LEAST_GAIN = 0.05  # of the cost, half a chi squared: less says nothing
_AT_BOUND = 1e-4
_SCALES = np.array([0.5, 4.0, 0.05, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.3, 0.2, 0.2, 0.2, 0.2])
_BOUNDS = (
    np.array([0.5, 30.0, -0.1, -0.8, -1.0, -1.0, -1.0, -1.0, -1.0, -16.0, 0.0, -2.0, 0.0, 0.0, 0.0, 0.0]),
    np.array([12.0, 120.0, 0.35, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 16.0, 1.5, 2.0, 3.0, 3.0, 3.0, 3.0]),
)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A fitted model: its parameters, its cost (half of chi squared), and the slopes of its residuals."""

    model: FilmModel
    parameters: Array
    cost: float
    slopes: Array

    @classmethod
    def unfitted(cls, model: FilmModel) -> Fit:
        """A model at its first guess."""
        return cls(model, model.start, np.inf, np.zeros((0, len(model.start))))

    @property
    def field_cost(self) -> float:
        """Of the cost, the open field's."""
        return float(np.sum(self.model.on_field(self.parameters) ** 2) / 2)

    @property
    def wedge_cost(self) -> float:
        """Of the cost, the steps' and what the beam had to be bent for them."""
        on_steps, priors = self.model.on_steps(self.parameters), self.model.priors(self.parameters)
        return float((np.sum(on_steps**2) + np.sum(priors[:5] ** 2)) / 2)


def fitted(bare: FilmModel) -> tuple[Fit, ...]:
    """The fits of a film, one for each sort of haze, the best first."""
    fits = sorted((_settled(replace(bare, haze=haze)) for haze in Haze), key=lambda fit: fit.cost)
    return tuple(sorted((_driven_home(fits[0]), *fits[1:]), key=lambda fit: fit.cost))


def swayed(fit: Fit) -> tuple[Array, ...]:
    """Parameters one standard deviation away from the best, to both sides along each axis of what is left open.

    A parameter that lies at its bound goes one way only, the free ones following it.
    """
    at_bound = (fit.parameters - _BOUNDS[0] < _AT_BOUND) | (_BOUNDS[1] - fit.parameters < _AT_BOUND)
    free = fit.slopes[:, ~at_bound]
    _, stretch, axes = np.linalg.svd(free, full_matrices=False)
    sways = [_put(~at_bound, axis / long) for axis, long in zip(axes, stretch, strict=True)]
    followed = np.linalg.pinv(free)
    lone = [
        _off_bound(fit, k, _put(~at_bound, -followed @ fit.slopes[:, k])) for k in np.flatnonzero(at_bound).tolist()
    ]
    return tuple(_within(fit.parameters, sign * sway) for sway in (*sways, *lone) for sign in (-1.0, 1.0))


def _put(where: npt.NDArray[np.bool_], values: Array) -> Array:
    out = np.zeros(len(where))
    out[where] = values
    return out


def _off_bound(fit: Fit, k: int, followed: Array) -> Array:
    """How far the kth parameter may leave its bound: its own standard deviation, or less where the slope forbids it."""
    way = followed.copy()
    way[k] = 1.0
    along, residuals = fit.slopes @ way, fit.model.residuals(fit.parameters)
    length = 1 / max(float(np.linalg.norm(along)), abs(float(along @ residuals)), 1e-9)
    return way * length


def _within(start: Array, sway: Array) -> Array:
    """As far along the sway as the bounds let it, once at most."""
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(sway > 0, (_BOUNDS[1] - start) / sway, (_BOUNDS[0] - start) / sway)
    return start + sway * float(np.clip(np.min(room[sway != 0], initial=1.0), 0.0, 1.0))


def _settled(model: FilmModel) -> Fit:
    """The model fitted some times over, each time with the scatter's source corrected by the last."""
    fit = Fit.unfitted(model)
    for _ in range(_ROUNDS):
        fit = _once_more(fit)
    return fit


def _once_more(fit: Fit) -> Fit:
    """The fit of a model whose scatter has the source that the last fit gives it."""
    model = fit.model.with_scatter(fit.parameters)
    found = least_squares(model.residuals, fit.parameters, x_scale=_SCALES, bounds=_BOUNDS, max_nfev=60)
    return Fit(model, found.x, float(found.cost), np.asarray(found.jac))


def _driven_home(fit: Fit) -> Fit:
    """The fit after as many more rounds as explain the film better; much scatter from a thin limb takes many."""
    for _ in range(_MORE_ROUNDS):
        further = _once_more(fit)
        if further.cost > fit.cost - _LEAST_GAIN:
            return min(fit, further, key=lambda one: one.cost)
        fit = further
    return fit
