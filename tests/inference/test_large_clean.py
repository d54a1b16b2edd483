import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.inference.large import postprocess_large as large_clean
from maskwright.inference.large.partial_mask import Pieces
from maskwright.inference.large.postprocess_large import clean_large
from maskwright.inference.postprocess import clean


def as_pieces(folder, labels, rows=5):
    pieces = Pieces(folder, *labels.shape)
    for top in range(0, len(labels), rows):
        for left in range(0, labels.shape[1], 7):
            pieces.put(top, left, labels[top : top + rows, left : left + 7])
    return pieces


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 22), st.integers(1, 22)),
    st.integers(1, 8),
    st.booleans(),
    st.integers(0, 12),
    st.integers(0, 12),
    st.booleans(),
    st.sampled_from([0, 1, None]),
)
def test_bands_are_cleaned_as_the_whole(
    tmp_path_factory, seed, size, band, smooth, area, holes, largest, background
):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, rng.integers(2, 5), size, dtype=np.uint8)
    labels = cv2.medianBlur(labels, 3) if smooth else labels
    holes = 0 if background is None else holes
    folder = tmp_path_factory.mktemp("cleaned")
    cleaning = (area, holes, largest, background)
    found, stayed = clean_large(as_pieces(folder / "labels", labels), folder, *cleaning, band)
    np.testing.assert_array_equal(found.rows(0, size[0]), clean(labels, *cleaning))
    assert not stayed


def test_a_ring_over_many_bands_is_one_component_and_its_hole_is_filled(tmp_path):
    labels = np.zeros((40, 40), np.uint8)
    cv2.circle(labels, (20, 20), 15, 2, 1)
    labels[:, 0] = 1
    ring = int((labels == 2).sum())
    assert ring > 40  # of the line
    pieces = as_pieces(tmp_path / "labels", labels)
    kept, _ = clean_large(pieces, tmp_path / "a", min_area_px=ring, fill_holes_px=800, band=3)
    rows = kept.rows(0, 40)
    assert (rows[20, 5:36] == 2).all()
    assert not (rows == 1).any()
    gone, _ = clean_large(pieces, tmp_path / "b", min_area_px=ring + 1, band=3)
    assert not (gone.rows(0, 40) == 2).any()


def test_what_has_no_data_counts_as_background(tmp_path):
    labels = np.array([[255, 255, 255, 0], [255, 1, 255, 0], [2, 2, 2, 2]], np.uint8)
    pieces = as_pieces(tmp_path / "labels", labels)
    kept, _ = clean_large(pieces, tmp_path, min_area_px=2, band=2)
    assert kept.rows(0, 3).tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [2, 2, 2, 2]]
    kept, _ = clean_large(pieces, tmp_path / "none", min_area_px=2, background=None, band=2)
    assert (kept.rows(0, 3)[0, :3] == 255).all()


def test_patches_beyond_memory_stay_and_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(large_clean, "_FILLED_PIXELS", 8)
    labels = np.ones((12, 12), np.uint8)
    labels[2:9, 3:6] = 0  # 7x3, over seams of bands of four rows
    pieces = as_pieces(tmp_path / "labels", labels)
    kept, stayed = clean_large(pieces, tmp_path, fill_holes_px=30, band=4)
    assert stayed == 1
    np.testing.assert_array_equal(kept.rows(0, 12), labels)


def test_of_equal_components_the_first_stays():
    labels = np.zeros((4, 9), np.uint8)
    labels[1, 0:2] = labels[0, 4:6] = labels[2, 7:9] = 1
    kept = clean(labels, keep_largest=True, background=0)
    assert np.argwhere(kept).tolist() == [[0, 4], [0, 5]]
