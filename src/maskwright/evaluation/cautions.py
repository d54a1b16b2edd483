"""Cautions: what limits the use of scores, each with a code for programs and a text for people."""

from collections.abc import Sequence
from dataclasses import dataclass

from maskwright.errors import DataError
from maskwright.labels import Labels


@dataclass(frozen=True)
class Caution:
    """A reason to read scores with care.

    Args:
        code: Name that programs compare, such as `"few_cases"`.
        text: One sentence.
    """

    code: str
    text: str

    def to_dict(self) -> dict[str, str]:
        """Code and text for JSON."""
        return {"code": self.code, "text": self.text}


def class_cautions(model: Labels, data: Labels) -> list[Caution]:
    """Whether classes of model and data have the same names.

    Raises:
        DataError: If their number differs.
    """
    if model.num_classes != data.num_classes:
        raise DataError(
            f"Expected data with the {model.num_classes} classes of the model "
            f"({', '.join(model.names)}); the data has {data.num_classes} "
            f"({', '.join(data.names)})."
        )
    if model.names == data.names:
        return []
    text = (
        f"The model calls its classes {', '.join(model.names)}, the data calls them "
        f"{', '.join(data.names)}; they were matched in this order."
    )
    return [Caution("class_names", text)]


def merge_cautions(
    names: Sequence[str], cautions: Sequence[Sequence[Caution]]
) -> tuple[Caution, ...]:
    """Cautions of several models: those of all once, others after the name of their model."""
    shared = [caution for caution in cautions[0] if all(caution in other for other in cautions)]
    for name, own in zip(names, cautions, strict=True):
        shared += [Caution(c.code, f"{name}: {c.text}") for c in own if c not in shared]
    return tuple(shared)
