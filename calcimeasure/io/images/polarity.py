"""Whether brightness must be turned over so that what attenuates the beam, and so a deposit, is bright."""

from __future__ import annotations

from dataclasses import dataclass

from calcimeasure.io.images.dicom_header import Header
from calcimeasure.io.images.value_table import Trend
from calcimeasure.model.warning import Code, Remark

_BEAM = ("LIN", "LOG")


@dataclass(frozen=True, slots=True)
class Turn:
    """Whether to turn the values over, why, and what to know about it."""

    over: bool
    why: str
    warnings: tuple[Remark, ...] = ()


def polarity_of(header: Header) -> Turn:
    """The one decision on polarity of a greyscale DICOM radiograph.

    Raw values (FOR PROCESSING, and XA or RF stated LIN or LOG) follow the beam, so the intensity sign decides:
    +1 means that a low value is little intensity, hence bone is dark as stored. Everything else was made to be
    looked at, so the way it is displayed decides: MONOCHROME1 and PresentationLUTShape INVERSE both say that the
    low value is white. They state one fact, so both together turn over once; a VOI LUT that falls turns over once
    more. Angiography (XA) is by convention
    displayed with contrast medium and bone dark, so there the displayed picture is turned over.

    Sources: DICOM PS3.3 C.7.6.3.1.2, C.8.11.3.1.2 (sign), C.8.7.1.1.2 (XA and RF), C.11.6 (presentation LUT).
    """
    shown = displayed_inverted(header)
    if header.modality in ("XA", "RF") and not header.secondary_capture and header.relationship in _BEAM:
        return Turn(header.sign != -1, f"{header.modality} values follow the beam ({header.relationship})")
    if header.intent == "FOR PROCESSING" and header.sign in (1, -1):
        return _raw(header.sign, shown)
    if header.modality == "XA":
        return Turn(
            not shown,
            "angiography shows what attenuates dark",
            (Remark.of(Code.ANGIOGRAPHY),),
        )
    return Turn(shown, _display_words(header), _contradictions(header, shown))


def displayed_inverted(header: Header) -> bool:
    """Whether the lowest value is to be displayed white."""
    white_is_low = header.photometric == "MONOCHROME1" or header.lut_shape == "INVERSE"
    return white_is_low != (header.voi is Trend.FALLING)


def _raw(sign: int, shown: bool) -> Turn:
    over = sign == 1
    doubt = Remark.of(Code.RAW_SIGN_AGAINST_DISPLAY)
    return Turn(over, f"raw values with intensity sign {sign:+d}", (doubt,) if over != shown else ())


def _display_words(header: Header) -> str:
    shape = f" with presentation LUT {header.lut_shape}" if header.lut_shape in ("IDENTITY", "INVERSE") else ""
    falling = " through a VOI LUT that falls" if header.voi is Trend.FALLING else ""
    return f"{header.photometric}{shape}{falling}"


def _contradictions(header: Header, shown: bool) -> tuple[Remark, ...]:
    doubts = []
    if header.photometric == "MONOCHROME1" and header.lut_shape == "IDENTITY":
        doubts.append(Code.MONOCHROME1_AGAINST_IDENTITY)
    if header.photometric == "MONOCHROME2" and header.lut_shape == "INVERSE":
        doubts.append(Code.MONOCHROME2_AGAINST_INVERSE)
    if header.voi is Trend.MIXED:
        doubts.append(Code.VOI_TABLES_MIXED)
    if header.voi is Trend.FALLING and header.window:
        doubts.append(Code.VOI_TABLE_AGAINST_WINDOW)
    if header.window_negative:
        doubts.append(Code.WINDOW_NEGATIVE)
    if header.relationship in _BEAM and header.sign in (1, -1) and (header.sign == 1) != shown:
        doubts.append(Code.SIGN_AGAINST_DISPLAY)
    if header.intent == "FOR PROCESSING":
        doubts.append(Code.RAW_WITHOUT_SIGN)
    if header.modality == "RF":
        doubts.append(Code.FLUOROSCOPY_WITHOUT_SIGN)
    return tuple(map(Remark.of, doubts))
