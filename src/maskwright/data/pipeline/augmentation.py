"""Settings of augmentation, and named strengths."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from maskwright.errors import ConfigError
from maskwright.types import Symmetry

FILL_MODES = ("ignore", "constant", "nearest", "reflect", "wrap")
"""What lies beyond the border of an augmented image; see `Augmentation`."""


@dataclass(frozen=True)
class Augmentation:
    """Random changes of an image with its mask; the defaults change nothing.

    Amounts are uniform in the stated range, angles and moves either way; `*_probability` is the
    share of images that are changed. Photometric amounts are shares of the range of pixel values.
    A value outside its range raises `ConfigError`.

    Args:
        flip_vertical: Probability of swapping top and bottom. No strength has it: whether up
            differs from down is a property of the images. Set 0.5 for microscopy and aerial.
        shift: Largest move along each axis, as a share of the window.
        scale: Smallest and largest side of the window that fills the output, as a share of the
            whole; below 1 zooms in, above 1 shows the border. Its place is uniform.
        aspect: Largest change of width against height, as a factor, 1 for none.
        shear_degrees: Largest slant of the vertical axis.
        elastic: Standard deviation of the local displacement, as a share of the shorter side.
        elastic_spacing: Distance between the points that are displaced, same unit.
        brightness: Largest value added or taken away.
        contrast: Largest change of the factor that stretches values about their mean.
        gamma: The exponent lies between `1 / (1 + gamma)` and `1 + gamma`.
        noise: Largest standard deviation of Gaussian noise.
        blur: Largest standard deviation of the Gaussian, in pixels of the output.
        fill_mode: What lies beyond the border. `"ignore"` reflects the image and leaves these
            pixels out of loss and scores; `"constant"` (0), `"nearest"`, `"reflect"` and `"wrap"`
            fill image and mask alike, as `ImageDataGenerator` of Keras does.
    """

    flip_horizontal: float = 0.0
    flip_vertical: float = 0.0
    rotate_degrees: float = 0.0
    rotate_probability: float = 1.0
    shift: float = 0.0
    shift_probability: float = 1.0
    scale: tuple[float, float] = (1.0, 1.0)
    scale_probability: float = 1.0
    aspect: float = 1.0
    aspect_probability: float = 1.0
    shear_degrees: float = 0.0
    shear_probability: float = 1.0
    elastic: float = 0.0
    elastic_spacing: float = 0.25
    elastic_probability: float = 1.0
    brightness: float = 0.0
    brightness_probability: float = 1.0
    contrast: float = 0.0
    contrast_probability: float = 1.0
    gamma: float = 0.0
    gamma_probability: float = 1.0
    noise: float = 0.0
    noise_probability: float = 1.0
    blur: float = 0.0
    blur_probability: float = 1.0
    fill_mode: str = "ignore"

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if name == "scale":
                low, high = value if _are_numbers(value) and len(value) == 2 else (0, 0)
                fits, expected = 0 < low <= high, "two values, 0 < low <= high"
            elif name == "fill_mode":
                fits, expected = value in FILL_MODES, f"one of {', '.join(FILL_MODES)}"
            else:
                least, most = _RANGES.get(name, (0.0, 1.0))
                fits = _are_numbers((value,)) and least <= value <= most
                expected = f"a number from {least:g} to {most:g}"
            if not fits:
                raise ConfigError(
                    f"Augmentation setting `{name}` takes {expected}; received {value!r}."
                )

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Flips, and rotation by 90 degrees or more, that images undergo in training."""
        degrees = self.rotate_degrees if self.rotate_probability else 0
        vertical = self.flip_vertical > 0 or (self.flip_horizontal > 0 and degrees == 180)
        undergone: dict[Symmetry, bool] = {
            "horizontal_flip": self.flip_horizontal > 0,
            "vertical_flip": vertical,
            "rotation": degrees >= 90,
        }
        return tuple(symmetry for symmetry, is_undergone in undergone.items() if is_undergone)

    @classmethod
    def named(cls, name: str, **overrides: Any) -> "Augmentation":
        """A named strength with single settings changed; `ConfigError` where one does not exist."""
        if not isinstance(name, str) or name not in STRENGTHS:
            raise ConfigError(
                f"Expected an augmentation of {', '.join(STRENGTHS)}; received {name!r}."
            )
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(overrides) - known):
            names = ", ".join(sorted(known))
            raise ConfigError(f"Augmentation has no setting {', '.join(unknown)}; it has {names}.")
        if isinstance(overrides.get("scale"), list):  # YAML and JSON have no tuples
            overrides["scale"] = tuple(overrides["scale"])
        augmentation, unchanged = replace(STRENGTHS[name], **overrides), cls()
        for detail in overrides:
            stem = re.sub("_(probability|spacing)$", "", detail)
            amount = stem if stem in known else f"{stem}_degrees"
            if detail != amount and getattr(augmentation, amount) == getattr(unchanged, amount):
                raise ConfigError(
                    f"Augmentation setting `{detail}` has no effect without `{amount}`; set "
                    f"`{amount}` too, or leave it out."
                )
        return augmentation


def _are_numbers(values: Any) -> bool:
    return isinstance(values, list | tuple) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )


_RANGES = {
    **{"rotate_degrees": (0.0, 180.0), "shear_degrees": (0.0, 60.0), "gamma": (0.0, 4.0)},
    **{"blur": (0.0, 20.0), "aspect": (1.0, 4.0), "elastic_spacing": (0.01, 1.0)},
}


def _sometimes(probability: float, **amounts: float) -> dict[str, Any]:
    """Settings of changes that are made to a share of the images."""
    names = (f"{name.removesuffix('_degrees')}_probability" for name in amounts)
    return amounts | dict.fromkeys(names, probability)


STRENGTHS: Mapping[str, Augmentation] = MappingProxyType(
    {
        "none": Augmentation(),
        "light": Augmentation(
            flip_horizontal=0.5, scale=(0.8, 1.0), aspect=1.1, brightness=0.1, contrast=0.2
        ),
        "medium": Augmentation(
            flip_horizontal=0.5,
            scale=(0.7, 1.0),
            aspect=1.15,
            brightness=0.15,
            contrast=0.3,
            **_sometimes(0.5, rotate_degrees=15, shift=0.05, gamma=0.3),
            **_sometimes(0.2, noise=0.03, blur=1.0),
        ),
        "strong": Augmentation(
            flip_horizontal=0.5,
            scale=(0.5, 1.2),
            aspect=1.3,
            brightness=0.2,
            contrast=0.4,
            **_sometimes(0.8, rotate_degrees=30),
            **_sometimes(0.5, shift=0.1, shear_degrees=10, gamma=0.5),
            **_sometimes(0.3, elastic=0.02, noise=0.05, blur=1.5),
        ),
    }
)
"""From nothing to a lot; `medium` is the default of training."""
