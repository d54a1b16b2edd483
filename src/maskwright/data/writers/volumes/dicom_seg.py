"""Writer of DICOM segmentation objects (SEG), on the images of the series that they are of."""

import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from maskwright import __version__
from maskwright.data.dataset import DataSet
from maskwright.data.readers.volumes.dicom_series import (
    Series,
    by_path,
    dicom_files,
    list_series,
)
from maskwright.data.readers.volumes.volume import read_keys, slice_names
from maskwright.data.writers.base import Writer
from maskwright.data.writers.images import require_usual_splits
from maskwright.errors import DataError
from maskwright.imageio import atomic_write
from maskwright.imageio.dicom.files import read_dicom
from maskwright.labels import BACKGROUND_NAMES, IGNORE_LABEL

_MOST_LETTERS = 64  # of the label of a segment


def _write(dataset: DataSet, folder: Path) -> None:
    """Copy the files of each series, and write a SEG beside them."""
    require_usual_splits(dataset, "DICOM SEG")
    long = [name for name in dataset.labels.names if len(name) > _MOST_LETTERS]
    if long or dataset.labels.background != 0:
        raise DataError(
            f"DICOM SEG expects the background as label 0, and names of at most {_MOST_LETTERS} "
            f"letters; the classes are {', '.join(dataset.labels.names)}."
        )
    origin = Path(dataset.origin)
    origin = origin if origin.is_dir() else origin.parent
    series, _ = list_series(dicom_files(origin))
    by_key = {each.key: each for each in series}
    ids = read_keys(dataset.root)
    of_volume = {id_: by_key[key] for id_, key in ids.items() if key in by_key}
    if not ids or len(of_volume) < len(ids):
        raise DataError(
            f"DICOM SEG is written on the images of DICOM series, of which {origin} holds "
            f"{len(of_volume)} for this data set; expected a data set of DICOM with all its files."
        )
    samples = {sample.id: sample for sample in dataset.samples}
    for id_, each in of_volume.items():
        names = [name.replace("/", "-") for name in slice_names(id_, len(each.frames))]
        if missing := [name for name in names if name not in samples]:
            raise DataError(f"The slice {missing[0]} cannot be used; expected all of a series.")
        place = folder / (samples[names[0]].split or "train") / id_
        place.mkdir(parents=True)
        for number, path in enumerate(by_path(each.frames)):
            shutil.copyfile(path, place / f"{number:05}.dcm")
        labels = np.stack([dataset.read_mask(samples[name]) for name in names])
        if (labels == IGNORE_LABEL).any():
            raise DataError(
                f"{id_} has pixels that are ignored, which DICOM SEG cannot hold; write nifti or "
                f"nnunet, or write them as background with --ignored-as-background."
            )
        seg = place / "segmentation.dcm"
        write_dicom_seg(seg, each, labels, dataset.labels.names, automatic=False)


DICOM_SEG = Writer(
    "dicom-seg", "DICOM series with segmentation objects (SEG)", _write, cases=True, spacing=True
)


def write_dicom_seg(
    path: Path, series: Series, labels: np.ndarray, names: Sequence[str], automatic: bool
) -> None:
    """Write labels `(n, h, w)` of the frames of a series, in their order, as a SEG.

    A class is a segment, but for the background; ignored pixels belong to none. Patient and study
    are those of the images. `automatic` tells a prediction from a drawing. `DataError` without
    highdicom, or where it cannot be written.
    """
    try:
        import highdicom as hd
        from highdicom.seg import SegmentationTypeValues, SegmentDescription
        from pydicom.sr.codedict import codes
    except ImportError:
        raise DataError(
            f"Writing {path} requires highdicom, which is not installed; install it with: pip "
            f'install "maskwright[medical]"'
        ) from None
    used = [n for n, name in enumerate(names) if name.lower() not in BACKGROUND_NAMES and n > 0]
    kind = "AUTOMATIC" if automatic else "MANUAL"
    algorithm = hd.AlgorithmIdentificationSequence(
        "Maskwright", codes.cid7162.ArtificialIntelligence, __version__
    )
    descriptions = [
        SegmentDescription(
            segment_number=number,
            segment_label=names[label][:_MOST_LETTERS],
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=codes.SCT.AnatomicalStructure,
            algorithm_type=kind,
            algorithm_identification=algorithm if automatic else None,
        )
        for number, label in enumerate(used, start=1)
    ]
    segment_of = np.zeros(256, np.uint8)
    segment_of[used] = range(1, len(used) + 1)
    segment_of[IGNORE_LABEL] = 0
    paths = list(dict.fromkeys(frame.path for frame in series.frames))
    sources = [read_dicom(source) for source in paths]
    pixels = segment_of[labels.astype(np.uint8)]
    if len(paths) == 1:  # of several frames, in the order of the file
        pixels = pixels[np.argsort([frame.index for frame in series.frames])]
    warnings.filterwarnings("ignore", module=r"highdicom\b")  # of names of patients
    try:
        segmentation = hd.seg.Segmentation(
            source_images=sources,
            pixel_array=pixels,
            segmentation_type=SegmentationTypeValues.BINARY,
            segment_descriptions=descriptions,
            series_instance_uid=hd.UID(),
            series_number=900,
            sop_instance_uid=hd.UID(),
            instance_number=1,
            manufacturer="Maskwright",
            manufacturer_model_name="Maskwright",
            software_versions=__version__,
            device_serial_number="0",
            omit_empty_frames=bool(pixels.any()),
        )
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise DataError(
            f"The masks of {series.frames[0].path.parent} cannot be written as DICOM SEG: {reason}."
        ) from None
    with atomic_write(path) as temporary:
        segmentation.save_as(temporary)
