import json
import re

import numpy as np
import pytest

import maskwright
from drawing_samples import draw
from maskwright.data import open_dataset
from maskwright.data.opening import open_with_doubts
from maskwright.errors import ConfigError, DataError
from maskwright.rle import encode_rle

CROWD = np.array([[0, 0, 0, 0, 1, 1]] * 5, bool)
LOW = np.array([[0] * 6] * 3 + [[1, 1, 0, 0, 0, 0]] * 2, bool)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def annotation(image, category, shape, **more):
    return {"image_id": image, "category_id": category, "segmentation": shape, **more}


def write(path, images, annotations, categories=((7, "cat"), (3, "dog"), (9, "owl"))):
    """Annotations of images of five rows and six columns, by their ids."""
    content = {
        "images": [{"id": i, "file_name": n, "height": 5, "width": 6} for i, n in images.items()],
        "annotations": annotations,
        "categories": [{"id": id_, "name": name} for id_, name in categories],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def square(left, top, side):
    right, bottom = left + side, top + side
    return [left, top, right, top, right, bottom, left, bottom]


@pytest.fixture
def folder(tmp_path):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        draw(tmp_path / "set" / "images" / name, np.full((5, 6, 3), 90, np.uint8))
    write(
        tmp_path / "set" / "annotations" / "instances.json",
        {1: "a.jpg", 2: "b.jpg", 3: "c.jpg", 5: "lost.jpg"},
        [
            annotation(1, 7, [square(0, 0, 2), square(3, 0, 1)]),
            annotation(1, 3, [square(1, 1, 2)]),
            annotation(1, 9, {"size": [5, 6], "counts": encode_rle(CROWD)["counts"]}, iscrowd=1),
            annotation(1, 3, encode_rle(LOW)),
            annotation(3, 7, [], bbox=[0, 0, 2, 2]),
        ],
    )
    return tmp_path / "set"


def test_polygons_and_runs_become_classes_objects_and_labels_of_regions(folder):
    dataset = open_with_doubts(folder)
    assert dataset.layout == "COCO annotations"
    assert dataset.labels.names == ("background", "dog", "cat", "owl")  # in the order of their ids
    first, second = dataset.samples
    assert first.image == folder / "images" / "a.jpg"
    image, labels = dataset.read(first)
    assert image.shape == (5, 6, 3)
    # The cat of two parts, the dog over it, the dog below, and owls only a crowd.
    assert labels.tolist() == [
        [2, 2, 0, 2, 255, 255],
        [2, 1, 1, 0, 255, 255],
        [0, 1, 1, 0, 255, 255],
        [1, 1, 0, 0, 255, 255],
        [1, 1, 0, 0, 255, 255],
    ]
    assert dataset.read_instances(first).tolist() == [
        [1, 1, 0, 1, 0, 0],
        [1, 2, 2, 0, 0, 0],
        [0, 2, 2, 0, 0, 0],
        [3, 3, 0, 0, 0, 0],
        [3, 3, 0, 0, 0, 0],
    ]
    assert not dataset.read_mask(second).any()
    rows = (dataset.root / "regions.csv").read_text().split()
    assert [row.split(",")[1:] for row in rows[1:]] == [["1", "cat"], ["2", "dog"], ["3", "dog"]]
    told = "; ".join(n.text for n in dataset.notes if n.text.startswith("Skipped"))
    assert re.search("1 image with objects .* box .*first c.jpg.*first lost.jpg.*1 crowd, as", told)


def test_overlapping_classes_are_told_and_painted_in_a_stated_order(folder):
    (note,) = (n.text for n in open_with_doubts(folder).notes if n.code == "overlapping_objects")
    assert "overlap in 1 image, most those of dog and cat (1 px)" in note
    for order, on_top in (("dog, owl, cat", 2), ("cat, dog, owl", 1)):
        (folder / "data.yaml").write_text(f"overlap: [{order}]\n")
        dataset = open_with_doubts(folder)
        assert not any(note.code == "overlapping_objects" for note in dataset.notes)
        assert dataset.read(dataset.samples[0])[1][1, 1] == on_top
    (folder / "data.yaml").write_text("overlap: [dog, cat]\n")
    with pytest.raises(ConfigError, match="expected each of the classes dog, cat, owl once"):
        open_dataset(folder)


def test_what_is_drawn_is_kept_until_a_file_changes(folder):
    dataset = open_with_doubts(folder)
    drawn = {path: path.stat().st_mtime_ns for path in dataset.root.rglob("*.png")}
    again = open_with_doubts(folder / "annotations" / "instances.json")
    assert again == dataset
    assert {path: path.stat().st_mtime_ns for path in again.root.rglob("*.png")} == drawn
    write(
        folder / "annotations" / "instances.json",
        {1: "a.jpg"},
        [annotation(1, 3, [square(0, 0, 3)])],
    )
    changed = open_with_doubts(folder)
    assert changed.root != dataset.root
    assert changed.read_instances(changed.samples[0]).sum() == 9


def test_files_for_each_split_state_it(tmp_path):
    for split in ("train", "valid"):  # as Roboflow exports them, with a category for the whole
        draw(tmp_path / split / "x.jpg", np.full((5, 6, 3), 90, np.uint8))
        write(
            tmp_path / split / "_annotations.coco.json",
            {0: "x.jpg"},
            [annotation(0, 1, [square(1, 1, 2)])],
            ((0, "cells"), (1, "cells")),
        )
    dataset = open_dataset(tmp_path, test_share=0)
    assert {sample.id: sample.split for sample in dataset.samples} == {
        "train-x": "train",
        "valid-x": "val",
    }
    assert dataset.labels.names == ("background", "cells")


def test_only_categories_that_occur_are_classes_where_there_are_too_many(folder):
    many = [(number, f"kind {number}") for number in range(1, 1204)]
    path = folder / "annotations" / "instances.json"
    write(path, {1: "a.jpg"}, [annotation(1, 1203, [square(0, 0, 2)])], many)
    assert open_with_doubts(folder).labels.names == ("background", "kind 1203")


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (
            {"size": [5, 5], "counts": [25]},
            "object .* of a.jpg: run lengths of the size .5, 5. in an image of 5x6",
        ),
        ({"size": [5, 6], "counts": [7]}, "received 7"),
        ([[1, 2, 3]], "Expected a polygon as x, y"),
        ({"size": 5, "counts": [30]}, "run lengths of the size 5 in"),
        ({"size": [5, 6], "counts": [2**62] * 4 + [30]}, "in runs of"),
        ({"size": [5, 6], "counts": {"a": 1}}, "Expected the run lengths"),
        ([[0, 0, 1e19, 0, 1e19, 1e19]], "within 1,000,000 of the image"),
        ([[0, 0, 10**400, 0, 3, 3]], "Expected a polygon as x, y"),
        ([[0, 0, float("inf"), 0, 3, 3]], "finite"),
        ([[0, 0, 1e5, 0, 1e5, 1e5]], "up to 10,000 pixels around"),
        ("text", "expected polygons or run lengths"),
    ],
)
def test_an_image_with_a_broken_mask_is_left_out(folder, shape, said):
    path = folder / "annotations" / "instances.json"
    good = annotation(2, 3, [square(0, 0, 2)])
    write(path, {1: "a.jpg", 2: "b.jpg"}, [annotation(1, 7, shape), good])
    dataset = open_with_doubts(folder)
    assert [sample.id for sample in dataset.samples] == ["b"]
    told = next(n.text for n in dataset.notes if n.code == "broken_annotations")
    assert re.search(said, told)


