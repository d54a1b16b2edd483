from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from drawing_samples import MASK, draw
from maskwright.data import open_dataset
from maskwright.data.cases.duplicates import unite_duplicates
from maskwright.data.samples import Sample, separated
from maskwright.data.splits import assign_splits, folds, make_fold
from maskwright.data.synthetic.datasets import draw_scene
from maskwright.errors import ConfigError

SPLITS = ("train", "test", "train", "test", "train", "val")


def samples(count, split=None, per_case=1):
    return [
        Sample(f"s{n}", Path(f"s{n}.png"), (Path(f"m{n}.png"),), f"c{n // per_case}", split)
        for n in range(count)
    ]


def sizes(found):
    return dict(Counter(s.split for s in found))


@pytest.mark.parametrize("seed", range(20))
def test_small_sets_have_every_split_that_they_can(seed):
    expected = {1: {"train": 1}, 2: {"train": 1, "test": 1}, 3: {"train": 1, "val": 1, "test": 1}}
    for count, found in expected.items():
        assert sizes(assign_splits(samples(count), {}, 0.1, 0.15, seed)) == found
    assert min(sizes(assign_splits(samples(9), {}, 0.1, 0.8, seed)).values()) >= 1


def test_shares_of_large_sets_hold_on_average():
    found = sizes(assign_splits(samples(4000), {}, 0.1, 0.15, seed=0))
    # Within four standard deviations of binomial counts.
    assert abs(found["val"] - 400) < 4 * np.sqrt(4000 * 0.1 * 0.9)
    assert abs(found["test"] - 600) < 4 * np.sqrt(4000 * 0.15 * 0.85)


def classes_of(pool):
    """Every case holds the ground, every third a cell, every seventh something rare."""
    return {
        s.id: ["ground", *["cell"] * (n % 3 == 0), *["rare"] * (n % 7 == 0)]
        for n, s in enumerate(pool)
    }


@pytest.mark.parametrize("seed", range(40))
def test_classes_of_few_cases_are_in_every_split(seed):
    pool = samples(30)
    held = {s.id: {"common", "rare"} if n < 3 else {"common"} for n, s in enumerate(pool)}
    found = assign_splits(pool, held, 0.1, 0.15, seed)
    assert sizes([s for s in found if "rare" in held[s.id]]) == {"train": 1, "val": 1, "test": 1}
    held = classes_of(pool)
    found = assign_splits(pool, held, 0.1, 0.15, seed)
    for name in ("ground", "cell", "rare"):
        assert len({s.split for s in found if name in held[s.id]}) == 3
    # A class of one case is learned, and many classes of few cases do not empty training.
    held = {s.id: {f"kind {n // 3}", "common"} for n, s in enumerate(samples(60))}
    found = assign_splits(samples(60), held | {"s0": {"single"}}, 0.1, 0.15, seed)
    assert found[0].split == "train"
    assert sizes(found)["train"] >= 30


@pytest.mark.parametrize("seed", range(40))
def test_cases_that_come_or_go_move_no_training_case_into_the_test(seed):
    pool = samples(31)
    held = classes_of(pool)
    every = {s.id: s.split for s in assign_splits(pool, held, 0.1, 0.15, seed)}
    for gone in range(31):
        fewer = assign_splits(pool[:gone] + pool[gone + 1 :], held, 0.1, 0.15, seed)
        moves = Counter((s.split, every[s.id]) for s in fewer if s.split != every[s.id])
        assert ("train", "test") not in moves  # as the case comes
        assert ("test", "train") not in moves  # as it goes


def test_a_second_case_of_a_class_moves_the_first_into_no_test():
    for seed in range(40):
        few = assign_splits(samples(30), {"s0": {"rare"}}, 0.1, 0.4, seed)
        more = assign_splits(samples(31), {"s0": {"rare"}, "s30": {"rare"}}, 0.1, 0.4, seed)
        learned = {each.id for each in few if each.split == "train"}
        assert not learned & {each.id for each in more if each.split == "test"}


def test_names_that_collide_later_move_nothing(tmp_path):
    for number in range(12):
        draw(tmp_path / "images" / "one" / f"{number}.png")
        draw(tmp_path / "masks" / "one" / f"{number}.png", MASK)
    before = {s.image: s.split for s in open_dataset(tmp_path).samples}
    for number in range(12):
        draw(tmp_path / "images" / "two" / f"{number}.png")
        draw(tmp_path / "masks" / "two" / f"{number}.png", MASK)
    after = {s.image: s.split for s in open_dataset(tmp_path).samples}
    assert {s.id for s in open_dataset(tmp_path).samples} >= {"one-3", "two-3"}
    assert not any(before[p] == "train" and after[p] != "train" for p in before)


