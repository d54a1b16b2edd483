import threading

import pytest

from maskwright.data.parallel import in_threads


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
