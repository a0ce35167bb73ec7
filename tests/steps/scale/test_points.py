import math

import pytest

from calcimeasure.errors import MeasurementRefused
from calcimeasure.model.image import SpacingOrigin
from calcimeasure.model.scale import ScaleMethod
from calcimeasure.steps.scale import scale_from_points


def test_two_points_give_the_scale_between_them():
    scale = scale_from_points((10, 20), (310, 420), 50.0)
    assert scale.method is ScaleMethod.POINTS
    assert scale.spacing.origin is SpacingOrigin.POINTS
    assert scale.spacing.row_mm == scale.spacing.column_mm == pytest.approx(0.1)
    assert not scale.unsure


def test_points_further_apart_are_surer():
    near, far = scale_from_points((0, 0), (0, 50), 5.0), scale_from_points((0, 0), (0, 500), 50.0)
    assert near.spacing.mean_mm == pytest.approx(far.spacing.mean_mm)
    assert near.sd > 2 * far.sd > 0


@pytest.mark.parametrize("mm", [0, -3.0, math.nan, math.inf])
def test_the_distance_must_be_positive(mm):
    with pytest.raises(MeasurementRefused, match="more than 0"):
        scale_from_points((0, 0), (0, 100), mm)


@pytest.mark.parametrize("second", [(0, 0), (3, 4), (0, math.nan)])
def test_points_must_lie_apart(second):
    with pytest.raises(MeasurementRefused, match="at least 20 px apart"):
        scale_from_points((0, 0), second, 10.0)
