"""What a publisher says of a model, and what its run has measured."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.errors import ConfigError, ModelError
from maskwright.model_card import CARD_FILE, ModelCard


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What only the publisher of a model knows.

    Args:
        license: SPDX identifier, such as `"Apache-2.0"`.
        name: Of the model; `""` for that of its folder.
        authors: Names of people or groups.
        description: What the model is for; `""` for what its card says.
        data: Name of the training data; `""` for the last part of the path on the card.
        cite: DOI or address of what to cite; `""` for nothing.
    """

    license: str
    name: str = ""
    authors: tuple[str, ...] = ()
    description: str = ""
    data: str = ""
    cite: str = ""


@dataclass(frozen=True)
class MeasuredScore:
    """A score by its key in scores.json, with its interval, if any."""

    key: str
    value: float
    interval: tuple[float, float] | None

    @property
    def title(self) -> str:
        """Words of the key."""
        return self.key.replace("_", " ")


@dataclass(frozen=True)
class Measured:
    """Scores of a run on a split of its data."""

    split: str
    images: int
    cases: int
    scores: tuple[MeasuredScore, ...]


def read_measured(run: Path, split: str, card: ModelCard) -> Measured | None:
    """Scores that `maskwright evaluate` wrote into a run; `None` where it did not.

    Raises `ModelError` if they belong to another model.
    """
    path = run / "evaluation" / split / "scores.json"
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        intervals = {**content.get("intervals", {})}
        scores = tuple(
            _score(key, value, intervals.get(key))
            for key, value in content.items()
            if key in intervals and isinstance(value, float | int)
        )
        measured = Measured(content["split"], content["images"], content["cases"], scores)
        model = content["model_sha256"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(f"{path} cannot be read; evaluate the run again.") from None
    if model != card.model_sha256:
        raise ModelError(
            f"The scores in {path} are those of another model than {run / CARD_FILE} describes; "
            f"evaluate the run again."
        )
    return measured


def _score(key: str, value: float, ends: Any) -> MeasuredScore:
    known = isinstance(ends, list) and len(ends) == 2 and None not in ends
    return MeasuredScore(key, float(value), (float(ends[0]), float(ends[1])) if known else None)


def data_name(publication: Publication, card: ModelCard) -> str:
    """Name of the training data, without where they lay."""
    return publication.data or Path(card.data).name or "training data"


def require(value: Any, option: str, why: str) -> None:
    """Raise `ConfigError` where an option is missing."""
    if not value:
        raise ConfigError(f"{why} requires {option}; add it.")


def sentence(card: ModelCard, publication: Publication) -> str:
    """What a model is, in one sentence."""
    *first, last = card.class_names
    classes = f"{', '.join(first)} and {last}" if first else last
    return publication.description or (
        f"A {card.task} model of {classes}, trained with Maskwright on "
        f"{data_name(publication, card)}."
    )


def limits_of(card: Any) -> list[str]:
    """Sentences on the images that a model was made for."""
    sentences = [
        f"It takes images of {card.channels} channels and pixels of {card.dtype} in the range "
        f"{card.value_range[0]:g} to {card.value_range[1]:g}.",
    ]
    if card.percentiles:
        low, *_, high = card.percentiles
        sentences.append(
            f"99.8 % of the training pixels lie between {low:g} and {high:g}; much darker or "
            f"brighter images give other results."
        )
    if getattr(card, "size", None) is not None and not isinstance(card.size, int):
        height, width = card.size
        sentences.append(f"Whole images are resized to {height} x {width} px; details are lost.")
    elif getattr(card, "tile", None) is not None:
        sentences.append(
            f"It works at the scale of the training images, in tiles of {card.tile} px; resize "
            f"images of another pixel size first."
        )
    if card.stopped:
        sentences.append("Training was stopped before its end; the model is the best until then.")
    sentences.append(
        "Scores hold for images like those that were scored; measure it on images of your own "
        "before you rely on it."
    )
    return sentences
