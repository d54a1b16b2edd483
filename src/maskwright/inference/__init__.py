"""From images to masks: tiles, probabilities, labels, cleaning, whole folders."""

from maskwright.inference.choose import Choice, choose, record
from maskwright.inference.folder import FolderResult, predict_folder
from maskwright.inference.jobs import Failure
from maskwright.inference.large import LARGE_PIXELS, predict_large
from maskwright.inference.polygons import write_polygons
from maskwright.inference.postprocess import clean
from maskwright.inference.predictor import Flips, Prediction, Predictor
from maskwright.inference.tiling import predict_tiled

__all__ = [
    "LARGE_PIXELS",
    "Choice",
    "Failure",
    "Flips",
    "FolderResult",
    "Prediction",
    "Predictor",
    "choose",
    "clean",
    "predict_folder",
    "predict_large",
    "predict_tiled",
    "record",
    "write_polygons",
]
