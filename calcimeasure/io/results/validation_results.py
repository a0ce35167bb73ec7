"""What a validation leaves behind beside the tables of `measure`: two tables and a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from calcimeasure.io.results.tables import Row, csv_text
from calcimeasure.io.results.written import Written
from calcimeasure.report.trial.blocks import CAUTION, foot_html, head_html, page_html
from calcimeasure.report.trial.validation import validation_page
from calcimeasure.steps.agreement.validation import FilmScore, Validation


@dataclass(frozen=True, slots=True)
class Scored:
    """A film with its score; `None` for one that was left out, and `note` says why."""

    image: str
    source: str
    score: FilmScore | None = None
    note: str = ""


def write_validation(
    written: Written, scored: Sequence[Scored], found: Mapping[str, Validation], run: Mapping[str, Any]
) -> None:
    """Write validation.csv, film_scores.csv and validation.html.

    Parameters
    ----------
    written : Written
        Of the results folder.
    scored : sequence of Scored
        Every film.
    found : mapping of str to Validation
        All films together, then each source.
    run : mapping
        ``version`` and ``recipe_hash``.

    Raises
    ------
    OutputError
        When the folder cannot be written.
    """
    kicker = f"calcimeasure {run['version']} \N{MIDDLE DOT} recipe {run['recipe_hash']}"
    left_out = [f"{one.image}: {one.note}" for one in scored if one.score is None]
    page = page_html(validation_page(found, kicker, left_out))
    foot = foot_html(f"{CAUTION} Made by calcimeasure {run['version']}.")
    written.write(
        {
            "validation.csv": csv_text("validation.csv", _figure_rows(found)),
            "film_scores.csv": csv_text("film_scores.csv", map(_film_row, scored)),
            "validation.html": head_html("Calcinosis: validation") + page + foot,
        }
    )


def _figure_rows(found: Mapping[str, Validation]) -> Iterator[Row]:
    for source, one in found.items():
        for row in one.figures:
            yield {
                "source": source,
                "figure": row.figure,
                "value": row.value,
                "lower": None if row.interval is None else row.interval.low,
                "upper": None if row.interval is None else row.interval.high,
                "number": row.number,
                "of": row.of,
            }


def _film_row(scored: Scored) -> Row:
    one = scored.score
    if one is None:
        return {"image": scored.image, "source": scored.source, "status": "left_out", "note": scored.note}
    counted = [deposit for deposit in one.deposits if deposit.counts]
    return {
        "image": scored.image,
        "source": scored.source,
        "status": "scored",
        "deposits": len(counted),
        "found": sum(deposit.is_found for deposit in counted),
        "false_finds": one.false,
        "dice": one.dice,
        "true_mm2": one.true_mm2,
        "found_mm2": one.found_mm2,
        "area_mm2_sd": one.sd_mm2,
        "covered": None if one.is_covered is None else "yes" if one.is_covered else "no",
    }
