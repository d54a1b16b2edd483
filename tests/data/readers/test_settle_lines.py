"""Each line that a message offers for data.yaml settles what it is about, written as it stands."""

import re

import numpy as np
import pytest

from drawing_classes import COUNT, draw_image, draw_mask, labels_of
from drawing_mask_sets import circles, state
from drawing_samples import draw
from maskwright.data import open_dataset
from maskwright.data.audit.audit import audit
from maskwright.data.opening import open_with_doubts
from maskwright.errors import DataError
from maskwright.imageio import parse_yaml


def offered(source, code):
    """Lines for data.yaml that the one doubt about a data set offers."""
    (doubt,) = open_with_doubts(source).doubts
    assert doubt.code == code
    return re.findall(r"`(\w+: [^`]+)`", doubt.settle)


def test_a_data_yaml_without_places_goes_with_a_manifest(tmp_path):
    rows = ["image,mask"]
    for n in range(COUNT):
        draw_image(tmp_path / f"{n}.png", n)
        draw(tmp_path / f"{n}_numbers.png", circles(n))
        rows.append(f"{n}.png,{n}_numbers.png")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    lines = offered(tmp_path, "objects_or_classes")
    for line, classes in zip(lines, (2, 9), strict=True):
        state(tmp_path, line)
        for source in (tmp_path, tmp_path / "manifest.csv"):
            dataset = open_dataset(source)
            assert dataset.layout == "manifest manifest.csv"
            assert dataset.labels.num_classes == classes
    state(tmp_path, "images: '?.png'\nmasks: '*_numbers.png'")
    dataset = open_with_doubts(tmp_path / "manifest.csv")
    assert "unused_yaml" in [note.code for note in dataset.notes]
    assert dataset.layout == "manifest manifest.csv"


def test_names_that_yaml_would_read_otherwise_are_in_quotes(tmp_path):
    names = ("no", "[a], b", "&5", "7")  # from the smallest to the largest
    rows = ["image\tmask\tclasses"]
    for n in range(COUNT):
        draw_image(tmp_path / f"{n}.png", n)
        for size in range(1, 5):
            mask = np.zeros((64, 64), np.uint8)
            mask[: 8 * size, : 8 * size] = 255
            draw(tmp_path / f"{n}_{size}.png", mask)
        masks = ";".join(f"{n}_{size}.png" for size in range(1, 5))
        rows.append(f"{n}.png\t{masks}\t{';'.join(names)}")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    multilabel, order = offered(tmp_path, "overlapping_classes")
    assert parse_yaml(order) == {"overlap": [*reversed(names)]}
    assert open_dataset(state(tmp_path, multilabel)).multilabel
    dataset = open_dataset(state(tmp_path, order))
    labels = dataset.read_mask(dataset.samples[0])
    assert [dataset.labels.names[labels[8 * n, 8 * n]] for n in range(4)] == [*names]


def test_masks_in_a_folder_for_each_image_are_classes_as_stated(tmp_path):
    for n in range(COUNT):
        draw_image(tmp_path / f"case{n}" / "image.png", n)
        for label in (1, 2, 3):
            draw_mask(tmp_path / f"case{n}" / f"task01_seg0{label}.png", n, label)
    *objects, classes, single = offered(tmp_path, "numbered_masks")
    assert objects == ["objects: instances", "objects: united"]
    dataset = open_dataset(state(tmp_path, classes))
    assert dataset.labels.names == ("background", "class_1", "class_2", "class_3")
    for sample in dataset.samples:
        number = int(sample.image.parent.name[4:])
        assert (dataset.read_mask(sample) == labels_of(number)).all()
    dataset = open_dataset(state(tmp_path, single))
    assert {sample.masks[0].name for sample in dataset.samples} == {"task01_seg01.png"}


@pytest.mark.parametrize("images", ["images: '*/image.png'\n", ""])
def test_files_named_after_classes_beside_their_image_are_classes_as_stated(tmp_path, images):
    for n in range(COUNT):
        draw_image(tmp_path / str(n) / "image.png", n)
        for label, name in ((1, "dent"), (2, "rust"), (3, "hole")):
            draw_mask(tmp_path / str(n) / f"{name}.png", n, label)
    state(tmp_path, f"{images}masks: {{dent: '*/dent.png', rust: '*/rust.png'}}")
    dataset = open_dataset(tmp_path)
    assert dataset.labels.names == ("background", "dent", "rust")
    for sample in dataset.samples:
        labels = labels_of(int(sample.image.parent.name))
        assert (dataset.read_mask(sample) == labels * (labels < 3)).all()


def test_images_that_look_like_their_masks_are_none_where_both_are_stated(tmp_path):
    for n in range(COUNT):
        mask = (labels_of(n) > 0).astype(np.uint8)
        draw(tmp_path / "images" / f"{n}.png", 230 - 200 * mask)
        draw(tmp_path / "masks" / f"{n}.png", mask * 255)
    (error,) = (f for f in audit(tmp_path).findings if f.code == "copied_mask")
    assert error.severity == "error"
    state(tmp_path, "\n".join(re.findall(r"`(\w+: [^`]+)`", error.advice)))
    (told,) = (f for f in audit(tmp_path).findings if f.code == "copied_mask")
    assert told.severity == "warning"


