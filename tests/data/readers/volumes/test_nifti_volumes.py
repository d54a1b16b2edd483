"""NIfTI volumes: pixels, labels and spacing as radiologists see them, and back on the same grid."""

import re

import numpy as np
import pytest

import maskwright
from drawing_volumes import scene
from maskwright.data import open_dataset
from maskwright.data.opening import open_with_doubts
from maskwright.errors import DataError
from maskwright.types import ignore_message

nibabel = pytest.importorskip("nibabel")
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation  # noqa: E402

SIDES = (0.5, 0.8, 3.0)  # mm: columns, rows, slices


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def save(path, slices, codes="LPS", sides=SIDES):
    """Write slices `(n, h, w)`, drawn as radiologists see them, axes elsewhere."""
    array = slices.transpose(2, 1, 0)  # columns lead to the left, rows to the back
    affine = np.diag([-sides[0], -sides[1], sides[2], 1.0])
    turn = nibabel.orientations.ornt_transform(
        io_orientation(affine), nibabel.orientations.axcodes2ornt(codes)
    )
    affine = affine @ inv_ornt_aff(turn, array.shape)
    image = nibabel.Nifti1Image(apply_orientation(array, turn), affine)
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, path)


def write_pair(root, number, codes="LPS", **options):
    stored, labels = scene(seed=number)
    save(root / "images" / f"case{number}.nii.gz", stored, codes, **options)
    save(root / "labels" / f"case{number}.nii.gz", labels, codes, **options)
    return stored, labels


def read_volume(dataset, case):
    pairs = [dataset.read(s) for s in dataset.samples if s.case == case]
    return np.stack([image[..., 0] for image, _ in pairs]), np.stack([mask for _, mask in pairs])


@pytest.mark.parametrize("codes", ["LPS", "RAS", "SLA", "PIR"])
def test_slices_are_seen_the_same_way_however_the_axes_are_stored(tmp_path, codes):
    stored, labels = write_pair(tmp_path, 0, codes)
    write_pair(tmp_path, 1, "RAS")
    dataset = open_dataset(tmp_path, val_share=0, test_share=0)
    images, masks = read_volume(dataset, "case0")
    assert images.dtype == np.float32
    assert np.array_equal(images, stored)
    assert np.array_equal(masks, labels)
    assert {sample.spacing_mm for sample in dataset.samples} == {(0.8, 0.5)}
    assert {sample.case for sample in dataset.samples} == {"case0", "case1"}
    assert dataset.layout == "NIfTI volumes"


def test_values_are_scaled_as_the_header_states(tmp_path):
    stored, labels = scene()
    save(tmp_path / "images" / "a.nii", stored)
    image = nibabel.load(tmp_path / "images" / "a.nii")
    content = bytearray(image.to_bytes())
    content[112:120] = np.array([2, -1000], "<f4").tobytes()  # scl_slope and scl_inter
    (tmp_path / "images" / "a.nii").write_bytes(content)
    save(tmp_path / "labels" / "a.nii", labels)
    images, _ = read_volume(open_dataset(tmp_path, val_share=0, test_share=0), "a")
    assert np.array_equal(images, stored * 2.0 - 1000)


def test_a_mask_on_another_grid_is_refused_with_both_grids(tmp_path):
    stored, labels = scene()
    save(tmp_path / "images" / "a.nii", stored)
    save(tmp_path / "labels" / "a.nii", labels, sides=(0.5, 0.8, 2.0))
    with pytest.raises(
        DataError, match=r"x 2 mm.*another grid than its image .*x 3 mm.* 3 mm apart"
    ):
        open_dataset(tmp_path)
    write_pair(tmp_path, 1)
    (note,) = [n for n in open_with_doubts(tmp_path).notes if n.code == "skipped_volumes"]
    assert "1 volume of 2" in note.text


def test_a_fourth_axis_is_refused_in_words(tmp_path):
    stored, labels = scene()
    series = np.stack([stored] * 3, axis=-1)
    (tmp_path / "images").mkdir()
    nibabel.save(nibabel.Nifti1Image(series, np.eye(4)), tmp_path / "images" / "a.nii")
    save(tmp_path / "labels" / "a.nii", labels)
    with pytest.raises(DataError, match=r"has 4 axes, 4 x 12 x 10 x 3, as a series in time"):
        open_dataset(tmp_path)


