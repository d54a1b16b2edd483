"""Masks of classes that overlap: each a layer with settings and strokes of its own."""

import csv
import io
import json
import zipfile

import numpy as np
import pytest
import tifffile
from page_client import client_of, decide, draw, finished, mask_in, planes_of, send
from PIL import Image

from made_up_models import LAYERS, layered, layers_image, overlapping, registry
from maskwright.data import open_dataset
from maskwright.data.layers import read_layers
from maskwright.rle import decode_rle
from maskwright.serving.jobs import probability_grid


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "kept"


@pytest.fixture
def client(kept):
    with client_of(registry(overlapping("scan")), keep=kept) as client:
        yield client


def masks_of(client, state):
    """Layers `(h, w, classes)`, from the archive of PNGs."""
    answer = client.get(f"/api/images/{state['id']}/masks.zip")
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        names = [f"{name}.png" for name in LAYERS]
        assert packed.namelist() == names
        pages = [np.array(Image.open(io.BytesIO(packed.read(name)))) for name in names]
    return np.stack(pages, axis=-1)


def test_layers_are_those_of_predict_whatever_their_settings(client):
    (told,) = client.get("/api/models").json()
    assert [layer["name"] for layer in told["layers"]] == list(LAYERS)
    assert [layer["threshold"] for layer in told["layers"]] == [0.5, 0.4, 0.7]
    assert [one["name"] for one in told["layers"][2]["classes"]] == ["background", "vessel"]
    image = layers_image()
    state = finished(client, send(client, "scan", image))
    assert state["status"] == "done", state["reason"]
    own = layered()(image).labels
    assert (own.sum(axis=-1) > 1).any()
    np.testing.assert_array_equal(masks_of(client, state), 255 * own)
    for place, name in enumerate(LAYERS):
        planes = planes_of(client, state, name)
        cut = round(200 * told["layers"][place]["threshold"])
        np.testing.assert_array_equal(planes["probabilities"] >= cut, own[..., place])
    assert decide(client, state, "tumor", threshold=0.8, min_area_px=30).status_code == 200
    other = layered(threshold=0.8, min_area_px=30)(image).labels
    wanted = np.dstack([own[..., 0], other[..., 1], own[..., 2]])
    assert (wanted != own).any()
    np.testing.assert_array_equal(masks_of(client, state), 255 * wanted)
    changed = [
        mask["changed"] for mask in client.get(f"/api/images/{state['id']}").json()["layers"]
    ]
    assert changed == [False, True, False]


def test_strokes_are_of_one_layer_and_in_every_file(client):
    image = layers_image()
    state = finished(client, send(client, "scan", image, "a.png"))
    address = f"/api/images/{state['id']}"
    strokes = np.full(image.shape[:2], 254)
    strokes[:6], strokes[6:9] = 1, 0
    strokes[9] = 255
    answer = draw(client, state, strokes, "vessel").json()
    assert [mask["version"] for mask in answer["layers"]] == [0, 0, 1]
    assert [mask["strokes"] for mask in answer["layers"]] == [False, False, True]
    wanted = layered()(image).labels
    wanted[:6, :, 2], wanted[6:9, :, 2], wanted[9, :, 2] = 1, 0, 255
    values = np.where(wanted == 1, 255, np.where(wanted == 255, 128, 0))
    np.testing.assert_array_equal(masks_of(client, state), values)
    pages = tifffile.imread(io.BytesIO(client.get(f"{address}/mask.tif").content))
    np.testing.assert_array_equal(np.moveaxis(pages, 0, -1), values)
    file = io.BytesIO(client.get(f"{address}/mask.tif").content)
    with tifffile.TiffFile(file) as tiff:
        assert [page.tags["PageName"].value for page in tiff.pages] == list(LAYERS)
    areas = (wanted == 1).sum(axis=(0, 1)).tolist()
    rows = list(csv.DictReader(io.StringIO(client.get(f"{address}/areas.csv").text)))
    assert [(row["class"], int(row["area_px"])) for row in rows] == list(
        zip(LAYERS, areas, strict=True)
    )
    coco = client.get(f"{address}/coco.json").json()
    united = np.zeros(wanted.shape, bool)
    names = {one["id"]: one["name"] for one in coco["categories"]}
    for one in coco["annotations"]:
        place = LAYERS.index(names[one["category_id"]])
        united[..., place] |= decode_rle(one["segmentation"]["counts"], image.shape[:2])
    np.testing.assert_array_equal(united, wanted == 1)
    features = json.loads(client.get(f"{address}/polygons.geojson").content)["features"]
    polygon_px = dict.fromkeys(LAYERS, 0)
    for each in features:
        polygon_px[each["properties"]["class"]] += each["properties"]["area_px"]
    assert list(polygon_px.values()) == areas
    bits = np.frombuffer(client.get(f"{address}/layers").content, np.uint8)
    bits = bits.reshape(image.shape[:2])
    for place in range(3):
        np.testing.assert_array_equal(bits >> place & 1, wanted[..., place] == 1)
    assert Image.open(io.BytesIO(client.get(f"{address}/overlay.png").content)).size == (80, 60)
    archive = client.post("/api/archive.zip", json={"ids": [state["id"]]})
    assert archive.headers["x-left-out"] == "0"
    with zipfile.ZipFile(io.BytesIO(archive.content)) as packed:
        names = set(packed.namelist())
        page = np.array(Image.open(io.BytesIO(packed.read("a/masks/vessel.png"))))
    assert {f"a/masks/{name}.png" for name in LAYERS} | {"a/mask.tif", "areas.csv"} <= names
    np.testing.assert_array_equal(page, values[..., 2])
    assert all(mask["saved"] for mask in client.get(address).json()["layers"])


