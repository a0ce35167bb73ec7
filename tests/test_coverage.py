"""The 95 % interval of an area holds the truth: a reader's outlines by the hundred, automatic ones on two films."""

import numpy as np
import pytest
from coverage_scenes import reading, visible_film

from calcimeasure import analyse, measure

BANDS_MM = ((2, 5), (5, 10), (10, 20))


@pytest.fixture(scope="module")
def readings() -> np.ndarray:
    """Error in standard deviations, half-width of the interval as a share, and size in mm of every phantom."""
    rows = []
    for seed in range(150):
        one = reading(seed)
        (row,) = measure(one.image, one.labels).deposits
        area = row.area_mm2
        rows.append([(area.value - one.area_mm2) / area.sd, 1.96 * area.sd / area.value, one.size_mm])
    return np.array(rows)


def test_a_readers_intervals_hold_the_truth(readings: np.ndarray) -> None:
    held = np.abs(readings[:, 0]) <= 1.96
    assert 0.92 <= held.mean() <= 0.98
    for low, high in BANDS_MM:
        assert held[(readings[:, 2] >= low) & (readings[:, 2] < high)].mean() >= 0.88
    assert np.median(readings[:, 1]) <= 0.12


def test_automatic_intervals_hold_the_truth_of_visible_deposits() -> None:
    held, half = [], []
    for seed in (5_000, 5_001):
        film = visible_film(seed)
        found, truth, mm2 = analyse(film.image), film.truth.array, film.image.spacing.pixel_mm2
        for row in found.measurement.deposits:
            touched = np.unique(truth[found.segmentation.labels.array == row.label])
            true = np.isin(truth, touched[touched > 0]).sum() * mm2
            held += [abs(row.area_mm2.value - true) <= 1.96 * row.area_mm2.sd] if true else []
            half += [1.96 * row.area_mm2.sd / row.area_mm2.value]
    assert len(held) >= 10
    assert np.mean(held) >= 0.85
    assert np.median(half) < 0.8
