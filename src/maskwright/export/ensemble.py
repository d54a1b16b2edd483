"""Several models as one: a folder whose card stands for all, and a list of its members."""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from maskwright.errors import ConfigError, ModelError
from maskwright.export.artifact import is_artifact
from maskwright.imageio import atomic_write
from maskwright.model_card import (
    CARD_FILE,
    LEARNED_FILE,
    MODEL_FILE,
    NETWORK_FILE,
    STEPS,
    ModelCard,
    SemanticCard,
    checksum,
)

ENSEMBLE_FILE = "ensemble.json"
"""Name of the list of members, in the folder of an ensemble."""

_MUST_AGREE = ("labels", "channels", "dtype", "size", "tile")  # as far as cards have them
_DECISIONS = ("threshold", *STEPS)


@dataclass(frozen=True)
class Member:
    """One model of an ensemble: its folder as it is named in the list, and its checksum there."""

    folder: str
    model_sha256: str


def is_ensemble(path: Path) -> bool:
    """Whether a folder is that of an ensemble, not of a single model."""
    return (path / ENSEMBLE_FILE).is_file()


def write_ensemble(
    out: Path, members: Sequence[Path], decisions: Mapping[str, Any] | None = None
) -> SemanticCard:
    """Join the models in some folders; `out` becomes one that is used like any of them.

    The members stay where they are: `ensemble.json` names their folders, seen from `out`, and the
    checksums of their models. The card's own checksum is that of `ensemble.json`.

    Args:
        members: Folders of finished runs; an ensemble among them counts as its members.
        decisions: Threshold and cleaning for the card; what is left out must be the same for all.

    Raises `ModelError` if there is no member, one is no finished run, or they differ in classes,
    channels, working size or decisions.
    """
    singles = [single for folder in members for single in _singles(folder)]
    if not singles:
        raise ModelError("Expected at least one run for an ensemble; received none.")
    if is_single(out):
        raise ConfigError(
            f"{out} already contains a model; choose another folder for the ensemble."
        )
    cards = [SemanticCard.read(folder / CARD_FILE) for folder in singles]
    given = decisions or {}
    for folder, card in zip(singles, cards, strict=True):
        _check_alike(cards[0], card, singles[0], folder, [*_MUST_AGREE])
        _check_alike(cards[0], card, singles[0], folder, [d for d in _DECISIONS if d not in given])
    listed = [
        Member(Path(os.path.relpath(folder.resolve(), out.resolve())).as_posix(), card.model_sha256)
        for folder, card in zip(singles, cards, strict=True)
    ]
    write_members(out, listed)
    data = sorted({card.data for card in cards})
    joined = replace(
        cards[0],
        **given,
        stopped=any(card.stopped for card in cards),
        symmetries=tuple(s for s in cards[0].symmetries if all(s in c.symmetries for c in cards)),
        temperature=1.0,  # that of each member acts before their probabilities are averaged
        model_sha256=checksum(out / ENSEMBLE_FILE),
        data=data[0] if len(data) == 1 else hashlib.sha256(" ".join(data).encode()).hexdigest(),
    )
    joined.write(out / CARD_FILE)
    return joined


def write_members(out: Path, members: Sequence[Member]) -> None:
    """Write `ensemble.json`."""
    text = json.dumps({"members": [asdict(member) for member in members]}, indent=2)
    with atomic_write(out / ENSEMBLE_FILE) as beside:
        beside.write_text(text + "\n", encoding="utf-8")


def read_members(path: Path, card: ModelCard) -> list[Path]:
    """Folders of the members of an ensemble; those of an artifact lie in it, side by side.

    Raises `ModelError` if a member is missing or another than when the ensemble was made.
    """
    if checksum(path / ENSEMBLE_FILE) != card.model_sha256:
        raise ModelError(
            f"The checksum of {path / ENSEMBLE_FILE} differs from that in {CARD_FILE}; create the "
            f"ensemble again."
        )
    folders = []
    for member in _listed(path):
        folder = path / member.folder
        if is_artifact(path) and not re.fullmatch(r"\w+", member.folder):
            raise ModelError(
                f"The exported ensemble {path} lists the member {member.folder!r} outside its "
                f"folder; do not use it."
            )
        if not is_single(folder):
            raise ModelError(
                f"The ensemble {path} has no member {member.folder}: expected {MODEL_FILE} and "
                f"{CARD_FILE} in {folder}; copy it there, or create the ensemble again without it."
            )
        member_card = type(card).read(folder / CARD_FILE)
        if member_card.model_sha256 != member.model_sha256:
            raise ModelError(
                f"The model in {folder} has changed since the ensemble {path} was created; restore "
                f"it, or create the ensemble again."
            )
        _check_alike(card, member_card, path, folder, [n for n in _MUST_AGREE if hasattr(card, n)])
        folders.append(folder)
    return folders


def model_files(path: Path) -> list[str]:
    """Files that make up a model, seen from its folder, its card last; for those who copy it.

    `ModelError` if members of an ensemble lie outside its folder.
    """
    if not is_ensemble(path):
        beside = (name for name in (NETWORK_FILE, LEARNED_FILE) if (path / name).is_file())
        return [MODEL_FILE, *beside, CARD_FILE]
    files = []
    for member in _listed(path):
        if ".." in Path(member.folder).parts:
            raise ModelError(
                f"The ensemble {path} has a member outside its folder, {member.folder}: create the "
                f"ensemble in a folder above the runs."
            )
        files += [f"{member.folder}/{name}" for name in model_files(path / member.folder)]
    return [*files, ENSEMBLE_FILE, CARD_FILE]


def is_single(path: Path) -> bool:
    """Whether a folder holds a single model, of a run or exported, and its card."""
    try:
        there = (path / MODEL_FILE).is_file() or is_artifact(path)
        return there and (path / CARD_FILE).is_file()
    except (OSError, ValueError):  # a damaged list names what cannot be a folder
        return False


def _singles(folder: Path) -> list[Path]:
    if is_ensemble(folder):
        return read_members(folder, SemanticCard.read(folder / CARD_FILE))
    if not is_single(folder):
        raise ModelError(
            f"{folder} cannot be a member of an ensemble; expected a finished run with "
            f"{MODEL_FILE} and {CARD_FILE}."
        )
    return [folder]


def _listed(path: Path) -> list[Member]:
    try:
        entries = json.loads((path / ENSEMBLE_FILE).read_text(encoding="utf-8"))["members"]
        return [TypeAdapter(Member).validate_python(entry) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(
            f"{path / ENSEMBLE_FILE} is not a list of members ({error}); create the ensemble again."
        ) from None


def _check_alike(
    first: ModelCard, other: ModelCard, first_folder: Path, folder: Path, names: Sequence[str]
) -> None:
    """Refuse members that cannot vote on the same question."""
    for name in names:
        first_value, other_value = (_in_words(getattr(card, name), name) for card in (first, other))
        if first_value != other_value:
            called = {"labels": "classes", "size": "working size"}.get(name, name)
            hint = "; state it for the ensemble" if name in _DECISIONS else ""
            raise ModelError(
                f"Expected members with the same {called}: {first_folder} has {first_value}, "
                f"{folder} has {other_value}{hint}."
            )


def _in_words(value: Any, name: str) -> str:
    """Colors may differ: only the names of classes and what is ignored are compared."""
    if name == "labels":
        return ", ".join(value.names)
    if name == "size" and value is not None:
        return f"{value[0]}x{value[1]}"
    return str(value)