def test_volumes_without_a_mask_are_asked_about_but_for_series_and_test_volumes(tmp_path):
    stored, _ = write_pair(tmp_path, 0)
    series = np.stack([stored] * 3, axis=-1)
    nibabel.save(nibabel.Nifti1Image(series, np.eye(4)), tmp_path / "images" / "case0_4d.nii.gz")
    save(tmp_path / "imagesTs" / "case7.nii.gz", stored)
    assert {s.case for s in open_dataset(tmp_path).samples} == {"case0"}
    save(tmp_path / "images" / "case1.nii.gz", stored)
    with pytest.raises(DataError, match=r"1 of 2 volumes are left out"):
        open_dataset(tmp_path)


def test_planes_that_differ_are_a_doubt_that_data_yaml_settles(tmp_path):
    _, axial = write_pair(tmp_path, 0)
    write_pair(tmp_path, 1, sides=(3.0, 0.8, 0.5))
    with pytest.raises(DataError, match=r"axial \(1\), sagittal \(1\).*Write `plane: axial`"):
        open_dataset(tmp_path)
    (tmp_path / "data.yaml").write_text("plane: axial\n")
    _, masks = read_volume(open_dataset(tmp_path, val_share=0, test_share=0), "case0")
    assert np.array_equal(masks, axial)
    (tmp_path / "data.yaml").write_text("plane: coronal\n")
    _, masks = read_volume(open_dataset(tmp_path, val_share=0, test_share=0), "case0")
    assert np.array_equal(masks, axial[::-1].transpose(1, 0, 2))  # from the head down


def test_masks_beside_images_and_several_of_them(tmp_path):
    for number in range(2):
        stored, labels = scene(seed=number)
        folder = tmp_path / f"patient{number}"
        save(folder / f"patient{number}.nii.gz", stored)
        save(folder / f"patient{number}_seg.nii.gz", labels)
    dataset = open_dataset(tmp_path, val_share=0, test_share=0)
    assert np.array_equal(read_volume(dataset, "patient1")[1], labels)
    save(folder / "patient1_seg2.nii.gz", labels)
    with pytest.raises(DataError, match=r"1 volume has more than one mask.*masks: "):
        open_dataset(tmp_path)
    (tmp_path / "data.yaml").write_text("images: '*/patient?.nii.gz'\nmasks: '*/*_seg.nii.gz'\n")
    assert len(open_dataset(tmp_path, val_share=0, test_share=0).samples) == 8


def draw_parts(root, numbers=(0, 1)):
    """As TotalSegmentator has them: a file for each organ of each volume."""
    for number in numbers:
        stored, labels = scene(seed=number)
        folder = root / f"s{number:04}"
        save(folder / "ct.nii.gz", stored)
        rows = np.arange(labels.shape[1])[:, None] + np.zeros_like(labels)
        organs = {"liver": labels == 1, "colon": (labels == 0) & (rows < 3), "spleen": labels < 0}
        for name, inside in organs.items():
            save(folder / "segmentations" / f"{name}.nii.gz", inside.astype(np.uint8))


def test_a_mask_file_for_each_class_is_asked_about_and_read_as_stated(tmp_path):
    draw_parts(tmp_path)
    (doubt,) = [d for d in open_with_doubts(tmp_path).doubts if d.code == "several_masks"]
    line = re.search(r"`(masks: \{.*?\})`", doubt.settle)[1]
    (tmp_path / "data.yaml").write_text(line)
    dataset = open_dataset(tmp_path, val_share=0, test_share=0)
    assert dataset.labels.names == ("background", "colon", "liver", "spleen")
    _, masks = read_volume(dataset, "s0001-ct")
    labels = scene(seed=1)[1]
    assert np.array_equal(masks == 2, labels == 1)
    assert np.array_equal(masks[:, :3] == 1, labels[:, :3] == 0)
    assert "missing_classes" not in {note.code for note in dataset.notes}
    (tmp_path / "s0000" / "segmentations" / "spleen.nii.gz").unlink()
    notes = {note.code: note.text for note in open_dataset(tmp_path).notes}
    assert "Of 2 volumes " in notes["missing_classes"]
    assert "spleen for 1;" in notes["missing_classes"]
    (tmp_path / "data.yaml").write_text("masks: '*/segmentations/liver.nii.gz'")
    dataset = open_dataset(tmp_path, val_share=0, test_share=0)
    assert np.array_equal(read_volume(dataset, "s0001-ct")[1] > 0, labels == 1)


