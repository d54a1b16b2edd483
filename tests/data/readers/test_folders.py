import numpy as np
import pytest

from drawing_samples import MASK, draw
from maskwright.data import open_dataset
from maskwright.data.encodings.class_map import voc_color
from maskwright.errors import DataError

VIEW = np.array([[0, 1, 1, 1]] * 3, np.uint8)
STEMS = ("a 1", "a 2", "ü_10")


def two_folders(root, images="images", masks="masks", suffix="", image="jpg", mask="png"):
    for stem in STEMS:
        draw(root / images / f"{stem}.{image}")
        draw(root / masks / f"{stem}{suffix}.{mask}", MASK)


def splits(dataset):
    return {sample.id: sample.split for sample in dataset.samples}


@pytest.mark.parametrize(
    "names",
    [
        {},
        {"masks": "labels"},
        {"images": "img", "masks": "gt"},
        {"images": "imgs", "masks": "masks", "suffix": "_mask", "mask": "gif"},
        {"images": "x/deep/JPEGImages", "masks": "x/deep/SegmentationClass"},
        {"masks": "annotations/trimaps"},
        {"images": ".", "masks": "masks", "suffix": "-seg"},
        {"images": "scan", "masks": "scan", "suffix": "_label"},
        {"images": "both", "masks": "both"},  # x.jpg beside x.png
        {"images": "train", "masks": "train_masks", "suffix": "_mask", "mask": "GIF"},
        {"images": "data", "masks": "truth", "suffix": ".matte.v2", "mask": "tif"},
        {"images": "Ped/PNGImages", "masks": "Ped/PedMasks", "suffix": "_mask"},
        {"images": "top", "masks": "gts_for_participants"},
        {"images": "lung_segmentation/rgb_png", "masks": "lung_segmentation/masks_png"},
        {"images": "ISIC-2017_Training_Data", "masks": "ISIC-2017_Training_Part1_GroundTruth"},
    ],
)
def test_pairs_are_found_whatever_the_folders_are_called(tmp_path, names):
    two_folders(tmp_path, **names)
    draw(tmp_path / "images" / "._a 1.jpg")
    dataset = open_dataset(tmp_path)
    assert sorted(splits(dataset)) == sorted(STEMS)
    assert set(splits(dataset).values()) == {"train", "val", "test"}
    for sample in dataset.samples:
        image, labels = dataset.read(sample)
        assert image.shape == (3, 4, 3)
        np.testing.assert_array_equal(labels, MASK)


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("{}", "{}annot"),
        ("{}/images", "{}/masks"),
        ("images/{}", "masks/{}"),
        ("{}_images", "{}_labels"),
        ("images/{}", "annotations"),
    ],
)
def test_folders_state_splits(tmp_path, images, masks):
    for name, split in (("train", "train"), ("valid", "val"), ("testing", "test")):
        draw(tmp_path / images.format(name) / f"{split}1.png")
        draw(tmp_path / masks.format(name) / f"{split}1.png", MASK)
    dataset = open_dataset(tmp_path)
    assert splits(dataset) == {f"{split}1": split for split in ("train", "val", "test")}
    assert dataset.skipped == ()


def test_lists_state_splits_and_columns_are_passed_over(tmp_path):
    two_folders(tmp_path)
    (tmp_path / "trainval.txt").write_text("# id class\na 1.jpg\nimages/a 2.jpg 1 1\n")
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "test.txt").write_text("ü_10\n", encoding="utf-8")
    dataset = open_dataset(tmp_path, val_share=0)
    assert splits(dataset) == {"a 1": "train", "a 2": "train", "ü_10": "test"}


def test_train_and_val_say_more_than_trainval(tmp_path):
    two_folders(tmp_path)
    for name, ids in (("trainval", STEMS), ("train", STEMS[:2]), ("val", STEMS[2:])):
        (tmp_path / f"{name}.txt").write_text("\n".join(ids), encoding="utf-8")
    dataset = open_dataset(tmp_path, test_share=0)
    assert splits(dataset) == {"a 1": "train", "a 2": "train", "ü_10": "val"}


