"""A worker of a Ray cluster, and how items are sent to it."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import DataError, MaskwrightError
from maskwright.export.engines import Threads
from maskwright.inference.folder_plan import FolderModel
from maskwright.inference.output_paths import Job, WorkItem
from maskwright.inference.pipeline import PipelineOptions, predict_items

_TENSORFLOW_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


class Worker:
    """One worker of the cluster: the model, opened once, and the items that it is given.

    Args:
        options: As in `predict_items`; with a number of threads, also for the engine.
        marker: Name of a file in the folder of the results that must exist.
    """

    def __init__(
        self, open_model: Callable[[Threads], FolderModel], options: PipelineOptions, marker: str
    ) -> None:
        self._options = options
        self._problem: MaskwrightError | None = None
        # TensorFlow, which is not imported yet, would take all processors of the node.
        os.environ.update(dict.fromkeys(_TENSORFLOW_THREADS, str(options.threads)))
        try:
            if not (options.out / marker).is_file():
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
            items = [unpack_item(text) for text in batch["item"]]
            entries = predict_items(self._model, items, self._options, lambda _: None)
            try:
                lines = [entry.to_json() for entry in entries]
            except MaskwrightError as error:
                problem = error
        if problem is None:
            errors = [""] * len(lines)
        else:
            lines, errors = [""], [json.dumps([type(problem).__name__, str(problem)])]
        return {"line": np.array(lines, object), "error": np.array(errors, object)}


def pack_item(item: WorkItem) -> str:
    """An item as text, as it is sent to workers."""
    jobs = [
        {name: str(v) if isinstance(v, Path) else v for name, v in asdict(job).items()}
        for job in item.jobs
    ]
    return json.dumps([jobs, item.settings, item.case])


def unpack_item(text: str) -> WorkItem:
    """Item from `pack_item`."""
    packed, settings, case = json.loads(text)
    jobs = []
    for values in packed:
        job: dict[str, Any] = {k: Path(v) if isinstance(v, str) else v for k, v in values.items()}
        jobs.append(Job(**job))
    return WorkItem(tuple(jobs), settings, case)
