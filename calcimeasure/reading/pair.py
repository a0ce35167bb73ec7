"""Two visits of one limb: laid on each other, matched, corrected by a reader, judged. No Qt, no napari."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

import calcimeasure
from calcimeasure.errors import OutputError
from calcimeasure.follow_up import aligned, reading_of
from calcimeasure.io.files import write_whole
from calcimeasure.io.results.pictures import png
from calcimeasure.model.alignment import Alignment
from calcimeasure.model.image import Image
from calcimeasure.model.labels import Labels
from calcimeasure.model.study import (
    Change,
    DepositChange,
    Fate,
    Film,
    FilmPair,
    Interval,
    Link,
    Reading,
    Study,
    Subject,
    Visit,
)
from calcimeasure.recipe import Recipe
from calcimeasure.steps.change.compare import compare
from calcimeasure.steps.change.match import match, named

_REPORTS = ("report.html", "report.pdf")


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two readings, how they lie on each other, and what became of every deposit.

    Parameters
    ----------
    baseline, followup : Reading
    alignment : Alignment
    recipe : Recipe
    overrides : tuple of Link
        Matches by a reader.
    links, change
        What follows from them.
    """

    baseline: Reading
    followup: Reading
    alignment: Alignment
    recipe: Recipe
    overrides: tuple[Link, ...] = ()
    links: tuple[Link, ...] = ()
    change: Change | None = None

    @classmethod
    def of(cls, first: tuple[Image, Labels], second: tuple[Image, Labels], recipe: Recipe) -> Pair:
        """The films laid on each other and compared; takes seconds."""
        before, after = (reading_of(image, labels, recipe) for image, labels in (first, second))
        return cls(before, after, aligned(before, after), recipe).judged()

    def judged(self) -> Pair:
        """The same films with links and verdict as the overrides want them; the films are not aligned again.

        Raises
        ------
        MeasurementRefused
            For an override that names a deposit that is not there.
        """
        found = match(self.baseline, self.followup, self.alignment, self.recipe.match, self.overrides)
        (links,) = named((found,))
        change = compare(self.baseline, self.followup, self.alignment, links, self.recipe.compare)
        return replace(self, links=links, change=change)

    @property
    def rows(self) -> tuple[DepositChange, ...]:
        """One row per deposit."""
        return self.change.deposits if self.change else ()

    def joined(self, names: Collection[str], by: str) -> Pair:
        """The rows of these names are one deposit, a reader says."""
        rows = [row for row in self.rows if row.deposit in names]
        one = Link(
            tuple(sorted({n for row in rows for n in row.baseline})),
            tuple(sorted({n for row in rows for n in row.followup})),
            by=by,
        )
        return replace(self, overrides=(*self._others((one,)), one)).judged()

    def parted(self, name: str, by: str) -> Pair:
        """What lies on the two films under this name is not the same deposit, a reader says."""
        (row,) = (row for row in self.rows if row.deposit == name)
        fresh = tuple(Link(one, two, by=by) for one, two in ((row.baseline, ()), ((), row.followup)) if one or two)
        return replace(self, overrides=(*self._others(fresh), *fresh)).judged()

    def automatic(self) -> Pair:
        """Without any reader's match."""
        return replace(self, overrides=()).judged()

    def fate_map(self, *, followup: bool) -> npt.NDArray[np.int32]:
        """Code (1 upwards, in the order of `Fate`) of each deposit's fate at its pixels, 0 elsewhere."""
        labels = (self.followup if followup else self.baseline).labels.array
        codes = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
        for row in self.rows:
            codes[list(row.followup if followup else row.baseline)] = code_of(row.fate)
        return np.asarray(codes[labels])

    def _others(self, fresh: tuple[Link, ...]) -> tuple[Link, ...]:
        """Overrides that name nothing that the fresh ones name."""
        before = {number for link in fresh for number in link.baseline}
        after = {number for link in fresh for number in link.followup}
        return tuple(
            link for link in self.overrides if not before & set(link.baseline) and not after & set(link.followup)
        )

    def report(self, folder: Path, names: tuple[str, str], *, overwrite: bool = False) -> Path:
        """Write the report that ``calcimeasure compare`` writes; gives the page.

        Raises
        ------
        OutputError
            When a report is there already, or the folder cannot be written.
        """
        from calcimeasure.io.results.trial_report import write_reports

        page = folder / _REPORTS[0]
        if page.exists() and not overwrite:
            raise OutputError(f"{page.name} is there already in {folder.name}: choose another folder")
        folder.mkdir(parents=True, exist_ok=True)
        interval, study = self._told(names)
        picture = folder / "pairs" / "pair.png"
        write_whole(picture, self._picture())
        write_reports(folder, study, [interval], lambda _: picture, self._run())
        return page

    def _told(self, names: tuple[str, str]) -> tuple[Interval, Study]:
        films = [Film("patient", visit, None, _plain(name)) for visit, name in zip(_VISITS, names, strict=True)]
        visits = [Visit(film.visit, None, (film,)) for film in films]
        change = self.change or Change.not_evaluable("the films were not compared")
        pair = FilmPair(films[0].image, films[1].image, "", change, self.links, "pair", self.alignment.overlap)
        interval = Interval("patient", visits[0], visits[1], change, (pair,))
        return interval, Study((Subject("patient", tuple(visits)),))

    def _picture(self) -> bytes:
        from calcimeasure.report.pair_picture import pair_picture

        change = self.change or Change.not_evaluable("")
        return png(pair_picture(self.baseline, self.followup, self.alignment, change))

    def _run(self) -> dict[str, object]:
        return {
            "version": calcimeasure.__version__,
            "recipe_hash": self.recipe.hash,
            "weights_sha256": self.recipe.weights_sha256,
            "packages": {},
        }


_VISITS = ("baseline", "follow-up")


def code_of(fate: Fate) -> int:
    """The number that stands for a fate in a `fate_map`."""
    return list(Fate).index(fate) + 1


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name) or "film"
