"""Limbs as lists of bones and flesh in millimetres: hand, forearm, foot, in any pose.

Limb coordinates: x to the thumb's (or big toe's) side, y towards the tips, origin in the middle of the
wrist, forearm or tarsus. Lengths and widths are those of an average adult, rounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

Point = tuple[float, float]
Profile = tuple[tuple[float, float], ...]

METACARPAL: Profile = (
    (0, 0.8),
    (0.1, 0.8),
    (0.25, 0.66),
    (0.5, 0.54),
    (0.7, 0.6),
    (0.84, 0.86),
    (0.92, 0.98),
    (1, 0.95),
)
PHALANX: Profile = (
    (0, 1.0),
    (0.1, 0.97),
    (0.25, 0.74),
    (0.5, 0.57),
    (0.72, 0.55),
    (0.85, 0.66),
    (0.94, 0.74),
    (1, 0.7),
)
TUFT: Profile = ((0, 1.0), (0.1, 0.98), (0.25, 0.68), (0.5, 0.42), (0.72, 0.38), (0.86, 0.5), (0.94, 0.54), (1, 0.42))
RADIUS: Profile = ((0, 0.45), (0.55, 0.44), (0.73, 0.49), (0.85, 0.66), (0.92, 0.86), (0.97, 0.99), (1, 0.97))
ULNA: Profile = ((0, 0.85), (0.5, 0.72), (0.8, 0.66), (0.9, 0.75), (0.96, 1.0), (1, 1.0))


@dataclass(frozen=True, slots=True)
class Bone:
    """A long bone: from base to head, its half width along the way, its wall.

    Parameters
    ----------
    name : str
        Names the site of deposits, e.g. ``"index middle phalanx"``.
    base, head : (x, y)
        Ends of its axis, in mm.
    half_width_mm : float
        Widest half width; `profile` lists (share of length, share of that width).
    wall_mm : float
        Cortex at mid-shaft.
    flesh_mm : float
        Half width of the soft tissue around it: where deposits find room.
    dish_mm, round_mm : float
        Hollow of the base, and length over which the head rounds off.
    bow_mm, slant_mm : float
        Sideways bend of the shaft; how much longer the bone is on one side (positive: clockwise of its axis).
    """

    name: str
    base: Point
    head: Point
    half_width_mm: float
    profile: Profile = PHALANX
    wall_mm: float = 1.3
    flesh_mm: float = 9.0
    dish_mm: float = 0.9
    round_mm: float = 3.0
    bow_mm: float = 0.3
    slant_mm: float = 0.0

    @property
    def length_mm(self) -> float:
        """Length of the axis."""
        return float(np.hypot(self.head[0] - self.base[0], self.head[1] - self.base[1]))

    @property
    def angle(self) -> float:
        """Direction of the axis, radians from the x axis towards the y axis."""
        return float(np.arctan2(self.head[1] - self.base[1], self.head[0] - self.base[0]))


@dataclass(frozen=True, slots=True)
class Pebble:
    """A short bone (carpal, tarsal, sesamoid): a lumpy ellipse; `form` seeds its shape."""

    name: str
    middle: Point
    along_mm: float
    across_mm: float
    angle: float
    form: int = 0
    depth_mm: float = 13.0

    @property
    def size_mm(self) -> float:
        """Radius of the circle of about equal area."""
        return float(np.sqrt(self.along_mm * self.across_mm))


@dataclass(frozen=True, slots=True)
class Flesh:
    """A tapered rod of soft tissue; `flat` is its height as a share of its width, at both ends."""

    ends: tuple[Point, Point]
    radii_mm: tuple[float, float]
    flat: tuple[float, float] = (0.9, 0.9)


@dataclass(frozen=True, slots=True)
class Limb:
    """All that lies in the beam of one limb, in limb or (once placed) sheet millimetres."""

    bones: tuple[Bone, ...]
    pebbles: tuple[Pebble, ...]
    flesh: tuple[Flesh, ...]

    def bone(self, name: str) -> Bone:
        """The long bone of that name.

        Raises
        ------
        KeyError
            When this limb has no such bone.
        """
        for bone in self.bones:
            if bone.name == name:
                return bone
        raise KeyError(f"no bone {name!r} here; there are {[bone.name for bone in self.bones]}")


@dataclass(frozen=True, slots=True)
class Pose:
    """How the fingers (or toes) lie, thumb first: sideways `spread` and `bend` per joint in degrees, and
    `curl` (0-1), how much the far bones are foreshortened.
    """

    spread: tuple[float, ...] = (0.0,) * 5
    bend: tuple[float, ...] = (0.0,) * 5
    curl: tuple[float, ...] = (0.0,) * 5

    @classmethod
    def random(cls, rng: np.random.Generator, ease: float = 1.0) -> Pose:
        """An unforced pose; `ease` 0 is the neutral one."""
        spread, bend = rng.normal(0, 3.0, 5) * ease, rng.normal(0, 3.5, 5) * ease
        curl = np.abs(rng.normal(0, 0.06, 5)) * ease
        return cls(*(tuple(float(v) for v in values) for values in (spread, bend, curl)))


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a limb lies on the sheet: its origin in mm from the top left, turned by `turn` degrees, scaled."""

    x_mm: float
    y_mm: float
    turn: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class _Ray:
    """A finger or toe: its metacarpal, then the lengths and half widths of its phalanges."""

    name: str
    base: Point
    head: Point
    direction: float
    lengths: tuple[float, ...]
    widths: tuple[float, ...]
    flesh_mm: float
    parts: tuple[str, ...] = ("metacarpal", "proximal phalanx", "middle phalanx", "distal phalanx")
    gaps: tuple[float, ...] = field(default=(1.6, 1.2, 1.0))


