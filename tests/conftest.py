"""Where the shared data lie, and the name under which a test that needs them is skipped."""

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("CALCIMEASURE_SHARED", Path(__file__).resolve().parents[2] / "shared"))

needs_shared = pytest.mark.skipif(
    not (SHARED / "data").is_dir(),
    reason="needs the shared data folder: lay it beside the checkout as ../shared, or name it in CALCIMEASURE_SHARED",
)


@pytest.fixture(scope="session")
def shared() -> Path:
    if not (SHARED / "data").is_dir():
        pytest.skip("needs the shared data folder: lay it beside the checkout, or name it in CALCIMEASURE_SHARED")
    return SHARED
