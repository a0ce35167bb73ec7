"""Photos of skin with chalky deposits: any skin tone, one light, gloss, hair, and a known answer.

The plan: a relief in mm (body, folds, papules) and a skin colour in CIELAB are drawn on the sheet; one
lamp shades the relief; gloss is added; the camera blurs, adds noise and writes 8-bit sRGB.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from calcimeasure.model.arrays import Map, Mask
from calcimeasure.model.image import Image, Kind, Meaning
from calcimeasure.model.labels import Labels
from calcimeasure.phantom.answer import Phantom
from calcimeasure.phantom.frame import Frame, furrows, texture
from calcimeasure.phantom.outline import Outline
from calcimeasure.phantom.ruler import lay_ruler

PARTS = ("finger", "hand", "skin")


@dataclass(frozen=True, slots=True)
class Skin:
    """A skin tone and its surface.

    Parameters
    ----------
    ita : float
        Individual typology angle in degrees: above 55 very light, below -30 dark.
    furrow_mm : float
        Depth of the fine lines.
    gloss : float
        Strength of highlights, 0-1; they are the whitest thing on dark skin and no deposit.
    hairs : int
        How many.
    """

    ita: float = 40.0
    furrow_mm: float = 0.05
    gloss: float = 0.5
    hairs: int = 12

    @property
    def lab(self) -> tuple[float, float, float]:
        """L*, a*, b* with ITA = atan((L* - 50) / b*); b* and a* as usually found at that tone."""
        b = float(np.interp(self.ita, [-60, -40, 0, 30, 60], [11.0, 14.0, 19.0, 17.5, 12.5]))
        a = float(np.interp(self.ita, [-60, -30, 10, 60], [8.0, 11.0, 13.0, 9.0]))
        return 50 + b * float(np.tan(np.radians(self.ita))), a, b


@dataclass(frozen=True, slots=True)
class Papule:
    """One visible deposit: where, how chalky, how raised, how red around.

    `lab` is the colour of the chalk itself, `cover` (0-1) how much of it shows through the skin, `edge_mm`
    the width of its border, `halo` the redness around it (0-1), `crust` whether its middle is a yellow crust.
    """

    outline: Outline
    lab: tuple[float, float, float] = (84.0, 3.0, 18.0)
    cover: float = 0.8
    edge_mm: float = 0.25
    height_mm: float = 0.6
    halo: float = 0.5
    crust: bool = False


@dataclass(frozen=True, slots=True)
class Camera:
    """Light and lens: `lamp` is the direction to it (x right, y down, z up), `falloff` how much the light drops
    across the sheet (0-1), `blur_px` and `noise` (share of full scale) the rest.
    """

    lamp: tuple[float, float, float] = (-0.45, -0.5, 0.75)
    falloff: float = 0.2
    blur_px: float = 0.9
    noise: float = 0.006


@dataclass(frozen=True, slots=True)
class PhotoScene:
    """All that is in a photo. `part` is one of `PARTS`; `cloth` is the L*, a*, b* of what lies behind."""

    frame: Frame
    skin: Skin
    papules: tuple[Papule, ...]
    part: str = "finger"
    camera: Camera = Camera()
    ruler: bool = False
    cloth: tuple[float, float, float] = (74.0, -9.0, -8.0)

    def __post_init__(self) -> None:
        if self.part not in PARTS:
            raise ValueError(f"a photo shows one of {PARTS}, not {self.part!r}")


def draw_photo(scene: PhotoScene, seed: int) -> Phantom:
    """A photo of skin with its deposits and their truth.

    The same scene and seed give the same bytes. As in most photos the image does not tell its scale; `Phantom.mm` does.
    """
    rng = np.random.default_rng(seed)
    frame = scene.frame
    body = _body(frame, scene.part, rng)
    skin = np.asarray(body > 0)
    relief = body + _skin_relief(scene, rng) + _papule_relief(frame, scene.papules)
    lab = _paint(scene, skin, rng)
    light = _shade(frame, np.where(skin, relief, _cloth_relief(frame, rng)), skin, scene.camera)
    linear = np.asarray(cv2.cvtColor(lab, cv2.COLOR_Lab2LRGB), np.float32) * light[..., None]
    linear = linear + _gloss(scene, relief, skin, rng)[..., None]
    if scene.ruler:
        linear = lay_ruler(linear, frame)
    return _answer(scene, skin, _expose(linear, scene.camera, rng))


def random_photo_scene(seed: int, ita: float | None = None, part: str | None = None) -> PhotoScene:
    """A plausible photo of some skin tone (-40 to 60 degrees when `ita` is `None`) with 2 to 9 deposits."""
    rng = np.random.default_rng(seed)
    frame = Frame(72.0, 96.0, 0.15)
    tone = float(rng.uniform(-40, 60)) if ita is None else ita
    chosen = str(rng.choice(PARTS)) if part is None else part
    skin = Skin(tone, float(rng.uniform(0.03, 0.08)), float(rng.uniform(0.15, 1.0)), int(rng.integers(0, 40)))
    cloth = ((74.0, -9.0, -8.0), (80.0, 0.0, -3.0), (62.0, -18.0, -4.0), (30.0, 1.0, -8.0))[int(rng.integers(4))]
    body = _body(frame, chosen, np.random.default_rng(seed + 1))
    papules = _scatter_papules(frame, body, int(rng.integers(2, 10)), tone, rng)
    return PhotoScene(frame, skin, papules, chosen, _random_camera(rng), cloth=cloth)


def ita_degrees(lab: npt.NDArray[np.floating]) -> float:
    """Individual typology angle of one L*, a*, b* colour: atan((L* - 50) / b*), in degrees.

    Shape (3,).
    """
    return float(np.degrees(np.arctan2(lab[0] - 50.0, lab[2])))


def _random_camera(rng: np.random.Generator) -> Camera:
    turn = rng.uniform(0, 2 * np.pi)
    lamp = (0.6 * float(np.cos(turn)), 0.6 * float(np.sin(turn)), float(rng.uniform(0.6, 1.1)))
    return Camera(lamp, float(rng.uniform(0.0, 0.4)), float(rng.uniform(0.7, 1.4)), float(rng.uniform(0.003, 0.012)))


def _scatter_papules(frame: Frame, body: Map, count: int, ita: float, rng: np.random.Generator) -> tuple[Papule, ...]:
    """Papules well inside the skin, in one or two groups, that do not touch."""
    padded = np.pad((body > 0).astype(np.uint8), 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1] * frame.mm
    out: list[Papule] = []
    for _ in range(60):
        if len(out) == count:
            break
        radius = float(np.exp(rng.uniform(np.log(0.6), np.log(3.2))))
        row, column = divmod(int(rng.choice(np.flatnonzero(depth > radius + 2.0))), frame.shape[1])
        place = ((column + 0.5) * frame.mm, (row + 0.5) * frame.mm, float(rng.uniform(0, np.pi)))
        papule = _random_papule(Outline.wavy(place, radius, rng), ita, rng)
        if all(_apart(papule.outline, other.outline) for other in out):
            out.append(papule)
    return tuple(out)


def _apart(one: Outline, other: Outline) -> bool:
    return float(np.hypot(one.x_mm - other.x_mm, one.y_mm - other.y_mm)) > one.reach_mm + other.reach_mm + 1.0


def _random_papule(outline: Outline, ita: float, rng: np.random.Generator) -> Papule:
    """White to yellow chalk; on dark skin a little darker, as more skin lies over it."""
    light = float(rng.uniform(78, 90)) - max(0.0, -ita) * 0.12
    lab = (light, float(rng.uniform(0, 6)), float(rng.uniform(8, 26)))
    crust = bool(outline.reach_mm > 2.0 and rng.random() < 0.3)
    draws = rng.uniform([0.6, 0.12, 0.1, 0.0], [0.95, 0.45, 1.0, 1.0])
    cover, edge, height, halo = (float(v) for v in draws)
    return Papule(outline, lab, cover, edge, height, halo, crust)


def _body(frame: Frame, part: str, rng: np.random.Generator) -> Map:
    """Height of the body above the table in mm; 0 is table."""
    if part == "skin":
        low = texture(frame, rng, 30.0)
        return np.asarray(8.0 + 1.6 * low - low.min(), np.float32)
    if part == "finger":
        return _finger(frame, rng)
    return _back_of_hand(frame, rng)


def _finger(frame: Frame, rng: np.random.Generator) -> Map:
    """One large finger from the left edge to a tip."""
    height, width = frame.height_mm, frame.width_mm
    thick, tilt = 0.27 * height, float(rng.uniform(-0.06, 0.06)) * height
    start, end = (-0.1 * width, 0.52 * height + tilt), (0.8 * width - thick, 0.48 * height - tilt)
    return tapered_rod(frame, (start, end), (thick * 1.08, thick * 0.92), 0.6)


def _back_of_hand(frame: Frame, rng: np.random.Generator) -> Map:
    """Four fingers coming down from the back of a hand at the top."""
    height, width = frame.height_mm, frame.width_mm
    knuckles = (width * 0.5, -0.15 * height)
    body = tapered_rod(frame, ((-0.0 * width, knuckles[1]), (1.0 * width, knuckles[1])), (0.48 * height,) * 2, 0.35)
    for n in range(4):
        x = width * (0.14 + 0.24 * n)
        lean = float(rng.uniform(-0.02, 0.02)) * width + (n - 1.5) * 0.035 * width
        tip = height * (1.15 if n in (1, 2) else 0.98)
        rod = tapered_rod(frame, ((x, 0.1 * height), (x + lean, tip)), (0.115 * width, 0.1 * width), 0.8)
        body = _smooth_max(body, rod, 1.2)
    web = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(1.2 / frame.mm) + 1,) * 2)
    return np.asarray(cv2.morphologyEx(body, cv2.MORPH_CLOSE, web), np.float32)


def tapered_rod(
    frame: Frame, ends: tuple[tuple[float, float], tuple[float, float]], radii: tuple[float, float], flat: float
) -> Map:
    """Height in mm of a round-ended rod lying on the sheet: `flat` is its height as a share of its half width."""
    (x0, y0), (x1, y1) = ends
    length2 = (x1 - x0) ** 2 + (y1 - y0) ** 2
    along = ((frame.x - x0) * (x1 - x0) + (frame.y - y0) * (y1 - y0)) / np.float32(length2)
    along = np.clip(along, 0, 1, dtype=np.float32)
    away2 = np.square(frame.x - x0 - along * (x1 - x0)) + np.square(frame.y - y0 - along * (y1 - y0))
    radius = radii[0] + along * (radii[1] - radii[0])
    return np.asarray(flat * np.sqrt(np.maximum(np.square(radius) - away2, 0)), np.float32)


def _smooth_max(a: Map, b: Map, soft_mm: float) -> Map:
    """The higher of two heights with a fillet where both are above the table."""
    fillet = np.maximum(soft_mm - np.abs(a - b), 0) ** 2 / (4 * soft_mm)
    return np.asarray(np.maximum(a, b) + fillet * ((a > 0) & (b > 0)), np.float32)


def _skin_relief(scene: PhotoScene, rng: np.random.Generator) -> Map:
    """Fine criss-cross lines, coarser folds and creases over the joints, in mm (down is negative)."""
    frame, deep = scene.frame, scene.skin.furrow_mm
    turn = float(rng.uniform(0, np.pi))
    fine = furrows(frame, rng, 0.55, 2.5, turn) + furrows(frame, rng, 0.65, 2.5, turn + 1.15)
    coarse = furrows(frame, rng, 2.2, 5.0, turn + 0.5) * (texture(frame, rng, 14.0) > -0.3)
    rough = texture(frame, rng, 0.4)
    return np.asarray(-deep * (0.7 * fine + 1.6 * frame.blur(coarse, 0.15)) + 0.15 * deep * rough, np.float32)


def _papule_relief(frame: Frame, papules: tuple[Papule, ...]) -> Map:
    relief = frame.blank()
    for papule in papules:
        part, ratio = _local_radius(frame, papule.outline)
        dome = papule.height_mm * np.exp(-(np.square(ratio / 0.95) ** 1.5))
        relief[part] = np.maximum(relief[part], dome)
    return relief


def _cloth_relief(frame: Frame, rng: np.random.Generator) -> Map:
    """Folds and weave of the drape."""
    folds = 1.2 * texture(frame, rng, 25.0, 2.0, 0.6)
    weave = 0.05 * (texture(frame, rng, 0.45, 5.0) + texture(frame, rng, 0.45, 5.0, np.pi / 2))
    return np.asarray(folds + weave, np.float32)


def _local_radius(frame: Frame, outline: Outline, far: float = 1.8) -> tuple[tuple[slice, slice], Map]:
    part = frame.window(outline.x_mm, outline.y_mm, outline.reach_mm * far + 1.0)
    return part, outline.radius(frame.x[:, part[1]], frame.y[part[0], :])


def _paint(scene: PhotoScene, skin: Mask, rng: np.random.Generator) -> Map:
    """L*, a*, b* of every surface before light falls on it."""
    lab = np.empty((*scene.frame.shape, 3), np.float32)
    lab[:] = scene.cloth
    lab[skin] = _skin_colour(scene, rng)[skin]
    for papule in scene.papules:
        _paint_halo(lab, scene.frame, papule)
    for papule in scene.papules:
        _paint_chalk(lab, scene.frame, papule, rng)
    return _draw_hairs(lab, scene, skin, rng)


def _skin_colour(scene: PhotoScene, rng: np.random.Generator) -> Map:
    """Skin of the asked tone with blotches of blood and pigment; the fields have median 0."""
    frame, (light, red, yellow) = scene.frame, scene.skin.lab
    blood, pigment, grain = texture(frame, rng, 9.0), texture(frame, rng, 4.0), texture(frame, rng, 0.6)
    spots = np.maximum(texture(frame, rng, 1.3) - 2.6, 0)
    lab = np.stack([np.full(frame.shape, v, np.float32) for v in (light, red, yellow)], axis=-1)
    lab[..., 0] += 0.9 * pigment + 0.7 * grain - 1.0 * blood - 9.0 * spots
    lab[..., 1] += 1.6 * blood + 0.3 * grain
    lab[..., 2] += 0.6 * pigment
    return lab


def _paint_halo(lab: Map, frame: Frame, papule: Papule) -> None:
    """Redness that fades over about one radius; weak to the eye on dark skin."""
    part, ratio = _local_radius(frame, papule.outline, 3.2)
    strength = papule.halo * np.exp(-np.square(np.maximum(ratio - 0.9, 0) / 0.7))
    patch = lab[part]
    seen = np.clip(patch[..., 0] / 65, 0.3, 1)
    patch[..., 0] -= 7 * strength * seen
    patch[..., 1] += 17 * strength * seen
    patch[..., 2] += 3 * strength * seen


def _paint_chalk(lab: Map, frame: Frame, papule: Papule, rng: np.random.Generator) -> None:
    """The deposit: its outline is where half of the chalk shows."""
    part, ratio = _local_radius(frame, papule.outline)
    size = np.sqrt(papule.outline.along_mm * papule.outline.across_mm)
    cover = papule.cover / (1 + np.exp((ratio - 1) * size / (0.35 * papule.edge_mm)))
    colour = np.empty((*ratio.shape, 3), np.float32)
    colour[:] = papule.lab
    colour[..., 0] += 2.2 * texture(frame, rng, 0.45)[part] - 3 * np.square(np.minimum(ratio, 1))
    if papule.crust:
        core = (1 / (1 + np.exp((ratio - 0.6) * 12)))[..., None]
        colour += core * np.array([-16, 5, 26], np.float32) * (0.8 + 0.2 * texture(frame, rng, 0.5)[part][..., None])
    lab[part] += cover[..., None] * (colour - lab[part])


def _draw_hairs(lab: Map, scene: PhotoScene, skin: Mask, rng: np.random.Generator) -> Map:
    """Thin dark curves; they may cross a deposit, whose truth stays whole."""
    ink = np.zeros(scene.frame.shape, np.uint8)
    scale = 1 / scene.frame.mm
    lie = rng.uniform(0, 2 * np.pi)
    for _ in range(scene.skin.hairs):
        start = rng.uniform((0, 0), (scene.frame.width_mm, scene.frame.height_mm))
        turn = lie + rng.normal(0, 0.35) + np.linspace(0, rng.normal(0, 0.7), 24)
        step = rng.uniform(3, 11) / 24
        path = start + np.cumsum(np.column_stack([np.cos(turn), np.sin(turn)]), axis=0) * step
        cv2.polylines(ink, [np.round(path * scale * 16).astype(np.int32)], False, 255, 1, cv2.LINE_AA, 4)
    cover = (ink.astype(np.float32) / 255 * min(1.0, 0.1 * scale))[..., None] * skin[..., None]
    return np.asarray(lab + cover * (np.array([14.0, 3.0, 4.0], np.float32) - lab) * 0.75, np.float32)


def _normals(frame: Frame, relief: Map) -> tuple[Map, Map, Map]:
    """Unit normals of a relief (x, y, z)."""
    gy, gx = np.gradient(relief, frame.mm)
    gx, gy = np.clip(gx, -2, 2), np.clip(gy, -2, 2)
    length = np.sqrt(gx * gx + gy * gy + 1)
    return (
        np.asarray(-gx / length, np.float32),
        np.asarray(-gy / length, np.float32),
        np.asarray(1 / length, np.float32),
    )


def _shade(frame: Frame, relief: Map, skin: Mask, camera: Camera) -> Map:
    """Light that falls on the surface, with median 1 on skin, so that skin keeps its tone."""
    lamp = np.array(camera.lamp) / np.linalg.norm(camera.lamp)
    nx, ny, nz = _normals(frame, relief)
    lit = np.maximum(nx * lamp[0] + ny * lamp[1] + nz * lamp[2], 0) * 0.7 + 0.3 * nz
    ramp = (frame.x / frame.width_mm - 0.5) * lamp[0] + (frame.y / frame.height_mm - 0.5) * lamp[1]
    light = lit * (1 + camera.falloff * ramp) * (1 - 0.55 * _shadow(frame, skin, camera))
    return np.asarray(light / np.median(light[skin]), np.float32)


def _shadow(frame: Frame, skin: Mask, camera: Camera) -> Map:
    """Soft shadow of the limb on the cloth, away from the lamp."""
    shift = np.array([[1, 0, -camera.lamp[0] * 9 / frame.mm], [0, 1, -camera.lamp[1] * 9 / frame.mm]], np.float32)
    rows, columns = frame.shape
    cast = cv2.warpAffine(skin.astype(np.float32), shift, (columns, rows), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(frame.blur(np.asarray(cast, np.float32), 1.6) * ~skin, np.float32)


def _gloss(scene: PhotoScene, relief: Map, skin: Mask, rng: np.random.Generator) -> Map:
    """Highlights of a moist surface (Blinn-Phong), broken by the fine relief; none on the median skin pixel."""
    frame = scene.frame
    half = np.array(scene.camera.lamp) / np.linalg.norm(scene.camera.lamp) + np.array([0, 0, 1])
    half = half / np.linalg.norm(half)
    nx, ny, nz = _normals(frame, frame.blur(relief, 0.12))
    facing = np.clip(nx * half[0] + ny * half[1] + nz * half[2], 0, 1)
    moist = np.clip(0.5 + 0.3 * texture(frame, rng, 5.0), 0, 1.5)
    gloss = scene.skin.gloss * moist * (0.4 * facing**60 + 0.06 * facing**12)
    return np.asarray(np.maximum(gloss - np.median(gloss[skin]), 0) * skin, np.float32)


def _expose(linear: Map, camera: Camera, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Lens, sensor noise and the sRGB curve."""
    soft = cv2.GaussianBlur(np.clip(linear, 0, 1), (0, 0), camera.blur_px)
    noise = rng.standard_normal(soft.shape, np.float32) * camera.noise * np.sqrt(soft + 0.02)
    value = np.clip(soft + noise, 0, 1)
    curved = np.where(value <= 0.0031308, 12.92 * value, 1.055 * np.power(value, 1 / 2.4) - 0.055)
    return np.asarray(np.round(curved * 255), np.uint8)


def _answer(scene: PhotoScene, skin: Mask, pixels: npt.NDArray[np.uint8]) -> Phantom:
    labels = np.zeros(scene.frame.shape, np.int32)
    for number, papule in enumerate(scene.papules, 1):
        part, ratio = _local_radius(scene.frame, papule.outline)
        labels[part][(ratio < 1) & (labels[part] == 0)] = number
    image = Image(pixels, Kind.PHOTO, Meaning.PHOTO, ceiling=255.0, decided="drawn by phantom.photo")
    areas = tuple(p.outline.area_mm2 for p in scene.papules)
    return Phantom(image, Labels(labels), scene.frame.mm, areas, None, skin, np.zeros(skin.shape, bool))
