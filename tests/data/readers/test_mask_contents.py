import json
import os

import numpy as np
import pytest
from PIL import Image

from drawing_samples import draw
from maskwright.data import open_dataset
from maskwright.data.encodings.contents import read_contents
from maskwright.data.readers import mask_contents
from maskwright.data.readers.mask_contents import read_all_contents


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(mask_contents, "_WORTH_S", 0)
    return tmp_path / "cache" / "maskwright" / "masks"


def draw_masks(folder):
    """Masks of every kind, last changed an hour ago."""
    gray = draw(folder / "gray.png", np.arange(12, dtype=np.uint8).reshape(3, 4))
    deep = draw(folder / "deep.png", np.arange(12, dtype=np.uint16).reshape(3, 4) * 100)
    colors = draw(folder / "colors.png", np.arange(36, dtype=np.uint8).reshape(3, 4, 3))
    palette = Image.fromarray(np.eye(4, dtype=np.uint8), "P")
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.save(folder / "palette.png")
    paths = [gray, deep, colors, folder / "palette.png"]
    for path in paths:
        os.utime(path, (0, path.stat().st_mtime - 3600))
    return paths


def test_masks_are_read_again_only_where_they_changed(tmp_path, cache, monkeypatch):
    paths = draw_masks(tmp_path / "masks")
    read = []
    monkeypatch.setattr(
        mask_contents, "read_contents", lambda p: read.append(p) or read_contents(p)
    )
    first = read_all_contents(tmp_path, paths)
    assert sorted(read) == sorted(paths)
    assert read_all_contents(tmp_path, paths) == first == {p: read_contents(p) for p in paths}
    assert len(read) == 4
    os.utime(paths[1], (0, 1000))
    (tmp_path / "masks" / "broken.png").write_bytes(b"text")
    again = read_all_contents(tmp_path, [*paths, tmp_path / "masks" / "broken.png"])
    assert read[4:] in (
        [paths[1], tmp_path / "masks" / "broken.png"],
        [tmp_path / "masks" / "broken.png", paths[1]],
    )
    assert "not an image" in again[tmp_path / "masks" / "broken.png"]
    # A file that was changed just now may change again within the same tick of the clock.
    os.utime(paths[0])
    read_all_contents(tmp_path, paths)
    read_all_contents(tmp_path, paths)
    assert read.count(paths[0]) == 3


def test_a_damaged_cache_and_one_of_other_code_are_not_used(tmp_path, cache):
    paths = draw_masks(tmp_path / "masks")
    first = read_all_contents(tmp_path, paths)
    (file,) = cache.iterdir()
    content = json.loads(file.read_text())
    for entry in content["masks"].values():
        entry[1]["values"] = []
    file.write_text(json.dumps(content))
    assert all(not contents.values for contents in read_all_contents(tmp_path, paths).values())
    file.write_text(json.dumps({**content, "reader": "other"}))
    assert read_all_contents(tmp_path, paths) == first
    file.write_text(file.read_text()[:50])
    assert read_all_contents(tmp_path, paths) == first


def test_a_class_in_three_of_600_masks_is_a_class(tmp_path):
    rng = np.random.default_rng(0)
    common = np.array([[0, 1, 2, 0]] * 4, np.uint8)
    rare = np.array([[0, 1, 2, 3]] * 4, np.uint8)
    for number in range(600):
        split = ("train", "val", "test")[number % 3]
        image = rng.integers(0, 255, (4, 4, 3), np.uint8)
        draw(tmp_path / split / "images" / f"{number}.png", image)
        draw(tmp_path / split / "masks" / f"{number}.png", rare if number < 3 else common)
    dataset = open_dataset(tmp_path)
    assert dataset.labels.num_classes == 4
    assert dataset.splits == {"train": 200, "val": 200, "test": 200}
    assert [dataset.read(dataset.of(s)[0])[1].max() for s in dataset.splits] == [3, 3, 3]
