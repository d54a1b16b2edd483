"""Load on a server of an exported model: requests a second, waiting, and whether any is lost.

    python benchmarks/serving.py ARTIFACT IMAGES

starts `maskwright serve ARTIFACT` as a process, and another that only sends: real images, cut to
the size of the model and packed as JPEG, over loopback, from 1, 4 and 32 clients at once. The
server unpacks, predicts, and packs the masks as PNG. Before and after, the bare engine runs on the
same images, unpacked already, one by one and eight at once, in a process that does nothing else.

One JSON line goes to standard output. `rate` are requests a second by the number of clients, `p50`
and `p95` milliseconds, `busy` answers 503, each of which was sent again; `unclean` those of them
without a sentence or Retry-After, `lost` requests without a mask, `changed` masks that differ from
the first of the same image (sums of several images at once may round a pixel otherwise). `engine`
is the better rate of the bare engine and `share` what of it the server reaches. `rss_mb` is the
memory of the server before and after all these requests. `crowded` is a server that takes on four
requests, asked by 32 clients.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer

HERE = Path(__file__).resolve().parent
CLIENTS = {1: 300, 4: 600, 32: 1100}  # requests by clients, two thousand together
WARMING = 200
ENGINE_S = 4.0
NUM_IMAGES = 50


@contextmanager
def server(artifact: Path, *options: str) -> Iterator[tuple[int, int]]:
    """Port and process number of `maskwright serve`, which is ended as a user ends it."""
    program = Path(sys.executable).with_name("maskwright")
    command = [program, "serve", artifact, "--port", "0", *options]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            if process.stderr is None:
                raise RuntimeError("The server has no standard error.")
            port = None
            for line in process.stderr:
                if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                    port = int(found[1])
                    break
            if port is None:
                raise RuntimeError("The server did not start.")
            # The lines of all requests are taken from it, or it would wait for a reader.
            taking = subprocess.Popen(["cat"], stdin=process.stderr, stdout=log)
            yield port, process.pid
        finally:
            process.terminate()
            if process.wait(60):
                raise RuntimeError(f"The server ended with {process.returncode}.")
        taking.wait(10)
        process.stderr.close()


def rss_mb(pid: int) -> float:
    """Memory that a process holds."""
    status = Path(f"/proc/{pid}/status").read_text()
    return round(int(status.split("VmRSS:")[1].split()[0]) / 1024, 1)


class Sender:
    """The process that sends."""

    def __init__(self, images: Sequence[Path]) -> None:
        self.images = [str(path) for path in images]
        command = [sys.executable, HERE / "serving_client.py"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def send(self, port: int, clients: int, requests: int) -> dict[str, Any]:
        """What became of a number of requests."""
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("The process has no input.")
        asked = {"port": port, "clients": clients, "requests": requests, "images": self.images}
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """Let the process end."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(10)


def cut(images: Path, size: tuple[int, int], folder: Path) -> list[Path]:
    """The first images of a folder, stretched to a size and packed as JPEG."""
    from maskwright.imageio import find_images, read_image

    paths = []
    for number, path in enumerate(find_images(images)[:NUM_IMAGES]):
        image = cv2.resize(read_image(path)[..., :3], size[::-1], interpolation=cv2.INTER_AREA)
        paths.append(folder / f"{number}.jpg")
        cv2.imwrite(str(paths[-1]), image[..., ::-1])
    return paths


def engine_rate(artifact: Path, paths: Sequence[Path]) -> float:
    """Images a second of the bare engine, the better of one and eight at once."""
    code = (
        "import json, sys, time; import numpy as np; from pathlib import Path\n"
        "from maskwright.export.runtime import load_logits\n"
        "from maskwright.imageio import read_image\n"
        "artifact, seconds, *paths = sys.argv[1:]\n"
        "logits, card = load_logits(Path(artifact))\n"
        "images = np.stack([read_image(path) for path in paths]).astype(np.float32)\n"
        "rates = []\n"
        "for most in (1, 8):\n"
        "    batches = [images[i:i + most] for i in range(0, len(images) - most + 1, most)]\n"
        "    logits(batches[0]); done = 0; began = time.perf_counter()\n"
        "    while time.perf_counter() - began < float(seconds):\n"
        "        done += len(logits(batches[done // most % len(batches)]))\n"
        "    rates.append(done / (time.perf_counter() - began))\n"
        "print(max(rates))\n"
    )
    command = [sys.executable, "-c", code, artifact, str(ENGINE_S), *paths]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def summed(found: dict[str, Any], first: dict[int, str], num_images: int) -> dict[str, Any]:
    """What one number of clients came to; `first` learns the masks, or they are held against it."""
    answers = found["answers"]
    changed = 0
    for number, answer in enumerate(answers):
        if answer:
            changed += first.setdefault(number % num_images, answer) != answer
    took = np.array(found["took"]) * 1000
    return {
        "rate": round(sum(map(bool, answers)) / found["seconds"], 1),
        "p50": round(float(np.percentile(took, 50)), 1),
        "p95": round(float(np.percentile(took, 95)), 1),
        "lost": answers.count(""),
        "busy": found["busy"],
        "unclean": found["unclean"],
        "changed": changed,
    }


def main(
    artifact: Annotated[Path, typer.Argument(help="Exported model of one size.")],
    images: Annotated[Path, typer.Argument(help="Folder of images.")],
) -> None:
    """Send, count, print."""
    from maskwright.model_card import CARD_FILE, SemanticCard

    size = SemanticCard.read(artifact / CARD_FILE).size
    if size is None:
        raise typer.BadParameter("Expected a model that stretches images to one size.")
    with tempfile.TemporaryDirectory() as folder:
        paths = cut(images, size, Path(folder))
        sender = Sender(paths)
        rates = [engine_rate(artifact, paths)]
        results: dict[str, Any] = {}
        first: dict[int, str] = {}
        with server(artifact) as (port, pid):
            sender.send(port, 8, WARMING)
            before = rss_mb(pid)
            for clients, requests in CLIENTS.items():
                results[str(clients)] = summed(
                    sender.send(port, clients, requests), first, len(paths)
                )
            time.sleep(1)
            after = rss_mb(pid)
        rates.append(engine_rate(artifact, paths))
        with server(artifact, "--queue", "4") as (port, _):
            crowded = summed(sender.send(port, 32, 300), first, len(paths))
        sender.close()
    engine = statistics.mean(rates)
    by = {
        key: {clients: one[key] for clients, one in results.items()}
        for key in ("rate", "p50", "p95", "lost", "busy", "unclean", "changed")
    }
    share = {clients: round(one["rate"] / engine, 3) for clients, one in results.items()}
    line = {
        "cores": len(os.sched_getaffinity(0)),
        "size": list(size),
        "engine": round(engine, 1),
        "share": share,
        **by,
        "requests": sum(CLIENTS.values()),
        "rss_mb": [before, after],
        "crowded": crowded,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    typer.run(main)
