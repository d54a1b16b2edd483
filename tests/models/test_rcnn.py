import keras
import numpy as np
import pytest
import tensorflow as tf

from maskwright.errors import ConfigError
from maskwright.models import PixelFormat, encoder, main_model
from maskwright.models.rcnn import Rcnn, mask_rcnn, rcnn_losses
from maskwright.models.rcnn.boxes import (
    clip,
    counted_at,
    cut_masks,
    decode,
    draw,
    encode,
    match,
    roi_align,
    stride_of,
)
from maskwright.models.rcnn.layers import Anchors, Detections, suppress

TINY = Rcnn.named(
    "small",
    pyramid_width=8,
    hidden=8,
    mask_width=8,
    ranked_training=30,
    ranked=30,
    proposals=20,
    regions_per_step=8,
    anchors_per_step=16,
    detections=10,
)


def align_by_hand(feature, box, stride, size, samples):
    """`roi_align` of one box, point by point."""
    top, left, bottom, right = (side / stride for side in box)
    height, width, channels = feature.shape
    found = np.zeros((size, size, channels))
    for row in range(size):
        for column in range(size):
            for i in range(samples):
                for j in range(samples):
                    y = top + (row + (i + 0.5) / samples) * (bottom - top) / size - 0.5
                    x = left + (column + (j + 0.5) / samples) * (right - left) / size - 0.5
                    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
                    up, near = int(y), int(x)
                    down, far = min(up + 1, height - 1), min(near + 1, width - 1)
                    upper = feature[up, near] * (1 - x + near) + feature[up, far] * (x - near)
                    lower = feature[down, near] * (1 - x + near) + feature[down, far] * (x - near)
                    found[row, column] += upper * (1 - y + up) + lower * (y - up)
    return found / samples**2


def test_roi_align_is_the_one_by_hand():
    rng = np.random.default_rng(0)
    features = {4: rng.normal(size=(2, 9, 12, 3)), 8: rng.normal(size=(2, 5, 6, 3))}
    features = {stride: f.astype(np.float32) for stride, f in features.items()}
    corners = np.sort(rng.uniform(0, 36, (2, 5, 2, 2)), axis=2).reshape(2, 5, 4).astype(np.float32)
    corners[0, 0] = [0, 0, 36, 48]  # up to the borders
    levels = rng.integers(0, 2, (2, 5)).astype(np.int32)
    found = roi_align(features, corners, levels, 3, 2)
    assert found.shape == (2, 5, 3, 3, 3)
    for image in range(2):
        for place in range(5):
            stride = (4, 8)[levels[image, place]]
            expected = align_by_hand(features[stride][image], corners[image, place], stride, 3, 2)
            np.testing.assert_allclose(found[image, place], expected, atol=1e-5)


def test_regions_are_cut_out_at_the_stride_that_suits_their_size():
    sides = [10, 112, 223, 224, 448, 900, 3000]
    boxes = np.array([[[0, 0, side, side] for side in sides]], np.float32)
    # Equation 1 with k0 = 4: levels 2 to 5, at strides 4 to 32.
    found = stride_of(boxes, (4, 8, 16, 32), 224, 16)
    assert np.asarray(found)[0].tolist() == [0, 1, 1, 2, 3, 3, 3]


def test_true_masks_are_cut_at_the_box():
    ids = np.zeros((1, 8, 8, 2), np.int32)
    ids[0, 2:6, 2:4, 0] = 1
    ids[0, 2:6, 3:6, 1] = 2  # over the first by a column
    boxes = np.array([[[2, 2, 6, 6], [2, 2, 6, 6], [0, 0, 4, 4]]], np.float32)
    masks = np.asarray(cut_masks(ids, np.array([[1, 2, -1]]), boxes, 4))[0]
    assert masks[0].tolist() == [[1, 1, 0, 0]] * 4
    assert masks[1].tolist() == [[0, 1, 1, 1]] * 4
    assert not masks[2].any()


def test_anchors_lie_around_the_middles_of_cells():
    made = Anchors([8], [16], [0.25, 1.0])([np.zeros((1, 1, 2, 3))])
    # Height by width 1/4 at an area of 256: 8 by 32.
    assert np.asarray(made).tolist() == [
        [0, -12, 8, 20],
        [-4, -4, 12, 12],
        [0, -4, 8, 28],
        [-4, 4, 12, 20],
    ]


