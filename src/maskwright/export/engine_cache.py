"""The network of a run in the fastest engine that is installed, made once and kept beside it."""

import shutil
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import MaskwrightError, ModelError
from maskwright.export.artifact import PREPARED, is_artifact
from maskwright.export.engines import ALONE, SHARED, Threads
from maskwright.export.export_run import export_run
from maskwright.export.export_task import ExportTask
from maskwright.export.formats.table import FORMATS
from maskwright.export.listing import SELFTEST_FILE, read_listing
from maskwright.export.runtime import Logits, artifact_logits, checked_card
from maskwright.model_card import SemanticCard
from maskwright.types import Format

_TRIED_S = 0.5  # in each of three turns


def open_prepared(
    run: Path, threads: Threads = ALONE, card_type: type[SemanticCard] = SemanticCard
) -> tuple[Logits, SemanticCard] | None:
    """What was prepared of the very model that a run of masks holds, and the run's card, or `None`.

    Raises `ModelError` if the run itself is none, or its model is not the one its card describes.
    """
    folder = run / PREPARED
    if not is_artifact(folder):
        return None
    card = checked_card(run, card_type)
    try:
        listing = read_listing(folder)
        if listing.source != card.model_sha256:
            return None
        return artifact_logits(folder, listing.format, card, threads), card
    except ModelError:  # the run itself still serves
        return None


def prepare(run: Path, task: ExportTask, on_message: Callable[[str], None]) -> None:
    """Export a run of masks for every engine of CPUs that is installed, and keep the fastest in it.

    Where none is installed, or no export succeeds, nothing is kept, and `on_message` is called.
    """
    installed: list[Format] = [
        engine
        for engine, chosen in FORMATS.items()
        if chosen.prepared and all(map(find_spec, chosen.packages))
    ]
    if not installed:
        on_message('Prediction is several times as fast with: pip install "maskwright[onnx]"')
        return
    card: Any = checked_card(run, task.card)
    on_message(f"Exporting the model for {' and '.join(installed)}, once …")
    made: dict[Path, Logits] = {}
    try:
        for engine in installed:
            beside = run / f".{PREPARED}.{engine}"
            shutil.rmtree(beside, ignore_errors=True)
            try:
                export_run(run, beside, engine, {task.card.task: task})
                made[beside] = artifact_logits(beside, engine, card, SHARED)
            except MaskwrightError as error:
                on_message(f"Not exported for {engine}: {error}")
        if made:
            shutil.rmtree(run / PREPARED, ignore_errors=True)
            _fastest(made).replace(run / PREPARED)
    except OSError as error:
        on_message(f"The exported model cannot be stored in {run} ({error.strerror}).")
    finally:
        for folder in made:
            shutil.rmtree(folder, ignore_errors=True)


def _fastest(made: dict[Path, Logits]) -> Path:
    """Which of some exports takes least time for its own test image, tried in turns."""
    if len(made) == 1:
        return next(iter(made))
    with np.load(next(iter(made)) / SELFTEST_FILE, allow_pickle=False) as file:
        image = file["image"][None]
    spent: dict[Path, list[float]] = {folder: [] for folder in made}
    for _ in range(3):
        for folder, logits in made.items():
            logits(image)
            end = time.perf_counter() + _TRIED_S
            while time.perf_counter() < end:
                began = time.perf_counter()
                logits(image)
                spent[folder].append(time.perf_counter() - began)
    return min(made, key=lambda folder: statistics.median(spent[folder]))
