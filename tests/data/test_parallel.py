import threading
import time

import pytest

from maskwright.data import parallel
from maskwright.data.parallel import Room, behind, in_threads


def test_results_come_in_order_and_few_are_computed_ahead():
    begun = []
    lock = threading.Lock()

    def square(number):
        with lock:
            begun.append(number)
        return number**2

    results = in_threads(square, range(50), None, workers=2, ahead=3)
    assert [next(results) for _ in range(4)] == [0, 1, 4, 9]
    # Six may wait when the fourth is asked for; the rest is not begun.
    assert max(begun) <= 3 + 6
    assert list(results) == [number**2 for number in range(4, 50)]


def test_an_error_ends_the_work():
    def fail(number):
        if number == 2:
            raise ValueError("two")
        return number

    results = in_threads(fail, range(1000), "Counting")
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)


def test_work_behind_keeps_its_order_and_its_limit():
    at_once, most = 0, 0
    lock = threading.Lock()

    def work(number):
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.002 * (3 - number % 3))
        with lock:
            at_once -= 1
        return number

    works = ((lambda n=n: work(n), 1 if n != 5 else 9) for n in range(12))
    assert list(behind(works, workers=4, most=2)) == list(range(12))
    assert most <= 2


def test_what_fails_behind_is_raised():
    def fail():
        raise KeyError("a")

    with pytest.raises(KeyError):
        list(behind([(fail, 1), (lambda: 1, 1)], workers=1, most=1))


def test_a_room_is_entered_in_the_order_of_tickets():
    room, entered = Room(10), []

    def enter(ticket, size):
        room.enter(ticket, size)
        entered.append(ticket)

    sizes = {0: 6, 1: 6, 2: 1, 3: 50}
    threads = [threading.Thread(target=enter, args=pair) for pair in reversed(sizes.items())]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    assert entered == [0]  # 1 does not fit, and 2, which would, waits behind it
    room.leave(6)
    time.sleep(0.05)
    assert sorted(entered) == [0, 1, 2]
    room.leave(6)
    room.leave(1)  # the largest goes in where it is alone
    for thread in threads:
        thread.join(5)
    assert entered[-1] == 3


def test_a_closed_room_keeps_nobody():
    room = Room(1)
    thread = threading.Thread(target=room.enter, args=(7, 5))
    thread.start()
    room.close()
    thread.join(5)
    assert not thread.is_alive()


@pytest.mark.parametrize("seconds", [0.0, 3600.0])
def test_a_log_gets_a_line_now_and_then(monkeypatch, capsys, seconds):
    monkeypatch.setattr(parallel, "LINE_SECONDS", seconds)
    with parallel.progress("Predicting", 3) as advance:
        for _ in range(3):
            advance(1)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ([] if seconds else [f"Predicting {done} of 3" for done in (1, 2, 3)])
