"""Splits that files beside the images state, in the ways in which people write them."""

import json

import numpy as np
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
        ("{0}.jpg,{0}.png", "flood_{}_data.csv"),
        ("{0}", "kvasir-{}.txt"),
        ("{0}", "filelist_{}1.list"),
        ('{{"image": "images/{0}.jpg", "mask": "masks/{0}.png"}}', "{}.jsonl"),
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


def test_names_of_splits_in_yaml_and_text(folder):
    by_split = {s: [n for n in STATED if STATED[n] == s] for s in ("train", "val", "test")}
    (folder / "split.yaml").write_text(json.dumps(by_split))
    assert splits(open_with_doubts(folder)) == STATED
    (folder / "split.yaml").unlink()
    (folder / "splits.txt").write_text("\n".join(f"{n} {STATED[n]}" for n in STATED))
    assert splits(open_with_doubts(folder)) == STATED


IN_TWO = {stem: "test" if split == "test" else "train" for stem, split in STATED.items()}


def test_yes_and_no_divide_the_images(folder):
    def rows(line, yes, no):
        return "".join(line.format(n, yes if IN_TWO[n] == "train" else no) for n in STATED)

    for name, text in (
        ("train_test_split.txt", rows("{} {}\n", 1, 0)),
        ("metadata.csv", "id,is_train\n" + rows("{},{}\n", "True", "False")),
        ("metadata.csv", "id,in_test_set\n" + rows("{},{}\n", 0, 1)),
        ("manifest.csv", "image,mask,train\n" + rows("images/{0}.jpg,masks/{0}.png,{1}\n", 1, 0)),
    ):
        (folder / name).write_text(text)
        assert splits(open_with_doubts(folder, val_share=0)) == IN_TWO
        (folder / name).unlink()


def test_tables_divide_other_formats_by_image_and_case(tmp_path):
    for stem in STATED:
        arrays = {"image": np.full((16, 16), 9, np.uint8), "label": np.eye(16, dtype=np.uint8)}
        (tmp_path / "train_npz").mkdir(exist_ok=True)
        np.savez(tmp_path / "train_npz" / f"s{stem}_slice0.npz", **arrays)
    rows = "".join(f"s{stem};{split}\n" for stem, split in STATED.items())
    (tmp_path / "meta.csv").write_text(f"image_id;split\n{rows}")
    stated = {f"s{stem}_slice0": split for stem, split in STATED.items()}
    assert splits(open_with_doubts(tmp_path)) == stated


def settled(folder, dataset):
    """Splits that follow from each line that a doubt offers."""
    lines = [part for part in dataset.doubts[0].settle.split("`") if part.startswith("splits: {t")]
    for line in lines:
        (folder / "data.yaml").write_text(line)
        opened = open_with_doubts(folder, val_share=0)
        assert not opened.doubts
        yield splits(opened)


def test_a_folder_for_training_gives_way_to_lists_and_several_are_compared(tmp_path):
    for stem, split in IN_TWO.items():
        draw(tmp_path / "one" / "train_images" / f"{stem}.jpg")
        draw(tmp_path / "one" / "train_masks" / f"{stem}.png", MASK)
        draw(tmp_path / "two" / split / "images" / f"{stem}.jpg")
        draw(tmp_path / "two" / split / "masks" / f"{stem}.png", MASK)
    others = {stem: "test" if int(stem) < 2 else "train" for stem in STATED}
    for folder in (tmp_path / "one", tmp_path / "two"):
        write_lists(folder, "{0}", stated=others)
    dataset = open_with_doubts(tmp_path / "one", val_share=0)
    assert splits(dataset) == others
    dataset = open_with_doubts(tmp_path / "two", val_share=0)
    assert codes(dataset) == ["splits_differ"]
    assert "4 images of 12" in dataset.doubts[0].text
    assert [*settled(tmp_path / "two", dataset)] == [others, IN_TWO]


def test_a_table_on_images_of_a_published_test_without_masks_changes_nothing(tmp_path):
    for stem, split in IN_TWO.items():
        draw(tmp_path / split / f"{stem}_sat.jpg")
        if split == "train":
            draw(tmp_path / split / f"{stem}_mask.png", MASK)
    rows = "".join(f"{split}/{stem}_sat.jpg,{split}\n" for stem, split in IN_TWO.items())
    (tmp_path / "metadata.csv").write_text(f"sat_image_path,split\n{rows}")
    dataset = open_with_doubts(tmp_path, val_share=0, test_share=0)
    assert codes(dataset) == []
    assert dataset.splits == {"train": 10}


def test_lists_that_differ_are_offered_one_by_one(folder):
    write_lists(folder, "{0}", stated=IN_TWO)
    others = {stem: "test" if int(stem) < 4 else "train" for stem in STATED}
    rows = "".join(f"{stem},{split}\n" for stem, split in others.items())
    (folder / "metadata.csv").write_text(f"id,split\n{rows}")
    dataset = open_with_doubts(folder)
    assert codes(dataset) == ["split_folds"]
    found = [*settled(folder, dataset)]
    assert len(found) == 2
    assert IN_TWO in found
    assert others in found


def test_a_list_for_testing_alone_leaves_the_others_for_training(folder):
    (folder / "test.txt").write_text("\n".join(n for n in STATED if IN_TWO[n] == "test"))
    dataset = open_with_doubts(folder)
    assert codes(dataset) == ["unlisted"]
    assert [*settled(folder, dataset)] == [IN_TWO]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("folds.csv", "id,fold\n000,0\n001,1\n"),
        ("partition.csv", "id,partition\n000,0\n001,1\n002,2\n"),
        ("split.xlsx", "PK"),
    ],
)
def test_what_states_splits_in_another_way_is_a_doubt(folder, name, text):
    (folder / name).write_text(text)
    dataset = open_with_doubts(folder)
    assert codes(dataset) == ["splits_unread"]
    assert name in dataset.doubts[0].text
    (folder / "data.yaml").write_text("splits: {}")
    assert codes(open_with_doubts(folder)) == []


def test_files_on_other_things_than_splits_are_none(folder):
    (folder / "run").mkdir()
    (folder / "run" / "learned_images.json").write_text('{"train": ["0a1b"], "val": ["2c3d"]}')
    (folder / "run" / "environment.json").write_text("{}")
    for name, text in {
        "train_log.txt": "epoch 1 loss 0.4\nepoch 2 loss 0.3\n",
        "test_results.csv": "image,dice\n008.jpg,0.4\n",
        "config.yaml": "train: {epochs: 3}\n",
        "label2id.json": '{"train": 6, "bus": 5}',
        "ages.csv": "id,age,test\n000,60,0\n001,50,1\n",
    }.items():
        (folder / name).write_text(text)
    dataset = open_with_doubts(folder, val_share=0, test_share=0)
    assert codes(dataset) == []
    assert dataset.splits == {"train": 12}


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


@pytest.mark.parametrize("word", ["calibration", "calib", "cal"])
def test_a_list_for_calibration_is_a_split_and_that_of_a_camera_is_none(folder, word):
    write_lists(folder, "{0}", stated=STATED | {"007": "calibration"})
    (folder / f"{word}.txt").write_text("fx 718.8 fy 718.8\nk1 -0.37")
    assert splits(open_with_doubts(folder)) | {"007": ""} == STATED | {"007": ""}
    (folder / f"{word}.txt").write_text("007")
    opened = open_with_doubts(folder)
    assert (splits(opened), opened.doubts) == (STATED | {"007": "calibration"}, ())
    assert list(opened.splits) == ["train", "val", "calibration", "test"]


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
