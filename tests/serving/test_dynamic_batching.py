import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from maskwright.serving.jobs.dynamic_batching import DynamicBatcher, serialized
from maskwright.serving.limits import Deadline, DeadlineExceededError, within


class Engine:
    """Adds one; notes how many images came at once, and holds the first call until it is let go."""

    def __init__(self):
        self.batches = []
        self.started = threading.Event()
        self.go = threading.Event()

    def __call__(self, images):
        self.batches.append(len(images))
        if len(self.batches) == 1:
            self.started.set()
            self.go.wait(5)
        return images + 1


def of_value(value, side=4):
    return np.full((1, side, side, 1), value, np.float32)


def while_busy(engine, together, others):
    """Answers to calls that come while the engine runs another."""
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(together, of_value(0))
        engine.started.wait(5)
        waiting = [pool.submit(together, images) for images in others]
        while len(together._waiting) < len(others):
            time.sleep(0.001)
        engine.go.set()
        return [first.result(5), *(one.result(5) for one in waiting)]


def test_what_waits_for_a_busy_engine_runs_as_one_batch_and_everybody_gets_their_own():
    engine, counted = Engine(), []
    together = DynamicBatcher(engine, on_batch=counted.append)
    answers = while_busy(engine, together, [of_value(n) for n in (1, 2, 3)])
    assert [float(answer.mean()) for answer in answers] == [1, 2, 3, 4]
    assert engine.batches == counted == [1, 3]


def test_images_of_other_sizes_run_apart_and_large_ones_alone():
    engine = Engine()
    sizes = [4, 8, 4, 400, 400]
    answers = while_busy(engine, DynamicBatcher(engine), [of_value(n, n) for n in sizes])
    assert [answer.shape[1] for answer in answers[1:]] == sizes
    assert sorted(engine.batches) == [1, 1, 1, 1, 2]


def test_a_free_engine_runs_at_once():
    batches = []
    together = DynamicBatcher(lambda images: images, on_batch=batches.append)
    together(of_value(1))
    together(of_value(2))
    assert batches == [1, 1]


def test_several_callers_run_side_by_side_where_the_network_allows():
    meeting = threading.Barrier(2, timeout=5)

    def beside(images):
        meeting.wait()  # passes only if two are here at the same time
        return images + 1

    whole = Engine()
    together = DynamicBatcher(whole, beside, places=3)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(together, of_value(0))
        whole.started.wait(5)
        others = [pool.submit(together, of_value(n)) for n in (1, 2)]
        assert [float(other.result(5).mean()) for other in others] == [2, 3]
        whole.go.set()
        first.result(5)
    assert whole.batches == [1]


def test_an_error_reaches_all_whose_images_ran_together_and_nobody_else():
    engine = Engine()

    def fails_with_two(images):
        if len(engine(images)) > 1:
            raise ValueError("bad")
        return images

    together = DynamicBatcher(fails_with_two)
    with pytest.raises(ValueError, match="bad"):
        while_busy(engine, together, [of_value(n) for n in (1, 2)])
    assert engine.batches == [1, 2]
    assert together(of_value(3)).mean() == 3


def test_who_is_late_leaves_the_queue():
    engine = Engine()
    together = DynamicBatcher(engine)

    def hurried():
        with within(Deadline(time.monotonic() + 0.05)):
            return together(of_value(1))

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(together, of_value(0))
        engine.started.wait(5)
        with pytest.raises(DeadlineExceededError):
            pool.submit(hurried).result(5)
        engine.go.set()
        first.result(5)
    assert engine.batches == [1]


def test_one_call_at_a_time():
    held = Engine()
    alone = serialized(held)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(alone, of_value(0))
        held.started.wait(5)
        with within(Deadline(time.monotonic() + 0.05)), pytest.raises(DeadlineExceededError):
            alone(of_value(1))
        second = pool.submit(alone, of_value(1))
        held.go.set()
        assert float(first.result(5).mean()) == 1
        assert float(second.result(5).mean()) == 2
