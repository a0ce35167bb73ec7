"""What a reader does to a mask: every number is that of a full measurement, every step can be taken back."""

import cv2
import numpy as np
import pytest
from session_scenes import SPACING, film, random_edit, stroke

from calcimeasure import Image, Kind, Labels, Meaning, Reason, Recipe, Spacing, SpacingOrigin
from calcimeasure.errors import EditRefused, MaskError, MeasurementRefused, RecipeError
from calcimeasure.io.results.masks import write_labels
from calcimeasure.model.authorship import Author, Authorship
from calcimeasure.model.deposit import Excluded
from calcimeasure.model.scale import Scale
from calcimeasure.model.warning import Remark
from calcimeasure.reading.session import Session
from calcimeasure.reading.state import State, Uncounted
from calcimeasure.recipe import analyse, unseen_on
from calcimeasure.steps.measure.area import measure
from calcimeasure.steps.measure.error import is_unread, with_boundary_error
from calcimeasure.steps.outline import find, segment
from calcimeasure.steps.outline.settings import SegmentSettings


def _whole(session):
    """What a script makes of the mask: all of it measured at once, automatic outlines with their doubt."""
    found = measure(session.image, Labels(session.labels), settings=session.recipe.measure)
    told = session.outlines
    unseen = unseen_on(session.image, told.passed_over_px) if is_unread(found.deposits, told.doubts) else None
    return with_boundary_error(found, told.doubts, unseen)


def _two(spacing=SPACING):
    """Two discs, numbers 1 and 2, ten pixels apart."""
    session = Session(film(spacing=spacing))
    stroke(session, (100, 100), 10, 1)
    stroke(session, (100, 130), 10, 2)
    return session


# --- the numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("spacing", [SPACING, Spacing.of(0.1, 0.35, SpacingOrigin.USER), None])
def test_after_any_edits_the_numbers_are_those_of_the_whole_mask(seed, spacing):
    rng = np.random.default_rng(seed)
    session = Session(film(seed, spacing=spacing))
    for _ in range(40):
        random_edit(session, rng)
        assert session.measurement == _whole(session)


def test_a_deposit_whose_background_is_painted_over_is_measured_again():
    session = _two()
    before = session.rows[1].contrast_mean
    event = session.edit.edited(np.s_[88:93, 112:116], np.full((5, 4), 7), "paint")
    assert {1, 2, 7} == event.numbers
    assert session.rows[1].contrast_mean != before
    assert session.measurement == _whole(session)


def test_far_deposits_are_left_alone():
    session = _two()
    stroke(session, (200, 280), 10, 3)
    assert session.edit.edited(np.s_[200:203, 280:283], np.zeros((3, 3), int), "erase").numbers == {3}


def test_a_film_of_unknown_scale_stays_in_pixels_until_calibrated():
    session = _two(spacing=None)
    assert session.measurement.area_mm2 is None
    assert session.brush_px(2.0) is None
    session.calibration.set_spacing(0.1)
    assert session.measurement.area_mm2.value == pytest.approx(session.measurement.area_px.value * 0.01)
    assert session.brush_px(2.0) == 20
    session.undo()
    assert session.measurement.area_mm2 is None


