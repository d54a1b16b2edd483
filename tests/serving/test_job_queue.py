import asyncio
import threading
import time

import pytest

from maskwright.errors import DataError
from maskwright.serving.current import CURRENT, CurrentRequest
from maskwright.serving.jobs import job_queue
from maskwright.serving.jobs.fair_pool import need_pixels
from maskwright.serving.jobs.job_queue import BusyError, ClientGoneError, JobQueue
from maskwright.serving.limits import DeadlineExceededError, ServerLimits, check_deadline
from maskwright.serving.metrics import AccessRecord


def in_loop(work, **limits):
    """Run a coroutine function with a queue."""

    async def run():
        queue = JobQueue(ServerLimits(**limits))
        try:
            return await work(queue)
        finally:
            queue.close()

    return asyncio.run(run())


def test_work_beyond_the_queue_is_refused_until_there_is_room():
    go = threading.Event()

    async def work(queue):
        held = [asyncio.create_task(queue.run(go.wait, 5)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError) as refused:
            await queue.run(int)
        assert 1 <= refused.value.retry_after <= 60
        go.set()
        await asyncio.gather(*held)
        return await queue.run(int, "7")

    assert in_loop(work, queue=2) == 7


def test_a_client_that_sends_much_that_is_refused_waits_and_others_do_not(monkeypatch):
    monkeypatch.setattr(job_queue, "_FREE_REFUSALS", 2)

    def refuse():
        raise DataError("Expected an image.")

    async def work(queue):
        took = {}
        for client in ("10.0.0.1", "10.0.0.2"):
            CURRENT.set(CurrentRequest(AccessRecord(client, "POST", "/"), asyncio.Event().wait))
            for _ in range(5 if client == "10.0.0.1" else 1):
                with pytest.raises(DataError):
                    await queue.run(refuse)
            began = time.monotonic()
            await queue.run(int)
            took[client] = time.monotonic() - began
        return took

    took = in_loop(work)
    assert took["10.0.0.1"] > 0.1  # about a fifth of a second for each beyond two
    assert took["10.0.0.2"] < took["10.0.0.1"]


def test_what_takes_too_long_is_given_up_and_ends_at_the_next_look_at_the_time():
    ended = threading.Event()

    def long():
        try:
            while True:
                time.sleep(0.005)
                check_deadline()
        finally:
            ended.set()

    async def work(queue):
        with pytest.raises(DeadlineExceededError):
            await queue.run(long)
        assert await asyncio.to_thread(ended.wait, 2)
        await asyncio.sleep(0.05)
        assert queue.pool.pending == 0

    in_loop(work, seconds=0.05)


def test_what_waited_too_long_never_starts():
    started = []
    go = threading.Event()

    async def work(queue):
        held = [
            asyncio.create_task(queue.run(go.wait, 5, seconds=60))
            for _ in range(queue.pool.per_client)
        ]
        await asyncio.sleep(0)
        with pytest.raises(DeadlineExceededError):
            await queue.run(started.append, 1)
        go.set()
        await asyncio.gather(*held)
        assert not started

    in_loop(work, seconds=0.05)


def test_large_images_wait_for_each_other_and_small_ones_pass():
    inside, most = [], []

    def large(number):
        need_pixels(10**9)
        inside.append(number)
        most.append(len(inside))
        time.sleep(0.02)
        inside.remove(number)

    async def work(queue):
        done = [queue.run(large, number) for number in range(4)]
        await asyncio.gather(*done, queue.run(need_pixels, 100))

    in_loop(work)
    assert most == [1, 1, 1, 1]


def test_errors_of_work_come_through():
    async def work(queue):
        with pytest.raises(ZeroDivisionError):
            await queue.run(lambda: 1 / 0)
        await asyncio.sleep(0.01)
        assert queue.pool.pending == 0

    in_loop(work)


def test_the_work_of_a_client_who_has_gone_is_dropped():
    ended, leaves = threading.Event(), asyncio.Event()

    def long():
        try:
            while True:
                time.sleep(0.005)
                check_deadline()
        finally:
            ended.set()

    async def work(queue):
        CURRENT.set(CurrentRequest(AccessRecord("10.0.0.1", "POST", "/predict"), leaves.wait))
        asyncio.get_running_loop().call_later(0.05, leaves.set)
        with pytest.raises(ClientGoneError):
            await queue.run(long)
        assert await asyncio.to_thread(ended.wait, 2)

    in_loop(work)


def test_the_end_of_the_server_moves_all_deadlines(monkeypatch):
    monkeypatch.setattr("maskwright.serving.jobs.job_queue.ENDING_S", 0.1)
    go = threading.Event()

    async def work(queue):
        held = asyncio.create_task(queue.run(go.wait, 30, seconds=3000))
        await asyncio.sleep(0.05)
        queue.end()
        with pytest.raises(DeadlineExceededError):
            await held
        go.set()

    in_loop(work)
