"""Settings as typed keyword arguments of `train` and `train_regions`, completed by editors.

Each key is a field of `TrainConfig` or `RegionConfig`, which describe and check it; a test compares
them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Never, TypedDict

from maskwright.model_card import PostprocessingArguments
from maskwright.types import InstanceMethod, Outside, RegionKind, Tracker, Unit


class SharedSettings(TypedDict, total=False):
    """Settings of every run, as in `RunConfig`."""

    augmentation: str | dict[str, Any]
    memory_limit_mb: float
    skip_unreadable: bool
    val_share: float | None
    test_share: float | None
    calibration_share: float | None
    split_seed: int | None
    fold: str | tuple[int, int] | None
    group_by: str | None
    unite_duplicates: bool
    encoder: str
    encoder_weights: str | None
    encoder_widths: Sequence[int]
    taps: dict[int, str] | None
    alpha: float
    dropout: float
    smoothing: float
    batch_size: int
    optimizer: Literal["adamw", "adam", "sgd"]
    learning_rate: float
    encoder_rate: float | None
    weight_decay: float
    clip_norm: float | None
    schedule: Literal["cosine", "polynomial", "constant"]
    warmup: float
    freeze: float | None
    fix_statistics: bool | None
    freeze_stem: bool | None
    average: float
    patience: int | None
    seed: int
    previews: int
    track: Tracker | None
    checkpoint_seconds: float
    loss: Any


class PlanSettings(SharedSettings, PostprocessingArguments[Never], total=False):
    """Settings of `train` without its length, as in `TrainConfig`."""

    size: int | str | Literal["auto"] | tuple[int, int] | None
    crop: int | str | tuple[int, int] | None
    favor_rare: bool
    weights: str | Path | None
    preset: str | None
    decoder: str
    decoder_widths: Sequence[int] | None
    transposed: bool | None
    separable: bool | None
    norm: Literal["batch", "group", "instance", "none"]
    output_stride: Literal[8, 16, 32]
    deep_supervision: float | None
    longer_side: int | None
    objects: InstanceMethod | Literal["auto"] | None
    detector: str | dict[str, Any]
    one_logit: bool
    class_weights: Literal["balanced"] | dict[str, float] | None
    threshold: float | None


class TrainSettings(PlanSettings, total=False):
    """Settings of `train`, as in `TrainConfig`."""

    epochs: int | None
    minutes: float | None


class RegionSettings(SharedSettings, total=False):
    """Settings of `train_regions`, as in `RegionConfig`."""

    epochs: int | None
    minutes: float | None
    positive: str | None
    classes: Sequence[str] | None
    unit: Unit | None
    label_by: Literal["image", "region", "class"] | None
    label_table: str | None
    regions: RegionKind | None
    min_area_px: int
    max_regions: int
    size: int
    context: float | None
    outside: Outside
    mask_perturbation: float | None
    variants: int
    segmenter: str | None
    preset: Literal["reference_cnn"] | None
    pixels: bool
    measures: bool
    pooling: Literal["attention", "mean", "max"]
    embedding: int
    balance: bool
    calibrate: bool
    threshold: float
    specificity: float
