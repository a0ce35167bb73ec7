"""The process that opens strangers' files: it is told bytes, decodes them, tells values, and may die of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, BinaryIO

from calcimeasure.errors import CalcimeasureError
from calcimeasure.io.images.file_bytes import FileBytes
from calcimeasure.io.images.limits import Limits, limited
from calcimeasure.io.images.wire import receive, receive_bytes, send, send_value
from calcimeasure.io.results.json_values import value_of

#: What may be asked of a file: where the function is, and the type of what it is asked with. Imported when asked for.
_ACTS = {
    "picture": ("calcimeasure.io.images.picture", "picture_in", "ReadRequest"),
    "contents": ("calcimeasure.io.images.picture", "contents_in", "ReadRequest"),
    "mask": ("calcimeasure.io.results.mask_pixels", "pixels_in", "Fit"),
}


def serve() -> None:
    """Answer until nobody asks any more."""
    questions, answers = _private_streams()
    send(answers, {"ready": True})
    while True:
        try:
            head = receive(questions)
            data = receive_bytes(questions, head["follows"])
        except EOFError:
            return
        _answer(answers, head, FileBytes(head["name"], data))


def _answer(answers: BinaryIO, head: dict[str, Any], file: FileBytes) -> None:
    try:
        with limited(Limits(**head["limits"])):
            value = _done(head, file)
    except CalcimeasureError as error:
        send(answers, {"error": type(error).__name__, "words": str(error)})
    except MemoryError:
        send(answers, {"error": "TooLarge", "words": f"{file.name}: takes more memory than a file of its size may"})
    except Exception as bug:  # noqa: BLE001 - the last fence: whatever a decoder raises, the file is at fault
        send(answers, {"error": "DamagedFile", "words": f"{file.name}: cannot be decoded ({type(bug).__name__})"})
    else:
        send_value(answers, value)


def _done(head: dict[str, Any], file: FileBytes) -> Any:
    place, function, asked = _ACTS[head["act"]]
    module = import_module(place)
    act: Callable[[FileBytes, Any], Any] = getattr(module, function)
    return act(file, value_of(getattr(module, asked), head["asked"]))


def _private_streams() -> tuple[BinaryIO, BinaryIO]:
    """Questions and answers; what a decoder prints goes nowhere instead."""
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for as long as we live
    return questions, answers
