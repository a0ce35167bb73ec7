"""Work in a thread that is given up does not begin, and waits its turn."""

from threading import Event, Lock, Thread

import pytest

pytest.importorskip("napari")
pytest.importorskip("qtpy")

from napari_calcimeasure._background import Job


def test_work_that_was_stopped_before_it_began_does_not_begin() -> None:
    done = []
    job = Job(lambda: done.append(1))
    job.stop()
    assert job() is None
    assert not done


def test_work_waits_for_what_was_given_up_and_still_computes() -> None:
    turn, begun, go, done = Lock(), Event(), Event(), []

    def given_up() -> None:
        begun.set()
        assert go.wait(60)
        done.append("first")

    first, second, third = Job(given_up, turn), Job(lambda: done.append("second"), turn), Job(list, turn)
    threads = [Thread(target=first)]
    threads[0].start()
    assert begun.wait(60)
    first.stop()
    third.stop()
    threads += [Thread(target=second), Thread(target=third)]
    for thread in threads[1:]:
        thread.start()
    assert not done
    go.set()
    for thread in threads:
        thread.join(60)
    assert done == ["first", "second"]
