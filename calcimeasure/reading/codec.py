"""Steps as JSON and back: plain numbers and packed arrays, every size checked before memory is taken."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from calcimeasure.io.results.masks import authorship_of_old_file
from calcimeasure.model.authorship import MOST_PASSED_OVER_PX, Author, Authorship, Doubt
from calcimeasure.model.deposit import Excluded, Reason
from calcimeasure.model.image import Image, Mask, Spacing, SpacingOrigin
from calcimeasure.model.plane import ObjectPlane, PlaneError
from calcimeasure.model.warning import remarks_from_json
from calcimeasure.reading.patch import Patch
from calcimeasure.reading.record import Signature, StepRecord
from calcimeasure.reading.state import State, Uncounted
from calcimeasure.recipe import Recipe

Json = dict[str, Any]

#: Pixels of excluded findings that a journal may hold together, as a multiple of the film's; real ones stay under 1.
_MOST_UNCOUNTED = 20
#: Runs that one change of a mask may have: 200 MB of memory, and a thousand times what a person draws.
_MOST_RUNS = 1 << 22
_LISTS = ("excluded", "deleted", "cut")


@dataclass(slots=True)
class Codec:
    """Writes steps of one film and reads them back; findings that were written once are named by their number.

    Every decoding method raises `ValueError`, `KeyError` or `TypeError` for what it cannot believe. Once `has_gaps` is
    set, because lines before were lost, findings that they may have told are left out and counted in `missing`.
    """

    image: Image
    has_gaps: bool = False
    missing: int = 0
    _uncounted: dict[int, Uncounted] = field(default_factory=dict)
    _number: dict[int, int] = field(default_factory=dict)
    _pixels: int = 0

    # --- writing ----------------------------------------------------------------------------------------

    def state_to_json(self, before: State, after: State) -> Json:
        """What differs between two states; together with the first it gives the second."""
        data: Json = {}
        if after.image is not before.image:
            data["scale"] = _scale_to_json(after.image)
        if after.recipe is not before.recipe:
            data["recipe"] = after.recipe.as_dict()
        if after.region is not before.region:
            data["region"] = None if after.region is None else _pack(np.packbits(after.region))
        for name in _LISTS:
            if getattr(after, name) is not getattr(before, name):
                data[name] = [self._uncounted_to_json(one) for one in getattr(after, name)]
        for name in ("by_hand", "accepted"):
            data |= _set_to_json(name, getattr(before, name), getattr(after, name))
        if after.doubts is not before.doubts:
            data["doubts"] = _doubts_to_json(before.doubts, after.doubts)
        if after.passed_over_px != before.passed_over_px:
            data["passed_over_px"] = after.passed_over_px
        if after.authorship is not before.authorship:
            data["authors"] = _authors_to_json(before.authorship, after.authorship)
        if after.negative != before.negative:
            data["negative"] = signature_to_json(after.negative)
        if after.was_searched != before.was_searched:
            data["was_searched"] = after.was_searched
        if after.wedge != before.wedge:
            data["wedge"] = after.wedge and list(after.wedge)
        if after.warnings != before.warnings:
            data["warnings"] = [one.as_json() for one in after.warnings]
        return data

    def _uncounted_to_json(self, uncounted: Uncounted) -> int | Json:
        """Its number when it was written before, else all of it."""
        if id(uncounted) in self._number:
            return self._number[id(uncounted)]
        mask = None if uncounted.mask is None else _pack(np.packbits(uncounted.mask))
        was = {name: getattr(uncounted, name) for name in ("number", "accepted", "by_hand", "doubt")}
        # Not `asdict`: it copies deeply, which a region that drops hundreds of deposits would feel.
        finding = {one.name: getattr(uncounted.finding, one.name) for one in fields(uncounted.finding)}
        return finding | was | {"mask": mask, "id": self._know(uncounted, max(self._uncounted, default=-1) + 1)}

    def _know(self, uncounted: Uncounted, number: int) -> int:
        self._number[id(uncounted)] = number
        self._uncounted[number] = uncounted
        return number

    # --- reading ----------------------------------------------------------------------------------------

    def state_from_json(self, data: Mapping[str, Any], before: State) -> State:
        """The state that differs from the first as told."""
        if not isinstance(data, Mapping):
            raise TypeError("a state is a table")
        changes: dict[str, Any] = {}
        if "scale" in data:
            changes["image"] = _rescaled(self.image, data["scale"])
        if "recipe" in data:
            changes["recipe"] = Recipe.from_dict(data["recipe"])
        if "region" in data:
            changes["region"] = None if data["region"] is None else _mask(data["region"], self.image.shape)
        for name in _LISTS:
            if name in data:
                changes[name] = tuple(one for one in map(self._uncounted_from_json, data[name]) if one is not None)
        for name in ("by_hand", "accepted"):
            if name in data:
                changes[name] = _set_from_json(data[name], getattr(before, name))
        if not data.keys().isdisjoint(("authors", "doubts", "passed_over_px")):
            changes["authorship"] = _authorship_from_json(data, before.authorship)
        if "negative" in data:
            changes["negative"] = signature_from_json(data["negative"])
        if "was_searched" in data:
            changes["was_searched"] = data["was_searched"] is True
        if "wedge" in data:
            changes["wedge"] = data["wedge"] and self._box(data["wedge"])
        if "warnings" in data:
            changes["warnings"] = remarks_from_json(data["warnings"])
        return replace(before, **changes) if changes else before

    def _uncounted_from_json(self, data: int | Json) -> Uncounted | None:
        if isinstance(data, int):
            return self._known(data)
        uncounted = self._new_uncounted(data)
        if "id" in data or not self.has_gaps:  # what the first format wrote behind a gap has no number to be known by
            self._know(uncounted, int(data.get("id", len(self._uncounted))))
        return uncounted

    def _known(self, number: int) -> Uncounted | None:
        if number not in self._uncounted:
            if not self.has_gaps:
                raise ValueError("no such finding")
            self.missing += 1
        return self._uncounted.get(number)

    def _new_uncounted(self, data: Json) -> Uncounted:
        row0, column0, row1, column1 = self._box(data["bbox"])
        rows, columns = self.image.shape
        shape = (row1 - row0, column1 - column0)
        self._pixels += shape[0] * shape[1]
        if self._pixels > _MOST_UNCOUNTED * rows * columns:
            raise ValueError("more findings than a film can have")
        mask = None if data["mask"] is None else _mask(data["mask"], shape)
        row, column = int(data["row"]), int(data["column"])
        if not (row0 <= row < row1 and column0 <= column < column1):
            raise ValueError("a finding lies outside its box")
        box = (row0, column0, row1, column1)
        score = None if data["score"] is None else float(data["score"])
        finding = Excluded(Reason(data["reason"]), row, column, box, int(data["area_px"]), score)
        doubt = _doubt(data["doubt"]) if data.get("doubt") else None
        was = (int(data.get("number", 0)), data.get("accepted") is True, data.get("by_hand") is True)
        if not 0 <= was[0] < 2**31:
            raise ValueError("no deposit has such a number")
        return Uncounted(finding, mask, *was, doubt)

    def _box(self, data: Sequence[Any]) -> tuple[int, int, int, int]:
        row0, column0, row1, column1 = (int(edge) for edge in data)
        rows, columns = self.image.shape
        if not (0 <= row0 < row1 <= rows and 0 <= column0 < column1 <= columns):
            raise ValueError("a box lies outside the film")
        return row0, column0, row1, column1


def patch_to_json(patch: Patch) -> Json:
    """A change of the mask."""
    return {
        "runs": len(patch.start),
        "start": _pack(np.diff(patch.start, prepend=0).astype("<i8")),
        "length": _pack(patch.length.astype("<i8")),
        "old": _pack(patch.old.astype("<i4")),
        "new": _pack(patch.new.astype("<i4")),
    }


def patch_from_json(data: Mapping[str, Any], pixels: int) -> Patch:
    """A change of a mask of so many pixels; whether it fits the mask is for `Patch.fits` to say."""
    runs = int(data["runs"])
    if not 0 <= runs <= min(pixels, _MOST_RUNS):
        raise ValueError("more runs than pixels, or than anybody draws")
    start, length = (_unpack(data[name], "<i8", runs) for name in ("start", "length"))
    old, new = (_unpack(data[name], "<i4", runs).astype(np.int32) for name in ("old", "new"))
    return Patch(np.cumsum(start).astype(np.int64), length.astype(np.int64), old, new)


def record_to_json(record: StepRecord) -> Json:
    """A line of what was done."""
    return asdict(record)


def record_from_json(data: Mapping[str, Any]) -> StepRecord:
    """A line of what was done."""
    texts = {name: str(data[name])[:1000] for name in ("when", "name", "how", "why")}
    who = None if data["who"] is None else str(data["who"])[:6]
    return StepRecord(**texts, who=who, numbers=tuple(int(n) for n in data["numbers"][:50]), pixels=int(data["pixels"]))


def signature_to_json(signature: Signature | None) -> list[str] | None:
    """Who signed, and when."""
    return [signature.initials, signature.when] if signature else None


def signature_from_json(data: Any) -> Signature | None:
    """Who signed, and when."""
    return Signature(str(data[0])[:6], str(data[1])[:40]) if data else None


def _scale_to_json(image: Image) -> Json:
    spacing, plane = (asdict(part) if part else None for part in (image.spacing, image.plane))
    return {"spacing": spacing, "plane": plane, "warnings": [one.as_json() for one in image.warnings]}


def _rescaled(image: Image, data: Mapping[str, Any]) -> Image:
    spacing = data["spacing"] and _spacing(data["spacing"])
    plane = data["plane"] and _plane(data["plane"])
    return replace(image, spacing=spacing, plane=plane, warnings=remarks_from_json(data["warnings"]))


def _spacing(said: Mapping[str, Any]) -> Spacing:
    sizes = (float(said["row_mm"]), float(said["column_mm"]))
    parts = tuple((str(name), float(value)) for name, value in said["components"])
    return Spacing(*sizes, SpacingOrigin(said["origin"]), float(said["relative_sd"]), parts)


def _plane(said: Mapping[str, Any]) -> ObjectPlane:
    (a, b, c), (d, e, f), (g, h, i) = ([float(value) for value in row] for row in said["homography"])
    tilt, off = (None if said[name] is None else float(said[name]) for name in ("tilt_degrees", "reprojection_px"))
    return ObjectPlane(((a, b, c), (d, e, f), (g, h, i)), tilt, off, _plane_error(said.get("error")))


def _plane_error(said: Mapping[str, Any] | None) -> PlaneError | None:
    """`None` also in journals of before, when a plane did not tell."""
    if said is None:
        return None
    covariance = tuple(tuple(float(value) for value in row) for row in said["covariance"])
    markers = tuple((float(x), float(y)) for x, y in said["markers"])
    x, y = said["middle"]
    size, lens, camera = (float(said[name]) for name in ("print_sd", "lens_sd", "camera_mm"))
    return PlaneError(covariance, size, lens, camera, markers, (float(x), float(y)))


def _set_to_json(name: str, before: frozenset[int], after: frozenset[int]) -> Json:
    if after is before:
        return {}
    return {name: {"add": sorted(after - before), "drop": sorted(before - after)}}


def _set_from_json(data: Mapping[str, Any], before: frozenset[int]) -> frozenset[int]:
    add, drop = ({int(number) for number in data[name]} for name in ("add", "drop"))
    return (before | add) - drop


def _authors_to_json(before: Authorship, after: Authorship) -> Json:
    """The film's author, and the deposits' that are new or other ones; numbers are texts, as JSON has it."""
    fresh = {str(n): who.value for n, who in after.deposits.items() if before.deposits.get(n) is not who}
    return {"whole": after.film.value, "set": fresh, "drop": sorted(before.deposits.keys() - after.deposits.keys())}


def _authorship_from_json(data: Mapping[str, Any], before: Authorship) -> Authorship:
    doubts = _doubts_from_json(data["doubts"], before.doubts) if "doubts" in data else before.doubts
    passed = _passed_over(data["passed_over_px"]) if "passed_over_px" in data else before.passed_over_px
    if "authors" not in data:
        return authorship_of_old_file(doubts, passed)
    authors = data["authors"]
    fresh = {int(n): Author(who) for n, who in authors["set"].items()}
    drop = {int(n) for n in authors["drop"]}
    deposits = {n: who for n, who in {**before.deposits, **fresh}.items() if n not in drop}
    return Authorship(Author(authors["whole"]), deposits, doubts, passed)


def _doubts_to_json(before: Mapping[int, Doubt], after: Mapping[int, Doubt]) -> Json:
    """What to set and what to drop; numbers are texts, as JSON has it."""
    fresh = {str(n): doubt for n, doubt in after.items() if before.get(n) != doubt}
    return {"set": fresh, "drop": sorted(before.keys() - after.keys())}


def _doubts_from_json(data: Mapping[str, Any], before: Mapping[int, Doubt]) -> dict[int, Doubt]:
    fresh = {int(n): _doubt(doubt) for n, doubt in data["set"].items()}
    drop = {int(n) for n in data["drop"]}
    return {n: doubt for n, doubt in {**before, **fresh}.items() if n not in drop}


def _doubt(data: Sequence[Any]) -> Doubt:
    doubt = Doubt(*map(float, data))
    if not doubt.possible:
        raise ValueError("no outline is so doubtful")
    return doubt


def _passed_over(data: Any) -> float:
    px = float(data)
    if not 0 <= px <= MOST_PASSED_OVER_PX:
        raise ValueError("no film lacks so much")
    return px


def _pack(array: npt.NDArray[Any]) -> str:
    return base64.b64encode(zlib.compress(array.tobytes(), 1)).decode()


def _unpack(text: str, dtype: str, count: int) -> npt.NDArray[Any]:
    """So many numbers, or an error; a packed bomb is not unpacked further than that."""
    size = count * np.dtype(dtype).itemsize
    try:
        packed = base64.b64decode(text, validate=True)
        content = zlib.decompressobj().decompress(packed, size + 1)
    except (binascii.Error, zlib.error) as error:
        raise ValueError("a packed array is damaged") from error
    if len(content) != size:
        raise ValueError("a packed array has another length")
    return np.frombuffer(content, dtype)


def _mask(text: str, shape: tuple[int, int]) -> Mask:
    pixels = shape[0] * shape[1]
    bits = np.unpackbits(_unpack(text, "u1", (pixels + 7) // 8), count=pixels)
    mask = bits.astype(bool).reshape(shape)
    mask.flags.writeable = False
    return mask
