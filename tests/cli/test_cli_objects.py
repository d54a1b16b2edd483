"""Annotations of objects that cannot be used, as `maskwright check` tells of them."""

import json

import numpy as np
import pytest

from maskwright.imageio import write_image
from maskwright.rle import encode_rle

ROOF = [1, 1, 6, 1, 6, 5, 1, 5]
OTHER_SIZE = encode_rle(np.eye(4, dtype=bool))


def draw(folder, bad, images=("a.png", "b.png")):
    """Two images of 8x10 pixels with a roof each, and one more annotation of the second."""
    for number, name in enumerate(images):
        noise = np.random.default_rng(number).integers(0, 256, (8, 10, 3), np.uint8)
        write_image(folder / "images" / name, noise)
    roof = {"category_id": 1, "segmentation": [ROOF]}
    content = {
        "images": [
            {"id": n, "file_name": name, "height": 8, "width": 10}
            for n, name in enumerate(("a.png", "b.png"), start=1)
        ],
        "categories": [{"id": 1, "name": "roof"}],
        "annotations": [{"id": n, "image_id": n, **roof} for n in (1, 2)]
        + ([{"id": 3, "image_id": 2, **bad}] if bad else []),
    }
    (folder / "instances.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("bad", "code", "said"),
    [
        (
            {"category_id": 1, "segmentation": [[1, 1, 5, 5]]},
            1,  # here and below because two images are too few
            "Skipped: 1 object without a pixel, such as polygons of fewer than three points, the "
            "first 3 of b.png; draw it again, or remove it.",
        ),
        (
            {"category_id": 1, "segmentation": OTHER_SIZE},
            1,
            "Skipped: 1 image, the first object 3 of b.png: run lengths of the size [4, 4] "
            "in an image of 8x10; run lengths belong to the image they were made for",
        ),
        (
            {"category_id": 1, "segmentation": [ROOF], "bbox": [5, 5, 20, 20]},
            1,
            "Not used: 1 box that reaches beyond its image, the first of object 3 of b.png; boxes "
            "are made from masks.",
        ),
        (
            {"category_id": 4, "segmentation": [ROOF]},
            1,
            "uses the category 4, which is not among its categories, 1 roof. Add it to "
            '"categories", or remove its objects.',
        ),
    ],
    ids=["two points", "runs of another size", "box beyond", "unknown category"],
)
def test_an_annotation_that_cannot_be_used_has_its_sentence(run, tmp_path, bad, code, said):
    found, out, err = run("check", draw(tmp_path / "data", bad))
    assert found == code
    assert said in " ".join((out + err).split())
    assert str(tmp_path / "data") in (out + err).replace("\n", "")


def test_an_annotated_image_that_is_missing_is_named(run, tmp_path):
    code, out, err = run("check", draw(tmp_path / "data", None, images=("a.png",)))
    assert code == 1  # one image is too few
    assert "Skipped: 1 image that is not there, the first b.png." in " ".join((out + err).split())
