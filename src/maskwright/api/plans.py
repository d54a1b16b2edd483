"""The verb `plan`: measure data and machine, and write settings with their reasons."""

import socket
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maskwright.api.from_config import (
    auxiliary_loss_weight,
    describe_model,
    make_augmentation,
    tell_left_out,
)
from maskwright.config import PRETRAINED_PRESETS, TrainConfig, read_config
from maskwright.data import DataSet, open_dataset
from maskwright.data.readers.resolve import find
from maskwright.errors import ConfigError, ModelError
from maskwright.imageio import atomic_write
from maskwright.planning import (
    DatasetStats,
    EncoderWeights,
    Machine,
    Plan,
    PlannedSetting,
    SizeLevel,
    Timing,
    at_size_level,
    measure_dataset,
    next_size_level,
    this_machine,
)
from maskwright.planning import plan as make_plan

_ENCODER = "mobilenet_v2"
_MINUTES = 10.0
_DOWNLOAD_S = 8.0  # without an answer until a machine counts as closed
_STEPS_TIMED = 2
_SAMPLES_TIMED = 8
_EFFICIENCY = 0.85  # of the cores in a step that runs alone
_BUSY = 1.5  # times what a step takes alone
_MOST_ROUNDS = 4
_TIMING_S = 45.0  # of one round, beyond which there is no other
_FEW_CASES = 30
_LEAST_VALIDATED = 3
_LARGER_SHARE = 0.2
_DIVISION = ("group_by", "val_share", "test_share", "split_seed", "unite_duplicates")


def plan(
    data: str | Path,
    out: str | Path | None = None,
    *,
    minutes: float | None = None,
    measure: bool = True,
    on_message: Callable[[str], None] = lambda _: None,
    **settings: Any,
) -> Plan:
    """Settings that suit a data set, this machine and a time, each with its reason.

    Args:
        data: What `open_dataset` takes.
        out: YAML file to write, for `train(…, plan=…)`; one that is there is replaced.
        minutes: To train for; ten when left out.
        measure: Build the planned model, time some steps of its training, and make it smaller
            where the time would be too short for it; takes a minute or so.
        on_message: Called with a sentence on what goes on.
        settings: Fields of `TrainConfig` that are decided already; the others follow them.

    Raises:
        MaskwrightError: One sentence on what is wrong and what to do.
    """
    given = _checked(settings)
    minutes = minutes or given.pop("minutes", None) or _MINUTES
    dataset, data_print, division = _look_at(data, given, on_message)
    machine = this_machine(_accelerators() if measure else 0)
    weights = _weights(given, data_print.channels)
    timing, size_level, size_level_reason = None, 0, ""

    def made() -> Plan:
        return make_plan(
            data_print,
            machine,
            minutes=minutes,
            weights=weights,
            given=given,
            size_level=SizeLevel(size_level, size_level_reason),
            timing=timing,
            split_settings=division,
        )

    found = made()
    config = read_config(None, found.settings, TrainConfig)
    for _ in range(_MOST_ROUNDS if measure else 0):
        shown = found.settings.get("crop") or found.settings["size"]
        told = f"{shown[0]}x{shown[1]} and batch size {config.batch_size}"
        on_message(f"Timing training steps: {config.encoder}, {config.decoder}, {told} …")
        began = time.monotonic()
        timing = _time(config, dataset, machine)
        # A number of epochs is what it is, however long they take.
        wanted = (
            size_level
            if given.get("epochs")
            else next_size_level(found, data_print, timing, minutes, size_level)
        )
        if wanted == size_level:
            break
        steps = timing.steps(minutes)
        took = f"{'would take' if timing.busy_s else 'took'} {timing.step_s:.2g} s"
        took += " without other processes" if timing.busy_s else ""
        size_level_reason = (
            f"Reduced: at {told}, a step {took}, only {steps:,} steps in {minutes:g} minutes."
            if wanted < size_level
            else f"Enlarged: at {told}, a step {took}, {steps:,} steps in {minutes:g} minutes."
        )
        # Where timing takes long itself, what it told must do.
        slow = time.monotonic() - began > _TIMING_S
        size_level, timing = wanted, at_size_level(timing, size_level, wanted) if slow else None
        found = made()
        config = read_config(None, found.settings, TrainConfig)
        if slow:
            break
    if timing is not None:
        found = made()
    if out is not None:
        with atomic_write(out) as beside:
            beside.write_text(found.to_yaml(), encoding="utf-8")
    return found