def test_what_is_in_two_lists_counts_for_the_stricter_split(tmp_path):
    two_folders(tmp_path)
    more = [f"b {n}" for n in range(7)]
    for stem in more:
        draw(tmp_path / "images" / f"{stem}.jpg")
        draw(tmp_path / "masks" / f"{stem}.png", MASK)
    (tmp_path / "train.txt").write_text("\n".join([*STEMS, *more]), encoding="utf-8")
    (tmp_path / "test.txt").write_text("a 1\n")
    dataset = open_dataset(tmp_path, val_share=0)
    assert splits(dataset) == {"a 1": "test"} | dict.fromkeys(["a 2", "ü_10", *more], "train")
    assert any("in the lists of two splits (a 1" in note.text for note in dataset.notes)


def test_links_are_followed_but_not_in_circles(tmp_path):
    two_folders(tmp_path / "elsewhere", images="i", masks="m")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "images").symlink_to(tmp_path / "elsewhere" / "i")
    (tmp_path / "data" / "masks").symlink_to(tmp_path / "elsewhere" / "m")
    (tmp_path / "data" / "again").symlink_to(tmp_path / "data")
    assert sorted(splits(open_dataset(tmp_path / "data"))) == sorted(STEMS)


def test_voc_reads_its_own_lists_names_and_void(tmp_path):
    labels = np.where(MASK, 15, 0).astype(np.uint8)
    labels[0, 0] = 255
    palette = [part for label in range(256) for part in voc_color(label)]
    for stem in ("2007_01", "2007_02"):
        draw(tmp_path / "VOC/JPEGImages" / f"{stem}.jpg")
        draw(tmp_path / "VOC/SegmentationClass" / f"{stem}.png", labels, "P", palette=palette)
        draw(tmp_path / "VOC/SegmentationObject" / f"{stem}.png", labels, "P", palette=palette)
    draw(tmp_path / "VOC/JPEGImages/2007_03.jpg")
    lists = tmp_path / "VOC/ImageSets"
    for folder, word in (("Segmentation", "train"), ("Main", "val")):
        (lists / folder).mkdir(parents=True)
        (lists / folder / f"{word}.txt").write_text("2007_01\n")
    (lists / "Segmentation" / "val.txt").write_text("2007_02\n")
    dataset = open_dataset(tmp_path, test_share=0)
    assert splits(dataset) == {"2007_01": "train", "2007_02": "val"}
    assert dataset.labels.names[15] == "person"
    assert dataset.labels.colors[15] == (192, 128, 128)
    assert dataset.read(dataset.samples[0])[1].tolist()[0] == [255, 0, 15, 15]
    assert [file.path.name for file in dataset.skipped] == ["2007_03.jpg"]


def test_one_mask_for_each_object_in_a_folder_for_each_image(tmp_path):
    for number in range(4):
        folder = tmp_path / "stage1_train" / f"id{number}"
        draw(folder / "images" / f"id{number}.png")
        for part in range(number):  # none at all for the first
            mask = np.zeros((3, 4), np.uint8)
            mask[part, 1:3] = 255
            draw(folder / "masks" / f"{part}f0e.png", mask)
        (folder / "masks").mkdir(exist_ok=True)
    dataset = open_dataset(tmp_path)
    assert dataset.instances
    counts = {s.id: int(dataset.read_instances(s).max()) for s in dataset.samples}
    assert counts == {"id0": 0, "id1": 1, "id2": 2, "id3": 3}
    last = next(s for s in dataset.samples if s.id == "id3")
    assert dataset.read(last)[1].tolist() == [[0, 1, 1, 0]] * 3


def test_masks_in_folders_named_after_their_images(tmp_path):
    for stem in ("p1", "p2"):
        draw(tmp_path / "images" / f"{stem}.png")
        for part in (0, 1):
            draw(
                tmp_path / "masks" / stem / f"{part}.png",
                np.where(part == MASK, 255, 0).astype(np.uint8),
            )
    dataset = open_dataset(tmp_path)
    assert [len(s.masks) for s in dataset.samples] == [2, 2]


def test_numbered_masks_are_united_and_class_folders_become_labels(tmp_path):
    upper, lower = MASK.copy(), MASK.copy()
    upper[1:], lower[:1] = 0, 0
    for label in ("benign", "malignant"):
        for number in range(4):
            name = f"{label} ({number})"
            draw(tmp_path / label / "images" / f"{name}.png")
            draw(tmp_path / label / "mask" / f"{name}_mask.png", upper * 255)
            draw(tmp_path / label / "mask" / f"{name}_mask_1.png", lower * 255)
    rows = [
        f"{label},{label} ({n}).png,{n % 2}" for label in ("benign", "malignant") for n in range(4)
    ]
    (tmp_path / "groups.csv").write_text("\n".join(["class,image,group", *rows]))
    dataset = open_dataset(tmp_path)
    assert {s.label for s in dataset.samples} == {"benign", "malignant"}
    assert {s.case for s in dataset.samples} == {"0", "1"}
    assert all(s.columns["group"] == s.case for s in dataset.samples)
    np.testing.assert_array_equal(dataset.read(dataset.samples[0])[1], MASK)
    for case in ("0", "1"):
        assert len({s.split for s in dataset.samples if s.case == case}) == 1


