"""Commands that are killed at any moment and started again: nothing lost, nothing left over.

`python tests/kills/killing.py --kills 300` prints a table. A command runs once undisturbed; then it
is killed by SIGKILL at moments spread over that time, each time in a new folder, and started again.
The second run has to end well, to the same files, and to leave no temporary ones. Of a server,
`killed_server.py` tells what is asked.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import numpy as np
from killed_server import kill_servers

from maskwright.data.synthetic import write_dataset
from maskwright.export.listing import LIST_FILE, read_listing
from maskwright.imageio import write_image

TINY = [
    *("--set", "encoder=plain", "--set", "encoder_weights=none", "--set", "encoder_widths=[4,8]"),
    *("--set", "batch_size=4", "--set", "previews=0", "--epochs", "3"),
]
ENGINE_CACHE = "prepared"
"""Folder in a run that only makes the next prediction faster."""


@dataclass(frozen=True)
class Case:
    """A command, and the files that have to be the same however often it was killed.

    `command` gets the folder with what all cases share and the folder for results, `again` what is
    added where the results of a killed run are there, `same` the patterns of the files compared.
    What is made `once` is complete as soon as it is there.
    """

    command: Callable[[Path, Path], Sequence[object]]
    same: tuple[str, ...] = ("**/*",)
    again: Callable[[Path], Sequence[str]] = lambda out: ()
    once: bool = False


def _resume(out: Path) -> Sequence[str]:
    return ["--resume"] if (out / "plan.yaml").exists() else []


def _train(*settings: str) -> Callable[[Path, Path], Sequence[object]]:
    every = ("--set", "checkpoint_seconds=0")
    return lambda shared, out: ["train", shared / "data", "-o", out, *TINY, *every, *settings]


def _predict(run: str, *options: str) -> Callable[[Path, Path], Sequence[object]]:
    return lambda shared, out: [
        *("predict", shared / run, shared / "data" / "images", "-o", out, *options)
    ]


_WEIGHTS = ("checkpoints/last.npz", "checkpoints/best.npz")
CASES: dict[str, Case] = {
    "train": Case(_train("--set", "size=64"), _WEIGHTS, _resume),
    "train objects": Case(
        _train("--set", "objects=centers", "--set", "crop=64"), _WEIGHTS, _resume
    ),
    "evaluate": Case(
        lambda shared, out: ["evaluate", shared / "masks", shared / "data", "-o", out]
    ),
    "predict": Case(_predict("masks", "--probabilities")),
    "predict objects": Case(_predict("objects")),
    "predict regions": Case(
        lambda shared, out: [
            *("regions", "predict", shared / "regions", shared / "data" / "images", "-o", out)
        ]
    ),
    "predict large": Case(
        lambda shared, out: [
            *("predict", shared / "masks", shared / "large.png", "-o", out),
            *("--large", "--polygons"),
        ]
    ),
    "predict with Ray": Case(_predict("masks", "--engine", "ray")),
    "export": Case(
        lambda shared, out: ["export", shared / "masks", "-o", out, "--format", "onnx"],
        ("selftest.npz", "learned_images.json"),  # tf2onnx writes nodes in any order
        once=True,
    ),
}
STORE = "store of the page"
NAMES = (*CASES, STORE)


@dataclass(frozen=True)
class Outcome:
    """What came of a command that was killed; `fault` is empty where all is well."""

    case: str
    seconds: float
    fault: str


def prepare(shared: Path) -> None:
    """Data, an image to be read by windows, and a run of each task."""
    write_dataset(shared / "data", num_images=24, size=96, seed=0)
    rng = np.random.default_rng(0)
    write_image(shared / "large.png", rng.integers(0, 255, (900, 1100, 3)).astype(np.uint8))
    regions = ["--set", "label_by=class", "--set", "positive=spindle", "--set", "size=32"]
    for name, settings in (
        ("masks", ["--set", "crop=64"]),
        ("objects", ["--set", "objects=centers", "--set", "crop=64"]),
        ("regions", [*regions, "--segmenter", shared / "masks"]),
    ):
        verb = ["regions", "train"] if name == "regions" else ["train"]
        ended = _start([*verb, shared / "data", "-o", shared / name, *TINY, *settings], shared)
        _, errors = ended.communicate()
        assert ended.returncode == 0, errors


def _start(command: Sequence[object], temporary: Path) -> "subprocess.Popen[str]":
    """A command in a process group of its own, on one thread, so that sums come out alike."""
    one = dict.fromkeys(
        ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), "1"
    )
    program = [sys.executable, "-c", "from maskwright.cli import main; main()"]
    return subprocess.Popen(
        [*program, *map(str, command)],
        env={**os.environ, **one, "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def digests(out: Path, patterns: Sequence[str]) -> dict[str, str]:
    """Checksum of every file of some patterns, dates aside; of arrays, of what they hold."""
    result = {}
    for path in sorted({path for pattern in patterns for path in out.glob(pattern)}):
        if not path.is_file() or path.name in ("manifest.jsonl", "report.html"):
            continue
        content = path.read_bytes()
        if path.name == "scores.json":
            content = re.sub(rb'"date": ".*?"', b"", content)
        if path.suffix == ".npz":
            with np.load(path) as file:
                content = b"".join(file[name].tobytes() for name in file.files if name != "state")
        result[path.relative_to(out).as_posix()] = hashlib.sha256(content).hexdigest()
    return result


def leftovers(out: Path, temporary: Path) -> list[str]:
    """Hidden files in and beside the results, and all of ours that is temporary."""
    hidden = [*out.rglob(".*"), *out.parent.glob(".*")]
    return sorted(path.name for path in [*hidden, *temporary.glob("*maskwright*")])


def run(cases: Sequence[str], kills: int, place: Path, jobs: int = 1) -> Iterator[Outcome]:
    """Outcomes of each case, killed `kills` times; as many cases at a time as there are `jobs`."""
    shared = place / "shared"
    shared.mkdir(parents=True)
    prepare(shared)
    outcomes: Queue[Outcome | None] = Queue()

    def run_case(name: str) -> None:
        try:
            folder = place / str(cases.index(name))  # short, as names of sockets in it are
            if name == STORE:
                for ended in kill_servers(folder, kills):
                    outcomes.put(Outcome(name, *ended))
            else:
                for outcome in _outcomes(name, kills, shared, folder):
                    outcomes.put(outcome)
        finally:
            outcomes.put(None)

    with ThreadPoolExecutor(jobs) as pool:
        works = [pool.submit(run_case, name) for name in cases]
        for _ in cases:
            yield from iter(outcomes.get, None)
        for work in works:
            work.result()


def _outcomes(name: str, kills: int, shared: Path, place: Path) -> Iterator[Outcome]:
    """Outcomes of a case, which has a folder of its own."""
    case = CASES[name]
    place.mkdir()
    reference, out, temporary = place / "reference", place / "out", place / "temporary"
    began = time.monotonic()
    whole = _start(case.command(shared, reference), shared)
    _, errors = whole.communicate()
    assert whole.returncode == 0, errors
    seconds = time.monotonic() - began
    expected = digests(reference, case.same)
    for number in range(kills):
        temporary.mkdir()
        after = seconds * (number + 0.5) / kills
        yield Outcome(name, after, _killed(case, shared, out, temporary, after, expected))
        shutil.rmtree(out, ignore_errors=True)
        shutil.rmtree(temporary)


def _killed(
    case: Case, shared: Path, out: Path, temporary: Path, seconds: float, expected: dict[str, str]
) -> str:
    first = _start(case.command(shared, out), temporary)
    try:
        first.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(first.pid, 9)
        first.communicate()
    done = case.once and out.exists()
    if not done:
        second = _start([*case.command(shared, out), *case.again(out)], temporary)
        _, errors = second.communicate()
        if second.returncode:
            return f"the second run ends with {second.returncode}: {errors[-400:]}"
    if (out / LIST_FILE).exists():
        read_listing(out)  # refuses what is not whole
    actual = digests(out, case.same)
    if actual != expected:
        names = {name for name in {*actual, *expected} if actual.get(name) != expected.get(name)}
        return f"other files: {', '.join(sorted(names)[:5])}"
    left = [] if done else leftovers(out, temporary)
    return f"left over: {', '.join(left[:5])}" if left else ""


def table(outcomes: Sequence[Outcome]) -> str:
    """Kills and faults of each case, and every fault."""
    lines = [f"{'case':<18} kills faults"]
    for name in dict.fromkeys(outcome.case for outcome in outcomes):
        those = [outcome for outcome in outcomes if outcome.case == name]
        lines.append(f"{name:<18} {len(those):5} {sum(bool(o.fault) for o in those):6}")
    lines += [f"{o.case} after {o.seconds:.2f} s: {o.fault}" for o in outcomes if o.fault]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="of all cases together")
    parser.add_argument("--jobs", type=int, default=1, help="cases at a time")
    parser.add_argument("--cases", nargs="*", default=NAMES, choices=NAMES)
    options = parser.parse_args()
    outcomes = []
    with tempfile.TemporaryDirectory() as place:
        kills = -(-options.kills // len(options.cases))
        for outcome in run(options.cases, kills, Path(place), options.jobs):
            outcomes.append(outcome)
            print(outcome, flush=True)
    print(table(outcomes))
    sys.exit(any(outcome.fault for outcome in outcomes))


if __name__ == "__main__":
    main()
