import cv2
import numpy as np
import pytest

from maskwright.data.pipeline.augment import _warp, augment
from maskwright.data.pipeline.augmentation import FILL_MODES, STRENGTHS, Augmentation
from maskwright.errors import ConfigError
from maskwright.labels import IGNORE_LABEL


def discs(height=96, width=120):
    mask = np.zeros((height, width), np.uint8)
    cv2.circle(mask, (40, 50), 25, 1, -1)
    cv2.circle(mask, (90, 30), 18, 1, -1)
    return mask


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3, 6])
def test_image_and_mask_move_together(dtype, channels):
    mask = discs()
    image = np.repeat((mask * 200)[..., None], channels, axis=-1).astype(dtype)
    strong = Augmentation.named(
        "strong", elastic_probability=1, blur=0, noise=0, brightness=0, contrast=0, gamma=0
    )
    for seed in range(10):
        moved, labels = augment(image, mask, strong, np.random.default_rng(seed), (80, 64))
        assert moved.shape == (80, 64, channels)
        assert moved.dtype == np.float32
        inside = labels != IGNORE_LABEL
        # Bilinear values pass half way where nearest changes over; OpenCV rounds to 1/32 px.
        differs = ((moved[..., -1] > 100) != (labels == 1)) & inside
        assert differs.sum() <= 0.01 * inside.sum()
        assert set(np.unique(labels)) <= {0, 1, IGNORE_LABEL}


def test_nothing_asked_leaves_every_value():
    image = np.random.default_rng(0).integers(0, 65536, (7, 9, 5)).astype(np.uint16)
    labels = np.arange(63, dtype=np.uint8).reshape(7, 9)
    moved, same = augment(image, labels, STRENGTHS["none"], np.random.default_rng(0))
    np.testing.assert_array_equal(moved, image)
    np.testing.assert_array_equal(same, labels)


def test_flips_are_exact():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    flips = Augmentation(flip_horizontal=1, flip_vertical=1)
    moved, labels = augment(image, image[..., 0], flips, np.random.default_rng(0))
    np.testing.assert_array_equal(moved, image[::-1, ::-1])
    np.testing.assert_array_equal(labels, image[::-1, ::-1, 0])


def test_quarter_turn_is_the_quarter_turn():
    image = np.random.default_rng(0).integers(0, 255, (9, 9, 1), dtype=np.uint8)

    class Always(np.random.Generator):
        def uniform(self, low=0.0, high=1.0, size=None):
            return high

    moved, labels = augment(
        image,
        image[..., 0],
        Augmentation(rotate_degrees=90),
        Always(np.random.PCG64(0)),
    )
    np.testing.assert_allclose(moved[..., 0], np.rot90(image[..., 0]), atol=1)
    np.testing.assert_array_equal(labels, np.rot90(image[..., 0]))


def test_crop_around_a_pixel_stays_inside_and_keeps_pixels():
    image = np.arange(100, dtype=np.uint8).reshape(10, 10, 1)
    none = STRENGTHS["none"]
    moved, labels = augment(
        image, image[..., 0], none, np.random.default_rng(0), (4, 4), (9, 5), window=(4, 4)
    )
    # Row 9 cannot be in the middle of four rows: the last window has rows 6 to 9. Column 5 can.
    np.testing.assert_array_equal(moved, image[6:10, 4:8])
    np.testing.assert_array_equal(labels, moved[..., 0])


def test_window_larger_than_the_image_is_ignored_beyond_it():
    image = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    moved, labels = augment(
        image,
        image[..., 0],
        STRENGTHS["none"],
        np.random.default_rng(0),
        (4, 3),
        (0, 1),
        window=(4, 3),
    )
    assert sorted(labels[labels != IGNORE_LABEL]) == [0, 1, 2, 3, 4, 5]
    assert (labels == IGNORE_LABEL).sum() == 6
    # Reflected at the border: every row of the result is one of the two rows of the image.
    assert {tuple(row) for row in moved[..., 0]} == {(0, 1, 2), (3, 4, 5)}


def test_scale_below_one_never_leaves_the_image():
    light = STRENGTHS["light"]
    labels = np.zeros((50, 70), np.uint8)
    for seed in range(50):
        _, moved = augment(labels[..., None], labels, light, np.random.default_rng(seed))
        assert not moved.any()


