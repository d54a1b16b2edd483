"""What a process of latency.py does: say what it can run, then time what it is told, in turns."""

import json
import sys
import time
from collections.abc import Callable, Mapping


def take_turns(ways: Mapping[str, Callable[[], object]]) -> None:
    """Answer lines of a way and seconds with the milliseconds of each call, until input ends.

    Args:
        ways: What runs a network once and waits for its result, by name.
    """
    print(json.dumps(list(ways)), flush=True)
    for line in sys.stdin:
        name, seconds = line.split()
        for _ in range(2):
            ways[name]()
        spent: list[float] = []
        end = time.perf_counter() + float(seconds)
        while time.perf_counter() < end or len(spent) < 3:
            began = time.perf_counter()
            ways[name]()
            spent.append(1e3 * (time.perf_counter() - began))
        print(json.dumps(spent), flush=True)
