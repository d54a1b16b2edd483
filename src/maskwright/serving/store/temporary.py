"""Temporary folders that do not outlive their server, even if it is killed, and stay unnamed."""

import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from maskwright.errors import ConfigError, DataError
from maskwright.imageio.files import lock_folder

_PREFIX = "maskwright-serve-"
_STARTING_S = 60.0  # an empty folder so young may not be locked yet


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Temporary folder of this process; `remove_leftovers` removes it after a kill."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name, lock_folder(Path(name)):
        yield Path(name)


def remove_leftovers() -> None:
    """Remove temporary folders of servers of this user that were killed."""
    if sys.platform == "win32":  # where no lock tells whose server has ended
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError, ConfigError):
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
                continue
            if time.time() - found.st_mtime < _STARTING_S and not any(folder.iterdir()):
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
