"""What a data.yaml states: its keys."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maskwright.data.encodings.encoding import EncodingKind
from maskwright.data.readers.mask_fit import MaskOrientation
from maskwright.errors import ConfigError, one_line
from maskwright.imageio import dump_yaml, read_yaml, write_text
from maskwright.labels import Labels

FILE_NAMES = ("data.yaml", "data.yml")

PLACES = frozenset({"images", "masks", "manifest", "splits"})  # keys on where files are

OWN_LAYOUT = PLACES - {"splits"}
"""Keys that state another layout than that of a published data set or an annotation format."""

READING = PLACES | {"field_of_view", "pair_by", "unannotated", "overlap"}
"""Keys on which files are read, and how they belong together."""

MULTILABEL = "multilabel"
"""Value of `overlap` where a pixel may belong to several classes."""


class Description(BaseModel):
    """Keys of a data.yaml; all may be omitted, and what is omitted is inferred from the files."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    root: str = Field(default=".", description="Folder that all paths are relative to.")
    images: str | None = Field(default=None, description="Folder or glob of the images.")
    masks: str | dict[str, str] | None = Field(
        default=None, description="Folder or glob of the masks, or one for each class, by name."
    )
    field_of_view: str | None = Field(
        default=None, description="Folder or glob of masks outside of which pixels are ignored."
    )
    pair_by: Literal["name", "order"] | None = Field(
        default=None, description="Whether images and masks belong together by name or by order."
    )
    overlap: Literal["multilabel"] | list[str] | None = Field(
        default=None,
        description="multilabel where a pixel may belong to several classes, or names of classes "
        "that overlap, in the order in which they are painted, the last on top.",
    )
    manifest: str | None = Field(default=None, description="CSV file that lists images and masks.")
    splits: dict[str, str | list[str]] | None = Field(
        default=None,
        description="File of names, or files, names and patterns, of each split; {} for none.",
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
        default=None,
        description="Whether images without annotations are background, or, as all that cannot "
        "be used, skipped.",
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
    calibration_share: float | None = Field(
        default=None, ge=0, lt=1, description="Share of samples that are set aside for `trust`."
    )
    seed: int | None = Field(default=None, ge=0, description="Seed of the splits that are made.")
    unite_duplicates: bool = Field(
        default=False, description="Whether images that show nearly the same are one case."
    )

    @property
    def masks_place(self) -> str | None:
        """`masks` where it is a single place, not one for each class."""
        return None if isinstance(self.masks, dict) else self.masks


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
