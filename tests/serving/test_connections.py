"""Sockets that say nothing, little, or too much; and many of them."""

import contextlib
import socket
import time

import httpx2 as httpx
import pytest

from made_up_models import as_file, one_model, two_squares
from maskwright.serving import ServerLimits, bind, create_app, run_in_thread

LIMITS = ServerLimits(header_seconds=1.0, pause_seconds=1.0, connections=220)


@pytest.fixture(scope="module")
def records():
    return []


@pytest.fixture(scope="module")
def port(records):
    app = create_app(one_model(), LIMITS, on_record=records.append)
    with run_in_thread(app, bind("127.0.0.1", 0), LIMITS, records.append) as number:
        yield number


def opened(port, said=b""):
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(said)
    return connection


def heard(connection):
    """All that a server says before it closes."""
    parts = []
    with connection:
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def status(answer):
    return int(answer.split(b" ", 2)[1])


HALF = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Le"
NO_BODY = (
    b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n"
    b"Content-Length: 100000\r\n\r\n--b\r\n"
)


def test_two_hundred_connections_that_keep_still_leave_room_for_a_request(port, records):
    records.clear()
    silent = [opened(port) for _ in range(80)]
    half = [opened(port, HALF) for _ in range(80)]
    without = [opened(port, NO_BODY) for _ in range(40)]
    files = {"image": ("a.png", as_file(two_squares()))}
    answer = httpx.post(f"http://127.0.0.1:{port}/predict", files=files, timeout=60)
    assert answer.status_code == 200
    assert [heard(connection) for connection in silent] == [b""] * 80
    for connection in (*half, *without):
        said = heard(connection)
        assert status(said) == 408
        assert b'{"detail":"The ' in said
    # Each that said something has its line, the request in between too.
    assert sorted(record.status for record in records) == [200] + [408] * 120
    assert all("in time" in record.reason for record in records if record.status == 408)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (
            b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            400,
        ),
        (b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 400_000, 431),
        (b"GET /" + b"x" * 400_000, 431),
        (b"GET / HTTP/1.1\r\n\r\n", 421),
        (b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n", 200),
    ],
    ids=range(8),
)
def test_what_is_no_request_is_answered_and_told_in_a_line(port, records, said, expected):
    records.clear()
    connection = opened(port)
    answer = b""
    with contextlib.suppress(OSError):  # it answers, and closes, before it has heard all
        connection.sendall(said)
        answer = heard(connection)
    if expected != 431 or answer:
        assert status(answer) == expected
    assert [record.status for record in records] == [expected]


def test_a_second_request_may_not_be_slow_either(port, records):
    records.clear()
    connection = opened(port, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" + HALF)
    said = heard(connection)
    assert said.count(b"HTTP/1.1 ") == 2
    assert sorted(record.status for record in records) == [200, 408]


def test_more_connections_than_are_taken_get_a_word(port, records):
    time.sleep(0.1)
    records.clear()
    held = [opened(port) for _ in range(LIMITS.connections)]
    said = heard(opened(port))
    assert status(said) == 503
    for connection in held:
        connection.close()
    assert [record.status for record in records] == [503]


def test_a_refusal_reaches_a_client_that_is_still_sending(port):
    body = b"x" * 3_000_000
    headers = {"Host": "evil.example"}
    answer = httpx.post(f"http://127.0.0.1:{port}/predict", content=body, headers=headers)
    assert answer.status_code == 421


def test_a_client_that_goes_away_harms_nobody(port, records):
    records.clear()
    for _ in range(5):
        opened(port, NO_BODY).close()
    answer = httpx.get(f"http://127.0.0.1:{port}/health")
    assert answer.status_code == 200
    time.sleep(0.1)
    assert len(records) == 6


def test_who_does_not_take_an_answer_is_let_go(port):
    ask = b"GET /vendor/swagger-ui/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    connection.sendall(ask * 5)
    time.sleep(2.5)
    first = heard(connection)
    assert b" 200 OK" in first
    assert len(first) < 5 * 1_700_000  # the rest never came
