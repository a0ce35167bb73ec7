"""A display for the window tests: the one that is there, or a virtual one of our own for each test process."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def display() -> Iterator[None]:
    """A place to show windows. Qt's platform `offscreen` draws a black canvas, so it does not do."""
    if sys.platform != "linux" or os.environ.get("DISPLAY"):
        yield
        return
    if not shutil.which("Xvfb"):
        pytest.skip("window tests need a display or Xvfb: make libraries installs it")
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x720x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as told, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISPLAY", f":{told.readline().strip()}")
        patch.setenv("QT_QPA_PLATFORM", "xcb")
        yield
    server.terminate()
    server.wait()
