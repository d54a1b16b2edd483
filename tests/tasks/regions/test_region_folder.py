"""Answers for a folder: what is written for every image, and what is told of those that fail."""

import csv

import numpy as np
import pytest

from drawing_regions import Brighter, by_brightness, disc_image, draw_discs, plan_pipeline
from maskwright.data import open_dataset
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import read_mask, write_image
from maskwright.inference.folder import run_plan
from maskwright.inference.folder_plan import FolderOptions
from maskwright.tasks.regions.case_model import COLUMNS
from maskwright.tasks.regions.pipeline import Pipeline


def predict_cases(pipeline, images, out, **options):
    asked = FolderOptions(**options)
    return run_plan(plan_pipeline(pipeline, images, out, asked), out, asked)


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def draw(folder, **names):
    """Images by name: "dull", "bright", "none", or what is no image."""
    folder.mkdir(parents=True)
    for name, kind in names.items():
        if kind == "broken":
            (folder / f"{name}.png").write_text("this is text")
            continue
        image = disc_image(kind == "bright", seed=len(name))[0]
        if kind == "none":
            image = np.full_like(image, 60)
        write_image(folder / f"{name}.png", image)


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_every_image_gets_a_mask_a_picture_and_a_row(tmp_path):
    draw(tmp_path / "in", a="dull", b="bright", c="none", d="broken")
    out = tmp_path / "out"
    result = predict_cases(Pipeline(by_brightness(), Brighter()), tmp_path / "in", out)
    assert [case["id"] for case in result.cases] == ["a", "b", "c"]
    assert [failure.image.name for failure in result.failed] == ["d.png"]
    assert "d.png is not an image" in result.failed[0].reason
    pictures = {f"overlays/{name}.jpg" for name in "abc"}
    tables = {"cases.csv", "regions.csv", "manifest.jsonl"}
    assert files(out) == {"a.png", "b.png", "c.png"} | tables | pictures
    np.testing.assert_array_equal(read_mask(out / "a.png").values > 0, disc_image(False, seed=1)[1])

    table = rows(out / "cases.csv")
    assert tuple(table[0]) == COLUMNS
    assert [row["decision"] for row in table] == ["dull", "bright", ""]
    assert float(table[0]["probability"]) < 0.1 < 0.9 < float(table[1]["probability"])
    assert (table[1]["regions"], table[1]["deciding"], table[1]["weight"]) == ("1", "b#1", "1.0000")
    assert (table[2]["regions"], table[2]["probability"], table[2]["deciding"]) == ("0", "", "")
    regions = rows(out / "regions.csv")
    assert [(row["decided_on"], row["image"], row["weight"]) for row in regions] == [
        ("a", "a", "1.0000"),
        ("b", "b", "1.0000"),
    ]


def test_cases_are_folders_or_what_a_pattern_finds(tmp_path):
    for place in ("north/p1", "south/p1", "north/p2"):
        draw(tmp_path / "in" / place, x="bright", y="none")
    pipeline = Pipeline(by_brightness("case"), Brighter())
    result = predict_cases(pipeline, tmp_path / "in", tmp_path / "out", overlays=False)
    assert [(case["id"], case["images"]) for case in result.cases] == [
        (case, f"{case}/x;{case}/y") for case in ("north/p1", "north/p2", "south/p1")
    ]
    by_name = predict_cases(
        pipeline, tmp_path / "in", tmp_path / "again", group_by=r"/(p\d)/", overlays=False
    )
    assert [(case["id"], case["images"].count(";")) for case in by_name.cases] == [
        ("p1", 3),
        ("p2", 1),
    ]
    alone = predict_cases(pipeline, tmp_path / "in" / "north" / "p2", tmp_path / "alone")
    assert [case["id"] for case in alone.cases] == ["p2"]
    for pattern, sentence in (("(", "is wrong"), ("p1", "in brackets"), ("(z)", "finds no case")):
        with pytest.raises(ConfigError, match=sentence):
            predict_cases(pipeline, tmp_path / "in", tmp_path / "c", group_by=pattern)
    single = Pipeline(by_brightness("region"), Brighter())
    with pytest.raises(ConfigError, match="decides on each region by itself"):
        predict_cases(single, tmp_path / "in", tmp_path / "c", group_by=r"/(p\d)/")


def test_a_case_is_decided_on_the_images_that_can_be_read(tmp_path):
    draw(tmp_path / "in" / "p1", x="bright", y="broken")
    draw(tmp_path / "in" / "p2", z="broken")
    pipeline = Pipeline(by_brightness("case"), Brighter())
    result = predict_cases(pipeline, tmp_path / "in", tmp_path / "out")
    assert [(case["id"], case["images"], case["decision"]) for case in result.cases] == [
        ("p1", "p1/x", "bright")
    ]
    assert len(result.failed) == 2


def test_masks_of_a_data_set_are_taken_as_the_classifier_takes_them(tmp_path):
    # Three discs touch, so that they are one component but three numbered objects.
    data = draw_discs(tmp_path / "data", 4, side=60, discs=3)
    for name in ("dull", "bright"):
        for path in (data / name / "mask").iterdir():
            path.unlink()
    for number in range(4):
        folder = data / ("dull", "bright")[number % 2] / "mask"
        for disc in range(3):
            mask = np.zeros((60, 60, 1), np.uint8)
            mask[20:40, 20 * disc : 20 * disc + 20] = 255
            write_image(folder / f"{number}_mask_{disc}.png", mask)
    (data / "bright" / "images" / "9.png").write_bytes(
        (data / "bright" / "images" / "1.png").read_bytes()
    )
    (data / "data.yaml").write_text("objects: instances\nunannotated: skip\n")
    dataset = open_dataset(data, val_share=0, test_share=0)
    assert dataset.instances
    for kind, count in (("instances", 3), ("components", 1), ("whole", 1)):
        out = tmp_path / kind
        result = predict_cases(Pipeline(by_brightness(regions=kind)), dataset, out)
        assert [case["regions"] for case in result.cases] == [count] * 4
        assert [failure.reason for failure in result.failed] == [
            f"{data / 'bright' / 'images' / '9.png'}: image without a mask"
        ]
        assert not list(out.glob("*.png"))


def test_without_images_or_masks(tmp_path):
    draw(tmp_path / "in", a="dull")
    with pytest.raises(DataError, match="No image found"):
        predict_cases(Pipeline(by_brightness(), Brighter()), tmp_path / "none", tmp_path / "out")
    with pytest.raises(ConfigError, match="predicts none; give masks"):
        predict_cases(Pipeline(by_brightness()), tmp_path / "in", tmp_path / "out", masks=False)
    assert files(tmp_path / "out") == set()