_FINGERS = (
    _Ray(
        "thumb",
        (21, 4),
        (43, 41),
        33,
        (31, 23),
        (7.6, 7.4, 6.0),
        11.0,
        ("metacarpal", "proximal phalanx", "distal phalanx"),
    ),
    _Ray("index", (10.5, 15), (21, 79), 11, (40, 24, 18), (8.2, 7.8, 6.6, 5.2), 9.4),
    _Ray("middle", (0.5, 17), (2, 81), 1.5, (44, 29, 19), (8.0, 8.0, 7.0, 5.5), 9.8),
    _Ray("ring", (-9, 15), (-15.5, 72), -8, (41, 27, 19), (7.0, 7.4, 6.5, 5.2), 9.2),
    _Ray("little", (-17.5, 11), (-32, 62), -20, (32, 20, 17), (6.8, 6.7, 5.6, 4.5), 8.2),
)
_TOES = (
    _Ray(
        "great toe",
        (22, 22),
        (30, 81),
        0,
        (31, 24),
        (11.0, 9.5, 8.5),
        14.5,
        ("metatarsal", "proximal phalanx", "distal phalanx"),
    ),
    _Ray(
        "second toe",
        (9, 26),
        (11, 97),
        1,
        (26, 13, 10),
        (6.2, 5.4, 4.6, 3.8),
        8.6,
        ("metatarsal", "proximal phalanx", "middle phalanx", "distal phalanx"),
    ),
    _Ray(
        "third toe",
        (-1, 23),
        (-5, 90),
        -3,
        (23, 10, 9),
        (5.8, 5.0, 4.2, 3.6),
        8.0,
        ("metatarsal", "proximal phalanx", "middle phalanx", "distal phalanx"),
    ),
    _Ray(
        "fourth toe",
        (-10, 18),
        (-19, 82),
        -7,
        (21, 8, 9),
        (5.8, 4.8, 4.0, 3.5),
        7.8,
        ("metatarsal", "proximal phalanx", "middle phalanx", "distal phalanx"),
    ),
    _Ray(
        "fifth toe",
        (-19, 11),
        (-33, 71),
        -12,
        (19, 7, 8),
        (6.4, 4.8, 4.0, 3.4),
        8.0,
        ("metatarsal", "proximal phalanx", "middle phalanx", "distal phalanx"),
    ),
)


def hand(pose: Pose | None = None) -> Limb:
    """A hand with its wrist and the ends of the forearm bones, seen from the back."""
    rays = [_pose_ray(ray, *_lie(pose, n)) for n, ray in enumerate(_FINGERS)]
    radius = Bone("radius", (6, -165), (9, -20), 16.5, RADIUS, 2.6, 26.0, 0.0, 2.0, -2.5, 4.5)
    ulna = Bone("ulna", (-18, -165), (-20, -24), 8.5, ULNA, 2.2, 26.0, 0.0, 3.5, 1.0, -2.0)
    flesh = (
        Flesh(((-5, 48), (-1, 5)), (30, 29), (0.36, 0.55)),
        Flesh(((-1, 5), (-5, -40)), (29, 29), (0.55, 0.66)),
        Flesh(((-5, -40), (-5, -200)), (29, 44), (0.66, 0.66)),
        Flesh(((16, 12), (40, 38)), (19, 12.5), (0.7, 0.8)),
        Flesh(((14, 20), (20.5, 76)), (17, 12.0), (0.62, 0.8)),
        Flesh(((0, 20), (1.5, 78)), (17, 12.0), (0.62, 0.8)),
        Flesh(((-9, 20), (-15, 69)), (17, 11.5), (0.62, 0.8)),
        Flesh(((-15, 8), (-30.5, 59)), (17, 11.5), (0.65, 0.8)),
    )
    return Limb((*(b for r in rays for b in r), radius, ulna), _carpals(rays[0][0]), flesh + _sleeves(rays))