def test_codes_are_weighted_and_undone():
    box, reference = np.float32([[2, 4, 10, 12]]), np.float32([[0, 0, 8, 16]])
    code = np.asarray(encode(box, reference, (10, 10, 5, 5)))[0]
    # Middle from (4, 8) to (6, 8); height the same, width halved.
    assert code == pytest.approx([10 * 2 / 8, 0, 0, 5 * np.log(0.5)], abs=1e-5)
    np.testing.assert_allclose(decode(code[None], reference, (10, 10, 5, 5)), box, atol=1e-4)
    wild = np.asarray(decode(np.float32([[0, 0, 500, 0]]), reference, (10, 10, 5, 5)))[0]
    assert wild[2] - wild[0] == pytest.approx(8 * 62.5, rel=1e-5)
    assert np.asarray(clip(np.array([[-1.0, 2, 9, 20]]), 8, 16))[0].tolist() == [0, 2, 8, 16]


def test_boxes_are_matched_to_what_they_overlap_most():
    boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 2], [8, 8, 9, 9], [0, 6, 4, 7]], np.float32)
    true = np.array([[[0, 0, 4, 4], [0, 4, 4, 8], [8, 8, 9, 9]]], np.float32)
    there = np.array([[True, True, False]])
    iou, which, best = (np.asarray(part)[0] for part in match(boxes, true, there))
    assert iou == pytest.approx([1, 0.5, 0, 0.25], abs=1e-5)
    assert which[[0, 1, 3]].tolist() == [0, 0, 1]
    # The last overlaps the second more than any other does; the third is no true box.
    assert best.tolist() == [True, False, False, True]


def test_positive_ones_are_drawn_first_and_not_too_many():
    seed = keras.random.SeedGenerator(0)
    positive = np.array([[1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0]], bool)
    negative = np.array([[0, 0, 0, 1, 1, 1, 1], [1, 0, 0, 0, 0, 1, 0]], bool)
    places, kind, counted = (np.asarray(part) for part in draw(positive, negative, 5, 2, seed))
    assert kind.sum(axis=1).tolist() == [2, 0]
    assert kind[0, :2].all()
    assert counted.sum(axis=1).tolist() == [5, 2]
    assert set(places[0, 2:].tolist()) <= {3, 4, 5, 6}
    assert len(set(places[0].tolist())) == 5
    assert set(places[1][counted[1]].tolist()) == {0, 5}


def test_suppression_is_by_class():
    boxes = np.array([[[0, 0, 10, 10], [0, 0, 10, 9], [0, 1, 10, 10]]], np.float32)[:, :, None]
    scores = np.array([[[0.9, 0.0], [0.8, 0.0], [0.0, 0.7]]], np.float32)
    found, score, label = suppress(boxes, scores, 0.5, 0.1, 4)
    assert np.asarray(score)[0] == pytest.approx([0.9, 0.7, 0, 0])
    assert np.asarray(label)[0, :2].tolist() == [0, 1]
    assert np.asarray(found)[0, 1].tolist() == [0, 1, 10, 10]


