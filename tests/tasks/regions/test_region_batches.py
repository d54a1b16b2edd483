"""Batches of bags: what they hold depends on seed, epoch and bag alone."""

from dataclasses import replace

import numpy as np
import pytest

from maskwright.data.pipeline.augmentation import Augmentation
from maskwright.data.pipeline.epochs import EpochSchedule
from maskwright.tasks.regions.learning import batches
from maskwright.tasks.regions.learning.bags import Bag, RegionArrays
from maskwright.tasks.regions.learning.batches import eval_batches, train_batches

SIZES = (1, 3, 2, 1, 2, 4, 1)
"""Regions of the seven bags."""
TURNED = Augmentation(flip_horizontal=0.5, flip_vertical=0.5, rotate_degrees=90)


def drawn(side=16):
    """Bright discs on black. Of every region there is a true mask and a smaller one, both exact."""
    rows, columns = np.mgrid[:side, :side]
    rng = np.random.default_rng(0)
    count = sum(SIZES)
    masks = np.empty((count, 2, side, side), np.uint8)
    for region in range(count):
        y, x = rng.uniform(5, side - 6, 2)
        for variant, radius in enumerate((4.5, 2.5)):
            masks[region, variant] = np.hypot(rows - y, columns - x) < radius
    firsts = np.cumsum((0, *SIZES))
    bags = [
        Bag(str(bag), str(bag), bag % 2, 1 + bag, (), tuple(range(first, first + size)))
        for bag, (first, size) in enumerate(zip(firsts, SIZES, strict=False))
    ]
    masks = masks.reshape(-1, side, side)
    return RegionArrays(
        crops=masks[..., None].repeat(3, axis=-1) * np.uint8(200),
        masks=masks,
        vectors=np.arange(2 * count, dtype=np.float32)[:, None],  # tells which row was taken
        rows=tuple((2 * region, 2 * region + 1) for region in range(count)),
        names=tuple(map(str, range(count))),
        bags=tuple(bags),
        value_range=(0.0, 255.0),
    )


ARRAYS = drawn()


def train(augmentation=TURNED, outside="kept", arrays=ARRAYS, drawing=(), **schedule):
    order = EpochSchedule(4, **schedule)
    return list(train_batches(arrays, order, augmentation, outside, *drawing).as_numpy_iterator())


def flat(made):
    """All arrays of some batches."""
    return [part for x, y, w in made for part in (*(x[name] for name in sorted(x)), y, w)]


def same(made, others):
    one, other = flat(made), flat(others)
    assert len(one) == len(other)
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def taken(inputs):
    """Regions in a batch, by the number of the row."""
    return inputs["measures"][:, 0].astype(int) // 2


def bags_of(inputs):
    """Number of each bag in a batch, by its first region."""
    first_of = {bag.regions[0]: number for number, bag in enumerate(ARRAYS.bags)}
    return [first_of[taken(inputs)[row.argmax()]] for row in inputs["bags"]]


def test_every_batch_is_full_and_every_region_is_in_one_bag():
    made = train()
    assert len(made) == 2  # seven bags, four at a time
    for inputs, labels, weights in made:
        n = len(inputs["images"])
        assert inputs["images"].shape == (n, 16, 16, 3)
        assert inputs["masks"].shape == (n, 16, 16)
        assert inputs["bags"].shape == (4, n)
        assert {part.dtype for part in (*inputs.values(), weights)} == {np.dtype(np.float32)}
        np.testing.assert_array_equal(inputs["bags"].sum(0), 1)
        bags = bags_of(inputs)
        np.testing.assert_array_equal(inputs["bags"].sum(1), np.array(SIZES)[bags])
        assert labels.tolist() == [bag % 2 for bag in bags]
        assert weights.tolist() == [1 + bag for bag in bags]
    shown = [bag for inputs, _, _ in made for bag in bags_of(inputs)]
    assert set(shown) == set(range(7))


def test_seed_and_epoch_decide():
    assert same(train(), train())
    assert not same(train(), train(seed=1))
    first, second = train(), train(epoch=1)
    assert not same(first, second)
    assert same(train(epochs=2), first + second)
    assert same(train(epochs=2, skip=1), (first + second)[1:])


