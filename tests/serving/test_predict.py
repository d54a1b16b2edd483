"""What programs get for an image: masks, probabilities, COCO, polygons, decisions."""

import io
import threading
import time

import numpy as np
import pytest
import tifffile

from made_up_models import as_file, brightness, from_file, masks, one_model, registry, two_squares
from maskwright.rle import decode_rle

IMAGE = {"image": ("cells.png", as_file(two_squares()), "image/png")}
TRUE = (two_squares()[..., 0] > 100).astype(np.uint8)


def numbered():
    """Two discs whose pixels are their numbers, as the model `discs` wants them."""
    rows, columns = np.mgrid[:40, :60]
    image = np.zeros((40, 60), np.uint8)
    for number, (y, x) in enumerate([(12, 12), (25, 40)], 1):
        image[(rows - y) ** 2 + (columns - x) ** 2 <= 64] = number
    return image


def test_labels_are_the_values_of_a_png_in_the_size_of_the_image(cells):
    answer = cells.post("/predict", files=IMAGE)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    np.testing.assert_array_equal(from_file(answer.content), TRUE)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "WEBP", "BMP", "GIF"])
def test_other_formats_are_read(cells, kind):
    files = {"image": ("picture", as_file(np.full((16, 16, 3), 180, np.uint8), kind))}
    answer = cells.post("/predict", files=files)
    assert from_file(answer.content).all()


def test_bits_gaps_and_pages_of_a_tiff_are_taken_as_predict_takes_them(cells):
    deep = np.repeat(np.arange(16, dtype=np.uint16)[None] * 273, 16, axis=0)  # 0 to 4095

    def sent(pixels, *tags):
        file = io.BytesIO()
        tifffile.imwrite(file, pixels, extratags=[*tags])
        return cells.post("/predict", files={"image": ("deep.tif", file.getvalue())})

    white, nodata = (281, "H", 1, 4095, True), (42113, "s", 0, "0", True)
    plain = from_file(sent((deep // 16).astype(np.uint8)).content)
    assert 0 < plain.sum() < plain.size
    answer = sent(deep, white)
    assert np.array_equal(from_file(answer.content), plain)
    assert from_file(sent(deep, white, nodata).content)[0, 0] == 255
    answer = sent(np.stack([deep] * 2), white)
    assert (answer.status_code, "has 2 pages" in answer.json()["detail"]) == (422, True)


def test_probabilities_are_gray_of_the_foreground_or_of_a_class(cells):
    gray = from_file(cells.post("/predict?output=probability", files=IMAGE).content)
    # 1 / (1 + exp(-(200 - 100) / 50)) and (120 - 100) / 50
    assert [gray[7, 7], gray[21, 41]] == [round(255 / (1 + np.exp(-v))) for v in (2.0, 0.4)]
    other = cells.post("/predict?output=probability&class=background", files=IMAGE)
    assert abs(int(from_file(other.content)[7, 7]) + gray[7, 7] - 255) <= 1
    wrong = cells.post("/predict?output=probability&class=nucleus", files=IMAGE)
    assert wrong.status_code == 422
    assert "background, cell" in wrong.json()["detail"]


def test_threshold_and_area_change_one_answer_alone(cells):
    high = from_file(cells.post("/predict?threshold=0.8", files=IMAGE).content)
    large = from_file(cells.post("/predict?min_area_px=50", files=IMAGE).content)
    assert high.sum() == large.sum() == 100
    assert from_file(cells.post("/predict", files=IMAGE).content).sum() == 116


def test_coco_holds_each_piece_of_a_class(cells):
    content = cells.post("/predict?output=coco", files=IMAGE).json()
    assert content["images"] == [{"id": 1, "file_name": "cells.png", "height": 40, "width": 60}]
    assert content["categories"] == [{"id": 1, "name": "cell"}]
    assert [one["area"] for one in content["annotations"]] == [100, 16]
    assert [one["bbox"] for one in content["annotations"]] == [[5, 5, 10, 10], [40, 20, 4, 4]]
    runs = (one["segmentation"] for one in content["annotations"])
    joined = sum(decode_rle(run["counts"], run["size"]).astype(int) for run in runs)
    np.testing.assert_array_equal(joined, TRUE)


def test_a_background_that_is_not_first_is_left_out(asking):
    reversed_names = ("cell", "background")
    client = asking(registry(masks("cells", reversed_names, lambda v: -brightness(v))))
    content = client.post("/predict?output=coco", files=IMAGE).json()
    assert content["categories"] == [{"id": 0, "name": "cell"}]
    assert [one["category_id"] for one in content["annotations"]] == [0, 0]
    gray = from_file(client.post("/predict?output=probability", files=IMAGE).content)
    assert gray[7, 7] > 200


def test_polygons_are_in_pixels(cells):
    content = cells.post("/predict?output=polygons", files=IMAGE).json()
    first, second = sorted(content["features"], key=lambda one: -one["properties"]["area_px"])
    told = {"class": "cell", "label": 1, "area_px": 100}
    shown = {"name": "cell", "color": [230, 159, 0]}  # as QuPath reads it
    assert first["properties"] == {**told, "objectType": "annotation", "classification": shown}
    corners = {tuple(point) for point in second["geometry"]["coordinates"][0]}
    assert corners == {(40, 20), (44, 20), (44, 24), (40, 24)}


def test_objects_are_numbers_of_16_bits_and_have_scores(tasks):
    files = {"image": ("discs.png", as_file(numbered()))}
    numbers = from_file(tasks.post("/predict?model=discs", files=files).content)
    assert numbers.dtype == np.uint16 or numbers.max() == 2
    assert sorted(np.unique(numbers)) == [0, 1, 2]
    found = tasks.post("/predict?model=discs&output=coco", files=files).json()["annotations"]
    assert len(found) == 2
    assert all(0.5 < one["score"] <= 1 for one in found)
    polygons = tasks.post("/predict?model=discs&output=polygons", files=files).json()
    assert len(polygons["features"]) == 2
    refused = tasks.post("/predict?model=discs&output=probability", files=files)
    assert refused.status_code == 422


def test_regions_are_decided_on_and_told_with_their_boxes(tasks):
    found = tasks.post("/regions?model=verdicts", files=IMAGE).json()
    one, two = found["regions"]
    assert (one["name"], one["class"], one["area_px"]) == ("cells.png#1", "cell", 100)
    assert (one["box"], two["box"]) == ([5, 5, 10, 10], [40, 20, 4, 4])
    assert one["probability"] > 0.9
    assert two["probability"] < 0.1
    assert [one["decision"] for one in found["decisions"]] == ["bright", "dull"]


def test_a_mask_that_is_sent_takes_the_place_of_a_drawn_one(tasks):
    mask = np.zeros((40, 60), np.uint8)
    mask[0:3, 0:3] = 1
    files = {**IMAGE, "mask": ("mask.png", as_file(mask))}
    found = tasks.post("/regions?model=verdicts", files=files).json()
    assert [one["area_px"] for one in found["regions"]] == [9]
    assert found["decisions"][0]["decision"] == "dull"


def test_a_case_of_several_images_is_one_decision(tasks):
    files = [("images", ("a.png", as_file(numbered() * 50))), ("images", ("a.png", as_file(TRUE)))]
    found = tasks.post("/cases?model=cases", files=files).json()
    (decision,) = found["decisions"]
    assert decision["images"] == ["a.png", "a.png (2)"]
    assert {one["image"] for one in found["regions"]} == {"a.png", "a.png (2)"}
    assert sum(one["weight"] for one in found["regions"]) == pytest.approx(1, abs=1e-4)
    masks = [("masks", ("m.png", as_file(TRUE)))]
    wrong = tasks.post("/cases?model=cases", files=files + masks)
    assert (wrong.status_code, "each of 2 images" in wrong.json()["detail"]) == (422, True)


def test_an_image_without_a_region_is_not_decided_on(tasks):
    files = {"images": ("dark.png", as_file(np.zeros((20, 20, 3), np.uint8)))}
    found = tasks.post("/cases?model=cases", files=files).json()
    assert found["regions"] == []
    assert found["decisions"][0]["decision"] is None


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/predict?model=cells", "image"),
        ("/regions?model=verdicts", "image"),
        ("/cases?model=verdicts", "images"),
    ],
)
def test_images_unlike_those_of_training_are_told_in_a_header(tasks, path, field):
    gray = tasks.post(path, files={field: ("gray.png", as_file(np.full((40, 60), 9, np.uint8)))})
    assert "gray is taken for red, green and blue" in gray.headers["warning"]
    assert "warning" not in tasks.post(path, files={field: IMAGE["image"]}).headers


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/predict", 422, "cells, discs, verdicts, cases"),
        ("/predict?model=none", 404, "'none'"),
        ("/predict?model=../../etc/passwd", 404, "no model"),
        ("/regions?model=cells", 422, "/predict"),
        ("/predict?model=cells&output=everything", 422, "`output`"),
        ("/predict?model=cells&threshold=2", 422, "`threshold`"),
        ("/predict?model=cells&min_area_px=-1", 422, "`min_area_px`"),
    ],
)
def test_wrong_questions_get_one_sentence(tasks, path, status, told):
    answer = tasks.post(path, files=IMAGE)
    assert answer.status_code == status
    assert list(answer.json()) == ["detail", "code"]
    assert told in answer.json()["detail"]