def forearm() -> Limb:
    """The shafts of radius and ulna, with the wrist above and the elbow off the sheet."""
    radius = Bone("radius", (13, -130), (10, 112), 16.0, RADIUS, 3.1, 32.0, 0.0, 2.0, 6.0, 4.5)
    ulna = Bone("ulna", (-9, -130), (-19, 108), 8.8, ULNA, 2.8, 32.0, 0.0, 3.5, -2.0, -2.0)
    carpals = tuple(replace(p, middle=(p.middle[0] + 1, p.middle[1] + 132)) for p in _carpals(None))
    flesh = (
        Flesh(((-4, 190), (-3, 100)), (31, 29), (0.5, 0.66)),
        Flesh(((-3, 100), (0, 0)), (29, 40), (0.66, 0.82)),
        Flesh(((0, 0), (2, -90)), (40, 45), (0.82, 0.82)),
        Flesh(((2, -90), (2, -200)), (45, 45), (0.82, 0.82)),
    )
    return Limb((radius, ulna), carpals, flesh)


def foot(pose: Pose | None = None) -> Limb:
    """A foot from above: toes, metatarsals, tarsals; the heel is cut off by the ankle's shadow."""
    rays = [_pose_ray(ray, *_lie(pose, n)) for n, ray in enumerate(_TOES)]
    names = ("medial cuneiform", "middle cuneiform", "lateral cuneiform", "cuboid", "navicular", "talus", "calcaneus")
    spots = ((20, 9), (9, 13), (-1, 10), (-14, -4), (9, -8), (10, -33), (-7, -36))
    sizes = ((12, 8.5), (9, 6), (10, 7), (14, 10), (17, 8), (20, 13), (26, 13))
    turns = (1.5, 1.6, 1.6, 1.9, 0.1, 1.45, 1.7)
    tarsals = tuple(
        Pebble(n, p, *s, t, 40 + k, 14.0) for k, (n, p, s, t) in enumerate(zip(names, spots, sizes, turns, strict=True))
    )
    head = rays[0][0].head
    sesamoids = tuple(
        Pebble("sesamoid", (head[0] + dx, head[1] - 6), 5.0, 3.8, 1.5, k, 5.0) for k, dx in enumerate((-4.5, 5.0))
    )
    flesh = (
        Flesh(((-1, 56), (1, 22)), (33, 38), (0.4, 0.55)),
        Flesh(((1, 22), (2, -20)), (38, 35), (0.55, 0.85)),
        Flesh(((2, -20), (1, -58)), (35, 30), (0.85, 0.85)),
        Flesh(((23, 24), (30, 84)), (19, 16.5), (0.7, 0.8)),
        Flesh(((9, 26), (11, 94)), (16, 10.5), (0.7, 0.85)),
        Flesh(((-1, 23), (-5, 87)), (16, 10.5), (0.7, 0.85)),
        Flesh(((-10, 18), (-19, 79)), (16, 10.5), (0.7, 0.85)),
        Flesh(((-19, 11), (-33, 69)), (15, 11.0), (0.7, 0.85)),
    )
    return Limb(tuple(b for r in rays for b in r), tarsals + sesamoids, flesh + _sleeves(rays))


def placed(limb: Limb, where: Placement) -> Limb:
    """The limb on the sheet: x right, y down, tips up when `where.turn` is 0."""
    c, s = np.cos(np.radians(where.turn)) * where.scale, np.sin(np.radians(where.turn)) * where.scale

    def to_sheet(p: Point) -> Point:
        return float(where.x_mm + c * p[0] + s * p[1]), float(where.y_mm + s * p[0] - c * p[1])

    return Limb(
        tuple(_scaled(b, where.scale, to_sheet(b.base), to_sheet(b.head)) for b in limb.bones),
        tuple(_moved(p, where, to_sheet(p.middle)) for p in limb.pebbles),
        tuple(
            Flesh(
                (to_sheet(f.ends[0]), to_sheet(f.ends[1])),
                (f.radii_mm[0] * where.scale, f.radii_mm[1] * where.scale),
                f.flat,
            )
            for f in limb.flesh
        ),
    )


