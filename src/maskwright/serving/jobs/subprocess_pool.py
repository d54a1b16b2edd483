"""Work in a process of its own: what would hold the interpreter, and everybody else with it."""

from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

from maskwright.errors import DataError
from maskwright.serving.limits import DeadlineExceededError, check_time


def run_apart(work: Callable[..., Any], *args: Any) -> None:
    """Call a function in a new process, which takes a second to start, and wait for its end.

    Args:
        work: A function of a module; what it gives is lost.
        args: That can be pickled.

    Raises:
        LateError: If it takes longer than the caller may; the process is ended.
        DataError: If it fails; its standard error says why.
    """
    process = get_context("spawn").Process(target=work, args=args, daemon=True)
    process.start()
    try:
        process.join(check_time())
        if process.exitcode is None:
            check_time()
            raise DeadlineExceededError("The answer took longer than this server allows.")
        if process.exitcode:
            raise DataError("The file could not be made; the log of the server names why.")
    finally:
        process.kill()
        process.join()
        process.close()
