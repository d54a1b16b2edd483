import csv
import gzip
import io
import json
import threading
import time
import warnings
import zipfile

import cv2
import numpy as np
import pytest
import tifffile
from page_client import client_of, decide, draw, finished, mask_in, planes_of, send
from PIL import Image

from made_up_models import (
    TWO,
    as_file,
    masks,
    objects,
    page_models,
    predictor,
    registry,
    smooth_logits,
    squares,
)
from maskwright.errors import TooLargeError
from maskwright.imageio.isolated import DecoderPool
from maskwright.instances import Instances
from maskwright.rle import decode_rle
from maskwright.serving.jobs import probability_grid
from maskwright.serving.limits import Deadline, DeadlineExceededError, ServerLimits, within
from maskwright.serving.store import mask_formats
from maskwright.serving.store.edited_mask import EditedMask
from maskwright.serving.store.object_numbers import renumber_objects

MODELS = ("cells", "parts", "squares", "lesions", "marked")


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with client_of(page_models(), keep=tmp_path_factory.mktemp("kept")) as client:
        yield client


def packed(labels):
    return gzip.compress(np.ascontiguousarray(labels, np.uint8).tobytes())


def mask_of(client, state):
    data = client.get(f"/api/images/{state['id']}/mask.png").content
    return np.asarray(Image.open(io.BytesIO(data)))


def test_models_are_told_with_all_that_a_decision_needs(client):
    told = {one["name"]: one for one in client.get("/api/models").json()}
    assert list(told) == ["cells", "parts", "squares", "lesions", "marked", "given"]
    keys = {"name", "task", "layers", "names", "decision_threshold", "needs_masks", "keep"}
    assert all(set(one) == keys | {"promises"} for one in told.values())
    keys = {
        *("name", "classes", "background", "threshold", "threshold_of", "min_area_px"),
        *("fill_holes_px", "keep_largest"),
    }
    layers = {name: one["layers"][0] for name, one in told.items() if one["layers"]}
    assert all(set(one) == keys for one in layers.values())
    assert layers["cells"]["classes"][1] == {"label": 1, "name": "cell", "color": "#e69f00"}
    thresholds = {name: (one["threshold_of"], one["threshold"]) for name, one in layers.items()}
    assert thresholds == {
        "cells": ("foreground", None),
        "parts": ("winner", None),
        "squares": ("score", 0.5),
        "lesions": ("foreground", None),
        "marked": ("score", 0.5),
    }
    assert told["lesions"]["names"] == ["good", "bad"]
    assert [one["needs_masks"] for one in told.values()] == [False] * 5 + [True]
    assert not told["given"]["keep"]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("shape", "dtype", "channels", "kind"),
    [
        ((61, 83), np.uint8, 3, "PNG"),
        ((64, 96), np.uint8, 1, "PNG"),
        ((45, 83), np.uint16, 3, "TIFF"),
    ],
)
def test_an_image_of_any_kind_gets_a_mask_of_its_size(client, model, shape, dtype, channels, kind):
    image = squares(shape, dtype=dtype, channels=channels)
    state = finished(client, send(client, model, image, "cells", kind))
    assert (state["status"], state["reason"], state["progress"]) == ("done", None, 1.0)
    assert (state["height"], state["width"], state["grid"]["scale"]) == (*shape, 1)
    planes = planes_of(client, state)
    mask = mask_of(client, state)
    assert mask.shape == shape
    assert mask.max() > 0
    if "objects" in planes:
        # Numbers by falling score: the dimmest of the three is below the threshold of 0.5.
        scores = [planes["probabilities"][planes["objects"] == n].max() for n in (1, 2, 3)]
        assert scores == [200, 125, 62]
        expected = np.where(planes["probabilities"] >= 100, planes["objects"], 0)
        if model == "squares":
            np.testing.assert_array_equal(mask, expected)
    elif model != "parts":
        expected = np.where(planes["probabilities"] >= 100, planes["labels"], 0)
        np.testing.assert_array_equal(mask, expected)
    else:
        np.testing.assert_array_equal(mask, planes["labels"])
    assert (state["regions"] is None) == (model not in ("lesions", "marked"))


