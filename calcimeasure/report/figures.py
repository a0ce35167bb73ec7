"""Figures of a cohort as PNG. The one door of matplotlib, without its state: every figure is an object of its own.

Colour is never alone: a verdict also has a letter and a hatching, a line a marker.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from calcimeasure.model.precision import PrecisionProfile, df_inflation
from calcimeasure.model.study import Verdict
from calcimeasure.report.marks import VERDICTS

_INK = "#17212b"
_QUIET = "#5a6672"
_LINE = "#d5dade"
_DPI = 200
_LABELLED = 14  # lines: more names at their ends would not keep apart
_NAMED = 40  # subjects: beyond it their names would not be legible
_HIGHEST = 200.0  # percent: higher bars are cut and marked


@dataclass(frozen=True, slots=True)
class Bar:
    """A subject in the waterfall: change in percent with its interval, `None` where it is not known."""

    subject: str
    percent: float
    interval: tuple[float, float] | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Course:
    """A subject over time: months after the start of treatment (or number of the visit) and percent of the baseline."""

    subject: str
    times: tuple[float, ...]
    percent: tuple[float, ...]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Cloud:
    """Pairs of readings for Bland and Altman's plot, with the lines to draw (value, words); the first is the mean."""

    pairs: tuple[tuple[float, float], ...]
    verdicts: tuple[Verdict, ...]
    lines: tuple[tuple[float, str], ...]
    across: str
    up: str


def waterfall(bars: Sequence[Bar], usual: float, cut: float = 25.0) -> bytes:
    """Change of every subject, from the largest rise to the largest fall.

    `usual` percent is the course under usual care, `cut` percent the rule's.
    """
    figure, axes = _figure(7.2, 3.1)
    ordered = sorted(bars, key=lambda bar: -bar.percent)
    for place, bar in enumerate(ordered):
        _draw_bar(axes, place, bar)
    _rule(axes, (-cut, cut), f"{cut:g} %")
    axes.axhline(usual, color="#B5458A", lw=1.1, ls=(0, (1, 1.5)))
    axes.annotate(
        f"usual care, SSc hands {usual:+.1f} %", (1.012, usual), xycoords=("axes fraction", "data"), va="center",
        fontsize=7, color="#8d2f6a", annotation_clip=False,
    )  # fmt: skip
    names = [bar.subject if len(ordered) <= _NAMED else "" for bar in ordered]
    axes.set_xticks(range(len(ordered)), [_short(name) for name in names], rotation=90 if len(names) > 12 else 0)
    axes.set_xlim(-0.7, max(len(ordered), 6) - 0.3)
    axes.set_ylabel("change of total area, %")
    return _png(figure)


def spaghetti(courses: Sequence[Course], across: str, cut: float = 25.0) -> bytes:
    """Every subject's total over time, in percent of the baseline; `cut` percent is the rule's."""
    figure, axes = _figure(3.5, 2.9)
    for course in courses:
        mark = VERDICTS[course.verdict]
        colour, marker = mark.colour, mark.marker
        axes.plot(course.times, _capped(course), color=colour, marker=marker, ms=3.2, lw=1.1, alpha=0.85)
    if len(courses) <= _LABELLED:
        _label_ends(axes, courses)
    _rule(axes, (100 - cut, 100 + cut), "")
    axes.axhline(100, color=_QUIET, lw=0.8)
    axes.set_xlabel(across)
    axes.set_ylabel("total area, % of baseline")
    axes.set_ylim(bottom=0)
    latest = max(max(course.times) for course in courses)
    axes.set_xticks(np.arange(0, latest + 1e-9, max(1, 3 * round(latest / 18)) if latest > 6 else 1))
    return _png(figure)


def bland_altman_plot(cloud: Cloud) -> bytes:
    """Differences of pairs over their means, with the lines given."""
    figure, axes = _figure(3.5, 2.9)
    means, differences = (np.array([f(a, b) for a, b in cloud.pairs]) for f in (_mean, _difference))
    for verdict in dict.fromkeys(cloud.verdicts):
        colour, marker = VERDICTS[verdict].colour, VERDICTS[verdict].marker
        those = np.array([one is verdict for one in cloud.verdicts])
        axes.plot(means[those], differences[those], marker, color=colour, ms=4.5, ls="", alpha=0.9)
    axes.axhline(0, color=_QUIET, lw=0.6)
    for place, (value, words) in enumerate(cloud.lines):
        axes.axhline(value, color=_INK, lw=0.9, ls=(0, (5, 3)) if place else "-")
        axes.annotate(
            words, (0.99, value), (0, 2), xycoords=("axes fraction", "data"), textcoords="offset points",
            fontsize=6.2, ha="right", va="bottom", color=_QUIET,
        )  # fmt: skip
    axes.margins(0.08, 0.16)
    axes.set_xlabel(cloud.across)
    axes.set_ylabel(cloud.up)
    return _png(figure)


def profile_plot(groups: Sequence[Sequence[float]], profile: PrecisionProfile, across: str, up: str) -> bytes:
    """Scatter of every repeated measurement over its size, with the profile, and its upper 95 % bound dashed."""
    figure, axes = _figure(3.5, 2.9)
    means = np.array([np.mean(group) for group in groups])
    axes.plot(means, [np.std(group, ddof=1) for group in groups], "s", color="#8A8F94", ms=3.5, alpha=0.8)
    sizes = np.geomspace(profile.smallest, max(profile.largest, 1.01 * profile.smallest), 100)
    curve = np.array([profile.wsd(size) for size in sizes])
    bound = np.array([df_inflation(profile.df_at(size)) for size in sizes])
    axes.plot(sizes, curve, color="#0072B2", lw=1.4)
    axes.plot(sizes, curve * bound, color="#0072B2", lw=1.0, ls=(0, (4, 3)))
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(lambda value, _: "")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    return _png(figure)


