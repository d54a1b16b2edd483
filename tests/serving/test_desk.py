import asyncio
import threading
import time

import numpy as np
import pytest
from tiny_models import models, two_squares

from maskwright.serving import Limits
from maskwright.serving.jobs.job_queue import BusyError, Desk, room_for
from maskwright.serving.limits import DeadlineExceededError, check_time


def in_loop(work, **limits):
    """Run a coroutine function with a desk."""

    async def run():
        desk = Desk(Limits(**limits))
        try:
            return await work(desk)
        finally:
            desk.close()

    return asyncio.run(run())


def test_work_beyond_the_queue_is_refused_until_there_is_room():
    go = threading.Event()

    async def work(desk):
        held = [asyncio.create_task(desk.run(go.wait, 5)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError) as refused:
            await desk.run(int)
        assert 1 <= refused.value.retry_after <= 60
        go.set()
        await asyncio.gather(*held)
        return await desk.run(int, "7")

    assert in_loop(work, queue=2) == 7


def test_what_takes_too_long_is_given_up_and_ends_at_the_next_look_at_the_time():
    ended = threading.Event()

    def long():
        try:
            while True:
                time.sleep(0.005)
                check_time()
        finally:
            ended.set()

    async def work(desk):
        with pytest.raises(DeadlineExceededError):
            await desk.run(long)
        assert await asyncio.to_thread(ended.wait, 2)
        await asyncio.sleep(0.05)
        assert desk.taken == 0

    in_loop(work, seconds=0.05)


def test_what_waited_too_long_never_starts():
    started = []
    go = threading.Event()

    async def work(desk):
        held = [asyncio.create_task(desk.run_for(None, go.wait, 5)) for _ in range(desk.threads)]
        await asyncio.sleep(0)
        with pytest.raises(DeadlineExceededError):
            await desk.run(started.append, 1)
        go.set()
        await asyncio.gather(*held)
        assert not started

    in_loop(work, seconds=0.05)


def test_large_images_wait_for_each_other_and_small_ones_pass():
    inside, most = [], []

    def large(number):
        room_for(10**9)
        inside.append(number)
        most.append(len(inside))
        time.sleep(0.02)
        inside.remove(number)

    async def work(desk):
        done = [desk.run(large, number) for number in range(4)]
        await asyncio.gather(*done, desk.run(room_for, 100))

    in_loop(work)
    assert most == [1, 1, 1, 1]


def test_masks_of_a_model():
    async def work(desk):
        return await desk.masks(models()["cells"], two_squares(), probabilities=True)

    found = in_loop(work)
    assert np.count_nonzero(found.labels) == 116
    assert found.probabilities.shape == (40, 60, 2)


def test_errors_of_work_come_through():
    async def work(desk):
        with pytest.raises(ZeroDivisionError):
            await desk.run(lambda: 1 / 0)
        await asyncio.sleep(0.01)
        assert desk.taken == 0

    in_loop(work)
