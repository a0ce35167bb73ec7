"""The front page: what is public, and that importing it does nothing."""

import subprocess
import sys

import pytest

import calcimeasure

HEAVY = ("skimage", "cv2", "scipy", "pandas", "pydicom", "onnxruntime", "numpy", "PIL", "tifffile", "typer")


def test_all_is_sorted_and_true() -> None:
    assert calcimeasure.__all__ == sorted(calcimeasure.__all__)
    for name in calcimeasure.__all__:
        assert getattr(calcimeasure, name).__name__ == name


def test_types_see_the_same_names() -> None:
    import ast
    from pathlib import Path

    tree = ast.parse(Path(calcimeasure.__file__).read_text())
    typed = {alias.asname for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed - {None} == set(calcimeasure.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'mesure'"):
        _ = calcimeasure.mesure  # type: ignore[attr-defined]


SCRIPT = f"""
import os, sys
before = dict(os.environ)
import calcimeasure
assert before == dict(os.environ)
print([name for name in {HEAVY} if name in sys.modules])
"""


def test_importing_is_free() -> None:
    told = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
    assert told.stderr == ""


def test_every_public_name_says_what_it_gives() -> None:
    for name in calcimeasure.__all__:
        assert (getattr(calcimeasure, name).__doc__ or "").strip(), name
