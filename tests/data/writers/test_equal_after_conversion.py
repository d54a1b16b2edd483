"""What formats can hold comes back equal; the rest is refused or told."""

import json

import numpy as np
import pytest

import maskwright
from drawing_samples import draw
from maskwright.data import open_dataset
from maskwright.data.layers import read_layers
from maskwright.data.writers import WRITERS
from maskwright.errors import DataError, MaskwrightWarning
from maskwright.imageio import write_image
from maskwright.instances import Instances

IMAGE = np.random.default_rng(0).integers(0, 255, (8, 9, 3), np.uint8)
LEFT, RIGHT = np.zeros((2, 8, 9), np.uint8)
LEFT[1:7, 1:6], RIGHT[3:8, 4:9] = 255, 255
OVERLAPPING = [name for name, writer in WRITERS.items() if writer.overlaps]
MASKS = [name for name in WRITERS if name not in ("cityscapes", "dicom-seg")]


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def class_files(root, stated, value=128):
    """A file for each class, which overlap; the second image has pixels of another value."""
    for name in "ab":
        draw(root / "images" / f"{name}.png", IMAGE if name == "a" else 255 - IMAGE)
        ignored = np.where(np.arange(8) < 2, value * (name == "b"), 0)[:, None].astype(np.uint8)
        draw(root / "masks" / "organ" / f"{name}.png", np.maximum(LEFT, ignored))
        draw(root / "masks" / "vessel" / f"{name}.png", RIGHT)
    (root / "data.yaml").write_text(f"ignore: [128]\noverlap: {stated}\n")
    return root


def listed_objects(root, stated):
    """COCO annotations of two classes, of which the objects overlap."""
    boxes = [(1, 1, 5, 5, 1), (3, 2, 5, 5, 2), (0, 6, 2, 2, 1)]
    annotations = [
        {"id": n, "image_id": 1, "category_id": category, "iscrowd": 0}
        | {"segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]]}
        for n, (x, y, w, h, category) in enumerate(boxes, start=1)
    ]
    draw(root / "a.png", IMAGE)
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 8, "width": 9}],
        "categories": [{"id": 1, "name": "organ"}, {"id": 2, "name": "vessel"}],
        "annotations": annotations,
    }
    (root / "instances.json").write_text(json.dumps(content))
    (root / "data.yaml").write_text(f"overlap: {stated}\n")
    return root


def contents(source):
    """Classes, and by image its split, its layers or labels, and its objects."""
    dataset = open_dataset(source, val_share=0, test_share=0)
    found = {}
    for sample in dataset.samples:
        pixels = read_layers if dataset.multilabel else type(dataset).read
        image, labels = pixels(dataset, sample)
        found[image[..., 0].tobytes()] = (sample.split, labels.tolist())
    assert len(found) == len(dataset.samples) == len({sample.id for sample in dataset.samples})
    return dataset.labels.names, found


def objects(source):
    dataset = open_dataset(source, val_share=0, test_share=0)
    listed = [dataset.read_objects(sample) for sample in dataset.samples]
    return sorted(
        (int(each.labels[n]), each.mask(n).tolist()) for each in listed for n in range(len(each))
    )


def opened(out):
    """The data of YOLO, whose data.yaml has no place for all, is opened by another file."""
    beside = out / "settings.yaml"
    return beside if beside.exists() else out


@pytest.mark.filterwarnings("ignore::maskwright.errors.MaskwrightWarning")
@pytest.mark.parametrize("write", [class_files, listed_objects])
@pytest.mark.parametrize("name", WRITERS)
def test_classes_that_overlap_are_equal_or_refused(name, write, tmp_path):
    root = write(tmp_path / "set", "multilabel")
    background = name not in ("masks", "coco", "coco-rle", "labelme")
    if name not in OVERLAPPING:
        with pytest.raises(DataError, match="needs one class for each pixel"):
            maskwright.convert(root, tmp_path / "out", name)
        assert not (tmp_path / "out").exists()
        return
    if write is class_files and background:
        with pytest.raises(DataError, match=r"b\.png has pixels that are ignored"):
            maskwright.convert(root, tmp_path / "out", name)
        root = class_files(tmp_path / "clear", "multilabel", value=255)
    out = opened(maskwright.convert(root, tmp_path / "out", name))
    assert contents(out) == contents(root)
    assert open_dataset(out).multilabel
    if write is listed_objects:
        assert objects(out) == objects(root)


