import io

import cv2
import numpy as np
import pytest
from PIL import Image

from drawing_mask_sets import COLORS, doubts_of, read_labels, scene, state, write_set
from maskwright.data import open_dataset, write_yaml
from maskwright.errors import DataError
from maskwright.imageio import read_mask

SCENES = [scene(seed, 96) for seed in range(6)]
GRAYS = np.array([0, 85, 170, 255], np.uint8)
NEAR_BLACK = np.array([(0, 0, 0), (200, 30, 30), (30, 180, 40), (60, 60, 190)], np.uint8)


def resized(values, how):
    """Function that saves a mask in `values`, resized there and back."""

    def save(mask, number):
        image = Image.fromarray(values[mask])
        return image.resize((144, 144), how).resize((96, 96), how)

    return save


def share_of_differing(labels, scenes):
    return np.mean(np.stack(labels) != np.stack(scenes))


@pytest.mark.parametrize("how", [Image.BILINEAR, Image.BICUBIC, Image.LANCZOS])
@pytest.mark.parametrize("values", [GRAYS, GRAYS // 4 * 3, COLORS, NEAR_BLACK])
def test_smoothed_edges_become_the_class_beside_them(tmp_path, values, how):
    root = write_set(tmp_path, SCENES, resized(values, how))
    dataset, labels = read_labels(root)
    assert dataset.labels.num_classes == 4
    assert not dataset.doubts
    # Colors are in their own order.
    if values.ndim == 2:
        labels = [np.array(dataset.labels.colors)[mask] for mask in labels]
    assert share_of_differing(labels, [values[s] if values.ndim == 2 else s for s in SCENES]) < 0.02
    assert "in between, at smoothed edges" in dataset.encoding.explanation
    write_yaml(dataset, root / "data.yaml")
    written = open_dataset(root)
    assert written.encoding == dataset.encoding
    np.testing.assert_array_equal(
        written.read_mask(written.samples[0]), dataset.read_mask(dataset.samples[0])
    )


def test_thin_lines_that_were_resized_are_two_classes(tmp_path):
    lines = []
    for seed in range(6):
        mask = np.zeros((96, 96), np.uint8)
        for ends in np.random.default_rng(seed).integers(0, 96, (4, 2, 2)).tolist():
            cv2.line(mask, *ends, 1, 2)
        lines.append(mask)
    dataset, labels = read_labels(
        write_set(tmp_path, lines, resized(np.array([0, 255], np.uint8), Image.BILINEAR))
    )
    assert dataset.labels.names == ("background", "foreground")
    assert share_of_differing(labels, lines) < 0.03


def test_an_edge_from_black_to_white_gets_no_rim_of_the_gray_class(tmp_path):
    ramp = np.repeat([0, 64, 128, 191, 255], [20, 1, 1, 1, 20]).astype(np.uint8)
    ramp = np.stack([ramp] * 43)
    ramp[30:, :12] = 128
    labels = read_labels(state(write_set(tmp_path, [ramp] * 3), "snap: true"))[1][0]
    np.testing.assert_array_equal(labels[5], np.repeat([0, 2], [21, 22]))


def test_one_value_between_others_may_be_an_edge_or_a_class(tmp_path):
    mask = np.stack([np.repeat([0, 128, 255], [20, 1, 20]).astype(np.uint8)] * 41)
    root = write_set(tmp_path, [mask] * 3)
    assert doubts_of(root) == ["edges_or_classes"]
    assert open_dataset(state(root, "snap: true")).labels.num_classes == 2
    assert open_dataset(state(root, "snap: false")).labels.num_classes == 3


def test_lines_of_classes_and_wide_rims_are_no_edges(tmp_path):
    mask = np.zeros((60, 60), np.uint8)
    mask[::6] = np.tile([80, 160, 240], 4)[:10, None]
    rim = np.stack([np.repeat([0, 128, 255], 20).astype(np.uint8)] * 60)
    assert read_labels(write_set(tmp_path / "a", [mask] * 3))[0].labels.num_classes == 4
    assert read_labels(write_set(tmp_path / "b", [rim] * 3))[0].labels.num_classes == 3


def test_label_indices_that_were_interpolated_are_refused(tmp_path):
    values = np.array([0, 1, 2, 255], np.uint8)
    with pytest.raises(DataError, match="resized with interpolation"):
        open_dataset(write_set(tmp_path, SCENES, resized(values, Image.BILINEAR)))


@pytest.mark.parametrize("values", [(0, 1, 2, 3), (0, 2, 4, 6)])
def test_few_label_indices_that_were_interpolated_are_asked_about(tmp_path, values):
    values = np.array(values, np.uint8)
    root = write_set(tmp_path / "a", SCENES, resized(values, Image.BILINEAR))
    with pytest.raises(DataError, match=r"hold labels between theirs.*`snap: false`"):
        open_dataset(root)
    assert open_dataset(state(root, "snap: false")).labels.num_classes >= 4
    root = write_set(tmp_path / "b", SCENES, resized(values, Image.NEAREST))
    assert open_dataset(root).labels.num_classes >= 4


def test_probabilities_need_a_threshold(tmp_path):
    def blurred(mask, number):
        noise = np.random.default_rng(number).normal(0, 3, mask.shape)
        soft = cv2.GaussianBlur((mask > 0) * 255.0, (0, 0), 6) + noise
        return Image.fromarray(soft.clip(0, 255).astype(np.uint8))

    root = write_set(tmp_path, SCENES, blurred)
    with pytest.raises(DataError, match="threshold: 128"):
        open_dataset(root)
    assert open_dataset(state(root, "threshold: 128")).labels.num_classes == 2


def test_a_new_class_is_no_edge(tmp_path):
    root = write_set(tmp_path, SCENES, resized(GRAYS, Image.BILINEAR))
    encoding = open_dataset(root).encoding
    mask = np.array(Image.open(root / "masks" / "0.png"))
    mask[40:50, 40:50] = 40
    Image.fromarray(mask).save(tmp_path / "new.png")
    with pytest.raises(DataError, match=r"new.png holds the unknown value 40 \("):
        encoding.decode(read_mask(tmp_path / "new.png"), "new.png")


def test_jpeg_masks_that_are_black_and_white_are_cut_in_the_middle(tmp_path):
    binary = [(mask > 0).astype(np.uint8) for mask in SCENES]
    soft = write_set(
        tmp_path,
        binary,
        lambda mask, _: Image.fromarray(cv2.GaussianBlur(mask * 255, (3, 3), 0.8)),
        ".jpg",
    )
    dataset, labels = read_labels(soft)
    assert dataset.labels.names == ("background", "foreground")
    assert share_of_differing(labels, binary) < 0.01
    note = next(note.text for note in dataset.notes if note.code == "lossy_masks")
    assert "6 of 6 masks in JPEG" in note
    assert "0.00%" not in note


def test_black_jpeg_masks_may_have_lost_their_labels(tmp_path):
    root = write_set(tmp_path, [mask * 0 for mask in SCENES], None, ".jpg")
    assert doubts_of(root) == ["black_masks"]
    assert doubts_of(state(root, "values: {0: background, 255: foreground}")) == []


@pytest.mark.parametrize("values", [GRAYS, np.arange(4, dtype=np.uint8), COLORS])
def test_other_jpeg_masks_are_refused(tmp_path, values):
    save = resized(values, Image.NEAREST)
    with pytest.raises(DataError, match="not clearly black and white"):
        open_dataset(write_set(tmp_path, SCENES, save, ".jpg"))


@pytest.mark.parametrize("values", [GRAYS, COLORS])
def test_what_jpeg_leaves_of_several_classes_is_refused(tmp_path, values):
    def compressed(mask, number):
        file = io.BytesIO()
        Image.fromarray(values[mask]).save(file, "JPEG", quality=80)
        return Image.open(file)

    with pytest.raises(DataError, match="blurred by resizing or JPEG"):
        open_dataset(write_set(tmp_path, SCENES, compressed))


def test_rare_values_beside_white_may_be_traces_or_classes(tmp_path):
    masks = [np.where(mask > 0, 255, 0).astype(np.uint8) for mask in SCENES]
    for mask in masks:
        mask[0, 0] = 1  # with which 255 would be void
    root = write_set(tmp_path, masks)
    assert doubts_of(root) == ["edges_or_classes"]
    labels = read_labels(state(root, "snap: true"))[1]
    np.testing.assert_array_equal(labels, [mask > 1 for mask in masks])
