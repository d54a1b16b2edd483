"""Splits that files beside the images state, in the ways in which people write them."""

import json

import pytest

from drawing_samples import MASK, draw
from maskwright.data.opening import open_with_doubts

STATED = {f"{n:03}": "test" if n > 9 else "val" if n > 7 else "train" for n in range(12)}
"""Splits of twelve images, 000 to 011."""


@pytest.fixture
def folder(tmp_path):
    for stem in STATED:
        draw(tmp_path / "images" / f"{stem}.jpg")
        draw(tmp_path / "masks" / f"{stem}.png", MASK)
    return tmp_path


def splits(dataset):
    return {sample.id: sample.split for sample in dataset.samples}


def write_lists(folder, line, name="{}.txt", stated=STATED):
    for split in ("train", "val", "test"):
        lines = [line.format(stem, int(stem)) for stem in stated if stated[stem] == split]
        if lines:
            (folder / name.format(split)).write_text("\n".join(lines))


def codes(dataset):
    return [doubt.code for doubt in dataset.doubts]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("{0}.jpg", "{}.txt"),
        ("{1},{0}.jpg", "{}.txt"),  # a number before the name
        ("masks/{0}.png", "{}_list.lst"),
        ("{0}", "{}_fold0.txt"),  # a single fold
        ("C:\\data\\{0}.bmp", "{}set.txt"),
    ],
)
def test_lines_of_lists_name_images(folder, line, name):
    write_lists(folder, line, name)
    assert splits(open_with_doubts(folder)) == STATED


@pytest.mark.parametrize("column", ["split", "set", "Subset", "partition", "dataset_split"])
def test_tables_with_a_column_of_splits_divide_the_images(folder, column):
    rows = "".join(f"{n},x,images/{stem}.jpg,{STATED[stem]}\n" for n, stem in enumerate(STATED))
    (folder / "metadata.csv").write_text(f",note,img_path,{column}\n{rows}")
    assert splits(open_with_doubts(folder)) == STATED


@pytest.mark.parametrize(
    "content",
    [
        {s: [n for n in STATED if STATED[n] == s] for s in ("train", "val", "test")},
        STATED,
        [{"file": f"{stem}.jpg", "split": split} for stem, split in STATED.items()],
    ],
)
def test_json_divides_the_images(folder, content):
    (folder / "split.json").write_text(json.dumps(content))
    assert splits(open_with_doubts(folder)) == STATED


@pytest.mark.parametrize("line", ["{1}", "img_{0}"])
def test_lists_that_fit_no_image_are_a_doubt_and_can_be_dropped(folder, line):
    write_lists(folder, line)
    dataset = open_with_doubts(folder)
    assert codes(dataset) == ["split_names"]
    assert "train.txt" in dataset.doubts[0].text
    (folder / "data.yaml").write_text("splits: {}\n")
    assert codes(open_with_doubts(folder)) == []


def test_lists_that_fit_in_part_are_a_doubt_and_can_be_stated(folder):
    lost = {"900": "train", "901": "train"}
    write_lists(folder, "{0}", stated=STATED | lost)
    dataset = open_with_doubts(folder)
    assert codes(dataset) == ["split_names"]
    assert "2 names of 10 in train.txt (900, 901)" in dataset.doubts[0].text
    (line,) = [part for part in dataset.doubts[0].settle.split("`") if "train.txt" in part]
    (folder / "data.yaml").write_text(line)
    settled = open_with_doubts(folder)
    assert codes(settled) == []
    assert splits(settled) == STATED


def test_several_folds_are_a_doubt_with_the_line_for_one(folder):
    for fold in range(2):
        write_lists(
            folder, "{0}", f"{{}}_fold{fold}.txt", STATED if fold else {**STATED, "001": "val"}
        )
    dataset = open_with_doubts(folder)
    assert codes(dataset) == ["split_folds"]
    (line,) = [part for part in dataset.doubts[0].settle.split("`") if "train_fold0" in part]
    (folder / "data.yaml").write_text(line)
    settled = open_with_doubts(folder)
    assert codes(settled) == []
    assert splits(settled) == {**STATED, "001": "val"}


def test_lists_that_share_many_images_are_a_doubt(folder):
    write_lists(folder, "{0}")
    (folder / "test.txt").write_text("\n".join(STATED))
    dataset = open_with_doubts(folder)
    assert codes(dataset) == ["splits_overlap"]
    (line,) = [part for part in dataset.doubts[0].settle.split("`") if "train.txt" in part]
    (folder / "data.yaml").write_text(line)
    assert codes(open_with_doubts(folder)) == []


def test_lines_that_name_videos_divide_their_frames(tmp_path):
    videos = {"bear": "train", "boat": "train", "car": "val"}
    for video in videos:
        for n in range(4):
            draw(tmp_path / "JPEGImages" / "480p" / video / f"{n:05}.jpg")
            draw(tmp_path / "Annotations" / "480p" / video / f"{n:05}.png", MASK)
    lists = tmp_path / "ImageSets" / "2017"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("bear\nboat\n")
    (lists / "val.txt").write_text("car\n")
    dataset = open_with_doubts(tmp_path, test_share=0)
    assert {(s.case, s.split, s.label) for s in dataset.samples} == {
        (video, split, None) for video, split in videos.items()
    }
    assert len(dataset.samples) == 12


def test_folders_called_dataset_are_splits(tmp_path):
    for folder, image, mask in (
        ("TrainDataset", "image", "mask"),
        ("ValDataset", "image", "mask"),
        ("TestDataset/CVC-300", "images", "masks"),
        ("TestDataset/Kvasir", "images", "masks"),
    ):
        for n in range(3):
            draw(tmp_path / folder / image / f"{n}.png")
            draw(tmp_path / folder / mask / f"{n}.png", MASK)
    dataset = open_with_doubts(tmp_path)
    assert dataset.splits == {"train": 3, "val": 3, "test": 6}


@pytest.mark.parametrize("column", ["split", "subset", "splt"])
def test_columns_of_manifests_that_name_splits_are_splits(folder, column):
    rows = [f"images/{stem}.jpg,masks/{stem}.png,{split}" for stem, split in STATED.items()]
    manifest = folder / "manifest.csv"
    manifest.write_text("\n".join([f"image,mask,{column}", *rows]))
    dataset = open_with_doubts(manifest)
    assert [sample.split for sample in dataset.samples] == list(STATED.values())
    manifest.write_text(
        "\n".join([f"image,mask,{column}", *rows[:9], "images/009.jpg,masks/009.png,"])
    )
    assert codes(open_with_doubts(manifest)) == ["unstated_split"]
    (folder / "data.yaml").write_text("splits: {}\n")
    assert codes(open_with_doubts(folder)) == []


def test_more_than_a_tenth_in_no_list_is_asked_about(folder):
    write_lists(folder, "{0}", stated={s: split for s, split in STATED.items() if int(s) % 4})
    dataset = open_with_doubts(folder)
    assert codes(dataset) == ["unlisted"]
    assert "3 images of 12 are in no split list, such as 000.jpg" in dataset.doubts[0].text
    (folder / "data.yaml").write_text("splits: {train: train.txt, val: val.txt, test: test.txt}")
    assert not (dataset := open_with_doubts(folder)).doubts
    assert len(dataset.samples) == 9
    (folder / "data.yaml").write_text("splits: {}")
    assert len(open_with_doubts(folder).samples) == 12
