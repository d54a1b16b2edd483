"""Rules for decisions on regions: inputs, crops, encoder, batches, each with its reason."""

from collections.abc import Iterator, Mapping
from typing import Any

from maskwright.planning.hardware import Machine
from maskwright.planning.plan import Plan
from maskwright.planning.plan_builder import (
    SET_BY_USER,
    EncoderWeights,
    PlannedSetting,
    number,
    plural,
)
from maskwright.planning.stats.region_stats import RegionStats

_FEWEST_FOR_PIXELS = 10  # units of the rarer class
_LONGEST_CROPS = ((10, 128), (60, 192), (float("inf"), 224))  # up to so many minutes
_LEAST_CROP, _LEAST_PRETRAINED = 64, 96  # four and three cells of the coarsest features
_MULTIPLE = 32
_CONTEXT, _WIDE_CONTEXT = 0.2, 0.5
_TINY_PX = 16  # longer side of a region whose surroundings show more than itself
_FILLS_IMAGE = 0.8  # share of the longer side of the image
_WIDTHS = (16, 32, 64, 96)
_BATCH_SIZES = (16, 8, 4)
_LEAST_STEPS = 4  # of an epoch
_MOST_REGIONS = 64
_OF_PIXELS = {
    *("encoder", "encoder_weights", "encoder_widths", "size", "context", "outside"),
    *("augmentation", "embedding", "dropout", "preset", "alpha", "taps"),
}


def region_settings(
    stats: RegionStats, minutes: float, given: Mapping[str, Any], pretrained: bool
) -> list[PlannedSetting]:
    """Settings of a model of regions that follow from their sizes and numbers, with reasons.

    Those in `given`, settings by hand, are left out. `minutes` is the training time, `pretrained`
    whether the encoder is.
    """
    return [c for c in _settings(stats, minutes, given, pretrained) if c.key not in given]


def plan_regions(
    stats: RegionStats,
    minutes: float,
    given: Mapping[str, Any],
    weights: EncoderWeights,
    machine: Machine,
    source: str,
) -> Plan:
    """Settings for `maskwright regions train`, each with its reason.

    `given` are settings by hand, `source` is the data as the user named it.
    """
    inferred = " ".join(stats.reasons) or SET_BY_USER
    of_data = [
        PlannedSetting("positive", stats.names[1], "The class whose probability is predicted."),
        PlannedSetting("unit", stats.unit, inferred),
        PlannedSetting("regions", stats.kind, _KINDS[stats.kind]),
    ]
    pretrained = weights.source is not None
    preset = given.get("preset")
    if not preset:
        reason = "Shape and intensity, by a regression on which the model starts."
        of_data.append(PlannedSetting("measures", True, reason))
    chosen = [] if preset else region_settings(stats, minutes, given, pretrained)
    pixels = given.get("pixels", True) and all(choice.key != "pixels" for choice in chosen)
    encoder = _encoder(stats, weights, given) if pixels and not preset else []
    epochs = given.get("epochs")
    budget = plural(epochs, "epoch") if epochs else f"{minutes:g} minutes"
    length = [] if epochs else [PlannedSetting("minutes", minutes, "The budget.")]
    choices = [c for c in (*of_data, *chosen, *encoder, *length) if c.key not in given]
    by_hand = [PlannedSetting(key, value, SET_BY_USER) for key, value in given.items()]
    header = (
        f"A plan for decisions on regions of {source}, {budget} on {machine}.",
        region_facts(stats),
        "Use with: maskwright regions train DATA -o RUN --plan THIS_FILE; --set changes a value.",
    )
    return Plan((*choices, *by_hand), header)


_KINDS = {
    "components": "Connected components of the mask.",
    "instances": "Objects, as the masks tell them apart or the labels refer to them.",
    "whole": "All foreground of an image together.",
}


