"""The line that saves and signs: who reads, save, sign, reopen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari.utils.notifications import show_info
from qtpy.QtWidgets import QInputDialog, QLineEdit, QMessageBox, QVBoxLayout, QWidget

from calcimeasure.reading.session import Session
from napari_calcimeasure._buttons import Buttons, line_of
from napari_calcimeasure._workspace import Workspace, settings


class Saving(QWidget):
    """Saves the film in work under the reader's initials, and signs it.

    Parameters
    ----------
    workspace : Workspace
    buttons : Buttons
        With ``save`` and ``sign``.
    """

    def __init__(self, workspace: Workspace, buttons: Buttons) -> None:
        super().__init__()
        self.workspace = workspace
        self.initials = QLineEdit(settings().value("initials", "") or "", maxLength=6, placeholderText="initials")
        self.initials.setToolTip("Who reads: 1 to 6 letters, remembered, written into every saved record")
        self.initials.setMaximumWidth(70)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(line_of(self.initials, buttons["save"], buttons["sign"]))

    def save(self, folder: Path, then: Callable[[], None]) -> bool:
        """Save in a thread, another person's file only after a yes; gives whether it began."""
        film = self.workspace.film
        if film is None or not self.has_initials(film.session):
            return False
        self.workspace.save(film, folder, then, lambda why: self.ask_overwrite(why))
        return True

    def sign(self) -> bool:
        """Lock the mask under the reader's initials, or unlock it with a reason; gives whether that was tried."""
        session = self.workspace.session
        if session is None or not self.has_initials(session):
            return False
        if session.is_signed:
            reason, given = self.ask_reason()
            if given:
                self.workspace.attempt(lambda: session.keeping.reopen(reason, session.initials or ""))
        else:
            self.workspace.attempt(lambda: session.keeping.sign(session.initials or ""))
        return True

    def has_initials(self, session: Session) -> bool:
        """Whether somebody says who reads; asked for when not."""
        given = self.initials.text().strip()
        if given:
            self.workspace.attempt(lambda: session.keeping.set_initials(given))
        if session.initials is None:
            self.initials.setFocus()
            show_info("type your initials first: they are written into every saved record")
            return False
        settings().setValue("initials", session.initials)
        return True

    # --- questions, replaceable in tests ----------------------------------------------------------------

    def ask_overwrite(self, words: str) -> bool:
        """Whether a mask that is there already may be replaced."""
        answer = QMessageBox.question(self, "Replace the saved mask?", f"{words}\n\nReplace it?")
        return bool(answer == QMessageBox.StandardButton.Yes)

    def ask_reason(self) -> tuple[str, bool]:
        """Why a signed mask is opened again."""
        reason, given = QInputDialog.getText(self, "Reopen a signed mask", "Why is it opened again?")
        return str(reason), bool(given)
