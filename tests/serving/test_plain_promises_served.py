"""Promises about objects and answers of decisions over HTTP: by file, on the page and in /v2."""

import json

import numpy as np
import pytest
from page_client import client_of, finished, send

from made_up_models import as_file, classifier, finder, from_file, masks, two_squares
from maskwright.reliability.promises import PromiseRequest
from maskwright.serving import ModelRegistry
from maskwright.tasks.instances import serving as instances
from maskwright.tasks.instances.trust.object_promises import (
    ObjectPromise,
    ObjectTrust,
    objects_calibrated_with,
)
from maskwright.tasks.instances.trust.serving import PromisedObjects
from maskwright.tasks.regions import serving as regions
from maskwright.tasks.regions.trust.answer_sets import AnswerPromise, AnswerSets


def object_promise(side, score, level=0.1):
    request = PromiseRequest(class_name="cell", side=side, level=level)
    return ObjectPromise(request=request, n=9, score=score, realized=0.1, other=0.1)


def answers(dull, bright):
    """Bright is possible from a probability of `bright` on, dull from one of `dull` of it."""
    known = {"level": 0.1, "n": 9, "is_shared": False, "referred": 0.0}
    made = (("dull", dull), ("bright", bright))
    first, second = (AnswerPromise(name=name, threshold=t, **known) for name, t in made)
    return AnswerSets(unit="region", promises=(first, second))


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder, predictor = tmp_path_factory.mktemp("objects"), finder()
    promises = [("missed", 0.4, 0.2), ("missed", 0.75), ("false", 0.7), ("missed", None)]
    record = ObjectTrust(
        model_sha256=predictor.card.model_sha256, data="d", split="calibration",
        is_approximate=False, images=9, cases=9,
        calibrated_with=objects_calibrated_with(predictor.card),
        promises=tuple(object_promise(*each) for each in promises),
    )  # fmt: skip
    record.write(folder)
    promised = PromisedObjects(predictor.detector, folder, record)
    models = ModelRegistry({})
    models.add(instances.as_served("squares", predictor, promised))
    sets = {"given": answers(0.9, 0.9), "predicted": answers(0.0, 0.0)}
    models.add(regions.as_served("spots", classifier(), masks("masks").masks, sets))
    with client_of(models) as client:
        yield client


def ask(client, route, **files):
    sent = {name: (f"{name}.png", as_file(image), "image/png") for name, image in files.items()}
    return client.post(route, files=sent)


def test_objects_tell_which_promises_they_keep(client):
    answer = ask(client, "/predict?model=squares&output=coco", image=two_squares())
    assert answer.status_code == 200, answer.text
    outer, inner = json.loads(answer.headers["Maskwright-Trust"])
    # Squares have scores of 0.78 and, below the minimum of the card, 0.47.
    assert (outer["set"], outer["score"], outer["objects"]) == ("outer", 0.4, 2)
    assert (inner["set"], inner["score"], inner["objects"]) == ("inner", 0.7, 1)
    assert outer["sentence"].startswith("On average at most 20 % of the true cell objects are miss")
    (annotation,) = answer.json()["annotations"]
    assert annotation["sets"] == ["outer", "inner"]
    numbers = ask(client, "/predict?model=squares&output=outer", image=two_squares()).content
    assert np.unique(from_file(numbers)).tolist() == [0, 1, 2]
    refused = ask(client, "/predict?model=squares&output=probability", image=two_squares())
    assert "gives no probabilities" in refused.json()["detail"]
    small = ask(client, "/predict?model=squares&min_area_px=5", image=two_squares())
    assert "Maskwright-Trust" not in small.headers
    assert "made for min_area_px 0 and do not hold for 5" in small.headers["Warning"]


def test_the_page_is_told_of_sets_of_objects(client):
    trust = finished(client, send(client, "squares", two_squares()))["trust"]
    assert trust["sentences"][0].endswith(
        "in the outer mask. On average at most 20 % of the true cell objects are missed by those "
        "with a score from 0.4."
    )
    assert (trust["doubt"], trust["bounds"]) == (None, ["cell"])
    state = send(client, "squares", two_squares())
    bits = client.get(f"/api/images/{finished(client, state)['id']}/bounds").content
    plane = np.frombuffer(bits, np.uint8)
    assert set(np.unique(plane)) == {0, 1, 3}, "inner objects are outer ones, too"


def test_answers_of_decisions_hold_for_the_masks_that_they_were_calibrated_with(client):
    image = two_squares()
    mask = (image[..., 0] > 100).astype(np.uint8)
    predicted = ask(client, "/regions?model=spots", image=image).json()
    assert {each["answer"] for each in predicted["decisions"]} == {"refer"}
    assert predicted["decisions"][0]["answer_set"] == ["dull", "bright"]
    assert predicted["promises"]["coverage"] == (
        "in 9 of 10 new cases the right answer is in this set"
    )
    given = ask(client, "/regions?model=spots", image=image, mask=mask).json()
    for each in given["decisions"]:
        assert each["answer_set"] == [each["answer"]] == [each["decision"]]
    case = client.post(
        "/cases?model=spots", files=[("images", ("a.png", as_file(image), "image/png"))]
    ).json()
    assert case["decisions"][0]["answer"] == "refer"
    assert len(case["promises"]["sentences"]) == 2


def test_the_page_is_told_of_answers_until_the_mask_is_edited(client):
    state = finished(client, send(client, "spots", two_squares()))
    assert state["answers"]["coverage"].startswith("in 9 of 10 new cases")
    assert state["decisions"][0]["answer"] == "refer"
    table = client.get(f"/api/images/{state['id']}/decisions.csv").text
    assert table.splitlines()[0] == "name,images,probability,decision,answer"
    settings = {"threshold": 0.9, "min_area_px": 0, "fill_holes_px": 0, "keep_largest": False}
    version = state["layers"][0]["version"]
    client.put(f"/api/images/{state['id']}/settings", json={**settings, "version": version})
    edited = client.post(f"/api/images/{state['id']}/decide").json()
    assert (edited["answers"], "answer" in edited["decisions"][0]) == (None, False)


def test_promises_are_a_parameter_of_a_model_in_v2(client):
    parameters = client.get("/v2/models/squares").json()["parameters"]
    assert len(parameters["promises"].splitlines()) == 4
    assert "holds for new cases drawn like these" in parameters["promises"]
    models = {model["name"]: model for model in client.get("/api/models").json()}
    assert len(models["spots"]["promises"]) == 4
