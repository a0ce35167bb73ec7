"""A demonstration report of a simulated trial: its pages, its size, its time and its memory.

    python benchmarks/bench_trial_report.py [FOLDER] [--subjects N]

The films are drawn by calcimeasure.phantom, the alignment is the one they were placed with, and the changes are made
from the truth: this shows the report, not the measurement. Beyond eight subjects the pictures repeat.
"""

import argparse
import datetime
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

import calcimeasure
from calcimeasure.io.results.trial_report import write_reports
from calcimeasure.model.alignment import Alignment
from calcimeasure.model.image import Image
from calcimeasure.model.quantity import Quantity
from calcimeasure.model.study import (
    Change,
    DepositChange,
    Fate,
    Film,
    Interval,
    Reading,
    Status,
    Study,
    Subject,
    Verdict,
    Visit,
)
from calcimeasure.model.warning import Remark
from calcimeasure.phantom.anatomy import Placement, Pose
from calcimeasure.phantom.answer import Phantom
from calcimeasure.phantom.deposits import Calcium, Shape, Site
from calcimeasure.phantom.film import FilmScene, Tone, draw_film
from calcimeasure.phantom.frame import Frame
from calcimeasure.report.pair_picture import pair_picture
from calcimeasure.steps.measure.area import measure

SITES = (
    (Shape.CLUSTER, Site("index distal phalanx", 0.8, 1.0), 8.0, 4.0),
    (Shape.NODULE, Site("middle proximal phalanx", 0.45, 7.0, 0.2), 4.6, 3.0),
    (Shape.NODULE, Site("thumb distal phalanx", 0.95, -2.0), 3.6, 2.6),
    (Shape.PLAQUE, Site("index metacarpal", 0.5, 8.0, 0.1), 11.0, 3.0),
    (Shape.STRAND, Site("ulna", 0.95, -6.5, 0.05), 20.0, 3.0),
    (Shape.CLUSTER, Site("little proximal phalanx", 0.5, -2.8, 0.1), 7.0, 2.5),
    (Shape.NODULE, Site("ring middle phalanx", 0.5, 4.0), 3.4, 2.5),
)
MM = 0.2
START = datetime.date(2024, 3, 4)
FACTORS = (0.45, 0.55, 0.7, 0.35, 0.6, 1.0, 1.02, 1.35)
"""True size of the follow-up's deposits, by subject."""


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("folder", nargs="?", type=Path)
    cli.add_argument("--subjects", type=int, default=8)
    args = cli.parse_args()
    folder = args.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [_drawn(number, folder) for number in range(len(FACTORS))]
    study, intervals, pictures = _trial(args.subjects, drawn)
    before, start = _memory(), time.perf_counter()
    write_reports(folder, study, intervals, pictures, _run())
    seconds = time.perf_counter() - start
    for name in ("report.html", "report.pdf"):
        print(f"{name}: {(folder / name).stat().st_size / 1e6:.2f} MB")
    print(f"{args.subjects} subjects: {seconds:.1f} s, memory +{_memory() - before:.0f} MB (peak {_memory():.0f} MB)")


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _run() -> dict[str, object]:
    packages = {"numpy": np.__version__, "opencv": cv2.__version__}
    return {
        "version": calcimeasure.__version__,
        "recipe_hash": "0123456789abcdef",
        "weights_sha256": "fedcba98" * 8,
        "packages": packages,
    }