def test_several_tiles_are_cases(tmp_path):
    for tile in range(3):
        for part in range(2):
            draw(tmp_path / f"tile_{tile}" / "images" / f"part_{part}.jpg")
            draw(tmp_path / f"tile_{tile}" / "masks" / f"part_{part}.png", MASK)
    dataset = open_dataset(tmp_path)
    assert dataset.samples[0].id == "tile_0-part_0"
    assert {s.case for s in dataset.samples} == {"tile_0", "tile_1", "tile_2"}
    assert dataset.splits == {"train": 2, "val": 2, "test": 2}


def test_what_has_no_partner_is_left_out_with_the_reason(tmp_path):
    two_folders(tmp_path)
    draw(tmp_path / "images" / "alone.jpg")
    draw(tmp_path / "masks" / "lost.png", MASK)
    draw(tmp_path / "images" / "twice.jpg")
    draw(tmp_path / "images" / "twice.png")
    draw(tmp_path / "masks" / "twice.png", MASK)
    with pytest.raises(DataError, match="3 images of 6 and 2 masks of 5 are in no pair"):
        open_dataset(tmp_path)
    (tmp_path / "data.yaml").write_text("unannotated: skip\n")
    reasons = {file.path.name: file.reason for file in open_dataset(tmp_path).skipped}
    assert reasons == {
        "alone.jpg": "image without a mask",
        "lost.png": "mask without an image",
        "twice.jpg": "several files of the same name fit together",
        "twice.png": "several files of the same name fit together",
    }


def test_the_field_of_view_is_not_the_mask(tmp_path):
    for number in (21, 22):  # as in DRIVE
        draw(tmp_path / "training" / "images" / f"{number}_training.tif")
        draw(tmp_path / "training" / "1st_manual" / f"{number}_manual1.gif", MASK)
        draw(tmp_path / "training" / "mask" / f"{number}_training_mask.gif", VIEW)
        draw(tmp_path / "test" / "images" / f"{number - 20}_test.tif")
        draw(tmp_path / "test" / "mask" / f"{number - 20}_test_mask.gif", VIEW)
    dataset = open_dataset(tmp_path, val_share=0, test_share=0)
    assert {mask.parent.name for s in dataset.samples for mask in s.masks} == {"1st_manual"}
    assert {s.case for s in dataset.samples} == {s.id for s in dataset.samples}
    seen = np.where(VIEW, MASK, 255)
    assert dataset.read_mask(dataset.samples[0]).tolist() == seen.tolist()
    assert {file.reason for file in dataset.skipped} == {"image of a split without masks"}
    for number in (1, 2):
        draw(tmp_path / "test" / "1st_manual" / f"{number}_manual1.gif", MASK)
        draw(tmp_path / "test" / "2nd_manual" / f"{number}_manual2.gif", MASK * 0)
    dataset = open_dataset(tmp_path)
    assert dataset.splits == {"train": 1, "val": 1, "test": 2}
    assert dataset.read_mask(dataset.of("test")[0]).tolist() == seen.tolist()
    (tmp_path / "data.yaml").write_text(
        "images: '*/images/*'\nmasks: '*/?nd_manual/*'\nfield_of_view: '*/mask/*'\n"
        "unannotated: skip\n"
    )
    other = open_dataset(tmp_path).samples
    assert {mask.parent.name for s in other for mask in s.masks} == {"2nd_manual"}


def test_numbers_pair_names_that_are_otherwise_alike(tmp_path):
    for number in range(3):
        draw(tmp_path / "01" / f"t00{number}.tif")
        draw(tmp_path / "01_GT" / "SEG" / f"man_seg{number}.tif", MASK)
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "folders of images and masks, paired by number"
    assert [(s.id, s.masks[0].stem) for s in dataset.samples] == [
        (f"t00{number}", f"man_seg{number}") for number in range(3)
    ]


