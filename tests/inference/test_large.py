import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
import tifffile
from drawing_masks import predict_folder

from maskwright.errors import ConfigError, DataError
from maskwright.imageio import read_mask
from maskwright.imageio.windows import open_windows
from maskwright.inference.large import partial_mask as panels
from maskwright.inference.large import predict_large as large
from maskwright.inference.large import shrink
from maskwright.inference.large.partial_mask import LargeOptions
from maskwright.inference.large.predict_large import is_large, predict_large
from maskwright.inference.large.stripes import out_of_memory
from maskwright.inference.predictor import Predictor
from maskwright.labels import Labels
from maskwright.model_card import MultilabelCard, SemanticCard


def blurred(images):
    """One logit that depends on some neighbors."""
    smooth = np.stack([cv2.GaussianBlur(image[..., 0], (0, 0), 2) for image in images])
    return (smooth[..., None] - 128) / 8


def predictor(logits=blurred, names=("background", "cell"), **changes):
    values = {"size": None, "tile": 64, "threshold": None, "channels": 1, "dtype": "uint8"}
    own = {"labels": Labels.create(names), "model_sha256": "", "version": "", "data": ""}
    own["symmetries"] = ("horizontal_flip",)
    return Predictor(logits, SemanticCard(**{**values, **own, **changes}))


def clouds(height, width, seed=0):
    noise = np.random.default_rng(seed).normal(size=(height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 6)
    return (128 + smooth * (60 / smooth.std())).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "clouds.tif"
    tifffile.imwrite(path, clouds(200, 700), tile=(64, 64), compression="zlib")
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tile": 96, "threshold": 0.7},
        {"tile": 512},
        {"tile": None},
        {"min_area_px": 60, "fill_holes_px": 40},
        {"size": (64, 128), "keep_largest": True},
        {"size": (512, 512)},
        {"names": ("cell", "gap"), "min_area_px": 60},
    ],
    ids=str,
)
def test_labels_are_those_of_the_whole_image(tmp_path, monkeypatch, image, changes):
    monkeypatch.setattr(panels, "_PANEL_BYTES", 1)  # panels as narrow as can be
    monkeypatch.setattr(shrink, "_BAND_PIXELS", 20_000)
    model = predictor(**changes)
    mask = tmp_path / "mask.tif"
    done = []
    options = LargeOptions(flips=True, advance=done.append)
    preview = tmp_path / "mask.jpg"
    assert predict_large(model, image, mask, preview=preview, options=options) == (200, 700)
    assert sum(done) == pytest.approx(1) or changes.get("size") == (512, 512)
    tiled = model.adjusted(tile=512) if changes.get("tile", 64) is None else model
    whole = tiled(tifffile.imread(image)[..., None], flips=True).labels
    found = read_mask(mask)
    # Pixels shrunk in parts are rounded once, where OpenCV may be one off.
    assert (found.values != whole).mean() <= (0.001 if "size" in changes else 0)
    assert 0.2 < found.values.mean() < 0.8 or "size" in changes
    assert found.palette[1].tolist() == list(model.card.labels.colors[1])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mask.jpg", "mask.tif"]


def layered(**changes):
    """Three classes that overlap, each with a threshold of its own."""

    def logits(images):
        one = blurred(images)
        return np.concatenate([one, one + 3, -one], axis=-1)

    values = {"size": None, "tile": 64, "channels": 1, "dtype": "uint8", "model_sha256": ""}
    values |= {"thresholds": (0.5, 0.4, 0.7), "threshold": None, "version": "", "data": ""}
    labels = Labels.create(("organ", "tumor", "vessel"))
    return Predictor(logits, MultilabelCard(labels=labels, **{**values, **changes}))


@pytest.mark.parametrize(
    "changes", [{}, {"min_area_px": 60, "fill_holes_px": 40}, {"size": (64, 128)}], ids=str
)
def test_layers_are_those_of_the_whole_image(tmp_path, monkeypatch, image, changes):
    monkeypatch.setattr(panels, "_PANEL_BYTES", 1)
    model = layered(**changes)
    files = [tmp_path / f"{name}.tif" for name in model.card.labels.names]
    predict_large(model, image, tmp_path / "mask.tif", layers=files, preview=tmp_path / "all.jpg")
    whole = model(tifffile.imread(image)[..., None]).labels
    for place, file in enumerate(files):
        values = read_mask(file).values
        assert set(np.unique(values)) == {0, 255}
        assert ((values == 255) != whole[..., place]).mean() <= (0.001 if "size" in changes else 0)
    assert (whole.sum(axis=-1) > 1).any()
    assert {path.name for path in tmp_path.iterdir()} == {
        *("organ.tif", "tumor.tif", "vessel.tif", "all.jpg")
    }


