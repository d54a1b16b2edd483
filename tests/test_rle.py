import numpy as np
import pytest
from pycocotools import mask as coco

from maskwright.errors import DataError
from maskwright.rle import decode_rle, encode_rle, fill_polygons, one_ring, outlines

MASK = np.array([[0, 1, 1], [0, 1, 0], [1, 0, 0]], bool)


def test_runs_go_down_the_columns_and_begin_outside():
    # Columns 0 0 1, 1 1 0, 1 0 0: two outside, three inside, one outside, …
    assert (decode_rle([2, 3, 1, 1, 2], (3, 3)) == MASK).all()
    assert (decode_rle(encode_rle(MASK)["counts"], (3, 3)) == MASK).all()
    with pytest.raises(DataError, match="of 3 x 3 = 9 pixels; received 8"):
        decode_rle([2, 3, 1, 2], (3, 3))


def test_text_holds_five_bits_a_character_and_differences():
    # 2 3 1 as they are; then 1 - 3 = -2 is 11110 with sign, chr(30 + 48); 2 - 1 = 1.
    assert encode_rle(MASK) == {"size": [3, 3], "counts": "231N1"}
    assert (decode_rle(b"231N1", (3, 3)) == MASK).all()
    # 1000 is 01000 and, five bits up, 11111 and 0: its highest bit must not read as a sign.
    assert encode_rle(np.zeros((25, 40)))["counts"] == "Xo0"


@pytest.mark.parametrize("fill", [0.0, 0.02, 0.5, 0.98, 1.0])
def test_what_is_packed_is_unpacked(fill):
    mask = np.random.default_rng(0).random((37, 53)) < fill
    packed = encode_rle(mask)
    assert (decode_rle(packed["counts"], tuple(packed["size"])) == mask).all()


@pytest.mark.parametrize(
    "box", [(0, 0, 6, 9), (0, 2, 6, 5), (2, 3, 5, 9), (5, 8, 6, 9), (3, 3, 3, 3)]
)
def test_the_runs_of_a_box_are_those_of_its_image(box):
    top, left, bottom, right = box
    for fill in (0.4, 1.0):
        mask = np.zeros((6, 9), bool)
        inside = np.random.default_rng(0).random((bottom - top, right - left)) < fill
        mask[top:bottom, left:right] = inside
        assert encode_rle(inside, (top, left), (6, 9)) == encode_rle(mask)


def test_polygons_hold_pixels_by_their_middles():
    square = [1, 1, 4, 1, 4, 4, 1, 4]
    mask = fill_polygons([square], (6, 5))
    assert mask.sum() == 9
    assert mask[1:4, 1:4].all()
    assert (fill_polygons([square[::-1], [0, 0, 1, 0, 1, 6, 0, 6]], (6, 5)).sum()) == 9 + 6
    # The middle of a pixel lies at .5: from 1.6 on it is outside, up to 3.4 the fourth is.
    assert fill_polygons([[1.6, 1, 3.4, 1, 3.4, 2, 1.6, 2]], (6, 5)).nonzero()[1].tolist() == [2]
    assert not fill_polygons([[2, 2, 2, 2], [], [-9, -9, -5, -9, -5, -5]], (6, 5)).any()
    assert fill_polygons([[-9, -9, 99, -9, 99, 99, -9, 99]], (6, 5)).all()
    with pytest.raises(DataError, match=r"x, y, x, y.*received \[1, 2, 3\]"):
        fill_polygons([[1, 2, 3]], (6, 5))


@pytest.mark.parametrize(
    "polygon",
    [
        [0, 0, 1e19, 0, 0, 5],
        [0, 0, np.nan, 0, 0, 5],
        [0, 0, 10**400, 0, 0, 5],
        "box",
        [-9e5, 0, 9e5, 0] * 9,
    ],
)
def test_polygons_that_would_overrun_the_c_code_are_refused(polygon):
    with pytest.raises(DataError, match="polygon"):
        fill_polygons([polygon], (6, 5))


@pytest.mark.parametrize(
    "counts",
    ["", "P", "231N1P", "2é", b"\xff\x00", "o" * 30 + "0", [2, None], ["a"], [10**30], "Z" * 3],
)
def test_counts_that_would_overrun_the_c_code_are_refused(counts):
    with pytest.raises(DataError, match="run lengths"):
        decode_rle(counts, (3, 3))


@pytest.mark.parametrize("size", [(0, 3), (-3, -3), (2**20, 2**20)])
def test_sizes_that_would_overrun_the_c_code_are_refused(size):
    with pytest.raises(DataError, match="Expected a mask of 1 to"):
        decode_rle([9], size)
    with pytest.raises(DataError, match="Expected a mask of 1 to"):
        fill_polygons([], size)


def test_masks_are_those_of_pycocotools():
    rng = np.random.default_rng(0)
    for fill in (0.0, 0.02, 0.5, 1.0):
        mask = rng.random((37, 53)) < fill
        packed = encode_rle(mask)
        expected = coco.encode(np.asfortranarray(mask, np.uint8))
        assert packed["counts"] == expected["counts"].decode()
        assert (decode_rle(packed["counts"], (37, 53)) == coco.decode(expected)).all()


def test_areas_of_slanted_polygons_are_right():
    triangle = [0, 0, 90, 30, 20, 90]
    assert fill_polygons([triangle], (100, 100)).sum() == pytest.approx(90 * 90 / 2 - 300, rel=0.01)
    angle = np.linspace(0, 2 * np.pi, 200)
    circle = np.stack([50 + 30 * np.cos(angle), 50 + 30 * np.sin(angle)], 1).ravel()
    assert fill_polygons([circle.tolist()], (100, 100)).sum() == pytest.approx(
        np.pi * 900, rel=0.01
    )


def test_the_outlines_of_a_mask_give_it_back():
    assert outlines(np.pad(np.ones((2, 3), bool), 1)) == [[[1, 1, 1, 3, 4, 3, 4, 1]]]
    assert outlines(np.zeros((3, 3), bool)) == []
    rng = np.random.default_rng(1)
    for share in (0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
        mask = rng.random((40, 50)) < share  # parts that touch at corners, and holes in holes
        filled = np.zeros(mask.shape, bool)
        for outer, *holes in outlines(mask):
            inside = fill_polygons([outer], mask.shape) & ~fill_polygons(holes, mask.shape)
            assert (fill_polygons([one_ring([outer, *holes])], mask.shape) == inside).all()
            filled |= inside
        assert (filled == mask).all()
        rings = [ring for part in outlines(mask) for ring in part]
        assert (fill_polygons([one_ring(rings)], mask.shape) == mask).all()
    ring = np.pad(np.zeros((1, 1), bool), 1, constant_values=True)
    assert [len(part) for part in outlines(ring)] == [2]


@pytest.mark.parametrize("counts", [[2**62] * 4 + [4], [1.9, 2.1], [[4]], [2**64, 1], [True], []])
def test_counts_that_only_seem_to_add_up_are_refused(counts):
    with pytest.raises(DataError, match="run lengths"):
        decode_rle(counts, (2, 2))


def test_polygons_beyond_their_image_by_far_are_refused():
    with pytest.raises(DataError, match=r"up to 10,000 pixels around .* received 400,000"):
        fill_polygons([[0, 0, 1e5, 0, 1e5, 1e5, 0, 1e5]], (64, 64))
    with pytest.raises(DataError, match="received 2,560,000"):
        fill_polygons([[0, 0, 64, 0, 64, 64, 0, 64]] * 10_000, (64, 64))
