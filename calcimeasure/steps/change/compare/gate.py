"""Whether two films may be compared at all, and what to warn of when they may."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from calcimeasure.model.image import Acquisition, Image, Kind
from calcimeasure.model.study import Reading, plain_side
from calcimeasure.model.warning import Code, Remark


@dataclass(frozen=True, slots=True)
class Gate:
    """Why two films cannot be compared (`reasons`; none when they can), and what a reader ought to know."""

    reasons: tuple[Remark, ...] = ()
    warnings: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What the study file says of a pair, over what the images say: (baseline, follow-up), `None` where silent."""

    side: tuple[str | None, str | None] = (None, None)
    view: tuple[str | None, str | None] = (None, None)
    site: tuple[str | None, str | None] = (None, None)

    @classmethod
    def of(cls, baseline: Reading, followup: Reading) -> Facts:
        """The facts of two readings."""
        sites = [reading.film.site if reading.film else None for reading in (baseline, followup)]
        return cls((baseline.side, followup.side), (baseline.view, followup.view), (sites[0], sites[1]))


def comparable(baseline: Image, followup: Image, facts: Facts | None = None) -> Gate:
    """Reasons against comparing two films, and warnings.

    Side, view, body part, device, processing, kind, meaning of brightness and origin of the scale must be the same.
    What both films leave unknown, or one of them does, is compared with a warning; only the scale must be known on
    both or on neither. Numbers that may differ a little (tube voltage, loss by compression) warn.
    """
    facts = facts or Facts()
    findings = [
        *_must_match(baseline, followup),
        *_should_match(baseline, followup, facts),
        *_scale(baseline, followup),
        *_differing(baseline, followup),
    ]
    return Gate(
        tuple(remark for refused, remark in findings if refused),
        tuple(remark for refused, remark in findings if not refused),
    )


#: Whether the films are refused for it, and what is said.
_Finding = tuple[bool, Remark]


def _must_match(baseline: Image, followup: Image) -> list[_Finding]:
    found = []
    for image, visit in ((baseline, "baseline"), (followup, "follow-up")):
        if image.kind is Kind.VOLUME:
            found.append((True, Remark.of(Code.VOLUME, visit=visit)))
    if baseline.kind is not followup.kind:
        found.append((True, Remark.of(Code.OTHER_KIND, baseline=baseline.kind, followup=followup.kind)))
    elif baseline.meaning is not followup.meaning:
        found.append((True, Remark.of(Code.OTHER_MEANING, baseline=baseline.meaning, followup=followup.meaning)))
    return found


def _should_match(baseline: Image, followup: Image, facts: Facts) -> list[_Finding]:
    one, two = baseline.acquisition, followup.acquisition
    rows: list[tuple[str, str | None, str | None, Callable[[str], str | None]]] = [
        ("side", facts.side[0] or one.side, facts.side[1] or two.side, plain_side),
        ("view", facts.view[0] or one.view, facts.view[1] or two.view, _plain),
        ("site", facts.site[0] or one.body_part, facts.site[1] or two.body_part, _plain),
    ]
    if baseline.kind is Kind.RADIOGRAPH:
        rows += [
            ("modality", one.modality, two.modality, _plain),
            ("device", None, None, _plain),
            ("processing", None, None, _plain),
            ("presentation intent", one.intent, two.intent, _plain),
            ("intensity relationship", one.intensity_relationship, two.intensity_relationship, _plain),
        ]
    found = {
        name: _same_mark(name, one, two) if a is None and b is None else _same(name, a and plain(a), b and plain(b))
        for name, a, b, plain in rows
    }
    known: list[_Finding] = [(True, remark) for remarks in found.values() for remark in remarks or ()]
    if silent := [name for name, remarks in found.items() if remarks is None]:
        known.append((False, Remark.of(Code.FACTS_UNKNOWN, facts=", ".join(silent))))
    return known


def _same(name: str, one: str | None, two: str | None) -> list[Remark] | None:
    """Why to refuse where both are known and differ; `None` where one is unknown."""
    if not (one and two):
        return None
    return [] if one == two else [Remark.of(Code.OTHER_FACT, fact=name, baseline=one, followup=two)]


def _same_mark(name: str, one: Acquisition, two: Acquisition) -> list[Remark] | None:
    """The same for a fact of which the films tell only whether it is the same: what it is stays in the files."""
    marks = one.mark_of(name), two.mark_of(name)
    if None in marks:
        return None
    return [] if marks[0] == marks[1] else [Remark.of(Code.OTHER_HIDDEN_FACT, fact=name)]


def _plain(text: str) -> str | None:
    return " ".join(text.lower().split()) or None


def _scale(baseline: Image, followup: Image) -> Iterator[_Finding]:
    one, two = baseline.spacing, followup.spacing
    if one is None and two is None:
        yield False, Remark.of(Code.SCALES_UNKNOWN)
    elif one is None or two is None:
        yield True, Remark.of(Code.SCALE_OF_ONE_UNKNOWN, visit="baseline" if one is None else "follow-up")
    elif one.origin is not two.origin:
        yield True, Remark.of(Code.OTHER_SCALE_ORIGIN, baseline=one.origin, followup=two.origin)


def _differing(baseline: Image, followup: Image) -> list[_Finding]:
    one, two = baseline.acquisition, followup.acquisition
    found = []
    if one.kvp and two.kvp and abs(one.kvp - two.kvp) > 0.1 * max(one.kvp, two.kvp):
        found.append((False, Remark.of(Code.OTHER_VOLTAGE, baseline=one.kvp, followup=two.kvp)))
    if (one.lossy or False) != (two.lossy or False):
        found.append((False, Remark.of(Code.ONE_LOSSY)))
    return found
