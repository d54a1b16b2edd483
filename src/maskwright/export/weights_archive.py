"""A network as our own description and arrays: data, from which our code builds it again."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import ModelError
from maskwright.export.engines import WEIGHTS_FILE
from maskwright.imageio import atomic_write
from maskwright.model_card import NETWORK_FILE


def write_plain(folder: Path, network: str, model: Any) -> None:
    """Write `network.json` and `weights.npz`.

    Args:
        folder: Of the artifact.
        network: `Blueprint.to_json` of the model.
        model: Keras model, without auxiliary outputs; of its variables those with real numbers in
            them are kept, in their order.
    """
    values = [np.asarray(v.value) for v in model.variables if _is_weight(v)]
    arrays = {f"{number:05}": value for number, value in enumerate(values)}
    with atomic_write(folder / WEIGHTS_FILE) as beside, beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    with atomic_write(folder / NETWORK_FILE) as beside:
        beside.write_text(network, encoding="utf-8")


def read_plain(folder: Path, *, classifier: bool = False) -> Any:
    """Keras model from what `write_plain` wrote.

    Args:
        folder: Of the artifact.
        classifier: Whether it is to be one of regions, and not a network of images alone.

    Raises:
        ModelError: If the description is none of ours, or the arrays do not fit it.
    """
    from maskwright.models import main_model
    from maskwright.models.blueprint import Blueprint

    path = folder / WEIGHTS_FILE
    blueprint = Blueprint.from_json((folder / NETWORK_FILE).read_text(encoding="utf-8"))
    if (blueprint.builder == "classifier") != classifier:
        raise ModelError(
            f"The network in {folder} is a {blueprint.builder}, which does not match its model "
            f"card; export the model again."
        )
    shapes = _shapes(path)
    model = main_model(blueprint.build())
    variables = [v for v in model.variables if _is_weight(v)]
    expected = [tuple(v.shape) for v in variables]
    if expected != shapes:
        where = next(
            (n for n, (a, b) in enumerate(zip(expected, shapes, strict=False)) if a != b),
            min(len(expected), len(shapes)),
        )
        raise ModelError(
            f"{path} contains {len(shapes)} arrays that do not match the {len(expected)} of the "
            f"network (first difference: number {where}); export the model again."
        )
    with np.load(path, allow_pickle=False) as file:
        for name, variable in zip(sorted(file.files), variables, strict=True):
            variable.assign(file[name])
    return model


def _shapes(path: Path) -> list[tuple[int, ...]]:
    """Shapes of the arrays in a file, in order, read from their headers alone."""
    shapes = []
    try:
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                with archive.open(name) as file:
                    version = np.lib.format.read_magic(file)
                    read = (
                        np.lib.format.read_array_header_1_0
                        if version == (1, 0)
                        else np.lib.format.read_array_header_2_0
                    )
                    shape, _, dtype = read(file)
                if dtype.hasobject:
                    raise ModelError(f"{path} contains other values than numbers; do not use it.")
                shapes.append(shape)
    except (zipfile.BadZipFile, ValueError, OSError, EOFError) as error:
        raise ModelError(f"{path} cannot be read ({error}); copy or export it again.") from None
    return shapes


def _is_weight(variable: Any) -> bool:
    """Not the state of a random generator."""
    return bool(np.issubdtype(np.dtype(variable.dtype), np.floating))
