"""Clients of a server, in a process of their own that does nothing but send: see `serving.py`.

Reads one JSON line from standard input: `port`, `clients`, `requests`, and `images`, paths of the
files to send. Every client has one connection and sends one request after another; after a 503 it
waits and sends the same again. Writes one JSON line: what became of all of them.
"""

import hashlib
import json
import sys
import threading
import time
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from typing import Any

BOUNDARY = "an-image-comes-here"
PATIENCE_S = 120.0
PNG = b"\x89PNG\r\n\x1a\n"


def body_of(path: Path) -> bytes:
    head = (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
        f'name="image"; filename="{path.name}"\r\n\r\n'
    )
    return head.encode() + path.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()


class Clients:
    """What all clients share: bodies, the number of the next request, and what came back."""

    def __init__(self, port: int, bodies: list[bytes], requests: int) -> None:
        self.port = port
        self.bodies = bodies
        self.requests = requests
        self.next = count()
        self.took: list[float] = []
        self.answers: list[str] = [""] * requests
        self.busy = 0
        self.unclean = 0

    def work(self) -> None:
        """One client: send until there is nothing left to send."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        while (number := next(self.next)) < self.requests:
            body = self.bodies[number % len(self.bodies)]
            began = time.perf_counter()
            data = self.ask(connection, body)
            self.took.append(time.perf_counter() - began)
            if data.startswith(PNG):
                self.answers[number] = hashlib.sha256(data).hexdigest()
        connection.close()

    def ask(self, connection: HTTPConnection, body: bytes) -> bytes:
        """Answer to a request; nothing where there was none."""
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        ends = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends:
            try:
                connection.request("POST", "/predict", body, headers)
                response = connection.getresponse()
                data = response.read()
            except (OSError, HTTPException):
                connection.close()
                return b""
            if response.status == 200:
                return data
            if response.status != 503:
                return b""
            self.busy += 1
            wait = response.getheader("Retry-After", "")
            try:
                json.loads(data)["detail"]
                time.sleep(min(int(wait), 1) / 4)
            except (ValueError, KeyError):
                self.unclean += 1
        return b""


def measure(port: int, clients: int, requests: int, images: list[Path]) -> dict[str, Any]:
    shared = Clients(port, [body_of(path) for path in images], requests)
    threads = [threading.Thread(target=shared.work) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "seconds": time.perf_counter() - began,
        "took": shared.took,
        "answers": shared.answers,
        "busy": shared.busy,
        "unclean": shared.unclean,
    }


for line in sys.stdin:
    asked = json.loads(line)
    asked["images"] = [Path(name) for name in asked["images"]]
    print(json.dumps(measure(**asked)), flush=True)
