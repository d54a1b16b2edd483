import json

import numpy as np
import pytest
import tifffile
from drawing_masks import brightness, draw, predict_folder, predictor
from PIL import Image

from hanging_reader import hanging_header
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import read_mask, write_image
from maskwright.inference import pipeline


@pytest.mark.parametrize("size", [(8, 8), None])
def test_masks_of_a_folder_have_the_size_of_their_images(tmp_path, size):
    draw(tmp_path / "in" / "a.png", (8, 6), bright=3)
    draw(tmp_path / "in" / "b.png", (40, 70), bright=10, mode="L")
    draw(tmp_path / "in" / "day 2" / "a.png", (8, 6), bright=5)
    result = predict_folder(predictor(size), tmp_path / "in", tmp_path / "out", batch_size=2)
    names = [path.relative_to(tmp_path / "out").as_posix() for path in result.written]
    assert names == ["a.png", "b.png", "day 2/a.png"]
    assert not result.failed
    for name, shape, bright in zip(names, [(6, 8), (70, 40), (6, 8)], [3, 10, 5], strict=True):
        mask = read_mask(tmp_path / "out" / name)
        assert mask.values.shape == shape
        assert (mask.values[:, :bright] == 1).all()
        assert (mask.values[:, bright + 2 :] == 0).all()  # interpolation may blur a border
        assert mask.palette[1].tolist() == [230, 159, 0]


def test_small_images_of_one_size_run_together_at_native_scale(tmp_path):
    seen = []

    def record(images):
        seen.append(images.shape[:3])
        return brightness(images)

    for n, width in enumerate([20, 90, 20, 40, 25, 20]):
        draw(tmp_path / "in" / f"{n}.png", (width, 30), bright=n)
    draw(tmp_path / "in" / "gray.png", (20, 30), bright=6, mode="L")
    asked = {"overlays": True, "probabilities": True}
    alone, together = tmp_path / "alone", tmp_path / "together"
    predict_folder(predictor(None), tmp_path / "in", alone, batch_size=1, **asked)
    model = predictor(None, logits=record)
    predict_folder(model, tmp_path / "in", together, batch_size=4, **asked)
    # Sides are padded to 32 and 64 px; an image of 90 px is cut into two tiles of 64.
    assert sorted(seen) == [(1, 32, 32), (1, 32, 64), (2, 32, 64), (4, 32, 32)]
    for path in alone.rglob("*.*g"):
        assert path.read_bytes() == (together / path.relative_to(alone)).read_bytes()
    for n in range(6):
        name = f"probabilities/{n}.npz"
        with np.load(alone / name) as one, np.load(together / name) as other:
            np.testing.assert_array_equal(one["probabilities"], other["probabilities"])