def test_layers_mark_what_has_no_data(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    pixels = clouds(80, 90).astype(np.float32)
    pixels[:30, :40] = np.nan
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "nodata": np.nan}
    profile |= {"height": 80, "width": 90, "crs": "EPSG:32640"}
    profile |= {"transform": rasterio.transform.from_origin(325000, 2780000, 0.5, 0.5)}
    with rasterio.open(tmp_path / "image.tif", "w", **profile) as file:
        file.write(pixels, 1)
    files = [tmp_path / f"{name}.tif" for name in ("organ", "tumor", "vessel")]
    predict_large(layered(), tmp_path / "image.tif", tmp_path / "mask.tif", layers=files)
    with rasterio.open(files[0]) as mask:
        assert (mask.crs.to_epsg(), mask.nodata) == (32640, 128)
        np.testing.assert_array_equal(mask.read(1) == 128, np.isnan(pixels))


def test_what_was_done_is_not_done_again(tmp_path, image):
    calls = []

    def failing(images):
        calls.append(len(images))
        if len(calls) == 27:
            raise KeyboardInterrupt
        return blurred(images)

    def drawn(path, logits=blurred, **changes):
        calls.clear()
        predict_large(predictor(logits, **changes), image, path)
        return path.read_bytes()

    def counting(images):
        calls.append(len(images))
        return blurred(images)

    expected = drawn(tmp_path / "at once.tif", counting)
    tiles = sum(calls)
    mask = tmp_path / "mask.tif"
    with pytest.raises(KeyboardInterrupt):
        drawn(mask, failing)
    partial = tmp_path / ".mask.tif.partial"
    assert (partial / "state.json").exists()
    assert drawn(mask, counting) == expected
    # Four of six rows of tiles were run; the last two reach into the next and are run once more.
    assert sum(calls) == tiles * 4 / 6
    assert not partial.exists()
    with pytest.raises(KeyboardInterrupt):
        drawn(mask, failing)
    drawn(mask, counting, threshold=0.9)  # another setting begins anew
    assert sum(calls) == tiles


KILLED = """
import sys, time
sys.path.insert(0, {folder!r})
from test_large import blurred, predict_large, predictor
def slow(images):
    time.sleep(0.02)
    return blurred(images)
predict_large(predictor(slow, min_area_px=20), {image!r}, {mask!r})
"""


def test_a_killed_program_goes_on_to_the_same_bytes(tmp_path, image):
    code = KILLED.format(
        folder=__file__.rpartition("/")[0], image=str(image), mask=str(tmp_path / "mask.tif")
    )
    labels = tmp_path / ".mask.tif.partial" / "labels"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        deadline = time.monotonic() + 60
        while not (labels.is_dir() and len(list(labels.glob("*.z"))) > 2):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "mask.tif").exists()
    for path in (tmp_path / "mask.tif", tmp_path / "at once.tif"):
        predict_large(predictor(min_area_px=20), image, path)
    assert (tmp_path / "mask.tif").read_bytes() == (tmp_path / "at once.tif").read_bytes()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_tiles_become_smaller_where_memory_runs_out(tmp_path, image):
    seen, told = [], []

    def hungry(images):
        if len(seen) >= 8 and images.shape[1] > 64:
            raise RuntimeError("Failed to allocate memory for requested buffer of size 1")
        seen.append(images.shape[1])
        return blurred(images)

    mask = tmp_path / "mask.tif"
    options = LargeOptions(on_message=told.append)
    predict_large(predictor(hungry, tile=128), image, mask, options=options)
    assert seen[:8] == [128] * 8
    assert set(seen[8:]) == {64}
    assert len(told) == 1
    assert "128 px; going on with 64 px" in told[0]
    whole = predictor()(tifffile.imread(image)[..., None]).labels
    assert (read_mask(mask).values == whole).mean() > 0.999

    def starving(images):
        raise MemoryError

    with pytest.raises(DataError, match="tiles of 64 px, the smallest"):
        predict_large(predictor(starving), image, mask)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (type("ResourceExhaustedError", (Exception,), {})("OOM when allocating"), True),
        (RuntimeError("std::bad_alloc"), True),
        (DataError("out of memory"), False),
        (ValueError("shapes differ"), False),
    ],
)
def test_engines_say_differently_that_memory_ran_out(error, expected):
    assert out_of_memory(error) is expected


