"""The data dictionary: every column of every table, with its meaning, unit and type."""

from __future__ import annotations

import json
from dataclasses import dataclass

# A later version only appends columns; order and names here are a contract with other tools.


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its name, what it means, its unit and its type (text, integer, number)."""

    name: str
    description: str
    unit: str
    dtype: str


def _text(name: str, description: str) -> Column:
    return Column(name, description, "", "text")


def _integer(name: str, description: str, unit: str = "") -> Column:
    return Column(name, description, unit, "integer")


def _number(name: str, description: str, unit: str) -> Column:
    return Column(name, description, unit, "number")


_BBOX = (
    _integer("bbox_row0", "first row of the bounding box", "px"),
    _integer("bbox_column0", "first column of the bounding box", "px"),
    _integer("bbox_row1", "row after the last one of the bounding box", "px"),
    _integer("bbox_column1", "column after the last one of the bounding box", "px"),
)

IMAGES = (
    _text("image", "path of the input relative to the given folder"),
    _text("sha256", "SHA-256 of the input file's bytes"),
    _text(
        "status",
        "measured | proposed (a photo outlined without a person: look before use) | failed",
    ),
    _text("kind", "radiograph | photo, as the reader or --kind decided"),
    _text("meaning", "what brightness is worth: detector | display | photo | hounsfield"),
    _integer("deposits", "number of deposits"),
    _integer("area_px", "total deposit area in pixels", "px"),
    _number("area_mm2", "total deposit area; empty when the scale is unknown", "mm2"),
    _number("area_mm2_sd", "standard deviation of area_mm2 (outline and scale)", "mm2"),
    _number(
        "contrast_mean", "mean brightness of deposit pixels over local soft tissue; empty on photos", "pixel value"
    ),
    _number("contrast_integrated", "sum of that brightness over all deposit pixels", "pixel value x px"),
    _number("spacing_row_mm", "distance between rows; empty when unknown", "mm"),
    _number("spacing_column_mm", "distance between columns; empty when unknown", "mm"),
    _text(
        "spacing_origin",
        "where the spacing comes from: user | fiducial | geometry | modality_corrected | ermf | detector_plane | "
        "detector_only | uncertain | nominal | none",
    ),
    _text("side", "L, R, B or U as the file says; empty when it does not"),
    _text("view", "view position as the file says"),
    _text("warnings", "what a reader of the number ought to know, separated by '; '"),
    _text("error", "why the image failed, one line"),
    _text("recipe", "hash of the effective recipe (run.json holds the recipe)"),
    _text("version", "calcimeasure version"),
    _text("polarity", "as_stored | turned_over (dark deposits were made bright by the reader)"),
    _text("name", "NAME of masks/NAME.labels.tif and overlays/NAME.png"),
    _integer("frame", "frame that was measured (1 is the first); empty for a single-frame file"),
    _integer("excluded", "number of findings dropped (excluded.csv)"),
    _integer("saturated_px", "deposit pixels at the ceiling of the bit depth: contrast is then a lower bound", "px"),
)

DEPOSITS = (
    _text("image", "path of the input relative to the given folder"),
    _integer("label", "number of the deposit in the label image"),
    _integer("area_px", "area in pixels", "px"),
    _number("area_mm2", "area; empty when the scale is unknown", "mm2"),
    _number("area_mm2_sd", "standard deviation of area_mm2 (outline and scale)", "mm2"),
    _number("diameter_mm", "diameter of the disc of equal area", "mm"),
    _number("feret_mm", "largest distance between two corners of the deposit's pixels", "mm"),
    _number("perimeter_mm", "length of the outline", "mm"),
    _number("centroid_row", "mean row of its pixels; 0 is the centre of the first row", "px"),
    _number("centroid_column", "mean column of its pixels", "px"),
    *_BBOX,
    _number("contrast_mean", "mean brightness over the median of the soft-tissue ring; empty on photos", "pixel value"),
    _number("contrast_integrated", "sum of that brightness over its pixels", "pixel value x px"),
    _number("over_bone", "share of the deposit over bone, 0 to 1; empty when bone was not looked for", ""),
    _integer("saturated_px", "pixels at the ceiling of the bit depth", "px"),
)

EXCLUDED = (
    _text("image", "path of the input relative to the given folder"),
    _text("reason", "why the finding is not counted as a deposit"),
    _integer("row", "row of a pixel inside it", "px"),
    _integer("column", "column of a pixel inside it", "px"),
    *_BBOX,
    _integer("area_px", "its size", "px"),
    _number("score", "the method's own confidence that it is a deposit, 0 to 1; empty when it has none", ""),
)

TABLES = {"images.csv": IMAGES, "deposits.csv": DEPOSITS, "excluded.csv": EXCLUDED}


def names(table: str) -> list[str]:
    """Column names of a table, in their order."""
    return [column.name for column in TABLES[table]]


def dictionary() -> str:
    """The data dictionary as JSON text: table, then column, then description, unit and dtype."""
    tables = {
        table: {c.name: {"description": c.description, "unit": c.unit, "dtype": c.dtype} for c in columns}
        for table, columns in TABLES.items()
    }
    return json.dumps(tables, indent=1) + "\n"
