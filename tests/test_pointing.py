"""What a person points at becomes a deposit of the reading, with the network's doubt until somebody accepts it."""

import numpy as np
import pytest

from calcimeasure import Image, Kind, Meaning, Pointed, Spacing, SpacingOrigin
from calcimeasure.errors import EditRefused
from calcimeasure.model.authorship import Doubt
from calcimeasure.reading.pointing import pointed_at
from calcimeasure.reading.session import Session

SHAPE = (60, 80)


def image() -> Image:
    return Image(
        np.full(SHAPE, 9, np.uint16), Kind.RADIOGRAPH, Meaning.DISPLAY, Spacing.of(0.2, 0.2, SpacingOrigin.USER)
    )


def found(rim: float = 0.3, row: int = 10) -> Pointed:
    """A square of 10 px, its border as doubtful as `rim` says."""
    chance = np.zeros((20, 20), np.float32)
    chance[4:16, 4:16] = rim
    chance[5:15, 5:15] = 1 - rim
    return Pointed(row, 30, chance > 0.5, chance, 0.9, 0.5)


def test_the_outline_lies_on_the_film_with_its_doubt() -> None:
    labels = pointed_at(image(), found())
    assert labels.count == 1
    assert labels.array[15:25, 35:45].all()
    assert labels.array.sum() == 100
    assert labels.authorship.doubts[1] == Doubt(pytest.approx(144 * 0.21 / 100, rel=1e-3))


def test_a_sharp_outline_is_doubted_less_than_a_faint_one() -> None:
    assert (
        pointed_at(image(), found(0.05)).authorship.doubts[1].rim
        < pointed_at(image(), found(0.4)).authorship.doubts[1].rim
    )


def test_nothing_outlined_is_an_empty_mask_and_refused_as_an_edit() -> None:
    nothing = Pointed(0, 0, np.zeros((5, 5), bool), np.zeros((5, 5), np.float32), 0.1, 0.5)
    labels = pointed_at(image(), nothing)
    assert labels.count == 0
    assert not labels.authorship.doubts
    with pytest.raises(EditRefused):
        Session(image()).prompted(labels)


def test_a_session_keeps_the_doubt_until_it_is_accepted_and_undo_takes_both_back() -> None:
    session = Session(image())
    session.prompted(pointed_at(image(), found(row=0)))
    session.prompted(pointed_at(image(), found(row=30)))
    assert set(session.outlines.authorship.doubts) == {1, 2}
    wide = session.rows[1].area_mm2.sd
    session.accept([1])
    assert set(session.outlines.authorship.doubts) == {2}
    assert session.rows[1].area_mm2.sd < wide
    session.undo()
    session.undo()
    assert set(session.outlines.authorship.doubts) == {1}
    assert session.outlines.count == 1
