"""What a machine has to train with, and how long a step of training took on it."""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_UNKNOWN_MB = 8_000.0


@dataclass(frozen=True)
class Machine:
    """What training can use.

    Args:
        cores: Of the processor, that this process may use.
        memory_mb: Memory that is free.
        disk_mb: Free where decoded images are kept that are too many for the memory.
        accelerators: GPUs.
    """

    cores: int
    memory_mb: float
    disk_mb: float = 100_000.0
    accelerators: int = 0

    def __str__(self) -> str:
        gpus = f", {self.accelerators} GPU{'s' * (self.accelerators > 1)}" * bool(self.accelerators)
        cores = f"{self.cores} core{'s' * (self.cores > 1)}"
        return f"{cores}{gpus}, {self.memory_mb / 1000:.0f} GB of memory free"


@dataclass(frozen=True)
class Timing:
    """A measured training step.

    Args:
        step_s: Seconds that a step takes with its batch, after the first.
        first_s: Seconds of the first step, which compiles.
        memory_mb: By which the memory of the process grew at its peak.
        parameters: Weights of the network.
        busy_s: Seconds that the step took where other work held the processor, so that `step_s`
            follows from its processor time; 0 where none did.
        estimated: Whether it follows from a step of another size.
    """

    step_s: float
    first_s: float = 0.0
    memory_mb: float = 0.0
    parameters: int = 0
    busy_s: float = 0.0
    estimated: bool = False

    def steps(self, minutes: float, phases: int = 1) -> int:
        """Steps in a budget; a tenth goes into validation, and each phase compiles once."""
        return max(int((0.9 * 60 * minutes - phases * self.first_s) / self.step_s), 0)


def this_machine(accelerators: int = 0) -> Machine:
    """The machine that this runs on, within the limits of its container."""
    cache = Path.home() / ".cache"
    there = next((p for p in (cache, *cache.parents) if p.exists()), Path("/"))
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = (_CGROUP / "cpu.max").read_text(encoding="ascii").split()
        cores = min(cores, max(int(int(quota) / int(period)), 1))
    return Machine(cores, _free_mb(), shutil.disk_usage(there).free / 1e6, accelerators)


def _free_mb() -> float:
    """Memory that can be had without swapping, as Linux tells it; a guess elsewhere."""
    free = _UNKNOWN_MB
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = int(next(x for x in lines if x.startswith("MemAvailable")).split()[1]) * 1024 / 1e6
    with suppress(OSError, ValueError):
        most = int((_CGROUP / "memory.max").read_text(encoding="ascii"))
        used = int((_CGROUP / "memory.current").read_text(encoding="ascii"))
        free = min(free, (most - used) / 1e6)
    return free
