import numpy as np

from maskwright.data.to_rgb import as_picture


def test_eight_bits_look_as_they_are():
    gray = np.array([[[3], [200]]], np.uint8)
    assert as_picture(gray).tolist() == [[[3, 3, 3], [200, 200, 200]]]
    five = np.arange(5, dtype=np.uint8).reshape(1, 1, 5)
    assert as_picture(five).tolist() == [[[0, 1, 2]]]


def test_other_depths_are_stretched_from_the_1st_to_the_99th_percentile():
    ramp = np.arange(101, dtype=np.uint16).reshape(1, 101, 1) * 100 + 5000
    # Percentiles 1 and 99 are 5100 and 14900; 10000 lies half way.
    shown = as_picture(ramp)[0, :, 0]
    assert shown[[0, 1, 50, 99, 100]].tolist() == [0, 0, 128, 255, 255]
    flat = np.full((2, 2, 1), np.nan, np.float32)
    flat[0, 0] = 0.5
    assert as_picture(flat).max() == 0
