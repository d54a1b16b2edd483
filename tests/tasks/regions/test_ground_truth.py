import pytest

from drawing_squares import LOWER, SPEC, UPPER, squares, write_squares
from maskwright.errors import DataError
from maskwright.imageio import write_image
from maskwright.tasks.regions.extraction.ground_truth import min_component_px, true_regions


@pytest.fixture
def dataset(tmp_path):
    return write_squares(tmp_path)


def test_noise_is_smaller_than_a_quarter_of_the_true_regions(dataset):
    assert min_component_px(dataset, "components") == 64 // 4
    dataset.samples[0].masks[0].write_text("this is text")
    assert min_component_px(dataset, "components") == 16


def test_a_mask_of_another_size_is_stretched_where_the_aspect_agrees(dataset):
    sample = dataset.samples[0]
    write_image(sample.masks[0], squares(UPPER, LOWER)[::2, ::2])
    assert [region.box for region in true_regions(dataset, sample, SPEC)[1]] == [
        (2, 2, 10, 10),
        # Every second pixel from 0 on: 12 to 18, and 14 to 20, each two wide.
        (12, 14, 20, 22),
    ]
    write_image(sample.masks[0], squares(UPPER)[:20])
    with pytest.raises(DataError, match=r"20 x 24 px .* for an image of 24 x 24 px"):
        true_regions(dataset, sample, SPEC)
