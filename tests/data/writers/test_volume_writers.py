"""Volumes are equal after a round trip: pixels, labels, names, spacing and grid."""

from pathlib import Path

import numpy as np
import pytest

import maskwright
from drawing_volumes import scene, write_segmentation, write_series
from maskwright.data import open_dataset
from maskwright.data.readers.volumes.unlabeled import cut_volumes
from maskwright.data.readers.volumes.volume import read_grids
from maskwright.data.writers.volumes.label_volumes import write_label_volumes
from maskwright.errors import DataError
from maskwright.imageio import read_image
from maskwright.labels import IGNORE_LABEL

nibabel = pytest.importorskip("nibabel")
pydicom = pytest.importorskip("pydicom")
pytest.importorskip("highdicom")
TURNED = np.array([[0, 0, 3.0, 7], [0.5, 0, 0, 8], [0, -0.8, 0, 9], [0, 0, 0, 1]])
"""From indices to mm: the first axis leads forward, the second down, the third to the right."""


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def nifti(root):
    for number in range(2):
        stored, labels = scene(seed=number)
        for place, array in (("images", stored), ("labels", labels)):
            (root / place).mkdir(parents=True, exist_ok=True)
            image = nibabel.Nifti1Image(array.transpose(2, 1, 0), TURNED)
            nibabel.save(image, root / place / f"case{number}.nii.gz")
    (root / "data.yaml").write_text("classes: [background, liver, tumor]\n")
    return root


def dicom(root):
    for number in range(2):
        stored, labels = scene(seed=number)
        paths = write_series(root / f"p{number}" / "ct", stored, patient=f"ID{number}")
        masks = {"liver": labels == 1, "tumor": labels == 2}
        write_segmentation(root / f"p{number}" / "seg.dcm", paths, masks)
    return root


def contents(dataset):
    pairs = [(sample, *dataset.read(sample)) for sample in dataset.samples]
    return [(s.spacing_mm, s.split, i.astype(float).tolist(), m.tolist()) for s, i, m in pairs]


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (nifti, "nifti"),
        (nifti, "nnunet"),
        (dicom, "nifti"),
        (dicom, "dicom-seg"),
        (dicom, "nnunet"),
    ],
)
def test_volumes_are_equal_after_a_round_trip(write, name, tmp_path):
    before = open_dataset(write(tmp_path / "data"), val_share=0, test_share=0)
    out = maskwright.convert(tmp_path / "data", tmp_path / "out", name)
    after = open_dataset(out, val_share=0, test_share=0)
    assert contents(after) == contents(before)
    assert after.labels.names == before.labels.names
    if name != "dicom-seg":
        grids = [list(read_grids(dataset.root).values()) for dataset in (before, after)]
        assert all(first.equals(second) for first, second in zip(*grids, strict=True))


def test_a_nifti_file_keeps_its_array_and_affine(tmp_path):
    out = maskwright.convert(nifti(tmp_path / "data"), tmp_path / "out", "nifti")
    before = nibabel.load(tmp_path / "data" / "labels" / "case1.nii.gz")
    after = nibabel.load(out / "train" / "labels" / "case1.nii.gz")
    assert np.allclose(after.affine, TURNED)
    assert np.array_equal(np.asarray(after.dataobj), np.asarray(before.dataobj))


def test_segmentations_need_a_data_set_of_dicom(tmp_path):
    with pytest.raises(DataError, match="expected a data set of DICOM with all its files"):
        maskwright.convert(nifti(tmp_path / "data"), tmp_path / "out", "dicom-seg")


def test_segmentations_hold_no_ignored_pixels(tmp_path):
    root = dicom(tmp_path / "data")
    (root / "data.yaml").write_text("values: {0: background, 1: liver, 2: ignore}\n")
    with pytest.raises(DataError, match="pixels that are ignored, which DICOM SEG cannot hold"):
        maskwright.convert(root, tmp_path / "out", "dicom-seg")


def test_ignored_pixels_are_the_last_label_of_nnunet(tmp_path):
    root = nifti(tmp_path / "data")
    (root / "data.yaml").write_text("values: {0: background, 1: liver, 2: ignore}\n")
    before = open_dataset(root, val_share=0, test_share=0)
    after = open_dataset(
        maskwright.convert(root, tmp_path / "out", "nnunet"), val_share=0, test_share=0
    )
    assert contents(after) == contents(before)
    assert any(IGNORE_LABEL in after.read(sample)[1] for sample in after.samples)


@pytest.mark.parametrize("write", [nifti, dicom])
def test_labels_of_slices_become_a_volume_on_the_grid_of_their_source(write, tmp_path):
    root = write(tmp_path / "data")
    place = root / "images" if write is nifti else root / "p1" / "ct"
    volumes = cut_volumes(place)
    threshold = 250  # the liver and the tumor are brighter than that

    def bright(name):
        return (read_image(volumes.images / f"{name}.tif")[..., 0] > threshold).astype(np.uint8)

    out, names = tmp_path / "out", ["background", "organ"]
    written, faults = write_label_volumes(volumes, out, bright, names)
    assert faults == []
    drawn = scene(seed=1)[1] > 0
    if write is nifti:
        assert [path.name for path in written] == ["case0.nii.gz", "case1.nii.gz"]
        labels = nibabel.load(written[1])
        assert np.allclose(labels.affine, TURNED)
        assert np.array_equal(np.asarray(labels.dataobj), drawn.transpose(2, 1, 0))
    else:
        segmentation = pydicom.dcmread(written[0])
        assert segmentation.PatientID == "ID1"
        planes = {
            float(group.PlanePositionSequence[0].ImagePositionPatient[2]): pixels
            for group, pixels in zip(
                segmentation.PerFrameFunctionalGroupsSequence,
                segmentation.pixel_array,
                strict=True,
            )
        }
        for number in range(1, 4):
            assert np.array_equal(planes[30 + 3.0 * number], drawn[number])
    assert "data" in (tmp_path / "out" / "volumes.csv").read_text()


def test_a_file_of_several_frames_is_a_volume(tmp_path):
    published = Path(pydicom.data.__file__).parent / "test_files"
    volumes = cut_volumes(published / "examples_ybr_color.dcm")
    assert volumes.number == {"series0001": 30}
    assert read_image(volumes.images / "series0001" / "029.png").shape == (240, 320, 3)
    blank = np.zeros((240, 320), np.uint8)
    # An ultrasound film has no frame of reference, which a SEG of several frames needs.
    written, (fault,) = write_label_volumes(volumes, tmp_path, lambda _: blank, ["a", "b"])
    assert written == []
    assert "cannot be written as DICOM SEG" in fault


def test_folders_with_pictures_are_no_volumes(tmp_path):
    root = nifti(tmp_path / "data")
    (root / "a.png").write_bytes(b"")
    assert cut_volumes(root) is None
    assert cut_volumes(root / "images" / "*1.nii.gz").names("case1")[3] == "case1/003"
