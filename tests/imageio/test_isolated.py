"""Files that hold up, crash or fill the process that reads them."""

import ctypes
import os
import subprocess
import sys
import threading
import time
from contextlib import closing

import numpy as np
import pytest

from maskwright.errors import DataError, TooLargeError
from maskwright.imageio import NamedBytes, read_image, write_image
from maskwright.imageio.isolated import DecoderPool
from maskwright.imageio.windows import open_windows

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is bounded there")


@pytest.fixture(scope="module")
def pool():
    with closing(DecoderPool(2, seconds=60.0)) as made:
        made.warm_up()
        yield made


@pytest.fixture
def hasty():
    with closing(DecoderPool(2, seconds=4.0)) as made:
        made.warm_up()
        yield made


def loop_for_ever(_):
    while True:
        pass


def hang_in_native_code(_):
    time.sleep(1000)


def crash(_):
    ctypes.string_at(0)


def fill(_, size):
    return len(bytearray(size))


def process_of(_):
    return os.getpid(), "tensorflow" in sys.modules


def process_after(seconds):
    time.sleep(seconds)
    return os.getpid()


def test_results_and_errors_come_through(pool, tmp_path):
    image = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    write_image(tmp_path / "a.png", image)
    content = NamedBytes("a.png", (tmp_path / "a.png").read_bytes())
    np.testing.assert_array_equal(pool.call(20, read_image, content), image)
    with pytest.raises(DataError, match=r"b\.png is not an image"):
        pool.call(20, read_image, NamedBytes("b.png", b"nothing at all"))
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        pool.call(0, divmod, 1, 0)


def test_a_process_is_kept_and_has_no_tensorflow(pool):
    assert len({pool.call(0, process_of, None) for _ in range(8)}) <= 2
    assert not pool.call(0, process_of, None)[1]


@pytest.mark.parametrize("function", [loop_for_ever, hang_in_native_code])
def test_what_takes_too_long_is_ended_and_replaced(hasty, function):
    began = time.monotonic()
    with pytest.raises(DataError, match="more than 4 seconds to decode"):
        hasty.call(0, function, "a.tif")
    assert time.monotonic() - began > 3.9
    hasty.call(0, process_of, None)


def test_a_crash_is_a_sentence(pool):
    with pytest.raises(DataError, match=r"a\.tif ends the program that decodes it"):
        pool.call(0, crash, "a.tif")


@LINUX
def test_memory_is_bounded_by_pixels(pool):
    assert pool.call(0, fill, "a.tif", 2**27) == 2**27
    with pytest.raises(TooLargeError, match="more memory"):
        pool.call(0, fill, "a.tif", 2**29)
    assert pool.call(2**24, fill, "a.tif", 2**29) == 2**29  # 32 bytes each are 2**29


@LINUX
def test_a_process_ends_itself_where_nobody_ends_it(hasty, monkeypatch):
    monkeypatch.setattr("maskwright.imageio.isolated.decoder.Decoder.end", lambda decoder: None)
    before = [each.process for each in hasty._all]
    with pytest.raises(DataError):
        hasty.call(0, loop_for_ever, "a.tif")
    ends = time.monotonic() + 60
    while all(process.is_alive() for process in before):
        assert time.monotonic() < ends
        time.sleep(0.1)


def test_windows_are_those_of_the_image(pool, tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (300, 200, 3), dtype=np.uint8)
    write_image(tmp_path / "a.tif", image)
    with pool.open_windows(tmp_path / "a.tif", 10**6, 60_000) as windows:
        assert (windows.height, windows.width, windows.channels) == (300, 200, 3)
        found = windows.read(100, 250, 20, 180)
    with open_windows(tmp_path / "a.tif") as windows:
        np.testing.assert_array_equal(found, windows.read(100, 250, 20, 180))


def test_threads_have_processes_of_their_own(pool):
    found = []

    def ask():
        found.append(pool.call(0, process_after, 0.3))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 4


@LINUX
def test_a_temporary_folder_of_a_long_name_is_none_too_long(tmp_path):
    write_image(tmp_path / "a.png", np.full((2, 3, 1), 7, np.uint8))
    folder = tmp_path / ("x" * 90)  # sockets in it could have no name
    folder.mkdir()
    program = (
        "from pathlib import Path\n"
        "from maskwright.imageio import read_image\n"
        "from maskwright.imageio.isolated import DecoderPool\n"
        f"print(DecoderPool(1).call(6, read_image, Path({str(tmp_path / 'a.png')!r})).sum())"
    )
    environment = {**os.environ, "TMPDIR": str(folder)}
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.stdout == "42\n", ended.stderr


def test_the_end_of_a_pool_ends_calls():
    pool = DecoderPool(1, seconds=3000.0)
    threading.Timer(0.3, pool.close).start()
    with pytest.raises(DataError):
        pool.call(0, loop_for_ever, "a.tif")


def test_the_time_of_a_caller_counts():
    def seconds_left():
        left = ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("of the caller")
        return left

    ends = time.monotonic() + 0.5
    with closing(DecoderPool(1, seconds_left, seconds=60.0)) as pool:  # noqa: SIM117
        with pytest.raises(TimeoutError, match="of the caller"):
            pool.call(0, loop_for_ever, "a.tif")
