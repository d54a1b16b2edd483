import numpy as np
import pytest
import tifffile
from PIL import Image

from drawing_mask_sets import circles, doubts_of, palette_image, read_labels, state, write_set
from maskwright.data import open_dataset
from maskwright.data.encodings.class_map import voc_color
from maskwright.errors import DataError

NUMBERED = [circles(seed) for seed in range(12)]


def in_colors(mask, number):
    """Random colors for the objects of each mask, on black."""
    colors = np.random.default_rng(number).integers(30, 256, (17, 3)).astype(np.uint8)
    colors[0] = 0
    return Image.fromarray(colors[mask])


def in_listed_colors(mask, number):
    return palette_image(mask, [voc_color(label) for label in range(17)]).convert("RGB")


def check_instances(dataset):
    assert dataset.instances
    for sample in dataset.samples:
        numbers, truth = dataset.read_instances(sample), NUMBERED[int(sample.id)]
        pairs = np.unique(np.stack([numbers, truth]).reshape(2, -1), axis=1)
        assert pairs.shape[1] == truth.max() + 1  # each object has one number, and 0 is ground


@pytest.mark.parametrize("of_voc", [False, True])
def test_few_numbers_may_be_objects_or_classes(tmp_path, of_voc):
    def save(mask, number):
        colors = [voc_color(label) for label in range(17)]
        return palette_image(mask, colors) if of_voc else Image.fromarray(mask)

    root = write_set(tmp_path, NUMBERED, save)
    assert doubts_of(root) == ["objects_or_classes"]
    with pytest.raises(DataError, match="objects: instances"):
        open_dataset(root)
    check_instances(open_dataset(state(root, "objects: instances")))
    dataset, labels = read_labels(state(root, "encoding: indices"))
    assert (dataset.labels.num_classes, dataset.doubts) == (9, ())
    np.testing.assert_array_equal(labels, NUMBERED)


def test_a_list_of_names_tells_objects_from_classes(tmp_path):
    root = write_set(tmp_path, NUMBERED)
    (root / "labels.txt").write_text("pedestrian\n")
    dataset = open_dataset(root)
    assert dataset.labels.names == ("background", "pedestrian")
    check_instances(dataset)
    (root / "labels.txt").write_text("background\na\nb\nc\nd\ne\nf\ng\nh\n")
    assert open_dataset(root).labels.num_classes == 9


@pytest.mark.parametrize("kind", ["uint16", "uint32", "int32", "float32"])
@pytest.mark.parametrize("step", [0, 1000])  # numbers of one image, or of the whole data set
def test_deep_masks_that_number_objects_are_instances(tmp_path, kind, step):
    write_set(tmp_path, NUMBERED)
    for number, mask in enumerate(NUMBERED):
        (tmp_path / "masks" / f"{number}.png").unlink()
        values = np.where(mask, mask + np.int32(step * number), 0).astype(kind)
        tifffile.imwrite(tmp_path / "masks" / f"{number}.tif", values)
    check_instances(open_dataset(tmp_path))


def test_a_color_for_each_object_of_each_image(tmp_path):
    check_instances(open_dataset(write_set(tmp_path, NUMBERED, in_colors)))


def test_colors_of_one_list_may_be_objects_or_classes(tmp_path):
    root = write_set(tmp_path, NUMBERED, in_listed_colors)
    assert doubts_of(root) == ["objects_or_classes"]
    check_instances(open_dataset(state(root, "objects: instances")))
    assert open_dataset(state(root, "encoding: colors")).labels.num_classes == 9


def test_segments_that_cover_the_image_have_their_classes_elsewhere(tmp_path):
    def panoptic(mask, number):
        ids = np.random.default_rng(number).integers(1, 256, (17, 3)).astype(np.uint8)
        return Image.fromarray(ids[mask])

    assert doubts_of(write_set(tmp_path, NUMBERED, panoptic)) == ["segment_ids"]


def test_a_ground_of_another_color_is_refused(tmp_path):
    def on_white(mask, number):
        pixels = np.array(in_colors(mask, number))
        pixels[mask == 0] = 255
        return Image.fromarray(pixels)

    with pytest.raises(DataError, match="background of #FFFFFF"):
        open_dataset(write_set(tmp_path, NUMBERED, on_white))


def test_void_around_numbered_objects_is_ignored_as_stated(tmp_path):
    masks = [np.where(np.arange(64) < 2, 255, mask) for mask in NUMBERED]
    root = write_set(tmp_path, [mask.astype(np.uint8) for mask in masks])
    assert doubts_of(root) == ["objects_or_classes"]
    dataset, labels = read_labels(state(root, "objects: instances\nignore: [255]"))
    np.testing.assert_array_equal(labels, [np.where(m == 255, 255, m > 0) for m in masks])
    assert dataset.read_instances(dataset.samples[0])[:, :2].max() == 0


def test_the_same_classes_in_every_image_are_no_objects(tmp_path):
    mask = np.kron(np.array([[0, 1], [2, 3]], np.uint8), np.ones((32, 32), np.uint8))
    assert doubts_of(write_set(tmp_path, [mask] * 4)) == []


def test_few_values_of_one_mask_each_may_be_objects_or_classes(tmp_path):
    left, right = np.zeros((2, 64, 64), np.uint8)
    left[4:20, 4:20], left[40:60, 4:20] = 1, 2
    right[4:20, 4:20], right[40:60, 4:20] = 3, 4
    assert doubts_of(write_set(tmp_path, [left, right])) == ["objects_or_classes"]
