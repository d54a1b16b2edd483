"""Temporary folders that do not outlive their server, even if it is killed, and stay unnamed."""

import multiprocessing.util
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

from maskwright.errors import ConfigError, DataError
from maskwright.imageio.files import lock_folder

_PREFIX = "maskwright-serve-"
_MARK = "maskwright-serve"  # in the folder that Python makes for the sockets of processes
_UNLOCKED = "maskwright-new-"  # of a folder that is not locked yet
_STARTING_S = 60.0  # longer than that takes
_HELD = ExitStack()  # until the process ends


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Temporary folder of this process; `remove_leftovers` removes it after a kill."""
    unlocked = Path(tempfile.mkdtemp(prefix=_UNLOCKED))
    with lock_folder(unlocked):
        folder = unlocked.rename(unlocked.with_name(unlocked.name.replace(_UNLOCKED, _PREFIX)))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@cache
def mark_process_folder() -> None:
    """Let `remove_leftovers` know the folder of Python's own for the processes of this one."""
    folder = Path(multiprocessing.util.get_temp_dir())
    _HELD.enter_context(lock_folder(folder))
    (folder / _MARK).touch()


def remove_leftovers() -> None:
    """Remove temporary folders of servers of this user that were killed."""
    if sys.platform == "win32":  # where no lock tells whose server has ended
        return
    place = Path(tempfile.gettempdir())
    marked = (mark.parent for mark in place.glob(f"*/{_MARK}"))
    for folder in (*place.glob(f"{_PREFIX}*"), *place.glob(f"{_UNLOCKED}*"), *marked):
        with suppress(OSError, ConfigError):
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
                continue
            if folder.name.startswith(_UNLOCKED) and time.time() - status.st_mtime < _STARTING_S:
                continue
            with lock_folder(folder):
                shutil.rmtree(folder)


@contextmanager
def naming_errors(folder: Path, name: str) -> Iterator[None]:
    """Let errors name an upload by its file name, and not by its place on the disk."""
    try:
        yield
    except DataError as error:
        place = re.escape(str(folder)) + r"/[^\s:;,]*"
        raise type(error)(re.sub(place, lambda _: name, str(error))) from error
