import numpy as np
import pytest
import tifffile

from maskwright.data import open_dataset
from maskwright.data.synthetic.datasets import write_dataset
from maskwright.errors import DataError
from maskwright.imageio import write_image
from maskwright.planning import EncoderWeights, Machine, PlanBuilder, measure_dataset, plan


def write_pair(root, name, image, mask, ending=".png"):
    path = root / "images" / f"{name}{ending}"
    path.parent.mkdir(parents=True, exist_ok=True)
    if ending == ".png":
        write_image(path, image)
    else:
        tifffile.imwrite(path, image, planarconfig="contig", metadata=None)
    write_image(root / "masks" / f"{name}.png", mask[..., None].astype(np.uint8))


def measured(root, **options):
    dataset = open_dataset(root, val_share=0, test_share=0)
    stats = measure_dataset(dataset, **options)
    settings = plan(PlanBuilder(stats, Machine(2, 8000), minutes=1)).settings
    assert settings["size"] or settings["crop"]
    return stats


def test_numbers_of_known_masks(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(12):
        image = rng.integers(0, 256, (60, 80, 1), np.uint8)
        mask = np.zeros((60, 80))
        if number < 8:
            mask[5:15, 10:30] = 1  # 200 px, always above and on the left
            mask[8, 12] = 0
        if number == 0:
            mask[50:54, 70:74] = 1
        write_pair(tmp_path, f"{number}", image, mask)
    (tmp_path / "data.yaml").write_text(
        "classes: [background, lamp]\nvalues: {0: background, 1: lamp}\n"
    )
    stats = measured(tmp_path)
    lamp = stats.classes[1]
    assert (stats.num_training, stats.images_read, stats.channels, stats.color_share) == (
        12,
        12,
        1,
        0,
    )
    assert stats.modal_size == (60, 80)
    assert stats.empty_share == pytest.approx(4 / 12)
    assert (lamp.images, lamp.regions, lamp.max_regions) == (8, 9, 2)
    assert (lamp.min_area_px, lamp.median_area_px) == (16, 199)
    assert lamp.share == pytest.approx((8 * 199 + 16) / (12 * 60 * 80))
    assert stats.foreground_share == pytest.approx((8 * 199 + 16) / (8 * 60 * 80))
    assert (stats.holes, stats.smallest_hole_px) == (8, 1)
    assert stats.up_down.significant(0.4, 0.05)
    assert lamp.left_right.significant(0.3, 0.05)
    assert stats.area_exponent is None  # all of one size


def test_synthetic_cells_and_the_number_of_images_read(tmp_path):
    data = write_dataset(tmp_path / "data", num_images=12, size=64)
    stats = measure_dataset(open_dataset(data), max_images=4)
    assert stats.images_read == 4
    assert sum(stats.images.values()) == 12
    assert [each.name for each in stats.foreground] == ["round", "spindle"]
    assert stats.dtype == "uint8"


def test_one_image_of_many_channels_and_sixteen_bits(tmp_path):
    image = np.random.default_rng(0).integers(0, 4096, (40, 40, 7)).astype(np.uint16)
    mask = np.zeros((40, 40))
    mask[10:20] = 1
    write_pair(tmp_path, "a", image, mask, ".tif")
    stats = measured(tmp_path)
    assert (stats.channels, stats.dtype, stats.images_read) == (7, "uint16", 1)
    assert stats.up_down.p_value == 1  # a single image allows no test
    made = plan(PlanBuilder(stats, Machine(2, 8000), 1, EncoderWeights("weights.h5")))
    assert made.settings["encoder"] == "plain"


def test_large_images_are_read_up_to_a_number_of_pixels(tmp_path):
    for number in range(4):
        mask = np.zeros((1500, 2000))
        mask[700:720, ::40] = 1
        write_pair(tmp_path, f"{number}", np.full((1500, 2000, 3), number, np.uint8), mask)
    stats = measured(tmp_path, max_pixels=7_000_000)
    assert stats.images_read == 2
    assert stats.width.median == 2000
    assert stats.num_training == 4


def test_regions_that_grow_with_their_images_and_that_do_not(tmp_path):
    for name, grows in (("closer", True), ("wider", False)):
        for number in range(12):
            side = 40 + 10 * number
            mask = np.zeros((side, side))
            size = side // 4 if grows else 12
            mask[5 : 5 + size, 5 : 5 + size] = 1
            image = np.full((side, side, 3), 20 * number, np.uint8)
            write_pair(tmp_path / name, f"{number}", image, mask)
    assert measured(tmp_path / "closer").area_exponent == pytest.approx(1, abs=0.1)
    assert measured(tmp_path / "wider").area_exponent == pytest.approx(0, abs=0.1)


def test_nearly_equal_images_in_different_cases_are_counted(tmp_path):
    rng = np.random.default_rng(0)
    first = rng.integers(0, 256, (8, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    other = rng.integers(0, 256, (8, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    mask = np.zeros((64, 64))
    mask[10:20] = 1
    for name, image in (("a", first), ("b", first // 2 + 60), ("c", other)):
        write_pair(tmp_path, name, image, mask)
    assert measured(tmp_path).split_duplicates == 1


def test_centimeters_of_a_tiff_are_its_spacing(tmp_path):
    from maskwright.planning.stats.sample_stats import spacing_mm

    pixels = np.zeros((4, 4), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, resolution=(20_000, 20_000), resolutionunit=3)
    assert spacing_mm(tmp_path / "a.tif") == pytest.approx(0.0005)  # 10 mm in 20,000 pixels
    tifffile.imwrite(tmp_path / "b.tif", pixels, resolution=(300, 300), resolutionunit=2)
    assert spacing_mm(tmp_path / "b.tif") is None


def test_no_training_image_raises(tmp_path):
    write_dataset(tmp_path, num_images=6, size=32)
    dataset = open_dataset(tmp_path)
    from dataclasses import replace

    with pytest.raises(DataError, match="no training image"):
        measure_dataset(replace(dataset, samples=tuple(dataset.of("test"))))
