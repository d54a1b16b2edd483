"""data.yaml: what a data set says of itself, so that nothing needs to be guessed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maskwright.data.encodings.class_map import ClassEntry, Legend
from maskwright.data.encodings.encoding import Encoding, EncodingKind, Value, written
from maskwright.errors import ConfigError
from maskwright.imageio import atomic_write
from maskwright.labels import IGNORE_LABEL, Labels, parse_color

IGNORE = "ignore"
"""Name that stands for the ignore label under `values`."""

FILE_NAMES = ("data.yaml", "data.yml")


class Description(BaseModel):
    """Keys of a data.yaml; all may be left out, and what is left out is found by looking."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    root: str = Field(default=".", description="Folder that all paths count from.")
    images: str | None = Field(default=None, description="Folder or glob of the images.")
    masks: str | None = Field(default=None, description="Folder or glob of the masks.")
    manifest: str | None = Field(default=None, description="CSV file that lists images and masks.")
    splits: dict[str, str | list[str]] | None = Field(
        default=None, description="For each split a text file of names, or names and patterns."
    )
    classes: list[str] | None = Field(default=None, min_length=1, description="Names, in order.")
    colors: list[str] | None = Field(default=None, description="#RRGGBB of each class.")
    encoding: EncodingKind | None = Field(default=None, description="How values are stored.")
    values: dict[int | str, str] | None = Field(
        default=None, description="Value or #RRGGBB in the masks: name of a class, or `ignore`."
    )
    ignore: list[int | str] = Field(default=[], description="Values or #RRGGBB that do not count.")
    threshold: int | None = Field(
        default=None, ge=1, description="Values from here up are foreground."
    )
    objects: Literal["united", "instances"] | None = Field(
        default=None, description="What several masks of an image, or numbers of objects, become."
    )
    group_by: str | None = Field(
        default=None, description="Column, or pattern of an id, that is a case."
    )
    val_share: float | None = Field(default=None, ge=0, lt=1, description="Where no val is stated.")
    test_share: float | None = Field(
        default=None, ge=0, lt=1, description="Where no test is stated."
    )
    seed: int | None = Field(default=None, ge=0, description="Of the division into splits.")
    unite_duplicates: bool = Field(
        default=False, description="Whether images that show nearly the same are one case."
    )


def read_description(path: Path) -> Description:
    """Description in a YAML file; `ConfigError` naming the key that is wrong."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Description.model_validate(content or {})
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())
        raise ConfigError(f"{path} is not YAML: {said}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        if first["type"] == "extra_forbidden":
            keys = ", ".join(Description.model_fields)
            raise ConfigError(f"{path} has the unknown key {key}; expected {keys}.") from None
        raise ConfigError(
            f"{path} has a wrong value for {key}: {first['msg']}, received "
            f"{first['input']!r}. Colors need quotes: '#1A2B3C'."
        ) from None


def write_description(path: Path, content: Mapping[str, Any], remarks: Sequence[str]) -> None:
    """Write keys of a description, with remarks as comments above."""
    Description.model_validate(content)
    text = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)
    with atomic_write(path) as beside:
        beside.write_text("".join(f"# {remark}\n" for remark in remarks) + text, encoding="utf-8")


def stated_legend(description: Description) -> Legend | None:
    """Legend of the classes and colors that are stated, or `None`."""
    if description.classes is None:
        return None
    colors: Sequence[str | None] = description.colors or [None] * len(description.classes)
    if len(colors) != len(description.classes):
        raise ConfigError(
            f"data.yaml states {len(colors)} colors for {len(description.classes)} classes; "
            f"expected one for each."
        )
    entries = [
        ClassEntry(name, color=None if color is None else parse_color(color))
        for name, color in zip(description.classes, colors, strict=True)
    ]
    return Legend(tuple(entries), "data.yaml")


def stated_encoding(description: Description) -> tuple[Encoding, Labels] | None:
    """Encoding that the description states in full, or `None` where masks must be looked at."""
    if description.values is None and description.threshold is None:
        return None
    values = {_value(key): name for key, name in (description.values or {}).items()}
    values |= dict.fromkeys(map(_value, description.ignore), IGNORE)
    two = ["background", "foreground"]
    names = description.classes or list(dict.fromkeys(n for n in values.values() if n != IGNORE))
    names = names or two
    unknown = sorted(set(values.values()) - set(names) - {IGNORE})
    if unknown:
        raise ConfigError(
            f"data.yaml maps values to {', '.join(unknown)}; expected one of its classes "
            f"{', '.join(names)}, or {IGNORE}."
        )
    if description.threshold is not None and len(names) != 2:
        raise ConfigError(f"data.yaml states a threshold, which is for two classes, not {names}.")
    kind = description.encoding or _kind(description, values)
    mapped: dict[Value, int] = {
        value: IGNORE_LABEL if name == IGNORE else names.index(name)
        for value, name in values.items()
    }
    if not mapped:
        mapped = {0: 0, 1: 1} if kind == "objects" else {0: 0, 255: 1}
    legend = stated_legend(description)
    colors = [entry.color for entry in legend.entries] if legend else []
    if description.colors is None and kind == "colors":
        by_label = {label: value for value, label in reversed(mapped.items())}
        found = [by_label.get(label) for label in range(len(names))]
        colors = [color if isinstance(color, tuple) else None for color in found]
    given = [color for color in colors if color is not None]
    labels = Labels.create(names, given if len(given) == len(names) else None)
    return (
        Encoding(kind, mapped, description.threshold, "The masks are as data.yaml states."),
        labels,
    )


def stated_values(encoding: Encoding, labels: Labels) -> dict[int | str, str]:
    """Values of an encoding as `values` of a description."""
    return {
        value if isinstance(value, int) else written(value): (
            IGNORE if label == IGNORE_LABEL else labels.names[label]
        )
        for value, label in encoding.values.items()
    }


def ignored_values(description: Description) -> set[Value]:
    """Values and colors that are stated not to count."""
    return {_value(value) for value in description.ignore}


def _value(key: int | str) -> Value:
    if isinstance(key, int):
        return key
    return int(key) if key.isdecimal() else parse_color(key)


def _kind(description: Description, values: Mapping[Value, str]) -> EncodingKind:
    if any(isinstance(value, tuple) for value in values):
        return "colors"
    if description.objects is not None:
        return "objects"
    return "binary" if description.threshold is not None else "indices"