def test_polygons_are_written_of_all_images_or_refused_at_once(tmp_path, monkeypatch):
    images = tmp_path / "in"
    images.mkdir()
    tifffile.imwrite(images / "a.tif", clouds(40, 50))
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "rasterio.features", None)
        result = predict_folder(predictor(), images, tmp_path / "none", polygons=True)
        assert "maskwright[geo]" in result.failed[0].reason
    pytest.importorskip("rasterio")
    predict_folder(predictor(), images, tmp_path / "out", polygons=True)
    assert (tmp_path / "out" / "polygons" / "a.geojson").exists()
    assert (tmp_path / "out" / "a.tif").exists()


@pytest.mark.parametrize("size", [None, (64, 64)])
def test_pixels_without_data_are_marked(tmp_path, size):
    rasterio = pytest.importorskip("rasterio")
    pixels = clouds(80, 90).astype(np.float32)
    pixels[:30, :40] = np.nan
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "nodata": np.nan}
    profile |= {"height": 80, "width": 90, "crs": "EPSG:32640"}
    profile |= {"transform": rasterio.transform.from_origin(325000, 2780000, 0.5, 0.5)}
    with rasterio.open(tmp_path / "image.tif", "w", **profile) as file:
        file.write(pixels, 1)
    model = predictor(size=size, min_area_px=30, fill_holes_px=2000)
    predict_large(model, tmp_path / "image.tif", tmp_path / "mask.tif")
    with rasterio.open(tmp_path / "mask.tif") as mask:
        labels = mask.read(1)
        assert (mask.crs.to_epsg(), mask.nodata) == (32640, 255)
        assert mask.transform == profile["transform"]
    np.testing.assert_array_equal(labels == 255, np.isnan(pixels))
    expected = model(np.nan_to_num(pixels, nan=np.nanmedian(pixels))[..., None]).labels
    agree = labels == expected
    assert agree[~np.isnan(pixels)].mean() > 0.99


def test_a_folder_holds_small_images_and_large_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(large, "LARGE_PIXELS", 10_000)
    monkeypatch.setattr(large, "_LEAST_BYTES", 5_000)
    images = tmp_path / "in"
    images.mkdir()
    for name, size in (("a", 120), ("b", 64), ("c", 130), ("d", 90)):
        tifffile.imwrite(images / f"{name}.tif", clouds(size, size), compression="zlib")
    (images / "e.tif").write_bytes(b"II*\0")
    assert is_large(images / "a.tif")
    assert not is_large(images / "b.tif")
    result = predict_folder(predictor(), images, tmp_path / "out", overlays=True)
    assert [path.name for path in result.written] == ["a.tif", "b.png", "c.tif", "d.png"]
    assert [one.image.name for one in result.failed] == ["e.tif"]
    found = {path.stem for path in (tmp_path / "out" / "overlays").iterdir()}
    assert found == {"a", "b", "c", "d"}
    result = predict_folder(predictor(), images, tmp_path / "out2", probabilities=True)
    assert [one.image.name for one in result.failed] == ["a.tif", "c.tif", "e.tif"]
    assert "probabilities are not kept" in result.failed[0].reason
    with pytest.raises(ConfigError, match="lies among the images"):
        predict_folder(predictor(), images, images)
    with pytest.raises(ConfigError, match="is the image"):
        predict_large(predictor(), images / "a.tif", images / "a.tif")


def test_what_does_not_suit_the_model_leaves_nothing_behind(tmp_path, image):
    with pytest.raises(DataError, match="takes images of 5 channels"):
        predict_large(predictor(channels=5), image, tmp_path / "mask.tif")
    assert list(tmp_path.iterdir()) == []
    with open_windows(image) as windows:
        assert windows.geo is None
