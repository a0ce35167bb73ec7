"""What the panel knows: a film, its mask, its numbers, and all that a person did to them. No Qt, no napari.

A session is what is shown (`Shown`: everything that is only looked at, and undo), with four parts that do something,
each in its own module::

    session.edit           Corrections: paint, delete, accept, split, merge, masks from elsewhere
    session.finding        Finding: the search, the sliders, the region of interest, prompts
    session.calibration    Calibration: the scale, the step wedge
    session.keeping        Keeping: journal, save, sign, reopen, restore; it hands the work to a `Custody`

How the window uses it
----------------------
::

    session = Session.open(path)                    # reads the film; or Session(image, Recipe(), Source(...))
    session.on_change(panel.refresh)                # called with an Event after everything below

    folder = FolderCustody(path)
    session.keeping.resume(folder)                  # what is saved of it there; locked when that is signed
    if waiting := session.keeping.offered_work():   # a journal of work that was never saved: edits wait for a decision
        session.keeping.restore(waiting)            # or waiting.discard(); neither: it is laid aside, never lost
    session.keeping.keep_journal()                  # from now on every step is on disk before the next begins
    session.keeping.trouble; session.keeping.keep_up()      # why it is not, and another try; every second or two

    later = session.finding.segmenting()            # call later() in a worker thread; it touches nothing
    result = later()
    if later.is_stale:                              # something was done meanwhile: the same again, in a worker thread
        later = later.again(result)
    later.take(result)                              # back in the main thread; what a person did stays
    session.finding.set_threshold(0.4); session.finding.set_min_area_mm2(1.0); session.finding.set_min_area_px(20)
    later = session.finding.sifting(threshold=0.4)  # the same in a worker thread, as all that follow with `Later`
    session.finding.set_region(mask_or_None); later = session.finding.limiting(mask)
    session.finding.prompted(segment_photo(image, box=...))     # or prompt(box=..., lasso=..., clicks=...)

    event = session.edit.edited((rows, columns), layer.data[rows, columns], "paint")     # after each stroke
    session.edit.edited_parts([(where, values), ...], "fill")                            # several windows, one step
    session.edit.delete([3]); session.edit.reject([4]); session.edit.accept([5]); session.edit.merge([6, 7])
    session.edit.split(8); session.edit.split(8, line=[(r, c), (r, c)])
    session.edit.bring_back(session.excluded[0])    # also when it was rejected
    session.edit.load_mask(path); later = session.edit.loading(path)
    session.edit.deny("AB")                         # there is no calcium on this film; an empty mask alone says nothing
    session.undo(); session.redo()                  # session.history.undo_name, .redo_name: for the buttons

    session.calibration.set_spacing(0.15); session.calibration.set_scale(scale)
    later = session.calibration.scaling(scale)
    session.calibration.set_wedge((1, 2, 3, 4, 5), region)      # densities by the step wedge are saved with the rest

    session.measurement, session.rows, session.excluded, session.warnings     # for the table
    session.labels                                  # read-only: layer.data[event.where] = session.labels[event.where]
    session.next_label, session.at(row, column), session.brush_px(2.5)

    session.keeping.set_initials("AB"); session.keeping.save(folder); session.keeping.save(folder, overwrite=True)
    later = session.keeping.saving(folder)
    job = session.analysing(); job().measurement    # densities as well: not for every stroke, in a worker
    session.keeping.sign("AB"); session.keeping.reopen("second look", "AB")
    session.keeping.is_saved, session.keeping.status, session.is_signed
    session.keeping.close()

An edit that is refused raises `CalcimeasureError` with a sentence for the notification; the mask is then as it was,
so write ``session.labels[where]`` back into the layer. `Event.where` is the window of the mask that changed, `None`
when no pixel did. `Event.clipped` says that part of a stroke lay outside the region of interest and was not taken.

The mask that is shown is the mask that is measured, saved, and measured again by ``calcimeasure measure --masks``: a
region of interest erases what lies outside it (undo brings it back), and bone plays no part in the numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from calcimeasure.io.images.file_bytes import FileBytes
from calcimeasure.io.images.read import read_image
from calcimeasure.model.image import Image
from calcimeasure.reading.calibration import Calibration
from calcimeasure.reading.changes import Changes, Event, Listener
from calcimeasure.reading.corrections import Corrections
from calcimeasure.reading.custody import Custody
from calcimeasure.reading.finding import Finding
from calcimeasure.reading.folder_custody import FolderCustody
from calcimeasure.reading.history import BOUND, History
from calcimeasure.reading.keeping import Keeping
from calcimeasure.reading.record import Signature, Source
from calcimeasure.reading.shown import Shown
from calcimeasure.recipe import Recipe

__all__ = ["Event", "Session"]


class Session(Shown):
    """A film, its mask, its numbers, and all that a person does to them.

    Parameters
    ----------
    image : Image
        As `calcimeasure.read_image` gives it, or made from a layer.
    recipe : Recipe, optional
        Settings; threshold and smallest size may be changed later.
    source : Source, optional
        Where the film comes from; without it nothing is journalled and saving needs a name.
    custody : Custody, optional
        Where its work is kept; files beside the film when left out.
    history_bytes : int
        Memory that undo may hold.

    Attributes
    ----------
    edit : Corrections
    finding : Finding
    calibration : Calibration
    keeping : Keeping
    changes : Changes
        Every step, the log, who reads and who signed.
    """

    def __init__(
        self,
        image: Image,
        recipe: Recipe | None = None,
        source: Source | None = None,
        *,
        custody: Custody | None = None,
        history_bytes: int = BOUND,
    ) -> None:
        super().__init__(image, recipe)
        self.source = source or Source()
        self.changes = changes = Changes(self, History(history_bytes))
        self.edit, self.finding, self.calibration = Corrections(changes), Finding(changes), Calibration(changes)
        self.keeping = Keeping(changes, self.source, custody or FolderCustody.beside(self.source))

    @classmethod
    def open(cls, path: Path, recipe: Recipe | None = None, **reading: Any) -> Session:
        """The session of a film on disk; `reading` goes to `read_image`.

        Raises
        ------
        ReadError
            When the file is no film.
        """
        film = FileBytes.of(Path(path))
        return cls(read_image(film, **reading), recipe, Source.of(Path(path), film.sha256))

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with an `Event` after every change; gives a function that ends this."""
        return self.changes.on_change(listener)

    def undo(self) -> Event | None:
        """Take the newest step back; `None` when there is none."""
        return self.changes.undo()

    def redo(self) -> Event | None:
        """Do again what was undone last; `None` when there is nothing."""
        return self.changes.redo()

    @property
    def history(self) -> History:
        """What undo and redo go back and forth in, with the names of the steps."""
        return self.changes.history

    @property
    def initials(self) -> str | None:
        """Who is reading; `None` while nobody gave any."""
        return self.changes.initials

    @property
    def signature(self) -> Signature | None:
        """Who signed the mask, and when."""
        return self.changes.signature

    @property
    def is_signed(self) -> bool:
        """Whether edits are locked."""
        return self.changes.signature is not None
