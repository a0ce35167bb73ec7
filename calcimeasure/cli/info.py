"""The command that says what could be measured: info."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import typer

import calcimeasure
from calcimeasure.cli.options import Frame, Json, KindChoice, KindOption, MaxMegapixels, Paths, SpacingText, job_of
from calcimeasure.cli.terminal import ALL_MEASURED, SOME_FAILED, as_lines, clear_errors, told


def info(
    paths: Paths,
    kind: KindChoice = KindOption.AUTO,
    spacing: SpacingText = None,
    frame: Frame = None,
    max_megapixels: MaxMegapixels = 400,
    as_json: Json = False,
) -> None:
    """Say what the reader understands of a file: size, kind, polarity, meaning, scale, warnings."""
    with clear_errors(), told() as tell:
        job = replace(job_of(Path(), kind, spacing), frame=frame, max_megapixels=max_megapixels)
        unread = 0
        for facts in calcimeasure.describe_films(paths, job, tell):
            print(json.dumps(facts) if as_json else as_lines(facts), flush=True)
            unread += bool(facts["error"])
        raise typer.Exit(SOME_FAILED if unread else ALL_MEASURED)
