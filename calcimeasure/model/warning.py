"""What a reader of a number ought to know, as a value: a code and its facts. Sentences are made in `report.words`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """What a remark is about; the values stand in the tables' `warning_codes` and never change."""

    OTHER = "other"
    # --- the file
    LOSSY = "lossy"
    LOOKS_NEGATIVE = "looks_negative"
    COLOUR_CUT = "colour_cut"
    EXIF_DAMAGED = "exif_damaged"
    ORIENTATION_UNKNOWN = "orientation_unknown"
    ALL_TRANSPARENT = "all_transparent"
    NOT_FINITE = "not_finite"
    ENCODING_MISSTATED = "encoding_misstated"
    ASPECT_CONTRADICTS = "aspect_contradicts"
    RESCALE_UNREADABLE = "rescale_unreadable"
    RESCALE_MEANINGLESS = "rescale_meaningless"
    BEYOND_VALUE_TABLE = "beyond_value_table"
    TABLE_AND_RESCALE = "table_and_rescale"
    BYTES_LEFT_OVER = "bytes_left_over"
    BITS_MISSTATED = "bits_misstated"
    SIGN_MISSTATED = "sign_misstated"
    HIGH_BIT_IMPOSSIBLE = "high_bit_impossible"
    SHUTTER_UNREADABLE = "shutter_unreadable"
    FRAME_AGAINST_FILE = "frame_against_file"
    FRAME_GROUPS_MISCOUNTED = "frame_groups_miscounted"
    LEAVES_NO_PICTURE = "leaves_no_picture"
    OPENED_BY_OTHER_READER = "opened_by_other_reader"
    # --- polarity
    ANGIOGRAPHY = "angiography"
    RAW_SIGN_AGAINST_DISPLAY = "raw_sign_against_display"
    MONOCHROME1_AGAINST_IDENTITY = "monochrome1_against_identity"
    MONOCHROME2_AGAINST_INVERSE = "monochrome2_against_inverse"
    VOI_TABLES_MIXED = "voi_tables_mixed"
    VOI_TABLE_AGAINST_WINDOW = "voi_table_against_window"
    WINDOW_NEGATIVE = "window_negative"
    SIGN_AGAINST_DISPLAY = "sign_against_display"
    RAW_WITHOUT_SIGN = "raw_without_sign"
    FLUOROSCOPY_WITHOUT_SIGN = "fluoroscopy_without_sign"
    # --- the scale
    SPACING_UNREADABLE = "spacing_unreadable"
    SPACING_UNBELIEVED = "spacing_unbelieved"
    CALIBRATION_UNUSED = "calibration_unused"
    CALIBRATION_UNBELIEVED = "calibration_unbelieved"
    MAGNIFICATION_UNBELIEVED = "magnification_unbelieved"
    DISTANCES_UNBELIEVED = "distances_unbelieved"
    SPACING_AGAINST_GROUPS = "spacing_against_groups"
    SPACING_AGAINST_DETECTOR = "spacing_against_detector"
    SPACINGS_AGAINST_MAGNIFICATION = "spacings_against_magnification"
    MAGNIFICATION_AGAINST_DISTANCES = "magnification_against_distances"
    MAGNIFICATION_OF_ONE_BELIEVED = "magnification_of_one_believed"
    SPACING_OVER_NOMINAL = "spacing_over_nominal"
    SCALE_IMPOSSIBLE = "scale_impossible"
    SCALE_FILE = "scale_file"
    SCALE_FIDUCIAL = "scale_fiducial"
    SCALE_GEOMETRY = "scale_geometry"
    SCALE_MODALITY_CORRECTED = "scale_modality_corrected"
    SCALE_ERMF = "scale_ermf"
    SCALE_DETECTOR_PLANE = "scale_detector_plane"
    SCALE_UNCERTAIN = "scale_uncertain"
    SCALE_NOMINAL = "scale_nominal"
    SCALE_ABSENT = "scale_absent"
    SCALE_TAKEN_AS_WIDTH = "scale_taken_as_width"
    SCALE_GIVEN_REPLACES_FILE = "scale_given_replaces_file"
    SCALE_FOUND_REPLACES_FILE = "scale_found_replaces_file"
    SCALE_GIVEN_AGAINST_PICTURE = "scale_given_against_picture"
    SCALE_REFUSED = "scale_refused"
    SCALE_UNSURE = "scale_unsure"
    NO_MARKER = "no_marker"
    MARKER_NOT_FLAT = "marker_not_flat"
    MARKERS_DISAGREE = "markers_disagree"
    PHOTO_BENT = "photo_bent"
    MARKER_TILTED = "marker_tilted"
    MARKER_SIZE_UNKNOWN = "marker_size_unknown"
    MARKERS_SIZE_UNKNOWN = "markers_size_unknown"
    NO_RULER = "no_ruler"
    RULER_IN_INCHES = "ruler_in_inches"
    RULER_UNIT_UNKNOWN = "ruler_unit_unknown"
    RULER_UNSURE = "ruler_unsure"
    RULER_TOLD_UNSURE = "ruler_told_unsure"
    RULERS_TWO = "rulers_two"
    RULERS_DISAGREE = "rulers_disagree"
    RULER_DRIFTS = "ruler_drifts"
    TICKS_FEW = "ticks_few"
    TICKS_THIN = "ticks_thin"
    TICKS_BY_FIVES = "ticks_by_fives"
    TICKS_BY_HALVES = "ticks_by_halves"
    TICKS_UNCLEAR = "ticks_unclear"
    TICKS_OF_ANOTHER = "ticks_of_another"
    PIXELS_NOT_SQUARE = "pixels_not_square"
    POINT_OUTSIDE = "point_outside"
    HEIGHT_NOT_APPLIED = "height_not_applied"
    HEIGHT_WITHOUT_SOURCE = "height_without_source"
    HEIGHT_CORRECTED = "height_corrected"
    # --- outlines
    MASK_BACKGROUND_BLACK = "mask_background_black"
    MASK_SPLIT = "mask_split"
    MASK_OF_ONE_NUMBER = "mask_of_one_number"
    MASK_LIKE_A_LIMB = "mask_like_a_limb"
    FILM_EMPTY = "film_empty"
    SCALE_ASSUMED = "scale_assumed"
    PART_ASSUMED = "part_assumed"
    NO_LIMB = "no_limb"
    TRUNK = "trunk"
    PROPOSED = "proposed"
    # --- numbers
    SATURATED = "saturated"
    BEYOND_HORIZON = "beyond_horizon"
    COLOURS_NOT_CORRECTED = "colours_not_corrected"
    LITTLE_SKIN = "little_skin"
    NO_DENSITY = "no_density"
    WEDGE_REFUSED = "wedge_refused"
    DENSITIES_UNSURE = "densities_unsure"
    DENSITIES_INCOMPLETE = "densities_incomplete"
    WRITING_UNSTATED = "writing_unstated"
    LITTLE_OPEN_FIELD = "little_open_field"
    VOLTAGE_UNSTATED = "voltage_unstated"
    DEPOSIT_CLIPPED = "deposit_clipped"
    DEPOSIT_SATURATED = "deposit_saturated"
    DEPOSIT_OFF_PICTURE = "deposit_off_picture"
    DEPOSIT_OVER_BONE = "deposit_over_bone"
    DEPOSIT_TOO_DENSE = "deposit_too_dense"
    NO_BACKGROUND = "no_background"
    NO_BONE_NEAR = "no_bone_near"
    # --- whether two films compare
    VOLUME = "volume"
    OTHER_KIND = "other_kind"
    OTHER_MEANING = "other_meaning"
    OTHER_FACT = "other_fact"
    OTHER_HIDDEN_FACT = "other_hidden_fact"
    FACTS_UNKNOWN = "facts_unknown"
    SCALES_UNKNOWN = "scales_unknown"
    SCALE_OF_ONE_UNKNOWN = "scale_of_one_unknown"
    OTHER_SCALE_ORIGIN = "other_scale_origin"
    OTHER_VOLTAGE = "other_voltage"
    ONE_LOSSY = "one_lossy"
    PROPOSAL = "proposal"
    SAME_PICTURE = "same_picture"
    TWO_PATIENTS = "two_patients"
    TWO_BIRTHS = "two_births"
    TAKEN_BEFORE = "taken_before"
    SIDES_BY_HEADER = "sides_by_header"
    VIEWS_BY_HEADER = "views_by_header"
    HEADER_SAYS_OTHER = "header_says_other"
    OTHER_UNIT = "other_unit"
    # --- how two films lie on each other
    NO_LIMB_ON_ONE = "no_limb_on_one"
    OPPOSITE_SIDES = "opposite_sides"
    MAYBE_FLIPPED = "maybe_flipped"
    NOT_THE_SAME_LIMB = "not_the_same_limb"
    DETAIL_DISAGREES = "detail_disagrees"
    OUTLINES_DISAGREE = "outlines_disagree"
    LITTLE_SHARED = "little_shared"
    WAYS_PART = "ways_part"
    BENT_TOO_FAR = "bent_too_far"
    LANDMARKS_FLIPPED = "landmarks_flipped"
    LANDMARKS_NOT_FLIPPED = "landmarks_not_flipped"
    # --- what was counted
    BURDEN_OUTSIDE = "burden_outside"
    NEW_UNCONFIRMED = "new_unconfirmed"
    LEFT_OUT_OUTSIDE = "left_out_outside"
    LOST_TO = "lost_to"
    SECOND_LOOKS = "second_looks"
    NO_PROFILE = "no_profile"
    PROFILE_SIMULATED = "profile_simulated"
    DEPOSIT_SECOND_LOOK = "deposit_second_look"
    DEPOSIT_CUT_OFF = "deposit_cut_off"
    DEPOSIT_LOST_TO = "deposit_lost_to"
    DEPOSIT_OUTSIDE = "deposit_outside"
    DEPOSIT_SEEN_AGAIN = "deposit_seen_again"
    # --- verdicts
    NEW_CONFIRMED = "new_confirmed"
    ONE_NEW_CONFIRMED = "one_new_confirmed"
    INSIDE_ERROR = "inside_error"
    BEYOND_ERROR_AND_CUT = "beyond_error_and_cut"
    BEYOND_ERROR_UNDER_CUT = "beyond_error_under_cut"
    # --- films, visits and subjects of a study
    FILM_WITHOUT_SCALE = "film_without_scale"
    FILM_NOT_EVALUABLE = "film_not_evaluable"
    FILM_AT_ONE_VISIT = "film_at_one_visit"
    NO_FILM = "no_film"
    NO_SITE_TWICE = "no_site_twice"
    NO_PAIR = "no_pair"
    EXCLUDED = "excluded"
    NOT_MEASURED = "not_measured"
    NOBODY_OUTLINED = "nobody_outlined"
    TWIN = "twin"
    FAILED = "failed"
    AT_ONE_VISIT = "at_one_visit"
    ONE_VISIT = "one_visit"
    OUTSIDE_WINDOW = "outside_window"
    NO_REASON = "no_reason"
    NOT_COMPARED = "not_compared"
    VISITS_UNDATED = "visits_undated"
    VISITS_BY_DATE = "visits_by_date"


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that a reader ought to know: its code, and its facts by name: plain values, or remarks it rests on.

    A value like any other: two of the same code and facts are equal, and nothing is ever read out of its sentence,
    which `calcimeasure.report.words.sentence` makes.

    Raises
    ------
    TypeError
        For a fact that is neither plain nor a remark.
    """

    code: Code
    facts: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        if not all(_is_fact(value) for _, value in self.facts):
            raise TypeError(f"a remark holds plain values and remarks, got {self.facts!r}")

    @classmethod
    def of(cls, code: Code, **facts: Any) -> Remark:
        """A remark by the names of its facts, which are those that its sentence asks for."""
        return cls(code, tuple(facts.items()))

    @classmethod
    def other(cls, text: str) -> Remark:
        """The words of somebody else: of a refusal, a study file, or a file written before remarks had codes."""
        return cls.of(Code.OTHER, text=text)

    @classmethod
    def from_json(cls, told: Any) -> Remark:
        """What JSON made of a remark; a bare text, as files of old have it, is a remark of code ``other``.

        Raises
        ------
        KeyError, TypeError, ValueError
            When it is neither.
        """
        if isinstance(told, str):
            return cls.other(told)
        return cls(Code(told["code"]), tuple((str(name), _fact(value)) for name, value in told["facts"]))

    def as_json(self) -> dict[str, Any]:
        """Plain lists and tables, as `from_json` reads them."""
        return {"code": self.code.value, "facts": [[name, _plain(value)] for name, value in self.facts]}


def remarks_from_json(told: Any) -> tuple[Remark, ...]:
    """Remarks that JSON lists; of old they were one text, and none was an empty one.

    Raises
    ------
    KeyError, TypeError, ValueError
        For anything else.
    """
    if told is None or isinstance(told, str):
        return (Remark.other(told),) if told else ()
    if not isinstance(told, list | tuple):
        raise TypeError("remarks are a list")
    return tuple(Remark.from_json(one) for one in told)


def once(*remarks: Iterable[Remark]) -> tuple[Remark, ...]:
    """Remarks of several places in order, each once."""
    return tuple(dict.fromkeys(one for some in remarks for one in some))


def _is_fact(value: object) -> bool:
    return isinstance(value, str | int | float | Remark) or (
        isinstance(value, tuple) and all(isinstance(one, Remark) for one in value)
    )


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [one.as_json() for one in value]
    return value.as_json() if isinstance(value, Remark) else value


def _fact(told: Any) -> Any:
    if isinstance(told, list):
        return tuple(Remark.from_json(one) for one in told)
    return Remark.from_json(told) if isinstance(told, Mapping) else told
