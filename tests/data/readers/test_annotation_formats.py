"""Annotations as tools write them, each of the same scene, give the same labels."""

import base64
import io
import json
import zlib

import numpy as np
import pytest
from PIL import Image

from drawing_samples import draw
from maskwright.data import open_dataset
from maskwright.data.opening import open_with_doubts
from maskwright.data.readers.annotations.tools.brush import decode_brush, encode_brush
from maskwright.errors import DataError

SIZE = (12, 16)
CAT = np.zeros(SIZE, bool)
CAT[2:8, 3:9] = True
HOLE = np.zeros(SIZE, bool)
HOLE[4:6, 5:7] = True
DOG = np.zeros(SIZE, bool)
DOG[6:10, 7:14] = True
LABELS = np.where(DOG, 2, np.where(CAT, 1, 0))
"""A cat of columns 3 to 9 and rows 2 to 8; over it a dog, columns 7 to 14 and rows 6 to 10."""
CAT_RING = [[3, 2], [9, 2], [9, 8], [3, 8]]
DOG_RING = [[7, 6], [14, 6], [14, 10], [7, 10]]


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    return tmp_path / "set"


def image(path):
    return draw(path, np.full((*SIZE, 3), 90, np.uint8))


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def png(mask):
    file = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(file, "PNG")
    return file.getvalue()


def labels_of(dataset, name=None):
    samples = [s for s in dataset.samples if name is None or s.image.stem == name]
    return dataset.read_mask(samples[0])


# YOLO


def yolo_line(number, ring):
    height, width = SIZE
    return f"{number} " + " ".join(f"{x / width:.6f} {y / height:.6f}" for x, y in ring)


def yolo(root, yaml):
    """A set as Ultralytics and Roboflow lay it out."""
    for split in ("train", "valid"):
        image(root / split / "images" / f"{split}.jpg")
        lines = [yolo_line(0, [*CAT_RING[:3], [5, 8], [3, 8]]), yolo_line(1, DOG_RING)]
        write(root / split / "labels" / f"{split}.txt", "\n".join(lines) + "\n")
    write(root / "data.yaml", yaml)


def test_yolo_is_told_apart_from_our_data_yaml_by_its_keys(root):
    yolo(root, "train: ../train/images\nval: ../valid/images\n\nnc: 2\nnames: ['cat', 'dog']\n")
    for place in (root, root / "data.yaml"):
        dataset = open_dataset(place, test_share=0)
        assert dataset.layout == "YOLO segmentation"
        assert dataset.labels.names == ("background", "cat", "dog")
        assert dataset.splits == {"train": 1, "val": 1}
        assert (labels_of(dataset) == LABELS).all()
        assert (dataset.read_objects(dataset.samples[0]).mask(0) == CAT).all()


def test_yolo_images_without_labels_and_boxes_are_settled(root):
    yolo(root, "path: .\ntrain: train/images\nval: valid/images\nnames: {0: cat, 1: dog}\n")
    image(root / "train" / "images" / "empty.jpg")
    with pytest.raises(DataError, match=r"1 image without a label file.*unannotated: background"):
        open_dataset(root)
    stated = root / "settled.yaml"
    stated.write_text("unannotated: background")
    assert not labels_of(open_dataset(stated), "empty").any()
    stated.write_text("unannotated: skip")
    assert len(open_dataset(stated).samples) == 2
    write(root / "train" / "labels" / "empty.txt", "0 0.5 0.5 0.25 0.5\n")
    with pytest.raises(DataError, match=r"1 of 3 images are left out.*`boxes: draw`"):
        open_dataset(root)
    stated.write_text("boxes: skip")
    assert len(open_dataset(stated).samples) == 2
    stated.write_text("boxes: draw")
    dataset = open_dataset(stated)
    assert labels_of(dataset, "empty")[3:9, 6:10].all()
    assert labels_of(dataset, "empty").sum() == 24


