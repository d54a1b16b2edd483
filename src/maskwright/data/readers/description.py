"""What a data.yaml states: its keys, and the encoding and classes that they give or leave open."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maskwright.data.encodings import (
    ClassEntry,
    ClassMap,
    Encoding,
    MaskContents,
    MaskEvidence,
    infer_encoding,
)
from maskwright.data.encodings.encoding import EncodingKind, Value, format_value
from maskwright.data.encodings.evidence import complete
from maskwright.data.readers.mask_fit import MaskOrientation
from maskwright.data.samples import Doubt
from maskwright.errors import ConfigError, one_line
from maskwright.imageio import dump_yaml, read_yaml, write_text
from maskwright.labels import IGNORE_LABEL, Labels, parse_color

FILE_NAMES = ("data.yaml", "data.yml")

PLACES = frozenset({"images", "masks", "manifest", "splits"})  # keys on where files are
IGNORE = "ignore"  # stands for the ignore label under `values`


class Description(BaseModel):
    """Keys of a data.yaml; all may be omitted, and what is omitted is inferred from the files."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    root: str = Field(default=".", description="Folder that all paths are relative to.")
    images: str | None = Field(default=None, description="Folder or glob of the images.")
    masks: str | None = Field(default=None, description="Folder or glob of the masks.")
    manifest: str | None = Field(default=None, description="CSV file that lists images and masks.")
    splits: dict[str, str | list[str]] | None = Field(
        default=None, description="Text file of names, or names and patterns, of each split."
    )
    classes: list[str] | None = Field(
        default=None, min_length=1, description="Names of the classes, in the order of labels."
    )
    colors: list[str] | None = Field(default=None, description="#RRGGBB of each class.")
    encoding: EncodingKind | None = Field(
        default=None, description="How masks store classes; inferred by default."
    )
    values: dict[int | str, str] | None = Field(
        default=None, description="Class name, or `ignore`, of each value or #RRGGBB of the masks."
    )
    ignore: list[int | str] = Field(
        default=[], description="Values or #RRGGBB of pixels that are not trained on or scored."
    )
    threshold: int | None = Field(
        default=None, ge=1, description="Mask value from which pixels are foreground."
    )
    mask_orientation: MaskOrientation | None = Field(
        default=None, description="Whether masks fit images as displayed, or as stored (EXIF)."
    )
    snap: bool | None = Field(
        default=None,
        description="Whether pixels of other values than those of classes, at smoothed edges, get "
        "the nearest; inferred by default.",
    )
    objects: Literal["united", "instances", "components"] | None = Field(
        default=None,
        description="Whether masks of single objects are united or kept as instances, or each "
        "connected component of a class is an object.",
    )
    annotations: str | list[str] | None = Field(
        default=None, description="Files of annotations, as paths or globs; by default all."
    )
    boxes: Literal["skip", "draw", "ignore"] | None = Field(
        default=None,
        description="Whether images with boxes only are skipped, or what boxes become.",
    )
    unannotated: Literal["skip", "background"] | None = Field(
        default=None, description="Whether images without annotations are skipped or background."
    )
    run_order: Literal["columns", "rows"] | None = Field(
        default=None, description="Order of the pixels in run lengths of a CSV file."
    )
    plane: Literal["axial", "coronal", "sagittal"] | None = Field(
        default=None, description="Plane of the slices of NIfTI volumes."
    )
    axes: Literal["nhwc", "nchw", "hwcn", "chwn", "nhw", "hwn"] | None = Field(
        default=None, description="Order of the axes of stacks: number, height, width, channels."
    )
    group_by: str | None = Field(
        default=None, description="Column, or pattern of sample ids, that holds the case."
    )
    val_share: float | None = Field(
        default=None, ge=0, lt=1, description="Share of samples for a missing validation split."
    )
    test_share: float | None = Field(
        default=None, ge=0, lt=1, description="Share of samples for a missing test split."
    )
    seed: int | None = Field(default=None, ge=0, description="Seed of the splits that are made.")
    unite_duplicates: bool = Field(
        default=False, description="Whether images that show nearly the same are one case."
    )


def read_description(path: Path) -> Description:
    """Description in a YAML file; `ConfigError` naming the key that is wrong."""
    try:
        return Description.model_validate(read_yaml(path) or {})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        if first["type"] == "extra_forbidden":
            keys = ", ".join(Description.model_fields)
            raise ConfigError(f"{path} has the unknown key {key}; expected {keys}.") from None
        raise ConfigError(
            f"{path} has a wrong value for {key}: {first['msg']}, received "
            f"{first['input']!r:.100}. Colors need quotes: '#1A2B3C'."
        ) from None


