from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from maskwright.data.samples import Sample, carve, unique_ids
from maskwright.errors import ConfigError


def samples(count, split=None, per_case=1):
    return [
        Sample(f"s{n}", Path(f"s{n}.png"), (Path(f"m{n}.png"),), f"c{n // per_case}", split)
        for n in range(count)
    ]


def sizes(found):
    return dict(Counter(s.split for s in found))


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, {"train": 1}),
        (2, {"train": 1, "test": 1}),
        (3, {"train": 1, "val": 1, "test": 1}),
        (10, {"train": 7, "val": 1, "test": 2}),
        (100, {"train": 75, "val": 10, "test": 15}),
    ],
)
def test_shares_of_small_and_large_sets(count, expected):
    assert sizes(carve(samples(count), {}, 0.1, 0.15, seed=0)) == expected


def test_rare_classes_are_in_every_split():
    pool = samples(200)
    rare = {s.id for s in pool[:10]}
    held = {s.id: {"common", "rare"} if s.id in rare else {"common"} for s in pool}
    found = carve(pool, held, 0.1, 0.2, seed=3)
    assert sizes(found) == {"train": 140, "val": 20, "test": 40}
    # Of ten, a tenth is one and a fifth is two.
    assert sizes([s for s in found if s.id in rare]) == {"train": 7, "val": 1, "test": 2}


def test_cases_never_part():
    found = carve(samples(60, per_case=4), {}, 0.2, 0.2, seed=1)
    splits_of = {}
    for sample in found:
        splits_of.setdefault(sample.case, set()).add(sample.split)
    assert all(len(splits) == 1 for splits in splits_of.values())
    assert sizes(found) == {"train": 36, "val": 12, "test": 12}


def test_the_seed_decides_and_the_order_of_files_does_not():
    pool = samples(40)
    found = {s.id: s.split for s in carve(pool, {}, 0.1, 0.2, seed=0)}
    assert {s.id: s.split for s in carve(pool[::-1], {}, 0.1, 0.2, seed=0)} == found
    assert {s.id: s.split for s in carve(pool, {}, 0.1, 0.2, seed=1)} != found


def test_given_splits_stay():
    pool = samples(20, "train") + [replace(s, id=f"t{s.id}") for s in samples(5, "test")]
    found = carve(pool, {}, 0.1, 0.5, seed=0)
    assert sizes(found) == {"train": 18, "val": 2, "test": 5}
    assert all(s.split == "test" for s in found if s.id.startswith("t"))
    assert sizes(carve(samples(5, "test"), {}, 0.1, 0.5, seed=0)) == {"test": 5}
    assert sizes(carve(samples(5), {}, 0, 0, seed=0)) == {"train": 5}


def test_shares_must_leave_something():
    with pytest.raises(ConfigError, match="leave something to train on"):
        carve(samples(5), {}, 0.5, 0.5, seed=0)


def test_ids_take_as_much_of_the_path_as_they_need():
    assert unique_ids([("a", "1"), ("b", "2")]) == ["1", "2"]
    assert unique_ids([("a", "1"), ("b", "1")]) == ["a-1", "b-1"]
    assert unique_ids([("a", "1"), ("a", "1")]) == ["a-1", "a-1-2"]
