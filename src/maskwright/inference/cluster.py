"""Masks for a folder, drawn by the workers of a Ray cluster; Ray is imported where it is used."""

import json
import logging
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import ConfigError, DataError, MaskwrightError, ModelError
from maskwright.export.artifact import needs_tensorflow
from maskwright.export.engines import Threads
from maskwright.export.logits import load_card
from maskwright.imageio import MAX_PIXELS
from maskwright.inference.folder import FolderResult, do_missing, plan_jobs
from maskwright.inference.manifest import ManifestEntry, fingerprint
from maskwright.inference.output_paths import Job
from maskwright.inference.pipeline import PredictOptions, do_jobs
from maskwright.inference.predictor import Flips, Predictor, adjusted_card

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


@dataclass(frozen=True)
class Share:
    """Workers of a cluster, and what each of them takes."""

    workers: int
    cpus: int
    gpus: int


def predict_on_cluster(
    model: str | Path,
    images: str | Path,
    out: str | Path,
    *,
    address: str | None = None,
    flips: Flips = False,
    overlays: bool = False,
    probabilities: bool = False,
    batch_size: int = 8,
    max_pixels: int = MAX_PIXELS,
    overwrite: bool = False,
    large: bool = False,
    polygons: bool = False,
    **adjustments: Any,
) -> FolderResult:
    """`folder.predict_folder` on a Ray cluster, with the same files and the same manifest.

    Each worker opens the model once. A worker that is killed is started again, and what it was at
    is done again. Model, images and `out` must lie where all nodes see them under the same path.

    Args:
        model: Folder of a run, an ensemble or an exported model.
        images: As in `predict_folder`.
        out: As in `predict_folder`.
        address: Of a running cluster, as `ray.init` takes it; `None` starts one on this machine,
            unless this program is connected to one already.
        flips: As in `predict_folder`.
        overlays: As in `predict_folder`.
        probabilities: As in `predict_folder`.
        batch_size: As in `predict_folder`.
        max_pixels: As in `predict_folder`.
        overwrite: As in `predict_folder`.
        large: As in `predict_folder`.
        polygons: As in `predict_folder`.
        adjustments: As `adjusted_card` takes them.

    Raises:
        ConfigError: As `predict_folder`; also if Ray is not installed or no cluster answers.
        ModelError: If the model cannot be opened.
        DataError: As `predict_folder`; also if a worker does not see `out`.
    """
    model, out = Path(model).absolute(), Path(out).absolute()
    settings = fingerprint(adjusted_card(load_card(model), **adjustments), flips)
    _ray()
    jobs = plan_jobs(Path(images).absolute(), out, overlays, probabilities, large, polygons)
    way = {"flips": flips, "batch_size": batch_size, "max_pixels": max_pixels}
    worker = {"model": model, "out": out, "settings": settings, "way": way, "changes": adjustments}
    return do_missing(partial(_there, worker, address), jobs, out, settings, overwrite)


