import io
import json

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

import maskwright
from drawing_layers import NAMES, draw_layers, image_of, layers_of
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import read_mask, write_image
from maskwright.serving import create_app, open_models
from maskwright.serving.store.label_findings import open_findings

SETTINGS = {"encoder": "plain", "encoder_weights": None, "encoder_widths": (8, 16), "size": 48}
SETTINGS |= {"batch_size": 8, "previews": 0, "val_share": 0.2, "test_share": 0.2}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_layers(tmp_path_factory.mktemp("layers"), 40)


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    return maskwright.train(data, out, epochs=40, learning_rate=0.01, **SETTINGS).folder


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("exported") / "model"
    maskwright.export_model(run, out, format="onnx")
    return out


def test_a_run_learns_every_class(run, data):
    evaluation = maskwright.evaluate(run, data)
    assert evaluation.labels.names == NAMES
    assert (evaluation.total.dice >= 0.9).all(), evaluation.total.dice
    assert evaluation.counts.shape == (3, 2, 2)
    card = json.loads((run / "model_card.json").read_text())
    assert (card["task"], len(card["thresholds"])) == ("multilabel", 3)
    scores = json.loads((run / "evaluation" / "test" / "scores.json").read_text())
    assert set(scores["per_class"]) == set(NAMES)
    assert "pixel_accuracy" not in scores


def test_predict_writes_a_mask_of_each_class_which_can_be_read_as_data(exported, tmp_path):
    for number in (100, 101):
        write_image(tmp_path / "images" / f"{number}.png", image_of(number))
    maskwright.predict(exported, tmp_path / "images", tmp_path / "out", overlays=False)
    for number in (100, 101):
        truth = layers_of(number)
        for place, name in enumerate(NAMES):
            mask = read_mask(tmp_path / "out" / name / f"{number}.png").values
            assert set(np.unique(mask)) == {0, 255}
            inside = mask == 255
            overlap = (inside & (truth[..., place] == 1)).sum()
            assert 2 * overlap / (inside.sum() + truth[..., place].sum()) > 0.85


def test_windows_give_the_same_layers_and_their_polygons(run, tmp_path):
    pytest.importorskip("rasterio")
    write_image(tmp_path / "images" / "1.png", image_of(100))
    usual, windows = tmp_path / "usual", tmp_path / "windows"
    maskwright.predict(run, tmp_path / "images", usual)
    maskwright.predict(run, tmp_path / "images", windows, large=True, polygons=True)
    areas = {}
    for name in NAMES:
        mask = read_mask(windows / name / "1.tif").values
        np.testing.assert_array_equal(mask, read_mask(usual / name / "1.png").values)
        areas[name] = (mask == 255).sum()
    polygon_px = dict.fromkeys(NAMES, 0)
    for each in json.loads((windows / "polygons" / "1.geojson").read_text())["features"]:
        polygon_px[each["properties"]["class"]] += each["properties"]["area_px"]
    assert polygon_px == areas
    assert (windows / "overlays" / "1.jpg").is_file()
    assert len(maskwright.predict(run, tmp_path / "images", windows, large=True).skipped) == 1


def test_a_threshold_for_all_classes_and_cleaning_of_each(run):
    predictor, image = maskwright.load(run), image_of(100)
    usual = predictor(image).labels
    assert usual.shape == (48, 48, 3)
    assert (usual.sum(axis=-1) > 1).any()
    sure = predictor.adjusted(threshold=0.99)(image).labels
    assert (sure <= usual).all()
    assert sure.sum() < usual.sum()
    assert predictor.adjusted(min_area_px=3000)(image).labels.sum() == 0


@pytest.mark.filterwarnings("ignore::maskwright.errors.MaskwrightWarning")
def test_the_server_answers_with_layers(exported):
    file = io.BytesIO()
    Image.fromarray(image_of(100)).save(file, "PNG")
    models = open_models([f"m={exported}"])
    with TestClient(create_app(models), base_url="http://127.0.0.1") as client:

        def ask(**query):
            files = {"image": ("1.png", file.getvalue())}
            answer = client.post("/predict", params=query, files=files)
            assert answer.status_code == 200, answer.text
            return answer

        pages = Image.open(io.BytesIO(ask().content))
        assert pages.n_frames == 3
        layers = []
        for page in range(3):
            pages.seek(page)
            layers.append(np.array(pages))
        one = Image.open(io.BytesIO(ask(**{"class": "tumor"}).content))
        np.testing.assert_array_equal(np.array(one), layers[1])
        assert (layers[0] & layers[2]).any()
        coco = ask(output="coco").json()
        areas = {c["id"]: 0.0 for c in coco["categories"]}
        for each in coco["annotations"]:
            areas[each["category_id"]] += each["area"]
        assert list(areas.values()) == [(layer == 255).sum() for layer in layers]
        names = {f["properties"]["class"] for f in ask(output="polygons").json()["features"]}
        assert names == set(NAMES)
        body = {"name": "images", "datatype": "UINT8", "shape": [1, 48, 48, 3]}
        inputs = [{**body, "data": image_of(100).ravel().tolist()}]
        (output,) = client.post("/v2/models/m/infer", json={"inputs": inputs}).json()["outputs"]
        assert output["shape"] == [1, 48, 48, 3]
        values = np.array(output["data"]).reshape(48, 48, 3)
        np.testing.assert_array_equal(values * 255, np.stack(layers, axis=-1))


def test_what_has_no_meaning_is_refused_in_a_sentence(data, run, tmp_path):
    with pytest.raises(ConfigError, match="`class_weights` has no meaning where classes overlap"):
        maskwright.train(data, tmp_path / "a", class_weights="balanced", epochs=1, **SETTINGS)
    with pytest.raises(DataError, match="a cross-validation needs one class for each pixel"):
        maskwright.cross_validate(data, tmp_path / "b", folds=2, epochs=1, **SETTINGS)


def test_an_audit_finds_a_forgotten_layer(run, exported, tmp_path):
    data = draw_layers(tmp_path / "data", 8)
    write_image(data / "masks" / "tumor" / "5.png", np.zeros((48, 48, 1), np.uint8))
    for number in range(8):  # unlike those that were learned from
        write_image(data / "images" / f"{number}.png", image_of(number) + np.uint8(1))
    for model in (run, exported):
        audited = maskwright.audit(model, data, out=tmp_path / "out", on_message=str)
        first = audited.masks[0]
        assert (first.sample.id, len(audited.masks)) == ("5", 8)
        given, predicted = map(audited.label_name, (first.piece.given, first.piece.predicted))
        assert (given, predicted) == ("no tumor", "tumor")
        assert ",no tumor,tumor," in (tmp_path / "out" / "audit.csv").read_text().splitlines()[1]
    findings = open_findings(tmp_path / "out")  # for the page of the server
    assert (findings.layer_of(findings.items[0]), findings.classes) == ("tumor", NAMES)
    queued = maskwright.queue(exported, data / "images")
    assert len(queued.images) == 8
