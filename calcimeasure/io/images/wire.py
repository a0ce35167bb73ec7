"""What travels between us and the process that decodes: a head in JSON, then raw bytes; nothing that could run code."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import asdict, fields, is_dataclass
from typing import Any, BinaryIO

import numpy as np

from calcimeasure.io.results.json_values import value_of
from calcimeasure.model.arrays import Pixels

_LENGTH = struct.Struct("<Q")
_MOST_HEAD = 64 * 1024**2
_MOST_ARRAY = 16 * 1024**3
#: Kinds of numpy numbers that a picture may hold: truth, whole and floating.
_NUMBERS = "buif"


def send(stream: BinaryIO, head: dict[str, Any], data: bytes = b"") -> None:
    """Write a head and the bytes that follow it."""
    _send_head(stream, head | {"follows": len(data)})
    stream.write(data)
    stream.flush()


def send_value(stream: BinaryIO, value: Any) -> None:
    """Write one of our frozen values; an array may be one of its fields, and goes as it lies in memory."""
    arrays = {one.name: getattr(value, one.name) for one in fields(value)}
    arrays = {name: np.ascontiguousarray(part) for name, part in arrays.items() if isinstance(part, np.ndarray)}
    plain = {one.name: _plain(getattr(value, one.name)) for one in fields(value) if one.name not in arrays}
    shapes = {name: {"dtype": array.dtype.str, "shape": array.shape} for name, array in arrays.items()}
    _send_head(stream, {"value": plain, "arrays": shapes})
    for array in arrays.values():
        stream.write(array.data.cast("B"))
    stream.flush()


def receive(stream: BinaryIO) -> dict[str, Any]:
    """The next head; an error where the other side is gone.

    Raises
    ------
    EOFError
        When the stream ends before the message does.
    """
    (length,) = _LENGTH.unpack(receive_bytes(stream, _LENGTH.size))
    if length > _MOST_HEAD:
        raise EOFError("this is no message")
    head = json.loads(receive_bytes(stream, length))
    return dict(head)


def receive_bytes(stream: BinaryIO, count: int) -> bytes:
    """So many bytes; `EOFError` when there are fewer."""
    data = stream.read(count)
    if len(data) < count:
        raise EOFError("the other side is gone")
    return data


def receive_value(stream: BinaryIO, head: dict[str, Any], kind: type[Any]) -> Any:
    """The value that a head announces, with its arrays sealed."""
    arrays = {name: _receive_array(stream, **told) for name, told in head["arrays"].items()}
    return value_of(kind, head["value"] | arrays)


def _receive_array(stream: BinaryIO, dtype: str, shape: list[int]) -> Pixels:
    kind = np.dtype(dtype)
    if kind.kind not in _NUMBERS or math.prod(shape) * kind.itemsize > _MOST_ARRAY:
        raise EOFError("this is no picture")
    array = np.empty(shape, kind)
    if stream.readinto(array.data.cast("B")) < array.nbytes:  # type: ignore[attr-defined]
        raise EOFError("the other side is gone")
    array.flags.writeable = False
    return array


def _send_head(stream: BinaryIO, head: dict[str, Any]) -> None:
    words = json.dumps(head, default=_number).encode()
    stream.write(_LENGTH.pack(len(words)))
    stream.write(words)


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _number(value: Any) -> Any:
    """A number of numpy's as one of Python's, a value inside a tuple as a table."""
    return value.item() if isinstance(value, np.generic) else asdict(value)
