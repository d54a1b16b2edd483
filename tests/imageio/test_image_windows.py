import sys

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from maskwright.errors import DataError
from maskwright.imageio import read_image, read_mask
from maskwright.imageio.geo import geo_tags
from maskwright.imageio.windows import image_size, open_windows
from maskwright.imageio.write import write_large_mask

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (70, 100, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (70, 100, 5), dtype=np.uint16)
PALETTE = RNG.integers(0, 65536, (3, 256), dtype=np.uint16)
TILES = {"tile": (32, 48)}
WINDOWS = [(0, 70, 0, 100), (5, 40, 10, 90), (31, 33, 47, 49), (69, 70, 99, 100)]


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (RGB, {**TILES, "photometric": "rgb", "compression": "zlib", "predictor": True}),
        (RGB, {**TILES, "photometric": "rgb", "compression": "jpeg"}),
        (RGB, {**TILES, "photometric": "ycbcr", "compression": "jpeg", "subsampling": (2, 2)}),
        (RGB, {"photometric": "rgb", "compression": "lzw", "rowsperstrip": 16}),
        (RGB, {"photometric": "rgb"}),
        (RGB, {"photometric": "rgb", "extratags": [(274, "H", 1, 6, True)]}),
        (np.moveaxis(RGB, -1, 0), {"photometric": "rgb", "planarconfig": "separate"}),
        (np.moveaxis(RGB, -1, 0), {"photometric": "rgb", "planarconfig": "separate", **TILES}),
        (DEEP, {**TILES, "photometric": "minisblack", "planarconfig": "contig"}),
        (np.moveaxis(DEEP, -1, 0), {**TILES, "metadata": {"axes": "CYX"}}),
        (RGB[..., 0], {**TILES, "photometric": "miniswhite"}),
        (RGB[..., 0], {"photometric": "palette", "colormap": PALETTE, "rowsperstrip": 7}),
        (RGB[..., 0] > 100, {"photometric": "miniswhite", "rowsperstrip": 8}),
        (RGB[..., 0] > 100, {"photometric": "minisblack", "rowsperstrip": 8}),
        (RGB[..., 0].astype(np.float64), {**TILES, "compression": "zlib"}),
        (RGB[..., 0].astype(np.int32), {}),
    ],
    ids=lambda value: "" if isinstance(value, np.ndarray) else "-".join(map(str, value.values())),
)
@pytest.mark.parametrize("way", [{}, {"byteorder": ">"}, {"bigtiff": True}, {"ome": True}], ids=str)
def test_windows_are_parts_of_what_is_read_whole(tmp_path, pixels, options, way):
    path = tmp_path / "image.tif"
    if "ome" in way and options.get("photometric") == "palette":
        pytest.skip("OME holds no palettes")
    with tifffile.TiffWriter(path, **way) as tiff:
        tiff.write(pixels, **options)
    whole = read_image(path)
    with open_windows(path) as windows:
        assert (windows.height, windows.width, windows.channels) == whole.shape
        for top, bottom, left, right in WINDOWS:
            part = whole[top:bottom, left:right]
            found = windows.read(top, top + part.shape[0], left, left + part.shape[1])
            assert found.dtype == whole.dtype == windows.dtype
            np.testing.assert_array_equal(found, part)
    assert image_size(path) == whole.shape[:2]


def test_tiles_are_decoded_when_they_are_needed(tmp_path, monkeypatch):
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, RGB, tile=(32, 32), photometric="rgb", compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        offset, length = tiff.pages[0].dataoffsets[0], tiff.pages[0].databytecounts[0]
    data = bytearray(path.read_bytes())
    data[offset : offset + length] = bytes(length)  # of the first tile
    path.write_bytes(data)
    with open_windows(path) as windows:
        np.testing.assert_array_equal(windows.read(32, 70, 0, 100), RGB[32:])
        with pytest.raises(DataError, match=r"image\.tif is damaged"):
            windows.read(0, 10, 0, 10)


def test_what_can_only_be_decoded_whole_has_a_limit(tmp_path):
    png, strip = tmp_path / "image.png", tmp_path / "image.tif"
    Image.fromarray(RGB).save(png)
    with open_windows(png) as windows:
        np.testing.assert_array_equal(windows.read(3, 9, 4, 50), RGB[3:9, 4:50])
    with (
        pytest.raises(DataError, match=r"100x70 pixels; PNG files .* tiled TIFF"),
        open_windows(png, max_pixels=6999),
    ):
        pass
    tifffile.imwrite(strip, RGB, photometric="rgb", extratags=[(274, "H", 1, 3, True)])
    with (
        pytest.raises(DataError, match="TIFF files that must be decoded whole"),
        open_windows(strip, max_pixels=99),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "module", "extra"), [("a.svs", "openslide", "wsi"), ("a.vrt", "rasterio", "geo")]
)
def test_a_missing_extra_is_named(tmp_path, monkeypatch, name, module, extra):
    path = tmp_path / name
    path.write_text("anything")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DataError, match=rf"maskwright\[{extra}\]"), open_windows(path):
        pass


