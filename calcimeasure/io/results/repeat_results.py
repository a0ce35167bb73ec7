"""What a repeatability study leaves behind: two tables, the profile for `compare`, and a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from calcimeasure.io.results.tables import Row, csv_text
from calcimeasure.io.results.written import Written
from calcimeasure.model.precision import Precision
from calcimeasure.report.trial.blocks import CAUTION, foot_html, head_html, page_html
from calcimeasure.report.trial.repeats import repeat_page
from calcimeasure.steps.agreement.repeats import RepeatStudy

PROFILE = "profile.json"


def write_repeats(
    written: Written, found: RepeatStudy, rows: Sequence[Row], run: Mapping[str, Any], remarks: Sequence[str] = ()
) -> None:
    """Write repeatability.csv, repeats.csv, profile.json (where there is a profile) and report.html.

    Parameters
    ----------
    written : Written
        Of the results folder.
    found : RepeatStudy
    rows : sequence of Row
        Of repeats.csv.
    run : mapping
        ``version`` and ``recipe_hash``.
    remarks : sequence of str
        What was left out and why.

    Raises
    ------
    OutputError
        When the folder cannot be written.
    """
    kicker = f"calcimeasure {run['version']} \N{MIDDLE DOT} recipe {run['recipe_hash']}"
    page = page_html(repeat_page(found, kicker, remarks))
    foot = foot_html(f"{CAUTION} Made by calcimeasure {run['version']}.")
    written.remove([PROFILE])
    profile = {} if found.precision == Precision() else {PROFILE: profile_text(found.precision)}
    tables = {
        "repeatability.csv": csv_text("repeatability.csv", figure_rows(found)),
        "repeats.csv": csv_text("repeats.csv", rows),
    }
    written.write({**tables, **profile, "report.html": head_html("Calcinosis: repeatability") + page + foot})


def profile_text(precision: Precision) -> str:
    """The file that `compare --profile` reads."""
    return json.dumps(precision.to_json(), indent=1) + "\n"


def figure_rows(found: RepeatStudy) -> list[Row]:
    """Rows of repeatability.csv."""
    return [
        {
            "figure": row.figure,
            "unit": row.unit,
            "value": row.value,
            "lower": row.lower,
            "upper": row.upper,
            "of": one.of.value,
            "groups": len(one.groups),
            "size": row.size,
            "note": row.note,
        }
        for one in found.sets
        for row in found.figures(one)
    ]
