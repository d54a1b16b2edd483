"""DICOM segmentation objects (SEG) on the images of a series."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from maskwright import __version__
from maskwright.data.readers.volumes.dicom_series import Series
from maskwright.errors import DataError
from maskwright.imageio import atomic_write
from maskwright.imageio.dicom.files import read_dicom
from maskwright.labels import BACKGROUND_NAMES, IGNORE_LABEL


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
            segment_label=names[label][:64],
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
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"The masks of {series.frames[0].path.parent} cannot be written as DICOM SEG: {reason}."
        ) from None
    with atomic_write(path) as temporary:
        segmentation.save_as(temporary)
