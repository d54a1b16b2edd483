"""How far an exported model differs from the one it was made from."""

from dataclasses import asdict, dataclass
from typing import Any

from maskwright.errors import ModelError


@dataclass(frozen=True)
class ParityLimits:
    """Largest allowed difference of an exported model: of a probability, a map or a score; least
    share of pixels with the same label, of equal decisions, or of objects that both find; and fall
    of the mean Dice.
    """

    difference: float
    agreement: float
    dice: float


FLOAT = ParityLimits(difference=1e-3, agreement=0.999, dice=0.001)
INT8 = ParityLimits(difference=1.0, agreement=0.0, dice=0.005)


@dataclass(frozen=True)
class Parity:
    """Differences of two models on the same images, or the same bags of regions.

    Args:
        sizes: Heights and widths of the images; of bags, how many regions those of a batch have.
        images: Their number, or that of the bags.
        difference: Largest of two probabilities, of two values of a map, or of two scores.
        agreement: Share of pixels with the same label, of bags with the same decision, or of
            objects that both find, with a class and an overlap of more than 0.5.
        dice_change: Mean Dice of the exported model less that of the other, against the true masks
            of those images that have one; or, where none has, its mean Dice against the labels of
            the other less 1. `None` for decisions.
        against: `"masks"` or `"model"`: what Dice was taken against; `None` without Dice.
        agreement_of: `"labels"`, `"decisions"` or `"objects"`: what agrees.
        compared: Number of these.
    """

    sizes: tuple[tuple[int, ...], ...]
    images: int
    difference: float
    agreement: float
    dice_change: float | None = None
    against: str | None = None
    agreement_of: str = "labels"
    compared: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def summary(self) -> str:
        """One sentence with all differences."""
        if self.agreement_of == "decisions":
            where = f"{self.images} bags of {min(map(min, self.sizes))} to "
            where += f"{max(map(max, self.sizes))} regions"
        else:
            sizes = " and ".join("x".join(map(str, size)) for size in self.sizes[:4])
            where = f"{self.images} images of {sizes} px"
        parts = [
            f"by at most {self.difference:.1e} in a "
            + ("map or a score" if self.agreement_of == "objects" else "probability"),
            f"in {1 - self.agreement:.4%} of the {self.compared:,} {self.agreement_of}",
        ]
        if self.dice_change is not None:
            parts.append(f"by {self.dice_change:+.5f} in Dice")
        listed = ", ".join(parts[:-1]) + " and " + parts[-1]
        return f"On {where} it differs from the run {listed}."

    def within(self, limits: ParityLimits) -> bool:
        """Whether the difference is allowed."""
        return (
            self.difference <= limits.difference
            and self.agreement >= limits.agreement
            and (self.dice_change is None or self.dice_change >= -limits.dice)
        )

    def require(self, limits: ParityLimits, engine: str) -> None:
        """Raise `ModelError` with what is beyond the limits."""
        if not self.within(limits):
            dice = "" if self.dice_change is None else f", and {-limits.dice:g} in Dice"
            raise ModelError(
                f"The model exported to {engine} differs from the original. {self.summary()} "
                f"Allowed are {limits.difference:g} and {1 - limits.agreement:.2%}{dice}: use "
                f"another format."
            )
