"""calcimeasure measures calcinosis: outlines, areas and densities with error bars.

The public names below are found when they are first used; importing the package does nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from calcimeasure.errors import CalcimeasureError as CalcimeasureError
    from calcimeasure.io.images.read import read_image as read_image
    from calcimeasure.model.deposit import Deposit as Deposit
    from calcimeasure.model.deposit import Excluded as Excluded
    from calcimeasure.model.deposit import Measurement as Measurement
    from calcimeasure.model.deposit import Reason as Reason
    from calcimeasure.model.deposit import Segmentation as Segmentation
    from calcimeasure.model.image import Acquisition as Acquisition
    from calcimeasure.model.image import Image as Image
    from calcimeasure.model.image import Kind as Kind
    from calcimeasure.model.image import Meaning as Meaning
    from calcimeasure.model.image import Polarity as Polarity
    from calcimeasure.model.image import Spacing as Spacing
    from calcimeasure.model.image import SpacingOrigin as SpacingOrigin
    from calcimeasure.model.labels import Labels as Labels
    from calcimeasure.model.quantity import Quantity as Quantity
    from calcimeasure.model.scale import Scale as Scale
    from calcimeasure.recipe import Analysis as Analysis
    from calcimeasure.recipe import Recipe as Recipe
    from calcimeasure.recipe import analyse as analyse
    from calcimeasure.steps.agreement.power import MeasurementError as MeasurementError
    from calcimeasure.steps.agreement.power import TrialPlan as TrialPlan
    from calcimeasure.steps.agreement.power import sample_size as sample_size
    from calcimeasure.steps.measure.area import measure as measure
    from calcimeasure.steps.measure.density import density as density
    from calcimeasure.steps.measure.wedge import calibrate_wedge as calibrate_wedge
    from calcimeasure.steps.outline import segment as segment
    from calcimeasure.steps.outline.photo import segment_photo as segment_photo
    from calcimeasure.steps.outline.prompted import Click as Click
    from calcimeasure.steps.outline.prompted import Pointed as Pointed
    from calcimeasure.steps.outline.prompted import outline_at as outline_at
    from calcimeasure.steps.scale.find import find_scale as find_scale
    from calcimeasure.steps.scale.points import scale_from_points as scale_from_points

_HOME = {
    "Acquisition": "model.image",
    "Analysis": "recipe",
    "CalcimeasureError": "errors",
    "Click": "steps.outline.prompted",
    "Deposit": "model.deposit",
    "Excluded": "model.deposit",
    "Image": "model.image",
    "Kind": "model.image",
    "Labels": "model.labels",
    "Meaning": "model.image",
    "Measurement": "model.deposit",
    "MeasurementError": "steps.agreement.power",
    "Pointed": "steps.outline.prompted",
    "Polarity": "model.image",
    "Quantity": "model.quantity",
    "Reason": "model.deposit",
    "Recipe": "recipe",
    "Scale": "model.scale",
    "Segmentation": "model.deposit",
    "Spacing": "model.image",
    "SpacingOrigin": "model.image",
    "TrialPlan": "steps.agreement.power",
    "analyse": "recipe",
    "calibrate_wedge": "steps.measure.wedge",
    "density": "steps.measure.density",
    "find_scale": "steps.scale.find",
    "measure": "steps.measure.area",
    "outline_at": "steps.outline.prompted",
    "read_image": "io.images.read",
    "sample_size": "steps.agreement.power",
    "scale_from_points": "steps.scale.points",
    "segment": "steps.outline",
    "segment_photo": "steps.outline.photo",
}

__version__ = "0.1.0"
__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    """Find a public name at its home on first use (PEP 562), so that importing the package stays free."""
    if name not in _HOME:
        raise AttributeError(f"module 'calcimeasure' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"calcimeasure.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """The public names."""
    return [*__all__, "__version__"]