def test_workers_get_the_parts_of_the_same_batch():
    whole = train()
    parts = [train(shard=(worker, 2)) for worker in (0, 1)]
    for (inputs, labels, weights), *shares in zip(whole, *parts, strict=True):
        for name in ("images", "masks", "measures"):
            joined = np.concatenate([share[0][name] for share in shares])
            np.testing.assert_array_equal(joined, inputs[name])
        for place, of_all in ((1, labels), (2, weights)):
            np.testing.assert_array_equal(np.concatenate([s[place] for s in shares]), of_all)
        # Worker 0 has the first two bags, whose regions come first.
        n = shares[0][0]["bags"].shape[1]
        np.testing.assert_array_equal(shares[0][0]["bags"], inputs["bags"][:2, :n])
        np.testing.assert_array_equal(shares[1][0]["bags"], inputs["bags"][2:, n:])


def test_labels_are_weighted():
    for _, labels, weights in train(arrays=_light(), drawing=[(0.5, 3.0)]):
        assert weights.tolist() == np.where(labels, 3.0, 0.5).tolist()


def _light():
    return replace(ARRAYS, bags=tuple(replace(bag, weight=1.0) for bag in ARRAYS.bags))


def test_of_a_large_bag_some_regions_are_drawn_others_each_time():
    seen = set()
    for inputs, _, _ in train(drawing=[(1.0, 1.0), 2], epochs=6):
        sizes = inputs["bags"].sum(1)
        assert set(sizes) <= {1, 2}
        seen |= set(taken(inputs).tolist())
    assert seen == set(range(sum(SIZES)))


def test_true_masks_and_variants_are_drawn():
    rows = np.concatenate([inputs["measures"][:, 0] for inputs, _, _ in train(epochs=6)])
    assert set(rows) == set(range(2 * sum(SIZES)))


def test_a_third_of_the_time_a_bag_shows_what_a_segmenter_finds():
    # For the second bag, of the regions 1 to 3, those are the last two of all.
    predicted = (12, 13)
    bags = [
        replace(bag, predicted_regions=predicted if bag.id == "1" else ()) for bag in ARRAYS.bags
    ]
    shown = [
        tuple(taken(inputs)[row > 0])
        for inputs, _, _ in train(epochs=90, arrays=replace(ARRAYS, bags=tuple(bags)))
        for row in inputs["bags"]
    ]
    found, true = shown.count(predicted), shown.count((1, 2, 3))
    assert found + true >= 90  # at least once in an epoch
    assert 0.2 < found / (found + true) < 0.47


def test_the_mask_follows_its_image():
    turned = 0
    for inputs, _, _ in train(epochs=4):
        images, masks = inputs["images"][..., 0], inputs["masks"] > 0
        assert (images[masks] > 100).mean() > 0.9  # outlines are smoothed
        # Beyond the border images are reflected and masks are not.
        assert masks.sum() > 0.75 * (images > 100).sum()
        true = ARRAYS.masks[inputs["measures"][:, 0].astype(int)] > 0
        turned += (true & ~masks).sum()
    assert turned > 500


@pytest.mark.parametrize("outside", ["removed", "channel"])
def test_masks_are_laid_over_what_was_augmented(outside):
    for inputs, _, _ in train(outside=outside, augmentation=replace(TURNED, brightness=0.5)):
        images, masks = inputs["images"], inputs["masks"]
        if outside == "channel":
            assert images.shape[-1] == 4
            np.testing.assert_array_equal(images[..., 3], 255 * masks)
        else:
            assert not images[masks == 0].any()


def test_validation_sees_true_masks_in_order_as_they_are(monkeypatch):
    monkeypatch.setattr(batches, "_MAX_EVAL_REGIONS", 4)
    made = list(eval_batches(ARRAYS, "kept", (1.0, 2.0)).as_numpy_iterator())
    # 1 + 3 regions, 2 + 1, 2, 4 that are alone, 1.
    assert [labels.tolist() for _, labels, _ in made] == [[0, 1], [0, 1], [0], [1], [0]]
    assert np.concatenate([weights for _, _, weights in made]).tolist() == [1, 4, 3, 8, 5, 12, 7]
    rows = np.concatenate([inputs["measures"][:, 0] for inputs, _, _ in made]).astype(int)
    assert rows.tolist() == list(range(0, 2 * sum(SIZES), 2))
    images = np.concatenate([inputs["images"] for inputs, _, _ in made])
    np.testing.assert_array_equal(images, ARRAYS.crops[rows])
    for inputs, _, _ in made:
        np.testing.assert_array_equal(inputs["bags"].sum(0), 1)
