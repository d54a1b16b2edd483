"""From images to masks: tiles, probabilities, labels, cleaning, whole folders."""

from maskwright.inference.folder import Failure, FolderResult, predict_folder
from maskwright.inference.postprocess import clean
from maskwright.inference.predictor import Flips, Prediction, Predictor
from maskwright.inference.tiling import predict_tiled

__all__ = [
    "Failure",
    "Flips",
    "FolderResult",
    "Prediction",
    "Predictor",
    "clean",
    "predict_folder",
    "predict_tiled",
]