def test_whole_slides_are_read_at_full_scale(tmp_path):
    pytest.importorskip("openslide")
    path = tmp_path / "slide.svs"
    tifffile.imwrite(path, RGB, tile=(32, 32), photometric="rgb")
    with open_windows(path) as windows:
        assert (windows.height, windows.width, windows.channels) == RGB.shape
        np.testing.assert_array_equal(windows.read(5, 40, 10, 90), RGB[5:40, 10:90])
    path.write_text("no slide")
    with pytest.raises(DataError, match=r"slide\.svs is damaged"), open_windows(path):
        pass


def write_geotiff(path, pixels, **options):
    rasterio = pytest.importorskip("rasterio")
    bands = np.moveaxis(pixels, -1, 0)
    profile = {"driver": "GTiff", "count": len(bands), "dtype": pixels.dtype, "crs": "EPSG:32640"}
    profile |= {"height": pixels.shape[0], "width": pixels.shape[1]}
    profile |= {"transform": rasterio.transform.from_origin(325000, 2780000, 0.5, 0.5)}
    with rasterio.open(path, "w", **{**profile, **options}) as image:
        image.write(bands)


def test_the_georeference_goes_from_image_to_mask(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    write_geotiff(tmp_path / "image.tif", RGB, nodata=0)
    labels = RGB[..., 0] % 3
    with open_windows(tmp_path / "image.tif") as windows:
        assert windows.nodata == 0
        colors = [(0, 0, 0), (1, 2, 3), (4, 5, 6)]
        path = tmp_path / "mask.tif"

        def rows(top, bottom):
            return labels[top:bottom]

        write_large_mask(path, rows, labels.shape, colors, windows.geo, nodata=True)
    with rasterio.open(path) as mask, rasterio.open(tmp_path / "image.tif") as image:
        assert mask.crs == image.crs
        assert mask.transform == image.transform
        assert mask.nodata == 255
        assert mask.colormap(1)[1] == (1, 2, 3, 255)
        np.testing.assert_array_equal(mask.read(1), labels)
    again = read_mask(path)
    np.testing.assert_array_equal(again.values, labels)
    assert again.palette[2].tolist() == [4, 5, 6]


def test_gdal_reads_mosaics_and_gives_the_same_georeference(tmp_path):
    shutil = pytest.importorskip("rasterio.shutil")
    write_geotiff(tmp_path / "image.tif", RGB)
    shutil.copy(tmp_path / "image.tif", tmp_path / "mosaic.vrt", driver="VRT")
    with open_windows(tmp_path / "mosaic.vrt") as windows:
        np.testing.assert_array_equal(windows.read(5, 40, 10, 90), RGB[5:40, 10:90])
        with tifffile.TiffFile(tmp_path / "image.tif") as tiff:
            assert windows.geo == geo_tags(tiff.pages[0])
    assert image_size(tmp_path / "mosaic.vrt") == (70, 100)


def test_images_of_gdal_need_no_georeference(tmp_path):
    pytest.importorskip("rasterio")  # warns of it, which is an error here
    (tmp_path / "a.jp2").write_bytes(imagecodecs.jpeg2k_encode(RGB, level=0))
    with open_windows(tmp_path / "a.jp2") as windows:
        np.testing.assert_array_equal(windows.read(5, 40, 10, 90), RGB[5:40, 10:90])
        assert windows.geo is None


@pytest.mark.parametrize("sides", [(64, 64), (64, 32), (64, "nan")])
def test_mosaics_are_not_shrunk_for_which_gdal_opens_overviews_elsewhere(tmp_path, sides):
    pytest.importorskip("rasterio")
    write_geotiff(tmp_path / "a.tif", RGB[:64, :64])
    rects = (
        f"<{n}Rect xOff='0' yOff='0' xSize='{s}' ySize='{s}'/>"
        for n, s in zip(("Src", "Dst"), sides, strict=True)
    )
    (tmp_path / "a.vrt").write_text(
        f"<VRTDataset rasterXSize='64' rasterYSize='64'><VRTRasterBand dataType='Byte' band='1'>"
        f"<SimpleSource><SourceFilename relativeToVRT='1'>a.tif</SourceFilename>{''.join(rects)}"
        f"</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    if sides == (64, 64):
        with open_windows(tmp_path / "a.vrt") as windows:
            np.testing.assert_array_equal(windows.read(0, 64, 0, 64)[..., 0], RGB[:64, :64, 0])
    else:
        with (
            pytest.raises(DataError, match="shrinks its sources"),
            open_windows(tmp_path / "a.vrt"),
        ):
            pass


@pytest.mark.parametrize("name", ["a.jp2", "a.img", "a.vrt", "a"])
@pytest.mark.parametrize("source", ["../outside.tif", "/vsicurl/http://127.0.0.1:9/a.tif"])
def test_xml_of_gdal_opens_no_file_outside_its_folder(tmp_path, name, source):
    rasterio = pytest.importorskip("rasterio")
    write_geotiff(tmp_path / "outside.tif", RGB)
    path = tmp_path / "folder" / name
    path.parent.mkdir()
    path.write_text(
        "<VRTDataset rasterXSize='100' rasterYSize='70'><GeoTransform>5,1,0,5,0,-1</GeoTransform>"
        "<VRTRasterBand dataType='Byte' band='1'>"
        f"<SimpleSource><SourceFilename relativeToVRT='1'>{source}</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    if source.startswith(".."):
        with rasterio.open(path) as opened:  # as GDAL would
            assert opened.read(1).any()
    with pytest.raises(DataError), open_windows(path):
        pass
