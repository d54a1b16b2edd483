import numpy as np
import pytest
import tifffile
from PIL import Image

from maskwright.errors import DataError
from maskwright.imageio import read_header, read_image, read_mask
from maskwright.imageio.windows import open_windows

RNG = np.random.default_rng(0)
COLORS = RNG.integers(0, 256, (40, 50, 3), np.uint8)
OPAQUE = np.full((40, 50, 1), 255, np.uint8)
MASK = (np.arange(40 * 50).reshape(40, 50) % 7 == 0).astype(np.uint8)
GEO = [(33550, "d", 3, (0.5, 0.5, 0.0), True), (33922, "d", 6, (0, 0, 0, 100.0, 200.0, 0), True)]


def tiff(path, pixels, **options):
    tifffile.imwrite(path, pixels, **options)
    return path


def both_ways(path):
    """The image as it is read whole and by windows, which must agree, and its header."""
    whole, header = read_image(path), read_header(path)
    with open_windows(path) as windows:
        part = windows.read(3, 33, 5, 45)
    np.testing.assert_array_equal(part, whole[3:33, 5:45])
    assert header.channels == whole.shape[2] == part.shape[2]
    return whole, header


def test_alpha_of_a_tiff_is_dropped_as_of_a_png(tmp_path):
    for name, mode in (("a.tif", "RGBA"), ("b.tif", "LA")):
        pixels = np.dstack([COLORS[..., : 3 if mode == "RGBA" else 1], OPAQUE])
        Image.fromarray(pixels, mode).save(tmp_path / name)
        whole, header = both_ways(tmp_path / name)
        np.testing.assert_array_equal(whole, pixels[..., :-1])
        assert header.alpha


def test_a_fourth_band_is_no_alpha(tmp_path):
    bands = np.dstack([COLORS, COLORS[..., ::-1][..., :1]])
    stated = tiff(tmp_path / "a.tif", bands, photometric="rgb", extrasamples=["unspecified"])
    np.testing.assert_array_equal(both_ways(stated)[0], bands)
    # GDAL declares the fourth of any four bands as alpha.
    placed = tiff(tmp_path / "b.tif", bands, photometric="rgb", extratags=GEO)
    whole, header = both_ways(placed)
    np.testing.assert_array_equal(whole, bands)
    assert header.alpha
    with pytest.raises(DataError, match="declares its last channel as transparency, but 9"):
        read_image(tiff(tmp_path / "c.tif", bands, photometric="rgb"))


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_cmyk_becomes_rgb_as_pillow_does(tmp_path, compression):
    inks = Image.fromarray(RNG.integers(0, 256, (40, 50, 4), np.uint8), "CMYK")
    inks.save(tmp_path / "x.tif", compression=compression)
    whole, _ = both_ways(tmp_path / "x.tif")
    expected = np.asarray(inks.convert("RGB"))
    assert np.abs(whole.astype(int) - expected).max() <= 1  # rounding


def test_other_colors_are_refused(tmp_path):
    Image.fromarray(COLORS, "LAB").save(tmp_path / "x.tif")
    with pytest.raises(DataError, match="holds CIELAB colors; expected gray or RGB"):
        read_image(tmp_path / "x.tif")


def test_white_at_zero_is_shown_and_masks_of_it_are_as_displayed(tmp_path):
    path = tiff(tmp_path / "x.tif", 255 * MASK, photometric="miniswhite")
    assert read_header(path).white_is_zero
    np.testing.assert_array_equal(both_ways(path)[0][..., 0], 255 - 255 * MASK)
    np.testing.assert_array_equal(read_mask(path).values, 255 - 255 * MASK)
    with pytest.raises(DataError, match="declares that 0 is white"):
        read_mask(tiff(tmp_path / "y.tif", MASK, photometric="miniswhite"))
    # One bit of another program than tifffile, whose default this is.
    options = {"photometric": "miniswhite", "software": "scanner"}
    bits = tiff(tmp_path / "z.tif", MASK.astype(bool), **options)
    np.testing.assert_array_equal(read_mask(bits).values, 255 - 255 * MASK)


@pytest.mark.parametrize("compression", ["jpeg", "webp", "jpeg2000"])
def test_lossy_masks_are_refused(tmp_path, compression):
    path = tiff(tmp_path / "x.tif", COLORS, compression=compression, photometric="rgb")
    with pytest.raises(DataError, match=r"compressed as .* which changes labels near"):
        read_mask(path)
    assert read_image(path).shape == COLORS.shape


def test_pages_are_neither_alpha_nor_classes_of_a_mask(tmp_path):
    pages = np.stack([MASK, 1 - MASK])
    with pytest.raises(DataError, match="has 2 pages; expected a mask of one"):
        read_mask(tiff(tmp_path / "x.tif", pages, photometric="minisblack"))
    flat = tiff(tmp_path / "y.tif", np.dstack([MASK, MASK]), planarconfig="contig")
    with pytest.raises(DataError, match="has 2 channels; expected a mask of one"):
        read_mask(flat)
    assert read_header(tmp_path / "x.tif").pages == 2
    np.testing.assert_array_equal(read_image(tmp_path / "x.tif"), np.dstack(pages))


def test_pictures_of_other_sizes_are_not_silently_skipped(tmp_path):
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        file.write(COLORS, photometric="rgb")
        file.write(COLORS[:, :30], photometric="rgb")
    for read in (read_header, read_image, read_mask):
        with pytest.raises(DataError, match=r"holds 2 pictures, .* 50x40 .* another of 30x40"):
            read(tmp_path / "x.tif")
    with tifffile.TiffWriter(tmp_path / "pyramid.tif") as file:
        file.write(COLORS, photometric="rgb")
        file.write(COLORS[::2, ::2], photometric="rgb", subfiletype=1)
    np.testing.assert_array_equal(read_image(tmp_path / "pyramid.tif"), COLORS)


def test_the_first_of_several_frames_is_not_silently_taken(tmp_path):
    frames = [Image.fromarray(255 * (MASK ^ number)) for number in (0, 1)]
    for name, lossless in (("x.gif", {}), ("x.png", {}), ("x.webp", {"lossless": True})):
        path = tmp_path / name
        frames[0].save(path, save_all=True, append_images=frames[1:], **lossless)
        for read in (read_header, read_image, read_mask):
            with pytest.raises(DataError, match="has several frames; expected one picture"):
                read(path)
        frames[0].save(path, **lossless)
        assert read_image(path).shape[:2] == MASK.shape


def test_fewer_bits_than_the_type_holds_are_known_where_the_file_states_them(tmp_path):
    deep = COLORS[..., 0].astype(np.uint16) * 16
    assert read_header(tiff(tmp_path / "a.tif", deep)).white is None
    for value, white in ((4095, 4095), (3902, None)):  # the latter is the brightest pixel
        tags = [(281, "H", 1, value, True)]
        assert read_header(tiff(tmp_path / "b.tif", deep, extratags=tags)).white == white
    packed = tiff(tmp_path / "c.tif", deep, bitspersample=12, photometric="minisblack")
    assert read_header(packed).white == 4095
    np.testing.assert_array_equal(read_image(packed)[..., 0], deep)