@pytest.mark.parametrize("mm", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_none_is_refused(mm):
    with pytest.raises(EditRefused, match="positive"):
        Session(film()).calibration.set_spacing(mm)


def test_a_scale_measured_in_a_thread_gives_the_same_numbers_there_and_back():
    session, other = (Session(film()) for _ in range(2))
    for one in (session, other):
        for number in range(1, 41):
            stroke(one, (20 + 25 * (number % 8), 20 + 55 * (number // 8)), 5 + number % 3, number)
    before = session.measurement
    later = session.calibration.scaling(0.3)
    later.take(later())
    other.calibration.set_spacing(0.3)
    assert session.measurement == other.measurement != before
    session.undo()
    assert session.measurement == before
    stroke(session, (100, 100), 9, 3)
    session.undo()
    session.redo()
    assert session.measurement == measure(session.image, Labels(session.labels))


def test_a_stroke_while_the_scale_is_measured_is_not_lost():
    session = Session(film())
    stroke(session, (50, 50), 8, 1)
    later = session.calibration.scaling(0.3)
    result = later()
    assert not later.is_stale
    stroke(session, (150, 150), 8, 2)
    assert later.is_stale
    later.take(result)
    assert session.measurement == measure(session.image, Labels(session.labels))
    assert session.measurement.count == 2


def test_no_deposits_are_looked_for_where_the_wedge_lies_and_undo_forgets_it(segmented):
    box = next(iter(segmented.rows.values())).bbox
    before = segmented.labels.copy()
    segmented.calibration.set_wedge((1, 2, 3, 4, 5), box, box)
    segmented.finding.set_threshold(segmented.recipe.segment.threshold - 0.01)
    row0, column0, row1, column1 = box
    assert not segmented.labels[row0:row1, column0:column1].any()
    segmented.undo()
    segmented.undo()
    assert (segmented.labels == before).all()
    assert segmented.recipe.wedge.steps_mm == ()


def test_a_refused_scale_says_why_and_changes_nothing():
    session = _two()
    with pytest.raises(MeasurementRefused, match="no marker"):
        session.calibration.set_scale(Scale.refused(Remark.other("no marker in the picture")))
    assert session.image.spacing == SPACING


# --- undo ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_three_hundred_steps_back_and_forth_end_in_the_first_mask(seed):
    rng = np.random.default_rng(seed)
    session = Session(film(seed))
    for _ in range(10):
        random_edit(session, rng)
    first, state, numbers = session.labels.copy(), session.state, session.measurement
    steps = len(session.history.names)
    done = 0
    while done < 150:
        if rng.random() < 0.3 and len(session.history.names) > steps:
            session.undo()
        else:
            random_edit(session, rng)
            done += 1
    last, last_numbers = session.labels.copy(), session.measurement
    depth = len(session.history.names) - steps
    for _ in range(depth):
        session.undo()
    assert (session.labels == first).all()
    assert session.measurement == numbers
    assert session.state is state
    for _ in range(depth):
        session.redo()
    assert (session.labels == last).all()
    assert session.measurement == last_numbers


def test_the_history_stays_under_its_bound():
    rng = np.random.default_rng(0)
    session = Session(film(), history_bytes=100_000)
    for _ in range(300):
        random_edit(session, rng)
        assert session.history.nbytes <= 100_000
    assert session.history.undo_name is not None


def test_a_step_larger_than_the_bound_is_done_but_not_kept():
    session = Session(film(), history_bytes=2000)
    noise = np.random.default_rng(0).integers(0, 2, (240, 320))
    session.edit.edited(np.s_[0:240, 0:320], noise)
    assert session.labels.any()
    assert session.undo() is None


def test_a_whole_film_filled_costs_the_history_nothing_to_speak_of():
    session = Session(film())
    for number in range(1, 31):
        session.edit.edited(np.s_[0:240, 0:320], np.full((240, 320), number), "fill")
    assert session.history.nbytes < 100_000


def test_steps_are_named_and_a_new_one_ends_redo():
    session = _two()
    session.edit.merge([1, 2])
    assert session.history.undo_name == "merge"
    session.undo()
    assert (session.history.undo_name, session.history.redo_name) == ("paint", "merge")
    session.edit.delete([1])
    assert session.history.redo_name is None
    assert session.redo() is None


# --- single actions --------------------------------------------------------------------------------------


def test_merge_then_split_gives_the_two_again():
    session = _two()
    session.edit.merge([2, 1])
    assert list(session.rows) == [1]
    session.edit.split(1)
    assert sorted(row.area_px.value for row in session.rows.values()) == [317.0, 317.0]


@pytest.mark.parametrize("line", [[(100, 80), (100, 120)], [(85, 85), (115, 115)], [(80, 101), (120, 99)]])
def test_a_line_across_parts_a_deposit_and_loses_no_pixel(line):
    session = _two()
    session.edit.split(1, line)
    assert sorted(session.rows) == [1, 2, 3]
    assert session.rows[1].area_px.value + session.rows[3].area_px.value == 317
    assert session.rows[1].area_px.value >= session.rows[3].area_px.value > 100
    assert all(cv2.connectedComponents((session.labels == n).astype(np.uint8))[0] == 2 for n in (1, 3))


def test_a_cut_leaves_the_pieces_that_it_does_not_meet_with_the_deposit():
    session = _two()
    session.edit.merge([1, 2])
    session.edit.split(1, [(100, 80), (100, 112)])
    assert sorted(session.rows) == [1, 2]
    assert session.labels[100, 130] == 1


@pytest.mark.parametrize("line", [[(10, 10), (10, 50)], [(100, 100), (100, 104)]])
def test_a_line_that_does_not_part_is_refused(line):
    with pytest.raises(EditRefused, match="right across"):
        _two().edit.split(1, line)


def test_what_is_rejected_can_be_brought_back_to_the_pixel():
    session = _two()
    before = session.labels.copy()
    session.edit.reject([2])
    (held,) = session.excluded
    assert held.finding.reason is Reason.REJECTED
    session.edit.bring_back(held)
    assert ((session.labels > 0) == (before > 0)).all()
    assert session.excluded == ()
    with pytest.raises(EditRefused, match="not among"):
        session.edit.bring_back(held)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda s: s.edit.delete([9]), "no deposit 9"),
        (lambda s: s.edit.reject([]), "no deposit is chosen"),
        (lambda s: s.edit.merge([1]), "two deposits"),
        (lambda s: s.edit.split(1), "in one piece"),
        (lambda s: s.keeping.reopen("why", "AB"), "not signed"),
        (lambda s: s.keeping.set_initials("Alice Bloggs"), "initials"),
        (lambda s: s.finding.prompted(Labels(s.labels)), "counted already"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(act, words):
    session = _two()
    before, steps = session.labels.copy(), len(session.changes.log)
    with pytest.raises(EditRefused, match=words):
        act(session)
    assert (session.labels == before).all()
    assert len(session.changes.log) == steps


@pytest.mark.parametrize(
    ("where", "values"),
    [
        (np.s_[0:5, 0:5], np.zeros((5, 4), int)),
        (np.s_[0:5, 0:5], np.zeros((5, 5))),
        (np.s_[0:5, 0:5], np.full((5, 5), -1)),
        (np.s_[0:5, 0:5], np.full((5, 5), 2**31)),
        (np.s_[238:243, 0:5], np.ones((5, 5), int)),
    ],
)
def test_a_window_that_is_no_part_of_a_mask_is_refused(where, values):
    session = _two()
    with pytest.raises(MaskError):
        session.edit.edited(where, values)
    assert session.measurement == _whole(session)


def test_a_region_limits_what_is_measured_and_drawn_and_undo_brings_all_back():
    session = _two()
    before = session.labels.copy()
    region = np.zeros(session.labels.shape, bool)
    region[:, :100] = True
    session.finding.set_region(region)
    assert list(session.rows) == [1]
    assert [held.finding.reason for held in session.excluded] == [Reason.OUTSIDE_REGION]
    seen = []
    session.on_change(seen.append)
    event = session.edit.edited(np.s_[50:60, 95:105], np.full((10, 10), 5))
    assert event.clipped
    assert seen == [event]
    assert session.rows[5].area_px.value == 50
    session.undo(), session.undo()
    assert (session.labels == before).all()
    assert session.region is None
    with pytest.raises(MaskError, match="region"):
        session.finding.set_region(region[:-1])


def test_a_region_measured_in_a_thread_gives_the_same_as_one_that_is_not():
    inside = np.zeros((240, 320), bool)
    inside[:, :120] = True
    one, other = _two(), _two()
    one.finding.set_region(inside)
    later = other.finding.limiting(inside)
    later.take(later())
    assert np.array_equal(one.labels, other.labels)
    assert one.measurement == other.measurement == _whole(other)
    late = _two()
    job = late.finding.limiting(inside)
    stroke(late, (30, 30), 8, 3)
    job.take(job())
    assert 3 in late.rows
    assert late.measurement == _whole(late)


def test_a_deposit_of_several_parts_is_one_deposit():
    session = _two()
    session.edit.merge([1, 2])
    whole, rows = session.labels.copy(), dict(session.rows)
    session.edit.reject([1])
    assert not session.labels.any()
    session.edit.bring_back(session.excluded[0])
    assert np.array_equal(session.labels, whole)
    assert session.rows == rows
    session.edit.delete([1])
    session.undo()
    assert np.array_equal(session.labels, whole)
    assert session.measurement == _whole(session)


def test_a_signed_mask_is_locked_until_it_is_reopened_with_a_reason():
    session = _two()
    session.keeping.sign("ab")
    locked = [
        lambda: stroke(session, (50, 50), 3, 5),
        session.undo,
        lambda: session.edit.delete([1]),
        lambda: session.calibration.set_spacing(0.3),
        lambda: session.finding.set_threshold(0.3),
        lambda: session.finding.found(segment(session.image, SegmentSettings(method="classical"))),
        session.finding.segmenting,
        lambda: session.keeping.sign("CD"),
    ]
    for act in locked:
        with pytest.raises(EditRefused, match="signed by AB"):
            act()
    with pytest.raises(EditRefused, match="why"):
        session.keeping.reopen("  ", "CD")
    session.keeping.reopen("missed a deposit", "cd")
    session.edit.delete([1])
    notes = [(did.name, did.who, did.why) for did in session.changes.log if did.name in ("sign", "reopen")]
    assert notes == [("sign", "AB", ""), ("reopen", "CD", "missed a deposit")]


def test_listeners_hear_every_change_until_they_leave():
    session, seen = Session(film()), []
    leave = session.on_change(seen.append)
    stroke(session, (50, 60), 4, 1)
    session.undo()
    leave()
    session.redo()
    assert [(event.name, event.how) for event in seen] == [("paint", "do"), ("paint", "undo")]
    assert seen[0].where == np.s_[46:55, 56:65]
    assert session.at(50, 60) == 1
    assert session.at(-5, 60) == session.at(50, 1e6) == 0


def test_the_mask_cannot_be_written_past_the_session():
    with pytest.raises(ValueError, match="read-only"):
        _two().labels[0, 0] = 1


# --- findings and what a person did ---------------------------------------------------------------------


def _scene():
    """A limb with four nodules of falling contrast."""
    rng = np.random.default_rng(1)
    yy, xx = np.mgrid[:400, :300]
    grey = 200 + 600.0 * (abs(xx - 150) < 110) + rng.normal(0, 6, xx.shape)
    for at, height in ((80, 500), (160, 350), (240, 260), (320, 190)):
        grey += height * np.exp(-((((yy - at) ** 2 + (xx - 100) ** 2) / 90) ** 2))
    pixels = np.clip(grey, 0, 4095).astype(np.uint16)
    return Image(pixels, Kind.RADIOGRAPH, Meaning.DISPLAY, Spacing.of(0.3, 0.3, SpacingOrigin.USER))


def _search(session):
    later = session.finding.segmenting()
    return later.take(later())


METHODS = ["classical", "learned"]


@pytest.fixture(params=METHODS)
def segmented(request):
    session = Session(_scene(), Recipe(SegmentSettings(method=request.param)))
    _search(session)
    assert session.measurement.count >= 2
    return session


@pytest.mark.parametrize("method", METHODS)
def test_findings_give_what_segmenting_gives_under_any_settings(method):
    image = _scene()
    found = find(image, SegmentSettings(method=method))
    region = np.zeros(image.shape, bool)
    region[:170] = True
    for settings, part in (
        (SegmentSettings(method=method), None),
        (SegmentSettings(method=method, threshold=0.9), None),
        (SegmentSettings(method=method, threshold=0.2, min_area_mm2=25.0), None),
        (SegmentSettings(method=method, min_area_px=300), region),
    ):
        one, other = found.segmentation(settings, part), segment(image, settings, part)
        assert (one.labels.array == other.labels.array).all()
        assert (one.excluded, one.warnings) == (other.excluded, other.warnings)


def test_the_sliders_act_at_once_and_give_what_segmenting_would(segmented):
    for threshold in (0.95, 0.05, 0.5):
        segmented.finding.set_threshold(threshold)
        fresh = segment(segmented.image, segmented.recipe.segment)
        assert (segmented.labels == fresh.labels.array).all()
        assert tuple(held.finding for held in segmented.excluded) == tuple(
            sorted(fresh.excluded, key=lambda e: (e.row, e.column))
        )
        assert segmented.measurement == _whole(segmented)
    segmented.finding.set_min_area_px(10**6)
    assert segmented.measurement.count == 0
    assert segmented.measurement == analyse(segmented.image, segmented.recipe).measurement
    segmented.undo()
    assert segmented.recipe.segment.min_area_px == 12
    assert segmented.measurement == _whole(segmented)
    with pytest.raises(RecipeError):
        segmented.finding.set_threshold(1.5)


def test_what_a_person_did_survives_sliders_and_another_segmentation(segmented):
    kept, deleted = list(segmented.rows)[:2]
    segmented.edit.edited(np.s_[5:9, 5:9], np.full((4, 4), 40))
    window = segmented.rows[kept].bbox
    segmented.edit.edited(np.s_[window[0] : window[0] + 3, 0:300], np.zeros((3, 300), int), "erase")
    mine = segmented.labels == kept
    segmented.edit.delete([deleted])
    for act in (lambda: segmented.finding.set_threshold(0.05), lambda: _search(segmented)):
        act()
        assert ((segmented.labels == kept) == mine).all()
        assert (segmented.labels == 40).sum() == 16
        assert deleted not in segmented.rows
        assert segmented.measurement == _whole(segmented)


def test_a_finding_that_the_sliders_dropped_is_brought_back_with_one_click(segmented):
    before = segmented.labels > 0
    segmented.finding.set_min_area_px(10**6)
    for held in [one for one in segmented.excluded if before[one.finding.row, one.finding.column]]:
        segmented.edit.bring_back(held)
    assert ((segmented.labels > 0) == before).all()


def test_a_segmentation_that_comes_late_answers_the_present_question():
    session = Session(_scene(), Recipe(SegmentSettings(method="classical")))
    work = session.finding.segmenting()
    session.finding.set_min_area_mm2(40.0)
    work.take(work())
    assert (session.labels == segment(session.image, session.recipe.segment).labels.array).all()


def test_a_late_proposal_is_worked_out_anew_beside_the_strokes_made_meanwhile(segmented):
    stroke(segmented, (20, 20), 5, segmented.next_label)
    late = segmented.finding.sifting(threshold=0.2)
    result = late()
    assert not late.is_stale
    stroke(segmented, (60, 20), 5, segmented.next_label)
    assert late.is_stale
    again = late.again(result)
    again.take(again())
    assert segmented.history.undo_name == "threshold"
    assert segmented.recipe.segment.threshold == 0.2
    assert segmented.at(20, 20)
    assert segmented.at(60, 20)
    assert segmented.measurement == _whole(segmented)


def test_a_photo_is_outlined_where_a_person_points():
    yy, xx = np.mgrid[:200, :200]
    disc = ((yy - 100) ** 2 + (xx - 90) ** 2 < 20**2)[..., None]
    noise = np.random.default_rng(0).normal(0, 2, (200, 200, 3))
    pixels = np.clip(np.where(disc, (225, 215, 200), (190, 130, 110)) + noise, 0, 255).astype(np.uint8)
    session = Session(Image(pixels, Kind.PHOTO, Meaning.PHOTO, Spacing.of(0.2, 0.2, SpacingOrigin.MARKER)))
    session.finding.prompt(box=(70, 60, 130, 120))
    assert session.measurement.area_mm2.value == pytest.approx(np.pi * 16, rel=0.1)
    assert session.measurement == _whole(session)
    assert session.measurement.contrast_mean is None
    _search(session)
    assert session.rows[1].area_px.value > 1000


# --- whose error bar it is ----------------------------------------------------------------------------


def _areas(measurement):
    return measurement.area_mm2, [row.area_mm2 for row in measurement.deposits]


@pytest.fixture
def found():
    session = Session(_scene(), Recipe())
    _search(session)
    return session


def test_what_was_just_found_has_the_error_bars_of_the_command_line(found):
    told = analyse(found.image, found.recipe)
    assert _areas(found.measurement) == _areas(told.measurement)
    plain = measure(found.image, Labels(found.labels), settings=found.recipe.measure)
    assert found.measurement.area_mm2.sd > 1.2 * plain.area_mm2.sd


def test_an_accepted_or_painted_outline_has_a_readers_error_bar_until_undo(found):
    wide, plain = dict(found.rows), measure(found.image, Labels(found.labels), settings=found.recipe.measure)
    first = plain.deposits[0].label
    found.edit.accept([first])
    assert found.rows[first] == plain.deposits[0]
    assert {n: row for n, row in found.rows.items() if n != first} == {n: row for n, row in wide.items() if n != first}
    assert found.measurement == _whole(found)
    found.undo()
    assert found.rows == wide
    row, column = (round(at) for at in plain.deposits[0].centroid)
    found.edit.edited(np.s_[row : row + 1, column : column + 1], np.zeros((1, 1), int), "erase")
    assert first not in found.outlines.doubts
    assert found.measurement == _whole(found)


def test_a_finding_that_is_brought_back_is_passed_over_no_more():
    def passed(area, reason, score):
        return Uncounted(Excluded(reason, 0, 0, (0, 0, 1, 1), area, score))

    doubtful, other, mark = passed(30, Reason.FAINT, 0.25), passed(40, Reason.BONE, 0.25), passed(90, Reason.TEXT, 0.9)
    state = State(film(), Recipe(), excluded=(doubtful, other, mark), authorship=Authorship(passed_over_px=25.0))
    assert state.without(other).passed_over_px == pytest.approx(15)
    assert state.without(mark).passed_over_px == 25
    assert state.without(mark).excluded == (doubtful, other)


def test_every_deposit_knows_who_drew_it(found):
    first, *others = sorted(found.rows)
    found.edit.accept([first])
    stroke(found, (20, 20), 4, 99)
    found.finding.set_threshold(0.6)
    by = found.outlines.authorship
    assert (by.film, by.of(first), by.of(99)) == (Author.PERSON, Author.ACCEPTED, Author.PERSON)
    assert {by.of(n) for n in others if n in found.rows} <= {Author.NETWORKS}
    found.edit.delete(list(found.rows))
    assert found.outlines.is_by_person


def test_a_new_threshold_keeps_the_readers_bar_of_what_was_accepted(found):
    first, *others = sorted(found.rows)
    found.edit.accept([first])
    found.finding.set_threshold(0.6)
    assert first not in found.outlines.doubts
    assert set(found.outlines.doubts) == set(others) & set(found.rows)


def test_a_loaded_mask_of_the_command_line_keeps_its_error_bars(found, tmp_path):
    told = analyse(found.image, found.recipe)
    write_labels(tmp_path / "a.labels.tif", told.segmentation.labels, found.image.spacing)
    other = Session(_scene(), Recipe())
    other.edit.load_mask(tmp_path / "a.labels.tif")
    assert _areas(other.measurement) == _areas(told.measurement)
    assert other.state.by_hand == set(other.rows)
