"""Hardware of a machine, and the measured time of a training step on it."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_UNKNOWN_MB = 8_000.0


@dataclass(frozen=True)
class Machine:
    """Hardware available for training; `memory_mb` is free."""

    cores: int
    memory_mb: float
    accelerators: int = 0

    def __str__(self) -> str:
        gpus = f", {self.accelerators} GPU{'s' * (self.accelerators > 1)}" * bool(self.accelerators)
        cores = f"{self.cores} core{'s' * (self.cores > 1)}"
        return f"{cores}{gpus}, {self.memory_mb / 1000:.0f} GB of memory free"


@dataclass(frozen=True)
class Timing:
    """A measured training step.

    Args:
        step_s: Seconds per step, its batch included, after the first step.
        first_s: Seconds of the first step, which compiles.
        busy_s: Measured seconds per step if other processes used the CPU; `step_s` is then computed
            from CPU time. 0 otherwise.
        estimated: Whether `step_s` is extrapolated from a step of another size.
    """

    step_s: float
    first_s: float = 0.0
    memory_mb: float = 0.0
    parameters: int = 0
    busy_s: float = 0.0
    estimated: bool = False

    def steps(self, minutes: float, phases: int = 1) -> int:
        """Steps within a budget, of which validation takes a tenth; each phase compiles once."""
        return max(int((0.9 * 60 * minutes - phases * self.first_s) / self.step_s), 0)


def this_machine(accelerators: int = 0) -> Machine:
    """This machine, within the limits of its container."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = (_CGROUP / "cpu.max").read_text(encoding="ascii").split()
        cores = min(cores, max(int(int(quota) / int(period)), 1))
    return Machine(cores, free_memory_mb(), accelerators)


def free_memory_mb() -> float:
    """Memory available without swapping, in MB; 8,000 if the system is not Linux."""
    free = _UNKNOWN_MB
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = int(next(x for x in lines if x.startswith("MemAvailable")).split()[1]) * 1024 / 1e6
    with suppress(OSError, ValueError):
        limit = int((_CGROUP / "memory.max").read_text(encoding="ascii"))
        used = int((_CGROUP / "memory.current").read_text(encoding="ascii"))
        free = min(free, (limit - used) / 1e6)
    return free
