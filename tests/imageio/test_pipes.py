import pickle
import threading
from multiprocessing import Pipe

import numpy as np
import pytest

from maskwright.imageio.isolated.pipes import receive, send


def through_a_pipe(value):
    ours, theirs = Pipe()
    thread = threading.Thread(target=send, args=(theirs, value))
    thread.start()
    received = receive(ours)
    thread.join()
    return received


def test_arrays_of_every_layout_arrive_and_can_be_changed():
    large = np.arange(3 * 10**6, dtype=np.float32).reshape(1000, 1000, 3)
    value = {"large": large, "columns": large.T, "part": large[::2, ::3], "none": np.zeros((0, 4))}
    received = through_a_pipe((value, "text", None))
    assert received[1:] == ("text", None)
    for name, array in value.items():
        np.testing.assert_array_equal(received[0][name], array)
        assert received[0][name].dtype == array.dtype
    received[0]["large"][0] = 7


def test_a_process_that_ends_in_between_is_told():
    ours, theirs = Pipe()
    theirs.send_bytes(pickle.dumps((b"", [10**6])))
    theirs.close()
    with pytest.raises(EOFError):
        receive(ours)
