"""DICOM series with SEG and RTSTRUCT: pixels, places, classes, doubts, no patient data."""

import numpy as np
import pytest

from drawing_volumes import SPACING, scene, write_segmentation, write_series
from maskwright.data import open_dataset
from maskwright.data.layers import layer_labels, read_layers
from maskwright.data.opening import open_with_doubts
from maskwright.data.readers.volumes.dicom_series import dicom_files, list_series
from maskwright.data.writers.volumes.dicom_seg import write_dicom_seg
from maskwright.errors import DataError

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("highdicom")


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write_patient(root, number, masks=None, **facts):
    stored, labels = scene(seed=number)
    paths = write_series(root / f"p{number}" / "ct", stored, patient=f"ID{number}", **facts)
    masks = masks or {"liver": labels == 1, "tumor": labels == 2}
    write_segmentation(root / f"p{number}" / "seg.dcm", paths, masks)
    return stored, labels


def read_all(dataset):
    pairs = [dataset.read(sample) for sample in dataset.samples]
    return np.stack([image[..., 0] for image, _ in pairs]), np.stack([mask for _, mask in pairs])


def test_slices_lie_in_the_order_of_their_places_in_hounsfield_units(tmp_path):
    drawn = [
        write_patient(tmp_path / "data", n, RescaleSlope=2, RescaleIntercept=-1024)
        for n in range(2)
    ]
    dataset = open_dataset(tmp_path / "data", val_share=0, test_share=0)
    images, masks = read_all(dataset)
    assert np.array_equal(images, np.concatenate([stored for stored, _ in drawn]) * 2.0 - 1024)
    assert np.array_equal(masks, np.concatenate([labels for _, labels in drawn]))
    assert dataset.labels.names == ("background", "liver", "tumor")
    assert {sample.case for sample in dataset.samples} == {"ID0", "ID1"}
    assert {sample.spacing_mm for sample in dataset.samples} == {SPACING}
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    written = b"".join(path.read_bytes() for path in files)
    names = " ".join(str(path.relative_to(tmp_path)) for path in files)
    assert b"Doe" not in written
    assert b"19700101" not in written
    assert "p0" not in names


def test_overlapping_segments_are_a_doubt_that_the_order_of_classes_settles(tmp_path):
    _, labels = scene()
    organs = {"tumor": labels == 2, "liver": labels > 0}
    write_patient(tmp_path / "data", 0, organs)
    with pytest.raises(DataError, match=r"tumor and liver in 12 pixels.*\[background, liver, tu"):
        open_dataset(tmp_path / "data")
    assert (labels == 2).sum() == 12
    (tmp_path / "data" / "data.yaml").write_text("classes: [background, liver, tumor]\n")
    dataset = open_dataset(tmp_path / "data", val_share=0, test_share=0)
    assert np.array_equal(read_all(dataset)[1], labels)
    (tmp_path / "data" / "data.yaml").write_text("classes: [background, liver]\n")
    dataset = open_dataset(tmp_path / "data", val_share=0, test_share=0)
    assert np.array_equal(read_all(dataset)[1], labels > 0)
    (tmp_path / "data" / "data.yaml").write_text("overlap: multilabel\n")
    dataset = open_dataset(tmp_path / "data", val_share=0, test_share=0)
    layers = np.stack([read_layers(dataset, sample)[1] for sample in dataset.samples])
    assert layer_labels(dataset.labels).names == ("tumor", "liver")
    assert np.array_equal(layers, np.stack([labels == 2, labels > 0], axis=-1))


def test_two_segmentations_of_one_series_are_a_doubt(tmp_path):
    stored, labels = scene()
    paths = write_series(tmp_path / "data" / "ct", stored)
    for reader in ("a", "b"):
        write_segmentation(tmp_path / "data" / f"{reader}.dcm", paths, {"liver": labels == 1})
    with pytest.raises(DataError, match=r"both segment liver.*masks: "):
        open_dataset(tmp_path / "data")
    (tmp_path / "data" / "data.yaml").write_text("masks: a.dcm\n")
    dataset = open_dataset(tmp_path / "data", val_share=0, test_share=0)
    assert np.array_equal(read_all(dataset)[1], labels == 1)


