"""Buttons with their keys: shown on the button, working in the panel and on the picture alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget


@dataclass(frozen=True, slots=True)
class Doing:
    """Something a person does: a name, the words on its button, its key, its tooltip, and the doing itself."""

    name: str
    words: str
    key: str
    tip: str
    do: Callable[[], Any]


class Buttons:
    """Buttons by name."""

    def __init__(self, panel: QWidget, doings: Sequence[Doing]) -> None:
        self._doings = doings
        self._buttons = {doing.name: _button(doing) for doing in doings}
        for doing in doings:
            if doing.key:
                shortcut = QShortcut(QKeySequence(doing.key), panel)
                shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
                shortcut.setAutoRepeat(False)
                shortcut.activated.connect(self[doing.name].click)

    def __getitem__(self, name: str) -> QPushButton:
        """The button of a doing."""
        return self._buttons[name]

    @property
    def names(self) -> tuple[str, ...]:
        """Every doing."""
        return tuple(self._buttons)

    def enable(self, which: Mapping[str, bool]) -> None:
        """Let buttons be pressed, or not."""
        for name, enabled in which.items():
            self._buttons[name].setEnabled(bool(enabled))

    def on_canvas(self, owner: Any) -> None:
        """Let the keys work while the picture has the focus, too: of a viewer, or of a layer with keys of its own.

        A key presses the button, so that one that is disabled does nothing, and nothing happens when it goes up.
        """
        for doing in self._doings:
            if doing.key:
                owner.bind_key(_napari_key(doing.key), self._pressing(doing.name), overwrite=True)

    def _pressing(self, name: str) -> Callable[[Any], None]:
        return lambda owner: self._buttons[name].click()


def divided(*parts: QWidget) -> QWidget:
    """Widgets below each other."""
    return _in_layout(QVBoxLayout, parts)


def line_of(*parts: QWidget) -> QWidget:
    """Widgets beside each other."""
    return _in_layout(QHBoxLayout, parts)


def _in_layout(kind: type[QVBoxLayout | QHBoxLayout], parts: Sequence[QWidget]) -> QWidget:
    box = QWidget()
    layout = kind(box)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    for part in parts:
        layout.addWidget(part)
    return box


def _button(doing: Doing) -> QPushButton:
    key = doing.key.replace("Shift+", "⇧")
    button = QPushButton(doing.words if key in ("Delete", "PgUp", "PgDown") else f"{doing.words}  {key}".strip())
    button.setObjectName(doing.name)
    button.setToolTip(f"{doing.tip}  [{doing.key}]" if doing.key else doing.tip)
    button.clicked.connect(lambda: doing.do())
    return button


def _napari_key(key: str) -> str:
    return (
        key.replace("Ctrl+", "Control-")
        .replace("Shift+", "Shift-")
        .replace("PgUp", "PageUp")
        .replace("PgDown", "PageDown")
    )