@pytest.mark.parametrize("width", [2147483647, 0, -5, 7])
def test_sizes_that_are_not_those_of_the_file_are_refused_before_drawing(folder, width):
    path = folder / "annotations" / "instances.json"
    write(path, {1: "a.jpg", 2: "b.jpg"}, [annotation(n, 7, [square(0, 0, 2)]) for n in (1, 2)])
    content = json.loads(path.read_text())
    content["images"][0]["width"] = width
    path.write_text(json.dumps(content))
    dataset = open_with_doubts(folder)
    assert [sample.id for sample in dataset.samples] == ["b"]
    told = next(n.text for n in dataset.notes if n.code == "broken_annotations")
    assert f"state 5 x {width} pixels, the file has 5 x 6" in told


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"height": float("inf")}, "are not COCO annotations: OverflowError"),
        ({"height": [5]}, "are not COCO annotations: TypeError"),
        ({"file_name": "\ud800.jpg"}, "no mask of an image"),
        ({"file_name": "9" * 5000}, "no mask of an image"),
    ],
)
def test_wrong_numbers_and_names_of_images_end_in_a_sentence(folder, changes, said):
    path = folder / "annotations" / "instances.json"
    write(path, {1: "a.jpg"}, [annotation(1, 7, [square(0, 0, 2)])])
    content = json.loads(path.read_text())
    content["images"][0] |= changes
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=said):
        open_dataset(folder)


def test_names_that_are_no_text_and_endless_nesting_end_in_a_sentence(folder):
    path = folder / "annotations" / "instances.json"
    write(path, {1: "a.jpg"}, [annotation(1, 7, [square(0, 0, 2)])], ((7, "c\ud800t"),))
    with pytest.raises(DataError, match="a name that is no text"):
        open_dataset(folder)
    keys = '"images": [], "annotations": [], "categories": '
    path.write_text("{" + keys + "[" * 100_000)
    with pytest.raises(DataError, match="holds no COCO annotations"):
        open_dataset(folder)


