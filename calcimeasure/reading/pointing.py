"""What a person pointed at, as outlines for a session: with the network's doubt where the deposit ends.

Whether it is calcium the person has said by pointing; where it ends the network drew. So the outline keeps a doubt, and
with it the wider error bar, until a person accepts or corrects it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calcimeasure.model.authorship import Author, Authorship
from calcimeasure.model.image import Image
from calcimeasure.model.labels import Labels
from calcimeasure.steps.measure.area import measure
from calcimeasure.steps.measure.error import doubts
from calcimeasure.steps.outline.prompted import Pointed

POINTED = "outlined where a person pointed"


def pointed_at(image: Image, found: Pointed) -> Labels:
    """The outline as the one deposit of a label image, with its doubt; empty when nothing was outlined."""
    labels = Labels(found.mask_on(image.shape).astype(np.int32), (POINTED,))
    rows = measure(image, labels).deposits
    told = doubts(rows, labels, found.probability_on(image.shape))
    return replace(labels, authorship=Authorship(Author.PERSON, doubts=told))
