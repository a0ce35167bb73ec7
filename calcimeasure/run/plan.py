"""The figure of a trial that is planned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from calcimeasure.io.files import write_whole
from calcimeasure.report.figures import PowerCurve, power_plot
from calcimeasure.steps.agreement.power import TrialPlan, power_of


def draw_power(plan: TrialPlan, power: float, needed: int, file: Path) -> None:
    """Draw power by number of patients as PNG: for the planned effect, and for a third less and a third more.

    Parameters
    ----------
    plan : TrialPlan
    power : float
        The power wanted, as a share.
    needed : int
        Patients in each arm that give it.
    file : Path
        Where the picture goes.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    numbers = tuple(range(2, max(12, 2 * needed) + 1, max(1, needed // 24)))
    effects = [plan.effect_percent * part for part in (1, 2 / 3, 4 / 3) if plan.effect_percent * part > -99]
    plans = [replace(plan, effect_percent=effect) for effect in effects]
    curves = [
        PowerCurve(f"median change {one.effect_percent:+.0f} %", numbers, tuple(power_of(one, n) for n in numbers))
        for one in plans
    ]
    write_whole(file, power_plot(curves, power, needed))
