"""Who stands behind an outline, or behind there being none: a fact that travels with the label image."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

#: No outline is more doubtful than this: a single pixel that is as unsure as all around it comes to 20.
MOST_DOUBT = 100.0
#: No film is so large; what a file says beyond that is not believed.
MOST_PASSED_OVER_PX = 1e10


class Author(StrEnum):
    """Who drew an outline."""

    NETWORKS = "networks"
    PROGRAM = "program"
    PERSON = "person"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"

    @property
    def is_program(self) -> bool:
        """Whether nobody looked at it: the networks or another automatic method drew it.

        An outline of unknown origin is taken for a person's: who gives a label image of another tool vouches for it.
        """
        return self in (Author.NETWORKS, Author.PROGRAM)


class Doubt(NamedTuple):
    """How much the networks doubted an outline of theirs that no person has looked at.

    Parameters
    ----------
    outline : float
        Where it ends (`calcimeasure.steps.measure.error`), 0 to `MOST_DOUBT`.
    not_calcium : float
        The chance that it is no calcium, 0-1: what its score lacks of 1.
    """

    outline: float
    not_calcium: float = 0.0

    @property
    def possible(self) -> bool:
        """Whether both are in range; what stands in a file may not be."""
        return 0 <= self.outline <= MOST_DOUBT and 0 <= self.not_calcium <= 1


@dataclass(frozen=True, slots=True)
class Authorship:
    """Who drew the outlines of a label image.

    Parameters
    ----------
    film : Author
        Who looked the film over, and so speaks for what is not outlined; also whose every deposit is that `deposits`
        does not name.
    deposits : mapping of int to Author
        Who drew a deposit, by number, where that is another than `film`.
    doubts : mapping of int to Doubt
        How much the networks doubted a deposit, by number; an outline that a person drew or accepted has none.
    passed_over_px : float
        How many pixels an automatic search may lack because it dropped findings by their score alone: a standard
        deviation (`calcimeasure.steps.measure.error.passed_over`).
    """

    film: Author = Author.UNKNOWN
    deposits: Mapping[int, Author] = field(default_factory=dict)
    doubts: Mapping[int, Doubt] = field(default_factory=dict)
    passed_over_px: float = 0.0

    def of(self, number: int) -> Author:
        """Who drew a deposit."""
        return self.deposits.get(number, self.film)

    def is_by_person(self, numbers: Iterable[int]) -> bool:
        """Whether a person stands behind all these deposits; behind there being none, where there are none."""
        authors = [self.of(number) for number in numbers] or [self.film]
        return not any(author.is_program for author in authors)

    def seen_by_person(self, numbers: Collection[int], how: Author = Author.PERSON) -> Authorship:
        """Once a person drew or accepted these deposits; whoever corrects a film has looked it over.

        Name every deposit first (`named`): those that are not would become the person's with the film. Itself where
        nothing is new; what does not change is the same object as before.
        """
        fresh = [n for n in numbers if self.deposits.get(n) is not how]
        if not fresh and self.film is Author.PERSON and self.doubts.keys().isdisjoint(numbers):
            return self
        deposits = {**self.deposits, **dict.fromkeys(fresh, how)} if fresh else self.deposits
        doubted = not self.doubts.keys().isdisjoint(numbers)
        doubts = {n: doubt for n, doubt in self.doubts.items() if n not in numbers} if doubted else self.doubts
        return replace(self, film=Author.PERSON, deposits=deposits, doubts=doubts)

    def named(self, numbers: Iterable[int], film: Author) -> Authorship:
        """The same, with every one of these deposits named, and another author of the film."""
        return replace(self, film=film, deposits={int(n): self.of(int(n)) for n in numbers})


#: Outlines that an automatic method drew and nobody has looked at yet.
BY_PROGRAM = Authorship(Author.PROGRAM)
#: Nobody says who drew them, as in a label image of another tool.
UNSAID = Authorship()
