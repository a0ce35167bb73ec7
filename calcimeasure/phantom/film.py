"""Radiographs of limbs with calcium of known area and thickness.

The plan: millimetres of flesh, bone, calcium, aluminium and steel under every pixel (`body`, `deposits`,
`fittings`); Beer-Lambert; scatter, focal blur and quantum noise on the intensity; then what the machine
writes: detector values, linear or log, or a picture for display.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import cv2
import numpy as np

from calcimeasure.model.arrays import Map, Mask, Pixels
from calcimeasure.model.image import Acquisition, Image, Kind, Meaning, Spacing, SpacingOrigin
from calcimeasure.model.labels import Labels
from calcimeasure.phantom.anatomy import Bone, Limb, Placement, Pose, foot, forearm, hand, placed
from calcimeasure.phantom.answer import Phantom
from calcimeasure.phantom.beam import PER_MM, aluminium_worth, exponent
from calcimeasure.phantom.body import Anatomy, draw_anatomy
from calcimeasure.phantom.deposits import Calcium, Shape, Site, draw_deposits, where_is
from calcimeasure.phantom.fittings import Collimation, Fittings, Letter, draw_metal, draw_wedge, irradiated
from calcimeasure.phantom.frame import Frame, texture

__all__ = [
    "PARTS", "PER_MM", "Exposure", "FilmScene", "Tone", "Writing", "draw_film", "random_deposits", "random_film_scene",
]  # fmt: skip

PARTS = ("hand", "forearm", "foot")


class Writing(StrEnum):
    """What the machine writes: values linear or logarithmic in the beam, or a processed picture."""

    LINEAR = "linear"
    LOG = "log"
    DISPLAY = "display"


@dataclass(frozen=True, slots=True)
class Exposure:
    """One shot.

    Parameters
    ----------
    photons_mm2 : float
        Quanta per mm2 in the open beam: fewer is grainier.
    scatter : float
        Share of scattered radiation behind the limb, 0-1.
    blur_mm : float
        Gaussian sigma of focal spot and detector.
    heel : float
        Loss of beam across the height of the film, 0-1.
    kvp : float or None
        Tube voltage in kV, for a beam of all energies, as a step wedge needs it; `None` is one energy of 40 keV.
    """

    photons_mm2: float = 30000.0
    scatter: float = 0.18
    blur_mm: float = 0.11
    heel: float = 0.08
    kvp: float | None = None


@dataclass(frozen=True, slots=True)
class Tone:
    """How the values are written.

    Parameters
    ----------
    writing, bits : Writing, int
        Sort and depth of the values.
    gamma, sharpen : float
        Tone curve (above 1 is darker) and edge enhancement of a display picture.
    gain, offset : float
        Of a detector: contrast per decade of the beam, and share of full scale added.
    """

    writing: Writing = Writing.DISPLAY
    bits: int = 12
    gamma: float = 1.0
    sharpen: float = 0.6
    gain: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class FilmScene:
    """All that is in a film.

    Parameters
    ----------
    frame : Frame
        Size and pixels of the film.
    part : str
        ``"hand"``, ``"forearm"`` or ``"foot"``.
    placement, pose : Placement, Pose
        Where the limb lies, and how its fingers do. Deposits follow.
    deposits : tuple of Calcium
        Label n of the truth is the n-th.
    fittings, exposure, tone : Fittings, Exposure, Tone
        What else lies there, how it was shot and written.
    mirrored : bool
        The other side of the body (letters stay readable).
    """

    frame: Frame
    part: str
    placement: Placement
    pose: Pose = field(default_factory=Pose)
    deposits: tuple[Calcium, ...] = ()
    fittings: Fittings = field(default_factory=Fittings)
    exposure: Exposure = field(default_factory=Exposure)
    tone: Tone = field(default_factory=Tone)
    mirrored: bool = False

    def __post_init__(self) -> None:
        if self.part not in PARTS:
            raise ValueError(f"a film shows one of {PARTS}, not {self.part!r}")

    @property
    def limb(self) -> Limb:
        """The limb on the sheet, before mirroring."""
        build = {"hand": lambda: hand(self.pose), "foot": lambda: foot(self.pose), "forearm": forearm}
        return placed(build[self.part](), self.placement)


@dataclass(frozen=True, slots=True, eq=False)
class _BeamMaps:
    """Maps in mm of everything in the beam."""

    anatomy: Anatomy
    calcium: Map
    labels: np.ndarray
    metal: Map
    aluminium: Map


def draw_film(scene: FilmScene, seed: int) -> Phantom:
    """A radiograph with its deposits and their truth.

    The same scene and seed give the same bytes. Another pixel size of the same film shows the same limb and
    deposits in mm. Truth marks where the beam meets more than 0.03 mm of calcium, before any blur; pixels of a
    linear detector are turned over, as the reader does, so that deposits are bright.
    """
    rng = np.random.default_rng(seed)
    sheet = _lay_out(scene, rng)
    field_ = _field(scene)
    beam = _shoot(scene, _attenuation(sheet, scene.exposure.kvp), field_, rng)
    pixels = _WRITE[scene.tone.writing](beam, scene, sheet.anatomy.limb)
    if scene.fittings.collimation is not None and scene.fittings.collimation.shutter:
        pixels = np.where(irradiated(scene.frame, scene.fittings.collimation, 0.7), pixels, 0).astype(pixels.dtype)
    return _answer(scene, sheet, pixels)


def random_film_scene(seed: int, mm: float = 0.2, part: str | None = None, count: int | None = None) -> FilmScene:
    """A plausible film of 240 x 190 mm with 0 to 8 deposits (`count` of them when given)."""
    rng = np.random.default_rng(seed)
    chosen = str(rng.choice(PARTS)) if part is None else part
    frame = Frame(240.0, 190.0, mm)
    placement = _random_placement(chosen, frame, rng)
    pose = Pose.random(rng)
    bare = FilmScene(frame, chosen, placement, pose)
    number = int(rng.integers(0, 9)) if count is None else count
    return FilmScene(
        frame,
        chosen,
        placement,
        pose,
        random_deposits(bare.limb, frame, number, rng),
        _random_fittings(frame, rng),
        _random_exposure(rng),
        _random_tone(rng),
        bool(rng.random() < 0.5),
    )


def random_deposits(limb: Limb, frame: Frame, count: int, rng: np.random.Generator) -> tuple[Calcium, ...]:
    """Deposits in the soft tissue, over bone and at the finger tips of a placed limb, inside the film."""
    out: list[Calcium] = []
    bones = [b for b in limb.bones if _inside(frame, limb, Site(b.name, 0.5, 0.0), 6.0)]
    for _ in range(20 * count):
        calcium = _random_calcium(bones[int(rng.integers(len(bones)))], rng)
        if len(out) < count and _inside(frame, limb, calcium.site, 8.0):
            out.append(calcium)
    return tuple(out)


def _inside(frame: Frame, limb: Limb, site: Site, margin: float) -> bool:
    x, y, _ = where_is(limb, site)
    return margin < x < frame.width_mm - margin and margin < y < frame.height_mm - margin


def _random_calcium(bone: Bone, rng: np.random.Generator) -> Calcium:
    shape = (Shape.NODULE, Shape.CLUSTER, Shape.STRAND, Shape.PLAQUE)[int(rng.choice(4, p=[0.4, 0.3, 0.15, 0.15]))]
    biggest = min(
        {Shape.NODULE: 8.0, Shape.CLUSTER: 14.0, Shape.STRAND: 22.0, Shape.PLAQUE: 18.0}[shape], 1.6 * bone.flesh_mm
    )
    size = float(np.exp(rng.uniform(np.log(0.3 * biggest), np.log(biggest))))
    thick = float(np.clip(size * rng.uniform(0.3, 1.0), 1.0, 6.0))
    if bone.name.endswith("distal phalanx") and rng.random() < 0.5:
        site = Site(bone.name, float(rng.uniform(0.7, 1.02)), float(rng.normal(0, 1.5)), float(rng.uniform(0, 3)))
    else:
        site = _beside(bone, size, rng)
    return Calcium(shape, site, size, thick, int(rng.integers(1 << 30)))


def _beside(bone: Bone, size: float, rng: np.random.Generator) -> Site:
    """Mostly beside the bone, under the skin; one in five over it. Long ones lie along the limb."""
    room = max(bone.flesh_mm - min(size, bone.flesh_mm) / 2 - 0.8, 0.3 * bone.flesh_mm)
    across = rng.uniform(0, 0.3) if rng.random() < 0.2 else rng.uniform(0.55, 1.0)
    return Site(
        bone.name, float(rng.uniform(0.1, 0.95)), float(across * room * rng.choice([-1, 1])), float(rng.normal(0, 0.3))
    )


def _random_placement(part: str, frame: Frame, rng: np.random.Generator) -> Placement:
    down = {"hand": 0.8, "foot": 0.66, "forearm": 0.52}[part] * frame.height_mm
    x = frame.width_mm / 2 + float(rng.normal(0, 5)) - (4 if part == "hand" else 0)
    return Placement(x, down + float(rng.normal(0, 4)), float(rng.normal(0, 5)), float(rng.uniform(0.88, 1.0)))


def _random_fittings(frame: Frame, rng: np.random.Generator) -> Fittings:
    letter = Letter(
        str(rng.choice(["L", "R"])), frame.width_mm - 20, float(rng.uniform(20, 60)), float(rng.uniform(8, 14))
    )
    collimation = None
    if rng.random() < 0.6:
        margins = tuple(float(v) for v in rng.uniform(2, 8, 4))
        collimation = Collimation((margins[0], margins[1], margins[2], margins[3]), float(rng.normal(0, 1.2)))
    return Fittings((letter,), None, collimation)


def _random_exposure(rng: np.random.Generator) -> Exposure:
    draws = rng.uniform([np.log(6e3), 0.08, 0.07, 0.0], [np.log(8e4), 0.35, 0.2, 0.15])
    return Exposure(float(np.exp(draws[0])), *(float(v) for v in draws[1:]))


def _random_tone(rng: np.random.Generator) -> Tone:
    writing = (Writing.DISPLAY, Writing.LOG, Writing.LINEAR)[int(rng.choice(3, p=[0.6, 0.25, 0.15]))]
    return Tone(writing, 12, float(rng.uniform(0.8, 1.3)), float(rng.uniform(0.1, 1.0)), float(rng.uniform(0.8, 1.2)))


def _lay_out(scene: FilmScene, rng: np.random.Generator) -> _BeamMaps:
    frame, limb, fittings = scene.frame, scene.limb, scene.fittings
    anatomy = draw_anatomy(frame, limb, rng)
    calcium, labels = draw_deposits(frame, limb, scene.deposits)
    metal = draw_metal(frame, limb, Fittings(ring=fittings.ring, screw=fittings.screw))
    if scene.mirrored:
        anatomy = Anatomy(*(np.ascontiguousarray(m[:, ::-1]) for m in (anatomy.flesh, anatomy.muscle, anatomy.bone)))
        calcium, labels, metal = (np.ascontiguousarray(m[:, ::-1]) for m in (calcium, labels, metal))
    metal = np.maximum(metal, draw_metal(frame, limb, Fittings(letters=fittings.letters)))
    aluminium = frame.blank() if fittings.wedge is None else draw_wedge(frame, fittings.wedge)
    return _BeamMaps(anatomy, calcium, labels, metal, aluminium)


def _attenuation(sheet: _BeamMaps, kvp: float | None) -> Map:
    """Beer-Lambert exponent: sum of attenuation per mm times mm, over all energies of the beam."""
    if kvp is not None:
        return exponent(_thickness(sheet), kvp)
    body = sheet.anatomy
    return np.asarray(
        PER_MM["fat"] * body.flesh
        + (PER_MM["muscle"] - PER_MM["fat"]) * body.muscle
        + PER_MM["bone"] * body.bone
        + PER_MM["calcium"] * sheet.calcium
        + PER_MM["aluminium"] * sheet.aluminium
        + PER_MM["steel"] * sheet.metal,
        np.float32,
    )


def _thickness(sheet: _BeamMaps) -> dict[str, Map]:
    """Millimetres of each material of `PER_MM` under every pixel."""
    body = sheet.anatomy
    return {
        "fat": np.asarray(body.flesh - body.muscle, np.float32),
        "muscle": body.muscle,
        "bone": body.bone,
        "calcium": sheet.calcium,
        "aluminium": sheet.aluminium,
        "steel": sheet.metal,
    }


def _field(scene: FilmScene) -> Map:
    """Beam before the limb: heel effect, and the collimator's blades with their penumbra."""
    frame, collimation = scene.frame, scene.fittings.collimation
    heel = 1 - scene.exposure.heel * (frame.y / frame.height_mm) * np.ones_like(frame.x)
    if collimation is None:
        return np.asarray(heel, np.float32)
    inside = frame.blur(irradiated(frame, collimation).astype(np.float32), 0.35)
    return np.asarray(heel * (0.012 + 0.988 * inside), np.float32)


