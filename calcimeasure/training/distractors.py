"""Things on films that are not calcium: text, markers, metal, buttons, lines. Drawn in place."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from calcimeasure.training.deposits import random_field

Array = NDArray[np.float32]
Ink = NDArray[np.uint8]
Drawer = Callable[[Ink, float, np.random.Generator], None]
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX)


def add_distractors(film: Array, mm: float, rng: np.random.Generator) -> tuple[Array, NDArray[np.bool_]]:
    """Film with up to three distractors, and the mask of what they cover."""
    covered = np.zeros(film.shape, bool)
    for _ in range(int(rng.integers(1, 4))):
        ink = np.zeros(film.shape, np.uint8)
        DRAWERS[int(rng.integers(len(DRAWERS)))](ink, mm, rng)
        value = rng.uniform(0.9, 1.0)
        alpha = cv2.GaussianBlur(ink.astype(np.float32) / 255, (0, 0), rng.uniform(0.3, 1.0))
        film = film * (1 - alpha) + np.maximum(film, value) * alpha
        covered |= ink > 0
    return film.astype(np.float32), covered


def add_gas(film: Array, mm: float, rng: np.random.Generator) -> Array:
    """Film with dark pockets of 5-25 mm, as bowel gas is; the walls between them stay bright and are no calcium."""
    field = random_field(max(film.shape), rng.uniform(5, 25) / mm, rng)[: film.shape[0], : film.shape[1]]
    pockets = np.clip((field - rng.uniform(-0.5, 0.8)) * rng.uniform(1, 6), 0, 1)
    return np.asarray(film * (1 - rng.uniform(0.1, 0.5) * pockets), np.float32)


def _spot(ink: Ink, rng: np.random.Generator) -> tuple[int, int]:
    return int(rng.integers(0, ink.shape[1])), int(rng.integers(0, ink.shape[0]))


def text(ink: Ink, mm: float, rng: np.random.Generator) -> None:
    """Side letters, names, dates, sizes."""
    words = (
        "L",
        "R",
        "LT",
        "RT",
        "L.",
        "PA",
        "AP 12",
        "STANDING",
        "04:31",
        "23.5 mm",
        "Sn",
        "IZQ",
        "D",
        "RED DOT",
        "120 cm",
        "A",
        "OBL",
        "1",
        "2",
        "W/B",
    )
    word = words[int(rng.integers(len(words)))]
    tall = np.exp(rng.uniform(np.log(2.0), np.log(14.0))) / mm
    at = _spot(ink, rng)
    width = max(1, round(tall * rng.uniform(0.06, 0.2)))
    cv2.putText(ink, word, at, FONTS[int(rng.integers(len(FONTS)))], tall / 22, 255, width, cv2.LINE_AA)
    if rng.random() < 0.3:
        cv2.circle(
            ink, (at[0] + round(tall / 2), at[1] - round(tall / 2)), round(tall), 255, max(1, width // 2), cv2.LINE_AA
        )


def tiny_text(ink: Ink, mm: float, rng: np.random.Generator) -> None:
    """A few lines of small burnt-in text."""
    x, y = _spot(ink, rng)
    for k in range(int(rng.integers(1, 4))):
        word = "".join(rng.choice(list("ABCDEFGHIKLMNOPRSTUVZ0123456789 :.-"), int(rng.integers(3, 14))))
        cv2.putText(ink, word, (x, y + 11 * k), FONTS[0], rng.uniform(0.25, 0.45), 255, 1, cv2.LINE_AA)


def screw(ink: Ink, mm: float, rng: np.random.Generator) -> None:
    """A threaded shaft with a head."""
    x, y = _spot(ink, rng)
    turn, long = rng.uniform(0, 6.3), rng.uniform(10, 45) / mm
    way = np.array([np.cos(turn), np.sin(turn)])
    across = np.array([-way[1], way[0]]) * rng.uniform(0.9, 2.2) / mm
    end = np.array([x, y]) + way * long
    cv2.line(ink, (x, y), _point(end), 255, max(1, round(rng.uniform(1.2, 2.5) / mm)), cv2.LINE_AA)
    for t in np.arange(0, long, max(2.0, 1.2 / mm)):
        at = np.array([x, y]) + way * t
        cv2.line(ink, _point(at - across), _point(at + across), 255, 1, cv2.LINE_AA)
    cv2.circle(ink, (x, y), round(rng.uniform(2, 4) / mm), 255, -1, cv2.LINE_AA)


def plate(ink: Ink, mm: float, rng: np.random.Generator) -> None:
    """A bar with holes."""
    x, y = _spot(ink, rng)
    turn, step = rng.uniform(0, 6.3), rng.uniform(8, 14) / mm
    way, count = np.array([np.cos(turn), np.sin(turn)]), int(rng.integers(2, 8))
    wide = rng.uniform(4, 10) / mm
    cv2.line(ink, (x, y), _point(np.array([x, y]) + way * step * count), 255, round(wide), cv2.LINE_AA)
    for k in range(count):
        cv2.circle(
            ink, _point(np.array([x, y]) + way * step * (k + 0.5)), max(1, round(wide * 0.25)), 60, -1, cv2.LINE_AA
        )


def finger_ring(ink: Ink, mm: float, rng: np.random.Generator) -> None:
    """A ring seen from the side or at an angle."""
    wide = rng.uniform(7, 12) / mm
    axes = (round(wide), round(wide * rng.uniform(0.1, 0.9)))
    cv2.ellipse(
        ink,
        _spot(ink, rng),
        axes,
        rng.uniform(0, 180),
        0,
        360,
        255,
        max(1, round(rng.uniform(0.8, 3) / mm)),
        cv2.LINE_AA,
    )


def wire(ink: Ink, mm: float, rng: np.random.Generator) -> None:
    """A long even wire or pin; unlike a strand of calcium it neither swells nor fades nor ends in tissue.

    Short or thin ones are not drawn: the network then learns that every bright line is a wire.
    """
    start, turn = np.array(_spot(ink, rng), float), rng.uniform(0, 6.3)
    heading = turn + np.cumsum(rng.normal(0, rng.choice([0.0, 0.0, 0.04]), 20))
    walk = start + np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1), 0) * rng.uniform(4, 8) / mm
    cv2.polylines(
        ink, [np.round(walk).astype(np.int32)], False, 255, max(1, round(rng.uniform(0.8, 1.8) / mm)), cv2.LINE_AA
    )


def button(ink: Ink, mm: float, rng: np.random.Generator) -> None:
    """A disc with holes or a rim: a snap, a bead, a clip. A plain disc may be calcium, so it is not drawn here."""
    x, y = _spot(ink, rng)
    r = rng.uniform(1.5, 8) / mm
    cv2.circle(ink, (x, y), round(r), int(rng.integers(120, 255)), -1, cv2.LINE_AA)
    holes = int(rng.integers(0, 5))
    if not holes or rng.random() < 0.7:
        cv2.circle(
            ink,
            (x, y),
            round(r * rng.uniform(0.5, 0.85)),
            int(rng.integers(0, 255)),
            max(1, round(r * 0.15)),
            cv2.LINE_AA,
        )
    for k in range(holes):
        at = np.array([x, y]) + r * 0.3 * np.array([np.cos(k * 1.57), np.sin(k * 1.57)])
        cv2.circle(ink, _point(at), max(1, round(r * 0.13)), 0, -1, cv2.LINE_AA)


def marker_strip(ink: Ink, mm: float, rng: np.random.Generator) -> None:
    """A grey strip of tape or plastic with lead on it: balls, a letter; the strip tells them from calcium."""
    x, y = _spot(ink, rng)
    long, wide = rng.uniform(15, 60) / mm, rng.uniform(6, 18) / mm
    upright = rng.random() < 0.5
    far = (x + round(wide), y + round(long)) if upright else (x + round(long), y + round(wide))
    cv2.rectangle(ink, (x, y), far, int(rng.integers(50, 170)), -1, cv2.LINE_AA)
    for _ in range(int(rng.integers(1, 4))):
        at = (int(rng.integers(x, far[0])), int(rng.integers(y, far[1])))
        if rng.random() < 0.6:
            cv2.circle(ink, at, max(1, round(rng.uniform(0.6, 4) / mm)), 255, -1, cv2.LINE_AA)
        else:
            tall = rng.uniform(4, 12) / mm / 22
            cv2.putText(ink, str(rng.choice(list("LRAP12"))), at, FONTS[0], tall, 255, round(tall) + 1, cv2.LINE_AA)


def collimation(ink: Ink, mm: float, rng: np.random.Generator) -> None:
    """A bright straight border, or the whole half plane behind it."""
    a, b = np.array(_spot(ink, rng), float), rng.uniform(0, 6.3)
    way = np.array([np.cos(b), np.sin(b)]) * 2 * max(ink.shape)
    cv2.line(
        ink,
        _point(a - way),
        _point(a + way),
        int(rng.integers(60, 255)),
        max(1, round(rng.uniform(0.2, 3) / mm)),
        cv2.LINE_AA,
    )


def scale_bar(ink: Ink, mm: float, rng: np.random.Generator) -> None:
    """A ruler of ticks."""
    x, y = _spot(ink, rng)
    step, tick, count = rng.uniform(1, 10) / mm, rng.uniform(1, 5) / mm, int(rng.integers(4, 30))
    upright = rng.random() < 0.5
    for k in range(count):
        far = tick * (2 if k % 5 == 0 else 1)
        ends = ((x, y + k * step), (x + far, y + k * step)) if upright else ((x + k * step, y), (x + k * step, y + far))
        cv2.line(ink, _point(np.array(ends[0])), _point(np.array(ends[1])), 255, 1, cv2.LINE_AA)


def arrow(ink: Ink, mm: float, rng: np.random.Generator) -> None:
    """An arrow drawn on the film; its head sets it apart from a strand."""
    a = np.array(_spot(ink, rng), float)
    turn = rng.uniform(0, 6.3)
    b = a + np.array([np.cos(turn), np.sin(turn)]) * rng.uniform(5, 20) / mm
    width = max(1, round(rng.uniform(0.4, 1.2) / mm))
    cv2.arrowedLine(ink, _point(a), _point(b), 255, width, cv2.LINE_AA, tipLength=rng.uniform(0.2, 0.5))


def _point(at: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(at[0])), round(float(at[1]))


DRAWERS: tuple[Drawer, ...] = (
    text,
    text,
    tiny_text,
    screw,
    plate,
    finger_ring,
    wire,
    button,
    marker_strip,
    collimation,
    scale_bar,
    arrow,
)
