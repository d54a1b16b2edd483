"""What a model card says, in the file of an ONNX network, for programs that know no cards."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from maskwright import __version__
from maskwright.labels import Labels
from maskwright.model_card import ModelCard

_LEFT_OUT = ("data", "model_sha256")
"""Fields of cards that are a place on the machine of the training, or come after the file."""


def write_metadata(path: Path, card: ModelCard) -> None:
    """Write what a card says into `metadata_props` of an ONNX file, in place of what is there."""
    import onnx

    network = onnx.load(path)
    set_metadata(network, card_metadata(card))
    onnx.save(network, path)


def set_metadata(network: Any, values: Mapping[str, Any]) -> None:
    """Set `metadata_props` of an `onnx.ModelProto` to some values, each as JSON."""
    from onnx import helper

    network.producer_name, network.producer_version = "maskwright", __version__
    texts = {key: json.dumps(value, default=Labels.to_dict) for key, value in values.items()}
    helper.set_model_props(network, texts)


def card_metadata(card: ModelCard) -> dict[str, Any]:
    """The task, the class names by label, and all fields of a card by their names there."""
    values = {field.name: getattr(card, field.name) for field in fields(card)}
    kept = {name: value for name, value in values.items() if name not in _LEFT_OUT}
    return {"task": card.task, "class_names": named_classes(card.class_names), **kept}


def named_classes(names: Sequence[str]) -> dict[str, str]:
    """Names by label, which is text in JSON."""
    return {str(label): name for label, name in enumerate(names)}
