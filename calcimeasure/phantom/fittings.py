"""What lies on a film beside the limb: lead letters, ring, screw, aluminium wedge, collimator."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from calcimeasure.model.arrays import Map, Mask
from calcimeasure.phantom.anatomy import Bone, Limb
from calcimeasure.phantom.frame import Frame

WEDGE_STEP_MM = 9.0
WEDGE_WIDTH_MM = 14.0


@dataclass(frozen=True, slots=True)
class Letter:
    """A lead marker: text, middle in mm, height in mm, whether it is seen from behind."""

    text: str
    x_mm: float
    y_mm: float
    height_mm: float = 11.0
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class Wedge:
    """An aluminium step wedge: its top left corner in mm and the thickness of each step, along y.

    Steps are `WEDGE_STEP_MM` long and `WEDGE_WIDTH_MM` wide.
    """

    x_mm: float
    y_mm: float
    steps_mm: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True, slots=True)
class Collimation:
    """The irradiated field: margins in mm (top, right, bottom, left), turned by `turn` degrees.

    With `shutter` the picture is black outside, up to the bright rim that real shutters leave.
    """

    margins_mm: tuple[float, float, float, float] = (6.0, 6.0, 6.0, 6.0)
    turn: float = 0.0
    shutter: bool = True


@dataclass(frozen=True, slots=True)
class Fittings:
    """Everything on the film that is neither limb nor calcium; `ring` and `screw` name the bone that bears them."""

    letters: tuple[Letter, ...] = ()
    wedge: Wedge | None = None
    collimation: Collimation | None = None
    ring: str | None = None
    screw: str | None = None


def draw_metal(frame: Frame, limb: Limb, fittings: Fittings) -> Map:
    """Millimetres of steel (or its worth in lead and gold) under every pixel.

    Shape of the frame.
    """
    metal = frame.blank()
    for letter in fittings.letters:
        metal = np.maximum(metal, 3.0 * _letter(frame, letter))
    if fittings.ring is not None:
        metal = metal + _ring(frame, limb.bone(fittings.ring))
    if fittings.screw is not None:
        metal = metal + _screw(frame, limb.bone(fittings.screw))
    return np.asarray(metal, np.float32)


def draw_wedge(frame: Frame, wedge: Wedge) -> Map:
    """Millimetres of aluminium under every pixel.

    Shape of the frame.
    """
    out = frame.blank()
    step = np.floor((frame.y - wedge.y_mm) / WEDGE_STEP_MM).astype(int)
    for number, thick in enumerate(wedge.steps_mm):
        inside = (step == number) & (frame.x >= wedge.x_mm) & (frame.x < wedge.x_mm + WEDGE_WIDTH_MM)
        out[inside] = thick
    return out


def step_of_wedge(frame: Frame, wedge: Wedge, number: int) -> tuple[slice, slice]:
    """Rows and columns well inside one step."""
    y, x = wedge.y_mm + (number + 0.5) * WEDGE_STEP_MM, wedge.x_mm + WEDGE_WIDTH_MM / 2
    half = WEDGE_STEP_MM / 4
    rows = slice(round((y - half) / frame.mm), round((y + half) / frame.mm))
    return rows, slice(round((x - half) / frame.mm), round((x + half) / frame.mm))


def irradiated(frame: Frame, collimation: Collimation, grow_mm: float = 0.0) -> Mask:
    """True inside the field of the beam, grown by some mm."""
    top, right, bottom, left = (m - grow_mm for m in collimation.margins_mm)
    c, s = np.cos(np.radians(collimation.turn)), np.sin(np.radians(collimation.turn))
    dx, dy = frame.x - frame.width_mm / 2, frame.y - frame.height_mm / 2
    x, y = dx * c + dy * s + frame.width_mm / 2, dy * c - dx * s + frame.height_mm / 2
    return np.asarray((y > top) & (y < frame.height_mm - bottom) & (x > left) & (x < frame.width_mm - right))


def _letter(frame: Frame, letter: Letter) -> Map:
    """The text drawn once on a fine canvas and put on the sheet by its millimetres."""
    font, px = cv2.FONT_HERSHEY_DUPLEX, 96
    scale = cv2.getFontScaleFromHeight(font, px, 14)
    (width, height), base = cv2.getTextSize(letter.text, font, scale, 14)
    ink = np.zeros((height + base + 40, width + 40), np.uint8)
    cv2.putText(ink, letter.text, (20, height + 10), font, scale, 255, 14, cv2.LINE_AA)
    ink = ink[:, ::-1] if letter.mirrored else ink
    k = letter.height_mm / px
    x0, y0 = letter.x_mm - k * ink.shape[1] / 2, letter.y_mm - k * ink.shape[0] / 2
    move = np.array([[k / frame.mm, 0, x0 / frame.mm], [0, k / frame.mm, y0 / frame.mm]])
    size = (frame.shape[1], frame.shape[0])
    return np.asarray(cv2.warpAffine(ink.astype(np.float32) / 255, move, size), np.float32)


def _along(frame: Frame, bone: Bone) -> tuple[Map, Map]:
    c, s = np.float32(np.cos(bone.angle)), np.float32(np.sin(bone.angle))
    dx, dy = frame.x - np.float32(bone.base[0]), frame.y - np.float32(bone.base[1])
    return dx * c + dy * s, dy * c - dx * s


def _ring(frame: Frame, bone: Bone) -> Map:
    """A band around the finger seen from the side: thick where the beam runs along its wall."""
    along, across = _along(frame, bone)
    radius, middle = bone.flesh_mm * 0.97, 0.36 * bone.length_mm
    curve = middle + 1.1 * np.sqrt(np.maximum(1 - np.square(across / radius), 0))
    front, back = (np.abs(along - v) < 1.7 for v in (curve, 2 * middle - curve))
    chord = np.minimum(1.3 / np.sqrt(np.maximum(1 - np.square(across / radius), 0.05)), 5.0)
    return np.asarray((front | back) * (np.abs(across) < radius) * chord, np.float32)


def _screw(frame: Frame, bone: Bone) -> Map:
    """A threaded rod along a shaft, with a head."""
    along, across = _along(frame, bone)
    start, end = 0.12 * bone.length_mm, 0.72 * bone.length_mm
    radius = 1.25 + 0.4 * (2 * np.abs((along / 1.4) % 1 - 0.5) - 0.5)
    radius = np.where(along < start + 2.4, 2.7, radius) * np.clip((end - along) / 2.0, 0, 1)
    chord = 2 * np.sqrt(np.maximum(np.square(radius) - np.square(across), 0))
    return np.asarray(chord * (along > start) * (along < end), np.float32)
