"""Groups of cases that belong together, such as those that share an image."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from maskwright.data.samples import Sample
from maskwright.imageio import natural_key


def groups(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Sorted groups of all that are linked by pairs, directly or through others."""
    from scipy.cluster.hierarchy import DisjointSet  # takes a while

    pairs = list(pairs)
    linked = DisjointSet({item for pair in pairs for item in pair})
    for first, second in pairs:
        linked.merge(first, second)
    return sorted(sorted(subset) for subset in linked.subsets())


def group_cases(samples: Sequence[Sample], linked: Iterable[Sequence[int]]) -> list[Sample]:
    """Samples of which those at linked places, and all of their cases and groups, are one group.

    A group is called after the first of its cases by name; others stay as they are.
    """
    first_of: dict[str, int] = {}
    pairs = [(places[0], place) for places in linked for place in places]
    pairs += [(first_of.setdefault(s.together, i), i) for i, s in enumerate(samples)]
    result = list(samples)
    for places in groups(pairs):
        cases = {samples[place].case for place in places}
        if len(cases) > 1:
            name = min(cases, key=natural_key)
            for place in places:
                result[place] = replace(samples[place], group=name)
    return result
