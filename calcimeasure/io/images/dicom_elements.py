"""Elements of a DICOM data set as plain values."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.sequence import Sequence

from calcimeasure.io.images.terms import TERMS

#: What pydicom raises while it turns a stored element into a value.
BAD_ELEMENT = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    OSError,
    BytesLengthException,
)


@dataclass(frozen=True, slots=True)
class Elements:
    """Elements of a data set as plain values; whatever is absent or malformed is `None`.

    What `over` says, the first of them first, holds before what the data set itself says.
    """

    dataset: Dataset
    over: tuple[Dataset, ...] = ()

    def raw(self, keyword: str | tuple[int, int]) -> Any:
        """The value as pydicom makes it."""
        try:
            value = self._place(keyword).get(keyword)
            value = value.value if isinstance(value, DataElement) else value
        except BAD_ELEMENT:
            return None
        return None if value is None or value == "" else value

    def stated(self, keyword: str) -> bool:
        """Whether the element is there and not empty, readable or not."""
        try:
            place = self._place(keyword)
            return keyword in place and bool(place.get_item(keyword).value)
        except BAD_ELEMENT:
            return True

    def _place(self, keyword: str | tuple[int, int]) -> Dataset:
        return next((one for one in self.over if keyword in one), self.dataset)

    def items(self, keyword: str) -> tuple[Dataset, ...]:
        """The items of a sequence; none when it is absent or no sequence."""
        value = self.raw(keyword)
        return tuple(value) if isinstance(value, Sequence) else ()

    def unreadable(self, keyword: str) -> bool:
        """Whether the element is there with a value that is no number."""
        try:
            place = self._place(keyword)
            there = bool(place[keyword].value not in (None, "")) if keyword in place else False
        except BAD_ELEMENT:
            return True
        return there and self.number(keyword) is None

    def number(self, keyword: str | tuple[int, int]) -> float | None:
        """A finite number."""
        try:
            number = float(self.raw(keyword))
        except BAD_ELEMENT:
            return None
        return number if math.isfinite(number) else None

    def positive(self, keyword: str) -> float | None:
        """A number above 0."""
        number = self.number(keyword)
        return number if number is not None and number > 0 else None

    def integer(self, keyword: str | tuple[int, int]) -> int | None:
        """A whole number."""
        number = self.number(keyword)
        return int(number) if number is not None and number == int(number) else None

    def numbers(self, keyword: str) -> tuple[float, ...] | None:
        """One or several finite numbers."""
        value = self.raw(keyword)
        try:
            numbers = tuple(float(v) for v in ([value] if isinstance(value, int | float | str) else value))
        except BAD_ELEMENT:
            return None
        return numbers if numbers and all(map(math.isfinite, numbers)) else None

    def pair(self, keyword: str) -> tuple[float, float] | None:
        """Two numbers above 0."""
        numbers = self.numbers(keyword)
        return (numbers[0], numbers[1]) if numbers and len(numbers) == 2 and min(numbers) > 0 else None

    def text(self, keyword: str) -> str | None:
        """The first 64 characters that can be printed."""
        value = self.raw(keyword)
        printable = "".join(c for c in str(value) if c.isprintable()).strip() if isinstance(value, str) else ""
        return printable[:64] or None

    def code(self, keyword: str) -> str | None:
        """The term that the standard knows for this element; any other word is `None`, and so never repeated."""
        text = (self.text(keyword) or "").upper()
        return text if text in TERMS[keyword] else None

    def codes(self, keyword: str) -> tuple[str, ...]:
        """One or several words, as they stand."""
        value = self.raw(keyword)
        return tuple(str(v) for v in ([value] if isinstance(value, str) else value or ()))

    def uid(self, keyword: str) -> str | None:
        """A unique identifier."""
        value = self.raw(keyword)
        return str(value) if isinstance(value, str) and re.fullmatch(r"[0-9.]{1,64}", value) else None

    def meta_uid(self, keyword: str) -> str | None:
        """A unique identifier of the meta header."""
        meta = getattr(self.dataset, "file_meta", None)
        return None if meta is None else Elements(meta).uid(keyword)

    def window(self) -> tuple[float, float] | None:
        """Centre and width of the first window."""
        centre, width = self.numbers("WindowCenter"), self.numbers("WindowWidth")
        return (centre[0], width[0]) if centre and width and width[0] > 0 else None

    def negative_window(self) -> bool:
        """Whether a window has a negative width, which some programs show turned over."""
        return any(width < 0 for width in self.numbers("WindowWidth") or ())
