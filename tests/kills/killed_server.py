"""A server of the page that is killed at any moment, and what the next one holds of its answers.

Clients send images, settings and strokes, and keep them for training, while the server is killed.
Images and strokes live as long as their server, the training data beyond it.
"""

import gzip
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import httpx2 as httpx
import numpy as np

from maskwright.data import open_dataset
from maskwright.imageio import list_images, read_mask

TESTS = Path(__file__).parents[1]
SERVER = """
import sys
from made_up_models import TWO, brightness, masks, objects, registry
from maskwright.serving import server
server.open_models = lambda *_: registry(masks("cells", TWO, brightness), objects("squares"))
server.serve([], port=0, keep=sys.argv[1], on_message=lambda _: None, ready=print)
"""
MODELS = ("cells", "squares")
SIZE = 64
LIVES_S = 3.0  # at most, from the first answer to the kill
ENDS_S = 10.0  # that processes of a killed server may take to end


@dataclass
class Sent:
    """An image that was sent, and the versions of its mask of which one has to be in the data.

    A mask is drawn as a square in a corner; its side is its version. 0 is no mask.
    """

    model: str
    content: bytes
    allowed: set[int] = field(default_factory=lambda: {0})


def kill_servers(place: Path, kills: int) -> Iterator[tuple[float, str]]:
    """Seconds that each server lived with clients, and what was wrong afterwards, if anything."""
    kept, temporary = place / "kept", place / "temporary"
    temporary.mkdir(parents=True)
    rng = np.random.default_rng(0)
    sent: list[Sent] = []
    server, address = _start(kept, temporary)
    try:
        for number in range(kills):
            before, seconds = address, LIVES_S * (number + 0.5) / kills
            clients = [_Client(address, sent, seed) for seed in rng.integers(2**31, size=4)]
            time.sleep(seconds)
            os.kill(server.pid, signal.SIGKILL)  # itself alone, as the kernel does
            for client in clients:
                client.join()
            faults = [client.fault for client in clients if client.fault]
            faults += _running(server)
            server, address = _start(kept, temporary)
            faults += _leftovers(kept, temporary) + _training_data(kept, sent)
            lost = [client.id for client in clients if client.id]
            faults += [f"{id} outlives {before}" for id in lost if not _is_gone(address, id)]
            yield seconds, "; ".join(faults)
    finally:
        server.terminate()
        server.communicate()


def _start(kept: Path, temporary: Path) -> tuple["subprocess.Popen[str]", str]:
    """A server on the same folders as the last, and its address."""
    errors = (kept.parent / "errors").open("w")
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(kept)],
        env={
            **os.environ,
            "TMPDIR": str(temporary),
            "PYTHONPATH": os.pathsep.join(filter(None, [*sys.path, str(TESTS)])),
        },
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        start_new_session=True,
    )
    assert server.stdout is not None
    line = server.stdout.readline()
    errors.close()
    assert re.match("http://", line), (kept.parent / "errors").read_text()
    return server, line.strip()