def test_yolo_rectangles_only_may_be_oriented_boxes(root):
    image(root / "images" / "a.jpg")
    write(root / "labels" / "a.txt", f"{yolo_line(0, CAT_RING)}\n" * 5)
    write(root / "classes.txt", "cat\ndog\n")
    with pytest.raises(DataError, match="All of 5 objects are rectangles"):
        open_dataset(root)
    write(root / "data.yaml", "boxes: draw")
    assert (labels_of(open_dataset(root)) == CAT).all()


def test_a_label_of_yolo_that_fits_two_images_leaves_both_out(root):
    yolo(root, "train: train/images\nval: valid/images\nnames: [cat, dog]\n")
    draw(root / "train" / "images" / "train.png", np.full((*SIZE, 3), 40, np.uint8))
    dataset = open_with_doubts(root)
    assert [sample.image.stem for sample in dataset.samples] == ["valid"]
    assert "2 of 3 images are left out" in dataset.doubts[0].text


def test_labels_of_yolo_without_an_image_are_told(root):
    yolo(root, "train: train/images\nval: valid/images\nnames: [cat, dog]\n")
    write(root / "train" / "labels" / "lost.txt", f"{yolo_line(0, CAT_RING)}\n")
    note = next(n.text for n in open_with_doubts(root).notes if n.code == "missing_images")
    assert "not there, the first image of lost.txt" in note


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("7 0.1 0.1 0.2 0.1 0.2 0.2", "line 2 has the class 7; the classes are 0 to 1"),
        ("0 10 10 20 10 20 20", "received the coordinate 10 in line 2"),
        ("0 0.1 0.1 0.2 0.1 0.2 0.2 0.9", "received 7 numbers in line 2"),
        ("0 nan 0.1 0.2 0.1 0.2 0.2", "received the coordinate nan"),
        ("cat 0.1 0.1", "expected a class and numbers"),
    ],
)
def test_yolo_lines_that_are_wrong_leave_their_image_out(root, line, message):
    yolo(root, "train: train/images\nval: valid/images\nnames: [cat, dog]\n")
    write(root / "train" / "labels" / "train.txt", f"{yolo_line(0, CAT_RING)}\n{line}\n")
    dataset = open_with_doubts(root)
    assert [sample.image.stem for sample in dataset.samples] == ["valid"]
    assert message in next(n.text for n in dataset.notes if n.code == "broken_annotations")


def test_keypoints_of_yolo_are_no_masks(root):
    yolo(root, "train: train/images\nval: valid/images\nnames: [cat]\nkpt_shape: [17, 3]\n")
    with pytest.raises(DataError, match="pose format"):
        open_dataset(root)


# LabelMe


def labelme(shapes, name="a.jpg", **more):
    common = {"group_id": None, "flags": {}, "shape_type": "polygon", "description": ""}
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": [common | shape for shape in shapes],
        "imagePath": name,
        "imageData": None,
        "imageHeight": SIZE[0],
        "imageWidth": SIZE[1],
        **more,
    }


def test_labelme_shapes_lie_in_their_order_and_groups_are_one_object(root):
    image(root / "a.jpg")
    far = [[0, 0], [2, 0], [2, 1], [0, 1]]
    ring = {"shape_type": "mask", "label": "dog", "points": [[7, 6], [13, 9]]}
    shapes = [
        {"label": "cat", "points": CAT_RING, "group_id": 4},
        {"label": "cat", "points": far, "group_id": 4},
        {**ring, "mask": base64.b64encode(png(DOG[6:10, 7:14])).decode()},
    ]
    write(root / "a.json", labelme(shapes, "..\\old\\a.jpg"))
    dataset = open_dataset(root)
    assert dataset.layout == "LabelMe annotations"
    expected = LABELS.copy()
    expected[0, :2] = 1
    assert (labels_of(dataset) == expected).all()
    assert len(dataset.read_objects(dataset.samples[0])) == 2


def test_labelme_files_that_state_the_image_of_another_are_asked_about(root):
    for name, other in (("a", "b"), ("b", "a")):
        image(root / f"{name}.jpg")
        ring = CAT_RING if name == "a" else DOG_RING
        shapes = [{"label": "cat", "points": ring}]
        write(root / f"{name}.json", labelme(shapes, f"{other}.jpg"))
    with pytest.raises(DataError, match=r"2 JSON files of LabelMe, the first a.json.* b.jpg, than"):
        open_dataset(root)
    write(root / "data.yaml", "pair_by: name")
    assert (labels_of(open_dataset(root), "a") == CAT).all()


