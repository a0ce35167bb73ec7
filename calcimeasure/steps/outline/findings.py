"""What was found on a film before the settings choose: threshold and smallest size act without a second search."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from calcimeasure.model.authorship import BY_PROGRAM
from calcimeasure.model.deposit import Excluded, Segmentation
from calcimeasure.model.image import Mask
from calcimeasure.model.labels import Labels
from calcimeasure.steps.outline.candidates import Candidate, Grounds, limited_to, scores_on, sort_out
from calcimeasure.steps.outline.settings import SegmentSettings

Place = tuple[tuple[int, int, int, int], int, int]

#: A closer look counts when it shows more than this many times the area: a hand seen too close shows nothing, and of a
#: deposit that fills an enlarged picture the first look sees a speck at most.
OUTSHINES = 10
#: ... and fills this share of the picture: nobody enlarges a part to show what is small in it.
FILLS = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """Candidates of a film with what they are judged by; `find` makes one.

    Parameters
    ----------
    candidates : tuple of Candidate
        Every region that may be a deposit, with its score.
    grounds : Grounds or None
        What they are judged by, under any settings; `None` when the film shows nothing.
    told : str
        The method, for the history of the labels.
    limb : bool array or None
        Where the method saw the limb.
    probability : float32 array or None
        Probability of deposit per pixel.
    warnings : tuple of str
        What a reader ought to know.
    closer : function giving Findings, or None
        A second look, which counts when it shows far more (`OUTSHINES`, `FILLS`).
    made_for : float or None
        The one threshold that the candidates hold for; `None` is any.
    again : function of settings giving Findings, or None
        Searches anew, where the candidates hold for one threshold only.
    """

    candidates: tuple[Candidate, ...]
    grounds: Grounds | None
    told: str
    limb: Mask | None = None
    probability: npt.NDArray[np.float32] | None = None
    warnings: tuple[str, ...] = ()
    closer: Callable[[], Findings] | None = None
    made_for: float | None = None
    again: Callable[[SegmentSettings], Findings] | None = None
    _masks: Mapping[Place, Mask] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_masks", {_place(one): one.mask for one in self.candidates})

    def segmentation(self, settings: SegmentSettings, region: Mask | None = None) -> Segmentation:
        """What `segment` gives with these settings."""
        found = self.under(settings)._sorted_out(settings, region)
        if self.closer is None:
            return found
        closer = self.closer().segmentation(settings, region)
        least = max(OUTSHINES * _area(found), FILLS * closer.labels.array.size)
        return closer if _area(closer) > least else found

    def under(self, settings: SegmentSettings) -> Findings:
        """These findings, or those of another search where the settings need one."""
        if self.again is None or settings.threshold == self.made_for:
            return self
        return self.again(settings)

    def pixels_of(self, finding: Excluded) -> Mask | None:
        """Pixels of an excluded finding in its bounding box; `None` when they are not known."""
        mask = self._masks.get((finding.bbox, finding.row, finding.column))
        if mask is None and self.closer is not None:
            return self.closer().pixels_of(finding)
        return mask

    def _sorted_out(self, settings: SegmentSettings, region: Mask | None) -> Segmentation:
        if self.grounds is None:
            shape = (0, 0) if self.limb is None else self.limb.shape
            return Segmentation(Labels.empty((shape[0], shape[1]), BY_PROGRAM), warnings=self.warnings)
        labels, excluded = sort_out(self.candidates, self.grounds.under(settings, region))
        return Segmentation(
            Labels(labels, (self.told,), BY_PROGRAM),
            excluded,
            limb=self.limb,
            bone=self.grounds.bone,
            probability=self.probability,
            warnings=self.warnings,
            scores=scores_on(labels, [one.outlined for one in self.candidates]),
        )


def _area(found: Segmentation) -> int:
    return int(np.count_nonzero(found.labels.array))


@dataclass(frozen=True, slots=True, eq=False)
class Proposed:
    """Findings on a photo: proposals that no setting of films speaks about."""

    found: Segmentation

    @property
    def probability(self) -> npt.NDArray[np.float32] | None:
        """Score of each candidate at its pixels."""
        return self.found.probability

    def segmentation(self, settings: SegmentSettings, region: Mask | None = None) -> Segmentation:
        """What `segment` gives."""
        return self.found if region is None else limited_to(self.found, region)

    def under(self, settings: SegmentSettings) -> Proposed:
        """These findings."""
        return self

    def pixels_of(self, finding: Excluded) -> Mask | None:
        """Pixels of an excluded finding in its bounding box; `None` when they are not known."""
        row0, column0, row1, column1 = finding.bbox
        where = np.s_[row0:row1, column0:column1]
        if number := int(self.found.labels.array[finding.row, finding.column]):
            return np.asarray(self.found.labels.array[where] == number)
        if self.probability is None or not finding.score:
            return None
        return np.asarray(self.probability[where] == np.float32(finding.score))


def _place(candidate: Candidate) -> Place:
    row, column = (int(at[0]) for at in np.nonzero(candidate.mask))
    rows, columns = candidate.mask.shape
    box = (candidate.row, candidate.column, candidate.row + rows, candidate.column + columns)
    return box, candidate.row + row, candidate.column + column
