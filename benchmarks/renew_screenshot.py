"""Take the README's picture of the napari panel anew, from the sample film, in a real window.

xvfb-run -a -s "-screen 0 1280x720x24" python benchmarks/renew_screenshot.py [FILE.png]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

PICTURE = Path(__file__).resolve().parents[1] / ".readme" / "plugin.png"


def main(file: Path) -> None:
    with tempfile.TemporaryDirectory() as home:
        for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            os.environ[name] = home
        shot = taken()
    from PIL import Image

    file.parent.mkdir(exist_ok=True)
    Image.fromarray(shot).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(file, optimize=True)
    print(f"{file.name}: {file.stat().st_size / 1e3:.0f} kB")


def taken():
    """The window as a person sees it after finding deposits and choosing one."""
    import napari

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 720)
    _, panel = viewer.window.add_plugin_dock_widget("calcimeasure", "Measure calcinosis")
    panel.open_sample()
    _until(lambda: panel.workspace.session is not None)
    panel.segment()
    _until(lambda: panel.workspace.seconds is None)
    panel.saving.initials.setText("AB")
    panel.workspace.session.accept(sorted(panel.workspace.session.rows)[:2])
    panel.choose(sorted(panel.workspace.session.rows)[2:3])
    panel.workspace.settle()
    _until(lambda: False, 1.0)
    panel.workspace.session.close()  # a picture is taken, nobody's work is lost
    return viewer.screenshot(canvas_only=False, flash=False)


def _until(done: Callable[[], bool], seconds: float = 120.0) -> None:
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE)