def shares(nodes: Sequence[Mapping[str, float]], wants_gpu: bool) -> Share:
    """How a cluster is shared out among workers.

    One for each GPU where the model can use them and there are any; else as many as fit into the
    processors of the nodes, each with up to four, and all with the same number.

    Args:
        nodes: What each node has, by the names that Ray gives: `"CPU"`, `"GPU"`.
        wants_gpu: Whether the model can use GPUs.

    Raises:
        ConfigError: If no node has a processor.
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


class Worker:
    """One worker of the cluster: the model, opened once, and its rows done.

    Args:
        model: Full path of the model.
        out: Full path of the folder of the masks.
        settings: From `fingerprint`.
        way: Of the fields of `work.Way`, those that are not threads.
        changes: As `adjusted_card` takes them.
        sign: File in `out` that must be there.
        threads: For the engine, for reading and for writing.
    """

    def __init__(
        self,
        model: Path,
        out: Path,
        settings: str,
        way: Mapping[str, Any],
        changes: Mapping[str, Any],
        sign: str,
        threads: int,
    ) -> None:
        self._out = out
        self._settings = settings
        self._way = PredictOptions(**way, threads=threads)
        self._problem: MaskwrightError | None = None
        # TensorFlow, which is not imported yet, would take all processors of the node.
        os.environ.update(dict.fromkeys(_TENSORFLOW_THREADS, str(threads)))
        try:
            if not (out / sign).is_file():
                raise DataError(
                    f"A worker of the cluster does not see the files in {out}; expected a folder "
                    f"that all nodes share under the same path."
                )
            self._predictor = Predictor.load(model, Threads(threads, shared=True)).adjusted(
                **changes
            )
        except MaskwrightError as problem:
            # Told with the first rows: what is raised here comes out as an error of Ray's.
            self._problem = problem

    def __call__(self, batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Columns `line` and `error`, one of each row empty, from the column `job`."""
        lines: list[str] = []
        problem = self._problem
        if problem is None:
            jobs = [_unpacked(text) for text in batch["job"]]
            done = do_jobs(self._predictor, jobs, self._out, self._settings, self._way)
            try:
                lines = [entry.to_json() for entry in done]
            except MaskwrightError as found:
                problem = found
        if problem is None:
            errors = [""] * len(lines)
        else:
            lines, errors = [""], [json.dumps([type(problem).__name__, str(problem)])]
        return {"line": np.array(lines, object), "error": np.array(errors, object)}


def _there(
    worker: Mapping[str, Any],
    address: str | None,
    jobs: Sequence[Job],
    advance: Callable[[float], None],
) -> Iterator[ManifestEntry]:
    """The jobs done by the workers of a cluster."""
    ray = _ray()
    with ExitStack() as stack:
        stack.enter_context(_connected(ray, address))
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        share = shares(nodes, needs_tensorflow(worker["model"]))
        sign = stack.enter_context(_sign(worker["out"]))
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        at_once = min(_MOST_AT_ONCE, -(-len(jobs) // (2 * share.workers)))
        rows = ray.data.from_items(
            [{"job": _packed(job)} for job in jobs], override_num_blocks=-(-len(jobs) // at_once)
        )
        # At least one worker may stay when others' nodes are gone for good.
        pool = ray.data.ActorPoolStrategy(
            min_size=1, max_size=share.workers, initial_size=share.workers
        )
        made = rows.map_batches(
            Worker,
            fn_constructor_kwargs={**worker, "sign": sign, "threads": max(1, share.cpus)},
            batch_size=None,
            batch_format="numpy",
            compute=pool,
            num_cpus=share.cpus,
            num_gpus=share.gpus or None,
        )
        for row in _rows(ray, made):
            if row["error"]:
                kind, text = json.loads(row["error"])
                raise _ERRORS.get(kind, MaskwrightError)(text)
            entry = ManifestEntry.from_json(row["line"])
            if entry is not None:
                advance(1)
                yield entry


def _rows(ray: Any, made: Any) -> Iterator[dict[str, str]]:
    """Rows of a data set of Ray as they are made; `ConfigError` where a worker cannot work."""
    try:
        yield from made.iter_rows()
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
    own = {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
    try:
        _knock(address)
        ray.init(
            address=address or "local",
            log_to_driver=False,
            logging_level=logging.ERROR,
            **({} if address else own),
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"No Ray cluster answers at {address or 'this machine'} ({error}); start one with "
            f"`ray start --head`, or leave --address out for one on this machine."
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str | None) -> None:
    """Raise `OSError` where nobody listens at HOST:PORT; Ray itself tries for minutes."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdecimal() and "://" not in host:
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE_S).close()


@contextmanager
def _sign(folder: Path) -> Iterator[str]:
    """Name of a file in a folder, by which workers see that it is the same folder for them."""
    path = folder / f".maskwright-{secrets.token_hex(8)}"
    path.touch()
    try:
        yield path.name
    finally:
        path.unlink(missing_ok=True)


def _packed(job: Job) -> str:
    """A job as text, as it is sent to workers."""
    return json.dumps([path and str(path) for path in astuple(job)])


def _unpacked(text: str) -> Job:
    return Job(*(path and Path(path) for path in json.loads(text)))


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
