"""Trained models of masks on a data set: one evaluated, or two compared."""

from dataclasses import replace
from pathlib import Path

from maskwright.data import DataSet, open_dataset
from maskwright.errors import DataError
from maskwright.evaluation import Caution, EvaluateOptions
from maskwright.export.ensemble import is_ensemble
from maskwright.inference.predictor import Predictor
from maskwright.tasks.provenance import division_of, learned_ids
from maskwright.tasks.semantic.evaluation.compare import Comparison, compare_masks
from maskwright.tasks.semantic.evaluation.scorer import evaluate_masks
from maskwright.tasks.semantic.evaluation.scores import SemanticEvaluation


def evaluate_run(run: Path, data: str | Path, options: EvaluateOptions) -> SemanticEvaluation:
    """Score a run on a split of its own division of the data."""
    # With the splits of the run, so that nothing it was trained on is scored.
    dataset = open_dataset(data, **division_of(run))
    # Of a single run the name of the split tells; members of an ensemble were trained on more.
    learned = learned_ids(run, data) if is_ensemble(run) else ()
    return evaluate_masks(Predictor.load(run), dataset, options, learned)


def compare_runs(a: Path, b: Path, data: str | Path, options: EvaluateOptions) -> Comparison:
    """Score two runs on the images that are in the split for both."""
    models = Predictor.load(a), Predictor.load(b)
    dataset, warnings = _shared(a, b, data, options.split)
    comparison = compare_masks(
        models,
        dataset,
        options,
        names=(str(a), str(b)),
        learned=(learned_ids(a, data), learned_ids(b, data)),
    )
    return replace(comparison, warnings=(*warnings, *comparison.warnings))


def _shared(a: Path, b: Path, data: str | Path, split: str) -> tuple[DataSet, tuple[Caution, ...]]:
    """The data set with the samples that are in the split for both runs."""
    dataset = open_dataset(data, **division_of(a))
    if division_of(b) == division_of(a):
        return dataset, ()
    samples = dataset.of(split)
    others = {sample.id for sample in open_dataset(data, **division_of(b)).of(split)}
    shared = [sample for sample in samples if sample.id in others]
    if not shared:
        raise DataError(
            f"{a} and {b} divide {dataset.root} differently, and no image is in the split "
            f"{split!r} for both; train both with the same shares, split_seed and group_by."
        )
    if len(shared) == len(samples) == len(others):
        return dataset, ()
    text = (
        f"The runs divide the data differently: only {len(shared)} of {len(samples)} images are "
        f"in the split {split!r} for both, and are scored."
    )
    rest = tuple(sample for sample in dataset.samples if sample.split != split)
    caution = Caution("different_splits", text)
    return replace(dataset, samples=(*rest, *shared)), (caution,)