def test_labelme_files_with_a_path_that_is_gone_mean_the_image_beside_them(root):
    for folder, ring in (("a", CAT_RING), ("b", DOG_RING)):
        image(root / folder / "0.png")
        shapes = [{"label": "cat", "points": ring}]
        write(root / folder / "0.json", labelme(shapes, "..\\data\\0.png"))
    dataset = open_dataset(root)
    of_folder = {sample.image.parent.name: dataset.read_mask(sample) for sample in dataset.samples}
    assert (of_folder["a"] == CAT).all()
    assert (of_folder["b"] == DOG).all()


def test_classes_that_differ_in_case_alone_are_asked_about_and_spaces_are_left_out(root):
    image(root / "a.jpg")
    shapes = [{"label": "Cat ", "points": CAT_RING}, {"label": "cat", "points": DOG_RING}]
    write(root / "a.json", labelme(shapes))
    lines = {"[background, Cat]": 1, "[background, Cat, cat]": 2}
    with pytest.raises(DataError, match="The classes Cat and cat differ in upper") as told:
        open_dataset(root)
    for line, dog in lines.items():
        assert f"`classes: {line}`" in str(told.value)
        write(root / "data.yaml", f"classes: {line}")
        assert labels_of(open_dataset(root))[8, 10] == dog


def test_images_beside_those_inside_labelme_files_are_told(root):
    data = base64.b64encode(png(np.zeros(SIZE, bool))).decode()
    for name in ("a", "b"):
        shapes = [{"label": "cat", "points": CAT_RING}]
        write(root / f"{name}.json", labelme(shapes, f"gone_{name}.png", imageData=data))
    image(root / "other.jpg")
    with pytest.raises(
        DataError, match=r"1 of 3 images are left out.*other\.jpg.*`unannotated: sk"
    ):
        open_dataset(root)
    write(root / "data.yaml", "unannotated: background")
    dataset = open_dataset(root)
    assert len(dataset.samples) == 3
    assert not labels_of(dataset, "other").any()


def test_labelme_background_cuts_and_ignored_pixels_are_ignored(root):
    image(root / "a.jpg")
    inner = [[5, 4], [7, 4], [7, 6], [5, 6]]
    shapes = [
        {"label": "cat", "points": CAT_RING},
        {"label": "_background_", "points": inner},
        {"label": "__ignore__", "points": DOG_RING},
    ]
    write(root / "a.json", labelme(shapes))
    dataset = open_dataset(root)
    assert (labels_of(dataset) == np.where(DOG, 255, np.where(CAT & ~HOLE, 1, 0))).all()
    assert (dataset.read_objects(dataset.samples[0]).mask(0) == (CAT & ~HOLE)).all()


def test_labelme_rectangles_are_a_doubt_and_circles_are_filled(root):
    image(root / "a.jpg")
    image(root / "b.jpg")
    shapes = [{"label": "cat", "shape_type": "rectangle", "points": [[9, 8], [3, 2]]}]
    write(root / "a.json", labelme(shapes))
    shapes = [
        {"label": "cat", "shape_type": "circle", "points": [[8, 6], [8, 9]]},
        {"label": "cat", "shape_type": "line", "points": [[0, 0], [3, 3]]},
    ]
    write(root / "b.json", labelme(shapes, "b.jpg"))
    with pytest.raises(DataError, match=r"1 image with objects that have a box.*boxes: draw"):
        open_dataset(root)
    write(root / "data.yaml", "boxes: draw")
    dataset = open_dataset(root)
    assert (labels_of(dataset, "a") == CAT).all()
    assert labels_of(dataset, "b").sum() == pytest.approx(np.pi * 9, abs=5)
    assert "2 of b.json, a line" in next(n.text for n in dataset.notes if n.code == "without_area")