def _shoot(scene: FilmScene, attenuation: Map, field_: Map, rng: np.random.Generator) -> Map:
    """Intensity on the detector as a share of the open beam, with scatter, blur and quantum noise."""
    frame, shot = scene.frame, scene.exposure
    primary = field_ * np.exp(-attenuation)
    scattered = shot.scatter / (1 - shot.scatter) * _scattered(frame, primary * (1 - np.exp(-1.5 * attenuation)), 14.0)
    beam = frame.blur(np.asarray(primary + scattered, np.float32), shot.blur_mm)
    quanta = shot.photons_mm2 * frame.mm**2
    beam = beam + np.sqrt(beam / quanta) * rng.standard_normal(frame.shape, np.float32)
    dirt = 1 + 0.0015 * texture(frame, rng, 2.0)
    return np.asarray(np.maximum(beam * dirt, 0.25 / quanta), np.float32)


def _scattered(frame: Frame, source: Map, sigma_mm: float) -> Map:
    """A very wide blur, worked out on 2 mm pixels."""
    rows, columns = frame.shape
    small = (max(8, round(columns * frame.mm / 2)), max(8, round(rows * frame.mm / 2)))
    shrunk = cv2.resize(source, small, interpolation=cv2.INTER_AREA)
    wide = cv2.GaussianBlur(shrunk, (0, 0), sigma_mm / 2, borderType=cv2.BORDER_REFLECT)
    return np.asarray(cv2.resize(wide, (columns, rows), interpolation=cv2.INTER_CUBIC), np.float32)