def test_no_data_yaml_is_written_into_the_cache(folder, tmp_path):
    (folder / "data.yaml").write_text("unannotated: skip\n")
    assert (
        open_with_doubts(folder).notes[0].text == "The masks are drawn from the COCO annotations."
    )
    with pytest.raises(ConfigError, match=r"converted from COCO annotations.*maskwright convert"):
        maskwright.check(folder, write=True)


def test_what_is_no_coco_is_explained(folder, tmp_path):
    path = folder / "annotations" / "instances.json"
    write(path, {1: "a.jpg"}, [annotation(1, 8, [square(0, 0, 2)])])
    with pytest.raises(DataError, match="uses the category 8, which is not among its categories"):
        open_dataset(folder)
    write(path, {1: "d.jpg"}, [annotation(1, 7, [square(0, 0, 2)])])
    with pytest.raises(DataError, match=r"no mask of an image: .* first d\.jpg"):
        open_dataset(folder)
    path.write_text('{"images": [{}], "annotations": [], "categories": []}')
    with pytest.raises(DataError, match="are not COCO annotations: KeyError"):
        open_dataset(folder)
    path.write_text("{}")
    with pytest.raises(DataError, match=r"holds no COCO annotations; expected lists"):
        open_dataset(path)
    with pytest.raises(DataError, match="No image with a mask was recognized"):
        open_dataset(folder)


@pytest.mark.real
def test_a_part_of_coco_has_its_categories(real_data):
    dataset = open_dataset(real_data / "coco_sample")
    assert (len(dataset.samples), dataset.labels.num_classes) == (40, 81)
    sample = dataset.samples[0]
    assert dataset.read_instances(sample).shape == dataset.read_image(sample).shape[:2]


def test_boxes_are_drawn_or_ignored_as_stated(folder):
    def labels(boxes):
        (folder / "data.yaml").write_text(f"boxes: {boxes}")
        dataset = open_with_doubts(folder)
        return dataset.read_mask(dataset.samples[-1])[:3, :3].tolist()

    assert labels("draw") == [[2, 2, 0], [2, 2, 0], [0, 0, 0]]
    assert labels("ignore") == [[255, 255, 0], [255, 255, 0], [0, 0, 0]]
    assert open_with_doubts(folder).samples[-1].image.name == "c.jpg"


def test_categories_are_mapped_by_name_over_files(tmp_path):
    categories = {
        "train": ((1, "scratch"), (2, "dent"), (3, "rust")),
        "val": (("1", "rust"), ("2", "scratch"), ("3", "dent")),
    }
    for split, listed in categories.items():
        draw(tmp_path / split / f"{split}.jpg", np.full((5, 6, 3), 90, np.uint8))
        rust = next(id_ for id_, name in listed if name == "rust")
        path = tmp_path / split / "_annotations.coco.json"
        write(path, {7: f"{split}.jpg"}, [annotation("7", rust, [square(0, 0, 2)])], listed)
    dataset = open_dataset(tmp_path, test_share=0)
    assert dataset.labels.names == ("background", "scratch", "dent", "rust")
    assert [dataset.read_mask(sample)[0, 0] for sample in dataset.samples] == [3, 3]


def test_all_of_many_files_are_read_and_sizes_may_be_missing(tmp_path):
    for number in range(30):
        draw(tmp_path / f"{number}.jpg", np.full((5, 6, 3), 90, np.uint8))
        path = tmp_path / f"{number}.json"
        write(path, {1: f"{number}.jpg"}, [annotation(1, 7, [square(0, 0, 2)])])
        content = json.loads(path.read_text())
        content["images"] = [{"id": "1", "file_name": f"{number}.jpg"}]
        path.write_text(json.dumps(content))
    dataset = open_dataset(tmp_path)
    assert len(dataset.samples) == 30
    assert dataset.read_mask(dataset.samples[0]).sum() == 4 * 2


def test_an_image_annotated_twice_is_a_doubt_that_stated_files_settle(folder):
    other = folder / "annotations" / "instances_2.json"
    write(other, {1: "a.jpg"}, [annotation(1, 9, [square(0, 3, 2)])])
    with pytest.raises(DataError, match=r"1 image annotated more than once.*annotations: FILE"):
        open_dataset(folder)
    (folder / "data.yaml").write_text("annotations: annotations/instances_2.json")
    (sample,) = (dataset := open_with_doubts(folder)).samples
    assert sorted(set(dataset.read_mask(sample).flat)) == [0, 3]
    (folder / "data.yaml").write_text("annotations: 'annotations/*.json'")
    dataset = open_with_doubts(folder)
    assert sorted(set(dataset.read_mask(dataset.samples[0]).flat)) == [0, 1, 2, 3, 255]
