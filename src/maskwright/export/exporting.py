"""From a run to an artifact: written, opened again in its engine, compared, and only then kept."""

import json
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.card import CARD_FILE, NETWORK_FILE, Card, card_kind, checksum
from maskwright.errors import ConfigError, ModelError
from maskwright.export.artifact import (
    SUFFIX,
    Listing,
    is_artifact,
    pack,
    write_listing,
)
from maskwright.export.engines import MAIN
from maskwright.export.ensemble import is_ensemble
from maskwright.export.formats import write_network
from maskwright.export.parity import FLOAT, Parity, measure
from maskwright.export.runtime import artifact_logits, keras_logits, load_run
from maskwright.export.selftest import drawn_image, self_test, write_selftest
from maskwright.kinds import Format

_OTHER_SIDE_PX = 97  # odd, and no multiple of any stride
_USUAL_SIDE_PX = 256
_PACKAGES = {
    "keras": ("keras", "tensorflow", "tensorflow-cpu"),
    "savedmodel": ("keras", "tensorflow", "tensorflow-cpu"),
    "onnx": ("onnx", "onnxruntime", "tf2onnx"),
    "openvino": ("openvino",),
    "litert": ("ai-edge-litert",),
}


@dataclass(frozen=True)
class Export:
    """What was written.

    Args:
        path: Of the artifact, a folder or a file.
        listing: What is in it.
        parity: How far it differs from the run.
    """

    path: Path
    listing: Listing
    parity: Parity


def export_masks(
    run: Path,
    out: Path,
    engine: Format,
    samples: Iterable[tuple[np.ndarray, np.ndarray | None]] = (),
) -> Export:
    """Write the model of a run that draws masks for an engine, with all that using it needs.

    The artifact is made beside its place and moved there once its engine has opened it, and it
    gives what the run gives on drawn images of two sizes and on `samples`.

    Args:
        run: Folder of a finished run.
        out: Folder to make, or a file whose name ends with `.maskwright`.
        engine: Format of the network.
        samples: Images `(h, w, c)` float32 as the model takes them, with their labels, to compare
            on besides.

    Raises:
        ConfigError: If `out` exists, or what writes the format is not installed.
        ModelError: If the run has no such model, the format cannot hold it, or what was written
            differs too much.
    """
    require_free(out)
    if is_artifact(run):
        raise ModelError(f"{run} is an exported model already; give the run that it was made from.")
    if is_ensemble(run):
        raise ModelError(
            f"{run} is an ensemble, which has no single network; export its members one by one."
        )
    if (run / CARD_FILE).is_file() and card_kind(run / CARD_FILE) != Card.kind:
        raise ModelError(f"{run} draws no masks; its models cannot be exported yet.")
    model, card = load_run(run)
    logits = keras_logits(model)
    network, pixel_range = _network(run)
    out.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        write_network(model, made, engine, network)
        known = replace(card, model_sha256=checksum(made / MAIN[engine]))
        known.write(made / CARD_FILE)
        usual = card.size or (card.tile or _USUAL_SIDE_PX,) * 2
        sizes = (usual, (_OTHER_SIDE_PX, _OTHER_SIDE_PX + 34))
        drawn = [drawn_image(card, size, 0, pixel_range) for size in sizes]
        write_selftest(made, drawn[0], logits, card)
        opened = artifact_logits(made, engine)
        images = [*((image, None) for image in drawn), *samples]
        parity = measure(logits, opened, card, images)
        parity.require(FLOAT, engine)
        self_test(made, opened, card)
        listing = write_listing(
            made, format=engine, made_with=_versions(engine), parity=parity.to_dict()
        )
        if out.suffix == SUFFIX:
            pack(made, out)
        else:
            made.chmod(0o755)  # temporary folders are closed to others
            made.replace(out)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return Export(out, listing, parity)


def require_free(out: Path) -> None:
    """Raise `ConfigError` where something is already."""
    if out.exists():
        raise ConfigError(f"{out} exists already; name another place, or remove it first.")


def _network(run: Path) -> tuple[str, tuple[float, float] | None]:
    """Description of a run's network, and the values it takes for black and white."""
    path = run / NETWORK_FILE
    if not path.is_file():
        raise ModelError(
            f"{run} does not say how its network is built ({NETWORK_FILE} is missing, as in runs "
            f"of versions before it was written); train it again to export it."
        )
    text = path.read_text(encoding="utf-8")
    try:
        low, high = json.loads(text)["arguments"]["pixel_range"]
    except (ValueError, KeyError, TypeError):
        return text, None
    return text, (float(low), float(high))


def _versions(engine: str) -> dict[str, str]:
    found: dict[str, Any] = {}
    for package in ("maskwright", *_PACKAGES[engine]):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