def test_pictures_are_there_at_once_and_for_ever(client):
    state = send(client, "cells", squares((600, 700)))
    address = f"/api/images/{state['id']}"
    answer = client.get(f"{address}/tiles/10/1_1.jpg")
    assert Image.open(io.BytesIO(answer.content)).size == (700 - 512, 600 - 512)
    assert "immutable" in answer.headers["cache-control"]
    thumbnail = client.get(f"{address}/thumbnail.jpg")
    assert Image.open(io.BytesIO(thumbnail.content)).size == (160, 137)
    for missing in ("10/2_0", "11/0_0", "-1/0_0", "10/-1_0"):
        assert client.get(f"{address}/tiles/{missing}.jpg").status_code == 404


@pytest.mark.parametrize("model", ["lesions", "marked"])
def test_regions_are_decided_on_and_again_on_a_corrected_mask(client, model):
    state = finished(client, send(client, model, squares(bright=(255, 140, 60)), "case 1.png"))
    found = {round(one["probability"]): one for one in state["regions"]}
    assert set(found) == {0, 1}
    assert found[1]["class"] == "cell"
    assert found[1]["box"][0] < 9
    assert [one["decision"] for one in state["decisions"]] == ["bad", "good"]
    assert [one["name"] for one in state["decisions"]] == ["case 1#1", "case 1#2"]
    mask = np.zeros((60, 80), np.uint8)
    mask[12:22, 26:36] = 1
    address = f"/api/images/{state['id']}"
    assert draw(client, state, mask).json()["decided"] is False
    again = client.post(f"{address}/decide").json()
    assert (mask_in(again)["changed"], [one["decision"] for one in again["decisions"]]) == (
        True,
        ["good"],
    )
    assert again["regions"][0]["box"] == [26, 12, 10, 10]
    assert draw(client, state, np.full((60, 80), 254)).status_code == 200
    assert client.post(f"{address}/decide").json()["regions"] == state["regions"]
    assert draw(client, state, np.zeros((60, 80))).status_code == 200
    assert client.post(f"{address}/decide").json()["regions"] == []


def test_a_model_that_draws_no_masks_takes_no_images(client):
    files = {"image": ("a.png", as_file(squares()))}
    answer = client.post("/api/images?model=given", files=files)
    assert answer.status_code == 422
    assert "predicts none" in answer.json()["detail"]
    state = finished(client, send(client, "cells", squares()))
    assert client.post(f"/api/images/{state['id']}/decide").status_code == 422


@pytest.mark.parametrize("model", MODELS)
def test_every_download_shows_the_mask_as_it_is_now(client, model):
    state = finished(client, send(client, model, squares((61, 83)), "Größe *1*.png"))
    address = f"/api/images/{state['id']}"
    drawn = mask_of(client, state) > 0
    corrected = np.zeros((61, 83), np.uint8)
    corrected[30:50, 5:9] = 1
    corrected[12:22, 8:18] = 1
    corrected[0] = 255
    for changed in (False, True):
        if changed:
            assert draw(client, state, corrected).status_code == 200
            drawn = corrected == 1
        assert mask_in(client.get(address).json())["changed"] == changed
        files = {}
        for name in (
            *("mask.png", "mask.tif", "overlay.png", "coco.json", "polygons.geojson", "areas.csv"),
        ):
            answer = client.get(f"{address}/{name}")
            assert answer.status_code == 200, answer.text
            said = answer.headers["content-disposition"]
            assert said.startswith('attachment; filename="Gr__e _1_-')
            assert f"filename*=UTF-8''Gr%C3%B6%C3%9Fe%20_1_-{name}" in said
            files[name] = answer.content
        mask = np.asarray(Image.open(io.BytesIO(files["mask.png"])))
        classes = tifffile.imread(io.BytesIO(files["mask.tif"]))
        for shown in (mask, classes):
            np.testing.assert_array_equal((shown > 0) & (shown < 255), drawn)
        overlay = np.asarray(Image.open(io.BytesIO(files["overlay.png"])))
        assert overlay.shape == (61, 83, 3)
        coco = json.loads(files["coco.json"])
        union = np.zeros((61, 83), bool)
        for one in coco["annotations"]:
            union |= decode_rle(one["segmentation"]["counts"], (61, 83))
        np.testing.assert_array_equal(union, drawn)
        rings = [
            np.array(ring, np.int32)
            for feature in json.loads(files["polygons.geojson"])["features"]
            for ring in feature["geometry"]["coordinates"]
        ]
        filled = np.zeros((61, 83), np.uint8)
        for ring in rings:  # along the edges of pixels, whose middles are half a pixel inside
            fine = np.zeros((122, 166), np.uint8)
            cv2.fillPoly(fine, [ring * 2], 1)
            filled ^= fine[1::2, 1::2]
        np.testing.assert_array_equal(filled > 0, drawn)
        rows = list(csv.DictReader(io.StringIO(files["areas.csv"].decode())))
        areas = [int(row["area_px"]) for row in rows]
        assert sum(areas[1:]) == drawn.sum()
        assert sum(areas) == drawn.size - (classes == 255).sum()
        pieces = [int(row.get("components") or row.get("objects") or 0) for row in rows]
        assert sum(pieces) == len(coco["annotations"])
        if changed:
            assert sum(pieces) == 2


