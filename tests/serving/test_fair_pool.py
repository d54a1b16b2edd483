"""Who comes next: clients in turn, and no more pixels at a time than fit."""

import threading
import time
from contextlib import closing
from math import inf

from maskwright.serving.current import CURRENT, CurrentRequest, client_of
from maskwright.serving.jobs.fair_pool import FairPool
from maskwright.serving.limits import Deadline
from maskwright.serving.metrics import AccessRecord


class Jobs:
    """Jobs that run until they are let go; those that may begin at once do so in any order."""

    def __init__(self, pool):
        self.pool, self.began, self.free = pool, [], {}

    def add(self, client, name, pixels=0, deadline=None):
        self.free[name] = threading.Event()
        token = CURRENT.set(CurrentRequest(AccessRecord(client, "POST", "/"), None))
        self.pool.submit(deadline or Deadline(inf), pixels, self._run, name)
        CURRENT.reset(token)

    def _run(self, name):
        self.began.append(name)
        self.free[name].wait(10)

    def expect(self, *names):
        ends = time.monotonic() + 5
        while len(self.began) < len(names) and time.monotonic() < ends:
            time.sleep(0.005)
        time.sleep(0.03)  # for one that should not have begun
        assert sorted(map(str, self.began)) == sorted(map(str, names))

    def end(self, *names):
        for name in names:
            self.free[name].set()


def test_a_client_with_many_jobs_holds_up_itself_alone():
    with closing(FairPool("test", threads=3, per_client=2)) as pool:
        jobs = Jobs(pool)
        for number in range(10):
            jobs.add("10.0.0.1", number)
        jobs.expect(0, 1)  # a third thread is left for others
        jobs.add("10.0.0.2", "other")
        jobs.expect(0, 1, "other")
        jobs.add("10.0.0.3", "third")
        jobs.end(0)  # the third has none under way, the first one
        jobs.expect(0, 1, "other", "third")
        jobs.end(*jobs.free)


def test_pixels_under_way_are_counted_and_small_images_pass():
    mega = 10**6
    with closing(FairPool("test", threads=8, per_client=8)) as pool:
        jobs = Jobs(pool)
        jobs.add("10.0.0.1", "first", 15 * mega)
        jobs.expect("first")
        jobs.add("10.0.0.1", "own", 15 * mega)  # one of a client
        jobs.add("10.0.0.2", "second", 15 * mega)
        jobs.expect("first", "second")
        jobs.add("10.0.0.3", "huge", 120 * mega)  # alone
        jobs.add("10.0.0.4", "behind", 2 * mega)  # does not take its place
        jobs.add("10.0.0.1", "small", mega)
        jobs.expect("first", "second", "small")
        jobs.end("first", "second")
        jobs.expect("first", "second", "small", "huge")
        jobs.end("huge")
        jobs.expect("first", "second", "small", "huge", "behind", "own")
        jobs.end(*jobs.free)


def test_a_pool_whose_jobs_do_not_end_is_stuck():
    with closing(FairPool("test", threads=4, per_client=4)) as pool:
        jobs = Jobs(pool)
        jobs.add("10.0.0.1", 0)
        jobs.add("10.0.0.1", 1, deadline=Deadline(time.monotonic() + 0.2))
        jobs.expect(0, 1)
        assert not pool.is_stuck
        jobs.add("10.0.0.1", 2, deadline=Deadline(time.monotonic() + 0.1))
        jobs.expect(0, 1, 2)
        time.sleep(0.3)
        assert pool.is_stuck
        jobs.end(1)
        time.sleep(0.1)
        assert not pool.is_stuck
        jobs.end(*jobs.free)


def test_an_end_does_not_wait_for_what_does_not_end():
    pool = FairPool("test", threads=2, per_client=1)
    jobs = Jobs(pool)
    jobs.add("10.0.0.1", "held")
    jobs.add("10.0.0.1", "waits")
    jobs.expect("held")
    pool.close(0.1)
    jobs.end("held")
    jobs.expect("held")


def test_one_subscriber_is_one_client():
    assert client_of("10.1.2.3") != client_of("10.1.2.4")
    assert client_of("2001:db8:1:2::3") == client_of("2001:db8:1:2:ffff::4")
    assert client_of("2001:db8:1:2::3") != client_of("2001:db8:1:3::3")
    assert client_of("testclient") == "testclient"