def test_labelme_holds_the_image_itself_and_images_without_json_are_left_out(root):
    data = base64.b64encode(image(root / "x.png").read_bytes()).decode()
    (root / "x.png").unlink()
    shapes = [{"label": "cat", "points": CAT_RING}]
    write(root / "a.json", labelme(shapes, "gone.png", imageData=data))
    image(root / "b.jpg")
    dataset = open_with_doubts(root)
    assert (labels_of(dataset) == CAT).all()
    assert "the first b.jpg" in next(n.text for n in dataset.notes if n.code == "not_annotated")


def test_labelme_folders_name_their_values_each(root):
    for name, names, mask in (
        ("a_json", ("_background_", "cat", "dog"), LABELS),
        ("b_json", ("_background_", "dog"), DOG),
    ):
        image(root / name / "img.png")
        palette = [0, 0, 0, 128, 0, 0, 0, 128, 0]
        draw(root / name / "label.png", mask.astype(np.uint8), "P", palette=palette)
        draw(root / name / "label_viz.png", np.full((*SIZE, 3), 50, np.uint8))
        write(root / name / "label_names.txt", "\n".join(names) + "\n")
    dataset = open_dataset(root, val_share=0, test_share=0)
    assert dataset.labels.names == ("_background_", "cat", "dog")
    assert [dataset.read_mask(s).tolist() for s in dataset.samples] == [
        LABELS.tolist(),
        (DOG * 2).tolist(),
    ]
    assert not dataset.instances


# CVAT


def cvat(shapes, name="a.jpg", extra=""):
    meta = "<meta><task><name>t</name><mode>annotation</mode><labels>" + "".join(
        f"<label><name>{label}</name><color>#fa3253</color><type>any</type><attributes>"
        f"</attributes></label>"
        for label in ("cat", "dog")
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>{meta}'
        f'</labels></task></meta>\n<image id="0" name="{name}" width="16" height="12">'
        f"{shapes}</image>{extra}</annotations>\n"
    )


def cvat_polygon(label, ring, z_order=0, group=""):
    points = ";".join(f"{x:.2f},{y:.2f}" for x, y in ring)
    return (
        f'<polygon label="{label}" source="manual" occluded="1" points="{points}" '
        f'z_order="{z_order}"{group}><attribute name="truncated">true</attribute></polygon>'
    )


def test_cvat_layers_groups_and_masks(root):
    image(root / "images" / "a.jpg")
    far = [[0, 0], [2, 0], [2, 1], [0, 1]]
    group = ' group_id="1"'
    runs = "0, 28"  # of seven columns and four rows, all inside
    mask = (
        f'<mask label="dog" source="semi-auto" occluded="0" rle="{runs}" left="7" top="6" '
        f'width="7" height="4" z_order="1"></mask>'
    )
    parts = cvat_polygon("cat", CAT_RING, 0, group) + cvat_polygon("cat", far, 0, group)
    write(root / "annotations.xml", cvat(mask + parts + '<tag label="cat"></tag>'))
    dataset = open_dataset(root)
    assert dataset.labels.names == ("background", "cat", "dog")
    expected = LABELS.copy()
    expected[0, :2] = 1
    assert (labels_of(dataset) == expected).all()
    assert len(dataset.read_objects(dataset.samples[0])) == 2


def test_cvat_turned_boxes_and_ellipses(root):
    image(root / "a.jpg")
    box = '<box label="cat" xtl="5" ytl="4" xbr="11" ybr="8" rotation="90.00" z_order="0"></box>'
    ellipse = '<ellipse label="dog" cx="8" cy="6" rx="1" ry="4" rotation="90" z_order="1"/>'
    write(root / "a.xml", cvat(box + ellipse))
    write(root / "data.yaml", "boxes: draw")
    labels = labels_of(open_dataset(root))
    # The box of six by four about 8, 6 is now four wide and six high; the ellipse lies flat.
    assert (labels[3:9, 6:10] > 0).all()
    assert not labels[:3].any()
    assert labels[5:7, 4:12].tolist() == [[2] * 8] * 2 or (labels[6] == 2).sum() >= 6


