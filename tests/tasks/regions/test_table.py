import csv

import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.tasks.regions.extraction.crops import CropSpec
from maskwright.tasks.regions.extraction.extract import extract
from maskwright.tasks.regions.extraction.features import MEASURES
from maskwright.tasks.regions.extraction.table import write_table


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_region_is_a_row_with_its_measures_and_what_is_added(tmp_path):
    mask = np.array([[0, 2, 2], [0, 0, 0], [1, 0, 0], [0, 0, 0]], np.uint8)
    regions = extract(
        np.full((4, 3), 7, np.uint8), mask, CropSpec(spacing_mm=(2.0, 1.5)), image_id="a, b"
    )
    path = tmp_path / "new" / "regions.csv"
    columns = {"probability": [0.25, 0.75]}
    write_table(regions, path, names=["background", "benign", "malignant"], columns=columns)
    first, second = read(path)
    assert {item.name for item in MEASURES} < set(first)
    assert (first["image"], first["region"], first["label"]) == ("a, b", "1", "malignant")
    assert [first[side] for side in ("top", "left", "bottom", "right")] == ["0", "1", "1", "3"]
    assert (first["area_px"], first["area_mm2"], first["mean"]) == ("2", "6", "7")
    assert (second["label"], second["touches_border"]) == ("benign", "1")
    assert second["probability"] == "0.75"
    assert list(tmp_path.rglob(".*")) == []


def test_without_regions_or_measures_the_table_is_short(tmp_path):
    path = tmp_path / "regions.csv"
    write_table([], path)
    assert read(path) == []
    mask = np.ones((2, 2), bool)
    write_table(extract(np.zeros((2, 2)), mask, measure=False), path)
    (row,) = read(path)
    assert (row["label"], row["area_px"]) == ("1", "4")
    assert "solidity" not in row


def test_columns_must_fit(tmp_path):
    regions = extract(np.zeros((2, 2)), np.ones((2, 2), bool))
    for columns in ({"weight": []}, {"solidity": [1]}, {"label": ["x"]}):
        with pytest.raises(DataError, match="one for each region"):
            write_table(regions, tmp_path / "regions.csv", columns=columns)
