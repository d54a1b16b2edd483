import numpy as np
import pytest

from maskwright.config import TrainConfig
from maskwright.data import open_dataset
from maskwright.imageio import write_image
from maskwright.planning.stats.symmetry import left_right_pair
from maskwright.tasks.settings import make_augmentation
from maskwright.tasks.sides import respect_sides


def draw(folder, alternate, count=16):
    """Images with a square in the left half or, every second, in the right one."""
    for number in range(count):
        mask = np.zeros((16, 16, 1), np.uint8)
        right = 9 * (number % 2) if alternate else 0
        mask[4:8, right + number % 3 : right + number % 3 + 4] = 255
        write_image(folder / "images" / f"{number}.png", np.repeat(90 + mask // 3, 3, axis=2))
        write_image(folder / "masks" / f"{number}.png", mask)
    return open_dataset(folder, val_share=0, test_share=0)


@pytest.mark.parametrize(("alternate", "mirrored"), [(True, 0.5), (False, 0.0)])
def test_images_are_not_mirrored_where_a_class_lies_on_one_side(tmp_path, alternate, mirrored):
    dataset, messages = draw(tmp_path, alternate), []
    names = dataset.labels.names
    config = respect_sides(TrainConfig(), names, messages.append, dataset)
    assert make_augmentation(config).flip_horizontal == mirrored
    assert len(messages) == (not alternate)
    assert all("Mirroring would move the class" in message for message in messages)
    stated = TrainConfig(augmentation={"flip_horizontal": 0.5})
    assert respect_sides(stated, names, messages.append, dataset) == stated


def test_names_tell_left_from_right():
    assert left_right_pair(["background", "left lung", "Right Lung"]) == ("left lung", "Right Lung")
    assert left_right_pair(["kidney_R", "kidney_L"]) == ("kidney_L", "kidney_R")
    assert left_right_pair(["cleft", "cright", "left only"]) is None
    messages = []
    config = respect_sides(TrainConfig(), ["none", "hand_l", "hand_r"], messages.append)
    assert make_augmentation(config).symmetries == ()
    assert "turn the class hand_l into hand_r" in messages[0]
