import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from drawing_samples import draw
from maskwright.data import open_dataset
from maskwright.data.audit.audit import audit
from maskwright.errors import DataError
from maskwright.imageio.header import upright
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL

CLASSES = np.arange(3, dtype=np.uint8)
COLORS = np.array([(20, 30, 40), (200, 60, 50), (60, 210, 90)], np.uint8)


def labels(number, size=(24, 24)):
    """Labels 0 to 2 that no rotation leaves as they are, other ones for each number."""
    mask = np.zeros(size, np.uint8)
    mask[2 : 6 + number % 5, 3:9] = 1
    mask[15:20, 12 : 14 + number % 7] = 2
    return mask


def exif(orientation):
    tags = Image.Exif()
    tags[274] = orientation
    return {"exif": tags}


def stored(pixels, orientation):
    """Pixels that a file holds so that its orientation shows these."""
    back = {6: 8, 8: 6}.get(orientation, orientation)
    return upright(pixels, back)


def write(folder, number, mask, size=(24, 24), orientation=1, written=None):
    """An image that shows the labels `mask` of `size`, and a file that holds `written`."""
    shown = COLORS[labels(number, size)]
    options = exif(orientation) if orientation != 1 else {}
    draw(folder / "images" / f"{number}.png", stored(shown, orientation), **options)
    draw(folder / "masks" / f"{number}.png", mask if written is None else written)


def check_all(dataset, size=(24, 24)):
    assert dataset.labels.names == ("class_0", "class_1", "class_2")
    assert len(dataset.samples) == 12
    for sample in dataset.samples:
        image, mask = dataset.read(sample)
        expected = labels(int(sample.id), size)
        np.testing.assert_array_equal(image, COLORS[expected])
        np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize(("orientation", "way"), [(3, "stored"), (6, "stored"), (8, "displayed")])
def test_masks_that_may_be_turned_are_a_doubt_until_it_is_settled(tmp_path, orientation, way):
    for number in range(12):
        mask = labels(number)
        turn = orientation if number % 4 == 0 else 1
        written = stored(mask, turn) if way == "stored" else mask
        write(tmp_path, number, mask, orientation=turn, written=written)
    with pytest.raises(DataError, match=r"3 images are turned by an EXIF .* `mask_orientation: d"):
        open_dataset(tmp_path)
    report = audit(tmp_path)
    assert not report.ok
    assert "mask_orientation" in {finding.code for finding in report.findings}
    (tmp_path / "data.yaml").write_text(f"mask_orientation: {way}\n")
    check_all(open_dataset(tmp_path))


@pytest.mark.parametrize("way", ["stored", "displayed"])
def test_sizes_of_other_images_settle_how_masks_are_turned(tmp_path, way):
    for number in range(12):
        size = (20, 30)
        mask, turn = labels(number, size), (6, 3, 1)[number % 3]
        written = stored(mask, turn) if way == "stored" else mask
        write(tmp_path, number, mask, size, turn, written)
    dataset = open_dataset(tmp_path)
    assert f"as {way}" in next(n.text for n in dataset.notes if n.code == "mask_orientation")
    check_all(dataset, (20, 30))


def test_a_stated_orientation_turns_objects_too(tmp_path):
    size, expected = (24, 24), labels(0)
    for number in range(3):
        write(tmp_path, number, labels(0), orientation=3)
        objects = Instances.from_masks([stored(expected == label, 3) for label in (1, 2)], size)
        (tmp_path / "instances").mkdir(exist_ok=True)
        (tmp_path / "instances" / f"{number}.json").write_text(objects.to_json())
        draw(tmp_path / "masks" / f"{number}.png", stored(expected, 3))
    rows = [f"images/{n}.png,masks/{n}.png,instances/{n}.json" for n in range(3)]
    (tmp_path / "manifest.csv").write_text("image,mask,instances\n" + "\n".join(rows))
    stated = "manifest: manifest.csv\nmask_orientation: stored\n"
    (tmp_path / "data.yaml").write_text(stated)
    dataset = open_dataset(tmp_path)
    found = dataset.read_objects(dataset.samples[0])
    np.testing.assert_array_equal(found.ids(), expected)


