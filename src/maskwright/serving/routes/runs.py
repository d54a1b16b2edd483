"""Routes of runs: learning curves and previews, during and after training."""

import asyncio
import csv
import json
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from maskwright.errors import ConfigError
from maskwright.imageio import parse_yaml
from maskwright.model_card import CARD_FILE
from maskwright.serving.jobs.model_registry import ModelRegistry
from maskwright.serving.routes.requests import file_response, send_file

_STALE_S = 15.0  # training renews its progress every two seconds, whatever else it does
_LOOK_S = 1.0  # between looks at the files of a run that somebody waits for
_LONGEST_WAIT_S = 20.0
_WATCHED = ("foreground_dice", "mean_dice")  # by runs that do not say so
_PREVIEW = re.compile(r"epoch_(\d+)\.png")


def run_routes(models: ModelRegistry, ending: Callable[[], bool] = lambda: False) -> APIRouter:
    """`/api/runs`; nobody may wait any more when `ending`, as the server shuts down."""
    routes = APIRouter(prefix="/api/runs")

    def folder_of(name: str) -> Path:
        folder = models.runs.get(name)
        if folder is None:
            raise HTTPException(404, f"There is no run {name[:100]!r}.")
        return folder

    @routes.get("")
    def list_runs() -> list[dict[str, Any]]:
        """Names and status of the runs."""
        return [
            {"name": name, "status": status_of(folder, _progress(folder))}
            for name, folder in models.runs.items()
        ]

    @routes.get("/{name}")
    async def state(
        name: str,
        after: Annotated[
            int | None, Query(ge=0, description="Last epoch that the client has.")
        ] = None,
        wait: Annotated[float, Query(ge=0, le=_LONGEST_WAIT_S)] = 0.0,
    ) -> dict[str, Any]:
        """A run; with `after` and `wait`, as soon as it has a later epoch or another status."""
        folder = folder_of(name)
        ends = time.monotonic() + wait
        first = current = await run_in_threadpool(read_run, name, folder)
        while (
            after is not None
            and current["epoch"] <= after
            and current["status"] == first["status"] != "finished"
            and time.monotonic() < ends
            and not ending()
        ):
            await asyncio.sleep(_LOOK_S)
            current = await run_in_threadpool(read_run, name, folder)
        return current

    @routes.get("/{name}/previews/{epoch}.png", **file_response("image/png"))
    async def preview(name: str, epoch: int) -> Response:
        """Predictions for a few images after an epoch."""
        file = folder_of(name) / "previews" / f"epoch_{epoch:04d}.png"
        missing = f"There is no preview of epoch {epoch}."
        return await send_file(file, "image/png", missing=missing)

    return routes


def read_run(name: str, folder: Path) -> dict[str, Any]:
    """State of a run from the files that it has at this moment."""
    progress = _progress(folder)
    status = status_of(folder, progress)
    rows = _history(folder)
    settings = _read_mapping(folder / "plan.yaml", parse_yaml)
    previews = map(_PREVIEW.fullmatch, [path.name for path in (folder / "previews").glob("*.png")])
    measured = dict.fromkeys(key for row in rows for key in row if f"val_{key}" in row)
    titles = {key: key.replace("_", " ") for key in measured if key != "loss"}
    watch = progress.get("watch") or next((key for key in _WATCHED if key in measured), "loss")
    return {
        "name": name,
        "status": status,
        "progress": 1.0 if status == "finished" else progress.get("share", 0.0),
        "seconds_left": progress.get("seconds_left") if status == "running" else None,
        "epoch": int(rows[-1].get("epoch") or 0) if rows else 0,
        **{key: settings[key] for key in ("minutes", "epochs") if settings.get(key) is not None},
        "titles": progress.get("titles") or titles,
        "history": rows,
        "best_epoch": _best_epoch(rows, watch),
        "previews": sorted(int(match[1]) for match in previews if match),
        "preview_columns": progress.get("columns", []),
    }


def status_of(folder: Path, progress: Mapping[str, Any]) -> str:
    """`"running"`, `"finished"` if there is a model, else `"stopped"`."""
    fresh = time.time() - progress.get("time", 0.0) < _STALE_S
    if progress.get("running", False) and fresh:
        return "running"
    return "finished" if (folder / CARD_FILE).is_file() else "stopped"


def _progress(folder: Path) -> Mapping[str, Any]:
    return _read_mapping(folder / "progress.json", json.loads)


def _read_mapping(file: Path, parse: Callable[[str], Any]) -> Mapping[str, Any]:
    """Content of a file; empty where it is missing or broken, as while it is written."""
    try:
        content = parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, ConfigError):
        return {}
    return content if isinstance(content, dict) else {}


def _history(folder: Path) -> list[dict[str, float | None]]:
    """Rows of `history.csv`, without empty cells; `None` for values that are not finite."""
    try:
        with (folder / "history.csv").open(newline="", encoding="utf-8") as file:
            return [
                {key: _finite(text) for key, text in row.items() if text}
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError):
        return []


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _best_epoch(rows: Sequence[Mapping[str, Any]], watch: str) -> int | None:
    """Epoch with the best validation metric, whose weights are used; the first of equal ones."""
    sign = 1 if watch == "loss" else -1
    known = [
        (sign * row[f"val_{watch}"], row["epoch"])
        for row in rows
        if row.get(f"val_{watch}") is not None and row.get("epoch") is not None
    ]
    return int(min(known)[1]) if known else None
