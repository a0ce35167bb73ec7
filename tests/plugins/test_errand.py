"""Work in a thread stops soon after it is told to, and nothing else does."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

from napari_calcimeasure._errand import Errand


def test_running_work_stops_at_its_next_line() -> None:
    begun, left = Event(), []

    def work() -> None:
        begun.set()
        try:
            while True:
                time.sleep(0.001)
        finally:
            left.append("tidied up")

    errand = Errand(work)
    thread = Thread(target=errand)
    thread.start()
    assert begun.wait(60)
    errand.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert left == ["tidied up"]


def test_work_that_was_stopped_before_it_began_does_not_begin() -> None:
    done = []
    errand = Errand(lambda: done.append(1))
    errand.stop()
    assert errand() is None
    assert not done


def test_a_stop_that_comes_late_hits_no_other_work_of_the_thread() -> None:
    with ThreadPoolExecutor(1) as pool:
        for number in range(50):
            errand = Errand(lambda number=number: number)
            result = pool.submit(errand)
            errand.stop()
            assert result.result(60) in (number, None)
            assert pool.submit(sum, range(1000)).result(60) == 499500
