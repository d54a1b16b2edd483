"""TensorFlow without its start-up messages, wherever it is imported first."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

_LEVEL, _SILENT = "TF_CPP_MIN_LOG_LEVEL", "3"


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Drop what is written to file descriptor 2 meanwhile, as by libraries in C++."""
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        stderr = os.dup(2)
    except OSError:  # closed, as in some services, so that nothing is written
        yield
        return
    try:
        with Path(os.devnull).open("w") as devnull:
            os.dup2(devnull.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


class _QuietFinder(MetaPathFinder):
    """Finds TensorFlow where it is, and drops what it writes to descriptor 2 while it loads.

    It writes some messages before it reads `TF_CPP_MIN_LOG_LEVEL`.
    """

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Where TensorFlow is; `None` for every other module."""
        spec = PathFinder.find_spec(fullname, path) if fullname == "tensorflow" else None
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_quietly(module: ModuleType) -> None:
                os.environ[_LEVEL] = _SILENT
                with quiet_stderr():
                    load(module)

            spec.loader.exec_module = load_quietly  # type: ignore[method-assign]
        return spec


def quiet_tensorflow() -> None:
    """Have TensorFlow imported without messages, unless `TF_CPP_MIN_LOG_LEVEL` asks for some.

    An import finder does it, because TensorFlow is imported in many places, also by the user after
    Maskwright; what is imported already stays as it is.
    """
    if os.environ.get(_LEVEL, _SILENT) == _SILENT:
        sys.meta_path.insert(0, _QuietFinder())
