"""From images to masks: tiles, probabilities, labels, cleaning, whole folders."""

from maskwright.inference.cached_prediction import predict_tunable, record
from maskwright.inference.folder import predict_folder
from maskwright.inference.folder_plan import FolderResult
from maskwright.inference.large.partial_mask import LargeOptions
from maskwright.inference.large.polygons import write_polygons
from maskwright.inference.large.predict_large import LARGE_PIXELS, predict_large
from maskwright.inference.output_paths import Failure
from maskwright.inference.postprocess import clean
from maskwright.inference.prediction import Prediction
from maskwright.inference.predictor import Flips, Predictor
from maskwright.inference.tiling import predict_tiled
from maskwright.inference.tune_postprocessing import tune_postprocessing
from maskwright.inference.tuning_result import TuningResult

__all__ = [
    "LARGE_PIXELS",
    "LargeOptions",
    "TuningResult",
    "Failure",
    "Flips",
    "FolderResult",
    "Prediction",
    "Predictor",
    "tune_postprocessing",
    "clean",
    "predict_folder",
    "predict_large",
    "predict_tunable",
    "predict_tiled",
    "record",
    "write_polygons",
]
