"""What a run shows while it trains: a bar, curves, and a file for whoever watches elsewhere."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import keras
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from maskwright.data.parallel import LINE_SECONDS
from maskwright.display.notebook import ProgressLine, in_notebook
from maskwright.errors import ConfigError
from maskwright.imageio import write_image, write_text
from maskwright.training.run import Run
from maskwright.training.setup import Scoring
from maskwright.types import OnMessage, ignore_message

Logs = dict[str, float] | None

PROGRESS_SECONDS = 2.0
"""Time between two writings of `progress.json`."""


class ProgressBar(keras.callbacks.Callback):
    """Time left, loss and score: a bar on a terminal or in a notebook, else a line now and then.

    A bar fits a terminal of 60 columns. A line comes every `LINE_SECONDS`, and at the end of
    epochs that are longer.
    """

    def __init__(
        self,
        share_done: Callable[[], float],
        scoring: Scoring,
        on_message: OnMessage = ignore_message,
        console: Console | None = None,
    ) -> None:
        super().__init__()
        self.share_done, self.scoring, self.on_message = share_done, scoring, on_message
        self.console = console or Console(stderr=True)
        self.line = ProgressLine() if in_notebook() else None
        self.in_lines = self.line is None and not self.console.is_terminal
        self.bar = Progress(
            TextColumn("{task.percentage:3.0f}%"),
            BarColumn(min(max(self.console.width - 54, 6), 40)),
            TextColumn("{task.fields[shown]}"),
            console=self.console,
            refresh_per_second=2,
            disable=self.in_lines or self.line is not None,
        )
        self.epoch, self.loss, self.score, self.warned = 0, np.nan, "", False

    def on_train_begin(self, logs: Logs = None) -> None:
        """Show the bar."""
        self.task = self.bar.add_task("", total=1.0, shown="")
        self.seconds_left = _time_left(self.share_done)
        self.written = self.epoch_began = time.monotonic()
        self.bar.start()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Note when it began."""
        self.epoch, self.epoch_began = epoch, time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Move the bar, or write a line."""
        self.loss = (logs or {}).get("loss", np.nan)
        self._show(self.written)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Show the latest score; say once if it is no number."""
        watch = self.scoring.watch
        value, title = (logs or {}).get(f"val_{watch}"), self.scoring.titles.get(watch, watch)
        if value is not None and np.isfinite(value):
            self.score = f" · val {title} {value:.3f}"
        elif value is not None and not self.warned:
            self.warned = True
            self.on_message(
                f"The {title} of the validation images is not a number, as where their masks hold "
                f"nothing but ignored pixels: the weights are not chosen by it, and without any "
                f"other validation those averaged over the last steps are kept."
            )
        self._show(self.epoch_began)

    def _show(self, since: float) -> None:
        """Move the bar, or write a line if the last one, or the epoch, is long ago."""
        share, left = self.share_done(), self.seconds_left()
        time_left = "…" if left is None else _duration(left)
        text = f"{time_left} left · loss {self.loss:.3f}{self.score}"
        self.bar.update(self.task, completed=share, shown=text)
        if self.line is not None:
            self.line.update(text, share)
        if self.in_lines and time.monotonic() - since >= LINE_SECONDS:
            self.written = time.monotonic()
            line = f"training {100 * share:.0f}% · epoch {self.epoch + 1} · {text}"
            self.console.print(line, soft_wrap=True, highlight=False)

    def on_train_end(self, logs: Logs = None) -> None:
        """Leave the last line standing."""
        if self.line is not None:
            self.line.update(f"loss {self.loss:.3f}{self.score}", self.share_done(), last=True)
        self.bar.stop()


class Curves(keras.callbacks.Callback):
    """`history.csv` after every epoch; `curves.png` when drawing it costs little of the time."""

    def __init__(
        self, run: Run, history: Sequence[dict[str, float]], titles: Mapping[str, str]
    ) -> None:
        super().__init__()
        self.run, self.history, self.titles = run, history, titles
        self.drawn_at, self.cost = time.monotonic(), 1.0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write, and draw where the last drawing took under a fiftieth of the time since."""
        self.run.write_history(self.history)
        if time.monotonic() - self.drawn_at > 50 * self.cost:
            began = time.monotonic()
            draw_curves(self.run, self.history, self.titles)
            self.drawn_at = time.monotonic()
            self.cost = self.drawn_at - began

    def on_train_end(self, logs: Logs = None) -> None:
        """Draw the whole run."""
        if self.history:
            self.run.write_history(self.history)
            draw_curves(self.run, self.history, self.titles)


class Previews(keras.callbacks.Callback):
    """Writes `previews/epoch_0001.png` and so on; `draw` makes a picture RGB of the model."""

    def __init__(self, run: Run, draw: Callable[[keras.Model], np.ndarray]) -> None:
        super().__init__()
        self.run, self.draw = run, draw

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Predict, draw and write."""
        write_image(self.run.previews / f"epoch_{epoch + 1:04d}.png", self.draw(self.model))


def stack_rows(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures below each other, black beside shorter ones and 2 px below each."""
    width = max(row.shape[1] for row in rows)
    return np.vstack([np.pad(row, ((0, 2), (0, width - row.shape[1]), (0, 0))) for row in rows])


@contextmanager
def write_progress(
    run: Run, share_done: Callable[[], float], scoring: Scoring, columns: Sequence[str] = ()
) -> Iterator[None]:
    """Keep `progress.json` of a run up to date as long as this lasts, from a thread of its own.

    A file that is not renewed means that the process ended. What cannot be written is skipped: the
    loop reports a full disk itself.
    """
    seconds_left = _time_left(share_done)
    over = threading.Event()

    def write() -> None:
        left = seconds_left()
        content = {
            "share": round(share_done(), 5),
            "seconds_left": left if left is None else round(left, 1),
            "running": not over.is_set(),
            "time": round(time.time(), 1),
            "titles": dict(scoring.titles),
            "watch": scoring.watch,
            "columns": list(columns),
        }
        with suppress(OSError, ConfigError):
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


def _time_left(share_done: Callable[[], float]) -> Callable[[], float | None]:
    """Function that gives the seconds left at the pace since now; `None` before any progress."""
    began, first = time.monotonic(), share_done()

    def seconds_left() -> float | None:
        share = share_done()
        covered = share - first
        return (time.monotonic() - began) * (1 - share) / covered if covered > 0 else None

    return seconds_left


def draw_curves(run: Run, history: Sequence[dict[str, float]], titles: Mapping[str, str]) -> None:
    """Write `plot_curves` as `curves.png`."""
    # Matplotlib takes a second to import.
    from maskwright.display.figures import render
    from maskwright.training.curves import plot_curves

    write_image(run.folder / "curves.png", render(plot_curves(history, titles)))


def _duration(seconds: float) -> str:
    """Such as `2:05` or `1:02:05`."""
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