def test_boxes_of_all_classes_as_one_list_are_chosen_alike():
    rng = np.random.default_rng(0)
    layer = Detections(0.05, 0.5, 12, (10.0, 10.0, 5.0, 5.0))
    corners = np.sort(rng.uniform(0, 60, (2, 20, 2, 2)), axis=2).reshape(2, 20, 4)
    there = rng.random((2, 20)) < 0.8
    logits, codes = rng.normal(size=(40, 4)), rng.normal(size=(40, 12))
    given = [np.float32(v) for v in (np.zeros((2, 64, 64, 1)), corners, there, logits, codes)]
    ours = layer(given)
    layer.one_list = True
    assert float(np.asarray(ours[1]).min()) > 0  # as many as are wanted of both images
    for first, second in zip(ours, layer(given), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return mask_rcnn(
        encoder("plain", PixelFormat(1), widths=(8, 8, 8, 8, 8, 8)), 2, TINY, channels=1
    )


def batch():
    images = np.random.default_rng(0).uniform(0, 255, (2, 70, 90, 1)).astype(np.float32)
    ids = np.zeros((2, 70, 90, 1), np.int32)
    ids[0, 10:40, 20:60] = 1
    boxes = np.zeros((2, 3, 4), np.float32)
    boxes[0, 0] = [10, 20, 40, 60]
    labels = np.zeros((2, 3), np.int32)
    labels[0, 0] = 2
    counted = np.ones((2, 70, 90), np.float32)
    return images, {"boxes": boxes, "labels": labels, "ids": ids, "counted": counted}


def test_every_weight_learns_and_an_empty_image_is_no_trouble(model):
    variables = [v.value for v in model.trainable_variables]

    @tf.function(autograph=False)  # as it is trained
    def learn(images, true):
        with tf.GradientTape() as tape:
            losses, said = rcnn_losses(model, TINY, images, true, True)
            total = tf.add_n([tf.reduce_sum(value) for value in losses.values()])
        return losses, said, tape.gradient(total, variables)

    losses, said, gradients = learn(*batch())
    assert set(losses) == {"anchors", "anchor_boxes", "classes", "boxes", "masks"}
    assert all(np.isfinite(value).all() and value.shape == (2,) for value in losses.values())
    # Nothing is there in the second image: no box and no mask to be right about.
    assert [float(losses[name][1]) for name in ("anchor_boxes", "boxes", "masks")] == [0, 0, 0]
    assert not np.asarray(said["positive"])[1].any()
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.path
        assert np.isfinite(np.asarray(gradient)).all(), variable.path


def test_ignored_pixels_hold_no_negative_examples(model):
    images, true = batch()
    true["counted"][1] = 0
    losses, _ = rcnn_losses(model, TINY, images, true, True)
    assert [float(losses[name][1]) for name in ("anchors", "classes")] == [0, 0]
    assert all(float(losses[name][0]) > 0 for name in ("anchors", "classes"))
    # Points are rows and columns; the ignored half is the right one.
    counted = np.float32([[[1, 1, 0, 0]] * 2])
    seen = counted_at(counted, np.float32([[1.5, 1.9], [0, 2], [5, -3]]))
    assert np.asarray(seen).tolist() == [[True, False, True]]


def test_it_survives_a_file_and_takes_any_size(model, tmp_path):
    assert main_model(model) is model
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for size in ((33, 47), (64, 96)):
        images = np.random.default_rng(1).uniform(0, 255, (1, *size, 1)).astype(np.float32)
        ours, theirs = model(images), again(images)
        assert ours["masks"].shape == (1, 10, 28, 28)
        for name in ours:
            np.testing.assert_allclose(ours[name], theirs[name], atol=1e-5)
        boxes = np.asarray(ours["boxes"])[0]
        assert (boxes >= 0).all()
        assert (boxes[:, 2:] <= size).all()


def test_the_paper_has_its_numbers():
    paper = Rcnn.named("paper")
    assert (paper.anchor_sizes, paper.ratios) == ((32, 64, 128, 256, 512), (0.5, 1.0, 2.0))
    assert (paper.anchors_per_step, paper.regions_per_step, paper.positive_regions) == (
        256,
        512,
        128,
    )
    network = mask_rcnn(encoder("plain", widths=(4,) * 6), 80, paper)
    heads = {name: network.get_layer(name) for name in ("proposing", "box_head")}
    # 3x3 of 256, then 3 logits and 12 codes of 256 channels, with biases.
    assert heads["proposing"].count_params() == 256 * 256 * 9 + 256 + 256 * 15 + 15
    # 7x7x256 to 1024 to 1024, then 81 classes and 4 codes of each of 80.
    dense = 7 * 7 * 256 * 1024 + 1024 + 1024**2 + 1024
    assert heads["box_head"].count_params() == dense + 1024 * (81 + 320) + 81 + 320
    # 4 of 3x3 256, 2x2 transposed 256, 1x1 80: as torchvision's `mask_head` and `mask_predictor`.
    drawn = 4 * (256 * 256 * 9 + 256) + 256 * 256 * 4 + 256 + 256 * 80 + 80
    assert network.get_layer("mask_head").count_params() == drawn


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"anchor_sizes": (16, 32)}, "one anchor size for each stride, 4; received 2"),
        ({"pooled_strides": (2,)}, r"`pooled_strides` from the strides \[4, 8, 16, 32\]"),
        ({"region_share": 2}, "Expected `region_share` from 0 to 1; received 2"),
        ({"detections": 0}, "Expected `detections` above 0"),
        ({"depth": 3}, "has no parameter depth"),
    ],
)
def test_numbers_that_do_not_go_together_are_refused(changes, said):
    with pytest.raises(ConfigError, match=said):
        Rcnn.named("small", **changes)


def test_an_encoder_without_a_stride_of_the_pyramid_is_refused():
    with pytest.raises(ConfigError, match="which the encoder lacks"):
        mask_rcnn(encoder("plain", widths=(8, 8)), 1, TINY)
