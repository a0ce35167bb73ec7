"""Our nouns as napari layers, and napari's layers as our nouns.

Every layer of one picture has the same scale and the same unit, so that the data coordinates of a line, a box or a
click are rows and columns of the picture. An unknown scale is pixels, never 1 mm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from calcimeasure.errors import MaskError, UnsupportedFile
from calcimeasure.model.authorship import UNSAID, Authorship
from calcimeasure.model.deposit import Deposit, Measurement
from calcimeasure.model.image import Image, Kind, Meaning, Spacing, SpacingOrigin
from calcimeasure.model.labels import Labels
from calcimeasure.model.warning import Code, Remark

LayerData = tuple[Any, dict[str, Any], str]
Corners = npt.NDArray[np.float64]

#: Keys of a layer's metadata under which we keep what we know of it, and of our outlines who drew them.
KEY = "calcimeasure"
AUTHORSHIP = "calcimeasure authorship"
#: What stands there on the pictures of a comparison, which are not measured.
COMPARED = "compared"
#: Values between these percentiles are shown when the file names no window.
_SHOWN = (0.5, 99.8)
_MOST_SAMPLES = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """What our reader knows of an image layer: the picture, its file, and the folder it was opened from.

    `sha256` is of the very bytes that the picture was made of; empty when they are not known.
    """

    image: Image
    path: Path | None = None
    folder: Path | None = None
    sha256: str = ""


def image_layer(source: Opened, name: str) -> LayerData:
    """A picture as napari's image layer: grey with the radiologist's window, or RGB."""
    image = source.image
    look: dict[str, Any] = {"rgb": True}
    if image.pixels.ndim == 2:
        look = {"rgb": False, "colormap": "gray", "contrast_limits": window_of(image)}
    return image.pixels, {"name": name, **placed(image.spacing), **look, "metadata": {KEY: source}}, "image"


def labels_layer(labels: Labels, spacing: Spacing | None, measurement: Measurement | None, name: str) -> LayerData:
    """Deposits as napari's labels layer, a row of features for each."""
    known = {KEY: spacing, AUTHORSHIP: labels.authorship}
    facts: dict[str, Any] = {"name": name, **placed(spacing), "metadata": known}
    if measurement is not None:
        facts["features"] = features_of(measurement.deposits)
    return labels.array.copy(), facts, "labels"


def placed(spacing: Spacing | None) -> dict[str, Any]:
    """Scale and units of a layer (two entries also for RGB); pixels when the scale is unknown."""
    if spacing is None:
        return {"scale": (1.0, 1.0), "units": ("pixel", "pixel")}
    return {"scale": (spacing.row_mm, spacing.column_mm), "units": ("mm", "mm")}


def place(layers: Sequence[Any], spacing: Spacing | None) -> None:
    """Give layers of one picture its scale."""
    where = placed(spacing)
    for layer in layers:
        if tuple(layer.scale[-2:]) != where["scale"]:
            layer.scale = where["scale"]
        if not _in_units(layer, where["units"]):
            layer.units = where["units"]


def _in_units(layer: Any, units: tuple[str, str]) -> bool:
    """Whether a layer has these units already: napari lays out the whole viewer anew for any that it is given."""
    names = {"mm": "millimeter", "pixel": "pixel"}
    return tuple(str(unit) for unit in layer.units[-2:]) == tuple(names[unit] for unit in units)