@pytest.mark.parametrize("name", OVERLAPPING)
def test_objects_are_written_in_the_order_that_is_stated_for_their_classes(name, tmp_path):
    root = listed_objects(tmp_path / "set", "[vessel, organ]")
    out = maskwright.convert(root, tmp_path / "out", name)
    assert contents(out) == contents(root)
    assert objects(out) == objects(root)
    again = maskwright.convert(out, tmp_path / "again", "masks")
    assert objects(again) == objects(root)


def test_files_of_single_classes_become_one_mask_with_the_stated_class_on_top(tmp_path):
    root = class_files(tmp_path / "set", "[vessel, organ]")
    out = maskwright.convert(root, tmp_path / "out", "masks")
    assert contents(out) == contents(root)
    assert len(list((out / "masks").rglob("*.png"))) == 2


def test_labels_of_single_masks_become_classes_of_one(tmp_path):
    root = tmp_path / "set"
    for name, mask in (("a", IMAGE), ("left", LEFT), ("right", RIGHT)):
        draw(root / f"{name}.png", mask)
    (root / "manifest.csv").write_text("image,mask,label\na.png,left.png;right.png,cell;gap\n")
    (root / "data.yaml").write_text("manifest: manifest.csv\noverlap: [gap, cell]\n")
    out = maskwright.convert(root, tmp_path / "out", "masks")
    assert contents(out) == contents(root)
    assert objects(out) == objects(root)


def test_classes_whose_names_a_manifest_would_part_are_refused(tmp_path):
    root = class_files(tmp_path / "set", "multilabel")
    with (root / "data.yaml").open("a") as file:
        file.write("masks: {'a;b': masks/organ/*, c: masks/vessel/*}\nimages: images\n")
    with pytest.raises(DataError, match="'a;b' has a ';', which parts the classes of a manifest"):
        maskwright.convert(root, tmp_path / "out", "masks")


@pytest.mark.filterwarnings("ignore::maskwright.errors.MaskwrightWarning")
@pytest.mark.parametrize("name", MASKS)
def test_pixels_for_which_an_image_has_no_data_stay_ignored(name, tmp_path):
    root, image = tmp_path / "set", IMAGE[..., 0].astype(np.float32) / 255
    image[:2, 3:] = np.nan
    (root / "images").mkdir(parents=True)
    write_image(root / "images" / "a.tif", image)
    draw(root / "masks" / "a.png", LEFT)
    if name == "labelme-folders":
        with pytest.raises(DataError, match=r"a\.tif has pixels without data, .* cannot hold"):
            maskwright.convert(root, tmp_path / "out", name)
        return
    out = maskwright.convert(root, tmp_path / "out", name)
    assert contents(out)[1] == contents(root)[1]
    assert contents(out)[1].popitem()[1][1][0][3:] == [255] * 6


@pytest.mark.filterwarnings("ignore::maskwright.errors.MaskwrightWarning")
@pytest.mark.parametrize("name", MASKS)
def test_names_that_become_the_same_are_told_apart(name, tmp_path):
    for number, stem in enumerate(("a b", "a_b", "a,b", "a&b", "A_B-2")):
        draw(tmp_path / "set" / "images" / f"{stem}.png", np.roll(IMAGE, number, 0))
        draw(tmp_path / "set" / "masks" / f"{stem}.png", np.roll(LEFT, number, 0))
    out = maskwright.convert(tmp_path / "set", tmp_path / "out", name)
    assert contents(out) == contents(tmp_path / "set")
    assert len(contents(out)[1]) == 5