@pytest.mark.parametrize("pairs_fit", [True, False])
def test_places_are_offered_where_they_have_been_tried(tmp_path, pairs_fit):
    for n in range(COUNT):
        root = tmp_path / ("train", "test")[n % 2]
        for folder in ("A", "B"):
            draw_image(root / folder / f"{n}.png", n)
        if pairs_fit:
            draw(root / "label" / f"{n}.png", labels_of(n))
        else:
            draw(root / "label" / f"{n * 7 % 10}x{n * 3 % 11}.png", labels_of(n))
    with pytest.raises(DataError) as refused:
        open_dataset(tmp_path)
    lines = re.findall(r"`(\w+: [^`]+)`", str(refused.value))
    images, masks, order = lines[0], lines[1], ["pair_by: order"] * (not pairs_fit)
    assert parse_yaml(images) == {"images": "t*/A"}
    dataset = open_dataset(state(tmp_path, "\n".join([images, masks, *order])))
    assert {sample.image.parent.name for sample in dataset.samples} == {"A"}
    assert len(dataset.samples) == COUNT
    assert set(order) <= set(lines)


@pytest.mark.parametrize(
    ("folders", "code"),
    [
        (("v1.2/labels", "v2.0/labels"), "several_values"),
        (("Category_ids", "Human_parts"), "several_values"),
        (("semantic", "semantic_rgb"), "several_mask_folders"),
    ],
)
def test_of_several_sets_of_masks_each_is_offered_alone(tmp_path, folders, code):
    colors = np.array([(0, 0, 0), (250, 0, 0), (0, 250, 0), (0, 0, 250)], np.uint8)
    for n in range(COUNT):
        draw_image(tmp_path / "images" / f"{n}.png", n)
        for folder in folders:
            labels = labels_of(n)
            draw(tmp_path / folder / f"{n}.png", colors[labels] if "rgb" in folder else labels)
    if code == "several_mask_folders":  # gray and colored masks are not read together
        with pytest.raises(DataError, match="have a mask in each of the folders") as refused:
            open_dataset(tmp_path)
        settle = str(refused.value)
    else:
        (doubt,) = open_with_doubts(tmp_path).doubts
        assert doubt.code == code
        settle = doubt.settle
    lines = re.findall(r"((?:`images: [^`]+` and )?`masks: [^`{]+`)", settle)
    assert len(lines) == len(folders)
    for line, folder in zip(lines, folders, strict=True):
        dataset = open_dataset(state(tmp_path, line.replace("`", "").replace(" and ", "\n")))
        assert len(dataset.samples) == COUNT
        assert {str(s.masks[0].parent.relative_to(tmp_path)) for s in dataset.samples} == {folder}
        assert dataset.labels.num_classes == 4


def test_folders_of_what_is_paired_are_offered_where_others_are_left_over(tmp_path):
    for n in range(COUNT):
        draw_image(tmp_path / "heights" / f"dsm_09cm_area{n}.png", n + 1)
        draw_image(tmp_path / "top" / f"mosaic_area{n}.png", n)
        draw(tmp_path / "gts_for_all" / f"mosaic_area{n}.png", labels_of(n))
    images, masks, *others = offered(tmp_path, "left_over")
    assert others == ["unannotated: background", "unannotated: skip"]
    dataset = open_dataset(state(tmp_path, f"{images}\n{masks}"))
    assert {sample.image.parent.name for sample in dataset.samples} == {"top"}
    assert not dataset.skipped


def test_a_training_split_without_any_mask_is_background_in_new_splits(tmp_path):
    for n in range(2 * COUNT):
        draw_image(tmp_path / ("train/good" if n % 2 else "test/hole") / f"{n}.png", n % COUNT)
        if not n % 2:  # as MVTec AD has them
            draw_mask(tmp_path / "ground_truth" / "hole" / f"{n}_mask.png", n % COUNT)
    *lines, skip = offered(tmp_path, "left_over")
    assert lines == ["unannotated: background", "splits: {}"]
    dataset = open_dataset(state(tmp_path, "\n".join(lines)))
    assert {bool(s.masks) for s in dataset.samples if s.split == "train"} == {True, False}
    assert {sample.split for sample in open_dataset(state(tmp_path, skip)).samples} == {"test"}


def test_masks_in_no_pair_are_not_passed_over_where_images_are_background(tmp_path):
    for n in range(COUNT):
        draw_image(tmp_path / "images" / f"{n}.png", n)
        name = f"{n}.png" if n < 8 else f"other{n}x{n * 7 % 5}.png"
        draw(tmp_path / "masks" / name, labels_of(n))
    state(tmp_path, "unannotated: background")
    assert offered(tmp_path, "left_over") == ["unannotated: skip"]