def _write_linear(beam: Map, scene: FilmScene, limb: Mask) -> Pixels:
    """Detector counts turned over: full scale is no beam."""
    top = 2**scene.tone.bits - 1
    return np.asarray(np.round(np.clip(1 - 0.8 * scene.tone.gain * beam, 0, 1) * top), np.uint16)


def _write_log(beam: Map, scene: FilmScene, limb: Mask) -> Pixels:
    """Log attenuation: four orders of magnitude over the full scale."""
    top, tone = 2**scene.tone.bits - 1, scene.tone
    share = 0.05 + tone.offset - tone.gain * np.log10(np.maximum(beam, 1e-6)) / 4
    return np.asarray(np.round(np.clip(share, 0, 1) * top), np.uint16)


def _write_display(beam: Map, scene: FilmScene, limb: Mask) -> Pixels:
    """A picture: log, edges enhanced, window over the limb, film curve."""
    tone, frame = scene.tone, scene.frame
    log = -np.log(np.maximum(beam, 1e-3))
    lit = limb if scene.fittings.collimation is None else limb & irradiated(frame, scene.fittings.collimation, -2.0)
    low, high = _display_range(log, np.asarray(lit))
    share = (log - low) / (high - low)
    share = share + tone.sharpen * 0.5 * (share - frame.blur(np.asarray(share, np.float32), 1.2)) * np.clip(
        4 * share, 0, 1
    )
    curve = np.clip(share, 0, 1.35)
    shown = np.clip(1.02 * curve / (1 + (curve / 1.15) ** 6) ** (1 / 6), 0, 1) ** tone.gamma
    depth = np.uint8 if tone.bits <= 8 else np.uint16
    return np.asarray(np.round((0.02 + 0.98 * shown) * (2**tone.bits - 1)), depth)


