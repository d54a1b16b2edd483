"""Every number of a Mask R-CNN by its name, for large machines and for small ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from maskwright.errors import ConfigError


@dataclass(frozen=True)
class Rcnn:
    """Numbers of a Mask R-CNN; the defaults are those of the paper and its reference.

    Args:
        pyramid_width: Channels of the feature pyramid.
        strides: Of the pyramid; those beyond the encoder's are made by halving.
        pooled_strides: Of the pyramid, from which regions are cut out.
        anchor_sizes: Side of the square anchor at each of `strides`, px.
        ratios: Height by width of the anchors, at equal area.
        anchor_positive: IoU with a true box from which an anchor is positive.
        anchor_negative: IoU with all true boxes below which it is negative.
        anchors_per_step: Anchors of an image that learn in a step.
        anchor_share: Most of them that are positive, a share.
        anchor_beta: Error up to which the loss of anchors' boxes is quadratic.
        ranked_training: Anchors of each stride, best first, that go on to suppression in training.
        ranked: Likewise afterwards.
        proposals: Boxes of an image that go on from there.
        proposal_iou: Overlap from which the worse of two proposals is suppressed.
        regions_per_step: Regions of an image that learn in a step.
        region_share: Most of them that are positive, a share.
        region_positive: IoU with a true box from which a region is positive.
        region_beta: As `anchor_beta`, for regions.
        code_weights: By which shifts and logarithms of sizes of boxes are multiplied.
        canonical_px: Side of a region that is cut out at stride `canonical_stride`.
        canonical_stride: See `canonical_px`.
        box_size: Cells to a side that regions are cut out with, for boxes and classes.
        mask_size: The same for masks, which come out twice as fine.
        samples: Points to a side of each cell that are averaged.
        aligned: Cells have their centers at halves, for anchors and regions; false for whole
            numbers, as in torchvision, whose anchors have whole px besides.
        nearest: Enlarge in the pyramid by the nearest cell, as published, instead of bilinearly.
        hidden: Units of the two dense layers of boxes and classes.
        mask_width: Channels of the convolutions of masks.
        mask_layers: Number of those convolutions.
        score: Minimum score of a detection.
        detection_iou: Overlap from which the worse of two objects of a class is suppressed.
        detections: Maximum number of objects of an image.

    Raises:
        ConfigError: If sizes and strides do not go together, or a share lies outside 0 to 1.

    Sources: Ren et al., Faster R-CNN, 2015; Lin et al., Feature pyramid networks, 2017; He et al.,
    Mask R-CNN, 2017, and the defaults of Detectron2 where these leave a number open.
    """

    pyramid_width: int = 256
    strides: tuple[int, ...] = (4, 8, 16, 32, 64)
    pooled_strides: tuple[int, ...] = (4, 8, 16, 32)
    anchor_sizes: tuple[float, ...] = (32, 64, 128, 256, 512)
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    anchor_positive: float = 0.7
    anchor_negative: float = 0.3
    anchors_per_step: int = 256
    anchor_share: float = 0.5
    anchor_beta: float = 1 / 9
    ranked_training: int = 2000
    ranked: int = 1000
    proposals: int = 1000
    proposal_iou: float = 0.7
    regions_per_step: int = 512
    region_share: float = 0.25
    region_positive: float = 0.5
    region_beta: float = 1.0
    code_weights: tuple[float, float, float, float] = (10.0, 10.0, 5.0, 5.0)
    canonical_px: float = 224.0
    canonical_stride: int = 16
    box_size: int = 7
    mask_size: int = 14
    samples: int = 2
    aligned: bool = True
    nearest: bool = False
    hidden: int = 1024
    mask_width: int = 256
    mask_layers: int = 4
    score: float = 0.05
    detection_iou: float = 0.5
    detections: int = 100

    def __post_init__(self) -> None:
        if len(self.strides) != len(self.anchor_sizes):
            raise ConfigError(
                f"Expected one anchor size for each stride, {len(self.strides)}; received "
                f"{len(self.anchor_sizes)}."
            )
        if not self.pooled_strides or not set(self.pooled_strides) <= set(self.strides):
            raise ConfigError(
                f"Expected `pooled_strides` from the strides {list(self.strides)}; "
                f"received {list(self.pooled_strides)}."
            )
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith(("_share", "_iou", "_positive", "_negative", "score")):
                if not 0 <= value <= 1:
                    raise ConfigError(f"Expected `{field.name}` from 0 to 1; received {value}.")
            elif not isinstance(value, tuple | bool) and value <= 0:
                raise ConfigError(f"Expected `{field.name}` above 0; received {value}.")

    @property
    def positive_regions(self) -> int:
        """Most regions of an image that are positive in a step."""
        return max(int(self.regions_per_step * self.region_share), 1)

    def pooled(self, levels: Iterable[Any]) -> list[Any]:
        """Those of the features of the pyramid from which regions are cut out."""
        by_stride = zip(self.strides, levels, strict=True)
        return [level for stride, level in by_stride if stride in self.pooled_strides]

    @classmethod
    def named(cls, profile: str, **changes: Any) -> "Rcnn":
        """A profile with some numbers changed; `ConfigError` if it or a number does not exist."""
        if profile not in PROFILES:
            raise ConfigError(f"Expected a profile of {', '.join(PROFILES)}; received {profile!r}.")
        if unknown := sorted(changes.keys() - {field.name for field in fields(cls)}):
            raise ConfigError(
                f"Mask R-CNN has no parameter {', '.join(unknown)}; expected one of "
                f"{', '.join(field.name for field in fields(cls))}."
            )
        lists = {name: tuple(v) for name, v in changes.items() if isinstance(v, list)}
        return replace(PROFILES[profile], **{**changes, **lists})


PROFILES: Mapping[str, Rcnn] = MappingProxyType(
    {
        "paper": Rcnn(),
        "small": Rcnn(
            pyramid_width=128,
            strides=(4, 8, 16, 32),
            anchor_sizes=(16, 32, 64, 128),
            anchors_per_step=128,
            ranked_training=500,
            ranked=300,
            proposals=200,
            regions_per_step=64,
            canonical_px=112.0,
            hidden=256,
            mask_width=64,
            mask_layers=2,
        ),
        "torchvision": Rcnn(region_beta=1 / 9, aligned=False, nearest=True),
    }
)
"""`paper`; `small` for images of a few hundred pixels on a CPU; and `torchvision`, which with the
encoder `resnet50_v1_5` is its `maskrcnn_resnet50_fpn`."""
