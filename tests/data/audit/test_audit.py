import shutil
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from maskwright.data.audit import audit, contact_sheet
from maskwright.data.opening import open_dataset
from maskwright.data.synthetic.datasets import draw_scene
from maskwright.errors import DataError

NAMES = ("empty", "cut", "five", "palette", "portrait", "text", "size", "pixel", "bomb")


def write_pair(root: Path, name: str, seed: int, size: int = 64) -> np.ndarray:
    """A scene as `images/NAME` and its mask; the mask lies where that of NAME would."""
    scene = draw_scene(np.random.default_rng(seed), size)
    for folder, pixels in (("images", scene.image), ("masks", scene.labels)):
        path = root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path.with_suffix(".png"))
    return scene.image


def write_good(root: Path, count: int, prefix: str = "good_") -> None:
    for index in range(count):
        write_pair(root, f"{prefix}{index}.png", index)


def codes(report):
    return {finding.code for finding in report.findings}


def finding(report, code):
    return next(each for each in report.findings if each.code == code)


def bomb(path: Path) -> None:
    """A PNG of 40,000 x 40,000 bits in a few kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 1, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )


def test_every_bad_file_gets_its_sentence_and_the_good_ones_are_used(tmp_path):
    write_good(tmp_path, 12)
    images, masks = tmp_path / "images", tmp_path / "masks"
    for seed, name in enumerate(NAMES):
        write_pair(tmp_path, f"{name}.png", 100 + seed)
    (images / "empty.png").write_bytes(b"")
    photo = Image.open(images / "cut.png")
    (images / "cut.png").unlink()
    photo.save(images / "cut.jpg", quality=95)
    (images / "cut.jpg").write_bytes((images / "cut.jpg").read_bytes()[:1500])
    (images / "five.png").unlink()
    tifffile.imwrite(images / "five.tif", np.ones((64, 64, 5), np.uint16), photometric="minisblack")
    mask = Image.open(masks / "palette.png")
    mask.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    mask.save(masks / "palette.png")
    exif = Image.Exif()
    exif[274] = 6
    portrait = Image.open(images / "portrait.png").crop((0, 0, 64, 48))
    (images / "portrait.png").unlink()
    portrait.save(images / "portrait.jpg", exif=exif, quality=95)
    upright = Image.open(masks / "portrait.png").crop((0, 0, 64, 48)).rotate(-90, expand=True)
    upright.save(masks / "portrait.png")
    (images / "text.png").write_text("not an image\n")
    Image.open(masks / "size.png").resize((32, 32)).save(masks / "size.png")
    for folder in (images, masks):
        Image.open(folder / "pixel.png").crop((0, 0, 1, 1)).save(folder / "pixel.png")
    bomb(images / "bomb.png")

    report = audit(tmp_path)
    assert not report.ok
    expected = {
        "empty.png": "is empty",
        "cut.jpg": "damaged or incomplete",
        "five.tif": "5 channels where the data set has 3",
        "text.png": "not an image",
        "size.png": "must have the same size",
        "bomb.png": "40000x40000",
    }
    errors = [each for each in report.findings if each.severity == "error"]
    for name, said in expected.items():
        (about,) = [each for each in errors if each.files == (f"images/{name}",)]
        assert said in about.message
        assert name in about.message
    assert len(errors) == len(expected)
    assert "images/pixel.png" in finding(report, "tiny").files
    assert "masks/palette.png" in finding(report, "mixed_masks").message
    assert finding(report, "orientation").files == ("images/portrait.jpg",)
    # 12 good ones, the palette mask, the portrait and the pixel are used.
    assert sum(report.splits.values()) == 15


def test_a_clean_set_passes_and_its_table_adds_up(tmp_path):
    for split, count, first in (("train", 10, 0), ("val", 3, 50), ("test", 3, 90)):
        for index in range(count):
            write_pair(tmp_path / split, f"{split}{index}.png", first + index)
    report = audit(tmp_path)
    assert report.ok
    assert report.splits == {"train": 10, "val": 3, "test": 3}
    assert sum(row.pixels for row in report.classes) == 16 * 64 * 64
    assert sum(row.share for row in report.classes) == pytest.approx(3)
    assert report.to_dict()["ok"] is True


def test_copies_across_splits_are_an_error_and_within_a_split_are_not(tmp_path):
    for split, first in (("train", 0), ("test", 50)):
        for index in range(12):
            write_pair(tmp_path / split, f"{split}{index}.png", first + index)
    train, test = tmp_path / "train" / "images", tmp_path / "test" / "images"
    (train / "train1.png").write_bytes((train / "train0.png").read_bytes())
    within = audit(tmp_path)
    assert within.ok
    assert {"duplicates", "different_masks"} <= codes(within)
    brighter = np.asarray(Image.open(train / "train2.png")) * 0.9 + 10
    Image.fromarray(brighter.astype(np.uint8)).save(test / "test3.png")
    (test / "test4.png").write_bytes((train / "train5.png").read_bytes())
    across = audit(tmp_path)
    assert not across.ok
    near = finding(across, "near_duplicates_across_splits")
    assert set(near.files) == {"train/images/train2.png", "test/images/test3.png"}
    assert "duplicates_across_splits" in codes(across)


def test_class_that_training_never_sees_is_an_error(tmp_path):
    for split, first in (("train", 0), ("val", 30), ("test", 50)):
        for index in range(10):
            write_pair(tmp_path / split, f"{split}{index}.png", first + index)
    for path in (tmp_path / "train" / "masks").iterdir():
        mask = np.asarray(Image.open(path))
        Image.fromarray(np.where(mask == 2, 1, mask).astype(np.uint8)).save(path)
    report = audit(tmp_path)
    assert not report.ok
    assert "class_2" in finding(report, "class_not_in_train").message


def test_lying_names_alpha_and_empty_masks_are_named(tmp_path):
    write_good(tmp_path, 30)
    images, masks = tmp_path / "images", tmp_path / "masks"
    Image.open(images / "good_3.png").save(images / "good_3.gif")
    (images / "good_3.gif").replace(images / "good_3.png")
    Image.open(images / "good_4.png").convert("RGBA").save(images / "good_4.png")
    Image.new("L", (64, 64)).save(masks / "good_5.png")
    report = audit(tmp_path)
    assert report.ok
    assert finding(report, "misnamed").files == ("images/good_3.png",)
    assert finding(report, "alpha").files == ("images/good_4.png",)
    one_class = finding(report, "one_class_mask")
    assert one_class.files == ("images/good_5.png",)
    assert one_class.severity == "warning"


def test_frames_of_a_video_in_two_splits_are_noticed(tmp_path):
    long = draw_scene(np.random.default_rng(0), 400)
    for frame in range(24):
        split = "train" if frame < 16 else "test"
        window = slice(4 * frame, 4 * frame + 96)
        for kind, pixels in (("images", long.image), ("masks", long.labels)):
            path = tmp_path / split / kind / f"clip_{frame:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[:96, window]).save(path)
    report = audit(tmp_path)
    across = finding(report, "video_across_splits")
    assert "clip_… in test and train" in across.message
    assert "`group_by: (.+)_` and `splits: {}` in data.yaml" in across.advice
    assert [len(ids) for ids in report.videos] == [24]
    shutil.rmtree(tmp_path / "test")
    (tmp_path / "data.yaml").write_text("{val_share: 0, test_share: 0}")
    within = finding(audit(tmp_path), "video_frames")
    assert (
        "1 series of numbered images looks like frames of a video: clip_… in train"
        in within.message
    )
    assert "`group_by: (.+)` where each image is a case of its own" in within.advice
    assert "video_frames" not in codes(audit(tmp_path, group_by="(.+)"))


def test_contact_sheet_shows_rows_of_equal_height(tmp_path):
    write_good(tmp_path, 12)
    (tmp_path / "images" / "good_0.png").write_bytes(b"")
    contact_sheet(open_dataset(tmp_path), tmp_path / "sheet.png", rows=2, versions=2)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    # Two rows of 176 px with a line of 20 and a gap of 4, and one line of legend; six cells.
    assert sheet.shape == (2 * (176 + 20 + 4) + 20, 6 * (176 + 4), 3)


def test_nothing_to_draw_is_said(tmp_path):
    write_good(tmp_path, 4)
    dataset = open_dataset(tmp_path)
    for path in (tmp_path / "images").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match="can be drawn"):
        contact_sheet(dataset, tmp_path / "sheet.png")


@pytest.mark.real
@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        (
            "oxford_pets",
            {
                "misnamed": "Abyssinian_34.jpg",
                "alpha": "Abyssinian_5.jpg",
                "empty_mask": "Abyssinian_34.jpg",
            },
        ),
        ("camvid", {"video_across_splits": "0001TP_", "rare_class": "Bicyclist", "ignored": "3."}),
        ("busi", {"mixed_masks": "RGBA", "near_duplicates": "benign"}),
    ],
)
def test_what_is_known_to_be_odd_is_named(real_data, folder, expected):
    report = audit(real_data / folder)
    for code, said in expected.items():
        assert said in finding(report, code).message
