import numpy as np
import pytest
import tifffile
from PIL import Image

from drawing_samples import draw
from maskwright.data import open_dataset
from maskwright.data.audit.audit import audit

COLORS = np.array([(20, 30, 40), (200, 60, 50), (60, 210, 90)], np.uint8)


def labels(number):
    mask = np.zeros((24, 24), np.uint8)
    mask[2 : 6 + number % 5, 3:9] = 1
    mask[15:20, 12 : 14 + number % 7] = 2
    return mask


def pages(path, mask):
    tifffile.imwrite(path, np.moveaxis(COLORS[mask][..., :2], -1, 0), photometric="minisblack")


def transparent(path, mask):
    Image.fromarray(np.dstack([COLORS[mask], np.full_like(mask, 255)]), "RGBA").save(path)


def white_at_zero(path, mask):
    tifffile.imwrite(path, 255 - COLORS[mask][..., 0], photometric="miniswhite")


def inks(path, mask):
    Image.fromarray(COLORS[mask]).convert("CMYK").save(path)


@pytest.mark.parametrize(
    ("write", "code", "message", "channels"),
    [
        (pages, "pages", "12 images of several pages, read as 2 channels", 2),
        (transparent, "alpha", "12 images with transparency, which is dropped", 3),
        (white_at_zero, "white_is_zero", "12 images or masks stored with white as 0, read as", 1),
        (inks, None, "", 3),
    ],
)
def test_what_a_tiff_holds_is_read_as_displayed_and_told(tmp_path, write, code, message, channels):
    (tmp_path / "images").mkdir()
    for number in range(12):
        write(tmp_path / "images" / f"{number}.tif", labels(number))
        draw(tmp_path / "masks" / f"{number}.png", labels(number))
    dataset = open_dataset(tmp_path)
    assert dataset.labels.names == ("class_0", "class_1", "class_2")
    for sample in dataset.samples:
        image, mask = dataset.read(sample)
        expected = labels(int(sample.id))
        np.testing.assert_array_equal(mask, expected)
        np.testing.assert_allclose(image, COLORS[expected][..., :channels], atol=1)
    findings = {finding.code: finding.message for finding in audit(tmp_path).findings}
    if code is not None:
        assert message in findings[code]


def test_animations_and_masks_of_pages_are_told_as_what_they_are(tmp_path):
    for number in range(12):
        first, second = (Image.fromarray(COLORS[labels(n)]) for n in (number, number + 1))
        path = draw(tmp_path / "images" / f"{number}.gif", COLORS[labels(number)])
        draw(tmp_path / "masks" / f"{number}.png", labels(number))
        if number < 2:
            first.save(path, save_all=True, append_images=[second])
        if number == 2:
            (tmp_path / "masks" / "2.png").unlink()
            both = np.stack([labels(2) == 1, labels(2) == 2]).astype(np.uint8)
            tifffile.imwrite(tmp_path / "masks" / "2.tif", both, photometric="minisblack")
    dataset = open_dataset(tmp_path)
    assert len(dataset.samples) == 9
    reasons = {file.path.name: file.reason for file in dataset.skipped}
    assert "has several frames" in reasons["0.gif"]
    assert "has several frames" in reasons["1.gif"]
    assert "has 2 pages" in reasons["2.tif"]
    assert not audit(tmp_path).ok
