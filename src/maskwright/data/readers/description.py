"""Keys of a data.yaml: what a data set states of itself, so that nothing needs to be inferred."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maskwright.data.encodings.encoding import EncodingKind
from maskwright.errors import ConfigError
from maskwright.imageio import write_text
from maskwright.labels import Labels

FILE_NAMES = ("data.yaml", "data.yml")

PLACES = frozenset({"images", "masks", "manifest", "splits"})
"""Keys that state where files are."""


class Description(BaseModel):
    """Keys of a data.yaml; all may be omitted, and what is omitted is inferred from the files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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
    objects: Literal["united", "instances"] | None = Field(
        default=None, description="Whether masks of single objects are united or kept as instances."
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
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Description.model_validate(content or {})
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path} is not YAML: {reason}.") from None
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
    write_text(path, "".join(f"# {remark}\n" for remark in remarks) + text)


def described_labels(manifest: str, labels: Labels) -> dict[str, Any]:
    """Keys of a description of a manifest whose masks hold labels as they are."""
    described = labels.to_dict()
    values = dict(enumerate(labels.names))
    classes = {"classes": described["names"], "colors": described["colors"], "values": values}
    return {"manifest": manifest, **classes}
