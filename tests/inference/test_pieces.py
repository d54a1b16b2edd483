import itertools

import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.inference.large.partial_mask import Pieces


def test_pieces_are_read_by_rows_and_taken_up_again(tmp_path):
    labels = np.random.default_rng(0).integers(0, 9, (20, 30), dtype=np.uint8)
    pieces = Pieces(tmp_path, 20, 30)
    for left, right, seams in ((0, 13, (0, 7, 20)), (13, 30, (0, 5, 11, 20))):
        for top, bottom in itertools.pairwise(seams):
            pieces.put(top, left, labels[top:bottom, left:right])
    again = Pieces(tmp_path, 20, 30)
    for top, bottom in ((0, 20), (4, 12), (19, 20)):
        np.testing.assert_array_equal(again.rows(top, bottom), labels[top:bottom])
    np.testing.assert_array_equal(again.rows(3, 15, 10, 20), labels[3:15, 10:20])
    bands = list(again.bands(6))
    assert [top for top, _ in bands] == [0, 6, 12, 18]
    np.testing.assert_array_equal(np.concatenate([rows for _, rows in bands]), labels)


def test_rows_are_done_up_to_the_first_gap(tmp_path):
    pieces = Pieces(tmp_path, 20, 10)
    assert pieces.done(0) == 0
    for top in (0, 4, 12):
        pieces.put(top, 0, np.zeros((4, 10), np.uint8))
    assert pieces.done(0) == 8
    assert pieces.done(5) == 0


def test_a_damaged_piece_is_told_of(tmp_path):
    pieces = Pieces(tmp_path / "labels", 4, 4)
    pieces.put(0, 0, np.zeros((4, 4), np.uint8))
    (file,) = (tmp_path / "labels").iterdir()
    file.write_bytes(b"")
    with pytest.raises(DataError, match="is damaged"):
        pieces.rows(0, 4)
