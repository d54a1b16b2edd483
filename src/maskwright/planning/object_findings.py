"""What the sizes of objects mean for training, as findings of an audit."""

from collections.abc import Iterator

from maskwright.data import DataSet
from maskwright.data.audit.audit_scan import Finding
from maskwright.labels import Labels
from maskwright.planning.rules.objects import object_facts, object_settings, size_warnings
from maskwright.planning.stats.object_stats import ObjectStats, measure_objects

_MINUTES = 30.0  # of the training whose settings are looked at


def object_findings(dataset: DataSet) -> Iterator[Finding]:
    """A note on the objects of a data set, and warnings where its usual settings would cut them
    or miss them; none where the masks do not tell objects apart.
    """
    stats = measure_objects(dataset) if dataset.instances else None
    if stats is not None:
        yield from _findings(stats, dataset.labels)


def _findings(stats: ObjectStats, labels: Labels) -> Iterator[Finding]:
    method, *others = object_settings(stats, _MINUTES, {})
    advice = f"For models of single objects, objects=auto takes {method.value}. {method.reason}"
    if labels.background != 0:
        advice += f" They need a background: name {labels.names[0]} so in data.yaml, if it is one."
    yield Finding("objects", "note", object_facts(stats), advice)
    values = {choice.key: choice.value for choice in (method, *others)}
    for warning in size_warnings(stats, values):
        advice = "This concerns models of single objects, not those of masks of classes."
        yield Finding("object_sizes", "warning", warning, advice)
