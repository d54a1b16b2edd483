"""Who may ask, from where, how much, and what the log says of it."""

import pytest

from made_up_models import as_file, one_model, two_squares
from maskwright.serving.metrics import AccessRecord

TOKEN = "a-token-of-enough-letters"
IMAGE = {"image": ("cells.png", as_file(two_squares()))}


def test_every_answer_has_its_headers_and_its_line(cells):
    for path, status in (("/health", 200), ("/", 200), ("/none", 404), ("/docs", 200)):
        headers = cells.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        record = cells.records.pop()
        assert (record.path, record.status, not cells.records) == (path, status, True)
    assert "unsafe" not in cells.get("/").headers["content-security-policy"]


def test_nothing_of_the_docs_comes_from_elsewhere(cells):
    page = cells.get("/docs").text
    assert "//" not in page.replace("<!doctype html>", "")
    assert cells.get("/vendor/swagger-ui/swagger-ui-bundle.js").status_code == 200
    assert cells.get("/vendor/swagger-ui/LICENSE").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "127.0.0.1.evil.example"])
def test_other_names_of_this_machine_are_refused(cells, host):
    answer = cells.get("/health", headers={"host": host})
    assert answer.status_code == 421
    assert "localhost" in answer.json()["detail"]


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000", "[::1]"]
)
def test_names_of_this_machine_are_taken(cells, host):
    assert cells.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost", 200),
        ("https://evil.example", 403),
        ("null", 403),
        ("http://localhost:99", 403),
    ],
)
def test_pages_of_others_are_refused(cells, origin, status):
    headers = {"origin": origin}
    assert cells.get("/health", headers=headers).status_code == status


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ümläut"],
)
def test_without_the_token_only_what_is_open_answers(asking, authorization):
    client = asking(one_model(), token=TOKEN, hosts=None)
    headers = {} if authorization is None else {"authorization": authorization.encode()}
    for path in ("/predict", "/metrics", "/v2", "/v2/models/cells", "/nothing"):
        answer = client.request("POST" if path == "/predict" else "GET", path, headers=headers)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "token" in client.records.pop().reason
    for path in ("/health", "/v2/health/live", "/v2/health/ready", "/", "/docs", "/openapi.json"):
        assert client.get(path, headers=headers).status_code == 200, path


def test_with_the_token_everything_answers(asking):
    client = asking(one_model(), {"authorization": f"bearer {TOKEN}"}, token=TOKEN, hosts=None)
    assert client.post("/predict", files=IMAGE).status_code == 200
    assert client.get("/api/session").json()["signed_in"] is True


def test_a_browser_signs_in_once_by_a_cookie_that_does_not_hold_the_token(asking):
    client = asking(one_model(), token=TOKEN)
    assert client.get("/api/session").json()["signed_in"] is False
    assert client.post("/api/login", json={"token": "wrong"}).status_code == 401
    answer = client.post("/api/login", json={"token": TOKEN})
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    session = client.get("/api/session").json()
    assert session["token_needed"] is session["signed_in"] is True
    assert client.post("/predict", files=IMAGE).status_code == 200
    client.cookies.clear()
    client.cookies.set("maskwright", "forged")
    assert client.get("/metrics").status_code == 401


def test_long_bodies_are_refused_by_their_length_and_as_they_come(asking):
    client = asking(one_model(), limits={"body_bytes": 1000})
    record = client.post("/predict", files={"image": ("a.png", b"x" * 2000)})

    def pieces():
        for _ in range(20):
            yield b"x" * 100

    headers = {"content-type": "multipart/form-data; boundary=b"}
    came = client.post("/predict", content=pieces(), headers=headers)
    for answer in (record, came):
        assert answer.status_code == 413
        assert "1,000 bytes" in answer.json()["detail"]


def test_lengths_that_are_no_numbers(cells):
    for length in ("many", "-5", "9" * 5000):
        answer = cells.get("/health", headers={"content-length": length})
        assert answer.status_code in (400, 413)


def test_bodies_of_all_together_are_bounded(asking):
    client = asking(one_model(), limits={"bodies_bytes": 1000})
    answer = client.post("/predict", files={"image": ("a.png", b"x" * 2000)})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert client.post("/predict", files=IMAGE).status_code == 200  # what was held is let go


def test_mistakes_of_the_server_are_record_in_the_log_alone(asking):
    served = one_model()

    def broken(_):
        raise RuntimeError("at /secret/place\nForged line")

    served["cells"].segmenter.predictor.logits = broken
    client = asking(served)
    answer = client.post("/predict", files=IMAGE)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    line = client.records[-1].line()
    assert "RuntimeError at test_security.py" in line
    assert "\n" not in line


def test_a_line_cannot_be_forged():
    path = "/a\r\n2026 GET /b 200\x1b[2J" + "x" * 500
    record = AccessRecord("127.0.0.1", "GET", path, status=404)
    line = record.line()
    assert line.isprintable()
    assert len(line) < 400
    assert " GET " in line
    assert " 404 " in line