@pytest.mark.parametrize("size", [(8, 8), None])
def test_bad_files_are_reported_and_the_rest_is_done(tmp_path, size):
    images = tmp_path / "in"
    for name in ("good1", "good2", "good3"):
        draw(images / f"{name}.jpg")
    (images / "empty.png").touch()
    (images / "text.png").write_text("no image")
    half = (images / "good1.jpg").read_bytes()
    (images / "half.jpg").write_bytes(half[: len(half) // 2])
    result = predict_folder(predictor(size), images, tmp_path / "out", batch_size=2)
    assert [path.name for path in result.written] == ["good1.png", "good2.png", "good3.png"]
    assert [failure.image.name for failure in result.failed] == [
        "empty.png",
        "half.jpg",
        "text.png",
    ]
    for failure in result.failed:
        assert str(failure.image) in failure.reason


def test_an_image_that_memory_does_not_hold_ends_no_folder(tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        draw(tmp_path / "in" / f"{name}.png")
    read = pipeline.read_with_gaps

    def short_of_memory(path, max_pixels):
        if path.name == "b.png":
            raise MemoryError("Unable to allocate 10 GiB")
        return read(path, max_pixels)

    monkeypatch.setattr(pipeline, "read_with_gaps", short_of_memory)
    result = predict_folder(predictor((8, 8)), tmp_path / "in", tmp_path / "out")
    assert [path.name for path in result.written] == ["a.png", "c.png"]
    assert result.failed[0].reason.endswith("b.png: Unable to allocate 10 GiB")
    lines = (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["done", "failed", "done"]


def test_images_that_do_not_suit_the_model_are_reported_by_name(tmp_path):
    tifffile.imwrite(tmp_path / "five.tif", np.zeros((8, 9, 5), np.uint8), photometric="minisblack")
    draw(tmp_path / "good.png")
    for size in ((8, 8), None):
        result = predict_folder(predictor(size), tmp_path, tmp_path / "out")
        assert len(result.written) == 1
        assert "five.tif" in result.failed[0].reason
        assert "5" in result.failed[0].reason


def test_pages_are_no_colors_of_a_model(tmp_path):
    pages = np.zeros((2, 8, 9), np.uint8)
    tifffile.imwrite(tmp_path / "two.tif", pages, photometric="minisblack")
    result = predict_folder(predictor((8, 8)), tmp_path / "two.tif", tmp_path / "out")
    assert (
        "two.tif has 2 pages, and the model takes images of 3 channels;" in result.failed[0].reason
    )


def test_pixels_without_data_are_marked_in_small_images_too(tmp_path):
    pixels = np.full((8, 8), 200, np.float32)
    pixels[:3] = -9999
    tifffile.imwrite(tmp_path / "in.tif", pixels)
    predict_folder(predictor(None), tmp_path / "in.tif", tmp_path / "out")
    labels = read_mask(tmp_path / "out" / "in.png").values
    np.testing.assert_array_equal(labels == 255, pixels < 0)


def test_names_that_would_be_the_same_keep_their_endings(tmp_path):
    for name in ("a.png", "a.jpg", "b.png", "a.jpg.bmp"):
        draw(tmp_path / "in" / name)
    result = predict_folder(predictor(), tmp_path / "in", tmp_path / "out")
    names = {path.name for path in result.written}
    # `a.jpg.bmp` without its ending is `a.jpg`, which `a.jpg` needs as soon as `a.png` exists.
    assert names == {"a.png.png", "a.jpg.png", "b.png", "a.jpg.bmp.png"}


def test_overlays_and_probabilities_on_demand(tmp_path):
    draw(tmp_path / "in" / "a.png", (8, 6), bright=4)
    asked = {"overlays": True, "probabilities": True}
    predict_folder(predictor(None), tmp_path / "in" / "a.png", tmp_path / "out", **asked)
    with Image.open(tmp_path / "out" / "overlays" / "a.jpg") as overlay:
        assert overlay.size == (8, 6)
    with np.load(tmp_path / "out" / "probabilities" / "a.npz") as stored:
        assert stored["names"].tolist() == ["background", "cell"]
        assert stored["probabilities"].shape == (6, 8, 2)
        assert stored["probabilities"][0, :, 1].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]


def test_images_are_never_overwritten(tmp_path):
    draw(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    with pytest.raises(ConfigError, match=r"a\.png.*overwritten"):
        predict_folder(predictor(), tmp_path, tmp_path)
    draw(tmp_path / "b.jpg")
    (tmp_path / "b.png").write_bytes(b"drawn by hand")
    with pytest.raises(ConfigError, match=r"b\.png.*overwritten"):
        predict_folder(predictor(), tmp_path / "*.jpg", tmp_path)
    assert (tmp_path / "a.png").read_bytes() == before
    assert (tmp_path / "b.png").read_bytes() == b"drawn by hand"


def test_masks_inside_the_folder_of_images_are_not_taken_for_images(tmp_path):
    draw(tmp_path / "a.png")
    for _ in range(2):
        result = predict_folder(predictor(), tmp_path, tmp_path / "masks", overwrite=True)
        assert [path.name for path in result.written] == ["a.png"]


def test_batches_hold_images_of_different_sizes_and_the_order_is_kept(tmp_path):
    seen = []

    def record(images):
        seen.append(len(images))
        return brightness(images)

    for n in range(5):
        draw(tmp_path / "in" / f"{n}.png", (10 + n, 20), bright=n)
    result = predict_folder(
        predictor(logits=record), tmp_path / "in", tmp_path / "out", batch_size=2
    )
    assert seen == [2, 2, 1]
    assert [path.stem for path in result.written] == ["0", "1", "2", "3", "4"]


def test_an_error_of_the_model_ends_the_work_and_nothing_half_written_stays(tmp_path):
    calls = iter([brightness, None])

    def broken(images):
        if (work := next(calls)) is None:
            raise KeyboardInterrupt
        return work(images)

    for n in range(3):
        draw(tmp_path / "in" / f"{n}.png")
    with pytest.raises(KeyboardInterrupt):
        predict_folder(
            predictor(None, logits=broken), tmp_path / "in", tmp_path / "out", batch_size=1
        )
    assert {path.name for path in (tmp_path / "out").iterdir()} <= {"0.png", "manifest.jsonl"}


def test_nothing_found_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match="No image found"):
        predict_folder(predictor(), tmp_path, tmp_path / "out")


def test_a_file_that_keeps_its_decoder_busy_for_ever_is_reported(tmp_path, monkeypatch):
    for name in ("a.tif", "hang.tif", "z.tif"):
        write_image(tmp_path / "in" / name, np.full((8, 6, 3), 200, np.uint8))
    monkeypatch.setattr(pipeline, "read_header", hanging_header)
    monkeypatch.setattr(pipeline, "_HEADER_S", 2.0)
    result = predict_folder(predictor(), tmp_path / "in", tmp_path / "out")
    assert [path.name for path in result.written] == ["a.png", "z.png"]
    (failure,) = result.failed
    assert failure.image.name == "hang.tif"
    assert "takes more than 2 seconds to decode" in failure.reason