def test_photometric_changes_keep_range_and_mask():
    image = np.random.default_rng(0).integers(0, 4096, (20, 20, 2)).astype(np.uint16)
    labels = np.full((20, 20), 3, np.uint8)
    light = Augmentation(brightness=0.5, contrast=0.5, gamma=1, noise=0.2, blur=2)
    for seed in range(20):
        moved, same = augment(
            image, labels, light, np.random.default_rng(seed), value_range=(0, 4095)
        )
        assert moved.min() >= 0
        assert moved.max() <= 4095
        np.testing.assert_array_equal(same, labels)


def test_table_for_bytes_equals_arithmetic_on_floats():
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    tone = Augmentation(brightness=0.3, contrast=0.3, gamma=0.5)
    labels = np.zeros((20, 20), np.uint8)
    of_bytes, _ = augment(image, labels, tone, np.random.default_rng(1))
    of_floats, _ = augment(
        image.astype(np.float32), labels, tone, np.random.default_rng(1), value_range=(0, 255)
    )
    np.testing.assert_allclose(of_bytes, of_floats, atol=0.01)


def test_symmetries_of_training_follow_from_flips_and_rotation():
    assert STRENGTHS["medium"].symmetries == ("horizontal_flip",)
    assert Augmentation(flip_vertical=0.5).symmetries == ("vertical_flip",)
    turned = Augmentation(flip_horizontal=0.5, rotate_degrees=180)
    assert turned.symmetries == ("horizontal_flip", "vertical_flip", "rotation")
    assert Augmentation(rotate_degrees=90, rotate_probability=0).symmetries == ()


def test_settings_of_an_augmentation_without_effect_are_refused():
    with pytest.raises(ConfigError, match="`noise_probability` has no effect without `noise`"):
        Augmentation.named("light", noise_probability=0.5)
    with pytest.raises(ConfigError, match="no effect without `rotate_degrees`"):
        Augmentation.named("none", rotate_probability=0.5)
    Augmentation.named("none", rotate_probability=0.5, rotate_degrees=10)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"rotate_degrees": "abc"},
            "`rotate_degrees` takes a number from 0 to 180; received 'abc'",
        ),
        ({"noise": None}, "`noise` takes a number from 0 to 1; received None"),
        ({"flip_horizontal": True}, "received True"),
        ({"scale": 3}, "`scale` takes two values, 0 < low <= high; received 3"),
        ({"scale": ["a", 1]}, "takes two values"),
    ],
)
def test_values_that_are_no_numbers_are_named(settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Augmentation.named("medium", **settings)


def test_wrong_settings_say_what_exists():
    with pytest.raises(ConfigError, match="none, light, medium, strong"):
        Augmentation.named("huge")
    with pytest.raises(ConfigError, match="no setting flip_horizontall"):
        Augmentation.named("light", flip_horizontall=1)
    with pytest.raises(ConfigError, match="`contrast` takes a number from 0 to 1; received 2"):
        Augmentation(contrast=2)
    with pytest.raises(ConfigError, match="`scale`"):
        Augmentation(scale=(1.0, 0.5))


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("constant", [0, 0, 0, 1, 2]),
        ("nearest", [1, 1, 1, 1, 2]),
        ("reflect", [3, 2, 1, 1, 2]),
        ("wrap", [3, 4, 5, 1, 2]),
    ],
)
def test_image_and_mask_are_filled_alike(mode, expected):
    # A row of 1 to 5, moved three pixels to the right.
    row = np.tile(np.arange(1, 6, dtype=np.uint8), (5, 1))
    to_input = np.array([[1.0, 0.0, -3.0], [0.0, 1.0, 0.0]])
    image, labels = _warp(row[..., None].astype(np.float32), row, to_input, (5, 5), None, mode)
    assert image[2, :, 0].tolist() == expected
    assert labels[2].tolist() == expected


def test_nothing_is_ignored_where_masks_are_filled():
    mask, image = discs(), np.zeros((96, 120, 3), np.uint8)
    for mode in FILL_MODES[1:]:
        strong = Augmentation.named("strong", fill_mode=mode)
        for seed in range(5):
            _, labels = augment(image, mask, strong, np.random.default_rng(seed))
            assert labels.max() <= 1


def test_objects_are_not_doubled_at_the_border():
    image, labels = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 2), np.uint16)
    with pytest.raises(ConfigError, match="would double single objects"):
        augment(image, labels, Augmentation(fill_mode="wrap"), np.random.default_rng(0))
    with pytest.raises(ConfigError, match="`fill_mode` takes one of ignore, constant"):
        Augmentation(fill_mode="mirror")
