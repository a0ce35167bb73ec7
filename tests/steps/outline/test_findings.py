"""Findings before settings choose, and the numbering that both share."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy import ndimage as ndi

from calcimeasure.model.deposit import Segmentation
from calcimeasure.model.image import Image, Kind, Meaning
from calcimeasure.model.labels import Labels
from calcimeasure.phantom.film import draw_film, random_film_scene
from calcimeasure.report.words import sentences
from calcimeasure.steps.outline import SegmentSettings, find, segment
from calcimeasure.steps.outline.candidates import Candidate, Grounds, in_reading_order, scores_on
from calcimeasure.steps.outline.findings import Findings

METHODS = ("classical", "learned")


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("density", [0.0, 0.0005, 0.01, 0.4, 1.0])
def test_parts_are_numbered_by_their_first_pixel_however_they_lie_in_blocks(seed, density):
    rng = np.random.default_rng(seed)
    mask = rng.random(tuple(rng.integers(1, 300, 2))) < density
    if seed % 2:
        mask = cv2.dilate(mask.astype(np.uint8), np.ones((5, 9), np.uint8)) > 0
    parts, count = ndi.label(mask, np.ones((3, 3)))
    numbered = in_reading_order(mask)
    assert ((numbered > 0) == mask).all()
    first = [int(np.flatnonzero(numbered.reshape(-1) == number)[0]) for number in range(1, numbered.max() + 1)]
    assert numbered.max() == count
    assert first == sorted(first)
    assert all(len(np.unique(numbered[parts == part])) == 1 for part in range(1, min(count, 40) + 1))


@pytest.mark.parametrize("method", METHODS)
def test_a_film_that_shows_nothing_has_no_findings(method):
    image = Image(np.full((60, 50), 7, np.uint8), Kind.RADIOGRAPH, Meaning.DISPLAY)
    found = find(image, SegmentSettings(method=method)).segmentation(SegmentSettings(method=method, threshold=0.1))
    assert found.labels.shape == (60, 50)
    assert not found.labels.count
    assert sentences(found.warnings) == ("the film shows nothing",)


def test_pixels_of_what_was_dropped_are_known():
    rng = np.random.default_rng(1)
    yy, xx = np.mgrid[:300, :300]
    grey = 200 + 600.0 * (abs(xx - 150) < 110) + rng.normal(0, 6, xx.shape)
    for at in (80, 200):
        grey += 500 * np.exp(-((((yy - at) ** 2 + (xx - 100) ** 2) / 90) ** 2))
    image = Image(np.clip(grey, 0, 4095).astype(np.uint16), Kind.RADIOGRAPH, Meaning.DISPLAY)
    kept = segment(image, SegmentSettings(method="classical"))
    findings = find(image, SegmentSettings(method="classical"))
    dropped = findings.segmentation(SegmentSettings(method="classical", min_area_px=10**6))
    again = np.zeros(image.shape, bool)
    for finding in dropped.excluded:
        row0, column0, row1, column1 = finding.bbox
        if kept.labels.array[finding.row, finding.column]:
            again[row0:row1, column0:column1] |= findings.pixels_of(finding)
    assert kept.labels.count == 2
    assert (again == (kept.labels.array > 0)).all()


@pytest.mark.parametrize(
    ("first", "closer", "counts"), [(5, 400, True), (60, 400, False), (0, 150, False), (0, 0, False)]
)
def test_a_closer_look_counts_where_it_shows_far_more_and_fills_the_picture(first, closer, counts):
    """Of 100 x 100 pixels: 2 % are 200."""
    looks = [_finding(size) for size in (first, closer)]
    found = replace(looks[0], closer=lambda: looks[1]).segmentation(SegmentSettings(min_area_px=1))
    assert np.count_nonzero(found.labels.array) == (closer if counts else first)


def _finding(size):
    field = np.ones((100, 100), bool)
    mask = np.zeros((20, 40), bool)
    mask.ravel()[:size] = True
    grounds = Grounds(field.astype(np.float32), field, field, ~field, 0.2, None, 1, 0.5, None)
    return Findings((Candidate(30, 30, mask, 0.9),) if size else (), grounds, "drawn", ~field)


@pytest.mark.parametrize("threshold", [0.3, 0.5])
def test_every_deposit_tells_how_likely_it_is_none(threshold):
    film = draw_film(random_film_scene(5, mm=0.25, part="hand"), 5).image
    found = segment(film, SegmentSettings(threshold=threshold))
    assert found.labels.count
    assert set(found.not_calcium) == set(found.labels.numbers.tolist())
    assert all(0 <= stray <= 1 - threshold for stray in found.not_calcium.values())


def test_a_deposit_of_two_candidates_is_as_likely_as_the_likelier():
    labels = np.zeros((4, 9), np.int32)
    labels[1, 1:5], labels[3, 7:] = 1, 2
    parts = [Candidate(1, 1, np.ones((1, 2), bool), 0.6), Candidate(1, 3, np.ones((1, 2), bool), 0.9)]
    parts += [Candidate(3, 7, np.ones((1, 2), bool), 0.75), Candidate(0, 0, np.ones((1, 3), bool), 0.2)]
    assert Segmentation(Labels(labels), scores=scores_on(labels, parts)).not_calcium == pytest.approx({1: 0.1, 2: 0.25})
