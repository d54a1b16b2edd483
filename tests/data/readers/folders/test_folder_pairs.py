"""Which folders and files belong together, and what the names of folders say."""

import pytest

from drawing_classes import COUNT, draw_image, draw_mask, labels_of
from drawing_mask_sets import state
from drawing_samples import draw
from maskwright.data import open_dataset
from maskwright.data.opening import open_with_doubts

NAMES = ("dent", "rust", "scratch")


def masks_are(dataset, names=("background", *NAMES)):
    assert dataset.labels.names == names
    assert len(dataset.samples) == COUNT
    for sample in dataset.samples:
        assert (dataset.read_mask(sample) == labels_of(int(sample.image.stem[-2:]))).all()


@pytest.mark.parametrize("images", ["images", "left_frames"])
@pytest.mark.parametrize("stated", [True, False])
def test_folders_of_classes_share_words_with_the_images_or_not(tmp_path, images, stated):
    folders = ("Left_dent", "rust", "scratch")
    for n in range(COUNT):
        root = tmp_path / f"seq{n % 2}"
        draw_image(root / images / f"{n:02}.png", n)
        for label, folder in enumerate(folders, 1):
            draw_mask(root / "ground_truth" / folder / f"{n:02}.png", n, label)
    if stated:
        pairs = zip(NAMES, folders, strict=True)
        places = ", ".join(f"{name}: '*/ground_truth/{folder}'" for name, folder in pairs)
        state(tmp_path, f"masks: {{{places}}}")
    dataset = open_dataset(tmp_path)
    first = "dent" if stated or images == "left_frames" else "Left_dent"
    masks_are(dataset, ("background", first, "rust", "scratch"))


def test_numbers_of_classes_are_not_those_of_sequences(tmp_path):
    for n in range(COUNT):
        root = tmp_path / f"seq_{n % 2 + 1}"
        draw_image(root / "images" / f"{n:02}.png", n)
        for label in (1, 2, 3):
            draw_mask(root / "masks" / f"class_{label}" / f"{n:02}.png", n, label)
    places = ", ".join(f"{name}: '*/masks/class_{n}'" for n, name in enumerate(NAMES, 1))
    masks_are(open_dataset(state(tmp_path, f"masks: {{{places}}}")))


@pytest.mark.parametrize(
    ("folders", "cases"),
    [
        (("HAM10000_images_part_1", "HAM10000_images_part_2"), COUNT),
        (("images_1", "images_2"), COUNT),
        (("batch1", "batch2"), COUNT),
        (("patient1_part1", "patient2_part1"), 2),
        (("patient_1", "patient_2"), 2),
    ],
)
def test_numbered_parts_of_a_data_set_are_no_cases(tmp_path, folders, cases):
    for n in range(COUNT):
        draw_image(tmp_path / folders[n % 2] / f"{n:02}.png", n)
        draw_mask(tmp_path / "masks" / f"{n:02}.png", n)
    assert len({sample.case for sample in open_dataset(tmp_path).samples}) == cases


def test_equal_names_come_before_numbers(tmp_path):
    for n in range(COUNT):
        draw_image(tmp_path / "heights" / f"dsm_09cm_area{n:02}.png", n + 1)
        draw_image(tmp_path / "top" / f"mosaic_area{n:02}.png", n)
        draw_mask(tmp_path / "gts_for_all" / f"mosaic_area{n:02}.png", n)
    dataset = open_dataset(state(tmp_path, "unannotated: skip"))
    assert {sample.image.parent.name for sample in dataset.samples} == {"top"}


def test_numbers_fit_with_leading_zeros_and_classes_behind_them(tmp_path):
    for n in range(COUNT):
        draw_image(tmp_path / "images" / f"{n}.jpg", n)
        for label, name in enumerate(("l_brow", "r_brow", "skin"), 1):
            draw_mask(tmp_path / "masks" / f"{n // 6}" / f"{n:05}_{name}.png", n, label)
    dataset = open_dataset(tmp_path)
    assert dataset.labels.names == ("background", "l_brow", "r_brow", "skin")
    for sample in dataset.samples:
        assert (dataset.read_mask(sample) == labels_of(int(sample.image.stem))).all()


def test_letter_case_counts_where_nothing_else_differs(tmp_path):
    for n in range(COUNT):
        name = f"{'aA'[n % 2]}{n // 2}.png"
        draw_image(tmp_path / "images" / name, n)
        draw(tmp_path / "masks" / name, labels_of(n))
    for sample in (dataset := open_dataset(tmp_path)).samples:
        n = 2 * int(sample.image.stem[1:]) + sample.image.stem.startswith("A")
        assert (dataset.read_mask(sample) == labels_of(n)).all()


def test_an_ending_that_all_images_share_is_no_part_of_their_names(tmp_path):
    for n in range(COUNT):
        draw_image(tmp_path / "rgb_anon" / "fog" / f"GO04_{n:06}_rgb_anon.png", n)
        for kind in ("labelIds", "invIds"):
            draw(tmp_path / "gt" / "fog" / f"GO04_{n:06}_gt_{kind}.png", labels_of(n))
    for sample in (dataset := open_with_doubts(tmp_path)).samples:
        start = sample.image.stem.removesuffix("_rgb_anon")
        names = [f"{start}_gt_{kind}.png" for kind in ("invIds", "labelIds")]
        assert [mask.name for mask in sample.masks] == names
    assert len(dataset.samples) == COUNT


def test_masks_lie_deep_in_a_folder_of_the_name_of_their_image(tmp_path):
    for n in range(COUNT):
        draw_image(tmp_path / "Images" / f"eye_{n:02}.png", n)
        for label, name in enumerate(NAMES, 1):
            folder = tmp_path / "GT" / f"eye_{n:02}" / "SoftMap"
            draw_mask(folder / f"eye_{n:02}_{name}.png", n, label)
    masks_are(open_dataset(tmp_path))
