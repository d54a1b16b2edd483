import json
import os
from dataclasses import replace

import pytest
from drawing_masks import brightness, draw, predict_folder, predictor

from maskwright.inference.manifest import MANIFEST_FILE, ManifestEntry


@pytest.fixture
def images(tmp_path):
    for n in range(12):  # in natural order: 2 before 10
        draw(tmp_path / "in" / f"{n}.png", bright=n % 5)
    return tmp_path / "in"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def lines(out):
    return [json.loads(line) for line in (out / MANIFEST_FILE).read_text().splitlines()]


def names(paths):
    return [path.stem for path in paths]


def test_one_line_for_each_image_in_their_order(images, out):
    (images / "3.png").write_text("no image")
    predict_folder(predictor(), images, out, overlays=True, batch_size=5)
    told = lines(out)
    assert [line["mask"] for line in told] == [f"{n}.png" for n in range(12)]
    assert [line["image"] for line in told] == [str(images / f"{n}.png") for n in range(12)]
    assert [line["status"] for line in told] == ["done"] * 3 + ["failed"] + ["done"] * 8
    assert "3.png" in told[3]["reason"]
    assert told[0]["reason"] is None
    assert (told[0]["size"], told[0]["beside"]) == ([6, 8], ["overlay"])
    assert (told[3]["size"], told[3]["beside"]) == (None, [])
    assert told[0]["bytes"] == (images / "0.png").stat().st_size
    assert all(line["seconds"] > 0 for line in told)


def test_what_is_done_is_skipped_and_what_failed_or_changed_is_done(images, out):
    (images / "3.png").write_text("no image")
    first = predict_folder(predictor(), images, out)
    assert names(image.image for image in first.failed) == ["3"]
    again = predict_folder(predictor(), images, out)
    assert (names(again.written), len(again.skipped), len(again.failed)) == ([], 11, 1)
    draw(images / "3.png")
    draw(images / "5.png", (9, 9))  # another image
    os.utime(images / "6.png", ns=(0, 0))  # perhaps another image
    (out / "7.png").unlink()
    third = predict_folder(predictor(), images, out)
    assert names(third.written) == ["3", "5", "6", "7"]
    assert names(third.skipped) == ["0", "1", "2", "4", "8", "9", "10", "11"]
    assert [line["mask"] for line in lines(out)] == [f"{n}.png" for n in range(12)]
    assert {line["status"] for line in lines(out)} == {"done"}


def test_other_settings_and_other_results_are_made_anew(images, out):
    predict_folder(predictor(), images, out)
    for model, asked in (
        (predictor(threshold=0.4), {}),
        (predictor(threshold=0.4, min_area_px=2), {}),
        (predictor(threshold=0.4), {"flips": True}),
        (predictor(threshold=0.4), {"flips": True, "overlays": True}),
        (predictor(threshold=0.4), {"flips": True, "overlays": True, "overwrite": True}),
    ):
        assert len(predict_folder(model, images, out, **asked).written) == 12
    asked = {"flips": True}  # less than there is
    assert len(predict_folder(predictor(threshold=0.4), images, out, **asked).skipped) == 12


def test_a_killed_run_goes_on_where_it_stopped(images, out):
    seen = []

    def killed(pixels):
        seen.append(len(pixels))
        if len(seen) > 2:
            raise KeyboardInterrupt
        return brightness(pixels)

    with pytest.raises(KeyboardInterrupt):
        predict_folder(predictor(logits=killed), images, out, batch_size=4)
    done = lines(out) if (out / MANIFEST_FILE).exists() else []
    assert len(done) <= 8
    with (out / MANIFEST_FILE).open("a") as file:
        file.write('{"image": "hal')  # killed while it wrote
    (out / ".9.0a1b2c3d.png").write_bytes(b"half a mask")
    (out / ".9.hidden.png").write_bytes(b"of somebody else")
    result = predict_folder(predictor(), images, out)
    assert len(result.skipped) == len(done)
    assert [line["mask"] for line in lines(out)] == [f"{n}.png" for n in range(12)]
    assert sorted(path.name for path in out.glob(".*")) == [".9.hidden.png"]


def test_lines_on_images_of_other_runs_stay(images, out, tmp_path):
    predict_folder(predictor(), images, out)
    draw(tmp_path / "more" / "a.png")
    draw(tmp_path / "more" / "0.png")
    predict_folder(predictor(), tmp_path / "more", out)
    told = lines(out)
    # The mask of another image with the name took the place of the first one.
    assert [line["mask"] for line in told][-2:] == ["0.png", "a.png"]
    assert len(told) == 13
    assert told[-2]["image"] == str(tmp_path / "more" / "0.png")


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "1", '{"mask": "a.png"}', '{"status": "eaten", "beside": []}']
)
def test_broken_lines_count_as_not_there(line):
    assert ManifestEntry.from_json(line) is None


def test_a_line_is_read_as_it_was_written():
    entry = ManifestEntry(image="/a.png", mask="a.png", status="done", size=(3, 4), settings="s")
    assert ManifestEntry.from_json(entry.to_json()) == entry
    odd = replace(entry, status="failed", size=None, reason="it's “torn”", beside=("overlay",))
    assert ManifestEntry.from_json(odd.to_json()) == odd
