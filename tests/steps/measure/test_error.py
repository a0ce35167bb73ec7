"""The error bar of an automatic outline follows the segmenter's own doubt."""

import json

import numpy as np
import pytest

from calcimeasure import Image, Kind, Labels, Meaning, Recipe, Spacing, SpacingOrigin, measure
from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.authorship import Doubt
from calcimeasure.model.deposit import Excluded, Reason
from calcimeasure.steps.measure.error import (
    OutlineError,
    Unseen,
    doubt,
    doubts,
    passed_over,
    sd_of_false_finds,
    shipped_outline_error,
    with_boundary_error,
)

SIDE = 60
ERROR = OutlineError(0.25, 1.5, 0.5, 8.0, "a test")


def film(mm: float | None = 0.5) -> tuple[Image, Labels]:
    spacing = None if mm is None else Spacing(mm, mm, SpacingOrigin.USER, 0.0)
    array = np.zeros((SIDE, SIDE), np.int32)
    array[10:20, 10:20], array[40:50, 30:45] = 1, 2
    return Image(np.full((SIDE, SIDE), 100, np.uint8), Kind.RADIOGRAPH, Meaning.DISPLAY, spacing), Labels(array)


def chance(labels: Labels, width: float) -> np.ndarray:
    """A share `width` of the first deposit's pixels is as likely calcium as not."""
    sure = (labels.array > 0).astype(np.float32)
    sure[10 : 10 + round(10 * width), 10:20] = 0.5
    return sure


def doubted(width: float, mm: float | None = 0.5, unseen: Unseen | None = None):
    image, labels = film(mm)
    found = measure(image, labels)
    return with_boundary_error(found, doubts(found.deposits, labels, chance(labels, width)), unseen, ERROR)


def test_doubt_widens_the_bar_and_leaves_the_value() -> None:
    image, labels = film()
    plain, sure, unsure = measure(image, labels), doubted(0), doubted(0.6)
    assert [d.area_px for d in sure.deposits] == [d.area_px for d in plain.deposits]
    assert unsure.deposits[0].area_px.value == 100
    assert unsure.deposits[0].area_px.sd == pytest.approx(100 * 0.25 * (0.6 * 0.25 / 0.1) ** 1.5 * (100 / 300) ** 0.5)
    assert unsure.deposits[1].area_px.sd == plain.deposits[1].area_px.sd


def test_doubt_is_a_share_of_the_area_and_stops_at_the_neighbour() -> None:
    image, labels = film()
    first, second = measure(image, labels).deposits
    assert doubt(first, labels, chance(labels, 0.6)) == pytest.approx(0.15)
    assert doubt(second, labels, chance(labels, 0.6)) == 0


def test_millimetres_follow_pixels_and_squares_add_up_in_the_total() -> None:
    found = doubted(0.6)
    assert found.area_mm2 is not None
    assert found.area_mm2.sd == pytest.approx(0.25 * (found.area_px.sd or 0))
    assert found.area_px.sd == pytest.approx(np.hypot(*(d.area_px.sd or 0 for d in found.deposits)))


def test_a_persons_outline_keeps_its_bar() -> None:
    image, labels = film()
    plain = measure(image, labels)
    first, second = (d.area_px.sd or 0 for d in plain.deposits)
    found = with_boundary_error(plain, {1: Doubt(0.2, 0.4)}, None, ERROR)
    wide = found.deposits[0].area_px.sd or 0
    assert wide > first
    assert found.deposits[1] == plain.deposits[1]
    assert found.area_px.sd == pytest.approx(np.hypot(wide, second))
    assert (
        with_boundary_error(plain, {}, None, ERROR) == with_boundary_error(plain, {7: Doubt(0.2)}, None, ERROR) == plain
    )