def region_facts(stats: RegionStats) -> str:
    """Sentence on the regions of a data set and what is decided on them."""
    negative, positive = stats.names
    low, *_, high = map(number, stats.sides)
    return (
        f"{plural(sum(stats.units), stats.unit)} to learn from, {stats.units[1]:,} {positive} and "
        f"{stats.units[0]:,} {negative}, in {plural(stats.cases, 'case')}; "
        f"{plural(stats.regions, 'region')} in {plural(stats.images, 'image')} measured, nine of "
        f"ten {low} to {high} px long."
    )


def _settings(
    stats: RegionStats, minutes: float, given: Mapping[str, Any], pretrained: bool
) -> Iterator[PlannedSetting]:
    rarer = min(stats.units)
    no_weights = {"encoder_weights"} if given.get("encoder_weights") is None else set()
    asked = given.keys() & {*_OF_PIXELS, "pixels", "measures"} - no_weights
    if rarer < _FEWEST_FOR_PIXELS and not asked:
        name = stats.names[stats.units.index(rarer)]
        reason = (
            f"Only {plural(rarer, stats.unit)} to learn from {'is' if rarer == 1 else 'are'} "
            f"{name}, which a network of pixels learns by heart: measures of shape and intensity "
            f"alone."
        )
        yield PlannedSetting("pixels", False, reason)
    elif given.get("pixels", True):
        yield from _crops(stats, minutes, given, pretrained)
    yield _batch_size(stats)
    if stats.unit != "region" and stats.most_per_unit > 1:
        most = min(2 * stats.most_per_unit, _MOST_REGIONS)
        reason = f"Nineteen of twenty {stats.unit}s hold at most {stats.most_per_unit:,} regions."
        yield PlannedSetting("max_regions", most, reason)


def _crops(
    stats: RegionStats, minutes: float, given: Mapping[str, Any], pretrained: bool
) -> Iterator[PlannedSetting]:
    """`context` and `size`."""
    sizes = f"a median of {number(stats.median_side)} px long"
    context: float | None = _CONTEXT
    reason = f"A fifth of their sides around regions of {sizes}."
    if stats.image_share >= _FILLS_IMAGE:
        context, reason = None, "Regions fill their images, which are taken whole."
    elif stats.median_side < _TINY_PX:
        context = _WIDE_CONTEXT
        reason = f"Regions are tiny, {sizes}: their surroundings are shown as well."
    yield PlannedSetting("context", context, reason)
    limit = next(side for most, side in _LONGEST_CROPS if minutes <= most)
    least = _LEAST_PRETRAINED if pretrained else _LEAST_CROP
    needed = stats.large_side * (1 + 2 * (context or 0.0))
    size = int(min(max(-(-needed // _MULTIPLE) * _MULTIPLE, least), limit))
    reason = f"Three of four regions with their context are at most {number(needed)} px long; "
    reason += f"{minutes:g} minutes allow {limit} px"
    reason += f", the encoder needs {least} px." if size == least else "."
    yield PlannedSetting("size", size, reason)


def _batch_size(stats: RegionStats) -> PlannedSetting:
    units = sum(stats.units)
    size = next((b for b in _BATCH_SIZES if units >= b * _LEAST_STEPS), _BATCH_SIZES[-1])
    reason = f"{plural(units, stats.unit)} make {plural(-(-units // size), 'step')} of an epoch."
    return PlannedSetting("batch_size", size, reason)


def _encoder(
    stats: RegionStats, weights: EncoderWeights, given: Mapping[str, Any]
) -> list[PlannedSetting]:
    if weights.source is not None:
        reason = f"Fast on CPUs; pretrained features suit few {stats.unit}s."
        return [
            PlannedSetting("encoder", weights.encoder, reason),
            PlannedSetting("encoder_weights", weights.source, weights.reason),
        ]
    if "encoder" in given:
        return []
    return [
        PlannedSetting("encoder", "plain", f"{weights.reason} It is trained from scratch."),
        PlannedSetting("encoder_widths", _WIDTHS, "Narrow, for small crops and few units."),
    ]
