"""A server under attack, beside four honest clients: what these wait, and whether any is lost.

    python benchmarks/hostile.py ARTIFACT --seconds 600

starts `maskwright serve ARTIFACT` with a token. Four honest clients, each with an address of its
own, send a JPEG of 256 px, wait for the mask and then a tenth of a second. They do so alone, then
beside an attacker whose eight threads send, from one address and without a pause: files on which a
reader hangs or that unpack to gigabytes, large images, files that name other files, damaged pixels,
guesses of the token, uploads that stop or are left.

One JSON line goes to standard output: `p50` and `p95` of the honest clients in milliseconds, alone
and beside the attacker, `ratio` of the two `p95`, `requests`, how many were `lost` (no mask,
or another one), `rss_mb` of the server with its processes before, at most and after, `hostile` the
statuses that the attacker got, `end_s` until the server has ended after SIGTERM.
"""

import io
import json
import os
import struct
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import psutil
import typer
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent))
from serving import server

TOKEN = "An-honest-token-0123456789"
HONEST, HOSTILE_THREADS, PAUSE_S = 4, 8, 0.1
ATTACKER = "127.0.0.66"
PATIENCE_S = 90.0
BOUNDARY = "a-file-comes-here"


def form(name: str, data: bytes) -> bytes:
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'
    )
    return head.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()


def tiff(entries: dict[int, int], data: bytes = b"", second: bytes = b"") -> bytes:
    """A TIFF of one directory from tags with one number each; `data` at 1,000, `second` at 500."""
    parts = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items())]
    directory = struct.pack("<H", len(parts)) + b"".join(parts)
    head = b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 500 if second else 0)
    return (head.ljust(500, b"\0") + second).ljust(1000, b"\0") + data


def encoded(image: np.ndarray, format: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, format)
    return file.getvalue()


def hostile_files() -> list[tuple[str, str, bytes]]:
    """Path, name and content of what the attacker sends."""
    small = {256: 64, 257: 64, 258: 8, 259: 1, 262: 1, 273: 1000, 277: 1, 278: 64, 279: 4096}
    tile = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1, 322: 50_000, 323: 50_000}
    packed = zlib.compress(bytes(10**8), 1)
    sparse = {256: 131_072, 257: 131_072, 258: 8, 259: 1, 262: 1, 277: 1, 322: 512, 323: 512}
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    damaged = bytearray(encoded(noise, "PNG"))
    damaged[len(damaged) // 2] ^= 1
    wide = io.BytesIO()
    Image.new("1", (40_000, 40_000)).save(wide, "PNG")
    near = encoded(np.zeros((3990, 4000, 3), np.uint8), "PNG")
    vrt = (
        b'<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="Byte" band="1">'
        b"<SimpleSource><SourceFilename>/etc/passwd</SourceFilename></SimpleSource>"
        b"</VRTRasterBand></VRTDataset>"
    )
    loop = struct.pack("<HI", 0, 500)  # a directory without entries, which names itself as the next
    return [
        ("/predict", "loop.tif", tiff(small, bytes(4096), loop)),
        ("/api/images", "loop.tif", tiff(small, bytes(4096), loop)),
        ("/predict", "tile.tif", tiff({**tile, 324: 1000, 325: len(packed)}, packed)),
        ("/predict", "wide.png", wide.getvalue()),
        ("/api/images", "sparse.tif", tiff({**sparse, 324: 0, 325: 0})),
        *[("/predict", "near.png", near)] * 4,
        ("/predict", "a.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n"),
        ("/api/images", "x.jp2", vrt),
        ("/predict", "damaged.png", bytes(damaged)),
    ]


def ask(
    connection: HTTPConnection, path: str, body: bytes, token: str = TOKEN
) -> tuple[int, bytes]:
    headers = {
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Authorization": f"Bearer {token}",
    }
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    return response.status, response.read()


def connect(port: int, address: str) -> HTTPConnection:
    return HTTPConnection("127.0.0.1", port, PATIENCE_S, source_address=(address, 0))


class Attack:
    """Threads that send until they are ended."""

    def __init__(self, port: int, files: list[tuple[str, str, bytes]]) -> None:
        self.port, self.files, self.over = port, files, threading.Event()
        self.statuses: Counter[str] = Counter()
        works = [self.send] * (HOSTILE_THREADS - 2) + [self.guess, self.leave]
        self.threads = [
            threading.Thread(target=work, args=(number,), daemon=True)
            for number, work in enumerate(works)
        ]

    def __enter__(self) -> "Attack":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE_S)

    def send(self, number: int) -> None:
        """Send one file after another, each thread from another one on."""
        order = cycle(self.files[number * 2 :] + self.files[: number * 2])
        while not self.over.is_set():
            path, name, data = next(order)
            connection = connect(self.port, ATTACKER)
            try:
                status, _ = ask(connection, path, form(name, data))
                self.statuses[f"{name} {status}"] += 1
            except (OSError, HTTPException) as error:
                self.statuses[f"{name} {type(error).__name__}"] += 1
            connection.close()

    def guess(self, _: int) -> None:
        """Guess tokens."""
        address = "127.0.0.67"  # or the attacker would lock itself out
        while not self.over.wait(0.01):
            with suppress(OSError, HTTPException):
                connection = connect(self.port, address)
                status, _body = ask(connection, "/predict", b"", f"guess-{time.monotonic_ns()}")
                self.statuses[f"guess {status}"] += 1
                connection.close()

    def leave(self, _: int) -> None:
        """Leave requests that are worked on, and stop in the middle of others."""
        path, name, data = self.files[5]
        for whole in cycle((True, False)):
            if self.over.wait(0.5):
                return
            with suppress(OSError, HTTPException):
                connection = connect(self.port, ATTACKER)
                body = form(name, data)
                connection.putrequest("POST", path)
                connection.putheader("Authorization", f"Bearer {TOKEN}")
                connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
                connection.putheader("Content-Length", str(len(body)))
                connection.endheaders(body if whole else body[:-20])
                time.sleep(0.2)
                connection.close()


