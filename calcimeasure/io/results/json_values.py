"""Our frozen values out of JSON: what `dataclasses.asdict` and `json.dumps` made of them, made back."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from calcimeasure.model.warning import Remark, remarks_from_json


def value_of(kind: Any, told: Any) -> Any:
    """The value of a type that JSON tells: dataclass, enum, tuple, mapping, an optional one of these, or plain.

    Raises
    ------
    KeyError, TypeError, ValueError
        When the JSON is not that of such a value.

    Notes
    -----
    Remarks were one text, or several, before they had codes: such a text becomes a remark of code ``other``.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return None if told is None else value_of(next(one for one in inner if one is not type(None)), told)
    if inner == (Remark, ...):
        return remarks_from_json(told)
    if origin is tuple:
        kinds = [inner[0]] * len(told) if inner[-1] is Ellipsis else list(inner)
        return tuple(value_of(one, cell) for one, cell in zip(kinds, told, strict=True))
    if origin is Mapping or origin is dict:
        return {value_of(inner[0], name): value_of(inner[1], cell) for name, cell in told.items()}
    if isinstance(kind, type) and is_dataclass(kind):
        return kind(**{name: value_of(hint, told[name]) for name, hint in _hints(kind).items()})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(told)
    if kind in _PLAIN and (isinstance(told, bool) is not (kind is bool) or not isinstance(told, _PLAIN[kind])):
        raise TypeError(f"{type(told).__name__} instead of {kind.__name__}")
    return told


_PLAIN: dict[Any, tuple[type, ...]] = {str: (str,), bool: (bool,), int: (int, float), float: (int, float)}


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind) if field.init}
