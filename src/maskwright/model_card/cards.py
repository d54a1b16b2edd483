"""The model card of each task."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from maskwright.labels import Labels
from maskwright.model_card.base import ModelCard, wrong_value
from maskwright.model_card.postprocessing import Postprocessing
from maskwright.types import InstanceMethod, Outside, RegionKind, Unit

Share = Annotated[float, Field(gt=0, lt=1)]
Probability = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True, kw_only=True)
class _PixelCard(ModelCard):
    labels: Labels
    size: tuple[PositiveInt, PositiveInt] | None
    tile: PositiveInt | None
    threshold: Share | None

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by label."""
        return self.labels.names


@dataclass(frozen=True, kw_only=True)
class SemanticCard(Postprocessing, _PixelCard):
    """Card of a model that gives every pixel a class; scaling of pixels is inside the model.

    Areas of the post-processing are px of the original image.

    Args:
        size: `(height, width)` that whole images are stretched to, px; `None` keeps their scale.
        tile: Side of the tiles that larger images are cut into at their own scale, px; `None`
            runs every image whole.
        threshold: With two classes, probability from which a pixel is foreground; with more,
            probability below which it is background. `None` takes the most probable class.
    """

    task: ClassVar[str] = "semantic"
    command: ClassVar[str] = "maskwright train"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("threshold", "fill_holes_px"):
            value = getattr(self, name)
            if self.background is None and not self.overlapping and value not in (None, 0):
                expected = "must be nothing: the model has several classes and none is a background"
                raise wrong_value(name, expected, value)

    @property
    def background(self) -> int | None:
        """Label of what is no object: the class named so, else the first of two, else `None`."""
        if self.labels.background is None and self.labels.num_classes <= 2:
            return 0
        return self.labels.background


@dataclass(frozen=True, kw_only=True)
class MultilabelCard(SemanticCard):
    """Card of a model that decides for every pixel on each class alone; none is a background.

    Args:
        thresholds: Probability from which a pixel belongs to each class.
        threshold: In place of them, one for all classes; `None` for `thresholds`.
    """

    task: ClassVar[str] = "multilabel"
    overlapping: ClassVar[bool] = True

    thresholds: tuple[Share, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.thresholds) != self.labels.num_classes:
            expected = f"must have one value for each of {self.labels.num_classes} classes"
            raise wrong_value("thresholds", expected, self.thresholds)

    @property
    def background(self) -> None:
        """No class: what belongs to none is the background."""


@dataclass(frozen=True, kw_only=True)
class InstanceCard(ModelCard):
    """Card of a model that predicts single objects; `size` and `tile` are as in `SemanticCard`.

    Args:
        longer_side: Length to which the longer side of whole images is resized, keeping the aspect,
            px; `None` for `size` or the scale of the images.
        object_px: Longer side of the largest objects of training, px of the images as the model
            takes them, which tiles must hold; `None` if unknown.
        mask_iou: IoU of two masks of a class above which the object of the lower score is
            suppressed, of `"condinst"` and `"mask_rcnn"`.
        foreground: Probability from which a pixel belongs to an object, of `"centers"`.
        marker: Mean of depth and nearness to a center from which a pixel starts an object, of
            `"centers"`.
        score: Minimum score of an object.
        min_area_px: Smaller objects are removed, px of the original image.
    """

    task: ClassVar[str] = "instances"
    command: ClassVar[str] = "maskwright train --set objects=…"
    background: ClassVar[int] = 0

    labels: Labels
    method: InstanceMethod
    size: tuple[PositiveInt, PositiveInt] | None
    tile: PositiveInt | None
    longer_side: PositiveInt | None = None
    object_px: PositiveInt | None = None
    mask_iou: Share = 0.5
    foreground: Probability = 0.5
    marker: Probability = 0.5
    score: Probability = 0.5
    min_area_px: NonNegativeInt = 0

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by label."""
        return self.labels.names


@dataclass(frozen=True, kw_only=True)
class RegionCard(ModelCard):
    """Card of a model that decides on masked regions.

    Args:
        names: Class names of the decision, negative first.
        unit: What one decision is made on.
        context: Margin around the box of a region, as a share of its sides; `None` for the whole
            image instead.
        measures: Names of the measures that the model takes, in their order.
        min_area_px: Minimum area of a region, px of the original image.
        min_predicted_px: Minimum area of a region in a predicted mask, px of the original image.
        full_scale: Pixel value of full intensity in measures; `None` for the largest of its type.
        threshold: Probability from which the decision is the second name.
    """

    task: ClassVar[str] = "regions"
    command: ClassVar[str] = "maskwright regions train"
    hub_task: ClassVar[str] = "image-classification"

    names: tuple[str, str]
    unit: Unit
    regions: RegionKind
    size: PositiveInt
    context: NonNegativeFloat | None
    outside: Outside
    measures: tuple[str, ...]
    min_area_px: PositiveInt = 1
    min_predicted_px: int = 1
    full_scale: float | None = None
    threshold: Share = 0.5

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by label."""
        return self.names
