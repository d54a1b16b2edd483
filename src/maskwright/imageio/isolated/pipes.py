"""Values with large arrays from one process to another, whose threads go on meanwhile."""

import os
import pickle
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

_CAN_READ_INTO = hasattr(os, "readv")  # else, all is sent as one pickle
_CHUNK = 2**20


def send(connection: Connection, value: Any) -> None:
    """Send a value to `receive`; its arrays are written from where they lie."""
    if not _CAN_READ_INTO:
        connection.send(value)
        return
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    views = [buffer.raw() for buffer in buffers]
    connection.send_bytes(pickle.dumps((data, [view.nbytes for view in views])))
    for view in views:
        while view:
            view = view[os.write(connection.fileno(), view) :]


def receive(connection: Connection) -> Any:
    """Value that `send` sent; `EOFError` if the other side ends before.

    Arrays are read into their place. Unpickled, they would be copied while the thread holds the
    lock of the interpreter, for which all other threads wait, and long where it has low priority.
    """
    if not _CAN_READ_INTO:
        return connection.recv()
    data, sizes = pickle.loads(connection.recv_bytes())
    return pickle.loads(data, buffers=[_read(connection.fileno(), size) for size in sizes])


def _read(handle: int, size: int) -> np.ndarray:
    buffer = np.empty(size, np.uint8)
    view = buffer.data
    while view:
        if not (count := os.readv(handle, [view[:_CHUNK]])):
            raise EOFError
        view = view[count:]
    return buffer
