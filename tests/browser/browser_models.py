"""The models of the page in a browser: one of every task, and one of three classes."""

from made_up_models import (
    classifier,
    detect_discs,
    finder,
    layered,
    predictor,
    three_logits,
    two_logits,
)
from maskwright.serving import ModelRegistry
from maskwright.tasks.instances import serving as instances
from maskwright.tasks.multilabel import serving as multilabel
from maskwright.tasks.regions import serving as regions
from maskwright.tasks.regions.pipeline import Pipeline
from maskwright.tasks.semantic import serving as semantic

MASKS = predictor(logits=two_logits, tile=None)
COLORS = predictor(
    ("background", "dull", "bright"), three_logits, tile=None, threshold=0.6, min_area_px=20
)
LAYERED = layered(tile=None)
ANSWERS = classifier(170, 20, names=("benign", "malignant"), unit="image", size=32)
REGIONS = Pipeline(ANSWERS, MASKS)


def browser_models(runs=None):
    """All of them, and folders of runs beside them."""
    masks = semantic.as_served("masks", MASKS)
    models = ModelRegistry(runs or {})
    for served in (
        masks,
        semantic.as_served("colors", COLORS),
        instances.as_served("objects", finder(detect_discs)),
        regions.as_served("regions", ANSWERS, masks.segmenter),
        multilabel.as_served("layers", LAYERED),
    ):
        models.add(served)
    return models
