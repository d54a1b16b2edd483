"""Thousands of mutated files of every kind: each ends in a result or in one sentence.

`python tests/fuzz/harness.py --inputs 20000` prints a table; with `--kinds coco --number 17` it
opens one input in this process, with its traceback. Inputs are the same for the same numbers.
"""

import argparse
import gc
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[n]) for n in range(2)]

SECONDS, MEGABYTES = 10, 1024
"""That an input may take."""
_LONGEST_SENTENCE = 1000


@dataclass(frozen=True)
class Outcome:
    """What came of an input: `result`, `sentence`, or what is wrong with how it ended."""

    kind: str
    number: int
    ended: str
    text: str = ""
    seconds: float = 0.0
    megabytes: float = 0.0

    @property
    def held(self) -> bool:
        """Whether it ended as it should."""
        return self.ended in ("result", "sentence")


def numbers(kinds: Sequence[str], inputs: int) -> dict[str, range]:
    """Inputs of each kind, by the weights of the kinds."""
    from kinds import KINDS

    total = sum(KINDS[name].weight for name in kinds)
    return {name: range(max(1, round(inputs * KINDS[name].weight / total))) for name in kinds}


def seeds(kinds: Sequence[str], place: Path) -> None:
    """Write the valid files of each kind below `place`; trains a tiny model where one is needed."""
    from kinds import KINDS, _folders

    import maskwright
    from maskwright.types import ignore_message

    run = place / "trained"
    if any(KINDS[name].run for name in kinds):
        data = place / "data"
        data.mkdir(parents=True)
        _folders(data)
        tiny = {"encoder": "plain", "encoder_weights": None, "encoder_widths": (2, 4)}
        tiny |= {"force": True, "on_message": ignore_message}  # six images are few
        maskwright.train(data, run, size=24, epochs=1, previews=0, **tiny)
    for name in kinds:
        folder = place / name
        if KINDS[name].run:
            shutil.copytree(run, folder)
        else:
            folder.mkdir(parents=True)
        KINDS[name].write(folder)
        KINDS[name].open(folder)  # valid, or the mutations of it show nothing


def mutated(name: str, number: int, place: Path, folder: Path) -> None:
    """Make `folder` the input of a kind with a number."""
    from kinds import KINDS
    from mutate import mutate

    kind = KINDS[name]
    shutil.copytree(place / name, folder)
    rng = np.random.default_rng([number, zlib.crc32(name.encode())])
    victims = sorted({path for v in kind.victims for path in folder.glob(v) if path.is_file()})
    victim = victims[rng.integers(len(victims))]
    victim.write_bytes(mutate(victim.name, victim.read_bytes(), rng))
    if kind.mend is not None and rng.random() < 0.7:
        kind.mend(folder)


def opened(name: str, number: int, place: Path) -> Outcome:
    """Open an input and say how it ended."""
    from kinds import KINDS

    from maskwright.errors import MaskwrightError

    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        folder = Path(temporary) / "input"
        mutated(name, number, place, folder)
        os.environ["XDG_CACHE_HOME"] = str(Path(temporary) / "cache")
        gc.collect()
        before = _memory("VmRSS", reset=True)
        start = time.monotonic()
        ended, text = "result", ""
        try:
            KINDS[name].open(folder)
        except MaskwrightError as error:
            ended, text = "sentence", str(error)
            if "\n" in text or len(text) > _LONGEST_SENTENCE:
                ended = "not a sentence"
        except Exception:
            ended, text = "traceback", traceback.format_exc()
        seconds = time.monotonic() - start
        megabytes = _memory("VmHWM") - before
    if megabytes > MEGABYTES:
        ended = "memory"
    if seconds > SECONDS:
        ended = "time"
    return Outcome(name, number, ended, text, seconds, megabytes)


def _memory(field: str, reset: bool = False) -> float:
    """Memory of this process in MB, from /proc; `reset` starts its maximum anew."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def _serve(connection: Connection, place: Path) -> None:
    """Open inputs until the other end is closed; runs in a process of its own."""
    import resource

    limit = 12 * 2**30  # the machine outlives what takes everything
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    quiet = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(quiet, stream)
    import kinds  # noqa: F401

    gc.freeze()  # what was imported takes long to look through
    while True:
        try:
            connection.send(opened(*connection.recv(), place))
        except EOFError:
            return


class Opener:
    """A process that opens inputs, replaced where an input kills it or takes too long."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._start()

    def _start(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._here, there = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(there, self.place), daemon=True)
        self._process.start()
        there.close()

    def open(self, name: str, number: int) -> Outcome:
        """What came of an input."""
        self._here.send((name, number))
        try:
            # Loading TensorFlow is not the input's time; 60 s are for a busy machine.
            if self._here.poll(SECONDS + 60):
                return self._here.recv()
            ended = "hang"
        except (EOFError, OSError):
            ended = "crash"
        self.close()
        ended += f" (exit code {self._process.exitcode})"
        self._start()
        return Outcome(name, number, ended)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()


def run(kinds: Sequence[str], inputs: int, place: Path) -> Iterator[Outcome]:
    """Outcomes of many inputs."""
    seeds(kinds, place)
    opener = Opener(place)
    try:
        for name, each in numbers(kinds, inputs).items():
            for number in each:
                yield opener.open(name, number)
    finally:
        opener.close()


def table(outcomes: Sequence[Outcome]) -> str:
    """How the inputs of each kind ended, and every fault."""
    by_kind: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_kind[outcome.kind].append(outcome)
    lines = [f"{'kind':<16} inputs results sentences faults  longest s  most MB"]
    for name, those in by_kind.items():
        ended = Counter("fault" if not o.held else o.ended for o in those)
        lines.append(
            f"{name:<16} {len(those):6} {ended['result']:7} {ended['sentence']:9} "
            f"{ended['fault']:6} {max(o.seconds for o in those):10.2f} "
            f"{max(o.megabytes for o in those):8.0f}"
        )
    for o in outcomes:
        if not o.held:
            lines.append(f"\n{o.kind} {o.number}: {o.ended} {o.seconds:.1f} s\n{o.text[-1500:]}")
    return "\n".join(lines)


def main() -> None:
    from kinds import KINDS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--number", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-seeds-") as place:
        if options.number is not None:
            seeds(options.kinds, Path(place))
            outcome = opened(options.kinds[0], options.number, Path(place))
            print(outcome.ended, outcome.text)
            return
        outcomes = list(run(options.kinds, options.inputs, Path(place)))
    print(table(outcomes))
    sys.exit(not all(outcome.held for outcome in outcomes))


if __name__ == "__main__":
    main()
