"""The command about the next trial: sample-size."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

import calcimeasure
from calcimeasure.cli.options import Json, ProfileFile
from calcimeasure.cli.terminal import ALL_MEASURED, as_lines, clear_errors, say


class EndpointOption(StrEnum):
    """What --endpoint accepts."""

    MEAN = "mean"
    RESPONDERS = "responders"


def sample_size(
    endpoint: Annotated[
        EndpointOption, typer.Option(help="Decide by the mean log change, or by the share of responders.")
    ] = EndpointOption.MEAN,
    arms: Annotated[int, typer.Option(min=1, max=2, help="1: against the natural course. 2: a control arm.")] = 1,
    effect: Annotated[float, typer.Option(help="Median change by treatment in percent.")] = -30.0,
    natural: Annotated[float, typer.Option(help="Median change without treatment in percent.")] = 0.0,
    spread: Annotated[float, typer.Option(help="Between-patient sd of the true log change.")] = 0.5,
    error: Annotated[float, typer.Option(help="Sd of one reading, percent of the area.")] = 10.0,
    profile: ProfileFile = None,
    size: Annotated[float, typer.Option(help="Total area in mm2 at which the profile is asked.")] = 100.0,
    readers: Annotated[int, typer.Option(min=1, help="Readings of each film that are averaged.")] = 1,
    films: Annotated[int, typer.Option(min=1, help="Films of each visit that are averaged.")] = 1,
    cut: Annotated[float, typer.Option(help="Fall in percent from which a patient is a responder.")] = 25.0,
    alpha: Annotated[float, typer.Option(help="Two-sided.")] = 0.05,
    power: Annotated[float, typer.Option(help="Chance to show the effect if it is there.")] = 0.8,
    losses: Annotated[float, typer.Option(help="Patients without a usable follow-up, percent.")] = 0.0,
    patients: Annotated[int | None, typer.Option(min=2, help="Say what so many in each arm can show.")] = None,
    figure: Annotated[Path | None, typer.Option("--figure", metavar="PNG", help="Draw power by patients.")] = None,
    as_json: Json = False,
) -> None:
    """Say how many patients a trial needs, and what a given number can show."""
    with clear_errors():
        measured = _error(error, profile, size, readers, films)
        plan = calcimeasure.TrialPlan(
            calcimeasure.Endpoint(endpoint.value), arms, effect, natural, spread, measured, cut, alpha, losses / 100
        )
        facts = _facts(plan, power, patients)
        if figure:
            calcimeasure.draw_power(plan, power, facts["per_arm"], figure)
        print(json.dumps(facts | {"plan": asdict(plan)}) if as_json else as_lines(facts))
    raise typer.Exit(ALL_MEASURED)


def _error(
    percent: float, profile: Path | None, size: float, readers: int, films: int
) -> calcimeasure.MeasurementError:
    """Measurement error by the user's profile, or as given."""
    totals = calcimeasure.read_profile(profile).totals if profile else None
    if totals is None:
        return calcimeasure.MeasurementError(percent / 100, readers, films)
    if not totals.covers(size):
        say(f"the profile saw totals from {totals.smallest:.3g} to {totals.largest:.3g}: at {size:g} it is a guess")
    return calcimeasure.MeasurementError.from_profile(totals, size, readers, films)


def _facts(plan: calcimeasure.TrialPlan, power: float, patients: int | None) -> dict[str, Any]:
    """The answer as one object of ``--json``."""
    found = calcimeasure.sample_size(plan, power)
    treated, natural = found.responders
    facts: dict[str, Any] = {
        "per_arm": found.per_arm,
        "enrolled": found.enrolled,
        "power": round(found.power, 4),
        "responders_treated_percent": round(100 * treated, 1),
        "responders_natural_percent": round(100 * natural, 1),
        "told_log_sd": round(plan.told_sd, 4),
    }
    if patients:
        least = calcimeasure.least_effect(plan, patients, power)
        facts["patients"] = patients
        facts["power_with_them"] = round(calcimeasure.power_of(plan, patients), 4)
        facts["least_effect_percent"] = None if least is None else round(least, 1)
    return facts
