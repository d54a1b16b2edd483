"""A few steps of training, timed: how long a step of a plan takes on this machine."""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from maskwright.config import TrainConfig
from maskwright.data import DataSet
from maskwright.data.pipeline.arrays import MEMORY_LIMIT_MB
from maskwright.planning import Machine, Timing

_NUM_STEPS = 2
_NUM_SAMPLES = 8
_EFFICIENCY = 0.85  # of the cores in a step that runs alone
_BUSY = 1.5  # times the duration of a step that runs alone


def count_accelerators() -> int:
    """Number of GPUs that TensorFlow sees."""
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def time_steps(config: TrainConfig, dataset: DataSet, machine: Machine) -> Timing:
    """Build what a config describes, and take a few steps of training on a few samples."""
    import keras
    import numpy as np
    import tensorflow as tf

    from maskwright.training import TrainingLoop, TrainOptions

    if config.objects:
        from maskwright.tasks.instances.training import prepare
    else:
        from maskwright.tasks.semantic.training import prepare

    usable = [s for s in dataset.samples if s.split in ("train", None) and s.masks]
    samples = tuple(replace(sample, split="train") for sample in usable[:_NUM_SAMPLES])
    plain = config.model_copy(
        update={
            "class_weights": None,
            "favor_rare": False,
            "memory_limit_mb": MEMORY_LIMIT_MB,
            "skip_unreadable": True,
        }
    )
    options = TrainOptions(seed=config.seed, minutes=1.0)  # an epoch has batches enough
    setup = prepare(replace(dataset, samples=samples), plain, options, synchronized=False)
    before = _resident_mb()
    keras.utils.set_random_seed(config.seed)
    model, task = setup.network.build(), setup.task
    loop = TrainingLoop(model, task, recipe=setup.recipe, epochs=1)
    step = loop.make_step(loop.parameters.groups)
    batches = iter(task.train(0, 0, None))
    batch = next(batches)

    def learn() -> None:
        np.asarray(step(batch, tf.constant(1.0), tf.constant(0.0))[0])  # waits for an accelerator

    draw_s, alone_draw_s = _median_seconds(partial(next, batches, None), machine.cores)
    began = time.monotonic()
    learn()
    first_s = time.monotonic() - began
    step_s, alone_s = _median_seconds(learn, machine.cores)
    if machine.accelerators:  # which lets the processor draw batches meanwhile
        step_s = alone_s = max(step_s, draw_s)
    else:
        step_s, alone_s = step_s + draw_s, alone_s + alone_draw_s
    busy = step_s > _BUSY * alone_s
    return Timing(
        step_s=alone_s if busy else step_s,
        first_s=first_s * alone_s / step_s if busy else first_s,
        memory_mb=max(_peak_mb() - before, 0.0),
        parameters=int(model.count_params()),
        busy_s=step_s if busy else 0.0,
    )


def _median_seconds(act: Callable[[], object], cores: int) -> tuple[float, float]:
    """Median seconds of some calls, and those by the processor time if nothing else ran."""
    walls, alone = [], []
    for _ in range(_NUM_STEPS):
        began, used = time.monotonic(), time.process_time()
        act()
        walls.append(time.monotonic() - began)
        alone.append((time.process_time() - used) / (cores * _EFFICIENCY))
    return statistics.median(walls), statistics.median(alone)


def _resident_mb() -> float:
    """Memory of this process now; the largest so far where that is not known."""
    try:
        text = Path("/proc/self/statm").read_text(encoding="ascii")
    except OSError:
        return _peak_mb()
    import resource

    return int(text.split()[1]) * resource.getpagesize() / 1e6


def _peak_mb() -> float:
    """Most memory that this process ever had."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return 0.0
    import sys

    unit = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
