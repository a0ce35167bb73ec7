"""What an enhanced DICOM object says of one frame holds for that frame, as it would of a plain film."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_scenes import CR, STORED, XA, film
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from calcimeasure.io.images.read import read_image
from calcimeasure.model.image import Image, Polarity
from calcimeasure.report.words import sentences

TWO = np.stack([STORED, STORED + 100])


def item(**facts: Any) -> Dataset:
    made = Dataset()
    for keyword, value in facts.items():
        setattr(made, keyword, value)
    return made


def group(name: str, **facts: Any) -> Dataset:
    return item(**{name: Sequence([item(**facts)])})


def read(path: Path, frame: int | None = None, **facts: Any) -> Image:
    return read_image(film(path / "a.dcm", **facts), frame=frame)


SCALED = group("PixelValueTransformationSequence", RescaleSlope=2, RescaleIntercept=-5, RescaleType="US")


@pytest.mark.parametrize(
    ("shared", "each", "factors"),
    [
        ([SCALED], [], ((2, -5), (2, -5))),
        (
            [],
            [SCALED, group("PixelValueTransformationSequence", RescaleSlope=3, RescaleIntercept=1)],
            ((2, -5), (3, 1)),
        ),
        ([SCALED], [item(), group("PixelValueTransformationSequence", RescaleSlope=3)], ((2, -5), (3, 0))),
        ([group("FrameContentSequence", StackID="1")], [item(), item()], ((1, 0), (1, 0))),
    ],
)
def test_rescale_is_that_of_the_frame(
    tmp_path: Path, shared: list[Dataset], each: list[Dataset], factors: tuple[tuple[int, int], ...]
) -> None:
    groups = {"SharedFunctionalGroupsSequence": Sequence(shared), "PerFrameFunctionalGroupsSequence": Sequence(each)}
    for number, (slope, intercept) in enumerate(factors, 1):
        image = read(tmp_path, number, stored=TWO, SOPClassUID=CR, **groups)
        assert np.array_equal(image.pixels, TWO[number - 1] * float(slope) + intercept)
        assert not [words for words in sentences(image.warnings) if "contradict" in words]


def test_a_plain_film_may_have_them_too(tmp_path: Path) -> None:
    image = read(tmp_path, SharedFunctionalGroupsSequence=Sequence([SCALED]))
    assert np.array_equal(image.pixels, STORED * 2.0 - 5)


def test_the_sign_of_the_beam_and_the_window_are_those_of_the_frame(tmp_path: Path) -> None:
    beam = group("FramePixelDataPropertiesSequence", PixelIntensityRelationship="LIN", PixelIntensityRelationshipSign=1)
    beam.FrameVOILUTSequence = Sequence([item(WindowCenter=10, WindowWidth=7)])
    image = read(tmp_path, SOPClassUID=XA, Modality="XA", SharedFunctionalGroupsSequence=Sequence([beam]))
    assert image.polarity is Polarity.TURNED_OVER
    assert image.window is not None
    assert image.window[1] - image.window[0] == 6
    assert "follow the beam" in image.decided


def test_the_side_is_that_of_the_frame(tmp_path: Path) -> None:
    image = read(
        tmp_path, SharedFunctionalGroupsSequence=Sequence([group("FrameAnatomySequence", FrameLaterality="R")])
    )
    assert image.acquisition.side == "R"


def test_a_contradiction_is_told(tmp_path: Path) -> None:
    image = read(tmp_path, RescaleSlope=4, RescaleIntercept=0, SharedFunctionalGroupsSequence=Sequence([SCALED]))
    assert any("RescaleSlope of the frame contradicts" in words for words in sentences(image.warnings))
    lonely = Sequence([item()])
    image = read(tmp_path, 2, stored=TWO, SOPClassUID=CR, PerFrameFunctionalGroupsSequence=lonely)
    assert any("of 1 frames, and it has 2" in words for words in sentences(image.warnings))


@pytest.mark.parametrize("value", [Sequence([]), Sequence([item(PixelValueTransformationSequence=Sequence([]))])])
def test_empty_groups_say_nothing(tmp_path: Path, value: Sequence) -> None:
    assert np.array_equal(read(tmp_path, SharedFunctionalGroupsSequence=value).pixels, STORED)
