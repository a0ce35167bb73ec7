"""What people read: numbers with their error and unit, scales with their origin, and a sentence for every code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from calcimeasure.model.deposit import Deposit, Measurement, Reason
from calcimeasure.model.image import Spacing, SpacingOrigin
from calcimeasure.model.quantity import Quantity
from calcimeasure.model.study import Verdict
from calcimeasure.model.warning import Code, Remark
from calcimeasure.report.marks import PLUS_MINUS, REACH, VERDICTS, half_width

_UNITS = {"mm2": "mm²", "mm3": "mm³"}
_ORIGINS = {
    SpacingOrigin.USER: "given by you",
    SpacingOrigin.MARKER: "from the marker in the picture",
    SpacingOrigin.RULER: "from the ruler in the picture",
    SpacingOrigin.POINTS: "from a line of known length",
    SpacingOrigin.FIDUCIAL: "from an object of known size",
    SpacingOrigin.GEOMETRY: "corrected by the machine's geometry",
    SpacingOrigin.FILE: "written into the file by the program that saved it",
    SpacingOrigin.MODALITY_CORRECTED: "corrected by the machine, it does not say how",
    SpacingOrigin.ERMF: "detector size divided by the stated magnification",
    SpacingOrigin.DETECTOR_PLANE: "at the detector; magnification not corrected",
    SpacingOrigin.DETECTOR_ONLY: "at the detector; magnification not corrected",
    SpacingOrigin.UNCERTAIN: "in the file, without saying what it means",
    SpacingOrigin.OBJECT_DISTANCE: "at the detector, corrected for the part's height over it",
    SpacingOrigin.NOMINAL: "sampling of the film scanner",
}
_REASONS = {
    Reason.TOO_SMALL: "too small",
    Reason.OUTSIDE_LIMB: "outside the limb",
    Reason.TEXT: "letter or marker",
    Reason.COLLIMATION: "edge of the collimator",
    Reason.BORDER: "touches the film's border",
    Reason.BONE: "looks like bone",
    Reason.METAL: "metal",
    Reason.FAINT: "too faint",
    Reason.SHAPE: "shape unlike calcium",
    Reason.OUTSIDE_REGION: "outside your region",
    Reason.REJECTED: "refused by you",
}


def in_words(quantity: Quantity | None) -> str:
    """A number with its 95 % interval's half width and unit: ``12.3 ± 0.8 mm²``; a dash when there is none."""
    return "–" if quantity is None else f"{bare(quantity)} {_UNITS.get(quantity.unit, quantity.unit)}"


def bare(quantity: Quantity) -> str:
    """As `in_words`, without the unit: for a column that names it."""
    reach = half_width(quantity)
    if reach is None or quantity.unit == "px":
        return value_in_words(quantity)
    return f"{value_in_words(quantity)} {PLUS_MINUS} {reach:.2f}"


def value_in_words(quantity: Quantity) -> str:
    """The number alone."""
    return f"{quantity.value:,.0f}" if quantity.unit == "px" else f"{quantity.value:.2f}"


def area(measured: Deposit | Measurement) -> Quantity:
    """The area in mm2 where the scale is known, else in pixels."""
    return measured.area_px if measured.area_mm2 is None else measured.area_mm2


def scale_in_words(spacing: Spacing | None) -> str:
    """The scale, where it comes from and the 95 % half width of a length; or that there is none."""
    if spacing is None:
        return "no scale: areas in pixels until you calibrate"
    size = f"{spacing.row_mm:.4g}" + (
        "" if spacing.row_mm == spacing.column_mm else f" (down) x {spacing.column_mm:.4g} (across)"
    )
    reach = REACH * 100 * spacing.relative_sd
    return f"{size} mm per pixel {PLUS_MINUS} {reach:.2g} %, {_ORIGINS[spacing.origin]}"


def reason_in_words(reason: Reason) -> str:
    """Why a finding was dropped."""
    return _REASONS[reason]


