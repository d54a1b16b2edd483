"""Folders predicted by the workers of a Ray cluster; Ray is imported where it is used."""

import json
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np

from maskwright.cluster import check_marker, connected, import_ray, limit_threads, marker, shares
from maskwright.errors import ConfigError, DataError, MaskwrightError, ModelError
from maskwright.export.engines import Threads
from maskwright.inference.folder_plan import Advance, FolderModel, FolderPlan
from maskwright.inference.manifest import ManifestEntry
from maskwright.inference.output_paths import WorkItem
from maskwright.inference.pipeline import PipelineOptions, predict_items

_MOST_AT_ONCE = 64  # images handed to a worker, which are done again if it is killed
_ERRORS = {kind.__name__: kind for kind in (ConfigError, DataError, ModelError)}


class Worker:
    """One worker of the cluster: the model, opened once, and the items that it is given.

    `token` ends the name of the `MARKER` file that the folder of the results must hold.
    """

    def __init__(
        self, open_model: Callable[[Threads], FolderModel], options: PipelineOptions, token: str
    ) -> None:
        self._options = options
        self._problem: MaskwrightError | None = None
        limit_threads(options.threads or 1)
        try:
            check_marker(options.out, token)
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
    ray = import_ray()
    with ExitStack() as stack:
        stack.enter_context(connected(ray, address))
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        share = shares(nodes, plan.on_gpu)
        token = stack.enter_context(marker(options.out))
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


def _rows(ray: Any, results: Any) -> Iterator[dict[str, str]]:
    """Rows of a data set of Ray as they are made; `ConfigError` where a worker cannot work."""
    try:
        yield from results.iter_rows()
    except ray.exceptions.RayError as error:
        raise ConfigError(
            f"The workers of the cluster stopped ({str(error).strip().splitlines()[-1]}); expected "
            f"every node to have this version of Maskwright, and memory for the model."
        ) from error
