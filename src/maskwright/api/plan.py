"""The verbs `plan` and `plan_regions`: settings from data and machine, with their reasons."""

import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

from maskwright import planning
from maskwright.api.timing import count_accelerators, time_steps
from maskwright.architectures import ARCHITECTURES
from maskwright.arguments import checked
from maskwright.config import RegionConfig, TrainConfig, given_settings, read_config
from maskwright.config.effects import unused
from maskwright.config.starting import network_settings
from maskwright.config.typed import RegionSettings, TrainSettings
from maskwright.data import DataSet, open_dataset
from maskwright.data.readers.resolve import list_samples
from maskwright.errors import ConfigError, DataError, ModelError
from maskwright.imageio import write_text
from maskwright.planning.plan_builder import (
    EncoderWeights,
    PlanBuilder,
    PlannedSetting,
    SizeLevel,
    plural,
)
from maskwright.tasks.instances.ground_truth import require_objects
from maskwright.tasks.regions.setup import labeling_of, open_regions
from maskwright.tasks.regions.statistics import measure_regions, region_kind
from maskwright.tasks.settings import report_skipped
from maskwright.types import OnMessage, show_alert

_ENCODER = "mobilenet_v2"
_MINUTES = 10.0
_DOWNLOAD_S = 8.0  # without an answer until a machine counts as closed
_MOST_ROUNDS = 4
_TIMING_S = 45.0  # of one round, beyond which there is no other
_FEW_CASES = 30
_LEAST_VALIDATED = 3
_LARGER_SHARE = 0.2
_DIVISION = (
    *("group_by", "val_share", "test_share", "calibration_share", "split_seed"),
    "unite_duplicates",
)


@checked
def plan(
    data: str | Path,
    out: str | Path | None = None,
    *,
    measure: bool = True,
    on_message: OnMessage = show_alert,
    **settings: Unpack[TrainSettings],
) -> planning.Plan:
    """Settings that suit a data set, this machine and a time, each with its reason.

    Args:
        out: YAML file to write, for `train(…, plan=…)`; one that is there is replaced.
        measure: Build the planned model, time some steps of its training, and make it smaller
            where the time would be too short for it; takes a minute or so.
        settings: Fields of `TrainConfig` that are decided already; the others follow them.
            `minutes` is ten by default.
    """
    given = _checked(given_settings(settings))
    start = given.get("weights")
    taken = [
        PlannedSetting(name, given[name], f"That of the network in {start}.")
        for name in given.keys() - settings.keys()
    ]
    minutes = given.pop("minutes", None) or _MINUTES
    dataset, stats, division = _look_at(data, given, on_message)
    if given.get("objects"):
        require_objects(dataset)
    machine = planning.this_machine(count_accelerators() if measure else 0)
    weights = _weights(given, stats.channels)
    size, timing = SizeLevel(), None

    def make() -> planning.Plan:
        draft = PlanBuilder(stats, machine, minutes, weights, given, size, timing)
        planned = planning.plan(draft, division).with_choices(*taken)
        idle = unused(TrainConfig(**planned.settings)).keys() - given.keys()
        planned = planned.without(*idle)
        read_config(None, planned.settings, TrainConfig)
        return planned

    for _ in range(_MOST_ROUNDS if measure else 0):
        planned = make()
        config = read_config(None, planned.settings, TrainConfig)
        side = config.longer_side or config.crop or planned.settings["size"]
        pixels = f"{side} px" if isinstance(side, int) else f"{side[0]}x{side[1]}"
        shape = f"{pixels} and batch size {config.batch_size}"
        network = config.objects or config.decoder
        on_message(f"Timing training steps: {config.encoder}, {network}, {shape} …")
        began = time.monotonic()
        timing = time_steps(config, dataset, machine)
        level = planning.next_size_level(planned.settings, stats, timing, minutes, size.level)
        # A number of epochs is what it is, however long they take.
        if level == size.level or given.get("epochs") or config.objects:
            break
        steps = timing.steps(minutes)
        duration = f"{'would take' if timing.busy_s else 'took'} {timing.step_s:.2g} s"
        duration += " without other processes" if timing.busy_s else ""
        budget = f"at {shape}, a step {duration}, {steps:,} steps in {minutes:g} minutes"
        reason = f"Reduced: {budget}, too few." if level < size.level else f"Enlarged: {budget}."
        # Where timing takes long, its first result must do.
        slow = time.monotonic() - began > _TIMING_S
        timing = planning.at_size_level(timing, size.level, level) if slow else None
        size = SizeLevel(level, reason)
        if slow:
            break
    planned = make()
    if out is not None:
        write_text(out, planned.to_yaml())
    return planned


