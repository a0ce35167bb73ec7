"""Text that a terminal, a table or a page can show without being told what to do by it."""

from __future__ import annotations

import unicodedata

#: Characters that act instead of showing: controls, invisible formats, halves of a character, line and page ends.
_ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"  # invisible, and yet part of how Persian, Hindi and others are written


def plain(text: str, keep: str = "") -> str:
    r"""The text with every control character, invisible format and lone surrogate as ``\x0a`` or ``\u202e``.

    Bytes of a file name that are no text in the system's encoding, which Python holds as lone surrogates, are shown so
    as well. Characters in `keep` stay as they are.

    Examples
    --------
    >>> plain("film\x1b[2J.png")
    'film\\x1b[2J.png'
    """
    if text.isprintable():
        return text
    return "".join(_shown(one) if _acts(one) and one not in keep else one for one in text)


def drawn(value: object) -> object:
    """A value as a page shows it: text, in lists too, as `plain` shows it but for line ends; anything else as it is."""
    if isinstance(value, list | tuple):
        return [drawn(one) for one in value]
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return plain(value, keep="\n")
    return value


def plain_name(text: str) -> str:
    r"""A file name as `plain` shows it, no two alike: a backslash of its own is shown as ``\x5c``."""
    return plain(text.replace("\\", "\\x5c"))


def _acts(one: str) -> bool:
    return unicodedata.category(one) in _ACTING and one not in _JOINERS


def _shown(one: str) -> str:
    code = ord(one)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
