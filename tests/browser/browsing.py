"""What tests of the page share: a server that answers while it is looked at, and windows."""

from collections.abc import Iterator
from contextlib import contextmanager

WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 800, "height": 1000}


@contextmanager
def served(app) -> Iterator[str]:
    """Address of an application that answers."""
    from maskwright.serving import ServerLimits, bind, run_in_thread

    with run_in_thread(app, bind("127.0.0.1", 0), ServerLimits()) as port:
        yield f"http://127.0.0.1:{port}/"
