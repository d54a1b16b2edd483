"""Every parameter of a CondInst by its name."""

import math
from dataclasses import dataclass, fields, replace
from typing import Any

from maskwright.errors import ConfigError


@dataclass(frozen=True)
class CondInst:
    """Parameters of a CondInst; the defaults suit images of a few hundred pixels on a CPU.

    Args:
        pyramid_width: Channels of the feature pyramid and of the towers.
        strides: Of the pyramid; those beyond the encoder's are made by halving.
        tower_layers: Convolutions before the class scores and the mask parameters.
        mask_width: Channels of the convolutions of the mask branch.
        mask_channels: Features of the mask branch that the masks of single objects are read from,
            and channels between the layers of a mask head.
        mask_layers: Layers of a mask head, 1x1 convolutions.
        least_cells: Side of the smallest objects of a level, cells of its stride.
        most_cells: Side of the largest objects of a level, cells of its stride. The finest level
            takes all smaller objects, and the coarsest all larger ones.
        radius: Distance from the center of an object up to which cells are positive, cells.
        masks_per_step: Positive cells of an image whose masks learn in a step.
        focal_power: Exponent of the quality focal loss.
        class_weight: Weight of the loss of class scores.
        mask_weight: Weight of the loss of masks.
        pixel_weight: Weight of the loss of the classes of pixels, which refine the outlines.
        pixel_width: Channels at stride 2 that the classes of pixels are read from; 0 for outlines
            as fine as the masks, at stride 4.
        score: Minimum score of a detection.
        mask_iou: IoU of two masks of a class above which the object of the lower score is
            suppressed.
        detections: Maximum number of candidates of an image.

    Raises:
        ConfigError: If a number is out of its range, or there are no strides.

    Sources: Tian et al., Conditional convolutions for instance segmentation, 2020; Tian et al.,
    FCOS, 2019; levels that overlap as in Wang et al., SOLO, 2020; scores that are learned as the
    IoU of the mask as in Li et al., Generalized focal loss, 2020.
    """

    pyramid_width: int = 64
    strides: tuple[int, ...] = (8, 16, 32, 64)
    tower_layers: int = 2
    mask_width: int = 48
    mask_channels: int = 8
    mask_layers: int = 3
    least_cells: float = 4.0
    most_cells: float = 16.0
    radius: float = 1.5
    masks_per_step: int = 16
    focal_power: float = 2.0
    class_weight: float = 1.0
    mask_weight: float = 2.0
    pixel_weight: float = 1.0
    pixel_width: int = 16
    score: float = 0.05
    mask_iou: float = 0.5
    detections: int = 100

    def __post_init__(self) -> None:
        if not self.strides:
            raise ConfigError("Expected one stride or more of `strides`; received none.")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("score", "mask_iou"):
                if not 0 <= value <= 1:
                    raise ConfigError(f"Expected `{field.name}` from 0 to 1; received {value}.")
            elif field.name.endswith("_weight") or field.name == "pixel_width":
                if not 0 <= value < math.inf:
                    raise ConfigError(f"Expected `{field.name}` of 0 or more; received {value}.")
            elif not isinstance(value, tuple) and not value > 0:
                raise ConfigError(f"Expected `{field.name}` above 0; received {value}.")
        if self.mask_layers < 2:
            raise ConfigError(f"Expected `mask_layers` of 2 or more; received {self.mask_layers}.")
        if self.least_cells > self.most_cells / 2:
            raise ConfigError(
                f"Expected `most_cells` of at least twice `least_cells`, or objects of some sizes "
                f"belong to no level; received {self.most_cells:g} and {self.least_cells:g}."
            )

    @property
    def layer_sizes(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of each layer of a mask head; the first also takes two coordinates and
        the class logit of the pixels.
        """
        width = self.mask_channels
        inner = [(width, width)] * (self.mask_layers - 2)
        return ((width + 3, width), *inner, (width, 1))

    @property
    def head_parameters(self) -> int:
        """Weights and biases of a mask head."""
        return sum(inputs * outputs + outputs for inputs, outputs in self.layer_sizes)

    @classmethod
    def named(cls, **changes: Any) -> "CondInst":
        """The defaults with some parameters changed; `ConfigError` if one does not exist."""
        if unknown := sorted(changes.keys() - {field.name for field in fields(cls)}):
            raise ConfigError(
                f"CondInst has no parameter {', '.join(unknown)}; expected one of "
                f"{', '.join(field.name for field in fields(cls))}."
            )
        lists = {name: tuple(v) for name, v in changes.items() if isinstance(v, list)}
        return replace(cls(), **{**changes, **lists})