def test_contours_are_filled_on_the_image_whose_plane_they_lie_in(tmp_path):
    stored, _ = scene()
    paths = write_series(tmp_path / "data" / "ct", stored)
    first = pydicom.dcmread(paths[1])

    def contour(top, bottom, left, right):
        # Half a pixel around the centers of the first and the last row and column.
        corners = [(top, left), (top, right), (bottom, right), (bottom, left)]
        x, y, z = first.ImagePositionPatient
        rows, columns = first.PixelSpacing
        item = pydicom.Dataset()
        item.ContourGeometricType, item.NumberOfContourPoints = "CLOSED_PLANAR", 4
        item.ContourData = [
            value
            for row, column in corners
            for value in (x + (column - 0.5) * columns, y + (row - 0.5) * rows, z)
        ]
        return item

    structures = pydicom.Dataset()
    structures.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    structures.SOPInstanceUID, structures.Modality = pydicom.uid.generate_uid(), "RTSTRUCT"
    name, region, reference = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
    name.ROINumber, name.ROIName = 7, "Heart"
    region.ReferencedROINumber = 7
    region.ContourSequence = [contour(2, 8, 1, 6), contour(4, 6, 2, 5)]  # the second is a hole
    study, series = pydicom.Dataset(), pydicom.Dataset()
    series.SeriesInstanceUID = first.SeriesInstanceUID
    study.RTReferencedSeriesSequence = [series]
    reference.RTReferencedStudySequence = [study]
    structures.StructureSetROISequence = [name]
    structures.ROIContourSequence = [region]
    structures.ReferencedFrameOfReferenceSequence = [reference]
    structures.file_meta = pydicom.dataset.FileMetaDataset()
    structures.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    structures.save_as(tmp_path / "data" / "rt.dcm", enforce_file_format=True)
    expected = np.zeros(stored.shape, int)
    expected[1, 2:8, 1:6] = 1
    expected[1, 4:6, 2:5] = 0
    dataset = open_dataset(tmp_path / "data", val_share=0, test_share=0)
    assert dataset.labels.names == ("background", "Heart")
    assert np.array_equal(read_all(dataset)[1], expected)


def test_series_without_segmentation_and_damaged_files_are_told(tmp_path):
    write_patient(tmp_path / "data", 0)
    other = write_series(tmp_path / "data" / "p1", scene(seed=1)[0])
    damaged = write_series(tmp_path / "data" / "p2", scene(seed=2)[0])[0]
    damaged.write_bytes(damaged.read_bytes()[:140])
    notes = {n.code: n.text for n in open_with_doubts(tmp_path / "data").notes}
    assert notes["unannotated_series"].startswith("2 series")
    assert f"the first: {damaged.name} is a DICOM file without an image" in notes["skipped_files"]
    for path in other:
        path.unlink()


def test_copies_of_an_image_are_one_slice(tmp_path):
    _, labels = write_patient(tmp_path / "data", 0)
    copy = tmp_path / "data" / "p0" / "ct" / "copy"
    copy.write_bytes((tmp_path / "data" / "p0" / "ct" / "IM001").read_bytes())
    dataset = open_dataset(tmp_path / "data", val_share=0, test_share=0)
    assert np.array_equal(read_all(dataset)[1], labels)
    (note,) = [n for n in dataset.notes if n.code == "skipped_files"]
    assert "is the same image as" in note.text


def test_a_segmentation_that_is_written_is_read_back(tmp_path):
    stored, labels = scene()
    write_series(tmp_path / "ct", stored)
    (series,), _ = list_series(dicom_files(tmp_path / "ct"))
    path = tmp_path / "seg.dcm"
    write_dicom_seg(path, series, labels, ["background", "liver", "tumor"], automatic=True)
    dataset = open_dataset(tmp_path, val_share=0, test_share=0)
    assert dataset.labels.names == ("background", "liver", "tumor")
    assert np.array_equal(read_all(dataset)[1], labels)
    assert str(pydicom.dcmread(path).PatientName) == "Doe^Jane"