def _drawn(number: int, folder: Path) -> tuple[Change, Path]:
    rng = np.random.default_rng(number)
    chosen = sorted(rng.permutation(len(SITES))[: 4 + number % 3].tolist())
    fresh = [n for n in range(len(SITES)) if n not in chosen][: int(number == 7)]
    grown = [
        0.0 if number % 3 == 0 and n == chosen[1] else FACTORS[number] ** 0.5 * rng.normal(1, 0.03) for n in chosen
    ]
    start = time.perf_counter()
    base_placed, follow_placed = Placement(77, 186, 0, 0.95), _placed(rng)
    base = _film(base_placed, [(n, 1.0) for n in chosen], Tone(gamma=0.9), 2 * number)
    follow = _film(
        follow_placed,
        [*zip(chosen, grown, strict=True), *((n, 1.0) for n in fresh)],
        Tone(gamma=1.3, bits=14),
        2 * number + 1,
    )
    change = _change(base, follow, len(chosen))
    alignment = _alignment(base.image, follow.image, base_placed, follow_placed)
    drawn = time.perf_counter()
    picture = pair_picture(_reading(base), _reading(follow), alignment, change)
    path = folder / f"pair_{number}.png"
    cv2.imwrite(str(path), picture[..., ::-1])
    print(f"pair {number}: films {drawn - start:.1f} s, picture {time.perf_counter() - drawn:.2f} s, {picture.shape}")
    return change, path


def _placed(rng: np.random.Generator) -> Placement:
    return Placement(77 + rng.normal(0, 5), 184 + rng.normal(0, 5), float(rng.normal(0, 4)), 0.95)


def _film(where: Placement, sizes: list[tuple[int, float]], tone: Tone, seed: int) -> Phantom:
    deposits = tuple(
        Calcium(SITES[n][0], SITES[n][1], SITES[n][2] * size, SITES[n][3], 10 + n) for n, size in sizes if size > 0
    )
    kept = [place for place, (_, size) in enumerate(sizes) if size > 0]
    film = draw_film(FilmScene(Frame(225.0, 160.0, MM), "hand", where, Pose(), deposits, tone=tone), seed)
    labels = np.zeros_like(film.truth.array)
    for new, old in enumerate(kept, 1):
        labels[film.truth.array == new] = old + 1
    return Phantom(film.image, type(film.truth)(labels), film.mm, (), None, film.limb, film.bone)


def _reading(film: Phantom) -> Reading:
    return Reading(film.image, film.truth, measure(film.image, film.truth), film.limb)


def _alignment(base: Image, follow: Image, one: Placement, other: Placement) -> Alignment:
    """The map that both placements make: turn about the limb's origin, then shift."""
    return Alignment(_map(base.shape, one, other), _map(follow.shape, other, one), 0.97, 1.5, 1.5 * MM)


def _map(shape: tuple[int, int], one: Placement, other: Placement) -> np.ndarray:
    turn = np.radians(other.turn - one.turn)
    row, column = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    x, y = (column + 0.5) * MM - one.x_mm, (row + 0.5) * MM - one.y_mm
    there_x = other.x_mm + np.cos(turn) * x - np.sin(turn) * y
    there_y = other.y_mm + np.sin(turn) * x + np.cos(turn) * y
    return np.stack([there_y / MM - 0.5, there_x / MM - 0.5], axis=-1).astype(np.float32)


def _change(base: Phantom, follow: Phantom, count: int) -> Change:
    before, after = (np.bincount(f.truth.array.ravel(), minlength=9)[1:] * MM**2 for f in (base, follow))
    deposits = tuple(_deposit(n + 1, before[n], after[n]) for n in range(8) if before[n] or after[n])
    total = [Quantity(float(v.sum()), 0.02 * float(v.sum()) + 0.5, "mm2") for v in (before, after)]
    delta = total[1].value - total[0].value
    sd = float(np.hypot(total[0].sd or 0, total[1].sd or 0))
    percent = 100 * delta / total[0].value
    real = abs(delta) > 1.96 * sd
    new = any(d.fate is Fate.NEW for d in deposits)
    verdict = (
        Verdict.WORSE
        if new or (real and percent >= 25)
        else Verdict.IMPROVED
        if real and percent <= -25
        else Verdict.STABLE
    )
    reason = {
        Verdict.IMPROVED: "the fall exceeds both the smallest detectable change and 25 %",
        Verdict.WORSE: "a confirmed new deposit"
        if new
        else "the rise exceeds both the smallest detectable change and 25 %",
        Verdict.STABLE: "the change lies inside measurement error" if not real else "a real change, but under 25 %",
    }[verdict]
    half = 196 * sd / total[0].value
    cut = Verdict.IMPROVED if percent <= -25 else Verdict.WORSE if percent >= 25 else Verdict.STABLE
    beyond = (Verdict.IMPROVED if delta < 0 else Verdict.WORSE) if real else Verdict.STABLE
    return Change(
        Status.COMPARED, verdict, (Remark.other(reason),), total[0], total[1], Quantity(delta, sd, "mm2"), percent,
        (percent - half, percent + half), 1 - 0.5 * (1 + float(np.tanh(delta / sd))), 1.96 * sd, deposits=deposits,
        under_rules={"detectable change and 25 %": verdict, "25 % alone": cut, "detectable change (95 %) alone": beyond,
                     "detectable change (80 %) alone": beyond},
        inside_error=not real if verdict is Verdict.STABLE else None,
        warnings=(Remark.other("side unknown on both films: taken as the same"),),
    )  # fmt: skip


