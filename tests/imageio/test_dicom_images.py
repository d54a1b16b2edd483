"""Single DICOM images: pixels in the unit of their modality, as the file states it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drawing_volumes import write_series
from maskwright.data import open_dataset
from maskwright.errors import DataError
from maskwright.imageio import read_header, read_image, read_mask

pydicom = pytest.importorskip("pydicom")
PUBLISHED = Path(pydicom.data.__file__).parent / "test_files"
RAMP = np.arange(12, dtype=np.int16).reshape(3, 4)


def write(folder, pixels, **facts):
    return write_series(folder, pixels[None], **facts)[0]


@pytest.mark.parametrize(
    ("pixels", "facts", "expected"),
    [
        (RAMP, {"RescaleSlope": 2, "RescaleIntercept": -1000}, RAMP * 2.0 - 1000),
        (RAMP - 6, {}, RAMP - 6.0),  # signed
        (RAMP, {"WindowCenter": 3, "WindowWidth": 2}, RAMP),  # for display, and not applied
        (RAMP.astype(np.uint8), {}, RAMP.astype(np.uint8)),
        # 12 bits in 16, with an overlay in the spare ones; white is 0.
        (
            RAMP.astype(np.uint16) + 0x3000,
            {"BitsStored": 12, "HighBit": 11, "PhotometricInterpretation": "MONOCHROME1"},
            4095.0 - RAMP,
        ),
    ],
)
def test_pixels_are_in_the_unit_of_their_modality(tmp_path, pixels, facts, expected):
    path = write(tmp_path, pixels, **facts)
    image, header = read_image(path), read_header(path)
    assert np.array_equal(image[..., 0], expected)
    assert image.dtype == (np.uint8 if pixels.dtype == np.uint8 else np.float32)
    assert (header.height, header.width, header.channels, header.dtype) == (3, 4, 1, image.dtype)


def test_patients_and_spacing_of_images_in_folders(tmp_path):
    (tmp_path / "masks").mkdir()
    for number in range(4):
        place = tmp_path / "images" / str(number)
        path = write(place, RAMP, patient=f"P{number // 2}", PixelSpacing=[0.2, 0.1])
        path.rename(tmp_path / "images" / f"view{number}.dcm")
        place.rmdir()
        Image.fromarray(np.eye(3, 4, dtype=np.uint8)).save(tmp_path / "masks" / f"view{number}.png")
    dataset = open_dataset(tmp_path, val_share=0, test_share=0)
    assert [sample.case for sample in dataset.samples] == ["P0", "P0", "P1", "P1"]
    assert {sample.spacing_mm for sample in dataset.samples} == {(0.2, 0.1)}
    assert np.array_equal(dataset.read(dataset.samples[0])[0][..., 0], RAMP)


def test_a_mask_has_the_values_that_are_stored(tmp_path):
    path = write(tmp_path, RAMP.astype(np.uint8), RescaleSlope=2, RescaleIntercept=5)
    assert np.array_equal(read_mask(path).values, RAMP)


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "MR_small_jp2klossless.dcm"])
def test_compressed_images_equal_the_plain_one(name):
    assert np.array_equal(read_image(PUBLISHED / name), read_image(PUBLISHED / "MR_small.dcm"))


def test_colors_are_rgb_whatever_is_stored():
    colors = read_image(PUBLISHED / "SC_ybr_full_422_uncompressed.dcm")
    assert colors.shape == (100, 100, 3)
    assert colors[5, 50].tolist() == [254, 0, 0]  # a red bar at the top


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("SC_rgb_jpeg_gdcm.dcm", r"JPEG Lossless.*pip install pylibjpeg pylibjpeg-libjpeg"),
        ("examples_ybr_color.dcm", r"holds 30 frames"),
        ("test-SR.dcm", r"is a DICOM file without an image \(SR\)"),
        ("MR_truncated.dcm", r"damaged or incomplete"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(name, sentence):
    with pytest.raises(DataError, match=sentence):
        read_image(PUBLISHED / name)