def verdict_in_words(verdict: Verdict) -> str:
    """The verdict with a sign that does without colour."""
    return VERDICTS[verdict].said


# --- remarks -----------------------------------------------------------------------------------------------


def sentence(remark: Remark, *, options: bool = True) -> str:
    """A remark in words; the only place where they are made. `options` names the command line's beside its advice."""
    facts = {name: _said(value, options) for name, value in remark.facts}
    return SENTENCES[remark.code].format_map((OPTIONS if options else _NO_OPTIONS) | facts)


def sentences(remarks: Iterable[Remark]) -> tuple[str, ...]:
    """Remarks in words, one by one."""
    return tuple(map(sentence, remarks))


def in_one(remarks: Iterable[Remark] | Remark | None, *, options: bool = True) -> str:
    """Remarks as one cell has them, with semicolons between them; empty for none."""
    every = () if remarks is None else (remarks,) if isinstance(remarks, Remark) else remarks
    return "; ".join(sentence(one, options=options) for one in every)


def codes(remarks: Iterable[Remark]) -> str:
    """The codes of remarks as one cell has them, with spaces between them."""
    return " ".join(remark.code.value for remark in remarks)


class _Inner(str):
    """Remarks inside a sentence; ``{why:,}`` sets commas where their semicolons would part the cell."""

    __slots__ = ()

    def __format__(self, how: str) -> str:
        return self.replace("; ", ", ") if how == "," else str(self)


def _said(value: Any, options: bool) -> Any:
    if isinstance(value, Remark | tuple):
        return _Inner(in_one(value, options=options))
    return _Inner(value) if type(value) is str else value


#: The options of the command line that do what a sentence advises, by their place in it.
OPTIONS = {"by_points": " (--scale-points)", "by_ticks": " (--ruler-mm)", "by_side": " (--marker-mm)"}
_NO_OPTIONS = dict.fromkeys(OPTIONS, "")

