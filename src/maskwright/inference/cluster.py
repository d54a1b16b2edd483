"""Folders predicted by the workers of a Ray cluster; Ray is imported where it is used."""

import json
import logging
import os
import pickle
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import ConfigError, DataError, MaskwrightError, ModelError
from maskwright.export.engines import Threads
from maskwright.inference.folder_plan import Advance, FolderModel, FolderPlan
from maskwright.inference.manifest import ManifestEntry
from maskwright.inference.output_paths import WorkItem
from maskwright.inference.pipeline import PipelineOptions, predict_items

MARKER = ".maskwright-cluster"
"""Name of a file in the folder of the results while a cluster works there."""

_MOST_CPUS = 4  # of one worker: a network gains little from more, and each worker keeps a model
_MOST_AT_ONCE = 64  # images handed to a worker, which are done again if it is killed
_STORE_BYTES = 2**27  # of a cluster of one's own; paths and lines alone go through it
_PATIENCE_S = 10  # with a cluster that does not answer
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # would make every worker install what `uv run` has
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # Ray's own warnings of its own actors
}
_TENSORFLOW_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
_ERRORS = {kind.__name__: kind for kind in (ConfigError, DataError, ModelError)}


class Worker:
    """One worker of the cluster: the model, opened once, and the items that it is given.

    `token` is what the file `MARKER` in the folder of the results must hold.
    """

    def __init__(
        self, open_model: Callable[[Threads], FolderModel], options: PipelineOptions, token: str
    ) -> None:
        self._options = options
        self._problem: MaskwrightError | None = None
        # TensorFlow, which is not imported yet, would take all processors of the node.
        os.environ.update(dict.fromkeys(_TENSORFLOW_THREADS, str(options.threads)))
        try:
            marker = options.out / MARKER
            if not marker.is_file() or marker.read_text(encoding="utf-8") != token:
                raise DataError(
                    f"A worker of the cluster does not see the files in {options.out}; expected a "
                    f"folder that all nodes share under the same path."
                )
            self._model = open_model(Threads(options.threads, shared=True))
        except MaskwrightError as problem:
            # Reported with the first rows: what is raised here comes out as an error of Ray's.
            self._problem = problem

    def __call__(self, batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Columns `line` and `error`, one of each row empty, from the column `item`."""
        lines: list[str] = []
        problem = self._problem
        if problem is None:
            items = [pickle.loads(item) for item in batch["item"]]
            entries = predict_items(self._model, items, self._options, lambda _: None)
            try:
                lines = [entry.to_json() for entry in entries]
            except MaskwrightError as error:
                problem = error
        errors = [""] * len(lines)
        if problem is not None:
            lines, errors = [""], [json.dumps([type(problem).__name__, str(problem)])]
        return {"line": np.array(lines, object), "error": np.array(errors, object)}


@dataclass(frozen=True)
class Share:
    """Workers of a cluster, and what each of them takes."""

    workers: int
    cpus: int
    gpus: int


def predict_on_cluster(
    plan: FolderPlan[Any],
    items: Sequence[WorkItem],
    options: PipelineOptions,
    address: str | None,
    advance: Advance,
) -> Iterator[ManifestEntry]:
    """`pipeline.predict_items` on a Ray cluster, with the same files and the same entries.

    Each worker opens the model once. A worker that is killed is started again, and what it was at
    is done again. Model, images and results must lie where all nodes see them under the same path.

    Args:
        plan: Its `open` can be sent to other processes.
        address: Of a running cluster, as `ray.init` takes it; `None` starts one on this machine,
            unless this program is connected to one already.

    Raises `ConfigError` if Ray is not installed or no cluster answers, `ModelError` if a worker
    cannot open the model, `DataError` if one does not see the folder of results or cannot write.
    """
    ray = _ray()
    with ExitStack() as stack:
        stack.enter_context(_connected(ray, address))
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        share = shares(nodes, plan.on_gpu)
        token = stack.enter_context(_marker(options.out))
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        at_once = min(_MOST_AT_ONCE, -(-len(items) // (2 * share.workers)))
        rows = ray.data.from_items(
            [{"item": pickle.dumps(item)} for item in items],
            override_num_blocks=-(-len(items) // at_once),
        )
        # At least one worker may stay when others' nodes are gone for good.
        pool = ray.data.ActorPoolStrategy(
            min_size=1, max_size=share.workers, initial_size=share.workers
        )
        done = rows.map_batches(
            Worker,
            fn_constructor_kwargs={
                "open_model": plan.open,
                "options": replace(options, threads=max(1, share.cpus)),
                "token": token,
            },
            batch_size=None,
            batch_format="numpy",
            compute=pool,
            num_cpus=share.cpus,
            num_gpus=share.gpus or None,
        )
        for row in _rows(ray, done):
            if row["error"]:
                kind, text = json.loads(row["error"])
                raise _ERRORS.get(kind, MaskwrightError)(text)
            entry = ManifestEntry.from_json(row["line"])
            if entry is not None:
                advance(1)
                yield entry


def shares(nodes: Sequence[Mapping[str, float]], wants_gpu: bool) -> Share:
    """How nodes, with numbers of `"CPU"` and `"GPU"`, are shared out; `ConfigError` without CPUs.

    One worker for each GPU where the model can use them and there are any; else as many as fit into
    the processors of the nodes, each with up to four, and all with the same number.
    """
    cpus = [int(node.get("CPU", 0)) for node in nodes]
    gpus = [int(node.get("GPU", 0)) if wants_gpu else 0 for node in nodes]
    if not any(cpus):
        raise ConfigError(
            f"Expected a cluster with processors; none of its {len(nodes)} nodes offers any: start "
            f"one with `ray start` and without --num-cpus=0."
        )
    if any(gpus):
        fit = [c // g for c, g in zip(cpus, gpus, strict=True) if g]
        return Share(sum(gpus), min(_MOST_CPUS, *fit), 1)
    each = min(_MOST_CPUS, *(count for count in cpus if count))
    return Share(sum(count // each for count in cpus), each, 0)


def _rows(ray: Any, results: Any) -> Iterator[dict[str, str]]:
    """Rows of a data set of Ray as they are made; `ConfigError` where a worker cannot work."""
    try:
        yield from results.iter_rows()
    except ray.exceptions.RayError as error:
        raise ConfigError(
            f"The workers of the cluster stopped ({str(error).strip().splitlines()[-1]}); expected "
            f"every node to have this version of Maskwright, and memory for the model."
        ) from error


@contextmanager
def _connected(ray: Any, address: str | None) -> Iterator[None]:
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
def _marker(folder: Path) -> Iterator[str]:
    """What `MARKER` holds, by which workers see that the folder is the same for them."""
    path, token = folder / MARKER, secrets.token_hex(8)
    path.write_text(token, encoding="utf-8")
    try:
        yield token
    finally:
        path.unlink(missing_ok=True)


def _ray() -> Any:
    """Ray with its data sets; `ConfigError` where it is not installed."""
    for name, value in _QUIET.items():  # read when it is imported
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ConfigError(
            f"Predicting on a cluster needs Ray, which cannot be imported ({error}); install it "
            f'with: pip install "maskwright[distributed]"'
        ) from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray
