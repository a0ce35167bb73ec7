"""What every custody must do, whatever is behind it: subclass `CustodySuite` and give it a custody.

The tests drive it as a session does, and never ask where the work lies.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from session_scenes import film_file, stroke

from calcimeasure.errors import EditRefused, MaskError, OutputError
from calcimeasure.reading.custody import Custody
from calcimeasure.reading.session import Session


class CustodySuite:
    """Laws of a custody; `killed` is what a crash does to the process that writes a journal."""

    def killed(self, session: Session) -> None:
        """The process of a session is gone: it gives nothing back, but its locks are the system's again."""
        raise NotImplementedError

    @pytest.fixture
    def custody(self, tmp_path: Path) -> Custody:
        raise NotImplementedError

    @pytest.fixture
    def film(self, tmp_path: Path) -> Path:
        return film_file(tmp_path / "films" / "film.png")

    @pytest.fixture
    def session(self, film: Path, custody: Custody) -> Iterator[Session]:
        session = self.opened(film, custody)
        session.keeping.set_initials("AB")
        yield session
        session.keeping.close(discard=True)

    def opened(self, film: Path, custody: Custody) -> Session:
        """The film as another sitting opens it."""
        first = Session.open(film, kind="radiograph", spacing=0.2)
        return Session(first.image, source=first.source, custody=custody)

    # --- saved work -------------------------------------------------------------------------------------

    def test_nothing_is_there_at_first(self, session, custody):
        assert custody.opened(session.source, session.image.shape) is None
        assert not session.keeping.resume()
        assert session.keeping.unfinished() is None

    def test_saved_work_is_gone_on_with(self, session, film, custody):
        stroke(session, (60, 48), 7, 1)
        stroke(session, (120, 48), 5, 2)
        session.edit.reject([2])
        session.edit.accept([1])
        session.keeping.save()
        assert session.keeping.is_saved
        again = self.opened(film, custody)
        assert again.keeping.resume()
        assert np.array_equal(again.labels, session.labels)
        assert again.measurement == session.measurement
        assert again.accepted == {1}
        assert [one.number for one in again.excluded] == [2]
        assert [one.name for one in again.changes.log] == ["paint", "paint", "reject", "accept", "save"]
        assert again.state.authorship.of(1) is session.state.authorship.of(1)
        again.edit.bring_back(again.excluded[0])
        again.keeping.set_initials("CD")
        again.keeping.save()  # it goes on from what is there
        assert custody.opened(session.source, session.image.shape).labels.numbers.tolist() == [1, 2]

    def test_the_hash_that_is_given_is_that_of_what_is_opened(self, session, custody):
        stroke(session, (60, 48), 7, 1)
        session.keeping.save()
        saved = custody.opened(session.source, session.image.shape)
        assert saved.base == session.keeping._base
        assert len(saved.base.mask_sha256) == 64
        assert saved.is_untouched

    def test_another_mask_is_replaced_on_purpose_only(self, session, film, custody):
        stroke(session, (60, 48), 7, 1)
        session.keeping.save()
        other = self.opened(film, custody)
        other.keeping.set_initials("CD")
        stroke(other, (120, 48), 5, 3)
        with pytest.raises(OutputError, match="there already"):
            other.keeping.save()
        assert not other.keeping.is_saved
        assert custody.opened(session.source, session.image.shape).labels.numbers.tolist() == [1]
        other.keeping.save(overwrite=True)
        assert custody.opened(session.source, session.image.shape).labels.numbers.tolist() == [3]

    def test_a_signed_mask_is_replaced_by_what_goes_on_from_it_only(self, session, film, custody):
        stroke(session, (60, 48), 7, 1)
        session.keeping.sign("AB")
        session.keeping.save()
        other = self.opened(film, custody)
        other.keeping.set_initials("CD")
        stroke(other, (120, 48), 5, 3)
        with pytest.raises(OutputError, match="signed by AB"):
            other.keeping.save(overwrite=True)
        again = self.opened(film, custody)
        assert again.keeping.resume()
        assert again.signature == session.signature
        with pytest.raises(EditRefused, match="signed by AB"):
            again.edit.delete([1])
        again.keeping.reopen("second look", "CD")
        again.edit.deny("CD")
        again.keeping.save()
        saved = custody.opened(session.source, session.image.shape)
        assert saved.base.signature is None
        assert saved.labels.numbers.tolist() == []

    def test_a_film_that_stays_open_keeps_its_scale_and_no_mask(self, session, film, custody):
        session.calibration.set_spacing(0.3)
        session.keeping.save()
        again = self.opened(film, custody)
        assert again.keeping.resume()
        assert again.image.spacing.row_mm == 0.3
        assert again.keeping.status == "open"
        assert custody.opened(session.source, session.image.shape).base.mask_sha256 == ""

    def test_work_on_another_file_of_the_name_is_refused(self, session, film, custody):
        stroke(session, (60, 48), 7, 1)
        session.keeping.save()
        film_file(film, seed=1)
        with pytest.raises(MaskError, match="another file"):
            self.opened(film, custody).keeping.resume()

    def test_work_without_a_name_is_refused(self, session, custody):
        nameless = Session(session.image, custody=custody)
        nameless.keeping.set_initials("AB")
        with pytest.raises(EditRefused, match="name"):
            nameless.keeping.save()

    # --- journals ---------------------------------------------------------------------------------------

    def test_every_step_outlives_a_kill(self, session, film, custody):
        session.keeping.keep_journal()
        for number in range(1, 5):
            stroke(session, (40 * number, 60), 6, number)
        session.edit.merge([1, 2])
        session.undo()
        session.finding.set_region(np.arange(session.image.shape[0])[:, None] < np.full(session.image.shape, 130))
        self.killed(session)
        again = self.opened(film, custody)
        waiting = again.keeping.offered_work()
        assert (waiting.steps, waiting.unread, waiting.other_recipe) == (7, 0, False)
        with pytest.raises(EditRefused, match="waits"):
            stroke(again, (50, 50), 3, 9)
        assert again.keeping.restore(waiting) == 7
        assert np.array_equal(again.labels, session.labels)
        assert again.measurement == session.measurement
        assert again.history.names == session.history.names
        while session.changes.undo() is not None:
            assert again.undo() is not None
            assert np.array_equal(again.labels, session.labels)
        again.keeping.close(discard=True)

    def test_restored_work_is_gone_on_with_in_its_journal(self, session, film, custody):
        session.keeping.keep_journal()
        stroke(session, (60, 48), 7, 1)
        self.killed(session)
        again = self.opened(film, custody)
        again.keeping.restore(again.keeping.offered_work())
        stroke(again, (120, 48), 5, 2)
        self.killed(again)
        third = self.opened(film, custody)
        assert third.keeping.restore(third.keeping.offered_work()) == 2
        assert sorted(third.rows) == [1, 2]
        third.keeping.close(discard=True)

    def test_what_is_saved_is_not_offered(self, session, film, custody):
        session.keeping.keep_journal()
        stroke(session, (60, 48), 7, 1)
        session.keeping.save()
        self.killed(session)
        assert self.opened(film, custody).keeping.unfinished() is None

    def test_what_came_after_saving_is_offered(self, session, film, custody):
        session.keeping.keep_journal()
        stroke(session, (60, 48), 7, 1)
        session.keeping.save()
        stroke(session, (120, 48), 5, 2)
        self.killed(session)
        again = self.opened(film, custody)
        assert again.keeping.restore(again.keeping.offered_work()) == 1
        again.keeping.set_initials("AB")
        again.keeping.save()  # it still goes on from the mask that it had saved
        again.keeping.close()

    def test_one_window_writes_a_journal_at_a_time(self, session, film, custody):
        session.keeping.keep_journal()
        stroke(session, (60, 48), 7, 1)
        other = self.opened(film, custody)
        assert other.keeping.unfinished() is None
        with pytest.raises(OutputError, match="another window"):
            other.keeping.keep_journal()
        assert other.keeping.trouble

    def test_work_that_is_not_restored_is_laid_aside_whole(self, session, film, custody):
        session.keeping.keep_journal()
        stroke(session, (60, 48), 7, 1)
        self.killed(session)
        again = self.opened(film, custody)
        waiting = again.keeping.offered_work()
        lines = [json.dumps(line, sort_keys=True) for line in waiting.lines()]
        again.keeping.keep_journal()
        assert again.keeping.aside is not None
        assert len(lines) == 1
        stroke(again, (120, 48), 5, 2)
        assert not again.keeping.trouble
        again.keeping.close(discard=True)

    def test_discarded_work_is_gone(self, session, film, custody):
        session.keeping.keep_journal()
        stroke(session, (60, 48), 7, 1)
        self.killed(session)
        self.opened(film, custody).keeping.unfinished().discard()
        assert self.opened(film, custody).keeping.unfinished() is None

    def test_closing_keeps_what_is_unsaved_and_nothing_else(self, session, film, custody):
        for act, kept in ((lambda: stroke(session, (60, 48), 7, 1), True), (session.keeping.save, False)):
            session.keeping.keep_journal()
            act()
            assert session.keeping.close() == ""
            assert (self.opened(film, custody).keeping.unfinished() is not None) == kept
            session.keeping._offer(None)

    def test_another_film_is_not_offered_it(self, session, tmp_path, custody):
        session.keeping.keep_journal()
        stroke(session, (60, 48), 7, 1)
        self.killed(session)
        other = self.opened(film_file(tmp_path / "films" / "other.png", seed=2), custody)
        assert other.keeping.unfinished() is None