def test_a_copy_that_comes_moves_its_group_out_of_the_test_or_not_at_all():
    pool = samples(40)
    alone = {s.id: s.split for s in assign_splits(pool, {}, 0.2, 0.2, seed=0)}
    for number, sample in enumerate(pool[:39]):
        pair = [replace(s, group="pair") for s in (sample, pool[39])]
        others = pool[:number] + pool[number + 1 : 39]
        found = {s.id: s.split for s in assign_splits(others + pair, {}, 0.2, 0.2, seed=0)}
        assert found[sample.id] == found["s39"]
        assert (alone[sample.id], found[sample.id]) != ("train", "test")


def test_cases_never_part():
    found = assign_splits(samples(60, per_case=4), {}, 0.2, 0.2, seed=1)
    splits_of = {}
    for sample in found:
        splits_of.setdefault(sample.case, set()).add(sample.split)
    assert all(len(splits) == 1 for splits in splits_of.values())
    assert set(sizes(found)) == {"train", "val", "test"}


def test_the_seed_decides_and_the_order_of_files_does_not():
    pool = samples(40)
    found = {s.id: s.split for s in assign_splits(pool, {}, 0.1, 0.2, seed=0)}
    assert {s.id: s.split for s in assign_splits(pool[::-1], {}, 0.1, 0.2, seed=0)} == found
    assert {s.id: s.split for s in assign_splits(pool, {}, 0.1, 0.2, seed=1)} != found


def test_given_splits_stay():
    pool = samples(20, "train") + [replace(s, id=f"t{s.id}") for s in samples(5, "test")]
    found = assign_splits(pool, {}, 0.1, 0.5, seed=0)
    assert sizes(found)["test"] == 5
    assert 1 <= sizes(found)["val"] < 10
    assert all(s.split == "test" for s in found if s.id.startswith("t"))
    assert sizes(assign_splits(samples(5, "test"), {}, 0.1, 0.5, seed=0)) == {"test": 5}
    assert sizes(assign_splits(samples(5), {}, 0, 0, seed=0)) == {"train": 5}


@pytest.mark.parametrize("seed", range(20))
def test_calibration_is_carved_of_what_would_train_and_nothing_else_moves(seed):
    pool = samples(60, per_case=2)
    held = {s.id: {"common", *({"rare"} if n < 4 else ())} for n, s in enumerate(pool)}
    plain = assign_splits(pool, held, 0.1, 0.15, seed)
    found = assign_splits(pool, held, 0.1, 0.15, seed, calibration_share=0.15)
    moves = {(a.split, b.split) for a, b in zip(plain, found, strict=True) if a != b}
    assert moves == {("train", "calibration")}
    assert separated(found) is None
    # Both cases of a rare class stay: one tests or validates, or both train.
    assert "calibration" not in {s.split for s in found if "rare" in held[s.id]}
    # Before the folds: none holds out what is set aside, or learns from it.
    aside = {s.id for s in found if s.split == "calibration"}
    for fold in (1, 2, 3):
        folded = make_fold(found, held, fold, 3, seed)
        assert {s.id for s in folded if s.split == "calibration"} == aside


def test_calibration_takes_no_case_of_a_stated_split_and_must_be_possible():
    stated = [
        replace(s, split="test" if n % 2 else "train")
        for n, s in enumerate(samples(20, per_case=4))
    ]
    others = [
        replace(s, id=f"o{s.id}", case=f"o{s.case}", split="train") for s in samples(80, per_case=4)
    ]
    found = assign_splits([*stated, *others], {}, 0, 0.15, 0, calibration_share=0.5)
    assert {s.case[0] for s in found if s.split == "calibration"} == {"o"}
    assert 20 < sizes(found)["calibration"] < 60
    with pytest.raises(ConfigError, match="leave `calibration_share` out"):
        assign_splits(stated, {}, 0, 0.15, 0, calibration_share=0.5)
    given = [replace(s, split="calibration") if n < 4 else s for n, s in enumerate(samples(40))]
    assert sizes(assign_splits(given, {}, 0, 0, 0, calibration_share=0.5)) == {
        "calibration": 4,
        "train": 36,
    }
    with pytest.raises(ConfigError, match=r"leave something to train on.*0\.8 for calibration"):
        assign_splits(others, {}, 0.1, 0.1, 0, calibration_share=0.8)


