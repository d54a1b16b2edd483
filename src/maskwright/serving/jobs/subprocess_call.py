"""A call in a process of its own, for work that would block all threads of the server."""

from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

from maskwright.errors import DataError
from maskwright.serving.limits import DeadlineExceededError, check_deadline


def call_in_subprocess(function: Callable[..., Any], *args: Any) -> None:
    """Call a function in a new process, which takes a second to start, and wait for its end.

    Args:
        function: A function of a module; its result is lost.

    Raises:
        DeadlineExceededError: If it takes longer than the caller may; the process is killed.
        DataError: If it fails; its standard error has the reason.
    """
    process = get_context("spawn").Process(target=function, args=args, daemon=True)
    process.start()
    try:
        process.join(check_deadline())
        if process.exitcode is None:
            check_deadline()
            raise DeadlineExceededError("The answer took longer than this server allows.")
        if process.exitcode:
            raise DataError("The file could not be made; the log of the server names the reason.")
    finally:
        process.kill()
        process.join()
        process.close()
