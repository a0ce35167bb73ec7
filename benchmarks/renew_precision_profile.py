"""Make calcimeasure/weights/precision.json anew: how far repeats of simulated films lie apart, by size.

    python benchmarks/renew_precision_profile.py [--jobs 2] [--places 24]  # after every new weights; 5 minutes of CPU
    python benchmarks/renew_precision_profile.py --check [--places 24]     # other films: how often is SDC exceeded?

Every place is a drawn limb with its calcium. Each of its four films is laid, posed, exposed and developed a little
differently; they are outlined and compared by the default recipe, as `calcimeasure repeatability` does it. Change that
is more than the smallest detectable one (95 %) should be seen in about 5 % of such pairs.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image as Picture

from calcimeasure import Job, Processes, __version__, repeatability_of
from calcimeasure.io.files import write_whole
from calcimeasure.io.results.repeat_results import profile_text
from calcimeasure.model.precision import Precision, PrecisionProfile
from calcimeasure.phantom.film import FilmScene, Tone, draw_film, random_film_scene
from calcimeasure.recipe import Recipe
from calcimeasure.steps.agreement import fit_precision_profile
from calcimeasure.steps.agreement.repeats import Of, RepeatStudy
from calcimeasure.steps.change.compare.shipped import shipped_precision

TARGET = Path(__file__).resolve().parents[1] / "calcimeasure" / "weights" / "precision.json"
REPEATS = 4
MM = 0.25
MOST = 10  # deposits of a place
#: Places of the fit begin here, those of the check there: none is in both.
SEEDS = {"fit": 41_000, "check": 87_000}


def main() -> None:
    args = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        draw_repeats(Path(folder), SEEDS["check" if args.check else "fit"], args.places)
        found = measured(Path(folder), args.jobs)
    told(found)
    if args.check:
        check(found, shipped_precision())
        return
    halves(found)
    if found.precision.totals is None or found.precision.deposits is None:
        raise SystemExit("too few places for a profile: nothing was written")
    precision = _named(found.precision, args.places)
    write_whole(TARGET, profile_text(precision))
    print(f"wrote {TARGET.name}: {precision.totals and precision.totals.origin}")


def draw_repeats(folder: Path, first: int, places: int) -> None:
    """Draw every film of every place, and the table of repeats."""
    rows = ["subject,image,spacing_mm,repeat"]
    for seed in range(first, first + places):
        for repeat in range(REPEATS):
            name = f"{seed}_{repeat}.png"
            phantom = draw_film(repeated(seed, repeat), 10 * seed + repeat)
            Picture.fromarray(np.array(phantom.image.pixels)).save(folder / name, compress_level=1)
            rows.append(f"{seed},{name},{MM},{repeat}")
    (folder / "scans.csv").write_text("\n".join([*rows, ""]))


def repeated(seed: int, repeat: int) -> FilmScene:
    """The film of a place, as it is when taken anew: moved, posed, exposed and developed a little differently."""
    place = np.random.default_rng([seed, 1])
    count = round(float(np.exp(place.uniform(0, np.log(MOST)))))  # as many places with few as with many
    scene = random_film_scene(seed, MM, count=count)
    scene = replace(scene, tone=Tone(gamma=scene.tone.gamma, sharpen=scene.tone.sharpen))
    rng = np.random.default_rng([seed, 2, repeat])
    shift, turn = rng.normal(0, 3, 2), float(rng.normal(0, 2))
    lies, shot, tone = scene.placement, scene.exposure, scene.tone
    spread, bend = (
        tuple(angle + float(rng.normal(0, 1)) for angle in angles) for angles in (scene.pose.spread, scene.pose.bend)
    )
    return replace(
        scene,
        placement=replace(
            lies, x_mm=lies.x_mm + float(shift[0]), y_mm=lies.y_mm + float(shift[1]), turn=lies.turn + turn
        ),
        pose=replace(scene.pose, spread=spread, bend=bend),
        exposure=replace(
            shot,
            photons_mm2=shot.photons_mm2 * float(np.exp(rng.normal(0, 0.3))),
            scatter=float(np.clip(shot.scatter + rng.normal(0, 0.03), 0.05, 0.4)),
        ),
        tone=replace(tone, gamma=tone.gamma * float(np.exp(rng.normal(0, 0.06)))),
    )


def measured(folder: Path, jobs: int) -> RepeatStudy:
    """What `calcimeasure repeatability` makes of the films."""
    return repeatability_of(folder / "scans.csv", Job(folder / "out"), Processes(jobs)).study


def told(found: RepeatStudy) -> None:
    for one in found.sets:
        rows = {row.figure: row for row in found.figures(one)}
        words = [
            f"{name} {rows[name].value:.3g}"
            for name in ("wSD", "wCV", "RC", "found")
            if rows.get(name) and rows[name].value is not None
        ]
        print(f"{one.of}: {len(one.groups)} groups; {', '.join(words)}")
        for row in found.figures(one):
            if row.figure == "SDC at size":
                print(f"    at {row.size:7.2f} {row.unit}: SDC {row.value:.2f}, at most {row.upper:.2f}")
    print("\n".join(found.notes))


def check(found: RepeatStudy, precision: Precision) -> None:
    """How often pairs without a change lie further apart than the shipped profile's smallest detectable change."""
    for of, profile in ((Of.COMPARED, precision.totals), (Of.DEPOSITS, precision.of_deposits)):
        groups = next((one.pairs for one in found.sets if one.of is of), ())
        if profile is None or not groups:
            continue
        print(f"{of}: {_share([exceeds(pair, profile) for pair in groups])}")


def halves(found: RepeatStudy) -> None:
    """The same held out: the profile of one half of the places against the other half."""
    for one in found.sets:
        groups = [pair for pair in one.pairs if sum(pair) > 0]
        parts = groups[: len(groups) // 2], groups[len(groups) // 2 :]
        if one.of is Of.TOTALS or min(map(len, parts)) < 10:
            continue
        profiles = [fit_precision_profile(part, one.unit, "one half") for part in parts]
        beyond = [exceeds(pair, profile) for part, profile in zip(parts[::-1], profiles, strict=True) for pair in part]
        print(f"{one.of}, half against half: {_share(beyond)}")


def exceeds(pair: tuple[float, float], profile: PrecisionProfile) -> tuple[bool, bool]:
    """Whether a pair lies further apart than SDC, and than its upper bound, which `compare` takes."""
    apart, size = abs(pair[1] - pair[0]), (pair[0] + pair[1]) / 2
    return apart > profile.sdc(size), apart > profile.sdc_upper(size)


def _share(beyond: list[tuple[bool, bool]]) -> str:
    sdc, upper = np.sum(beyond, axis=0)
    n = len(beyond)
    return f"{sdc} of {n} pairs exceed SDC ({sdc / n:.1%}), {upper} its upper bound ({upper / n:.1%})"


def _named(precision: Precision, places: int) -> Precision:
    origin = (
        f"simulated films, not patients: {REPEATS} films each of {places} drawn limbs, re-positioned and re-exposed, "
        f"outlined and compared by calcimeasure {__version__} with its default recipe {Recipe().hash}"
    )
    parts = {name: getattr(precision, name) for name in ("totals", "deposits")}
    return Precision(**{name: one and replace(one, origin=origin, is_simulated=True) for name, one in parts.items()})


def _arguments() -> argparse.Namespace:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--jobs", type=int, default=2)
    cli.add_argument("--places", type=int, default=24)
    cli.add_argument("--check", action="store_true", help="hold the shipped profile against other films")
    return cli.parse_args()


if __name__ == "__main__":
    main()
