import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from maskwright.data.to_rgb import as_picture
from maskwright.imageio.windows import open_windows
from maskwright.serving.store import tile_pyramid as pictures
from maskwright.serving.store.tile_pyramid import reduced_picture, safe_suffix, write_pyramid


def drawn(folder, image, **options):
    file = folder / "image.tif"
    tifffile.imwrite(file, image, photometric="rgb" if image.shape[2] == 3 else None, **options)
    done = []
    with open_windows(file) as windows:
        pyramid = write_pyramid(windows, folder / "tiles", done.append)
    assert sum(done) == pytest.approx(1)
    return pyramid


def assembled(pyramid, level, size):
    rows = [
        np.hstack(
            [
                np.asarray(Image.open(pyramid.tile(level, column, row)))
                for column in range(-(-size[1] // 512))
            ]
        )
        for row in range(-(-size[0] // 512))
    ]
    return np.vstack(rows)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (512, 513), (1030, 700)])
def test_levels_are_those_of_deep_zoom(tmp_path, monkeypatch, size):
    monkeypatch.setattr(pictures, "_BAND_PIXELS", 100_000)
    ramp = np.add.outer(np.arange(size[0]), np.arange(size[1])) // 8 % 256
    image = ramp[..., None].repeat(3, axis=-1).astype(np.uint8)
    pyramid = drawn(tmp_path, image, tile=(64, 64))
    # As OpenSeadragon counts: the last level is the image, each before it half as large.
    assert pyramid.levels == int(np.ceil(np.log2(max(size)))) + 1
    files = {f.relative_to(tmp_path / "tiles").as_posix() for f in tmp_path.rglob("*.jpg")}
    expected = {"thumbnail.jpg"}
    for level in range(pyramid.levels):
        scale = 2 ** (pyramid.levels - 1 - level)
        sides = [-(-side // scale) for side in size]
        across, down = -(-sides[1] // 512), -(-sides[0] // 512)
        expected |= {f"{level}/{x}_{y}.jpg" for x in range(across) for y in range(down)}
        shown = assembled(pyramid, level, sides)
        assert shown.shape == (*sides, 3)
        if scale <= 4:
            middle = image[scale // 2 :: scale, scale // 2 :: scale].astype(int)
            shown = shown[: middle.shape[0], : middle.shape[1]]
            assert np.abs(shown - middle)[middle < 250].max(initial=0) < 16
    assert files == expected
    with Image.open(pyramid.thumbnail) as thumbnail:
        assert max(thumbnail.size) == min(160, max(size))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_other_depths_have_one_stretch_for_the_whole_image(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(pictures, "_BAND_PIXELS", 1000)
    rng = np.random.default_rng(0)
    image = (rng.random((90, 70, 1)) * 3000 + np.arange(90)[:, None, None] * 50).astype(dtype)
    pyramid = drawn(tmp_path, image[..., 0, None])
    with open_windows(tmp_path / "image.tif") as windows:
        whole = reduced_picture(windows, pyramid.span, (90, 70))
        small = reduced_picture(windows, pyramid.span, (45, 35))
    np.testing.assert_array_equal(whole, as_picture(image))
    means = whole.reshape(45, 2, 35, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - means).max() <= 1


def test_what_holds_no_data_does_not_count_for_the_stretch(tmp_path):
    image = np.full((40, 50, 1), -9999, np.float32)
    image[:10] = np.linspace(0, 1, 500).reshape(10, 50, 1)
    nodata = [(42113, "s", 0, "-9999", True)]
    low, high = drawn(tmp_path, image, extratags=nodata).span
    assert 0 <= low < 0.05 < 0.95 < high <= 1


def test_an_upload_cannot_lead_to_other_files():
    tiff = b"II*\0"
    assert safe_suffix("slide.SVS", tiff) == ".svs"
    for name in ("a.vrt", "a.mrxs", "a.vms", "a.jp2", "a.png", "svs", ".svs"):
        assert safe_suffix(name, tiff) == ""
    assert safe_suffix("slide.svs", b"[Virtual Microscope Specimen]") == ""


def test_a_tile_is_a_picture_of_its_place(tmp_path):
    image = np.zeros((600, 600, 3), np.uint8)
    image[512:, 512:] = (200, 30, 60)
    pyramid = drawn(tmp_path, image)
    corner = np.asarray(Image.open(io.BytesIO(pyramid.tile(10, 1, 1).read_bytes())))
    assert corner.shape == (88, 88, 3)
    assert np.abs(corner.mean(axis=(0, 1)) - (200, 30, 60)).max() < 3
