"""Ray clusters: the connection, how nodes are shared out, and what workers check; Ray is imported
where it is used.
"""

import logging
import os
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.errors import ConfigError, DataError

MARKER = ".maskwright-cluster"
"""Begins the name of a file in the folder of the results while a cluster works there."""

_MOST_CPUS = 4  # of one worker: a network gains little from more, and each worker keeps a model
_STORE_BYTES = 2**27  # of a cluster of one's own; paths and lines alone go through it
_PATIENCE_S = 10  # with a cluster that does not answer
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # would make every worker install what `uv run` has
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # Ray's own warnings of its own actors
}
_TENSORFLOW_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@dataclass(frozen=True)
class Share:
    """Workers of a cluster, and what each of them takes."""

    workers: int
    cpus: int
    gpus: int


def shares(nodes: Sequence[Mapping[str, float]], wants_gpu: bool) -> Share:
    """How nodes, with numbers of `"CPU"` and `"GPU"`, are shared out; `ConfigError` without CPUs.

    One worker for each GPU where the model can use them and there are any; else as many as fit into
    the processors of the nodes, each with up to four, and all with the same number.
    """
    cpus = _processors(nodes)
    gpus = [int(node.get("GPU", 0)) if wants_gpu else 0 for node in nodes]
    if any(gpus):
        fit = [c // g for c, g in zip(cpus, gpus, strict=True) if g]
        return Share(sum(gpus), min(_MOST_CPUS, *fit), 1)
    each = min(_MOST_CPUS, *(count for count in cpus if count))
    return Share(sum(count // each for count in cpus), each, 0)


def parts_at_once(nodes: Sequence[Mapping[str, float]], parts: int) -> tuple[int, int]:
    """How many of some parts run at once on nodes, and the CPUs of each; `ConfigError` without any.

    As many as there are parts where the nodes have the CPUs, which are then divided among them.
    """
    cpus = _processors(nodes)
    each = max(max(cpus), 1)
    while each > 1 and sum(count // each for count in cpus) < parts:
        each -= 1
    return min(parts, sum(count // each for count in cpus)), each


def _processors(nodes: Sequence[Mapping[str, float]]) -> list[int]:
    """Number of CPUs of each node; `ConfigError` where none has any."""
    cpus = [int(node.get("CPU", 0)) for node in nodes]
    if not any(cpus):
        raise ConfigError(
            f"Expected a cluster with processors; none of its {len(nodes)} nodes offers any: start "
            f"one with `ray start` and without --num-cpus=0."
        )
    return cpus


@contextmanager
def connected(ray: Any, address: str | None) -> Iterator[None]:
    """A connection to a cluster; one that was not there before ends with the block."""
    if ray.is_initialized():
        yield
        return
    local = {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
    extra = {} if address else local
    host, _, port = (address or "").rpartition(":")
    try:
        if host and port.isdecimal() and "://" not in host:  # Ray itself tries for minutes
            socket.create_connection((host.strip("[]"), int(port)), _PATIENCE_S).close()
        ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **extra)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"No Ray cluster answers at {address or 'this machine'} ({error}); start one with "
            f"`ray start --head`, or leave --address out for one on this machine."
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def marker(folder: Path) -> Iterator[str]:
    """End of the name of a file by which workers see that a folder is the same for them."""
    token = secrets.token_hex(8)
    path = _marker_path(folder, token)
    path.touch()
    try:
        yield token
    finally:
        path.unlink(missing_ok=True)


def _marker_path(folder: Path, token: str) -> Path:
    return folder / f"{MARKER}-{token}"


def import_ray() -> Any:
    """Ray with its data sets; `ConfigError` where it is not installed."""
    for name, value in _QUIET.items():  # read when it is imported
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ConfigError(
            f"Work on a cluster needs Ray, which cannot be imported ({error}); install it "
            f'with: pip install "maskwright[distributed]"'
        ) from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray


def check_marker(folder: Path, token: str) -> None:
    """Raise `DataError` on a worker that does not see the files of the program that called it."""
    if not _marker_path(folder, token).is_file():
        raise DataError(
            f"A worker of the cluster does not see the files in {folder}; expected a folder that "
            f"all nodes share under the same path."
        )


def limit_threads(threads: int) -> None:
    """Limit TensorFlow, which is not imported yet and would take all processors of the node."""
    os.environ.update(dict.fromkeys(_TENSORFLOW_THREADS, str(threads)))
