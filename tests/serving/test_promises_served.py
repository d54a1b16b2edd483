"""Promises of a model over HTTP: what is known of each mask, its bounds, and when none holds."""

import json
import re

import numpy as np
import pytest
from page_client import client_of, finished, send

from drawing_doubts import doubtful
from drawing_promises import CASES, promised_run
from made_up_models import as_file, from_file
from maskwright.reliability.record import TrustRecord
from maskwright.serving import ModelRegistry
from maskwright.tasks.semantic.calibration.observe import ObservingPredictor, load_observed


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return promised_run(tmp_path_factory.mktemp("promised") / "discs")


@pytest.fixture(scope="module")
def client(run):
    registry = ModelRegistry({"discs": run})
    registry.add(registry._open("discs", run, prepare=False))
    with client_of(registry) as client:
        yield client


def ask(client, query, image):
    return client.post(f"/predict?{query}", files={"image": ("a.png", as_file(image), "image/png")})


def test_answers_tell_what_is_known_of_the_mask_and_give_its_bounds(client, run):
    image = doubtful(CASES)[0]
    answer = ask(client, "output=labels", image)
    assert answer.status_code == 200, answer.text
    (mask,) = json.loads(answer.headers["Maskwright-Trust"])
    assert (mask["class_name"], mask["decision"]) == ("disc", "accept")
    assert mask["lower_bound"] <= mask["expected_dice"]
    assert mask["bound_holds_in"] == "9 of 10"
    network, card = load_observed(run)
    prediction = ObservingPredictor(network, card)(image)
    assert np.array_equal(from_file(answer.content), prediction.labels)
    outer, _, inner = TrustRecord.read(run).promises
    for kind, promise in (("outer", outer), ("inner", inner)):
        drawn = from_file(ask(client, f"output={kind}&class=disc", image).content)
        assert np.array_equal(drawn == 255, promise.mask(prediction.probabilities[..., 1])), kind
    assert ask(client, "output=outer&class=cat", image).status_code == 422


def test_the_page_is_told_in_words_and_gets_both_masks_as_bits(client):
    image = doubtful(CASES)[0]
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    states = [finished(client, send(client, "discs", each)) for each in (image, noise)]
    (line,) = states[0]["trust"]["sentences"]
    assert re.fullmatch(r"disc: Dice about 0\.\d+, at least 0\.\d+ in 9 of 10 images: accept", line)
    assert states[1]["trust"]["sentences"][0].startswith("This image is unlike the training images")
    assert states[0]["trust"]["doubt"] < 1 < states[1]["trust"]["doubt"]
    bits = client.get(f"/api/images/{states[0]['id']}/bounds").content
    plane = np.frombuffer(bits, np.uint8).reshape(32, 32)
    outer = from_file(ask(client, "output=outer", image).content) == 255
    inner = from_file(ask(client, "output=inner", image).content) == 255
    assert np.array_equal(plane, outer + 2 * inner)


def test_no_promise_is_given_for_another_threshold_nor_by_a_model_without(client, cells):
    image = doubtful(CASES)[0]
    answer = ask(client, "threshold=0.9", image)
    assert "Maskwright-Trust" not in answer.headers
    assert "do not hold for 0.9" in answer.headers["Warning"]
    refused = ask(client, "output=inner&threshold=0.9", image)
    assert (refused.status_code, "do not hold for 0.9" in refused.json()["detail"]) == (422, True)
    bare = ask(cells, "output=outer", image)
    assert (bare.status_code, "no promises" in bare.json()["detail"]) == (422, True)