def test_masks_of_another_class_beside_stated_ones_are_no_images(tmp_path):
    for number in range(2):
        stored, labels = scene(seed=number)
        save(tmp_path / f"p{number}.nii.gz", stored)
        for label, name in enumerate(("liver", "spleen"), 1):
            save(tmp_path / f"p{number}_{name}.nii.gz", (labels == label).astype(np.uint8))
    (tmp_path / "data.yaml").write_text("masks: p*_liver.nii.gz")
    dataset = open_dataset(tmp_path, val_share=0, test_share=0)
    assert {sample.case for sample in dataset.samples} == {"p0", "p1"}
    assert np.array_equal(read_volume(dataset, "p1")[1] > 0, labels == 1)


def test_classes_in_files_that_overlap_or_hold_several_values_are_not_guessed(tmp_path):
    draw_parts(tmp_path)
    lung = scene(seed=0)[1]
    save(tmp_path / "s0000" / "segmentations" / "lung.nii.gz", (lung > 0).astype(np.uint8))
    save(tmp_path / "s0001" / "segmentations" / "lung.nii.gz", lung)
    line = "masks: {liver: '*/segmentations/liver.nii.gz', lung: '*/segmentations/lung.nii.gz'}"
    (tmp_path / "data.yaml").write_text(line)
    found = open_with_doubts(tmp_path)
    assert "holds several values besides 0" in str(found.notes)
    assert {d.code for d in found.doubts} == {"left_over", "overlapping_classes"}


def test_masks_called_otherwise_than_their_images_can_be_stated(tmp_path):
    for number in range(3):
        stored, labels = scene(seed=number)
        save(tmp_path / f"p{number}" / "T2.nii.gz", stored)
        save(tmp_path / f"p{number}" / "ROI.nii.gz", labels)
    (tmp_path / "data.yaml").write_text("images: '*/T2.nii.gz'\nmasks: '*/ROI.nii.gz'\n")
    dataset = open_dataset(tmp_path, val_share=0, test_share=0)
    case = next(s.case for s in dataset.samples if "p1" in s.id)
    assert np.array_equal(read_volume(dataset, case)[1], scene(seed=1)[1])


@pytest.mark.parametrize(
    ("image", "mask", "case"),
    [
        ("case_{}/imaging", "case_{}/segmentation", "case_1-imaging"),  # KiTS
        ("volume-{}", "segmentation-{}", "1"),  # LiTS
        ("volumes/volume-{}", "segmentations/segmentation-{}", "volume-1"),
        ("p{}/p{}_frame01", "p{}/p{}_frame01_gt", "p1_frame01"),  # ACDC
        ("imagesTr/a{}", "labelsTr/a{}", "a1"),
    ],
)
def test_names_of_published_data_sets(tmp_path, image, mask, case):
    for number in range(3):
        stored, labels = scene(seed=number)
        save(tmp_path / f"{image.format(number, number)}.nii.gz", stored)
        save(tmp_path / f"{mask.format(number, number)}.nii.gz", labels)
    dataset = open_dataset(tmp_path, val_share=0, test_share=0)
    images, masks = read_volume(dataset, case)
    stored, labels = scene(seed=1)
    assert np.array_equal(images, stored)
    assert np.array_equal(masks, labels)


def test_files_of_one_volume_are_its_channels(tmp_path):
    for number in range(2):
        stored, labels = scene(seed=number)
        folder = tmp_path / f"BraTS_{number:03}"
        for modality, offset in (("t1", 1), ("flair", 0), ("t1ce", 2)):
            save(folder / f"BraTS_{number:03}_{modality}.nii.gz", stored + np.int16(offset))
        save(folder / f"BraTS_{number:03}_seg.nii.gz", labels)
    dataset = open_dataset(tmp_path, val_share=0, test_share=0)
    image, mask = dataset.read(dataset.samples[-1])
    assert np.array_equal(image, stored[3][..., None] + np.arange(3))  # flair, t1, t1ce
    assert np.array_equal(mask, labels[3])
    (folder / "BraTS_001_t1.nii.gz").unlink()
    with pytest.raises(DataError, match=r"channels flair, t1, t1ce, but .*flair.nii.gz has flair"):
        open_dataset(tmp_path)


def test_measures_are_in_mm_by_the_spacing_of_the_files(tmp_path):
    _, labels = write_pair(tmp_path / "data", 0)
    write_pair(tmp_path / "data", 1)
    table = maskwright.extract_regions(
        tmp_path / "data", tmp_path / "out", size=None, on_message=ignore_message
    )
    rows = [line.split(",") for line in table.read_text().splitlines()]
    area = rows[0].index("area_mm2")
    region = next(r for r in rows[1:] if r[0] == "case0-003" and r[2] == "class_2")
    assert float(region[area]) == pytest.approx((labels[3] == 2).sum() * 0.8 * 0.5)
