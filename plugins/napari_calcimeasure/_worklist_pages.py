"""The line that turns the pages of a worklist: one film of a folder after the other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from calcimeasure.reading.worklist import Item, Worklist
from napari_calcimeasure import _layers
from napari_calcimeasure._buttons import Buttons, line_of
from napari_calcimeasure._workspace import Workspace


class WorklistPages(QWidget):
    """Where the reader is in a folder, and the way to the next film; not shown for a film opened by itself.

    Parameters
    ----------
    workspace : Workspace
    buttons : Buttons
        With ``previous`` and ``next``.
    save : callable
        Begins to save the film in work; gives whether it began.
    """

    def __init__(self, workspace: Workspace, buttons: Buttons, save: Callable[[], bool]) -> None:
        super().__init__()
        self.workspace, self._save = workspace, save
        self.worklist: Worklist | None = None
        self.text = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(line_of(buttons["previous"], self.text, buttons["next"]))

    @property
    def folder(self) -> Path:
        """Where results are saved."""
        if self.worklist is not None:
            return self.worklist.saved
        film = self.workspace.film
        return self.workspace.folder_of(film) if film else Path.home()

    def turn(self, forward: bool) -> None:
        """Open the next or the previous film of the worklist; unsaved work is asked about.

        It is read here and not in a thread: layers that come and go in a turn of their own crash software OpenGL.
        """
        item, film = self.neighbour(forward), self.workspace.film
        leaving = item and self._leaving()
        if item is None or leaving not in ("saved", "discard"):
            return
        from napari_calcimeasure._reader import page

        data = self.workspace.attempt(lambda: page(item.path, self._folder_of_list()))
        if data is None:
            return
        self.workspace.naming[item.path] = item.source
        if film is not None:
            self.workspace.put_away(film, picture=True, discard=leaving == "discard")
        self._show_picture(data)

    def neighbour(self, forward: bool) -> Item | None:
        """The next film of the worklist, or the one before; `None` at its ends."""
        if self.worklist is None:
            return None
        session = self.workspace.session
        here = session.source.image if session else ""
        return self.worklist.next_after(here) if forward else self.worklist.previous_before(here)

    def take(self) -> None:
        """A folder that was dropped becomes the worklist."""
        film = self.workspace.film
        opened = _layers.opened_of(film.picture) if film else None
        folder = opened.folder if opened else None
        if folder is not None and folder != self._folder_of_list():
            self.worklist = self.workspace.attempt(lambda: Worklist.of(folder))

    def follow(self, renew: bool = False) -> None:
        """Show where the reader is, with `renew` also how far each film got by now."""
        if renew and self.worklist is not None:
            self.worklist = self.worklist.renewed()
        self.setVisible(self.worklist is not None)
        session = self.workspace.session
        if self.worklist is None or session is None:
            return
        images = [item.image for item in self.worklist.items]
        at = images.index(session.source.image) + 1 if session.source.image in images else 0
        counts = ", ".join(f"{count} {status}" for status, count in self.worklist.counts.items() if count)
        self.text.setText(f"{at} of {len(images)} · {session.keeping.status}\n{counts}")

    def _show_picture(self, data: Any) -> None:
        from napari.layers import Layer

        self.workspace.viewer.add_layer(Layer.create(*data))
        self.workspace.viewer.reset_view()

    def _folder_of_list(self) -> Path | None:
        return self.worklist.saved.parent if self.worklist else None

    def _leaving(self) -> str:
        """``saved`` or ``discard`` when the film in work may be put away, else something else."""
        film = self.workspace.film
        if film is None or film.session.keeping.is_saved:
            return "saved"
        answer = self.workspace.ask(self, film.picture.name)
        if answer == "save" and self._save():
            self.workspace.background.finish()
            return "saved" if film.session.keeping.is_saved else "cancel"
        return answer
