"""From a run to an artifact: written, opened again in its engine, compared, and only then kept."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.learned_images import export_learned
from maskwright.errors import ConfigError, ModelError
from maskwright.export.artifact import SUFFIX, is_artifact, pack
from maskwright.export.engines import OWN
from maskwright.export.ensemble import Member, is_ensemble, read_members, write_members
from maskwright.export.export_task import Example, ExportTask, Parity, self_test, write_selftest
from maskwright.export.formats.table import FORMATS, write_network
from maskwright.export.int8 import write_int8
from maskwright.export.listing import Listing, write_listing, written_digest
from maskwright.export.runtime import load_run
from maskwright.imageio import scratch_folder, sweep
from maskwright.model_card import CARD_FILE, NETWORK_FILE, SEGMENTER, ModelCard, read_task
from maskwright.types import Format

Tasks = Mapping[str, ExportTask]
"""By the names of the tasks."""


@dataclass(frozen=True)
class Export:
    """What was written at a path, a folder or a file: what is in it, how far it differs from the
    run, how far the segmenter differs that a model of regions brings, and what was left out.
    """

    path: Path
    listing: Listing
    parity: Parity
    segmenter: Parity | None = None
    notes: tuple[str, ...] = ()


def export_run(
    run: Path,
    out: Path,
    engine: Format,
    tasks: Tasks,
    samples: Sequence[Example] = (),
    calibration: Sequence[np.ndarray] = (),
    data: str | Path | None = None,
    with_postprocessing: bool = False,
) -> Export:
    """Write the model of a run for an engine, with all that using it needs.

    The artifact is made beside its place and moved there once its engine has opened it, and it
    gives what the run gives on drawn images, or bags, of two sizes and on `samples`.

    Args:
        out: Folder to make, or a file whose name ends with `.maskwright`.
        samples: Further examples to compare on, with their labels.
        calibration: Images of the training split, as the model takes them, for a network of eight
            bits; none for one of floats.
        data: The data of the training, by which promises are made again where the
            exported model differs too much.
        with_postprocessing: Also write files for other programs; see `ExportTask.postprocess`.

    Raises `ConfigError` if `out` exists, what writes the format is not installed, or the model has
    no network of eight bits; `ModelError` if the run has no such model, the format cannot hold it,
    or what was written differs too much.
    """
    require_free(out)
    if is_artifact(run):
        raise ModelError(f"{run} is an exported model; expected the folder of a run.")
    if calibration and (is_ensemble(run) or not _task(run, tasks).int8):
        raise ConfigError(
            "--int8 supports single semantic segmentation models; export this model without it."
        )
    sweep(out.parent, {out.name})
    with scratch_folder(out) as made:
        segmenter = None
        if (run / SEGMENTER / CARD_FILE).is_file():
            _, segmenter, _ = _write(run / SEGMENTER, made / SEGMENTER, engine, tasks)
        options = (samples, calibration, data, with_postprocessing)
        listing, parity, notes = _write(run, made, engine, tasks, *options)
        if out.suffix == SUFFIX:
            pack(made, out)
        else:
            made.replace(out)
    return Export(out, listing, parity, segmenter, notes)


def _write(
    run: Path,
    folder: Path,
    engine: Format,
    tasks: Tasks,
    samples: Sequence[Example] = (),
    calibration: Sequence[np.ndarray] = (),
    data: str | Path | None = None,
    with_postprocessing: bool = False,
) -> tuple[Listing, Parity, tuple[str, ...]]:
    """Write a model into a folder, which then is an artifact; notes on what was left out."""
    folder.mkdir(exist_ok=True)
    write = _write_members if is_ensemble(run) else _write_networks
    both = write(run, folder, engine, tasks)
    task, card = tasks[both.card.task], both.card
    examples = [*task.examples(card, both.pixel_range, both.network), *samples]
    kept_in_float: tuple[str, ...] = ()
    if calibration:
        parity, kept_in_float = write_int8(
            engine,
            both.written,
            folder,
            calibration,
            partial(task.from_artifact, folder, engine, card, OWN),
            lambda opened: task.compare(both.function, opened, card, samples),
        )
        opened = expected = task.from_artifact(folder, engine, card, OWN)
    else:
        opened, expected = both.opened, both.function
        parity = task.compare(expected, opened, card, examples)
        parity.require(task.limits, engine)
    if (annotate := FORMATS[engine].annotate) is not None:
        for path in both.files:
            annotate(path, card)
    notes: list[str] = []
    if with_postprocessing and task.postprocess is not None:
        notes += task.postprocess(folder, card, opened)
    replace(card, model_sha256=written_digest(folder)).write(folder / CARD_FILE)
    export_learned(run, folder)
    if task.promises is not None:
        difference = None if calibration else parity.difference
        notes += task.promises(run, folder, engine, difference, examples, data)
    write_selftest(folder, examples[0], task.answer(expected, card, examples[0]))
    self_test(folder, partial(task.answer, opened, card))
    listing = write_listing(
        folder,
        format=engine,
        int8=bool(calibration),
        kept_in_float=kept_in_float,
        made_with=_versions(engine),
        source=card.model_sha256,
        parity=parity.to_dict(),
    )
    return listing, parity, tuple(notes)


@dataclass(frozen=True)
class _Both:
    """A model and what was written of it, each as a function, and what both have in common.

    `files` are those of its own networks.
    """

    card: ModelCard
    function: Any
    opened: Any
    pixel_range: tuple[float, float] | None
    network: Any = None
    written: Any = None
    files: tuple[Path, ...] = ()


def _write_members(run: Path, folder: Path, engine: Format, tasks: Tasks) -> _Both:
    """Write every member of an ensemble, each an artifact, and their list."""
    task = _task(run, tasks)
    if task.join is None:
        raise ModelError(f"{run} is an ensemble, which its task does not have; export its members.")
    card = task.card.read(run / CARD_FILE)
    runs = read_members(run, card)
    names = [f"member{number}" for number in range(1, len(runs) + 1)]
    for name, member in zip(names, runs, strict=True):
        _write(member, folder / name, engine, tasks)
    opened = [task.load(folder / name, OWN) for name in names]
    sums = [member.model_sha256 for _, member in opened]
    write_members(folder, [Member(*member) for member in zip(names, sums, strict=True)])
    function = task.join([task.load(member) for member in runs])
    return _Both(card, function, task.join(opened), _network(runs[0])[1])


def _write_networks(run: Path, folder: Path, engine: Format, tasks: Tasks) -> _Both:
    """Write the network of a run, or the networks that it is divided into."""
    task = _task(run, tasks)
    model, card = load_run(run, task.card)
    network, pixel_range = _network(run)
    whole = model if task.outputs is None else task.outputs(run, model)
    networks = {"": model} if FORMATS[engine].described else task.networks(whole, card)
    for name, part in networks.items():
        write_network(part, folder / name, engine, network)
    opened = task.from_artifact(folder, engine, card, OWN)
    function, written = task.from_keras(model), networks.get("")
    files = tuple(folder / name / FORMATS[engine].file for name in networks)
    return _Both(card, function, opened, pixel_range, model, written, files)


def _task(run: Path, tasks: Tasks) -> ExportTask:
    """Task of a run; without a card the first, for which opening the run says what is missing."""
    card = run / CARD_FILE
    return tasks[read_task(card, tasks) if card.is_file() else next(iter(tasks))]


def require_free(out: Path) -> None:
    """Raise `ConfigError` where something is already."""
    if out.exists():
        raise ConfigError(f"{out} already exists; choose another path, or remove it.")


def _network(run: Path) -> tuple[str, tuple[float, float] | None]:
    """Description of a run's network, and the values it takes for black and white."""
    path = run / NETWORK_FILE
    if not path.is_file():
        raise ModelError(
            f"{run} has no description of its network ({NETWORK_FILE}); train it again to export "
            f"it."
        )
    text = path.read_text(encoding="utf-8", errors="replace")  # to be read as JSON again
    try:
        low, high = map(float, json.loads(text)["arguments"]["pixel_range"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return text, None
    return text, (low, high)


def _versions(engine: Format) -> dict[str, str]:
    versions: dict[str, str] = {}
    for package in ("maskwright", *FORMATS[engine].packages):
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions
