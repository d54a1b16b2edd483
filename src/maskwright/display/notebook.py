"""Whether a notebook runs the code, and what it is given to show."""

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import Any

from maskwright.errors import MaskwrightWarning

_SECONDS = 0.5  # between two updates of a line


@dataclass(frozen=True)
class View:
    """How an object is shown, by functions of it, which stand to the right of its class.

    `html` gives what a notebook shows of it, `plot` a figure.
    """

    html: Callable[[Any], str]
    plot: Callable[..., Any]


def in_notebook() -> bool:
    """Whether Jupyter, Colab or another notebook shows what is displayed; not so IPython alone."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


def show_figure(figure: Any) -> None:
    """Show a figure in a notebook, below what the cell has shown so far; elsewhere, warn."""
    if in_notebook():
        _display(figure)
        return
    text = "Only a notebook can show figures; save that of `plot()`: `.plot().savefig('a.png')`."
    warnings.warn(text, MaskwrightWarning, stacklevel=3)


@contextmanager
def drop_displays() -> Iterator[None]:
    """Drop what others display in a notebook meanwhile, such as rich an empty block."""
    if not in_notebook():
        yield
        return
    with import_module("IPython.utils.capture").capture_output(stdout=False, stderr=False):
        yield


class ProgressLine:
    """A line with a bar that a notebook updates in place, without `ipywidgets`."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._updated = 0.0

    def update(self, text: str, share: float, *, last: bool = False) -> None:
        """Show `text` behind a bar that is filled to a `share`; twice a second, and the `last`."""
        now = time.monotonic()
        if self._handle is not None and not last and now - self._updated < _SECONDS:
            return
        self._updated = now
        bar = f'<progress value="{share:.4f}" max="1"></progress>'
        content = {
            "text/plain": f"{share:.0%} {text}",
            "text/html": f"{bar} {share:.0%} {escape(text)}",
        }
        if self._handle is None:
            self._handle = _display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


def _display(content: Any, **options: Any) -> Any:
    return import_module("IPython.display").display(content, **options)
