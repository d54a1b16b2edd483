"""What tests of the page share: a server that answers while it is looked at, and windows."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 800, "height": 1000}


@contextmanager
def served(app) -> Iterator[str]:
    """Address of an application that answers."""
    import uvicorn

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while not server.started and time.monotonic() < end:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join(10)