@pytest.mark.parametrize("one_size", [False, True])
def test_masks_of_another_size_are_resized_where_all_are(tmp_path, one_size):
    sizes = [(48, 64) if one_size or n % 2 else (96, 64) for n in range(12)]
    small = [labels(n, (s[0] // 2, s[1] // 2)) for n, s in enumerate(sizes)]
    for number, (size, mask) in enumerate(zip(sizes, small, strict=True)):
        draw(tmp_path / "images" / f"{number}.png", COLORS[np.zeros(size, int)])
        draw(tmp_path / "masks" / f"{number}.png", mask)
    dataset = open_dataset(tmp_path)
    assert "resized to their images" in next(
        n.text for n in dataset.notes if n.code == "scaled_masks"
    )
    for sample in dataset.samples:
        mask = dataset.read(sample)[1]
        expected = np.kron(small[int(sample.id)], np.ones((2, 2), int))
        np.testing.assert_array_equal(mask, expected)
    # Of a mixture, those that differ are refused.
    draw(tmp_path / "masks" / "3.png", np.kron(small[3], np.ones((2, 2), np.uint8)))
    mixed = open_dataset(tmp_path)
    assert [sample.id for sample in mixed.samples] == ["3"]
    assert "both must have the same size" in mixed.skipped[0].reason


def geo(left, top, pixel):
    tie = (0, 0, 0, left, top, 0)
    return [(33550, "d", 3, (pixel, pixel, 0.0), True), (33922, "d", 6, tie, True)]


def test_a_mask_from_elsewhere_is_refused(tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    places = {"same": (1000, 0.5), "rounded": (1000.1, 0.5), "east": (1012, 0.5), "fine": (1000, 1)}
    for number, (name, (left, pixel)) in enumerate(places.items()):
        options = {"photometric": "rgb", "extratags": geo(1000.0, 50.0, 0.5)}
        tifffile.imwrite(tmp_path / "images" / f"{name}.tif", COLORS[labels(number)], **options)
        options = {"photometric": "minisblack", "extratags": geo(float(left), 50.0, float(pixel))}
        tifffile.imwrite(tmp_path / "masks" / f"{name}.tif", labels(number), **options)
    dataset = open_dataset(tmp_path)
    assert {sample.id for sample in dataset.samples} == {"same", "rounded"}
    reasons = {file.path.stem: file.reason for file in dataset.skipped}
    assert reasons.keys() == {"east", "fine"}
    assert "its corners are at 1012, 50 and 1024, 38" in reasons["east"]


def with_nodata(path, pixels, nodata):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = [] if nodata is None else [(42113, "s", 0, str(nodata), True)]
    options = {"photometric": "rgb" if pixels.ndim == 3 else "minisblack", "extratags": text}
    tifffile.imwrite(path, pixels, **options)


@pytest.mark.parametrize("fill", [-9999, 9])
def test_no_data_of_masks_and_images_is_ignored(tmp_path, fill):
    for number in range(12):
        image = COLORS[labels(number)].astype(np.float32)
        mask = labels(number).astype(np.int16)
        image[:3] = -9999
        mask[-2:] = fill
        with_nodata(tmp_path / "images" / f"{number}.tif", image, -9999)
        with_nodata(tmp_path / "masks" / f"{number}.tif", mask, fill)
    dataset = open_dataset(tmp_path)
    assert dataset.labels.names == ("class_0", "class_1", "class_2")
    note = next(note.text for note in dataset.notes if note.code == "mask_nodata")
    assert note == f"Masks declare {fill} as no data, which is ignored."
    for sample in dataset.samples:
        image, mask = dataset.read(sample)
        expected = labels(int(sample.id)).astype(int)
        expected[:3] = expected[-2:] = IGNORE_LABEL
        np.testing.assert_array_equal(mask, expected)
        assert image.min() == COLORS.min()
    codes = {finding.code: finding.message for finding in audit(tmp_path).findings}
    assert "12 images with pixels without data, 12.5% of theirs, ignored" in codes["no_data"]


def test_zero_declared_as_no_data_is_a_doubt(tmp_path):
    for number in range(12):
        draw(tmp_path / "images" / f"{number}.png", COLORS[labels(number)])
        with_nodata(tmp_path / "masks" / f"{number}.tif", labels(number), 0)
    with pytest.raises(DataError, match=r"Masks declare 0 as no data .* `ignore: \[0\]`") as told:
        open_dataset(tmp_path)
    (tmp_path / "data.yaml").write_text(str(told.value).rsplit("`", 2)[1])  # with all values
    assert open_dataset(tmp_path).labels.names == ("class_0", "class_1", "class_2")
    values = {0: "background", 1: "crack", 2: "rust"}
    for stated, zero in (({"ignore": [0]}, IGNORE_LABEL), ({"values": values}, 0)):
        (tmp_path / "data.yaml").write_text(json.dumps(stated))
        dataset = open_dataset(tmp_path)
        _, mask = dataset.read(dataset.samples[0])
        assert mask[0, 0] == zero


def test_the_only_value_of_masks_declared_as_no_data_is_a_doubt(tmp_path):
    for number in range(12):
        draw(tmp_path / "images" / f"{number}.png", COLORS[labels(number)])
        mask = (labels(number) > 0).astype(np.uint8) * 255
        with_nodata(tmp_path / "masks" / f"{number}.tif", mask, 255)
    with pytest.raises(DataError, match=r"255 as no data .* hold 0 alone: .* `ignore: \[255\]`"):
        open_dataset(tmp_path)
    values = {0: "background", 255: "foreground"}
    for stated, label in (({"ignore": [255]}, IGNORE_LABEL), ({"values": values}, 1)):
        (tmp_path / "data.yaml").write_text(json.dumps(stated))
        dataset = open_dataset(tmp_path)
        for sample in dataset.samples:
            expected = np.where(labels(int(sample.id)) > 0, label, 0)
            assert np.array_equal(dataset.read(sample)[1], expected)


def test_negative_values_have_a_meaning_where_it_is_stated(tmp_path):
    for number in range(12):
        mask = labels(number).astype(np.int16)
        mask[-1], mask[-2] = -9999, -1
        draw(tmp_path / "images" / f"{number}.png", COLORS[labels(number)])
        with_nodata(tmp_path / "masks" / f"{number}.tif", mask, None)
    with pytest.raises(DataError, match="hold negative values, from -9999 up"):
        open_dataset(tmp_path)
    stated = "values: {-9999: ignore, 0: background, 1: crack, 2: rust, -1: rust}\n"
    (tmp_path / "data.yaml").write_text(stated)
    dataset = open_dataset(tmp_path)
    assert dataset.labels.names == ("background", "crack", "rust")
    for sample in dataset.samples:
        expected = labels(int(sample.id)).astype(int)
        expected[-1], expected[-2] = IGNORE_LABEL, 2
        np.testing.assert_array_equal(dataset.read(sample)[1], expected)
    (tmp_path / "data.yaml").write_text(stated.replace("-9999: ignore, ", ""))
    dataset = open_dataset(tmp_path)
    with pytest.raises(DataError, match=r"unknown value -9999 \(24 px\); known are 0, 1, 2, -1"):
        dataset.read(dataset.samples[0])