def test_cvat_images_without_shapes_tracks_and_entities_are_told(root):
    image(root / "a.jpg")
    image(root / "b.jpg")
    empty = '<image id="1" name="b.jpg" width="16" height="12"></image>'
    write(root / "a.xml", cvat(cvat_polygon("cat", CAT_RING), extra=empty))
    with pytest.raises(DataError, match=r"1 image without a shape, the first b\.jpg"):
        open_dataset(root)
    write(root / "data.yaml", "unannotated: background")
    assert len(open_dataset(root).samples) == 2
    write(root / "a.xml", cvat("", extra='<track id="0" label="cat"></track>'))
    with pytest.raises(DataError, match="holds tracks of a video"):
        open_dataset(root)
    bomb = '<!DOCTYPE a [<!ENTITY a "aaaa">]>'
    write(root / "a.xml", cvat("").replace("<annotations>", bomb + "<annotations>"))
    with pytest.raises(DataError, match="declares a DTD"):
        open_dataset(root)


# Label Studio


def label_studio(results, name="/data/upload/1/0a1b2c3d-a.jpg", **more):
    common = {
        "original_width": SIZE[1],
        "original_height": SIZE[0],
        "image_rotation": 0,
        "from_name": "label",
        "to_name": "image",
        "origin": "manual",
    }
    results = [common | {"id": f"r{n}", **result} for n, result in enumerate(results)]
    annotation = {"id": 1, "completed_by": 1, "was_cancelled": False, "result": results, **more}
    return {
        "id": 7,
        "annotations": [annotation],
        "file_upload": "0a1b2c3d-a.jpg",
        "predictions": [],
        "data": {"image": name},
    }


def percent(ring):
    return [[100 * x / SIZE[1], 100 * y / SIZE[0]] for x, y in ring]


def test_label_studio_polygons_in_percent_and_brushes(root):
    image(root / "a.jpg")
    polygon = {"points": percent(CAT_RING), "closed": True, "polygonlabels": ["cat"]}
    brush = {"format": "rle", "rle": encode_brush(DOG), "brushlabels": ["dog"]}
    results = [
        {"type": "polygonlabels", "value": polygon},
        {"type": "brushlabels", "value": brush},
        {"type": "choices", "value": {"choices": ["good"]}},
    ]
    write(root / "export.json", [label_studio(results)])
    dataset = open_dataset(root)
    assert dataset.layout == "Label Studio annotations"
    assert dataset.labels.names == ("background", "cat", "dog")
    assert (labels_of(dataset) == LABELS).all()


def test_a_brush_as_the_converter_of_label_studio_packs_it():
    packed = [0, 0, 0, 48, 57, 27, 254, 19, 0, 159, 254, 216, 4, 127, 241, 128, 0]
    mask = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0]], bool)
    assert (decode_brush(packed, (3, 4)) == mask).all()
    assert encode_brush(mask) == packed
    for wrong in (packed[:-4], [0] * 17, [300], "text", [0, 0, 0, 0, *packed[4:]]):
        with pytest.raises(DataError, match="brush"):
            decode_brush(wrong, (3, 4))


def test_label_studio_versions_of_one_task_are_not_mixed(root):
    image(root / "a.jpg")
    image(root / "b.jpg")
    polygon = {"points": percent(CAT_RING), "closed": True, "polygonlabels": ["cat"]}
    task = label_studio([{"type": "polygonlabels", "value": polygon}])
    other = label_studio(
        [{"type": "polygonlabels", "value": polygon}], "/data/local-files/?d=b.jpg"
    )
    task["annotations"] *= 2
    write(root / "export.json", [task, other])
    dataset = open_with_doubts(root)
    assert [sample.image.stem for sample in dataset.samples] == ["b"]
    note = next(n.text for n in dataset.notes if n.code == "broken_annotations")
    assert "expected one annotation, received 2; mark one as ground truth" in note


# Kaggle


def runs(mask, order="F"):
    flat = np.concatenate([[0], mask.ravel(order=order), [0]]).astype(int)
    changes = np.flatnonzero(np.diff(flat)) + 1
    return " ".join(f"{s} {e - s}" for s, e in zip(changes[::2], changes[1::2], strict=True))


