"""`maskwright serve` as a process: without TensorFlow, with a token, ended by a signal."""

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2 as httpx
import pytest

from made_up_models import as_file, two_squares, write_artifact

PROGRAM = [sys.executable, "-c", "import sys; from maskwright.cli import main; sys.exit(main())"]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    return write_artifact(tmp_path_factory.mktemp("exported") / "cells")


def test_an_onnx_artifact_is_served_without_tensorflow_and_a_signal_finishes_what_was_taken_on(
    artifact,
):
    command = [*PROGRAM, "serve", artifact, "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    first = process.stderr.readline()
    assert "with cells;" in first
    address = re.search(r"http://\S+", first)[0]
    files = {"image": ("a.png", as_file(two_squares()))}
    answer = httpx.post(f"{address}/predict", files=files)
    assert answer.status_code == 200
    maps = Path(f"/proc/{process.pid}/maps").read_text()
    assert "onnxruntime" in maps
    assert "tensorflow" not in maps

    request = httpx.Request("POST", f"{address}/predict", files=files)
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
    process.send_signal(signal.SIGTERM)
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
    _, told = process.communicate(timeout=20)
    assert process.returncode == 0
    lines = told.splitlines()
    assert len(lines) == 7
    assert all(" POST /predict 200 " in line for line in lines)
