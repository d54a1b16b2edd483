"""How far a run is, as a small file in its folder, for whoever watches from elsewhere."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from maskwright.imageio import write_text
from maskwright.training.objective import Scoring
from maskwright.training.run import Run

PROGRESS_SECONDS = 2.0
"""Time between two writings of `progress.json`."""


@contextmanager
def write_progress(
    run: Run, share_done: Callable[[], float], scoring: Scoring, columns: Sequence[str] = ()
) -> Iterator[None]:
    """Keep `progress.json` of a run up to date as long as this lasts, from a thread of its own.

    Steps and validations may take minutes; a file that is not renewed means that the process is
    no more. What cannot be written is passed over: the loop tells of a full disk itself.
    """
    began, first = time.monotonic(), share_done()
    over = threading.Event()

    def write() -> None:
        share = share_done()
        covered = share - first
        left = (time.monotonic() - began) * (1 - share) / covered if covered > 0 else None
        content = {
            "share": round(share, 5),
            "seconds_left": left if left is None else round(left, 1),
            "running": not over.is_set(),
            "time": round(time.time(), 1),
            "titles": dict(scoring.titles),
            "watch": scoring.watch,
            "columns": list(columns),
        }
        with suppress(OSError):
            write_text(run.progress_file, json.dumps(content))

    def keep_writing() -> None:
        while not over.wait(PROGRESS_SECONDS):
            write()

    write()
    thread = threading.Thread(target=keep_writing, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        write()
