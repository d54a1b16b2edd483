"""`compare`: two trained models on the same images."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.api.predict import load
from maskwright.data import DataSet, open_dataset
from maskwright.errors import DataError
from maskwright.tasks.provenance import division_of, learned_ids

if TYPE_CHECKING:
    from maskwright.evaluation import Comparison
    from maskwright.evaluation.evaluate import Size
    from maskwright.inference.predictor import Flips


def compare(
    a: str | Path,
    b: str | Path,
    data: str | Path,
    *,
    split: str = "test",
    out: str | Path | None = None,
    size: "Size" = "original",
    flips: "Flips" = False,
    **options: Any,
) -> "Comparison":
    """Score two trained models on the same images of a split, and say which is better, if any.

    Only images are scored that are in the split by the plans of both; where that leaves some out,
    or one of them has learned from some, a warning says so.

    Args:
        a: Folder of a run or an ensemble.
        b: Of another.
        data: What `open_dataset` takes.
        split: To score.
        out: Folder for the results; `comparison/NAME_OF_B/SPLIT` in `a` when left out.
        size: `"original"` scores masks in their own size, `"working"` in the models'.
        flips: Average over the mirrored image too.
        options: Of `evaluation.compare`.

    Raises:
        MaskwrightError: One sentence on what is wrong and what to do.
    """
    from maskwright.evaluation import compare as score
    from maskwright.evaluation import write_comparison

    first, second = Path(a), Path(b)
    models = load(first), load(second)
    dataset, warnings = _shared(first, second, data, split)
    found = score(
        *models,
        dataset,
        split,
        names=(str(a), str(b)),
        size=size,
        flips=flips,
        learned=(learned_ids(first, data), learned_ids(second, data)),
        **options,
    )
    found = replace(found, warnings=(*warnings, *found.warnings))
    write_comparison(found, out or comparison_folder(first, second, split))
    return found


def comparison_folder(a: Path, b: Path, split: str) -> Path:
    """Where a comparison is written when nothing else is said."""
    return a / "comparison" / b.resolve().name / split


def _shared(a: Path, b: Path, data: str | Path, split: str) -> tuple[DataSet, list[str]]:
    """The data set with the samples of the split that are in it for both, and what was left out."""
    dataset = open_dataset(data, **division_of(a))
    if division_of(b) == division_of(a):
        return dataset, []
    own = dataset.of(split)
    others = {sample.id for sample in open_dataset(data, **division_of(b)).of(split)}
    shared = [sample for sample in own if sample.id in others]
    if not shared:
        raise DataError(
            f"{a} and {b} divide {dataset.root} differently, and no image is in the split "
            f"{split!r} for both; train both with the same shares, split_seed and group_by."
        )
    if len(shared) == len(own) == len(others):
        return dataset, []
    told = (
        f"The runs divide the data differently: only {len(shared)} of {len(own)} images are in "
        f"the split {split!r} for both, and are scored."
    )
    rest = tuple(sample for sample in dataset.samples if sample.split != split)
    return replace(dataset, samples=(*rest, *shared)), [told]