class _Client(threading.Thread):
    """Sends images, and keeps each with several masks, until the server ends."""

    def __init__(self, address: str, sent: list[Sent], seed: int) -> None:
        super().__init__(daemon=True)
        self.fault, self.id = "", ""
        self._http = httpx.Client(base_url=f"{address}/api", timeout=30)
        self._sent, self._rng = sent, np.random.default_rng(seed)
        self.start()

    def run(self) -> None:
        """Until a request is not answered."""
        with self._http, suppress(httpx.TransportError):
            while not self.fault:
                try:
                    self._send_image()
                except AssertionError as error:
                    self.fault = f"a wrong answer: {error}"

    def _send_image(self) -> None:
        image = self._rng.integers(0, 255, (SIZE, SIZE, 3)).astype(np.uint8)
        content = cv2.imencode(".png", image)[1].tobytes()
        sent = Sent(str(self._rng.choice(MODELS)), content)
        self._sent.append(sent)
        files = {"image": ("same name.png", content)}
        state = self._ask("POST", f"images?model={sent.model}", files=files).json()
        self.id = state["id"]
        while state["status"] != "done":
            state = self._ask("GET", f"images/{self.id}?wait=5").json()
            assert state["status"] != "failed", state
        for side in self._rng.permutation(np.arange(1, SIZE))[:4]:
            self._edit(int(side))
            sent.allowed.add(int(side))  # from here on it may be there
            self._ask("POST", f"images/{self.id}/keep?replace=true")
            sent.allowed = {int(side)}  # and from here on it is

    def _edit(self, side: int) -> None:
        """Change the settings and draw a square; both are there when they are answered."""
        image = f"images/{self.id}"
        (mask,) = self._ask("GET", image).json()["layers"]
        body = {**mask["settings"], "min_area_px": side, "version": mask["version"]}
        (mask,) = self._ask("PUT", f"{image}/settings", json=body).json()["layers"]
        labels = np.zeros((SIZE, SIZE), np.uint8)
        labels[:side, :side] = 1
        strokes = f"{image}/strokes?version={mask['version']}"
        self._ask("PUT", strokes, content=gzip.compress(labels.tobytes()))
        (mask,) = self._ask("GET", image).json()["layers"]
        assert mask["settings"]["min_area_px"] == side, "other settings"
        assert self._ask("GET", f"{image}/strokes").content == labels.tobytes(), "other strokes"

    def _ask(self, method: str, path: str, **content: object) -> httpx.Response:
        answer = self._http.request(method, path, **content)
        assert answer.is_success, answer.text
        return answer


def _running(server: "subprocess.Popen[str]") -> list[str]:
    """Processes that outlive a killed server."""
    server.communicate()
    ends = time.monotonic() + ENDS_S
    while time.monotonic() < ends:
        try:
            os.killpg(server.pid, 0)
        except ProcessLookupError:
            return []
        time.sleep(0.05)
    return ["processes of the killed server are still running"]


def _is_gone(address: str, id: str) -> bool:
    answer = httpx.get(f"{address}/api/images/{id}")
    return answer.status_code == 404 and answer.json()["code"] == "image_gone"


def _leftovers(kept: Path, temporary: Path) -> list[str]:
    """What is hidden in the training data, and temporary folders beside the two of a server."""
    hidden = [path.name for path in kept.rglob(".*")]
    folders = sorted(path.name for path in temporary.iterdir())
    expected = len(folders) == 2 and re.match("maskwright-serve-.* pymp-", " ".join(folders))
    return [f"left over: {name}" for name in hidden + folders * (not expected)]


def _training_data(kept: Path, sent: list[Sent]) -> list[str]:
    """What is wrong with the data: images lost, masks that are not theirs, pairs in pieces."""
    faults = []
    for model in MODELS:
        folder = kept / model
        images = list_images(folder / "images") if (folder / "images").is_dir() else []
        stored = {path.read_bytes(): path for path in images}
        known = {item.content: item for item in sent if item.model == model}
        faults += [f"{stored[content].name} was never sent" for content in stored.keys() - known]
        for content, item in known.items():
            side = _side_of(folder, stored[content].stem) if content in stored else 0
            if side not in item.allowed:
                faults.append(f"a mask of {model} is {side}, expected one of {item.allowed}")
        names = {path.stem for path in images}
        for kind in ("masks", "instances")[: 1 + (model == "squares")]:
            others = {path.stem for path in (folder / kind).glob("*")} ^ names
            faults += [f"{name} of {model} is not whole: {kind}" for name in others]
        if images:
            dataset = open_dataset(folder)
            if dataset.skipped or len(dataset.samples) != len(images):
                faults.append(f"{model} has {len(dataset.samples)} of {len(images)} images")
    return faults


def _side_of(folder: Path, stem: str) -> int:
    """Side of the square that masks of an image show; -1 if they show none, or two."""
    labels = read_mask(folder / "masks" / f"{stem}.png").values
    side = int((labels[0] == 1).sum())
    expected = np.zeros((SIZE, SIZE), np.uint8)
    expected[:side, :side] = 1
    numbers = folder / "instances" / f"{stem}.png"
    planes = [labels, *([read_mask(numbers).values] if numbers.exists() else [])]
    return side if all(np.array_equal(plane, expected) for plane in planes) else -1