@contextmanager
def attacked(port: int) -> Iterator[dict[str, int]]:
    """A server under attack; the statuses that the attacker got, once it is over.

    The attacker has a process of its own, of low priority, as it would have a machine of its own.
    """
    statuses: dict[str, int] = {}
    context = get_context("spawn")
    over, queue = context.Event(), context.Queue()
    process = context.Process(target=attack, args=(port, over, queue), daemon=True)
    process.start()
    queue.get()
    yield statuses
    over.set()
    statuses |= queue.get()
    process.join()


def attack(port: int, over: Any, queue: Any) -> None:
    """Attack until it is over; first and last, what was got goes into the queue."""
    os.nice(19)
    with Attack(port, hostile_files()) as threads:
        queue.put({})
        over.wait()
    queue.put(dict(sorted(threads.statuses.items())))


def honest(port: int, image: bytes, seconds: float) -> dict[str, Any]:
    """What the honest clients waited, seconds, and how many requests were lost."""
    took: list[float] = []
    masks: set[bytes] = set()
    lost: list[str] = []

    def work(number: int) -> None:
        connection = connect(port, f"127.0.0.{11 + number}")
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            began = time.perf_counter()
            try:
                status, mask = ask(connection, "/predict", form("honest.jpg", image))
            except (OSError, HTTPException) as error:
                lost.append(type(error).__name__)
                connection.close()
                continue
            took.append(time.perf_counter() - began)
            if status == 200:
                masks.add(mask)
            else:
                lost.append(str(status))
            time.sleep(PAUSE_S)
        connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(HONEST)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    p50, p95 = (round(float(np.percentile(took, q)) * 1000, 1) for q in (50, 95))
    number = len(lost) + max(0, len(masks) - 1)
    return {"p50": p50, "p95": p95, "requests": len(took), "lost": number, "why": lost[:5]}


def memory(pid: int) -> float:
    """Memory of a process and those that it started, MB; what they share is counted once each."""
    process = psutil.Process(pid)
    total = 0
    for each in (process, *process.children(recursive=True)):
        with suppress(psutil.Error):
            total += each.memory_full_info().pss
    return round(total / 2**20, 1)


def watched(pid: int, over: threading.Event) -> Iterator[float]:
    while not over.wait(0.5):
        yield memory(pid)


def measure(artifact: Path, seconds: float) -> dict[str, Any]:
    """Everything, with a server of its own; see the head of this file."""
    image = encoded(
        np.random.default_rng(1).integers(0, 255, (256, 256, 3), dtype=np.uint8), "JPEG"
    )
    with tempfile.TemporaryDirectory() as folder:
        token = Path(folder) / "token"
        token.write_text(TOKEN)
        with server(artifact, "--token-file", str(token)) as (port, pid):
            honest(port, image, 2.0)
            before = memory(pid)
            alone = honest(port, image, max(5.0, seconds / 5))
            over, held = threading.Event(), [before]
            watching = threading.Thread(target=lambda: held.extend(watched(pid, over)))
            watching.start()
            with attacked(port) as statuses:
                time.sleep(1.0)
                beside = honest(port, image, seconds)
            over.set()
            watching.join()
            time.sleep(2.0)
            after = memory(pid)
            began = time.monotonic()
        ended = time.monotonic() - began
    return {
        "alone": alone,
        "beside": beside,
        "ratio": round(beside["p95"] / alone["p95"], 2),
        "lost": alone["lost"] + beside["lost"],
        "rss_mb": [before, max(held), after],
        "hostile": statuses,
        "end_s": round(ended, 1),
    }


def main(
    artifact: Annotated[Path, typer.Argument(help="Exported model.")],
    seconds: Annotated[float, typer.Option(help="Length of the attack.")] = 600.0,
) -> None:
    """Attack, and print what became of the honest clients."""
    print(json.dumps(measure(artifact, seconds)))


if __name__ == "__main__":
    typer.run(main)