def test_images_of_another_split_are_not_given_its_masks(tmp_path):
    for number in range(3):  # as in Carvana
        draw(tmp_path / "train" / f"a_{number}.jpg")
        draw(tmp_path / "train_masks" / f"a_{number}_mask.gif", MASK)
        draw(tmp_path / "test" / f"b_{number}.jpg")
    dataset = open_dataset(tmp_path)
    assert [s.id for s in dataset.samples] == ["a_0", "a_1", "a_2"]
    assert {file.reason for file in dataset.skipped} == {"image of a split without masks"}


def test_a_folder_without_masks_is_explained(tmp_path):
    draw(tmp_path / "images" / "a.jpg")
    with pytest.raises(DataError, match=r"1 image in images/.*image,mask"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("mask", ["{}.{}.png", "{}_{}.png", "{}.png"])
def test_images_of_one_name_have_masks_named_after_their_endings_too_or_none(tmp_path, mask):
    for number in range(3):
        for ending in ("jpg", "png"):
            draw(tmp_path / "images" / f"{number}.{ending}")
            shown = np.zeros((3, 4), np.uint8)
            shown[number, : 1 if ending == "jpg" else 3] = 255
            draw(tmp_path / "masks" / mask.format(number, ending), shown)
    if mask == "{}.png":
        with pytest.raises(DataError, match=r"0.jpg and 0.png in images/ have one name but for"):
            open_dataset(tmp_path)
        return
    for sample in (dataset := open_dataset(tmp_path)).samples:
        assert dataset.read(sample)[1].sum() == (1 if sample.image.suffix == ".jpg" else 3)
    assert len(dataset.samples) == 6


def test_names_that_do_not_fit_are_named(tmp_path):
    for number in range(3):
        draw(tmp_path / "images" / f"im{number}.png")
        draw(tmp_path / "masks" / f"{'abc'[number]}.png", MASK)
    with pytest.raises(DataError, match=r"images/im0.png and masks/a.png, do not fit") as raised:
        open_dataset(tmp_path)
    assert "…" not in str(raised.value)
    (tmp_path / "data.yaml").write_text("pair_by: order\n")
    assert len(open_dataset(tmp_path).samples) == 3


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "layout", "splits", "classes"),
    [
        ("oxford_pets", "Oxford-IIIT Pet", [274, 26, 101], "pet background border"),
        (
            "camvid",
            "SegNet's CamVid (train, trainannot, …)",
            [74, 21, 47],
            "Sky Building Pole Road Pavement Tree SignSymbol Fence Car Pedestrian Bicyclist",
        ),
        (
            "dsb2018",
            "a folder for each image, with one mask for each object",
            [98, 10, 12],
            "background object",
        ),
        (
            "dubai_aerial",
            "folders of images and masks",
            [7, 1, 1],
            "building unpaved_land road vegetation water",
        ),
        (
            "dubai_aerial/tile_7",
            "folders of images and masks",
            [7, 1, 1],
            "building unpaved_land road vegetation water",
        ),
        ("busi", "folders of images and masks", [115, 16, 11], "background object"),
    ],
)
def test_real_data_sets_are_recognized(real_data, name, layout, splits, classes):
    dataset = open_dataset(real_data / name)
    assert dataset.layout == layout
    assert list(dataset.splits.values()) == splits
    assert [n.replace(" ", "_") for n in dataset.labels.names] == classes.split()


@pytest.mark.real
def test_pets_with_wrong_endings_are_read(real_data):
    dataset = open_dataset(real_data / "oxford_pets")
    sample = next(s for s in dataset.samples if s.id == "Abyssinian_5")  # a PNG with alpha
    image, labels = dataset.read(sample)
    assert image.shape[2] == 3
    assert set(np.unique(labels)) == {0, 1, 2}


def test_arrays_of_objects_beside_images_and_masks_are_told(tmp_path):
    for stem in STEMS:
        draw(tmp_path / f"{stem}_img.png")
        draw(tmp_path / f"{stem}_masks.png", MASK)
        held = np.array({"masks": MASK}, dtype=object)
        np.save(tmp_path / f"{stem}_img_seg.npy", held, allow_pickle=True)  # as Cellpose does
    dataset = open_dataset(tmp_path)
    assert len(dataset.samples) == len(STEMS)
    notes = {note.code: note.text for note in dataset.notes}
    assert "a 1_img_seg.npy, a 2_img_seg.npy" in notes["object_arrays"]
