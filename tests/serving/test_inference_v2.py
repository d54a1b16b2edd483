"""The Open Inference Protocol, asked by Triton's own client on loopback, and by nobody's."""

import json
import threading

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from made_up_models import all_tasks, brightness, centers, finder, two_squares
from maskwright.serving import ServerLimits, bind, create_app, run_in_thread

PATH = "/v2/models/cells/infer"


@pytest.fixture(scope="module")
def port():
    limits = ServerLimits(pixels=10**6)
    app = create_app(all_tasks(), limits, on_record=lambda _: None)
    with run_in_thread(app, bind("127.0.0.1", 0), limits) as number:
        yield number


@pytest.fixture(scope="module")
def client(port):
    return triton.InferenceServerClient(f"127.0.0.1:{port}")


def given(images, datatype="UINT8", binary=True):
    one = triton.InferInput("images", list(images.shape), datatype)
    one.set_data_from_numpy(images, binary_data=binary)
    return [one]


def asked(*names, binary=True):
    return [triton.InferRequestedOutput(name, binary_data=binary) for name in names]


def test_server_and_models_tell_what_they_are(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("cells")
    assert client.is_model_ready("cells", "1")
    assert not client.is_model_ready("cells", "2")
    assert not client.is_model_ready("nobody")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    told = client.get_model_metadata("cells")
    assert told["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, -1, -1, 3]}]
    assert told["outputs"][1]["shape"] == [-1, -1, -1, 2]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("datatype", ["UINT8", "UINT16", "FP32"])
def test_labels_and_probabilities_of_a_batch(client, binary, datatype):
    if (datatype, binary) == ("FP32", False):
        pytest.skip("the client writes float32 into JSON as binary alone")
    types = {"UINT8": np.uint8, "UINT16": np.uint16, "FP32": np.float32}
    images = np.stack([two_squares(), two_squares()[::-1]])
    pixels = images.astype(types[datatype]) * types[datatype](257 if datatype == "UINT16" else 1)
    outputs = asked("labels", "probabilities", binary=binary)
    found = client.infer("cells", given(pixels, datatype, binary), outputs=outputs)
    labels, probabilities = found.as_numpy("labels"), found.as_numpy("probabilities")
    assert (labels.dtype, probabilities.dtype) == (np.int32, np.float32)
    np.testing.assert_array_equal(labels, images[..., 0] > 100)
    logits = brightness(images.astype(np.float32))[..., 0]
    np.testing.assert_allclose(probabilities[..., 1], 1 / (1 + np.exp(-logits)), atol=1e-5)


def test_labels_alone_are_given_where_nothing_is_asked_for(client):
    found = client.infer("cells", given(two_squares()[None]), request_id="17")
    answer = found.get_response()
    assert [output["name"] for output in answer["outputs"]] == ["labels"]
    assert (answer["id"], answer["model_version"]) == ("17", "1")


def test_parameters_adjust_one_request(client):
    found = client.infer("cells", given(two_squares()[None]), parameters={"min_area_px": 50})
    assert found.as_numpy("labels").sum() == 100


def test_models_of_objects_give_their_numbers(client):
    image = np.zeros((1, 40, 60, 1), np.uint8)
    image[0, 5:20, 5:20] = 1
    found = client.infer("discs", given(image), outputs=asked("labels", "objects"))
    expected = finder(centers, method="centers", channels=1)(image[0]).objects
    assert found.as_numpy("objects").max() == len(expected) == 1


def test_errors_are_sentences_that_the_client_understands(client):
    for model, told in (("nobody", "no model"), ("verdicts", "/regions")):
        with pytest.raises(InferenceServerException, match=told):
            client.infer(model, given(two_squares()[None]))
    with pytest.raises(InferenceServerException, match="outputs among"):
        client.infer("cells", given(two_squares()[None]), outputs=asked("nothing"))
    with pytest.raises(InferenceServerException, match="pixels together"):
        client.infer("cells", given(np.zeros((1, 2000, 2000, 3), np.uint8)))


def test_clients_at_once_get_their_own(client, port):
    wrong = []

    def work(value):
        own = triton.InferenceServerClient(f"127.0.0.1:{port}")
        for _ in range(5):
            image = np.full((1, 16, 16 + value, 3), value * 30, np.uint8)
            found = own.infer("cells", given(image)).as_numpy("labels")
            if found.shape != image.shape[:3] or (found != (value * 30 > 100)).any():
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(value,)) for value in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def one_input(**changes):
    usual = {"name": "images", "datatype": "UINT8", "shape": [1, 1, 2, 1], "data": [1, 200]}
    merged = {**usual, **changes}
    return {"inputs": [{name: value for name, value in merged.items() if value is not None}]}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"no json", 400),
        (b"[" * 100_000, 400),
        (b"[]", 400),
        (b'"text"', 400),
        ({}, 400),
        ({"inputs": []}, 400),
        ({"inputs": [1]}, 400),
        ({"inputs": {}}, 400),
        (one_input(name="other"), 400),
        (one_input(datatype="BYTES"), 400),
        (one_input(datatype=["UINT8"]), 400),
        (one_input(shape=[1, 1, 2]), 400),
        (one_input(shape=[1, 1, -2, 1]), 400),
        (one_input(shape=[1, 1, 2.0, 1]), 400),
        (one_input(shape=[True, 1, 2, 1]), 400),
        (one_input(shape=[2**40, 2**40, 2**40, 1]), 413),
        (one_input(shape=[1, 1, 1, 10**9]), 413),
        (one_input(data=None), 400),
        (one_input(data=[1]), 400),
        (one_input(data=[[1], [1, 2]]), 400),
        (one_input(data=[1, 256]), 400),
        (one_input(data=[1, -1]), 400),
        (one_input(data=[1, 0.5]), 400),
        (one_input(data=[1, float("nan")]), 400),
        (one_input(data=[1, 2**80]), 400),
        (one_input(data=["1", "2"]), 400),
        (one_input(data=[None, {}]), 400),
        (one_input(datatype="FP32", data=[1, float("inf")]), 422),
        (one_input(parameters=3), 400),
        (one_input(data=None, parameters={"binary_data_size": 10**12}), 400),
        (one_input(parameters={"binary_data_size": 2}), 400),
        ({**one_input(), "outputs": []}, 400),
        ({**one_input(), "outputs": [{"name": []}]}, 400),
        ({**one_input(), "parameters": {"threshold": "high"}}, 422),
        ({**one_input(), "parameters": {"threshold": 7}}, 422),
        ({**one_input(), "parameters": {"treshold": 0.7}}, 400),
        ({**one_input(), "output": []}, 400),
        ({**one_input(), "outputs": [{"name": "labels", "parameters": {"top": 1}}]}, 400),
    ],
)
def test_what_does_not_follow_the_protocol_gets_a_sentence(tasks, body, status):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = tasks.post(PATH, content=content)
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error", "code"]


def test_images_of_other_channels_are_told_in_a_header(tasks):
    answer = tasks.post(PATH, json=one_input())
    assert "gray is taken for red, green and blue" in answer.headers["warning"]


@pytest.mark.parametrize("head", ["x", "-1", "99999", "9" * 5000, "0" * 5000, "", "1.5"])
def test_lengths_of_the_json_that_lie(tasks, head):
    headers = {"inference-header-content-length": head}
    content = json.dumps(one_input()).encode()
    answer = tasks.post(PATH, content=content, headers=headers)
    assert answer.status_code == 400


def test_compressed_and_long_json_are_refused(tasks):
    packed = tasks.post(PATH, content=b"x", headers={"content-encoding": "gzip"})
    assert packed.status_code == 415
    long = tasks.post(PATH, content=b" " * (2**24 + 1))
    assert (long.status_code, "binary data" in long.json()["error"]) == (413, True)