@pytest.mark.parametrize("name", MASKS)
def test_a_class_background_that_is_added_is_told(name, tmp_path):
    draw(tmp_path / "set" / "images" / "a.png", IMAGE)
    draw(tmp_path / "set" / "masks" / "a.png", LEFT // 255)
    (tmp_path / "set" / "data.yaml").write_text("classes: [road, car]\n")
    if name == "nnunet":
        with pytest.raises(DataError, match="expects the background as label 0"):
            maskwright.convert(tmp_path / "set", tmp_path / "out", name)
        return
    messages = []
    out = maskwright.convert(tmp_path / "set", tmp_path / "out", name, on_message=messages.append)
    added = "background" in open_dataset(out).labels.names
    assert added == WRITERS[name].shapes == any("class background" in str(m) for m in messages)


def test_spacing_and_cases_are_kept_or_told(tmp_path):
    rows = ["image,mask,split,case,spacing_mm"]
    for number, name in enumerate("abc"):
        draw(tmp_path / "set" / f"{name}.png", np.roll(IMAGE, number, 0))
        draw(tmp_path / "set" / f"{name}_mask.png", LEFT)
        rows.append(f"{name}.png,{name}_mask.png,train,p{number // 2},0.5x0.7")
    (tmp_path / "set" / "manifest.csv").write_text("\n".join(rows))
    for name in MASKS:
        messages = []
        out = tmp_path / name
        maskwright.convert(tmp_path / "set", out, name, on_message=messages.append)
        text = " ".join(map(str, messages))
        samples = open_dataset(out).samples
        spacing = all(s.spacing_mm == pytest.approx((0.5, 0.7)) for s in samples if s.spacing_mm)
        assert spacing
        assert all(s.spacing_mm for s in samples) != ("no size of pixels" in text)
        assert (len({s.case for s in samples}) == 2) != ("holds no cases" in text)


@pytest.mark.parametrize("name", ["nifti", "npz", "hdf5", "voc", "coco"])
def test_other_splits_are_refused(name, tmp_path):
    for split in ("train", "site 2"):
        draw(tmp_path / "set" / f"{split}.png", IMAGE)
        draw(tmp_path / "set" / f"{split}_mask.png", LEFT)
    (tmp_path / "set" / "data.yaml").write_text("splits: {train: [train], site 2: ['site*']}\n")
    with pytest.raises(DataError, match="cannot hold the split site 2; expected train, val, test"):
        maskwright.convert(tmp_path / "set", tmp_path / "out", name)


def test_classes_in_no_object_are_written_as_objects_which_is_told(tmp_path):
    draw(tmp_path / "set" / "images" / "a.png", IMAGE)
    draw(tmp_path / "set" / "masks" / "a.png", np.maximum(LEFT // 255, RIGHT // 255 * 2))
    draw(tmp_path / "set" / "instances" / "a.png", np.where(LEFT > RIGHT, 1, 0).astype(np.uint8))
    (tmp_path / "set" / "data.yaml").write_text("classes: [background, cell, tissue]\n")
    with pytest.warns(MaskwrightWarning, match="classes in no object are written as 1 object"):
        out = maskwright.convert(tmp_path / "set", tmp_path / "out", "coco")
    assert contents(out) == contents(tmp_path / "set")
    assert [label for label, _ in objects(out)] == [1, 2]


def test_crowds_are_kept_or_told(tmp_path):
    root = listed_objects(tmp_path / "set", "multilabel")
    content = json.loads((root / "instances.json").read_text())
    content["annotations"][2] |= {"iscrowd": 1, "segmentation": {"size": [8, 9], "counts": [66, 6]}}
    (root / "instances.json").write_text(json.dumps(content))
    out = maskwright.convert(root, tmp_path / "coco", "coco")
    assert objects(out) == objects(root)
    with pytest.warns(MaskwrightWarning, match="labelme holds no crowds of COCO"):
        out = maskwright.convert(root, tmp_path / "labelme", "labelme")
    assert contents(out) == contents(root)
    assert len(objects(out)) == 2


def test_cityscapes_refuses_objects_that_overlap_and_tells_of_its_other_classes(tmp_path):
    root = tmp_path / "set"
    draw(root / "a.png", IMAGE)
    draw(root / "a_mask.png", (LEFT | RIGHT) // 255)
    (root / "data.yaml").write_text("manifest: manifest.csv\nclasses: [road, car]\n")
    (root / "manifest.csv").write_text("image,mask\na.png,a_mask.png\n")
    with pytest.warns(MaskwrightWarning, match="further classes, without a pixel: sidewalk"):
        maskwright.convert(root, tmp_path / "out", "cityscapes")
    (root / "manifest.csv").write_text("image,mask,instances\na.png,a_mask.png,a.json\n")
    (root / "a.json").write_text(Instances.from_masks([LEFT, RIGHT], (8, 9)).to_json())
    with pytest.raises(DataError, match=r"a\.png has objects that overlap; COCO holds them"):
        maskwright.convert(root, tmp_path / "objects", "cityscapes")
