import csv

import numpy as np
import pytest

from maskwright.data.dataset import open_dataset
from maskwright.data.synthetic import LABELS, draw_scene, write_dataset
from maskwright.errors import ConfigError
from maskwright.imageio import read_image, read_mask


def test_cells_have_one_class_each_and_some_touch():
    scene = draw_scene(np.random.default_rng(0), 192)
    again = draw_scene(np.random.default_rng(0), 192)
    np.testing.assert_array_equal(scene.image, again.image)
    assert set(np.unique(scene.instances)) == set(range(len(scene.kinds) + 1))
    kind_of = np.array([0, *scene.kinds])
    np.testing.assert_array_equal(scene.labels, kind_of[scene.instances])
    assert set(scene.kinds) == {1, 2}
    left, right = scene.instances[:, :-1], scene.instances[:, 1:]
    assert ((left != right) & (left > 0) & (right > 0)).any()


def test_the_two_kinds_differ_in_shape_and_not_in_colour():
    lengths, colours = {1: [], 2: []}, {1: [], 2: []}
    for seed in range(6):
        scene = draw_scene(np.random.default_rng(seed), 192)
        for cell, kind in enumerate(scene.kinds, start=1):
            inside = scene.instances == cell
            spread = np.cov(np.stack(np.nonzero(inside)))
            small, large = np.sqrt(np.linalg.eigvalsh(spread))
            lengths[kind].append(large / small)
            colours[kind].append(scene.image[inside].mean(axis=0))
    assert np.median(lengths[1]) < 1.4
    assert np.median(lengths[2]) > 1.8
    apart = np.abs(np.mean(colours[1], axis=0) - np.mean(colours[2], axis=0))
    assert (apart < 2 * np.std(colours[1], axis=0)).all()


def test_written_set_opens_with_its_classes_and_slides_stay_together(tmp_path):
    write_dataset(tmp_path / "cells", num_images=15, size=64)
    dataset = open_dataset(tmp_path / "cells")
    assert dataset.labels == LABELS
    assert set(dataset.splits) == {"train", "val", "test"}
    assert len({(s.case, s.split) for s in dataset.samples}) == len(
        {s.case for s in dataset.samples}
    )
    sample = dataset.samples[0]
    image, labels = dataset.read(sample)
    assert image.shape == (64, 64, 3)
    instances = read_mask(tmp_path / "cells" / "instances" / sample.image.name).values
    np.testing.assert_array_equal(instances > 0, labels > 0)
    with (tmp_path / "cells" / "cells.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["image"] == sample.image.name]
    assert sum(int(row["area_px"]) for row in rows) == (labels > 0).sum()
    first = rows[0]
    label = LABELS.names.index(first["label"])
    assert (labels[instances == int(first["cell"])] == label).all()


def test_same_seed_same_files(tmp_path):
    for name in ("a", "b"):
        write_dataset(tmp_path / name, num_images=3, size=48, seed=5)
    for path in sorted((tmp_path / "a" / "images").iterdir()):
        np.testing.assert_array_equal(
            read_image(path), read_image(tmp_path / "b" / "images" / path.name)
        )


def test_impossible_requests_are_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(ConfigError, match="empty folder"):
        write_dataset(tmp_path)
    with pytest.raises(ConfigError, match="at least 3 images"):
        write_dataset(tmp_path / "new", num_images=2)
    with pytest.raises(ConfigError, match="at least 32 px"):
        draw_scene(np.random.default_rng(0), 16)
