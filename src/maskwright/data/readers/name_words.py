"""Words in the names of files and folders that state a split, an image or a mask."""

from collections.abc import Mapping

SPLIT_WORDS: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "trainval": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
"""Names of splits in folders, lists and manifests, and what they are called here."""

IMAGE_WORDS = frozenset(
    {"images", "image", "imgs", "img", "jpegimages", "jpgs", "photos", "photo", "pictures"}
    | {"picture", "frames", "inputs", "input", "rgb", "raw", "data", "x", "originals", "original"}
    | {"orig", "sat", "tiles", "leftimg8bit", "source", "src", "scans"}
)
MASK_WORDS = frozenset(
    {"masks", "mask", "labels", "label", "lbl", "gt", "gts", "groundtruth", "truth", "annotations"}
    | {"annotation", "annot", "annots", "anno", "annos", "trimaps", "trimap", "seg", "segs", "segm"}
    | {"segmentation", "segmentations", "segmentationclass", "segmentationmask", "targets"}
    | {"target", "manual", "1st_manual", "labeled", "labelled", "matte", "mattes", "semantic"}
    | {"ground_truth", "ground-truth", "ground truth", "gtfine", "roi", "y", "l"}
)
