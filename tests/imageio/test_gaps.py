import numpy as np
import pytest
import tifffile

from maskwright.errors import DataError
from maskwright.imageio import read_header, read_image, read_mask, read_with_gaps
from maskwright.imageio.windows import open_windows

NODATA = 42113


def tiff(path, pixels, nodata=None):
    text = [] if nodata is None else [(NODATA, "s", 0, str(nodata), True)]
    tifffile.imwrite(path, pixels, photometric="minisblack", extratags=text)
    return path


@pytest.mark.parametrize(
    ("fill", "dtype", "declared"),
    [
        (7, np.uint8, 7),
        (65535, np.uint16, 65535),
        (-32768, np.int16, -32768),
        (-9999, np.float32, -9999),
        (-9999, np.float32, None),
        (np.nan, np.float32, "nan"),
        (np.nan, np.float64, None),
        (-3.4028234663852886e38, np.float32, "-3.4028234663852886e+38"),
        (-3.4028234663852886e38, np.float32, None),
    ],
)
def test_pixels_without_data_are_found_and_floats_are_a_median_there(
    tmp_path, fill, dtype, declared
):
    pixels = np.linspace(10, 20, 30 * 40).reshape(30, 40).astype(dtype)
    pixels[pixels == fill] += 1
    gap = np.zeros((30, 40), bool)
    gap[3:9, 10:20] = True
    pixels[gap] = fill
    path = tiff(tmp_path / "x.tif", pixels, declared)
    image, found = read_with_gaps(path)
    np.testing.assert_array_equal(found, gap)
    np.testing.assert_array_equal(image[~gap], pixels[~gap, None].astype(image.dtype))
    filled = np.median(pixels[~gap].astype(image.dtype)) if image.dtype == np.float32 else fill
    assert set(image[gap].ravel()) == {filled}
    with open_windows(path) as windows:
        assert windows.nodata is not None
    assert (
        read_with_gaps(tiff(tmp_path / "whole.tif", np.full_like(pixels, 10), declared))[1] is None
    )


def test_a_channel_without_data_is_no_gap_and_nan_in_it_is_refused(tmp_path):
    pixels = np.ones((20, 20, 2), np.float32)
    pixels[0, 0] = pixels[1, 1, 0] = -9999
    tifffile.imwrite(tmp_path / "x.tif", pixels, planarconfig="contig", photometric="minisblack")
    image, gap = read_with_gaps(tmp_path / "x.tif")
    assert np.argwhere(gap).tolist() == [[0, 0]]
    assert (image == 1).all()
    pixels[1, 1, 0] = np.nan
    tifffile.imwrite(tmp_path / "x.tif", pixels, planarconfig="contig", photometric="minisblack")
    with pytest.raises(DataError, match=r"NaN .* in some channels of a pixel \(1 px\)"):
        read_image(tmp_path / "x.tif")


def test_an_image_of_mostly_nan_is_refused_unless_it_is_declared(tmp_path):
    pixels = np.full((10, 10), np.nan, np.float32)
    pixels[0] = 1
    with pytest.raises(DataError, match="no finite number in 90% of its pixels"):
        read_image(tiff(tmp_path / "x.tif", pixels))
    assert read_image(tiff(tmp_path / "y.tif", pixels, "nan")).sum() == 100


def test_masks_tell_their_value_for_no_data(tmp_path):
    assert read_mask(tiff(tmp_path / "a.tif", np.uint8([[0, 1, 9]]), 9)).nodata == 9
    assert read_mask(tiff(tmp_path / "b.tif", np.int16([[0, 1, -9999]]), -9999)).nodata == -9999
    for fill, declared in ((np.nan, None), (np.nan, "nan"), (-3.4e38, "-3.4e38")):
        raw = read_mask(tiff(tmp_path / "c.tif", np.float32([[0, 1, fill]]), declared))
        assert raw.values[0, :2].tolist() == [0, 1]
        assert raw.values[0, 2] == raw.nodata
    for declared in (None, 0.5, "inf", "none"):  # that no pixel can have
        assert read_mask(tiff(tmp_path / "d.tif", np.uint8([[0, 1]]), declared)).nodata is None


def test_corners_are_those_of_the_outer_pixels(tmp_path):
    def corners(*tags):
        path = tmp_path / "x.tif"
        tifffile.imwrite(path, np.zeros((4, 6), np.uint8), extratags=tags)
        return read_header(path).corners

    scale = (33550, "d", 3, (2.0, 3.0, 0.0), True)
    tie = (33922, "d", 6, (0, 0, 0, 100.0, 200.0, 0), True)
    assert corners() is None
    assert corners(scale, tie) == (100, 200, 112, 188)
    center = (34735, "H", 8, (1, 1, 0, 1, 1025, 0, 1, 2), True)  # positions of pixel centers
    assert corners(scale, tie, center) == (99, 201.5, 111, 189.5)
    matrix = (2.0, 0, 0, 100.0, 0, -3.0, 0, 200.0, 0, 0, 0, 0, 0, 0, 0, 1.0)
    assert corners((34264, "d", 16, matrix, True)) == (100, 200, 112, 188)
