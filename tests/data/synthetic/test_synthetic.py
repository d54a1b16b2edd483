import csv

import cv2
import numpy as np
import pytest

from maskwright.data.opening import open_dataset
from maskwright.data.synthetic.datasets import LABELS, draw_scene, write_cases, write_dataset
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


def test_the_two_kinds_differ_in_shape_and_not_in_color():
    lengths, colors = {1: [], 2: []}, {1: [], 2: []}
    for seed in range(6):
        scene = draw_scene(np.random.default_rng(seed), 192)
        for cell, kind in enumerate(scene.kinds, start=1):
            inside = scene.instances == cell
            spread = np.cov(np.stack(np.nonzero(inside)))
            small, large = np.sqrt(np.linalg.eigvalsh(spread))
            lengths[kind].append(large / small)
            colors[kind].append(scene.image[inside].mean(axis=0))
    assert np.median(lengths[1]) < 1.4
    assert np.median(lengths[2]) > 1.8
    apart = np.abs(np.mean(colors[1], axis=0) - np.mean(colors[2], axis=0))
    assert (apart < 2 * np.std(colors[1], axis=0)).all()


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


def components(mask):
    """Number of components, where a gap of one pixel is none."""
    closed = cv2.morphologyEx((mask > 0).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((2, 2)))
    return cv2.connectedComponents(closed)[0] - 1


def test_cells_that_are_apart_are_components_two_pixels_from_each_other(tmp_path):
    for seed in range(5):
        scene = draw_scene(np.random.default_rng(seed), 128, apart=True)
        assert components(scene.labels) == len(scene.kinds) > 5
    write_dataset(tmp_path / "cells", num_images=3, size=64, apart=True)
    dataset = open_dataset(tmp_path / "cells")
    for sample in dataset.samples:
        assert components(dataset.read_mask(sample)) == dataset.read_instances(sample).max()


def elongation(inside):
    small, large = np.linalg.eigvalsh(np.cov(np.stack(np.nonzero(inside))))
    return np.sqrt(large / small)


def roughness(image, inside):
    """Spread of what a blur of two pixels takes away, away from the outline."""
    gray = image.mean(axis=2)
    inner = cv2.erode(inside.astype(np.uint8), np.ones((3, 3))) > 0
    return (gray - cv2.GaussianBlur(gray, (0, 0), 2))[inner].std()


def test_in_a_positive_case_one_cell_alone_is_long_and_granular(tmp_path):
    dataset = open_dataset(write_cases(tmp_path / "cases", num_cases=10))
    assert dataset.case_from == "case"
    assert {sample.label for sample in dataset.samples} == {"negative", "positive"}
    with (tmp_path / "cases" / "deciding.csv").open() as file:
        deciding = {row["case"]: (row["image"], int(row["cell"])) for row in csv.DictReader(file)}
    assert set(deciding) == {s.case for s in dataset.samples if s.label == "positive"}
    assert dataset.splits.keys() == {"train", "val", "test"}
    found = {}
    for sample in dataset.samples:
        image, mask = dataset.read(sample)
        numbers = dataset.read_instances(sample)
        assert components(mask) == numbers.max() <= 15
        for cell in range(1, numbers.max() + 1):
            inside = numbers == cell
            looks = min(elongation(inside) / 2.2, roughness(image, inside) / 12)
            found.setdefault(sample.case, []).append((looks, (sample.image.name, cell)))
    most = {case: max(cells) for case, cells in found.items()}
    assert all(most[case][1] == deciding[case] for case in deciding)
    lowest = min(most[case][0] for case in deciding)
    assert lowest > max(looks for case, (looks, _) in most.items() if case not in deciding)


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
    with pytest.raises(ConfigError, match="at least 10 cases of one image or more; received 9"):
        write_cases(tmp_path / "new", num_cases=9)
    with pytest.raises(ConfigError, match="at least 32 px"):
        draw_scene(np.random.default_rng(0), 16)
