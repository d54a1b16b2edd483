"""What is refused although its body is fine: names, methods, tokens, a full disk; and its code."""

import errno
import gzip
import time

import pytest

from made_up_models import as_file, one_model, registry, two_squares
from maskwright.errors import ConfigError
from maskwright.serving import ServerLimits, serve, sign_in
from maskwright.serving.current import client_of
from maskwright.serving.problems import CODES, DISK_FULL
from maskwright.serving.sign_in import check_token

PNG = as_file(two_squares())
IMAGE = {"image": ("cells.png", PNG)}
TOKEN = "a-token-of-enough-letters"
URL = "https://masks.example.org"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/predict?treshold=0.5", "no parameter 'treshold' here; it takes model, output, "),
        ("/predict?threshold=0.5&threshold=0.6", "one parameter 'threshold', received 2"),
        ("/v2/models/cells/infer?id=3", "no parameter 'id' here; it takes none"),
    ],
)
def test_unknown_and_repeated_parameters(cells, path, told):
    answer = cells.post(path, files=IMAGE)
    assert answer.status_code == 422
    content = answer.json()
    assert told in (content.get("detail") or content["error"])
    assert content["code"] == "invalid_value"


def test_unknown_parts_and_a_second_image(cells, tasks):
    two = [("image", ("a.png", PNG)), ("image", ("b.png", PNG))]
    answer = cells.post("/predict", files=two)
    assert answer.status_code == 422
    assert "one part of the form 'image', received 2" in answer.json()["detail"]
    answer = cells.post("/predict", files=IMAGE, data={"threshold": "0.3"})
    assert answer.status_code == 422
    assert "no part of the form 'threshold'" in answer.json()["detail"]
    many = [("images", ("a.png", PNG)), ("images", ("b.png", PNG))]
    assert tasks.post("/cases?model=cases", files=many).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/predict", "POST"),
        ("POST", "/health", "GET"),
        ("DELETE", "/v2/models/cells/infer", "POST"),
        ("PATCH", "/api/images", "POST"),
    ],
)
def test_wrong_methods_say_which_are_right(cells, method, path, allowed):
    answer = cells.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_addresses_that_are_not_there_are_not_found_by_any_method(cells, method):
    answer = cells.request(method, "/predictions")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "files", "status", "code"),
    [
        ("/predict?model=none", IMAGE, 404, "not_found"),
        ("/predict", {"image": ("a", b"nothing")}, 422, "invalid_data"),
        ("/predict?output=probability&class=none", IMAGE, 422, "invalid_data"),
        ("/predict?class=disc", IMAGE, 422, "invalid_setting"),
        ("/predict?threshold=7", IMAGE, 422, "invalid_value"),
        ("/regions", IMAGE, 422, "invalid_setting"),
    ],
)
def test_errors_have_a_code(cells, path, files, status, code):
    answer = cells.post(path, files=files)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_every_status_of_the_description_has_a_code(cells):
    schema = cells.get("/openapi.json").json()
    for operations in schema["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    assert int(status) in CODES
                    content = answer["content"]["application/json"]["schema"]
                    assert "code" in content["required"]


def test_a_server_without_a_model_is_live_and_not_ready(asking):
    client = asking(registry())
    assert client.get("/v2/health/live").json() == {"live": True}
    answer = client.get("/v2/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"ready": False})


@pytest.mark.parametrize(
    "token", ["a" * 16, "short", "ababab" * 5, "ünlesbar-" * 3, "tab\there" * 3]
)
def test_tokens_that_can_be_guessed_are_refused_before_anything_starts(token):
    with pytest.raises(ConfigError, match=r"secrets\.token_urlsafe"):
        serve("no-model", token=token)


def test_tokens_that_were_made_are_taken():
    for token in (TOKEN, "5f2c1a9be07d4468", "Zx_-" * 3 + "12345678"):
        check_token(token)


def test_guesses_are_slowed_down_for_who_guesses_alone(asking, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(sign_in, "monotonic", lambda: clock[0])
    client = asking(one_model(), token=TOKEN)

    def ask(token, path="/metrics"):
        answer = client.get(path, headers={"authorization": f"Bearer {token}"})
        return answer.status_code

    assert [ask("old-token") for _ in range(20)] == [401] * 20  # the same again is no guess
    assert [ask(f"guess-{number}") for number in range(4)] == [401] * 4
    refused = client.post("/api/login", json={"token": TOKEN})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["code"] == "too_many_attempts"
    waits = []
    for number in range(10):
        clock[0] += waits[-1] if waits else 1
        assert ask(f"more-{number}") == 401
        waits.append(
            int(
                client.get("/metrics", headers={"authorization": "Bearer x"}).headers["retry-after"]
            )
        )
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    clock[0] += 300
    assert ask(TOKEN) == 200
    assert ask("guess") == 401  # forgotten, after the right one


def test_a_browser_that_has_signed_in_is_not_locked_out(asking):
    client = asking(one_model(), token=TOKEN)
    assert client.post("/api/login", json={"token": TOKEN}).status_code == 204
    for number in range(8):
        client.post("/api/login", json={"token": f"guess-{number}"})
    assert client.post("/api/login", json={"token": TOKEN}).status_code == 429
    assert client.get("/metrics").status_code == 200


def test_the_memory_of_guesses_is_bounded(monkeypatch):
    monkeypatch.setattr(sign_in, "_MOST_CLIENTS", 3)
    clients = iter(range(100))
    monkeypatch.setattr(sign_in, "current_client", lambda: f"10.0.0.{next(clients)}")
    checked = sign_in.SignIn(TOKEN)
    for _ in range(50):
        with pytest.raises(sign_in.HTTPException):
            checked.check_token("wrong")
    assert len(checked._guesses) == 3


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:8000", URL, 200),  # as nginx sends it by default
        ("masks.example.org", URL, 200),
        ("MASKS.example.org:443", URL, 200),
        ("masks.example.org", None, 200),
        ("masks.example.org", "http://masks.example.org", 403),
        ("masks.example.org", "https://evil.example", 403),
        ("127.0.0.1:8000", "https://evil.example", 403),
        ("127.0.0.1:8000", "http://127.0.0.1:8000", 200),
        ("evil.example", None, 421),
    ],
)
def test_a_proxy_before_loopback(asking, host, origin, status):
    client = asking(one_model(), limits={"public_url": URL}, token=TOKEN)
    headers = {"host": host, **({} if origin is None else {"origin": origin})}
    answer = client.post("/api/login", json={"token": TOKEN}, headers=headers)
    assert answer.status_code == (204 if status == 200 else status)
    if status == 200:
        assert "Secure" in answer.headers["set-cookie"]


def test_a_public_address_needs_a_token_and_has_no_path():
    with pytest.raises(ConfigError, match="so a token is needed"):
        serve("no-model", limits=ServerLimits(public_url=URL))
    wrong = f"{URL}/masks", f"{URL}:443", f"{URL}:99999", "https://a..b", "https://..."
    for url in wrong:
        with pytest.raises(ConfigError, match="without a path"):
            serve("no-model", token=TOKEN, limits=ServerLimits(public_url=url))


def test_clients_of_both_versions_of_the_protocol_are_told_apart():
    assert client_of("::ffff:10.0.0.7") == client_of("10.0.0.7") == "10.0.0.7"
    assert client_of("2001:db8::1") == client_of("2001:db8::2") != client_of("2001:db8:1::1")


def test_the_docs_work_with_a_token(asking):
    client = asking(one_model(), token=TOKEN)
    schema = client.get("/openapi.json").json()
    assert schema["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    assert schema["paths"]["/predict"]["post"]["security"] == [{"HTTPBearer": []}]
    assert (
        "security"
        not in asking(one_model()).get("/openapi.json").json()["paths"]["/predict"]["post"]
    )


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_one_sentence(asking, monkeypatch, tmp_path):
    client = asking(one_model(), keep=tmp_path)
    state = client.post("/api/images?model=cells", files=IMAGE).json()
    ends = time.monotonic() + 20
    while client.get(f"/api/images/{state['id']}?wait=5").json()["status"] != "done":
        assert time.monotonic() < ends
    with monkeypatch.context() as patch:  # while the body comes, to a file when it is long
        patch.setattr("starlette.formparsers.SpooledTemporaryFile.write", full)
        answers = [client.post("/predict", files=IMAGE)]
    with monkeypatch.context() as patch:
        patch.setattr("shutil.copyfileobj", full)
        answers.append(client.post("/api/images?model=cells", files=IMAGE))
    with monkeypatch.context() as patch:
        patch.setattr("shutil.copyfile", full)
        answers.append(client.post(f"/api/images/{state['id']}/keep"))
    strokes = gzip.compress(bytes(state["width"] * state["height"]))
    address = f"/api/images/{state['id']}/strokes?version=0"
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_bytes", full)
        answers.append(client.put(address, content=strokes))
    again = client.put(address, content=strokes).json()["layers"][0]  # the same once more
    assert again["version"] == 1
    for answer in answers:
        assert answer.status_code == 507, answer.text
        assert answer.json() == {
            "detail": DISK_FULL,
            "code": "disk_full",
        }
    with monkeypatch.context() as patch:
        patch.setattr("maskwright.serving.store.image_store.write_pyramid", full)
        state = client.post("/api/images?model=cells", files=IMAGE).json()
        while state["status"] not in ("done", "failed"):
            state = client.get(f"/api/images/{state['id']}?wait=5").json()
        assert "disk of the server is full" in state["reason"]
