"""A data set that grows by images with their masks, each whole, even if the process is killed."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maskwright.data.readers.description import FILE_NAMES
from maskwright.errors import ConfigError
from maskwright.imageio.files import lock_folder

_STAGED, _COMMITTED = ".staged", ".committed"
_MASKS, _IMAGES = ("masks", "instances"), "images"
_LOCK = threading.Lock()  # where the system locks no folders


@contextmanager
def locked_training_set(folder: Path) -> Iterator[None]:
    """Hold a data set, made if missing, against other threads and servers; they wait.

    What a killed server had committed is moved to its place first, and the rest is removed.
    """
    with _LOCK, lock_folder(folder, wait=True):
        _finish(folder)
        yield


@contextmanager
def staged_files(folder: Path) -> Iterator[Path]:
    """Folder for files of one image, which become part of a locked data set all or none.

    Its files have the paths that they get in the data set.
    """
    staged = folder / _STAGED
    staged.mkdir()
    try:
        yield staged
        staged.rename(folder / _COMMITTED)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    _finish(folder)


def recover_training_sets(parent: Path) -> None:
    """Finish what killed servers began in the data sets of a folder.

    Raises `ConfigError` if files cannot be moved or removed.
    """
    interrupted = [*parent.glob(f"*/{_STAGED}"), *parent.glob(f"*/{_COMMITTED}")]
    try:
        for folder in {path.parent for path in interrupted}:
            with locked_training_set(folder):
                pass
    except OSError as error:
        raise ConfigError(
            f"The training data in {parent} cannot be written ({error.strerror}); make the folder "
            f"writable, or name another with --keep."
        ) from error


def _finish(folder: Path) -> None:
    """Move committed files to their places, and remove those that were not committed."""
    staged, committed = folder / _STAGED, folder / _COMMITTED
    if staged.is_dir():
        shutil.rmtree(staged)
    if not committed.is_dir():
        return
    description = committed / FILE_NAMES[0]
    if description.is_file():
        description.replace(folder / description.name)
    masks = [path for kind in _MASKS for path in _files(committed / kind)]
    images = _files(committed / _IMAGES)
    if len(masks) > 1:  # several are replaced: no image while they disagree
        for image in images:
            (folder / _IMAGES / image.name).unlink(missing_ok=True)
    for file in (*masks, *images):  # there is never an image without its masks
        place = folder / file.relative_to(committed)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)
    shutil.rmtree(committed.rename(staged))  # in pieces it must not look committed


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