def test_a_layer_must_be_named_and_known(client):
    state = finished(client, send(client, "scan", layers_image()))
    address = f"/api/images/{state['id']}"
    for query in ({}, {"layer": "bone"}):
        answer = client.get(f"{address}/evidence", params=query)
        assert answer.status_code == 422
        assert "name one of the layers organ, tumor, vessel" in answer.json()["detail"]
    assert "masks.zip" in client.get(f"{address}/mask.png").json()["detail"]
    stale = draw(client, state, np.full((60, 80), 1), "organ")
    assert stale.status_code == 200
    query = {"version": 0, "layer": "tumor"}
    body = {**mask_in(state, "tumor")["settings"], "version": 0}
    assert client.put(f"{address}/settings", params=query, json=body).status_code == 422
    assert (
        client.put(f"{address}/settings", params={"layer": "organ"}, json=body).status_code == 409
    )


def test_kept_layers_are_a_data_set_of_overlapping_classes(client, kept):
    image = layers_image()
    state = finished(client, send(client, "scan", image, "a.png"))
    strokes = np.full(image.shape[:2], 254)
    strokes[:6], strokes[9] = 1, 255
    assert draw(client, state, strokes, "organ").status_code == 200
    answer = client.post(f"/api/images/{state['id']}/keep")
    assert answer.json() == {"folder": "kept/scan", "images": 1, "file": "a.png"}, answer.text
    dataset = open_dataset(kept / "scan")
    assert dataset.multilabel
    assert dataset.labels.names == ("background", *LAYERS)
    assert dataset.labels.colors[1:] == layered().card.labels.colors
    wanted = layered()(image).labels
    wanted[:6, :, 0] = 1
    wanted[9] = 255  # in all classes
    (sample,) = dataset.samples
    np.testing.assert_array_equal(read_layers(dataset, sample)[1], wanted)
    again = client.post(f"/api/images/{state['id']}/keep")
    assert again.json()["images"] == 1


def test_layers_of_large_images_are_those_of_predict(client, monkeypatch):
    monkeypatch.setattr(probability_grid, "GRID_PIXELS", 2000)
    image = layers_image()
    state = finished(client, send(client, "scan", image, format="TIFF"))
    assert state["grid"]["scale"] == 2
    own = layered()(image).labels
    np.testing.assert_array_equal(masks_of(client, state), 255 * own)
    assert decide(client, state, "organ", min_area_px=300).status_code == 200
    wanted = np.dstack([layered(min_area_px=300)(image).labels[..., :1], own[..., 1:]])
    np.testing.assert_array_equal(masks_of(client, state), 255 * wanted)


def test_layers_mark_what_has_no_data_whatever_their_settings(tmp_path, client):
    rasterio = pytest.importorskip("rasterio")
    image = layers_image()
    image[20:30, 20:60] = 7
    options = {"driver": "GTiff", "height": 60, "width": 80, "count": 3, "dtype": "uint8"}
    place = rasterio.transform.from_origin(325000, 2780000, 0.5, 0.5)
    options |= {"nodata": 7, "crs": "EPSG:32640", "transform": place}
    with rasterio.open(tmp_path / "a.tif", "w", **options) as file:
        file.write(image.transpose(2, 0, 1))
    state = finished(client, send(client, "scan", (tmp_path / "a.tif").read_bytes(), "a.tif"))
    gap = np.zeros((60, 80), bool)
    gap[20:30, 20:60] = True
    for threshold in (0.4, 0.8):
        assert decide(client, state, "tumor", threshold=threshold).status_code == 200
        values = masks_of(client, state)
        for layer in np.moveaxis(values, -1, 0):
            np.testing.assert_array_equal(layer == 128, gap)
    (tmp_path / "mask.tif").write_bytes(client.get(f"/api/images/{state['id']}/mask.tif").content)
    for page in range(3):
        with rasterio.open(f"GTIFF_DIR:{page + 1}:{tmp_path / 'mask.tif'}") as mask:
            assert (mask.crs.to_epsg(), mask.nodata, mask.transform) == (32640, 128, place)
            np.testing.assert_array_equal(mask.read(1), values[..., page])


def test_more_layers_than_bits_of_a_byte(asking):
    names = tuple("abcdefghij")
    client = asking(registry(overlapping("many", names)))
    image = layers_image()
    state = finished(client, send(client, "many", image))
    bits = np.frombuffer(client.get(f"/api/images/{state['id']}/layers").content, np.uint8)
    bits = bits.reshape(2, *image.shape[:2])
    own = layered(names)(image).labels
    for place in range(len(names)):
        np.testing.assert_array_equal(bits[place // 8] >> place % 8 & 1, own[..., place])