@dataclass(frozen=True, slots=True)
class PowerCurve:
    """Power by the number of patients in an arm, for one effect."""

    words: str
    patients: tuple[int, ...]
    power: tuple[float, ...]


def power_plot(curves: Sequence[PowerCurve], asked: float, needed: int | None) -> bytes:
    """Power over the number of patients in an arm; dashed what was asked for, a dot where it is reached."""
    figure, axes = _figure(4.6, 3.1)
    looks = (("#0072B2", "-", "o"), ("#D55E00", (0, (4, 2)), "s"), ("#009E73", (0, (1, 1.5)), "^"))
    for curve, (colour, dashes, marker) in zip(curves, looks, strict=False):
        every = max(1, len(curve.patients) // 8)
        axes.plot(
            curve.patients, np.multiply(curve.power, 100), color=colour, ls=dashes, marker=marker, markevery=every,
            ms=3.5, lw=1.4, label=curve.words,
        )  # fmt: skip
    axes.axhline(100 * asked, color=_QUIET, lw=0.9, ls=(0, (4, 3)))
    if needed is not None:
        axes.plot([needed], [100 * asked], "o", mfc="white", mec=_INK, ms=6, zorder=3)
        axes.annotate(f"{needed}", (needed, 100 * asked), (5, -11), textcoords="offset points", fontsize=7, color=_INK)
    axes.set_ylim(0, 102)
    axes.set_xlabel("patients in each arm, with a usable follow-up")
    axes.set_ylabel("power, %")
    axes.legend(fontsize=6.5, frameon=False, loc="lower right")
    return _png(figure)


def fonts() -> tuple[Path, Path]:
    """The regular and the bold font that come with matplotlib (DejaVu Sans): Latin, Greek, Cyrillic, signs."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return folder / "DejaVuSans.ttf", folder / "DejaVuSans-Bold.ttf"


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure of so many inches, in the quiet style of the report."""
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.tick_params(labelsize=7, colors=_QUIET, length=3, width=0.7)
    axes.xaxis.label.set(size=7.5, color=_INK)
    axes.yaxis.label.set(size=7.5, color=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color=_LINE)
    axes.grid(axis="y", color=_LINE, lw=0.5)
    axes.set_axisbelow(True)
    return figure, axes


def _draw_bar(axes: Axes, place: int, bar: Bar) -> None:
    mark = VERDICTS[bar.verdict]
    letter, colour, hatching = mark.letter, mark.colour, mark.hatching
    height = min(bar.percent, _HIGHEST)
    axes.bar(place, height, 0.72, color=colour, hatch=hatching, edgecolor="white", lw=0)
    low, high = bar.interval or (bar.percent, bar.percent)
    ends = np.clip([low, high], -100, _HIGHEST)
    axes.plot([place, place], ends, color=_INK, lw=1)
    top = max(height, ends[1], 0) if height >= 0 else min(height, ends[0])
    text = f"{letter} {bar.percent:+.0f} %" if bar.percent > _HIGHEST else letter
    axes.annotate(
        text, (place, top), (0, 3 if height >= 0 else -3), textcoords="offset points", ha="center",
        va="bottom" if height >= 0 else "top", fontsize=7, fontweight="bold", color=_INK,
    )  # fmt: skip


def _capped(course: Course) -> np.ndarray:
    return np.minimum(course.percent, 100 + _HIGHEST)


def _label_ends(axes: Axes, courses: Sequence[Course]) -> None:
    """Each line's name at its end, moved up where the one below is too near."""
    top = max(float(_capped(course).max()) for course in courses)
    below = -np.inf
    for course in sorted(courses, key=lambda one: one.percent[-1]):
        end = course.times[-1], float(_capped(course)[-1])
        below = max(end[1], below + 0.055 * top)
        axes.annotate(
            _short(course.subject), end, (max(c.times[-1] for c in courses) * 1.03, below), textcoords="data",
            fontsize=6, va="center", color=_QUIET, annotation_clip=False,
        )  # fmt: skip


def _rule(axes: Axes, levels: tuple[float, float], words: str) -> None:
    for level in levels:
        axes.axhline(level, color=_QUIET, lw=0.9, ls=(0, (4, 3)))
    if words:
        for level in levels:
            axes.annotate(
                ("+" if level > 0 else "\N{MINUS SIGN}") + words, (1.012, level),
                xycoords=("axes fraction", "data"), fontsize=7, va="center", color=_QUIET, annotation_clip=False,
            )  # fmt: skip


def _mean(a: float, b: float) -> float:
    return (a + b) / 2


def _difference(a: float, b: float) -> float:
    return b - a


def _short(name: str) -> str:
    """A name that fits under a bar; a dollar sign would be read as mathematics."""
    return (name if len(name) <= 10 else f"{name[:9]}\N{HORIZONTAL ELLIPSIS}").replace("$", r"\$")


def _png(figure: Figure) -> bytes:
    data = io.BytesIO()
    figure.savefig(data, format="png", metadata={"Software": None})
    return data.getvalue()