#: What each code says; the names in braces are those of the remark's facts.
SENTENCES = {
    Code.OTHER: "{text}",
    Code.LOSSY: "lossy compression: edges of small deposits may have moved",
    Code.LOOKS_NEGATIVE: "looks like a negative (bright surround, dark limb): values were not turned over; check the "
    "picture",
    Code.COLOUR_CUT: "{bits}-bit colour was cut to 8 bits",
    Code.EXIF_DAMAGED: "the EXIF block is damaged: orientation was taken as upright",
    Code.ORIENTATION_UNKNOWN: "the orientation tag is out of range: taken as upright",
    Code.ALL_TRANSPARENT: "every pixel is transparent: transparency was ignored",
    Code.NOT_FINITE: "values that are not finite numbers were masked",
    Code.ENCODING_MISSTATED: "the transfer syntax says {said}, the data set is {found}: read as it is",
    Code.ASPECT_CONTRADICTS: "PixelAspectRatio contradicts the spacing: the spacing was followed",
    Code.RESCALE_UNREADABLE: "its rescale is not a number: it was ignored",
    Code.RESCALE_MEANINGLESS: "a rescale slope of {slope:g} is meaningless: it was ignored",
    Code.BEYOND_VALUE_TABLE: "{share:.0%} of the pixels lie beyond the ends of its value table",
    Code.TABLE_AND_RESCALE: "it has a Modality LUT and a rescale: the table was applied",
    Code.BYTES_LEFT_OVER: "{count} bytes follow its pixels: check the picture for a shift",
    Code.BITS_MISSTATED: "its compressed picture has {bits} bits, not the {stated} of its header",
    Code.SIGN_MISSTATED: "its compressed picture and its header contradict each other on sign: the header was "
    "followed; check it",
    Code.HIGH_BIT_IMPOSSIBLE: "HighBit {high_bit} of {bits} bits is impossible: values were read as they stand",
    Code.SHUTTER_UNREADABLE: "a shutter cannot be read: it was ignored",
    Code.LEAVES_NO_PICTURE: "{part} would leave no picture: it was ignored",
    Code.OPENED_BY_OTHER_READER: "opened by another reader: deposits are taken to be bright, the scale to be unknown",
    Code.ANGIOGRAPHY: "angiography (XA): taken to show contrast medium and bone dark, as is the convention; check the "
    "picture",
    Code.RAW_SIGN_AGAINST_DISPLAY: "the intensity sign and the display polarity of this raw image disagree: the sign "
    "was followed",
    Code.MONOCHROME1_AGAINST_IDENTITY: "MONOCHROME1 with presentation LUT IDENTITY contradict each other: MONOCHROME1 "
    "was followed",
    Code.MONOCHROME2_AGAINST_INVERSE: "MONOCHROME2 with presentation LUT INVERSE contradict each other: INVERSE was "
    "followed",
    Code.VOI_TABLES_MIXED: "its VOI LUTs rise and fall: they were not asked for the polarity; check the picture",
    Code.VOI_TABLE_AGAINST_WINDOW: "its VOI LUT falls, its window rises: the VOI LUT was followed; check the picture",
    Code.WINDOW_NEGATIVE: "a negative window width says no polarity: it was ignored; check the picture",
    Code.SIGN_AGAINST_DISPLAY: "the intensity sign contradicts the display polarity: the display polarity was followed",
    Code.RAW_WITHOUT_SIGN: "a raw image that does not state its intensity sign: taken as displayed; check the picture",
    Code.FLUOROSCOPY_WITHOUT_SIGN: "fluoroscopy (RF) that does not state its polarity: taken as displayed; check the "
    "picture",
    Code.SPACING_UNREADABLE: "{keyword} in the file is not two positive numbers: ignored",
    Code.SPACING_UNBELIEVED: "{keyword} of {size} {why}: ignored",
    Code.CALIBRATION_UNUSED: "the calibration in the file {why}: not used",
    Code.CALIBRATION_UNBELIEVED: "the calibration in the file, {size} per pixel, {why}: not used",
    Code.MAGNIFICATION_UNBELIEVED: "an estimated magnification of {factor:g} is none that a film has: ignored",
    Code.DISTANCES_UNBELIEVED: "the distances of the tube in the file ({detector_mm:g} mm to the detector, "
    "{patient_mm:g} mm to the patient) contradict each other: ignored",
    Code.SPACING_AGAINST_GROUPS: "PixelSpacing of {pixel} contradicts that of the functional groups, {grouped}",
    Code.SPACING_AGAINST_DETECTOR: "PixelSpacing of {pixel} contradicts ImagerPixelSpacing of {imager}: {why}",
    Code.SPACINGS_AGAINST_MAGNIFICATION: "PixelSpacing of {pixel} and ImagerPixelSpacing of {imager} contradict the "
    "stated magnification of {factor:.3g}",
    Code.MAGNIFICATION_AGAINST_DISTANCES: "an estimated magnification of {factor:.3g} contradicts the distances of the "
    "tube, which make {by_distances:.3g}",
    Code.MAGNIFICATION_OF_ONE_BELIEVED: "the estimated magnification of 1 is believed, though the distances of the "
    "tube make {by_distances:.3g}",
    Code.SPACING_OVER_NOMINAL: "PixelSpacing of {pixel} is believed, not NominalScannedPixelSpacing of {nominal}",
    Code.SCALE_IMPOSSIBLE: "the scale of {mm:.4g} mm per pixel {why}: check it",
    Code.SCALE_FILE: "scale is what the program that wrote the file says of it",
    Code.SCALE_FIDUCIAL: "scale is calibrated on an object of known size: it holds at the depth of that object",
    Code.SCALE_GEOMETRY: "scale is corrected by the device for an assumed magnification",
    Code.SCALE_MODALITY_CORRECTED: "scale was corrected by the device in a way the file does not tell",
    Code.SCALE_ERMF: "scale is the detector's divided by an estimated magnification",
    Code.SCALE_DETECTOR_PLANE: "scale is that of the detector plane: magnification is not corrected",
    Code.SCALE_UNCERTAIN: "scale is uncertain: the file does not say if it holds at the detector or in the patient",
    Code.SCALE_NOMINAL: "scale is that of the scanned film, not of the patient",
    Code.SCALE_ABSENT: "no usable scale in the file: sizes stay in pixels; give one with --spacing",
    Code.SCALE_TAKEN_AS_WIDTH: "pixels are {aspect:.4g} times as tall as wide: the given scale was taken as their "
    "width",
    Code.SCALE_GIVEN_REPLACES_FILE: "the given scale of {row_mm:g} x {column_mm:g} mm replaces the file's "
    "{file_row_mm:g} x {file_column_mm:g} mm ({origin})",
    Code.SCALE_FOUND_REPLACES_FILE: "the scale of the {by}, {mm:.5g} mm per pixel, replaces the file's {file_mm:.5g} "
    "({origin})",
    Code.SCALE_GIVEN_AGAINST_PICTURE: "the given scale of {mm:.5g} mm per pixel is used, but the {by} in the picture "
    "says {found_mm:.5g}: check which holds for the deposits, or leave --spacing out",
    Code.SCALE_REFUSED: "no scale: {why:,}",
    Code.SCALE_UNSURE: "scale not used, since it is unsure: the {by} says {mm:.4g} mm per pixel, but {why:,}. Look at "
    "it, then confirm it with --spacing or --scale-points",
    Code.NO_MARKER: "no marker found: lay the printed sheet flat beside the lesion, in focus, with the white border in "
    "view",
    Code.MARKER_NOT_FLAT: "the marker corners lie {px:.1f} px from one plane, more than {most:.0f}: lay the sheet "
    "flat, hold still and photograph it again",
    Code.MARKERS_DISAGREE: "the markers disagree by {share:.1%} in size, more than {most:.0%}: lay them flat in one "
    "plane, all from one print, and photograph again",
    Code.PHOTO_BENT: "straight lines are bent in this photo (by {share:+.1%} at its corners), or the sheet is: lay it "
    "flat and photograph it from farther away, without a wide-angle lens",
    Code.MARKER_TILTED: "the marker is tilted by {degrees:.0f} degrees, more than {most:.0f}: photograph it again from "
    "straight above",
    Code.MARKER_SIZE_UNKNOWN: "{count} marker(s) of unknown size: measure the black square and give its side{by_side}",
    Code.MARKERS_SIZE_UNKNOWN: "{count} marker(s) of unknown size; they agree within {share:.1%}: measure the black "
    "square and give its side{by_side}",
    Code.NO_RULER: "no ruler found: lay a millimetre ruler flat beside the lesion, or give two points a known distance "
    "apart{by_points}",
    Code.RULER_IN_INCHES: "a row of {marks} marks {step_px:.1f} px apart was found, but they halve as on an inch "
    "ruler: photograph a ruler with longer 5 and 10 mm ticks in full, say how far apart the ticks are{by_ticks}, or "
    "give two points a known distance apart{by_points}",
    Code.RULER_UNIT_UNKNOWN: "a row of {marks} marks {step_px:.1f} px apart was found, but no longer marks tell "
    "whether they are millimetres: photograph a ruler with longer 5 and 10 mm ticks in full, say how far apart the "
    "ticks are{by_ticks}, or give two points a known distance apart{by_points}",
    Code.RULER_UNSURE: "{doubt}; check the ticks and say how far apart the ticks are{by_ticks}, or give two points a "
    "known distance apart{by_points}",
    Code.RULER_TOLD_UNSURE: "{doubt}; leave one ruler in the photo, or give two points a known distance "
    "apart{by_points}",
    Code.RULERS_TWO: "rows of ticks {step_px:.1f} and {other_px:.1f} px apart were found",
    Code.RULERS_DISAGREE: "two rulers disagree ({low:.2f} and {high:.2f} px per mm)",
    Code.RULER_DRIFTS: "the scale changes by {share:.0%} along the ruler: lay it flat and photograph it from above",
    Code.TICKS_FEW: "only {count} ticks are seen",
    Code.TICKS_THIN: "every fifth and tenth tick is longer, as on millimetres, but the ticks are thin: they could be 2 "
    "mm, 5 mm, 1 cm or a tenth of an inch apart as well",
    Code.TICKS_BY_FIVES: "every fifth tick is longer but no tenth: taken for millimetres",
    Code.TICKS_BY_HALVES: "every second tick is longer: taken for half millimetres, but inches halve too",
    Code.TICKS_UNCLEAR: "the longer ticks are hard to tell: taken for {graduation}",
    Code.TICKS_OF_ANOTHER: "the ticks may also be those of another ruler ({graduation})",
    Code.PIXELS_NOT_SQUARE: "a marker or ruler is read on square pixels only, and these are {aspect:.4g} times as tall "
    "as wide: give --spacing, the width of one, or --scale-points",
    Code.POINT_OUTSIDE: "a point lies outside the picture of {rows} x {columns} pixels: give row and column of both as "
    "a viewer of the upright picture shows them",
    Code.HEIGHT_NOT_APPLIED: "the object distance was not applied: the scale is not the detector plane's ({origin})",
    Code.HEIGHT_WITHOUT_SOURCE: "no scale: the file does not say how far the source was from the detector, so its "
    "magnification cannot be corrected: give --source-distance, or leave --object-distance out",
    Code.HEIGHT_CORRECTED: "scale corrected for a height of {object_mm:g} mm over the detector, source at "
    "{source_mm:g} mm: lengths x {factor:.4f}; the correction adds {of_length:.1%} to the error of a length, "
    "{of_area:.1%} to that of an area",
    Code.MASK_BACKGROUND_BLACK: "the background of the mask is what its palette shows black",
    Code.MASK_SPLIT: "the mask has no numbers, only outside and inside: split into its {parts} parts",
    Code.MASK_LIKE_A_LIMB: (
        "the number {number} of the mask has {percent} % of the picture: if it stands for the limb, not for a deposit, "
        "the area is wrong"
    ),
    Code.FRAME_AGAINST_FILE: "{name} of the frame contradicts that of the file: the frame's was followed",
    Code.FRAME_GROUPS_MISCOUNTED: (
        "its functional groups are of {count} frames, and it has {frames}: check what it says of this one"
    ),
    Code.MASK_OF_ONE_NUMBER: "the mask has one number for {parts} parts: they count as one deposit",
    Code.FILM_EMPTY: "the film shows nothing",
    Code.SCALE_ASSUMED: "scale unknown or beyond belief: deposits were sought as if the long side were {mm:.0f} mm",
    Code.PART_ASSUMED: "scale unknown: deposits were sought as if this enlarged part were {mm:.0f} mm long",
    Code.NO_LIMB: "no limb was found on the film",
    Code.TRUNK: "the body fills the film as a trunk, shoulder or hip does: there, automatic outlines miss more "
    "deposits and show more that are none than on limbs; look at each",
    Code.PROPOSED: "proposed: no person has accepted this",
    Code.SATURATED: "{count} deposit pixels are saturated: contrast is a lower bound",
    Code.BEYOND_HORIZON: "{count} deposits lie beyond the horizon of the marker's plane: photograph from above",
    Code.COLOURS_NOT_CORRECTED: "colours not corrected: {why}",
    Code.LITTLE_SKIN: "too little skin around it",
    Code.NO_DENSITY: "no density: {why}",
    Code.WEDGE_REFUSED: "{why}",
    Code.DENSITIES_UNSURE: "densities are unsure: {why}",
    Code.DENSITIES_INCOMPLETE: "deposits without a density, so no total: {labels} (see deposits.csv)",
    Code.WRITING_UNSTATED: "the file does not say whether its values are linear or logarithmic: the wedge's curve "
    "decided",
    Code.LITTLE_OPEN_FIELD: "too little open field to take heel and scatter from",
    Code.VOLTAGE_UNSTATED: "the file states no kVp: the hardness of the beam was guessed",
    Code.DEPOSIT_CLIPPED: "pixels at the end of the detector's range: expose less, or see the contrast as a lower "
    "bound",
    Code.DEPOSIT_SATURATED: "{count} pixels at the end of the detector's range: expose so that the deposit is not "
    "clipped",
    Code.DEPOSIT_OFF_PICTURE: "{count} pixels of it parts of it lie where there is no picture: outline only what the "
    "film shows",
    Code.DEPOSIT_OVER_BONE: "{share:.0%} of it lie over bone, which one view cannot separate: film it from the side",
    Code.DEPOSIT_TOO_DENSE: "denser than the thickest step of the wedge ({mm:g} mm): use a thicker wedge",
    Code.NO_BACKGROUND: "too little soft tissue around it: see the neighbouring outlines and the bone mask",
    Code.NO_BONE_NEAR: "no cortex brighter than the soft tissue nearby, or it is clipped",
    Code.VOLUME: "the {visit} is a volume, which is not compared: export a radiograph",
    Code.OTHER_KIND: "the baseline is a {baseline} and the follow-up a {followup}",
    Code.OTHER_MEANING: "brightness means {baseline} at baseline and {followup} at follow-up: use one kind",
    Code.OTHER_FACT: "the {fact} is {baseline} at baseline and {followup} at follow-up",
    Code.OTHER_HIDDEN_FACT: "the films are of another {fact}",
    Code.FACTS_UNKNOWN: "not known of both films, taken as the same: {facts}",
    Code.SCALES_UNKNOWN: "equal scale assumed: neither film has a known scale, so areas are in pixels",
    Code.SCALE_OF_ONE_UNKNOWN: "the scale of the {visit} is unknown and the other's is known: give it a spacing",
    Code.OTHER_SCALE_ORIGIN: "the scale is by {baseline} at baseline and by {followup} at follow-up: calibrate both "
    "alike",
    Code.OTHER_VOLTAGE: "tube voltage differs: {baseline:g} kV and {followup:g} kV",
    Code.ONE_LOSSY: "one of the films was compressed with loss",
    Code.PROPOSAL: "the {visit} is a photo that nobody outlined: accept or correct its proposals in the panel and give "
    "the saved mask",
    Code.SAME_PICTURE: "both visits show the very same picture: give the film of each visit",
    Code.TWO_PATIENTS: "the headers name two patients: check that both films are of one",
    Code.TWO_BIRTHS: "the headers give two dates of birth: check that both films are of one patient",
    Code.TAKEN_BEFORE: "by the headers the follow-up was taken before the baseline: check which is which",
    Code.SIDES_BY_HEADER: "by the headers the side is {baseline} at baseline and {followup} at follow-up, not as given",
    Code.VIEWS_BY_HEADER: "the headers state two views, not as given",
    Code.HEADER_SAYS_OTHER: "the header of the {visit} states another {fact} than was given: check it",
    Code.OTHER_UNIT: "one film has pixels {times:.3g} times as large: one scale is in another unit",
    Code.NO_LIMB_ON_ONE: "one of the films shows no limb: check the image, or leave the pair out",
    Code.OPPOSITE_SIDES: "the films show opposite sides or one is flipped left for right: check the side of each; if "
    "it is the same limb and one film is flipped, say that it is mirrored",
    Code.MAYBE_FLIPPED: "it cannot be told whether one film is flipped left for right: mark three or more landmarks on "
    "both films, or leave the pair out",
    Code.NOT_THE_SAME_LIMB: "the films do not show the same limb in a way that can be followed: {faults}; mark three "
    "or more landmarks on both films, or leave the pair out",
    Code.DETAIL_DISAGREES: "their inner detail agrees too little ({likeness:.2f} of 1)",
    Code.OUTLINES_DISAGREE: "their outlines agree too little ({overlap:.2f} of 1)",
    Code.LITTLE_SHARED: "they share too little of the limb",
    Code.WAYS_PART: "forth and back do not lead to the same place",
    Code.BENT_TOO_FAR: "one would have to be bent too far",
    Code.LANDMARKS_FLIPPED: "by the landmarks the films are flipped left for right: check the side of each and the "
    "order of the points",
    Code.LANDMARKS_NOT_FLIPPED: "by the landmarks the films are not flipped: check the side of each and the order of "
    "the points",
    Code.BURDEN_OUTSIDE: "{share:.0%} of the baseline burden lies outside the common field (at most {most:.0%})",
    Code.NEW_UNCONFIRMED: "{count} new, unconfirmed: shown, but not in the verdict",
    Code.LEFT_OUT_OUTSIDE: "{count} outside the common field: left out",
    Code.LOST_TO: "{count} lost by {cause}: in neither total",
    Code.SECOND_LOOKS: "{count} whose outlines alone do not tell: area by a second look at both films",
    Code.NO_PROFILE: "no precision profile of such outlines in this unit: error taken from the outlines",
    Code.PROFILE_SIMULATED: "measurement error from {origin}",
    Code.DEPOSIT_SECOND_LOOK: "outlines alone do not tell: area at the {visit} by a second look at both films",
    Code.DEPOSIT_CUT_OFF: "partly outside the common field: only the common part is compared",
    Code.DEPOSIT_LOST_TO: "lost by {cause}: in neither total",
    Code.DEPOSIT_OUTSIDE: "outside the common field: in neither total",
    Code.DEPOSIT_SEEN_AGAIN: "seen again at a later visit",
    Code.NEW_CONFIRMED: "{count} confirmed new deposits",
    Code.ONE_NEW_CONFIRMED: "1 confirmed new deposit",
    Code.INSIDE_ERROR: "change inside measurement error",
    Code.BEYOND_ERROR_AND_CUT: "{way} beyond measurement error and of at least {cut:g} %",
    Code.BEYOND_ERROR_UNDER_CUT: "{way} beyond measurement error but under {cut:g} %",
    Code.FILM_WITHOUT_SCALE: "{film} left out: its scale is unknown",
    Code.FILM_NOT_EVALUABLE: "{film} not evaluable: {why}",
    Code.FILM_AT_ONE_VISIT: "{film} at one visit only: not in the burden",
    Code.NO_FILM: "there is no film",
    Code.NO_SITE_TWICE: "no site was filmed at both visits",
    Code.NO_PAIR: "no film of one site and side at both visits",
    Code.EXCLUDED: "{film}: excluded: {why}",
    Code.NOT_MEASURED: "{film}: not measured",
    Code.NOBODY_OUTLINED: "{film}: a photo that nobody outlined: accept or correct its proposals in the panel and give "
    "the saved mask",
    Code.TWIN: "{film}: the very same picture as {other}: a film belongs to one visit of one subject",
    Code.FAILED: "{film}: {why}",
    Code.AT_ONE_VISIT: "{film}: at one visit only",
    Code.ONE_VISIT: "only one visit",
    Code.OUTSIDE_WINDOW: "no visit {first:g} to {last:g} months after the start of treatment",
    Code.NO_REASON: "no reason was given",
    Code.NOT_COMPARED: "not compared",
    Code.VISITS_UNDATED: "no dates: visits are in the order of the table",
    Code.VISITS_BY_DATE: "visits are in the order of their dates, which is not that of the table",
}