def _scaled(bone: Bone, k: float, base: Point, head: Point) -> Bone:
    names = ("half_width_mm", "wall_mm", "flesh_mm", "dish_mm", "round_mm", "bow_mm", "slant_mm")
    return replace(bone, base=base, head=head, **{name: getattr(bone, name) * k for name in names})


def _moved(pebble: Pebble, where: Placement, middle: Point) -> Pebble:
    turn, k = float(np.radians(where.turn)), where.scale
    return replace(
        pebble,
        middle=middle,
        angle=turn - pebble.angle,
        along_mm=pebble.along_mm * k,
        across_mm=pebble.across_mm * k,
        depth_mm=pebble.depth_mm * k,
    )


def _lie(pose: Pose | None, n: int) -> tuple[float, float, float]:
    p = pose or Pose()
    return p.spread[n], p.bend[n], p.curl[n]


def _pose_ray(ray: _Ray, spread: float, bend: float, curl: float) -> tuple[Bone, ...]:
    """The bones of one finger, each starting a joint gap after the one before."""
    first = Bone(
        f"{ray.name} {ray.parts[0]}",
        ray.base,
        ray.head,
        ray.widths[0],
        METACARPAL,
        2.1,
        ray.flesh_mm + 1,
        0.6,
        4.6,
        0.8,
    )
    out, turn, gap_from = [first], np.radians(ray.direction + spread), np.array(ray.head)
    for part, length, width, gap in zip(
        ray.parts[1:], ray.lengths, ray.widths[1:], ray.gaps[: len(ray.lengths)], strict=True
    ):
        way = np.array([np.sin(turn), np.cos(turn)])
        base = gap_from + way * gap
        gap_from = base + way * length * (1 - curl)
        out.append(_phalanx(f"{ray.name} {part}", (base, gap_from), width, ray.flesh_mm, part == ray.parts[-1]))
        turn += np.radians(bend)
    return tuple(out)


def _phalanx(name: str, ends: tuple[np.ndarray, np.ndarray], width: float, flesh: float, last: bool) -> Bone:
    base, head = ((float(e[0]), float(e[1])) for e in ends)
    if last:
        return Bone(name, base, head, width, TUFT, 1.1, flesh * 0.86, 0.6, 1.6, 0.0)
    return Bone(name, base, head, width, PHALANX, 1.85, flesh, 0.9, 2.8, 0.3)


def _sleeves(rays: list[tuple[Bone, ...]]) -> tuple[Flesh, ...]:
    """The soft tissue of the fingers, a little longer than the bones and thinner towards the tip."""
    out = []
    for bones in rays:
        for n, bone in enumerate(bones[1:], 1):
            last = n == len(bones) - 1
            way = np.array([np.cos(bone.angle), np.sin(bone.angle)])
            end = np.array(bone.head) + way * (-2.6 if last else 0.5)
            start = np.array(bone.base) - way * 0.5
            radii = (bones[1].flesh_mm * (1.06 - 0.07 * n), bones[1].flesh_mm * (1.0 - 0.075 * n))
            out.append(Flesh(((float(start[0]), float(start[1])), (float(end[0]), float(end[1]))), radii, (0.92, 0.92)))
    return tuple(out)


def _carpals(thumb: Bone | None) -> tuple[Pebble, ...]:
    names = ("capitate", "hamate", "trapezoid", "trapezium", "scaphoid", "lunate", "triquetrum", "pisiform")
    spots = ((-0.5, 3.5), (-11.5, 2.5), (9.5, 8), (17.5, 1.5), (13.5, -9), (0.5, -11.5), (-13, -8.5), (-15.5, -10))
    sizes = ((11.8, 7.0), (9.6, 7.4), (6.4, 6.0), (8.6, 6.8), (12.0, 6.2), (8.8, 7.6), (8.2, 6.6), (5.4, 4.5))
    turns = (1.57, 1.9, 1.4, 2.3, 0.75, 0.4, 2.4, 1.2)
    carpals = tuple(
        Pebble(n, p, *s, t, 10 + k) for k, (n, p, s, t) in enumerate(zip(names, spots, sizes, turns, strict=True))
    )
    if thumb is None:
        return carpals
    x, y = thumb.head
    return (
        *carpals,
        Pebble("sesamoid", (x - 6.5, y - 1.5), 2.6, 2.1, 0.9, 30, 4.0),
        Pebble("sesamoid", (x - 0.5, y - 5.5), 2.4, 1.9, 0.9, 31, 4.0),
    )