def stated_meanings(description: Description) -> set[Value]:
    """Values of masks whose meaning is stated; 0 where that of all others is."""
    stated = {_value(key) for key in (*(description.values or {}), *description.ignore)}
    is_whole = description.values is not None or description.threshold is not None
    return stated | {0} if is_whole else stated


def write_description(path: Path, content: Mapping[str, Any], remarks: Sequence[str]) -> None:
    """Write keys of a description, with remarks as comments above."""
    Description.model_validate(content)
    text = dump_yaml(dict(content), allow_unicode=True)
    write_text(path, "".join(f"# {one_line(remark)}\n" for remark in remarks) + text)


def described_labels(labels: Labels) -> dict[str, Any]:
    """Keys of a description of masks that hold labels as they are."""
    described = labels.to_dict()
    values = dict(enumerate(labels.names))
    return {"classes": described["names"], "colors": described["colors"], "values": values}


def encoding_of(
    contents: Sequence[MaskContents],
    class_map: ClassMap | None,
    file_per_object: bool,
    description: Description,
) -> tuple[Encoding, Labels, tuple[Doubt, ...]]:
    """Encoding and classes as stated, else as inferred, with doubts about what is inferred.

    `ConfigError` of contradictions.
    """
    stated_map = _class_map(description)
    if description.values is not None or description.threshold is not None:
        return *_stated_encoding(description, stated_map), ()
    ignored = {_value(value) for value in description.ignore}
    if ignored:
        contents = [
            replace(c, values={v: n for v, n in c.values.items() if v not in ignored})
            for c in contents
        ]
        contents = [content for content in contents if content.values]
        if not contents:
            raise ConfigError("data.yaml ignores every value that occurs in the masks.")
    kind, objects = description.encoding, description.objects in ("united", "instances")
    objects = file_per_object or objects or kind == "objects"
    evidence = MaskEvidence(contents, stated_map or class_map, objects, kind, description.snap)
    encoding, labels, doubts = infer_encoding(evidence)
    values = {**encoding.values, **dict.fromkeys(ignored, IGNORE_LABEL)}
    return replace(encoding, values=values), labels, doubts


def _class_map(description: Description) -> ClassMap | None:
    """Class map of the classes and colors that are stated, or `None`."""
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
    return ClassMap(tuple(entries), "data.yaml", stated=True)


def _stated_encoding(
    description: Description, class_map: ClassMap | None
) -> tuple[Encoding, Labels]:
    """Encoding that is stated in full."""
    stated = {_value(key): name for key, name in (description.values or {}).items()}
    stated |= dict.fromkeys(map(_value, description.ignore), IGNORE)
    names = description.classes or list(dict.fromkeys(n for n in stated.values() if n != IGNORE))
    names = names or ["background", "foreground"]
    unknown = sorted(set(stated.values()) - set(names) - {IGNORE})
    if unknown:
        raise ConfigError(
            f"data.yaml maps values to {', '.join(unknown)}; expected one of its classes "
            f"{', '.join(names)}, or {IGNORE}."
        )
    if description.threshold is not None and len(names) != 2:
        raise ConfigError(f"data.yaml states a threshold, which is for two classes, not {names}.")
    kind: EncodingKind = "indices" if description.threshold is None else "binary"
    kind = "objects" if description.objects in ("united", "instances") else kind
    kind = "colors" if any(isinstance(value, tuple) for value in stated) else kind
    kind = description.encoding or kind
    values: dict[Value, int] = {
        value: IGNORE_LABEL if name == IGNORE else names.index(name)
        for value, name in stated.items()
    }
    values = values or ({0: 0, 1: 1} if kind == "objects" else {0: 0, 255: 1})
    colors = [entry.color for entry in class_map.entries] if class_map else []
    if description.colors is None and kind == "colors":
        by_label = {label: value for value, label in reversed(values.items())}
        first_values = [by_label.get(label) for label in range(len(names))]
        colors = [value if isinstance(value, tuple) else None for value in first_values]
    labels = Labels.create(names, complete(colors) or None)
    explanation = "The masks are as data.yaml states."
    snap = bool(description.snap) and description.threshold is None
    return Encoding(kind, values, description.threshold, explanation, snap), labels


def stated_values(encoding: Encoding, labels: Labels) -> dict[int | str, str]:
    """Values of an encoding as `values` of a description."""
    names = {**dict(enumerate(labels.names)), IGNORE_LABEL: IGNORE}
    return {
        value if isinstance(value, int) else format_value(value): names[label]
        for value, label in encoding.values.items()
    }


def _value(key: int | str) -> Value:
    if isinstance(key, int):
        return key
    return int(key) if key.removeprefix("-").isdecimal() else parse_color(key)