def test_run_lengths_of_objects_and_empty_cells(root):
    for name in ("a.jpg", "b.jpg"):
        image(root / "train_v2" / name)
    image(root / "test_v2" / "c.jpg")
    rows = [f"a.jpg,{runs(CAT)}", f"a.jpg,{runs(DOG)}", "b.jpg,"]
    write(root / "train_ship_segmentations_v2.csv", "ImageId,EncodedPixels\n" + "\n".join(rows))
    write(root / "sample_submission_v2.csv", "ImageId,EncodedPixels\nc.jpg,1 2\n")
    for place in (root, root / "train_ship_segmentations_v2.csv"):
        dataset = open_dataset(place)
        assert (labels_of(dataset, "a") == (CAT | DOG)).all()
        assert not labels_of(dataset, "b").any()
        assert len(dataset.samples) == 2
        assert dataset.instances
        assert dataset.labels.names == ("background", "foreground")


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("ImageId,ClassId,EncodedPixels", ("a.jpg,1,{cat}", "a.jpg,2,{dog}")),
        ("ImageId_ClassId,EncodedPixels", ("a.jpg_1,{cat}", "a.jpg_2,{dog}", "b.jpg_1,")),
    ],
)
def test_run_lengths_of_classes(root, header, rows):
    for name in ("a.jpg", "b.jpg"):
        image(root / "train_images" / name)
    text = "\n".join([header, *rows]).format(cat=runs(CAT), dog=runs(DOG))
    write(root / "train.csv", text)
    if len(rows) == 2:
        with pytest.raises(DataError, match="1 image in no line of the CSV file"):
            open_dataset(root)
        write(root / "data.yaml", "unannotated: background")
    dataset = open_dataset(root)
    assert dataset.labels.names == ("background", "class 1", "class 2")
    assert (labels_of(dataset, "a") == LABELS).all()
    assert not dataset.instances


def test_run_lengths_in_rows_are_asked_for(root):
    image(root / "train" / "a.jpg")
    write(root / "train_masks.csv", f"img,rle_mask\na.jpg,{runs(CAT, 'C')}\n")
    with pytest.raises(DataError, match="whole shapes if they are taken row by row"):
        open_dataset(root)
    write(root / "data.yaml", "run_order: rows")
    assert (labels_of(open_dataset(root)) == CAT).all()


def test_run_lengths_of_square_images_follow_the_edges_of_the_image_or_are_asked_about(root):
    mask = np.zeros((16, 16), bool)
    mask[2:12, 3:7] = True
    for shown, order in ((mask, "F"), (mask.T, "F"), (np.ones_like(mask), "C")):
        draw(root / "a.png", np.where(shown, 200, 90).astype(np.uint8))
        write(root / "masks.csv", f"img,rle_mask\na.png,{runs(mask, order)}\n")
        if shown is mask:
            assert (labels_of(open_dataset(root)) == mask).all()
        else:
            with pytest.raises(DataError, match="`run_order: columns` or `run_order: rows`"):
                open_dataset(root)
    write(root / "data.yaml", "run_order: rows")
    assert (labels_of(open_dataset(root)) == mask).all()


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("0 5", "expected pixels from 1 to 192"),
        ("190 9", "received runs from 190 to 198"),
        ("10 5 3 4", "lengths relative to it are not read"),
        ("5 999999999999999999999", "expected pairs of first pixel and length"),
        ("5 -3", "expected lengths up to 192"),
    ],
)
def test_run_lengths_that_do_not_fit_leave_their_image_out(root, cell, message):
    for name in ("a.jpg", "b.jpg"):
        image(root / "train" / name)
    write(root / "m.csv", f"img,rle_mask\nb.jpg,{runs(CAT)}\na.jpg,{cell}\n")
    dataset = open_with_doubts(root)
    assert [sample.image.stem for sample in dataset.samples] == ["b"]
    assert message in next(n.text for n in dataset.notes if n.code == "broken_annotations")


# Supervisely