def window_of(image: Image) -> tuple[float, float]:
    """Values shown black and white: the file's own window, else nearly all of the valid values."""
    if image.window is not None and image.window[0] < image.window[1]:
        return image.window
    values = image.pixels if image.valid is None else image.pixels[image.valid]
    some = values.ravel()[:: max(1, values.size // _MOST_SAMPLES)]
    low, high = np.percentile(some, _SHOWN) if some.size else (0.0, 1.0)
    return float(low), float(high if high > low else low + 1)


def image_of(layer: Any) -> Image:
    """The picture in an image layer, whoever opened it.

    A layer of another reader has no scale until it is calibrated: what such a reader writes into its scale has no
    origin.

    Raises
    ------
    UnsupportedFile
        For stacks, volumes and several resolutions.
    """
    source = opened_of(layer)
    if source is not None:
        return source.image
    pixels = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    if pixels.ndim != (3 if layer.rgb else 2):
        raise UnsupportedFile(f"{layer.name}: has {pixels.ndim} dimensions; calcimeasure measures single pictures")
    if layer.rgb:
        return Image(_eight_bit(pixels), Kind.PHOTO, Meaning.PHOTO, decided="colour layer of another reader")
    return Image(
        pixels,
        Kind.RADIOGRAPH,
        Meaning.DISPLAY,
        window=(float(layer.contrast_limits[0]), float(layer.contrast_limits[1])),
        decided="grey layer of another reader",
        warnings=(Remark.of(Code.OPENED_BY_OTHER_READER),),
    )


def opened_of(layer: Any) -> Opened | None:
    """What our reader noted about an image layer; `None` for a layer of another reader."""
    found = layer.metadata.get(KEY)
    return found if isinstance(found, Opened) else None


def path_of(layer: Any) -> Path | None:
    """The file that an image layer was opened from."""
    source = opened_of(layer)
    if source is not None and source.path is not None:
        return source.path
    return Path(layer.source.path) if layer.source.path else None


def labels_of(layer: Any, shape: tuple[int, int]) -> Labels:
    """The deposits in a labels layer that lies on a picture of `shape`.

    Raises
    ------
    MaskError
        When the layer has another size.
    """
    array = np.asarray(layer.data)
    if array.shape != shape:
        raise MaskError(f"{layer.name} is {array.shape} pixels and the picture {shape}: use the mask made for it")
    known = layer.metadata.get(AUTHORSHIP)
    authorship = known if isinstance(known, Authorship) else UNSAID
    return Labels(array, (f"taken from layer {layer.name}",), authorship)


def spacing_of(layer: Any) -> Spacing | None:
    """The scale of one of our labels layers, with its origin; a stranger's millimetres are uncertain."""
    if KEY in layer.metadata:
        found: Spacing | None = layer.metadata[KEY]
        return found
    units = {str(unit) for unit in layer.units[-2:]}
    if units != {"millimeter"}:
        return None
    return Spacing.of(float(layer.scale[-2]), float(layer.scale[-1]), SpacingOrigin.UNCERTAIN)


def features_of(deposits: Sequence[Deposit]) -> pd.DataFrame:
    """One row per deposit; the column ``index`` ties a row to its label (without it napari shows the wrong row)."""
    rows = [_row(deposit) for deposit in deposits]
    return pd.DataFrame(rows, columns=["index", "area_mm2", "area_mm2_sd", "area_px", "diameter_mm", "contrast"])


def inside(corners: Corners, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """True inside the closed outline that (row, column) corners make."""
    filled = np.zeros(shape, np.uint8)
    points = np.round(np.asarray(corners, float)[:, ::-1]).astype(np.int32)
    return np.asarray(cv2.fillPoly(filled, [points.reshape(-1, 1, 2)], 1) > 0)


def _row(deposit: Deposit) -> dict[str, Any]:
    area = deposit.area_mm2
    return {
        "index": deposit.label,
        "area_mm2": np.nan if area is None else area.value,
        "area_mm2_sd": np.nan if area is None or area.sd is None else area.sd,
        "area_px": round(deposit.area_px.value),
        "diameter_mm": np.nan if deposit.diameter_mm is None else deposit.diameter_mm,
        "contrast": np.nan if deposit.contrast_mean is None else deposit.contrast_mean,
    }


def _eight_bit(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """RGB of another reader as 0-255, without its alpha."""
    rgb = pixels[..., :3]
    if rgb.dtype == np.uint8:
        return rgb
    top = 1.0 if rgb.dtype.kind == "f" else float(np.iinfo(rgb.dtype).max)
    return np.asarray(np.clip(np.rint(rgb * (255.0 / top)), 0, 255), np.uint8)
