"""`maskwright serve` as a process: without TensorFlow, with a token, ended by a signal."""

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from tiny_models import packed, two_squares, write_artifact

PROGRAM = [sys.executable, "-c", "import sys; from maskwright.cli import main; sys.exit(main())"]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    return write_artifact(tmp_path_factory.mktemp("exported") / "cells")


class Serving:
    """The program, until it ends; `address` is what it says that it answers at."""

    def __init__(self, *arguments, **environment):
        self.process = subprocess.Popen(
            [*PROGRAM, "serve", *map(str, arguments), "--port", "0"],
            stderr=subprocess.PIPE,
            text=True,
        )
        first = self.process.stderr.readline()
        self.address = re.search(r"http://\S+", first)[0]
        self.first = first

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        _, told = self.process.communicate(timeout=20)
        return self.process.returncode, told


def loaded(process):
    """Libraries that a process has loaded."""
    return Path(f"/proc/{process.pid}/maps").read_text()


def test_an_onnx_artifact_is_served_without_tensorflow_and_a_signal_finishes_what_was_taken_on(
    artifact,
):
    serving = Serving(artifact)
    assert "with cells;" in serving.first
    files = {"image": ("a.png", packed(two_squares()))}
    answer = httpx.post(f"{serving.address}/predict", files=files)
    assert answer.status_code == 200
    maps = loaded(serving.process)
    assert "onnxruntime" in maps
    assert "tensorflow" not in maps

    request = httpx.Request("POST", f"{serving.address}/predict", files=files)
    body = request.read()
    head = f"POST /predict HTTP/1.1\r\nHost: {request.url.netloc.decode()}\r\n"
    head += (
        f"Content-Type: {request.headers['content-type']}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    host, port = request.url.host, request.url.port
    taken = [socket.create_connection((host, port), timeout=10) for _ in range(6)]
    for connection in taken:
        connection.sendall(head.encode() + body[:-10])
    time.sleep(0.3)
    serving.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    with pytest.raises(OSError):  # nothing new is taken on
        socket.create_connection((host, port), timeout=1)
    for connection in taken:
        connection.sendall(body[-10:])
    for connection in taken:
        said = b""
        while part := connection.recv(65536):
            said += part
        connection.close()
        assert said.startswith(b"HTTP/1.1 200 OK")
        assert said.endswith(answer.content)
    _, told = serving.process.communicate(timeout=20)
    assert serving.process.returncode == 0
    lines = told.splitlines()
    assert len(lines) == 7
    assert all(" POST /predict 200 " in line for line in lines)


def test_elsewhere_than_on_loopback_a_token_is_needed(artifact, tmp_path):
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n")
    serving = Serving(f"mine={artifact}", "--host", "0.0.0.0", "--token-file", token)
    port = serving.address.rpartition(":")[2]
    address = f"http://127.0.0.1:{port}"
    assert httpx.get(f"{address}/v2/models/mine").status_code == 401
    headers = {"authorization": "Bearer 0123456789abcdef"}
    assert httpx.get(f"{address}/v2/models/mine", headers=headers).status_code == 200
    assert serving.end(signal.SIGINT)[0] == 0
