"""Settings of region classification."""

from typing import ClassVar, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from maskwright.config.base import RunConfig
from maskwright.types import Outside, RegionKind, Unit


class RegionConfig(RunConfig):
    """Settings of one run of region classification."""

    task: ClassVar[str] = "regions"
    command: ClassVar[str] = "maskwright regions train"
    default_minutes: ClassVar[float] = 5.0

    # Labels
    positive: str | None = None
    """Label of the positive class; none where two labels leave no doubt, such as benign and
    malignant."""
    classes: tuple[str, ...] | None = None
    """Labels to train on, such as [benign, malignant]; samples with other labels are skipped; none
    for all labels."""
    unit: Unit | None = None
    """Unit of a decision: region, image or case; none to infer it from the labels."""
    label_by: Literal["image", "region", "class"] | None = None
    """Source of the labels: image, region, or class (the label in the mask); none to infer it."""
    label_table: str | None = None
    """CSV file with the columns image, region and label; none for regions.csv or cells.csv in the
    data folder."""
    unite_duplicates: bool = True
    """Assign cases that share near-duplicate images to the same split."""

    # Regions and crops
    regions: RegionKind | None = None
    """Definition of a region in a mask: components (connected components), instances (pixel values)
    or whole (all foreground); none to infer it."""
    min_area_px: PositiveInt = 1
    """Minimum region area in pixels; smaller regions are skipped."""
    max_regions: PositiveInt = 64
    """Maximum number of regions of one unit in a training step; more are sampled at random."""
    size: PositiveInt = 128
    """Side of the square region crops, in pixels."""
    context: NonNegativeFloat | None = 0.2
    """Margin around the bounding box of a region, as a fraction of its sides; none for the whole
    image."""
    outside: Outside = "darkened"
    """Pixels outside the mask of a region: kept, darkened to 30%, removed (0), or kept with the
    mask as an additional channel."""
    mask_perturbation: float | None = Field(None, ge=0, le=0.4)
    """Size of the simulated segmentation errors in training masks, as a fraction of the region's
    diameter; none to match the segmenter's errors, or 0.08 without a segmenter."""
    variants: NonNegativeInt = 4
    """Number of masks with simulated errors made for each training region."""
    segmenter: str | None = None
    """Folder of a segmentation run whose predicted masks are added to the training data and used at
    inference; none to use given masks."""

    # Model
    preset: Literal["reference_cnn"] | None = None
    """Published network that replaces encoder and pooling; none for the encoder."""
    pixels: bool = True
    """Use the pixels of the crops as input."""
    measures: bool = True
    """Use measures of shape and intensity of each region as input."""
    pooling: Literal["attention", "mean", "max"] = "attention"
    """Pooling of the region embeddings of a unit: attention, mean or max."""
    embedding: PositiveInt = 64
    """Embedding size of a region."""
    balance: bool = True
    """Weight both classes equally in the loss, whatever their frequency."""

    # Optimization
    loss: str = "ce"
    """Loss function: ce or focal, optionally with a factor, such as 0.5*focal."""
    batch_size: PositiveInt = 16
    """Units per training step, summed over all workers."""
    learning_rate: PositiveFloat = 1e-3
    """Peak learning rate; the schedule scales it."""
    weight_decay: NonNegativeFloat = 1e-2
    """Decoupled weight decay per step of adamw and sgd, multiplied by the learning rate."""
    dropout: float = Field(0.3, ge=0, lt=1)
    """Dropout rate of the embeddings, in training only."""

    # Output
    calibrate: bool = True
    """Calibrate probabilities by temperature scaling on the validation split."""
    threshold: float = Field(0.5, gt=0, lt=1)
    """Minimum probability of a positive decision, stored in the model card."""
    specificity: float = Field(0.9, gt=0, lt=1)
    """Specificity at which reports state the sensitivity."""

    @model_validator(mode="after")
    def _check_inputs(self) -> Self:
        if not (self.pixels or self.measures):
            raise ValueError("a classifier needs pixels, measures or both")
        return self

    @property
    def initial_encoder_weights(self) -> str | None:
        """`encoder_weights`, but `None` where the encoder has none, or there is none."""
        encodes = self.preset is None and self.pixels
        return super().initial_encoder_weights if encodes else None
