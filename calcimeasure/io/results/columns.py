"""The data dictionary: every column of every table, with its meaning, unit and type."""

from __future__ import annotations

import json
from collections.abc import Iterable
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

_DENSITY = (
    _number(
        "density_mmal_mean", "mean thickness of aluminium worth it, over local soft tissue; needs a wedge", "mm Al"
    ),
    _number("density_mmal_sd", "standard deviation of density_mmal_mean (its parts stand in run.json)", "mm Al"),
    _number("al_volume_mm3", "density_mmal_mean times area: what is there in all", "mm3 Al"),
    _number("al_volume_mm3_sd", "standard deviation of al_volume_mm3 (density and scale; not the outline)", "mm3 Al"),
    _number("hydroxyapatite_mg_mm2", "mean hydroxyapatite by the user's own factor; empty without one", "mg/mm2"),
    _number("hydroxyapatite_sd", "standard deviation of hydroxyapatite_mg_mm2", "mg/mm2"),
    _text("density_reason", "why there is no density; empty when there is one, or when no wedge was asked for"),
)

_AREA_SD = (
    _number("area_mm2_sd_outline", "the outline's part of area_mm2_sd (its place, and the pixel grid)", "mm2"),
    _number("area_mm2_sd_scale", "the scale's part of area_mm2_sd; the squares of all parts add up", "mm2"),
)

_WHITENESS = (
    _number(
        "whiteness_delta_e",
        "photos: colour difference (CIEDE2000) of the deposit from its own skin; no density, a photo shows the surface",
        "delta E 2000",
    ),
    _text("colour_card", "what corrected the colours first: colorchecker | sheet_greys | none; empty on films"),
)