def test_an_archive_holds_all_files_of_several_images(client):
    states = [finished(client, send(client, "cells", squares(), "../same.png")) for _ in range(2)]
    states.append(finished(client, send(client, "squares", squares(), "..")))
    ids = [state["id"] for state in states]
    answer = client.post("/api/archive.zip", json={"ids": ids})
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        folders = {name.partition("/")[0] for name in archive.namelist()}
        assert folders == {"same", "same-2", "image", "areas.csv"}
        assert len(archive.namelist()) == 3 * 6 + 1
        rows = list(csv.DictReader(io.StringIO(archive.read("areas.csv").decode())))
        single = list(csv.DictReader(io.StringIO(archive.read("image/areas.csv").decode())))
    assert [row["folder"] for row in rows] == ["same", "same", "same-2", "same-2", "image", "image"]
    assert single[1].items() <= rows[5].items()
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        data = archive.read("same-2/mask.png")
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(data))), mask_of(client, states[1])
    )
    answer = client.post("/api/archive.zip", json={"ids": [*ids, ids[0], "nothing"]})
    assert answer.headers["x-left-out"] == "1"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert "no longer on the server" in archive.read("left-out.txt").decode()
    assert client.post("/api/archive.zip", json={"ids": ["nothing"]}).status_code == 404
    assert client.post("/api/archive.zip", json={"ids": []}).status_code == 422


def test_corrected_masks_must_fit(client):
    state = finished(client, send(client, "cells", squares()))
    address = f"/api/images/{state['id']}/strokes?version="
    right = np.zeros((60, 80), np.uint8)
    bomb = gzip.compress(bytes(50_000_000))
    for content in (b"", b"text", bytes(4800), packed(right)[:-4], packed(right[1:]), bomb):
        assert client.put(f"{address}0", content=content).status_code == 422
    refused = client.put(f"{address}0", content=packed(right + 2))
    assert "the mask holds 2" in refused.json()["detail"]
    assert not mask_in(client.get(f"/api/images/{state['id']}").json())["changed"]
    assert client.get(address.partition("?")[0]).status_code == 404
    answer = client.put(f"{address}0", content=packed(right + 255)).json()
    assert mask_in(answer)["version"] == 1
    assert client.get(address.partition("?")[0]).content == bytes([255]) * 4800
    stale = client.put(f"{address}0", content=packed(right))
    assert (stale.status_code, "changed elsewhere" in stale.text) == (409, True)
    assert (mask_of(client, state) == 255).all()


