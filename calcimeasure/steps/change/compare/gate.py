"""Whether two films may be compared at all, and what to warn of when they may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from calcimeasure.model.image import Acquisition, Image, Kind
from calcimeasure.model.study import Reading, plain_side


@dataclass(frozen=True, slots=True)
class Gate:
    """Why two films cannot be compared (`reasons`; none when they can), and what a reader ought to know."""

    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


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
        _scale(baseline, followup),
        *_differing(baseline, followup),
    ]
    return Gate(
        tuple(text for refused, text in findings if refused and text),
        tuple(text for refused, text in findings if not refused and text),
    )


_Finding = tuple[bool, str]


def _must_match(baseline: Image, followup: Image) -> list[_Finding]:
    found = []
    for image, visit in ((baseline, "baseline"), (followup, "follow-up")):
        if image.kind is Kind.VOLUME:
            found.append((True, f"the {visit} is a volume, which is not compared: export a radiograph"))
    if baseline.kind is not followup.kind:
        found.append((True, f"the baseline is a {baseline.kind} and the follow-up a {followup.kind}"))
    elif baseline.meaning is not followup.meaning:
        found.append(
            (True, f"brightness means {baseline.meaning} at baseline and {followup.meaning} at follow-up: use one kind")
        )
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
    found = [
        _same_mark(name, one, two) if a is None and b is None else _same(name, a and plain(a), b and plain(b))
        for name, a, b, plain in rows
    ]
    silent = [name for name, (refused, text) in zip((row[0] for row in rows), found, strict=True) if text == "?"]
    known = [one_ for one_ in found if one_[1] not in ("", "?")]
    if silent:
        known.append((False, f"not known of both films, taken as the same: {', '.join(silent)}"))
    return known


def _same(name: str, one: str | None, two: str | None) -> _Finding:
    """A refusal where both are known and differ; "?" where one is unknown."""
    if one and two:
        return (True, f"the {name} is {one} at baseline and {two} at follow-up") if one != two else (False, "")
    return False, "?"


def _same_mark(name: str, one: Acquisition, two: Acquisition) -> _Finding:
    """The same for a fact of which the films tell only whether it is the same: what it is stays in the files."""
    marks = one.mark_of(name), two.mark_of(name)
    if None in marks:
        return False, "?"
    return (True, f"the films are of another {name}") if marks[0] != marks[1] else (False, "")


def _plain(text: str) -> str | None:
    return " ".join(text.lower().split()) or None


def _scale(baseline: Image, followup: Image) -> _Finding:
    one, two = baseline.spacing, followup.spacing
    if one is None and two is None:
        return False, "equal scale assumed: neither film has a known scale, so areas are in pixels"
    if one is None or two is None:
        missing = "baseline" if one is None else "follow-up"
        return True, f"the scale of the {missing} is unknown and the other's is known: give it a spacing"
    if one.origin is not two.origin:
        return True, f"the scale is by {one.origin} at baseline and by {two.origin} at follow-up: calibrate both alike"
    return False, ""


def _differing(baseline: Image, followup: Image) -> list[_Finding]:
    one, two = baseline.acquisition, followup.acquisition
    found = []
    if one.kvp and two.kvp and abs(one.kvp - two.kvp) > 0.1 * max(one.kvp, two.kvp):
        found.append((False, f"tube voltage differs: {one.kvp:g} kV and {two.kvp:g} kV"))
    if (one.lossy or False) != (two.lossy or False):
        found.append((False, "one of the films was compressed with loss"))
    return found