def _checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by hand as `TrainConfig` has them; of the augmentation, only what is stated."""
    # Alone, these two would ask for the crop that the plan is to choose.
    waits = settings.get("size", "auto") is None or settings.get("favor_rare")
    crop = {"crop": (32, 32)} if waits and "crop" not in settings else {}
    config = read_config(None, {**crop, **settings}, TrainConfig)
    given = {name: getattr(config, name) for name in settings}
    if given.get("size") == "auto":
        del given["size"]
    if isinstance(stated := settings.get("augmentation"), Mapping):
        given["augmentation"] = dict(stated)
    return given


def _look_at(
    data: str | Path, given: Mapping[str, Any], on_message: Callable[[str], None]
) -> tuple[DataSet, DatasetStats, list[PlannedSetting]]:
    """Data set and its fingerprint, divided otherwise where that is better, with the reasons."""
    stated = {key: given[key] for key in _DIVISION if key in given}
    dataset = _opened(data, stated)
    tell_left_out(dataset, on_message)
    changed: list[PlannedSetting] = []
    splits = {sample.split or "train" for sample in find(data).layout.samples}
    makes_val = "train" in splits and "val" not in splits
    few = dataset.splits.get("train", 0) + dataset.splits.get("val", 0) <= _FEW_CASES
    validated = dataset.splits.get("val", 0)
    if makes_val and few and validated < _LEAST_VALIDATED and "val_share" not in given:
        larger = _opened(data, {**stated, "val_share": _LARGER_SHARE})
        if larger.splits.get("val", 0) > validated:
            reason = f"A tenth of the cases is {validated}, too few for validation; a fifth is "
            reason += f"{larger.splits['val']}."
            changed.append(PlannedSetting("val_share", _LARGER_SHARE, reason))
            dataset, stated = larger, {**stated, "val_share": _LARGER_SHARE}
    found = measure_dataset(dataset, source=str(data))
    if makes_val and found.split_duplicates and "unite_duplicates" not in given:
        groups = f"{found.split_duplicates} group{'s' * (found.split_duplicates > 1)}"
        reason = (
            f"{groups} of near-duplicate images lie in different cases; divided between splits, "
        )
        changed.append(
            PlannedSetting("unite_duplicates", True, f"{reason}they would bias the scores.")
        )
        dataset = _opened(data, {**stated, "unite_duplicates": True})
        found = measure_dataset(dataset, source=str(data))
    return dataset, found, changed


def _opened(data: str | Path, stated: Mapping[str, Any]) -> DataSet:
    return open_dataset(data, **read_config(None, stated, TrainConfig).division())


def _weights(given: Mapping[str, Any], channels: int) -> EncoderWeights:
    """Available weights of the encoder."""
    encoder = given.get("encoder", _ENCODER)
    if "encoder_weights" in given:
        wanted = given["encoder_weights"]
        if wanted is None:
            return EncoderWeights(None, "No pretrained weights, as set by the user.")
        if wanted != "imagenet":
            if not Path(wanted).is_file():
                raise ModelError(
                    f'Expected encoder weights "imagenet", none, or a file; there is no file '
                    f"{wanted}."
                )
            return EncoderWeights(str(wanted), f"Pretrained weights of {encoder}, from this file.")
    if given.get("preset") not in (None, *PRETRAINED_PRESETS):
        return EncoderWeights(None, "The preset has no pretrained encoder.")
    from maskwright import models

    with _impatient():
        try:
            models.encoder(encoder, channels=channels, weights="imagenet")
        except ModelError:
            reason = f"The ImageNet weights of {encoder} cannot be downloaded here; to use a file, "
            return EncoderWeights(None, f"{reason}set encoder_weights=FILE.")
        except ConfigError:
            return EncoderWeights(None, f"There are no ImageNet weights of {encoder}.")
    return EncoderWeights("imagenet", f"ImageNet weights of {encoder}, downloaded by Keras.")


@contextmanager
def _impatient() -> Iterator[None]:
    """Connections that do not answer are given up, instead of after minutes."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_DOWNLOAD_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _accelerators() -> int:
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def _time(config: TrainConfig, dataset: DataSet, machine: Machine) -> Timing:
    """Build what a config describes, and take a few steps of training on a few samples."""
    import keras
    import numpy as np
    import tensorflow as tf

    from maskwright.data.pipeline.batches import load
    from maskwright.losses import loss
    from maskwright.training import Recipe
    from maskwright.training.loop import TrainingLoop
    from maskwright.training.objective import segmentation

    size = None if config.size == "auto" else config.size
    samples = [s for s in dataset.samples if s.split in ("train", None) and s.masks]
    arrays = load(dataset, samples[:_SAMPLES_TIMED], size, skip_unreadable=True)
    num_classes = dataset.labels.num_classes
    task = segmentation(
        loss(config.loss, smoothing=config.smoothing),
        arrays,
        num_classes=max(num_classes, 2),
        batch_size=config.batch_size,
        augmentation=make_augmentation(config),
        crop=config.crop,
        passes=_STEPS_TIMED + 3,
        auxiliary_weight=auxiliary_loss_weight(config),
    )
    before = _resident_mb()
    keras.utils.set_random_seed(config.seed)
    model = describe_model(
        config,
        num_classes=num_classes,
        channels=arrays.channels,
        pixel_range=arrays.value_range,
        seed=config.seed,
        synchronized=False,
    ).build()
    fit = TrainingLoop(model, task, recipe=Recipe(**config.recipe()), epochs=1)
    step = fit.make_step(fit.groups)
    batches = iter(task.train(0, 0, None))
    batch = next(batches)

    def draw() -> None:
        next(batches, None)

    def learn() -> None:
        np.asarray(step(batch, tf.constant(1.0), tf.constant(0.0))[0])  # waits for an accelerator

    draw_s, alone_draw_s = _spent(draw, machine.cores)
    began = time.monotonic()
    learn()
    first_s = time.monotonic() - began
    step_s, alone_s = _spent(learn, machine.cores)
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


def _spent(act: Callable[[], None], cores: int) -> tuple[float, float]:
    """Median seconds of some calls, and those by the processor time if nothing else ran."""
    walls, alone = [], []
    for _ in range(_STEPS_TIMED):
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