def test_supervisely_points_are_pixels_and_bitmaps_have_an_origin(root):
    image(root / "ds" / "img" / "a.jpg")
    classes = [{"title": name, "shape": "any", "color": "#FF0000"} for name in ("cat", "dog")]
    write(root / "meta.json", {"classes": classes, "tags": [], "projectType": "images"})
    inner = [[5, 4], [6, 4], [6, 5], [5, 5]]
    points = {"exterior": [[3, 2], [8, 2], [8, 7], [3, 7]], "interior": [inner]}
    packed = base64.b64encode(zlib.compress(png(DOG[6:10, 7:14]))).decode()
    bitmap = {"data": packed, "origin": [7, 6]}
    objects = [
        {"classTitle": "cat", "geometryType": "polygon", "points": points, "tags": []},
        {"classTitle": "dog", "geometryType": "bitmap", "bitmap": bitmap, "tags": []},
    ]
    size = {"height": SIZE[0], "width": SIZE[1]}
    content = {"description": "", "tags": [{"name": "train"}], "size": size, "objects": objects}
    write(root / "ds" / "ann" / "a.jpg.json", content)
    dataset = open_dataset(root)
    assert dataset.layout == "Supervisely project"
    assert (labels_of(dataset) == np.where(HOLE, 0, LABELS)).all()


# GeoJSON


def test_geojson_lies_on_georeferenced_images(root):
    rasterio = pytest.importorskip("rasterio")
    from rasterio.transform import from_origin

    root.mkdir()
    place = from_origin(500_000, 4_000_000, 10, 10)
    for name, shift in (("a", 0), ("b", 160)):
        with rasterio.open(
            root / f"{name}.tif",
            "w",
            driver="GTiff",
            height=12,
            width=16,
            count=3,
            dtype="uint8",
            crs="EPSG:32633",
            transform=from_origin(500_000 + shift, 4_000_000, 10, 10),
        ) as file:
            file.write(np.full((3, *SIZE), 90, np.uint8))

    def feature(name, *rings):
        rings = [[place * point for point in [*ring, ring[0]]] for ring in rings]
        geometry = {"type": "Polygon", "coordinates": rings}
        return {"type": "Feature", "properties": {"class": name, "id": 4}, "geometry": geometry}

    inner = [[5, 4], [7, 4], [7, 6], [5, 6]]
    wide = [[12, 6], [20, 6], [20, 10], [12, 10]]  # over both images
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    features = [feature("cat", CAT_RING, inner), feature("dog", wide)]
    write(root / "all.geojson", {"type": "FeatureCollection", "crs": crs, "features": features})
    dataset = open_dataset(root, val_share=0, test_share=0)
    first, second = (dataset.read_mask(sample) for sample in dataset.samples)
    expected = (CAT & ~HOLE).astype(int)
    expected[6:10, 12:] = 2
    assert (first == expected).all()
    assert (second[6:10, :4] == 2).all()
    assert second.sum() == 32
    write(root / "all.geojson", {"type": "FeatureCollection", "features": features})
    with pytest.raises(DataError, match="expected longitude and latitude"):
        open_dataset(root)


def test_geojson_files_of_one_name_belong_to_the_images_beside_them(root):
    for split, ring in (("train", CAT_RING), ("val", DOG_RING)):
        image(root / split / "a.png")
        geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
        properties = {"classification": {"name": "cell", "color": [1, 2, 3]}}  # as QuPath writes
        feature = {"type": "Feature", "properties": properties, "geometry": geometry}
        write(root / split / "a.geojson", {"type": "FeatureCollection", "features": [feature]})
    dataset = open_dataset(root, test_share=0)
    assert dataset.labels.names == ("background", "cell")
    masks = {sample.split: dataset.read_mask(sample).tolist() for sample in dataset.samples}
    assert masks == {"train": CAT.astype(int).tolist(), "val": DOG.astype(int).tolist()}


# COCO panoptic