def test_shares_must_leave_something():
    with pytest.raises(ConfigError, match="leave something to train on"):
        assign_splits(samples(5), {}, 0.5, 0.5, seed=0)


def test_folds_hold_whole_cases_and_their_part_of_every_class():
    pool = samples(60, per_case=2)
    held = {s.id: {"rare"} if int(s.case[1:]) < 10 else {"common"} for s in pool}
    found = folds(pool, held, 5, seed=0)
    assert sorted(position for fold in found for position in fold) == list(range(60))
    cases = [{pool[position].case for position in fold} for fold in found]
    assert sum(len(each) for each in cases) == len(set.union(*cases)) == 30
    # Ten of thirty cases are rare: two of the six in each fold.
    assert [sorted(held[pool[p].id] == {"rare"} for p in fold) for fold in found] == [
        [False] * 8 + [True] * 4
    ] * 5
    assert folds(pool, held, 5, seed=0) == found
    assert [len(fold) for fold in folds(samples(9), {}, 6, seed=0)] == [2, 2, 2, 1, 1, 1]
    for count in (1, 31):
        with pytest.raises(ConfigError, match=f"each of the 30 cases.*received {count}"):
            folds(pool, held, count, seed=0)


@pytest.fixture
def pictures(tmp_path):
    """Six scenes: the second a brighter first, the fourth the third itself, the last two black."""
    scenes = [draw_scene(np.random.default_rng(seed), 96).image for seed in (0, 1)]
    brighter = np.clip(scenes[0] * 1.15 + 10, 0, 255).astype(np.uint8)
    black = np.zeros((96, 96, 3), np.uint8)
    shown = [scenes[0], brighter, scenes[1], scenes[1], black, black]
    for number, image in enumerate(shown):
        draw(tmp_path / "images" / f"p{number // 2}_{number}.png", image)
        mask = cv2.resize(MASK, (96, 96), interpolation=cv2.INTER_NEAREST)
        draw(tmp_path / "masks" / f"p{number // 2}_{number}.png", mask)
    return tmp_path


def test_copies_and_their_cases_become_one_case(pictures):
    paths = sorted((pictures / "images").iterdir())
    pool = [Sample(p.stem, p, (), case) for p, case in zip(paths, "badcef", strict=True)]
    pool.append(Sample("lost", pictures / "none.png", (), "a"))
    united, found = unite_duplicates(pool)
    # The first two are alike and so one with all of case a; the black ones tell nothing.
    assert [s.together for s in united] == ["a", "a", "c", "c", "e", "f", "a"]
    assert found == [["p0_0", "p0_1"], ["p1_2", "p1_3"]]


def test_a_division_that_is_made_does_not_part_copies_and_a_stated_one_is_told(pictures):
    options = {"val_share": 0.3, "test_share": 0.3, "unite_duplicates": True}
    dataset = open_dataset(pictures, **options)
    assert separated(dataset.samples) is None
    assert len({s.split for s in dataset.samples if s.id in {"p0_0", "p0_1"}}) == 1
    assert any(
        "2 groups of images show nearly the same (p0_0 = p0_1" in n.text for n in dataset.notes
    )
    assert dataset.case_from == ""
    stated = [f"images/p{n // 2}_{n}.png,masks/p{n // 2}_{n}.png,{s}" for n, s in enumerate(SPLITS)]
    (pictures / "manifest.csv").write_text("\n".join(["image,mask,split", *stated]))
    dataset = open_dataset(pictures, **options)
    assert [s.split for s in dataset.samples] == list(SPLITS)
    assert separated(open_dataset(pictures).samples) is None
    said = separated(dataset.samples)
    assert "case 'p0_0' is in train (p0_0.png) and test (p0_1.png), and 1 more" in said


def test_one_fold_is_held_out_and_what_is_for_tests_stays():
    pool = [
        replace(s, split="test" if n < 6 else "val") for n, s in enumerate(samples(30, None, 2))
    ]
    held = Counter()
    for fold in (1, 2, 3):
        found = make_fold(pool, {}, fold, 3, seed=0)
        assert sizes(found) == {"test": 6, "train": 16, "held_out": 8}
        held.update(s.id for s in found if s.split == "held_out")
        assert separated(found) is None
    # Each of the 24 others once.
    assert held == Counter(s.id for s in pool[6:])
    with pytest.raises(ConfigError, match="a fold from 1 to 3, received 4"):
        make_fold(pool, {}, 4, 3, seed=0)
