"""Where the shared data lie; a test that asks for them is skipped by name where they are not."""

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("CALCIMEASURE_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    if not (SHARED / "data").is_dir():
        pytest.skip("needs the shared data folder: lay it beside the checkout, or name it in CALCIMEASURE_SHARED")
    return SHARED
