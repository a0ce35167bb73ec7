"""The command line: the only place that prints and exits.

Exit codes: 0 all measured; 1 finished, some failed; 2 bad usage; 3 nothing to measure; 130 interrupted.
"""

from __future__ import annotations

from typing import Annotated

import typer

from calcimeasure import __version__
from calcimeasure.cli import calibrate, demo, info, measure, repeatability, sample_size, study, validate
from calcimeasure.cli.terminal import ALL_MEASURED

app = typer.Typer(
    name="calcimeasure",
    help="Measures calcinosis on radiographs and photos. Research use only; not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# In the order in which --help lists them.
for _command in (
    measure.measure,
    study.compare,
    study.study,
    repeatability.repeatability,
    sample_size.sample_size,
    validate.validate,
    demo.demo,
    info.info,
    calibrate.calibrate,
    calibrate.marker,
):
    app.command()(_command)


@app.callback(invoke_without_command=True)
def _front(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit(ALL_MEASURED)
