"""Settings of data, splits and augmentation, shared by all training runs."""

import re
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
)

from maskwright.data.pipeline.arrays import MEMORY_LIMIT_MB

_STRENGTH = "medium"


class DataSettings(BaseModel):
    """Settings of data, splits and augmentation."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    augmentation: dict[str, Any] = Field({"strength": _STRENGTH})
    """Augmentation strength: none, light, medium or strong. Single parameters are set as
    augmentation.rotate_degrees=10."""
    memory_limit_mb: PositiveFloat = MEMORY_LIMIT_MB
    """Decoded images of a split are kept in memory up to this many MB, and on disk above."""
    skip_unreadable: bool = True
    """Report unreadable files and continue without them; false stops at the first one."""
    val_share: float | None = Field(None, ge=0, lt=1)
    """Fraction of cases assigned to the validation split if the data defines none; none for 0.1."""
    test_share: float | None = Field(None, ge=0, lt=1)
    """Fraction of cases assigned to the test split if the data defines none; none for 0.15."""
    split_seed: NonNegativeInt | None = None
    """Random seed of the splits, separate from `seed`, so that runs with different seeds share
    their splits; none for the seed in data.yaml, or 0."""
    fold: tuple[PositiveInt, PositiveInt] | None = None
    """Cross-validation fold: 2/5 holds out the second of five folds and trains on the others; none
    for no cross-validation."""
    group_by: str | None = None
    """Column of a CSV, or regular expression whose first group in the file name, identifies the
    case; a case is never divided between splits."""
    unite_duplicates: bool = False
    """Assign cases that share near-duplicate images to the same split."""

    @field_validator("augmentation", mode="before")
    @classmethod
    def _read_augmentation(cls, value: Any) -> Any:
        # The command line reads `none` as no value; here it names a strength.
        parameters = {"strength": value} if isinstance(value, str | None) else value
        if not isinstance(parameters, dict):
            return parameters
        strength = parameters.get("strength", _STRENGTH)
        return {**parameters, "strength": "none" if strength is None else strength}

    @field_validator("fold", mode="before")
    @classmethod
    def _read_fold(cls, value: Any) -> Any:
        """Accept `2/5` and a pair of integers."""
        match = re.fullmatch(r"(\d+)/(\d+)", value) if isinstance(value, str) else None
        return (int(match[1]), int(match[2])) if match else value

    def division(self) -> dict[str, Any]:
        """Arguments of `open_dataset` that define splits and folds."""
        return {
            "group_by": self.group_by,
            "val_share": self.val_share,
            "test_share": self.test_share,
            "seed": self.split_seed,
            "fold": self.fold,
            "unite_duplicates": self.unite_duplicates,
        }
