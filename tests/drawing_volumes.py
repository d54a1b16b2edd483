"""Drawn volumes: NIfTI files and DICOM series of a few small slices."""

from pathlib import Path

import numpy as np

SPACING, THICKNESS = (0.8, 0.5), 3.0  # mm: rows and columns, slices


def scene(slices=4, height=12, width=10, seed=0):
    """Stored values int16 and labels 0 to 2, `(n, h, w)`, all slices unlike."""
    labels = np.zeros((slices, height, width), np.uint8)
    labels[1:, 2:7, 1:5] = 1
    labels[-1, 4:6, 3:9] = 2
    noise = np.random.default_rng(seed).integers(0, 50, labels.shape)
    return (labels.astype(np.int16) * 300 + noise).astype(np.int16), labels


def write_series(folder: Path, slices: np.ndarray, patient="P1", shuffle=True, **facts):
    """Write a CT series, one file for each slice, and give the paths in order of place."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    folder.mkdir(parents=True, exist_ok=True)
    study, series, frame_of_reference = generate_uid(), generate_uid(), generate_uid()
    paths = []
    for number, pixels in enumerate(slices):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        # Names and instance numbers run against the places.
        path = folder / f"IM{len(slices) - number:03}"
        file = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
        file.SOPClassUID, file.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        file.PatientName, file.PatientID, file.PatientBirthDate = "Doe^Jane", patient, "19700101"
        file.PatientSex, file.AccessionNumber, file.StudyID = "F", "", "1"
        file.StudyDate, file.StudyTime, file.ReferringPhysicianName = "20240101", "120000", ""
        file.StudyInstanceUID, file.SeriesInstanceUID = study, series
        file.FrameOfReferenceUID, file.PositionReferenceIndicator = frame_of_reference, ""
        file.Modality, file.Manufacturer, file.SeriesNumber = "CT", "drawn", 1
        file.InstanceNumber = len(slices) - number
        file.ImagePositionPatient = [10.0, -20.0, 30.0 + THICKNESS * number]
        file.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        file.PixelSpacing, file.SliceThickness = list(SPACING), THICKNESS
        file.Rows, file.Columns = pixels.shape[:2]
        file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
        bits = pixels.dtype.itemsize * 8
        file.BitsAllocated, file.BitsStored, file.HighBit = bits, bits, bits - 1
        file.PixelRepresentation = int(pixels.dtype.kind == "i")
        for name, value in facts.items():
            setattr(file, name, value)
        file.PixelData = pixels.tobytes()
        file.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def write_segmentation(path: Path, sources, masks: dict[str, np.ndarray], **options):
    """Write a SEG of masks `(n, h, w)` by the names of their segments, which may overlap."""
    import highdicom as hd
    import pydicom
    from pydicom.sr.codedict import codes

    descriptions = [
        hd.seg.SegmentDescription(number, name, codes.SCT.Organ, codes.SCT.Organ, "MANUAL")
        for number, name in enumerate(masks, start=1)
    ]
    segmentation = hd.seg.Segmentation(
        [pydicom.dcmread(source) for source in sources],
        np.stack([np.asarray(mask, np.uint8) for mask in masks.values()], axis=-1),
        "BINARY",
        descriptions,
        hd.UID(),
        2,
        hd.UID(),
        1,
        "drawn",
        "drawn",
        "1",
        "1",
        **options,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    segmentation.save_as(path)