def test_panoptic_segments_keep_their_classes_and_void_is_ignored(root):
    image(root / "val2017" / "a.jpg")
    ids = np.where(DOG, 256 * 3 + 7, np.where(CAT, 70000, 0))
    colors = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
    draw(root / "annotations" / "panoptic_val2017" / "a.png", colors)
    segments = [
        {"id": 70000, "category_id": 17, "area": 1, "bbox": [0, 0, 1, 1], "iscrowd": 0},
        {"id": 775, "category_id": 18, "area": 1, "bbox": [0, 0, 1, 1], "iscrowd": 0},
    ]
    content = {
        "images": [{"id": 5, "file_name": "a.jpg", "height": SIZE[0], "width": SIZE[1]}],
        "annotations": [{"image_id": 5, "file_name": "a.png", "segments_info": segments}],
        "categories": [
            {"id": 17, "name": "cat", "isthing": 1},
            {"id": 18, "name": "dog", "isthing": 1},
        ],
    }
    write(root / "annotations" / "panoptic_val2017.json", content)
    dataset = open_dataset(root)
    assert dataset.layout == "COCO annotations"
    assert (labels_of(dataset) == np.where(LABELS == 0, 255, LABELS)).all()
    assert len(dataset.read_objects(dataset.samples[0])) == 2


# VOC


def voc(shape, name="a.jpg"):
    return (
        f"<annotation><folder>x</folder><filename>{name}</filename><size><width>16</width>"
        f"<height>12</height><depth>3</depth></size><segmented>0</segmented><object>"
        f"<name>cat</name><pose>Left</pose><difficult>0</difficult>{shape}</object></annotation>"
    )


def test_boxes_of_voc_are_no_masks_unless_drawn_as_stated(root):
    image(root / "JPEGImages" / "a.jpg")
    box = "<bndbox><xmin>4</xmin><ymin>3</ymin><xmax>9</xmax><ymax>8</ymax></bndbox>"
    write(root / "Annotations" / "a.xml", voc(box))
    with pytest.raises(DataError, match=r"box is not a mask: draw the outlines.*boxes: draw"):
        open_dataset(root)
    write(root / "data.yaml", "boxes: draw")
    assert (labels_of(open_dataset(root)) == CAT).all()


# Orientation


def test_annotations_of_stored_pixels_are_turned_with_their_image(root):
    exif = Image.Exif()
    exif[274] = 6  # stored lying on its left side
    for name in ("a", "b"):
        stored = np.full((*SIZE, 3), 90, np.uint8)
        draw(root / f"{name}.jpg", stored, exif=exif)
        write(root / f"{name}.json", labelme([{"label": "cat", "points": CAT_RING}], f"{name}.jpg"))
    labels = labels_of(open_dataset(root), "a")
    assert (labels == np.rot90(CAT, -1)).all()
    for name in ("a", "b"):  # as LabelMe saves them, which turns the image first
        ring = [[SIZE[0] - y, x] for x, y in CAT_RING]
        content = labelme([{"label": "cat", "points": ring}], f"{name}.jpg")
        content |= {"imageHeight": SIZE[1], "imageWidth": SIZE[0]}
        write(root / f"{name}.json", content)
    assert (labels_of(open_dataset(root), "a") == np.rot90(CAT, -1)).all()


# Mask exports


def test_masks_as_cvat_exports_them_have_the_names_of_its_labelmap(root):
    image(root / "JPEGImages" / "a.jpg")
    draw(root / "JPEGImages" / "b.jpg", np.full((*SIZE, 3), 20, np.uint8))
    palette = np.array([[0, 0, 0], [250, 50, 83], [51, 221, 255]], np.uint8)
    for name in ("a", "b"):
        draw(root / "SegmentationClass" / f"{name}.png", palette[LABELS])
        draw(root / "SegmentationObject" / f"{name}.png", palette[LABELS])
    write(root / "ImageSets" / "Segmentation" / "default.txt", "a\nb\n")
    lines = ["background:0,0,0::", "cat:250,50,83::", "dog:51,221,255::"]
    write(root / "labelmap.txt", "# label:color_rgb:parts:actions\n" + "\n".join(lines) + "\n")
    dataset = open_dataset(root)
    assert dataset.labels.names == ("background", "cat", "dog")
    assert (labels_of(dataset, "a") == LABELS).all()
