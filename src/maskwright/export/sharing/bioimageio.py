"""Model of the BioImage Model Zoo: `rdf.yaml` with an ONNX network and test arrays."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import ConfigError
from maskwright.export.export_task import drawn_image
from maskwright.export.sharing.facts import Publication, require, sentence
from maskwright.imageio import dump_yaml, write_text
from maskwright.model_card import SemanticCard, checksum

RDF_FILE, NETWORK_FILE = "rdf.yaml", "network.onnx"
_FORMAT_VERSION = "0.5.4"
_SMALLEST_PX, _TESTED_PX = 32, 96
_NAME = re.compile(r"[\w+\- ()]{5,128}", re.ASCII)
_DOI = re.compile(r"(?:https?://doi\.org/)?(10\.[0-9]{4}.+)")


def check_publication(publication: Publication) -> None:
    """Raise `ConfigError` where something is missing that bioimage.io requires."""
    require(publication.authors, "--author", "A model of bioimage.io")
    require(publication.cite, "--cite with a DOI or an address", "A model of bioimage.io")
    if not _NAME.fullmatch(publication.name):
        raise ConfigError(
            f"bioimage.io takes names of 5 to 128 letters, digits, spaces and _+-(); received "
            f"{publication.name!r}: give another with --name."
        )


def write_model(folder: Path, card: SemanticCard, publication: Publication) -> None:
    """Write `rdf.yaml` and test arrays into a folder that holds `NETWORK_FILE` and `README.md`.

    The network is the one that `export.postprocessed.masks` writes.
    """
    import onnx
    import onnxruntime

    path = folder / NETWORK_FILE
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    image = drawn_image(card, (_TESTED_PX, _TESTED_PX), 0, card.pixel_range)
    kind = card.dtype if card.pixel_range is None else "float32"
    images = image.astype(kind)[None]
    outputs = zip(names, session.run(names, {"images": images}), strict=True)
    arrays = {"images": images, **dict(outputs)}
    for name, values in arrays.items():
        np.save(folder / _array_file(name), values, allow_pickle=False)
    versions = {entry.domain: entry.version for entry in onnx.load(path).opset_import}
    weights = {"source": NETWORK_FILE, "sha256": checksum(path), "opset_version": versions[""]}
    authors = [{"name": name} for name in publication.authors]
    described = {
        "type": "model",
        "format_version": _FORMAT_VERSION,
        "name": publication.name,
        "description": sentence(card, publication)[:1024],
        "authors": authors,
        "cite": [{"text": publication.name, **_address(publication.cite)}],
        "license": publication.license,
        "documentation": "README.md",
        "tags": ["maskwright", "segmentation", card.task, "2d"],
        "inputs": [_tensor(folder, "images", _image_axes(card), {"type": kind})],
        "outputs": [_tensor(folder, *output) for output in _outputs(card, names)],
        "weights": {"onnx": weights},
    }
    write_text(folder / RDF_FILE, dump_yaml(described, allow_unicode=True))


def _array_file(name: str) -> str:
    return f"test_{name}.npy"


def _tensor(
    folder: Path, name: str, axes: Sequence[Mapping[str, Any]], data: Mapping[str, Any]
) -> dict[str, Any]:
    content = (folder / _array_file(name)).read_bytes()
    test = {"source": _array_file(name), "sha256": hashlib.sha256(content).hexdigest()}
    return {"id": name, "axes": list(axes), "data": dict(data), "test_tensor": test}


def _image_axes(card: SemanticCard) -> list[dict[str, Any]]:
    size = {"min": _SMALLEST_PX, "step": 1}
    colors = {1: ("gray",), 3: ("red", "green", "blue")}
    names = colors.get(card.channels) or [f"channel{n}" for n in range(1, card.channels + 1)]
    return [
        {"type": "batch"},
        {"type": "space", "id": "y", "size": dict(size)},
        {"type": "space", "id": "x", "size": dict(size)},
        {"type": "channel", "channel_names": list(names)},
    ]


def _outputs(card: SemanticCard, names: Sequence[str]) -> list[tuple[str, list[Any], Any]]:
    sides: list[dict[str, Any]] = [{"type": "batch"}]
    for axis in ("y", "x"):
        size = {"tensor_id": "images", "axis_id": axis}
        sides.append({"type": "space", "id": axis, "size": size})
    channels = {"type": "channel", "channel_names": list(card.class_names)}
    labels = {"values": list(range(max(card.labels.num_classes, 2))), "type": "uint8"}
    described: dict[str, tuple[list[Any], Any]] = {
        "labels": (sides, labels),
        "masks": ([*sides, channels], {"values": [0, 1], "type": "uint8"}),
        "probabilities": ([*sides, channels], {"type": "float32", "range": [0.0, 1.0]}),
    }
    return [(name, *described[name]) for name in names]


def _address(cite: str) -> dict[str, str]:
    """A DOI or an address, as bioimage.io names them."""
    doi = _DOI.fullmatch(cite)
    if doi is None and not cite.startswith(("https://", "http://")):
        raise ConfigError(
            f"Expected a DOI, such as 10.5281/zenodo.123, or an address that begins with https:// "
            f"to cite; received {cite!r}."
        )
    return {"url": cite} if doi is None else {"doi": doi[1]}