def _display_range(log: Map, limb: Mask) -> tuple[float, float]:
    """Black is the open beam, white a little over the densest bone."""
    if not limb.any():
        return 0.0, 1.0
    return float(np.percentile(log[::4, ::4], 2)), float(np.percentile(log[limb][::17], 97) * 1.2)


_WRITE = {Writing.LINEAR: _write_linear, Writing.LOG: _write_log, Writing.DISPLAY: _write_display}


_RELATIONSHIP = {Writing.LINEAR: "LIN", Writing.LOG: "LOG", Writing.DISPLAY: None}


def _answer(scene: FilmScene, sheet: _BeamMaps, pixels: Pixels) -> Phantom:
    meaning = Meaning.DISPLAY if scene.tone.writing is Writing.DISPLAY else Meaning.DETECTOR
    image = Image(
        pixels,
        Kind.RADIOGRAPH,
        meaning,
        Spacing.of(scene.frame.mm, scene.frame.mm, SpacingOrigin.USER),
        ceiling=float(2**scene.tone.bits - 1),
        acquisition=_acquisition(scene),
        decided="drawn by phantom.film",
    )
    areas = tuple(d.area_mm2 for d in scene.deposits)
    body, worth = sheet.anatomy, aluminium_worth(_thickness(sheet), scene.exposure.kvp)
    return Phantom(image, Labels(sheet.labels), scene.frame.mm, areas, sheet.calcium, body.limb, body.bony, worth)


def _acquisition(scene: FilmScene) -> Acquisition:
    return Acquisition(
        body_part=scene.part,
        bits=scene.tone.bits,
        kvp=scene.exposure.kvp,
        intensity_relationship=_RELATIONSHIP[scene.tone.writing],
    )