def test_what_is_unseen_widens_the_total_alone() -> None:
    plain, wide = doubted(0.6), doubted(0.6, unseen=Unseen.at(0.25, ERROR))
    assert wide.deposits == plain.deposits
    assert wide.area_px.sd == pytest.approx(np.hypot(plain.area_px.sd or 0, 8 / 0.25))
    assert wide.area_mm2 is not None
    assert plain.area_mm2 is not None
    assert wide.area_mm2.sd == pytest.approx(np.hypot(plain.area_mm2.sd or 0, 8))
    assert dict(wide.area_mm2.components)["unseen"] == 8


def test_what_may_be_no_calcium_widens_the_total_alone() -> None:
    image, labels = film()
    plain, unseen = measure(image, labels), Unseen.at(0.25, ERROR)
    sure, stray = (
        with_boundary_error(plain, {1: Doubt(0.1), 2: Doubt(0.1, chance)}, unseen, ERROR) for chance in (0.0, 0.36)
    )
    assert stray.deposits == sure.deposits
    assert dict(stray.area_px.components)["unseen"] == pytest.approx(np.hypot(32, 0.6 * 150))
    assert stray.area_mm2 is not None
    assert dict(stray.area_mm2.components)["unseen"] == pytest.approx(np.hypot(8, 0.6 * 37.5))


#: areas with their chance of being no calcium, and what the total may be off by
STRAYS = {
    "one for itself": ([(100, 0.25)], 50),
    "two findings": ([(100, 0.25), (100, 0.2500001)], 50 * np.sqrt(2)),
    "two parts of one": ([(100, 0.25), (100, 0.25)], 100),
    "a person's": ([(100, 0.25), (100, None)], 50),
    "none": ([], 0),
}


@pytest.mark.parametrize(("areas", "off"), STRAYS.values(), ids=STRAYS)
def test_parts_of_one_finding_are_no_calcium_together(areas: list, off: float) -> None:
    told = [(area, None if chance is None else Doubt(0.1, chance)) for area, chance in areas]
    assert sd_of_false_finds(told) == pytest.approx(off)


#: reasons and scores of findings of 100 px that were dropped, and what the total may lack
PASSED_OVER = {
    "a doubtful one": ([(Reason.BONE, 0.25)], 50),
    "two": ([(Reason.FAINT, 0.25), (Reason.SHAPE, 0.25)], 50 * np.sqrt(2)),
    "what is no calcium whatever its score": ([(Reason.TEXT, 0.9), (Reason.REJECTED, 0.9), (Reason.TOO_SMALL, 0.9)], 0),
    "without a score": ([(Reason.FAINT, None)], 0),
    "nothing": ([], 0),
}


@pytest.mark.parametrize(("findings", "off"), PASSED_OVER.values(), ids=PASSED_OVER)
def test_what_was_dropped_by_its_score_may_be_calcium(findings: list, off: float) -> None:
    dropped = [Excluded(reason, 0, 0, (0, 0, 10, 10), 100, score) for reason, score in findings]
    assert passed_over(dropped) == pytest.approx(off)
    unseen = Unseen.at(0.25, ERROR, passed_over(dropped))
    assert unseen.px == pytest.approx(np.hypot(8 / 0.25, off))
    assert unseen.mm2 == pytest.approx(unseen.px * 0.25)


def test_no_scale_no_millimetres() -> None:
    assert doubted(0.6, None).area_mm2 is None


def test_the_shipped_error_round_trips_and_says_where_it_comes_from() -> None:
    shipped = shipped_outline_error()
    assert OutlineError.from_json(json.loads(json.dumps(shipped.to_json()))) == shipped
    assert "drawn" in shipped.origin
    assert str(Recipe().weights_sha256)[:12] in shipped.origin, "other weights: run benchmarks/renew_boundary_error.py"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "renew_boundary_error"),
        ({"origin": None}, "renew_boundary_error"),
        ({"factor": 0}, "'factor' is no number in range"),
        ({"power": "steep"}, "'power' is no number in range"),
        ({"size_power": 9}, "'size_power' is no number in range"),
        ({"unseen_mm2": -1}, "'unseen_mm2' is no number in range"),
    ],
)
def test_a_strange_file_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(MeasurementRefused, match=message):
        OutlineError.from_json({**ERROR.to_json(), **change})