def test_what_is_no_image_is_refused_or_fails_in_one_sentence(client, tmp_path):
    def refused(content, name):
        answer = client.post("/api/images?model=cells", files={"image": (name, content)})
        assert answer.status_code == 422
        return answer.json()["detail"]

    assert refused(b"no image at all", "a.png").startswith("a.png is not an image")
    assert refused(b"", "empty.png").startswith("empty.png is empty")
    assert "path" not in refused(b"<VRTDataset rasterXSize='2'/>", "a.vrt")
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    whole = as_file(noise, "JPEG")
    state = finished(client, send(client, "cells", whole[: len(whole) // 2], "cut.jpg"))
    assert state["status"] == "failed"
    assert state["reason"].startswith("cut.jpg is damaged")
    address = f"/api/images/{state['id']}"
    for part in ("evidence", "mask.png"):
        assert client.get(f"{address}/{part}").status_code == 409
    assert client.get(f"{address}/thumbnail.jpg").status_code == 404
    assert client.get("/api/images/unknown").status_code == 404
    files = {"image": ("a.png", whole)}
    assert client.post("/api/images?model=other", files=files).status_code == 404


OME = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:1"><Image ID="I:0">
<Pixels ID="P:0" DimensionOrder="XYCZT" Type="uint8" SizeX="80" SizeY="60" SizeC="1" SizeZ="1"
SizeT="1"><Channel ID="C:0:0" SamplesPerPixel="1"/><TiffData IFD="0" FirstC="0" FirstZ="0"
FirstT="0" PlaneCount="1"><UUID FileName="{}">urn:uuid:2</UUID></TiffData></Pixels></Image></OME>"""


def test_a_tiff_cannot_show_other_files_of_the_server(client, tmp_path):
    secret = tmp_path / "secret.tif"
    tifffile.imwrite(secret, np.full((60, 80), 255, np.uint8), compression="zlib")
    file = io.BytesIO()
    own = np.zeros((60, 80), np.uint8)
    tifffile.imwrite(file, own, description=OME.format(secret), metadata=None)
    state = finished(client, send(client, "cells", file.getvalue(), "a.ome.tif"))
    assert state["status"] == "done"
    assert not mask_of(client, state).any()


def test_large_images_are_worked_through_by_windows(client, monkeypatch):
    monkeypatch.setattr(probability_grid, "GRID_PIXELS", 5000)
    image = squares((130, 260), side=30)
    state = finished(client, send(client, "cells", image, format="TIFF"))
    assert state["grid"] == {"width": 87, "height": 44, "scale": 3}
    expected = predictor()(image).labels
    mask = mask_of(client, state)
    np.testing.assert_array_equal(mask, expected)
    planes = planes_of(client, state)
    sampled = expected[np.minimum(np.arange(44) * 3 + 1, 129)][:, np.arange(87) * 3 + 1]
    np.testing.assert_array_equal(planes["probabilities"] >= 100, sampled)
    # What was not corrected stays as fine as it was.
    corrected = sampled.copy()
    corrected[30:, 60:] = 1
    address = f"/api/images/{state['id']}"
    assert draw(client, state, np.where(corrected == sampled, 254, corrected)).status_code == 200
    changed = mask_of(client, state)
    np.testing.assert_array_equal(changed[:90], expected[:90])
    assert changed[90:, 180:].all()
    overlay = client.get(f"{address}/overlay.png").content
    assert Image.open(io.BytesIO(overlay)).size == (87, 44)


def test_whole_formats_and_models_of_wholes_are_bounded():
    limits = {"pixels": 5000}
    models = registry(masks("cells"), objects("o"))
    with client_of(models, limits=limits) as client:
        png = {"image": ("a.png", as_file(squares((80, 80))))}
        answer = client.post("/api/images?model=cells", files=png)
        assert answer.status_code == 413
        assert "6400" not in answer.text
        assert "80x80" in answer.json()["detail"]
        state = finished(client, send(client, "cells", squares((80, 80)), "a.tif", "TIFF"))
        assert state["status"] == "done"
        assert client.get(f"/api/images/{state['id']}/mask.png").status_code == 413
        for part in ("labels", "areas"):
            assert client.get(f"/api/images/{state['id']}/{part}").status_code == 413
        assert client.get(f"/api/images/{state['id']}/mask.tif").status_code == 200
        assert decide(client, state, threshold=0.7).status_code == 200
        data = client.get(f"/api/images/{state['id']}/mask.tif").content  # of any size
        wanted = predictor(threshold=0.7)(squares((80, 80))).labels
        np.testing.assert_array_equal(tifffile.imread(io.BytesIO(data)), wanted)
        answer = client.post("/api/archive.zip", json={"ids": [state["id"]]})
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.namelist() == ["a/mask.tif", "left-out.txt"]
            assert len(archive.read("left-out.txt").splitlines()) == 5
        state = finished(client, send(client, "o", squares((80, 80)), "a.tif", "TIFF"))
        assert state["status"] == "failed"
        assert "takes images as a whole" in state["reason"]


def test_the_oldest_images_make_room():
    limits = {"images_kept": 3}
    with client_of(registry(masks("cells")), limits=limits) as client:
        states = [finished(client, send(client, "cells", squares())) for _ in range(5)]
        codes = [client.get(f"/api/images/{state['id']}").status_code for state in states]
        assert codes == [404, 404, 200, 200, 200]
        gone = client.get(f"/api/images/{states[0]['id']}/evidence")
        assert "make room" in gone.json()["detail"]
    limits = {"bytes_kept": 1}
    with client_of(registry(masks("cells")), limits=limits) as client:
        states = [finished(client, send(client, "cells", squares())) for _ in range(2)]
        codes = [client.get(f"/api/images/{state['id']}").status_code for state in states]
        assert codes == [404, 200]


def test_an_archive_of_many_images_holds_one_table():
    with client_of(registry(masks("cells")), limits={"queue": 300}) as client:
        sent = [send(client, "cells", squares((24, 30)), f"{n}.png") for n in range(205)]
        ids = [finished(client, state)["id"] for state in sent]
        answer = client.post("/api/archive.zip", json={"ids": ids})
        assert answer.headers["x-left-out"] == "0"
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert len(archive.namelist()) == 205 * 6 + 1
            rows = list(csv.DictReader(io.StringIO(archive.read("areas.csv").decode())))
    assert [row["image"] for row in rows[::2]] == [f"{n}.png" for n in range(205)]
    assert {row["area_px"] for row in rows[1::2]} == {rows[1]["area_px"]}


def test_corrected_images_never_make_room():
    limits = {"images_kept": 2}
    with client_of(registry(masks("cells")), limits=limits) as client:
        strokes = np.full((60, 80), 254)
        strokes[:5] = 1
        first, second = (finished(client, send(client, "cells", squares())) for _ in range(2))
        assert mask_in(draw(client, first, strokes).json())["changed"]
        third = finished(client, send(client, "cells", squares()))
        codes = [client.get(f"/api/images/{s['id']}").status_code for s in (first, second, third)]
        assert codes == [200, 404, 200]
        draw(client, third, strokes)
        files = {"image": ("a.png", as_file(squares()))}
        full = client.post("/api/images?model=cells", files=files)
        assert full.status_code == 507
        assert "2 have corrections or settings that were not saved yet" in full.json()["detail"]
        # What was downloaded may go, until it is corrected again.
        assert client.get(f"/api/images/{first['id']}/mask.png").status_code == 200
        assert mask_in(client.get(f"/api/images/{first['id']}").json())["saved"]
        finished(client, send(client, "cells", squares()))
        assert client.get(f"/api/images/{first['id']}").status_code == 404


def test_images_with_changed_settings_never_make_room():
    limits = {"images_kept": 2}
    with client_of(registry(masks("cells")), limits=limits) as client:
        states = [finished(client, send(client, "cells", squares())) for _ in range(2)]
        decide(client, states[0], threshold=0.7)
        states.append(finished(client, send(client, "cells", squares())))

        def codes():
            return [client.get(f"/api/images/{state['id']}").status_code for state in states]

        assert codes() == [200, 404, 200]
        decide(client, states[0], threshold=None)  # as the model has it
        states.append(finished(client, send(client, "cells", squares())))
        assert codes() == [404, 404, 200, 200]


def test_settings_of_an_old_version_are_refused(client):
    state = finished(client, send(client, "cells", squares()))
    address = f"/api/images/{state['id']}"
    own = mask_in(state)["settings"]
    assert mask_in(decide(client, state, threshold=0.7).json())["version"] == 1
    assert client.put(f"{address}/settings", json={**own, "version": 0}).status_code == 409
    assert mask_in(client.get(address).json())["settings"]["threshold"] == 0.7
    np.testing.assert_array_equal(
        mask_of(client, state), predictor(threshold=0.7)(squares()).labels
    )
    # An edit that is sent again, because its answer was lost, is no stale one.
    body = {**own, "threshold": 0.7, "version": 0}
    assert mask_in(client.put(f"{address}/settings", json=body).json())["version"] == 1
    strokes = np.full((60, 80), 254)
    for label in (1, 254):
        strokes[:5] = label
        version = mask_in(client.get(address).json())["version"]
        for _ in range(2):
            answer = client.put(f"{address}/strokes?version={version}", content=packed(strokes))
            assert mask_in(answer.json())["version"] == version + 1
    assert client.put(f"{address}/settings", json=body).status_code == 409
    for wrong in ({"threshold": 2}, {"min_area_px": -1}, {"level": 3}):
        assert decide(client, state, **wrong).status_code == 422
    assert mask_in(decide(client, state, **own).json())["changed"] is False
    np.testing.assert_array_equal(mask_of(client, state), predictor()(squares()).labels)


def test_pixels_without_data_stay_so_whatever_the_settings(tmp_path, client):
    rasterio = pytest.importorskip("rasterio")
    image = squares((60, 80))
    image[20:30, 20:60] = 7
    options = {"driver": "GTiff", "height": 60, "width": 80, "count": 3, "dtype": "uint8"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(tmp_path / "a.tif", "w", nodata=7, **options) as file:
            file.write(image.transpose(2, 0, 1))
    state = finished(client, send(client, "cells", (tmp_path / "a.tif").read_bytes(), "a.tif"))
    before = mask_of(client, state)
    assert (before[20:30, 20:60] == 255).all()
    planes = planes_of(client, state)
    np.testing.assert_array_equal(planes["labels"] == 255, before == 255)
    decide(client, state, threshold=0.6, fill_holes_px=400, min_area_px=5)
    np.testing.assert_array_equal(mask_of(client, state) == 255, before == 255)


class Slow:
    """A network that waits to be let go."""

    def __init__(self):
        self.free = threading.Event()
        self.began = threading.Event()

    def __call__(self, images):
        self.began.set()
        assert self.free.wait(20)
        return smooth_logits(2)(images)


def test_the_queue_is_bounded_and_news_wake_who_waits():
    slow = Slow()
    models = registry(masks("cells", TWO, slow))
    with client_of(models, limits={"queue": 2}) as client:
        first = send(client, "cells", squares())
        assert slow.began.wait(10)
        second = send(client, "cells", squares())
        files = {"image": ("a.png", as_file(squares()))}
        busy = client.post("/api/images?model=cells", files=files)
        assert busy.status_code == 503
        assert int(busy.headers["retry-after"]) > 0
        began = time.monotonic()
        state = client.get(f"/api/images/{first['id']}?wait=0.2").json()
        assert (state["status"], time.monotonic() - began > 0.2) == ("working", True)
        assert client.get(f"/api/images/{second['id']}/thumbnail.jpg").status_code == 200
        assert client.get(f"/api/images/{second['id']}").json()["status"] == "waiting"
        threading.Timer(0.1, slow.free.set).start()
        began = time.monotonic()
        while state["status"] == "working":
            state = client.get(f"/api/images/{first['id']}?wait=20").json()
        assert (state["status"], time.monotonic() - began < 15) == ("done", True)
        assert finished(client, second)["status"] == "done"


def test_an_image_can_be_dropped_at_any_time():
    slow = Slow()
    models = registry(masks("cells", TWO, slow))
    with client_of(models) as client:
        first, second = (send(client, "cells", squares()) for _ in range(2))
        assert slow.began.wait(10)
        for state in (first, second):
            assert client.delete(f"/api/images/{state['id']}").status_code == 204
            assert client.get(f"/api/images/{state['id']}").status_code == 404
            assert client.delete(f"/api/images/{state['id']}").status_code == 404
        slow.free.set()
        third = finished(client, send(client, "cells", squares()))
        assert third["status"] == "done"


def test_a_failing_model_fails_its_image_alone(capsys):
    def logits(images):
        if images.max() > 200:
            raise ValueError("internal matters")
        if images.max() < 10:
            raise MemoryError
        return smooth_logits(2)(images)

    models = registry(masks("cells", TWO, logits))
    with client_of(models) as client:
        state = finished(client, send(client, "cells", squares()))
        assert state["status"] == "failed"
        assert "internal" not in state["reason"]
        assert "ValueError: internal matters" in capsys.readouterr().err
        state = finished(client, send(client, "cells", squares() // 100))
        assert "memory" in state["reason"]
        assert finished(client, send(client, "cells", squares() // 2))["status"] == "done"


def test_the_end_of_the_server_ends_what_waits(tmp_path):
    slow = Slow()
    models = registry(masks("cells", TWO, slow))
    from maskwright.serving.store.image_store import ImageStore

    images = ImageStore(ServerLimits(), DecoderPool(1))
    one = models["cells"]
    uploads = [images.add("a.png", one, io.BytesIO(as_file(squares()))) for _ in range(3)]
    assert slow.began.wait(10)
    folder = images.folder
    threading.Timer(0.1, slow.free.set).start()
    images.close()
    assert [upload.status for upload in uploads] == ["failed"] * 3
    assert "shut down" in uploads[0].reason
    assert not folder.exists()


def test_what_is_cut_becomes_two_objects_and_what_is_added_joins_one():
    ids = np.zeros((20, 40), int)
    ids[2:8, 2:8], ids[2:8, 12:18], ids[12:18, 2:8] = 1, 2, 3
    ids[12:14, 20:24] = ids[17:19, 20:24] = 4  # of two parts from the beginning
    objects = Instances.from_ids(ids, scores=[0.9, 0.8, 0.7, 0.6])
    labels = (ids > 0).astype(np.uint8)
    drawn = np.zeros(ids.shape, bool)
    np.testing.assert_array_equal(renumber_objects(labels, objects, drawn), ids)

    def draw(window, label):
        labels[window], drawn[window] = label, True

    draw(np.s_[2:8, 14], 0)  # cuts the second in two
    draw(np.s_[2:8, 8:10], 1)  # beside the first
    draw(np.s_[2:4, 2:4], 1)  # on the first, which stays whole
    draw(np.s_[12:18, 30:36], 1)  # elsewhere
    draw(np.s_[12:18, 2:8], 0)  # the third is gone
    draw(np.s_[12, 20], 0)  # a corner of the fourth, which is no cut
    draw(np.s_[0], 255)
    found = renumber_objects(labels, objects, drawn)
    assert np.unique(found[2:8, 2:10]).tolist() == [1]
    assert np.unique(found[2:8, 12:14]).tolist() == [5]
    assert np.unique(found[2:8, 15:18]).tolist() == [2]
    assert set(np.unique(found)) == {0, 1, 2, 4, 5, 6}
    np.testing.assert_array_equal(found > 0, labels == 1)


def test_a_shutdown_answers_who_waits():
    slow = Slow()
    models = registry(masks("cells", TWO, slow))
    with client_of(models) as client:
        state = send(client, "cells", squares())
        assert slow.began.wait(10)
        threading.Timer(0.2, client.app.state.end).start()
        began = time.monotonic()
        state = client.get(f"/api/images/{state['id']}?wait=20").json()
        assert (state["status"], time.monotonic() - began < 15) == ("failed", True)
        files = {"image": ("a.png", as_file(squares()))}
        assert client.post("/api/images?model=cells", files=files).status_code == 503
        slow.free.set()


def test_an_image_that_goes_while_it_is_read_is_gone(client, monkeypatch):
    state = finished(client, send(client, "cells", squares()))
    address = f"/api/images/{state['id']}"
    labels = EditedMask.labels

    def dropped(mask):
        assert client.delete(address).status_code == 204
        return labels(mask)

    monkeypatch.setattr(EditedMask, "labels", dropped)
    answer = client.get(f"{address}/mask.png")
    assert (answer.status_code, "make room" in answer.text) == (404, True)


def test_polygons_of_many_pieces_are_made_apart_or_not_at_all(monkeypatch):
    mask = (np.indices((40, 60)).sum(axis=0) // 3 % 2).astype(np.uint8)
    labels = predictor().card.labels
    here = json.loads(mask_formats.polygons(mask, labels, 0))
    monkeypatch.setattr(mask_formats, "_QUICK_OUTLINE_PX", 0)
    assert json.loads(mask_formats.polygons(mask, labels, 0)) == here
    with within(Deadline(time.monotonic() + 0.01)), pytest.raises(DeadlineExceededError):
        mask_formats.polygons(mask, labels, 0)
    monkeypatch.setattr(mask_formats, "_MOST_OUTLINE_PX", 100)
    with pytest.raises(TooLargeError, match="a larger minimum area"):
        mask_formats.polygons(mask, labels, 0)
    with pytest.raises(TooLargeError, match="a larger minimum area"):
        mask_formats.coco("a.png", mask, None, labels, 0)
