"""Identifiers of strangers' headers as keyed hashes: two can be compared, none can be read or looked up."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets

#: The key of this run. In the environment, so that processes which read parts of one run hash alike.
_KEY = "CALCIMEASURE_RUN_KEY"


def shared_key() -> bytes:
    """The key of this run; made at the first call, for this process and those it starts from then on."""
    return os.environ.setdefault(_KEY, secrets.token_hex(32)).encode()


def keyed_hash(text: str | None) -> str | None:
    """A hash that is the same for the same text, letter case and blanks aside, within this run; `None` for none."""
    plain = " ".join((text or "").casefold().split())
    return hmac.new(shared_key(), plain.encode(), hashlib.sha256).hexdigest()[:32] if plain else None
