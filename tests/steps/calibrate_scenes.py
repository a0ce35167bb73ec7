"""Photos of a marker sheet and of rulers, drawn with a known answer."""

from dataclasses import dataclass

import cv2
import numpy as np

from calcimeasure.model.image import Image, Kind, Meaning
from calcimeasure.steps.scale.sheet import Sheet, marker_sheet

_FINE = 6  # px per mm of the flat drawing


def photo(grey):
    return Image(np.repeat(grey[..., None], 3, axis=2), Kind.PHOTO, Meaning.PHOTO)


@dataclass(frozen=True)
class Shot:
    """How a flat page is photographed; angles in degrees, px_per_mm in the middle of the picture."""

    tilt: float = 0.0
    towards: float = 0.0
    spin: float = 0.0
    px_per_mm: float = 5.0
    middle_mm: tuple = (70.0, 130.0)
    shape: tuple = (700, 900)
    focal: float = 1.2  # of the longer side
    blur: float = 0.8
    noise: float = 3.0
    quality: int = 85
    seed: int = 0

    @property
    def to_px(self):
        """Homography from page mm (x, y) to px (x, y)."""
        rows, columns = self.shape
        f = self.focal * max(self.shape)
        a, t, s = np.radians([self.towards, self.tilt, self.spin])
        turn = cv2.Rodrigues(np.array([np.cos(a), np.sin(a), 0]) * t)[0] @ cv2.Rodrigues(np.array([0, 0, s]))[0]
        place = np.array([0, 0, f / self.px_per_mm]) - turn @ np.array([*self.middle_mm, 0])
        lens = np.array([[f, 0, (columns - 1) / 2], [0, f, (rows - 1) / 2], [0, 0, 1]])
        return lens @ np.column_stack([turn[:, 0], turn[:, 1], place])

    def take(self, page, mm=1 / _FINE):
        """The photo of a page whose pixels are `mm` wide, on a mottled table."""
        rng = np.random.default_rng(self.seed)
        zoom = 2
        flat = np.array([[mm, 0, mm / 2], [0, mm, mm / 2], [0, 0, 1]])
        large = np.array([[zoom, 0, (zoom - 1) / 2], [0, zoom, (zoom - 1) / 2], [0, 0, 1]]) @ self.to_px @ flat
        size = (self.shape[1] * zoom, self.shape[0] * zoom)
        soft = cv2.GaussianBlur(page.astype(np.float32), (0, 0), 0.35 / mm / self.px_per_mm / zoom + 0.01)
        drawn = cv2.warpPerspective(soft, large, size, flags=cv2.INTER_LINEAR)
        there = cv2.warpPerspective(np.ones_like(soft), large, size, flags=cv2.INTER_LINEAR)
        table = 120 + 25 * cv2.GaussianBlur(rng.standard_normal(size[::-1]).astype(np.float32), (0, 0), 8) * 8
        seen = cv2.resize(drawn + (1 - there) * table, self.shape[::-1], interpolation=cv2.INTER_AREA)
        seen = cv2.GaussianBlur(seen, (0, 0), self.blur) + rng.normal(0, self.noise, self.shape)
        grey = np.clip(seen, 0, 255).astype(np.uint8)
        return cv2.imdecode(cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, self.quality])[1], 0)

    def disc(self, x_mm, y_mm, radius_mm):
        """Mask of a disc on the page; its area is pi r^2 mm2, to the rounding of pixels."""
        rows, columns = np.indices(self.shape)
        mm = np.linalg.inv(self.to_px) @ np.stack([columns.ravel(), rows.ravel(), np.ones(rows.size)])
        x, y = mm[:2] / mm[2]
        return (np.hypot(x - x_mm, y - y_mm) < radius_mm).reshape(self.shape)


def page_of(sheet: Sheet, keep=None, stretch=()):
    """The page as grey values; `keep` places of markers are drawn, and `stretch` {place: factor} resizes some."""
    page = np.full((297 * _FINE, 210 * _FINE), 235, np.uint8)
    for place, marker in enumerate(sheet.markers):
        if keep is not None and place not in keep:
            continue
        side = round(marker.side_mm * _FINE * dict(stretch).get(place, 1.0))
        # Every square is first `side` px wide, so that reducing to the page's pixels shares the cut ones out exactly.
        large = np.where(marker.modules(), np.uint8(25), np.uint8(235)).repeat(side, axis=0).repeat(side, axis=1)
        y, x = round(marker.y_mm * _FINE), round(marker.x_mm * _FINE)
        page[y : y + side, x : x + side] = cv2.resize(large, (side, side), interpolation=cv2.INTER_AREA)
    return page


def sheet_photo(shot, size_mm=20, keep=None, stretch=()):
    return photo(shot.take(page_of(marker_sheet(size_mm), keep, stretch)))


def _length(kind, number):
    cycles = {
        "millimetre": ((10, 6), (5, 4.5), (1, 3)),
        "half": ((20, 7), (10, 5.5), (2, 3.6), (1, 2.4)),
        "inch": ((16, 9), (8, 7), (4, 5.5), (2, 4.2), (1, 3.2)),
        "half_cm": ((2, 6), (1, 3)),
        "plain": ((1, 4),),
        **dict.fromkeys(("two_mm", "tenth_inch", "five_mm", "cm"), ((10, 6), (5, 4.5), (1, 3))),
    }
    return next(mm for every, mm in cycles[kind] if number % every == 0)


STEP_MM = {"millimetre": 1.0, "half": 0.5, "inch": 25.4 / 16, "half_cm": 5.0, "plain": 1.0}
STEP_MM |= {"two_mm": 2.0, "tenth_inch": 2.54, "five_mm": 5.0, "cm": 10.0}


def ruler_page(kind, long_mm=60.0, tick_mm=0.32):
    """A strip 14 mm high with ticks along its upper edge; its middle is at (long_mm / 2 + 3, 7)."""
    fine, step = 24 if long_mm < 100 else 8, STEP_MM[kind]
    page = np.full((14 * fine, round((long_mm + 6) * fine)), 225, np.uint8)
    for number in range(int(long_mm / step) + 1):
        x, width = (3 + number * step) * fine, tick_mm * min(1, step) * fine
        page[: round(_length(kind, number) * fine), round(x - width / 2) : round(x + width / 2)] = 30
    return page, 1 / fine


def ruler_photo(kind, shot, long_mm=60.0, tick_mm=0.32):
    page, mm = ruler_page(kind, long_mm, tick_mm)
    return photo(shot.take(page, mm))
