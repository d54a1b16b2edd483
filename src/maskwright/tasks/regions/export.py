"""Classifiers of regions as functions of the inputs that `models.classifiers` describes, and how
they are exported.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.export.engines import ALONE, Network, Threads, check_outputs
from maskwright.export.export_task import (
    FLOAT,
    Example,
    ExportTask,
    Parity,
    PixelRange,
    drawn_image,
)
from maskwright.export.formats.keras import keras_network, read_keras
from maskwright.export.formats.table import FORMATS, open_engine
from maskwright.export.runtime import open_model
from maskwright.model_card import RegionCard
from maskwright.types import Format

ClassifierFn = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]
"""From the inputs of a classifier to `logits (b, 1)`, `weights (b, n)`, `region_logits (n, 1)`."""

CLASSIFIER_PARTS = ("look", "join")
"""Folders of the two networks of a classifier, as `models.parts` gives them, in an artifact."""

_BAGS = ((0, 0, 0), (0, 1, 1, 2, 2, 2, 2))  # of batches: the bag of each region
_REGIONS_AT_ONCE = 64  # embedded; a bag may hold any number


def load_classifier(path: Path, threads: Threads = ALONE) -> tuple[ClassifierFn, RegionCard]:
    """The classifier of a run or an artifact as a function; `ModelError` as `open_model`."""
    return open_model(path, RegionCard, keras_classifier, artifact_classifier, threads)


def keras_classifier(model: Any) -> ClassifierFn:
    """Function of a Keras classifier."""
    from maskwright.models import parts

    return _joined(*map(keras_network, parts(model)))


def artifact_classifier(
    folder: Path, engine: Format, card: RegionCard, threads: Threads = ALONE
) -> ClassifierFn:
    """The classifier of an artifact, in its engine."""
    if FORMATS[engine].described:
        return keras_classifier(read_keras(folder, classifier=True))
    run = _joined(*(open_engine(folder / part, engine, threads) for part in CLASSIFIER_PARTS))
    check_outputs(folder, run)
    return run


def _joined(look: Network, join: Network) -> ClassifierFn:
    """Function of the two parts of a classifier; regions are embedded a few at a time, so that
    bags of any number fit into memory.
    """

    def decide(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        number = inputs["bags"].shape[1]
        chunks: list[dict[str, np.ndarray]] = []
        for first in range(0, number, _REGIONS_AT_ONCE):
            part = slice(first, first + _REGIONS_AT_ONCE)
            chunks.append(look({n: inputs[n][part] for n in inputs if n != "bags"}))
        regions = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
        outputs = join({**regions, "bags": inputs["bags"]})
        return {**outputs, "region_logits": regions["region_logits"]}

    return decide


def measure_decisions(
    model: ClassifierFn,
    exported: ClassifierFn,
    card: RegionCard,
    bags: Iterable[Mapping[str, np.ndarray]],
) -> Parity:
    """Parity of two classifiers on batches of bags, as `models.classifiers` describes inputs."""
    sizes = []
    largest, same, number = 0.0, 0, 0
    for inputs in bags:
        first, second = (probabilities(run(inputs), card) for run in (model, exported))
        largest = max(largest, *(float(np.abs(first[n] - second[n]).max()) for n in first))
        answers = [outputs["logits"] >= card.threshold for outputs in (first, second)]
        same += int((answers[0] == answers[1]).sum())
        number += len(answers[0])
        sizes.append(tuple(int(count) for count in inputs["bags"].sum(axis=1)))
    return Parity(
        sizes=tuple(sizes),
        images=number,
        difference=largest,
        agreement=same / max(number, 1),
        agreement_of="decisions",
        compared=number,
    )


def probabilities(outputs: Mapping[str, np.ndarray], card: RegionCard) -> dict[str, np.ndarray]:
    """Outputs of a classifier, with probabilities in the place of logits."""
    from scipy.special import expit  # slow to import

    return {
        name: values if name == "weights" else expit(values / card.temperature)
        for name, values in outputs.items()
    }


def drawn_bags(
    card: RegionCard, spread: tuple[np.ndarray, np.ndarray] | None, seed: int
) -> list[dict[str, np.ndarray]]:
    """Two batches of bags, of one to four regions, as `models.classifiers` describes inputs.

    `spread` are means and deviations of the measures, `(m,)` each; `None` for a model without.
    """
    rng = np.random.default_rng(seed)
    side, high = card.size, card.value_range[1]
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    batches = []
    for number, owners in enumerate(_BAGS):
        count = len(owners)
        masks = np.zeros((count, side, side), np.float32)
        images = []
        for place in range(count):
            tall, wide = rng.uniform(0.1, 0.45, 2)
            masks[place] = (rows / tall) ** 2 + (columns / wide) ** 2 < 1
            crop = drawn_image(card, (side, side), seed + 100 * number + place, card.value_range)
            if card.outside == "channel":
                crop = np.dstack([crop, masks[place] * high])
            images.append(crop)
        measures = np.zeros((count, len(card.measures)))
        if spread is not None:
            measures = spread[0] + spread[1] * rng.normal(size=measures.shape)
        batches.append(
            {
                "images": np.stack(images).astype(np.float32),
                "masks": masks,
                "measures": measures.astype(np.float32),
                "bags": (np.arange(max(owners) + 1)[:, None] == owners).astype(np.float32),
            }
        )
    return batches


def _networks(model: Any, card: RegionCard) -> Mapping[str, Any]:
    from maskwright.models import parts

    return dict(zip(CLASSIFIER_PARTS, parts(model), strict=True))


def _spread(model: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean and deviation by which a classifier standardizes measures."""
    for layer in model.layers:
        if layer.name == "standardize":
            return np.asarray(layer.mean), np.asarray(layer.std)
    return None


def _examples(card: RegionCard, pixel_range: PixelRange, model: Any) -> list[Example]:
    return [*drawn_bags(card, _spread(model), 0)]


def _answer(run: ClassifierFn, card: RegionCard, example: Example) -> np.ndarray:
    return probabilities(run(example), card)["logits"][:, 0]


EXPORT = ExportTask(
    card=RegionCard,
    limits=FLOAT,
    from_keras=keras_classifier,
    from_artifact=artifact_classifier,
    networks=_networks,
    examples=_examples,
    samples=None,
    compare=measure_decisions,
    answer=_answer,
)