@checked
def plan_regions(
    data: str | Path,
    out: str | Path | None = None,
    *,
    on_message: OnMessage = show_alert,
    **settings: Unpack[RegionSettings],
) -> planning.Plan:
    """Settings that suit decisions on the regions of a data set, each with its reason.

    Args:
        out: YAML file to write, for `train_regions(…, plan=…)`; one that is there is replaced.
        settings: Fields of `RegionConfig` that are decided already; the others follow them.
            `minutes` is five by default.
    """
    config = read_config(None, settings, RegionConfig)
    given = {name: getattr(config, name) for name in given_settings(settings)}
    minutes = given.pop("minutes", None) or RegionConfig.default_minutes
    dataset = open_regions(data, config)
    report_skipped(dataset, on_message)
    labeling = labeling_of(dataset, config)
    kind = region_kind(dataset, labeling, config.regions)
    stats = measure_regions(dataset, labeling, kind, config.min_area_px)
    if stats is None:
        raise DataError(
            f"{dataset.root} holds no training image with a labeled region; `maskwright check` "
            f"tells what is wrong with its files."
        )
    weights, machine = _weights(given, dataset.channels), planning.this_machine()
    planned = planning.plan_regions(stats, minutes, given, weights, machine, str(data))
    read_config(None, planned.settings, RegionConfig)
    if out is not None:
        write_text(out, planned.to_yaml())
    return planned


def _checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by hand as `TrainConfig` has them; of the augmentation, only what is stated."""
    # Alone, these two would ask for the crop that the plan is to choose.
    waits = settings.get("size", "auto") is None or settings.get("favor_rare")
    crop = {"crop": (32, 32)} if waits and "crop" not in settings else {}
    config = read_config(None, {**crop, **settings}, TrainConfig)
    names = {**network_settings(settings.get("weights")), **settings}
    given = {name: getattr(config, name) for name in names}
    if given.get("size") == "auto":
        del given["size"]
    if isinstance(stated := settings.get("augmentation"), Mapping):
        given["augmentation"] = dict(stated)
    return given


def _look_at(
    data: str | Path, given: Mapping[str, Any], on_message: OnMessage
) -> tuple[DataSet, planning.DatasetStats, list[PlannedSetting]]:
    """Data set and its fingerprint, divided otherwise where that is better, with the reasons."""
    stated = {key: given[key] for key in _DIVISION if key in given}
    dataset = _opened(data, stated)
    report_skipped(dataset, on_message)
    changed: list[PlannedSetting] = []
    _, layout = list_samples(data)
    splits = {sample.split or "train" for sample in layout.samples}
    makes_val = "train" in splits and "val" not in splits
    few = dataset.splits.get("train", 0) + dataset.splits.get("val", 0) <= _FEW_CASES
    validated = dataset.splits.get("val", 0)
    if makes_val and few and validated < _LEAST_VALIDATED and "val_share" not in given:
        larger = _opened(data, {**stated, "val_share": _LARGER_SHARE})
        if larger.splits.get("val", 0) > validated:
            reason = f"A share of a tenth gives {validated} to validation, too few; a fifth gives "
            reason += f"{larger.splits['val']}."
            changed.append(PlannedSetting("val_share", _LARGER_SHARE, reason))
            dataset, stated = larger, {**stated, "val_share": _LARGER_SHARE}
    stats = planning.measure_dataset(dataset, source=str(data))
    if makes_val and stats.split_duplicates and "unite_duplicates" not in given:
        reason = f"{plural(stats.split_duplicates, 'group')} of near-duplicate images lie in "
        reason += "different cases; divided between splits, they would bias the scores."
        changed.append(PlannedSetting("unite_duplicates", True, reason))
        dataset = _opened(data, {**stated, "unite_duplicates": True})
        stats = planning.measure_dataset(dataset, source=str(data))
    return dataset, stats, changed


def _opened(data: str | Path, stated: Mapping[str, Any]) -> DataSet:
    return open_dataset(data, **read_config(None, stated, TrainConfig).division())


def _weights(given: Mapping[str, Any], channels: int) -> EncoderWeights:
    """Available weights of the encoder."""
    if start := given.get("weights"):
        return EncoderWeights(None, f"The encoder is that of the network in {start}.")
    encoder = given.get("encoder", _ENCODER)
    wanted = given.get("encoder_weights", "imagenet")
    if wanted is None:
        return EncoderWeights(None, "No pretrained weights, as set by the user.")
    if wanted != "imagenet":
        if not Path(wanted).is_file():
            raise ModelError(
                f'Expected encoder weights "imagenet", none, or a file; there is no file {wanted}.'
            )
        return EncoderWeights(str(wanted), f"Pretrained weights of {encoder}, from this file.")
    preset = ARCHITECTURES.get(given.get("preset") or "")
    if preset and not preset.pretrained:
        return EncoderWeights(None, "The preset has no pretrained encoder.")
    from maskwright import models
    from maskwright.models.encoders.published import default_encoder

    if not {"encoder", "alpha", "taps", "preset"} & given.keys():
        encoder, told = default_encoder()
        if told is not None:
            return EncoderWeights("imagenet", told, encoder)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_DOWNLOAD_S)
    try:
        models.encoder(encoder, models.PixelFormat(channels), weights="imagenet")
    except ModelError as error:
        return EncoderWeights(None, str(error))
    except ConfigError:
        return EncoderWeights(None, f"There are no ImageNet weights of {encoder}.")
    finally:
        socket.setdefaulttimeout(before)
    return EncoderWeights("imagenet", f"ImageNet weights of {encoder}.", encoder)
