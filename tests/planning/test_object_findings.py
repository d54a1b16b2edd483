import numpy as np

import maskwright
from maskwright.imageio import write_image


def draw(folder, sides, size):
    """Images of squares, each with a number, in a row."""
    for number in range(4):
        ids = np.zeros((size, size), np.uint8)
        left = 1
        for value, side in enumerate(sides, start=1):
            ids[5 : 5 + side, left : left + side] = value
            left += side + 2
        write_image(folder / "images" / f"{number}.png", ids + np.uint8(40 + number))
        write_image(folder / "masks" / f"{number}.png", ids)
    lines = "images: images/*.png\nmasks: masks/*.png\nobjects: instances\nval_share: 0\n"
    (folder / "data.yaml").write_text(lines)
    return folder


def findings(folder):
    report = maskwright.check(folder)
    assert "Each number in a mask is one object" in report.notes[0].text
    return {finding.code: finding for finding in report.findings}


def test_check_tells_of_objects_and_of_those_that_crops_would_cut(tmp_path):
    found = findings(draw(tmp_path / "small", [12, 12, 20], 120))
    assert "12 to 20 px across, up to 20 px long" in found["objects"].message
    assert "objects=auto takes condinst" in found["objects"].advice
    assert "object_sizes" not in found
    # Small objects keep the scale of a large image, in crops of at most 512 px.
    found = findings(draw(tmp_path / "mixed", [12] * 8 + [700], 1200))
    assert "700 px long, more than the crops of 512 px" in found["object_sizes"].message
    found = findings(draw(tmp_path / "tiny", [2, 3, 3], 96))
    assert "2 px across, too small for condinst" in found["object_sizes"].message