def test_large_images_come_to_the_same(tasks, monkeypatch):
    monkeypatch.setattr("maskwright.serving.jobs.fair_pool.FREE_PIXELS", 100)
    found = from_file(tasks.post("/predict?model=cells", files=IMAGE).content)
    np.testing.assert_array_equal(found, TRUE)
    files = {**IMAGE, "mask": ("mask.png", as_file(TRUE))}
    assert len(tasks.post("/regions?model=verdicts", files=files).json()["regions"]) == 2


def test_a_full_queue_says_when_to_come_again_and_long_work_ends(asking):
    go = threading.Event()
    served = one_model()
    served["cells"].segmenter.predictor.logits = lambda images: go.wait(5) and brightness(images)
    client = asking(served, limits={"queue": 1, "seconds": 0.3})
    late = client.post("/predict", files=IMAGE)
    assert late.status_code == 504
    assert "0.3 seconds" in late.json()["detail"]
    busy = client.post("/predict", files=IMAGE)  # the work that is given up has not ended
    assert busy.status_code == 503
    assert int(busy.headers["retry-after"]) >= 1
    assert client.post("/v2/models/cells/infer", content=b"{}").json() == {
        "error": busy.json()["detail"],
        "code": "busy",
    }
    go.set()
    ends = time.monotonic() + 5
    while client.post("/predict", files=IMAGE).status_code != 200:
        assert time.monotonic() < ends


def test_counts_for_prometheus(asking):
    client = asking(one_model())
    client.post("/predict", files=IMAGE)
    client.get("/nothing/here")
    text = client.get("/metrics").text
    labels = 'method="POST",model="cells",route="/predict",status="200"'
    assert f"maskwright_requests_total{{{labels}}} 1.0" in text
    assert 'maskwright_request_seconds_count{model="cells",route="/predict"} 1.0' in text
    assert "maskwright_queue 0.0" in text
    assert "/nothing" not in text