def _deposit(number: int, before: float, after: float) -> DepositChange:
    fate = (
        Fate.NEW if not before else Fate.RESOLVED if not after else Fate.SHRUNK if after < 0.7 * before
        else Fate.GROWN if after > 1.3 * before else Fate.STABLE
    )  # fmt: skip
    one, other = (Quantity(float(a), 0.04 * float(a) + 0.2, "mm2") if a else None for a in (before, after))
    change = Quantity(float(after - before), 0.06 * float(max(before, after)) + 0.3, "mm2")
    return DepositChange(
        str(number), fate, (number,) if before else (), (number,) if after else (), (10, 10), (10, 10), one, other,
        change, 100 * float(after - before) / float(before) if before else None, 0.15 * float(max(before, after)) + 0.8,
        0.92, confirmed=fate is Fate.NEW, note=(Remark.other("seen in both views"),) if fate is Fate.NEW else (),
    )  # fmt: skip


def _trial(count: int, drawn: list[tuple[Change, Path]]) -> tuple[Study, list[Interval], Callable[[Interval], Path]]:
    """So many subjects from the drawn pairs in turn, and three without a result, each for a reason of its own."""
    subjects, intervals, paths = [], [], {}
    for n in range(count):
        name = f"P{n + 1:03d}"
        visits = tuple(_visit(name, *when) for when in (("baseline", -5), ("month 9", 270 + n % 20), ("month 18", 545)))
        subjects.append(Subject(name, visits, START))
        intervals += [Interval(name, visits[0], visits[1 + s], drawn[(n + s) % len(drawn)][0]) for s in (0, 1)]
        paths[name] = _copy(drawn[n % len(drawn)][1], n) if n >= len(drawn) else drawn[n][1]
    for one, change in _without_result(count):
        subjects.append(one)
        intervals += [Interval(one.name, one.visits[0], one.visits[1], change)] if change else []
    return Study(tuple(subjects)), intervals, lambda one: paths.get(one.subject)


def _copy(path: Path, number: int) -> Path:
    """The picture with one grey square more, so that no two subjects share theirs."""
    picture = cv2.imread(str(path))
    picture[40:60, 600:620] = number % 200
    copied = path.with_name(f"copy_{number}.png")
    cv2.imwrite(str(copied), picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return copied


def _without_result(count: int) -> list[tuple[Subject, Change | None]]:
    one, two, three = (f"P{count + n:03d}" for n in (1, 2, 3))
    side = Change.not_evaluable(
        Remark.other("baseline shows the left hand, follow-up the right hand: compare the same side")
    )
    both = _visit(two, "baseline", -5), _visit(two, "month 9", 270)
    blurred = Film(three, "month 9", None, "x.dcm", "hand", "right", exclude_reason="hand moved during exposure")
    return [
        (Subject(one, (_visit(one, "baseline", -5),), START), None),
        (Subject(two, both, START), side),
        (Subject(three, (_visit(three, "baseline", -5), Visit("month 9", None, (blurred,))), START), None),
    ]


def _visit(subject: str, name: str, days: int) -> Visit:
    date = START + datetime.timedelta(days=days)
    return Visit(name, date, (Film(subject, name, date, f"films/{subject}_{name}.dcm", "hand", "right", "PA", START),))


if __name__ == "__main__":
    sys.exit(main())