IMAGES = (
    _text("image", "path of the input relative to the given folder"),
    _text("sha256", "SHA-256 of the input file's bytes"),
    _text(
        "status",
        "measured | proposed (a photo outlined without a person: look before use) | failed | open (saved in the window "
        "before anybody outlined calcium or said that there is none: no numbers)",
    ),
    _text("kind", "radiograph | photo, as the reader or --kind decided"),
    _text("meaning", "what brightness is worth: detector | display | photo | hounsfield"),
    _integer("deposits", "number of deposits"),
    _integer("area_px", "total deposit area in pixels", "px"),
    _number("area_mm2", "total deposit area; empty when the scale is unknown", "mm2"),
    _number("area_mm2_sd", "standard deviation of area_mm2 (outline, scale and what is unseen)", "mm2"),
    _number(
        "contrast_mean", "mean brightness of deposit pixels over local soft tissue; empty on photos", "pixel value"
    ),
    _number("contrast_integrated", "sum of that brightness over all deposit pixels", "pixel value x px"),
    _number("spacing_row_mm", "distance between rows, at the marker where there is one; empty when unknown", "mm"),
    _number("spacing_column_mm", "distance between columns, likewise", "mm"),
    _text(
        "spacing_origin",
        "where the spacing comes from: user | marker | ruler | points (all three from the picture) | fiducial | "
        "geometry | object_distance (the detector's, corrected for the part's height over it) | file | "
        "modality_corrected | ermf | detector_plane | detector_only | uncertain | nominal | none",
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
    *_DENSITY,
    _text("hydroxyapatite_source", "where the factor for hydroxyapatite comes from, in the user's words"),
    *_AREA_SD,
    _number(
        "area_mm2_sd_unseen",
        "the part of area_mm2_sd for what an automatic search misses, or takes for calcium (by the score of each "
        "outline); empty once a person went through all outlines",
        "mm2",
    ),
    _number("spacing_sd_mm", "standard deviation of the spacing, along rows and columns alike", "mm"),
    _number("tilt_degrees", "angle between the marker's plane and the sensor; areas are measured in it", "degree"),
    *_WHITENESS,
    _number("colour_error_before", "mean delta E 2000 of the card's patches as photographed", "delta E 2000"),
    _number("colour_error_after", "the same corrected, each patch by the others", "delta E 2000"),
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
    *_DENSITY,
    _number(
        "contrast_relative",
        "contrast as a share of cortex's nearby (0 soft tissue, 1 cortex): relative, never comparable across devices",
        "",
    ),
    *_AREA_SD,
    *_WHITENESS,
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

_AREAS = (
    _number("area_before_mm2", "area at the baseline; empty when the scale is unknown", "mm2"),
    _number("area_after_mm2", "area at the follow-up", "mm2"),
    _number("area_change_mm2", "after less before: negative is less calcium", "mm2"),
    _number("area_change_sd", "standard deviation of the change, in the unit of the area that is filled", "mm2 or px"),
    _number("area_change_percent", "change as a share of the baseline", "%"),
)
_AREAS_PX = (
    _number("area_before_px", "area at the baseline where the scale is unknown", "px"),
    _number("area_after_px", "area at the follow-up where the scale is unknown", "px"),
    _number("area_change_px", "change where the scale is unknown: equal scale is then assumed", "px"),
)
_DETECTABLE = _number(
    "detectable", "smallest detectable change (95 %) at that size, in the unit of the area that is filled", "mm2 or px"
)
_WHO = (
    _text("subject", "as the study file names the patient"),
    _text("baseline_visit", "visit that the other is compared with"),
    _text("followup_visit", "the later visit"),
)

CHANGES = (
    *_WHO,
    _text("status", "compared | not_evaluable | failed"),
    _text("verdict", "of the patient on total burden: improved | stable | worse | not_evaluable"),
    _text("reason", "why the verdict is what it is, or why there is none, one sentence"),
    *_AREAS,
    _number("density_before_mm3", "integrated density at the baseline, where both films have a step wedge", "mm3 Al"),
    _number("density_after_mm3", "integrated density at the follow-up", "mm3 Al"),
    _number("density_change_mm3", "after less before", "mm3 Al"),
    _number("density_change_sd", "standard deviation of that change", "mm3 Al"),
    _number("density_change_percent", "change as a share of the baseline", "%"),
    _integer("new", "deposits that only the follow-up shows"),
    _integer("resolved", "deposits that only the baseline shows, where the follow-up shows the place"),
    _integer("grown", "deposits that grew beyond their smallest detectable change and the cut"),
    _integer("shrunk", "deposits that shrank likewise"),
    _integer("stable", "deposits that did neither"),
    _integer("merged", "deposits that were several before"),
    _integer("split", "deposits that are several now"),
    _integer("out_of_field", "deposits whose place the other film does not show"),
    _integer("new_unconfirmed", "of the new ones: seen once, by no reader; they change no verdict"),
    _number("percent_low", "lower end of the 95 % interval of area_change_percent", "%"),
    _number("percent_high", "upper end of that interval", "%"),
    _number("p_decrease", "probability that the true total fell, 0 to 1", ""),
    _DETECTABLE,
    _text(
        "inside_error", "for stable: yes when the change lies inside measurement error, no when it is real but small"
    ),
    *_AREAS_PX,
    _number("months", "months from visit to visit; empty without dates", "months"),
    _text("primary", "yes for the one interval of the subject that counts in study.csv"),
    _text("rules", "the verdict under each rule alone, separated by '; '"),
    _text("warnings", "what a reader of the row ought to know, separated by '; '"),
    _text("left_out", "films that took no part and why, separated by '; '"),
    _integer("pairs", "pairs of films that were compared"),
    _number("overlap", "share of the limb that both films show once aligned, 0 to 1; the worst pair", ""),
    _number("residual_mm", "typical distance between features that should coincide; the worst pair", "mm"),
    _text("recipe", "hash of the effective recipe (run.json holds the recipe)"),
    _text("version", "calcimeasure version"),
)

DEPOSIT_CHANGES = (
    *_WHO,
    _text("deposit", "identity of the deposit within the subject, the same at every visit"),
    _text("fate", "new | resolved | grown | shrunk | stable | merged | split | out_of_field"),
    _integer("baseline_row", "row of a pixel of the baseline film inside it; empty where absent", "px"),
    _integer("baseline_column", "column of that pixel", "px"),
    _integer("followup_row", "row of a pixel of the follow-up film inside it; empty where absent", "px"),
    _integer("followup_column", "column of that pixel", "px"),
    *_AREAS,
    *_AREAS_PX,
    _DETECTABLE,
    _number("power", "chance that a fall of 25 % of it would have been seen, 0 to 1", ""),
    _number("density_before_mm", "mean density at the baseline, where both films have a step wedge", "mm Al"),
    _number("density_after_mm", "mean density at the follow-up", "mm Al"),
    _text("confirmed", "for a new one: yes when seen again, in a second view, or marked by a reader"),
    _text("counted", "whether its areas are in the totals"),
    _text("by", "who matched it: calcimeasure, or the person who overrode it"),
    _text("note", "what a reader of the row ought to know"),
    _text("baseline_labels", "its numbers in masks/BASELINE_NAME.labels.tif"),
    _text("followup_labels", "its numbers in masks/FOLLOWUP_NAME.labels.tif"),
    _text("baseline_name", "NAME of the baseline film"),
    _text("followup_name", "NAME of the follow-up film"),
    _number(
        "contrast_percent",
        "change of its brightness over the tissue around, both films laid on each other; empty for a reader's outlines",
        "%",
    ),
)

STUDY = (
    _text("subject", "as the study file names the patient"),
    _text("baseline_visit", "last visit on or before the start of treatment (a week's grace), else the first"),
    _text("followup_visit", "visit that counts: 6 to 12 months after treatment began, of several the nearest to 9"),
    _number("months", "months from the start of treatment (else from the baseline) to that visit", "months"),
    _text("status", "compared | not_evaluable | failed"),
    _text("verdict", "improved | stable | worse | not_evaluable"),
    _text("response", "the IVIG study's own two classes: improved | stable/worse; empty when not evaluable"),
    _text("reason", "why the verdict is what it is, or why there is none, one sentence"),
    *_AREAS,
    _number("percent_low", "lower end of the 95 % interval of area_change_percent", "%"),
    _number("percent_high", "upper end of that interval", "%"),
    _number("p_decrease", "probability that the true total fell, 0 to 1", ""),
    _text("other_visits", "verdict and change at the other follow-ups, separated by '; '"),
    _text("outcome", "compared | not_evaluable | failed | excluded | one_visit | outside_window"),
    *_AREAS_PX,
)

REPEATABILITY = (
    _text(
        "figure",
        "wSD | wCV | RC | RC percent | ICC(...) | bias | lower limit | upper limit | wSD at size | SDC at size | found",
    ),
    _text("unit", "of value, lower and upper; empty for a share"),
    _number("value", "the figure; empty when it could not be worked out (note says why)", "see unit"),
    _number("lower", "lower end of its 95 % interval; empty where it has none", "see unit"),
    _number("upper", "upper end of its 95 % interval; of wSD, RC and SDC the one-sided 95 % bound", "see unit"),
    _text(
        "of",
        "totals (of a picture, as measured) | compared (totals of a pair, as compare sees them) | deposits (of a pair)",
    ),
    _integer("groups", "how many places, pairs or deposits were measured repeatedly"),
    _number("size", "for wSD and SDC at size: the area at which the precision profile is read", "see unit"),
    _text("note", "why there is no value, or what a reader of it ought to know"),
)

REPEATS = (
    _text("subject", "as the table of repeats names the subject"),
    _text("place", "site, side, view and reader; empty when the table tells none"),
    _text("repeat", "which repeat it is"),
    _text("name", "NAME of masks/NAME.labels.tif and overlays/NAME.png; empty for an area from the table"),
    _text("status", "measured | proposed | failed | given (the area stood in the table)"),
    _number("area_mm2", "total deposit area; empty when the scale is unknown", "mm2"),
    _integer("area_px", "total deposit area in pixels; empty for an area from the table", "px"),
    _integer("deposits", "number of deposits"),
    _text("used", "whether the row is in the figures for totals"),
    _text("note", "why it is not, or why the image failed"),
)

TABLES = {
    "images.csv": IMAGES,
    "deposits.csv": DEPOSITS,
    "excluded.csv": EXCLUDED,
    "changes.csv": CHANGES,
    "deposit_changes.csv": DEPOSIT_CHANGES,
    "study.csv": STUDY,
}
#: Tables that `measure` writes; a study has them all.
MEASURED = ("images.csv", "deposits.csv", "excluded.csv")
#: Tables that `repeatability` writes beside those of `measure`.
REPEATED = {"repeatability.csv": REPEATABILITY, "repeats.csv": REPEATS}
#: Every table of every command.
EVERY = TABLES | REPEATED


def names(table: str) -> list[str]:
    """Column names of a table, in their order."""
    return [column.name for column in EVERY[table]]


def dictionary(chosen: Iterable[str] = MEASURED) -> str:
    """The data dictionary of some tables as JSON text: table, then column, then description, unit and dtype."""
    tables = {
        table: {c.name: {"description": c.description, "unit": c.unit, "dtype": c.dtype} for c in EVERY[table]}
        for table in chosen
    }
    return json.dumps(tables, indent=1) + "\n"
