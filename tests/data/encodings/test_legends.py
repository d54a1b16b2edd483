import json

import numpy as np
import pytest
from PIL import Image

from drawing_mask_sets import COLORS, doubts_of, palette_image, read_labels, scene, state, write_set
from maskwright.data import open_dataset
from maskwright.data.encodings.class_map import voc_color
from maskwright.data.encodings.legends import read_class_map

SCENES = [scene(seed) for seed in range(4)]
NAMES = ("background", "scratch", "dent", "rust")
VALUES = dict(zip(NAMES, range(4), strict=True))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("class_dict.csv", "name,r,g,b\nRoad,128,64,128\nCar,64,0,128\n"),
        ("label_colors.txt", "128 64 128\tRoad\n64 0 128\tCar\n"),
        ("labelmap.txt", "# label:color_rgb:parts:actions\nRoad:128,64,128::\nCar:64,0,128::\n"),
        ("classes.txt", "Road #804080\nCar #400080\n"),
        (
            "classes.json",
            '[{"name": "Road", "color": "#804080"}, {"name": "Car", "color": [64, 0, 128]}]',
        ),
        (
            "meta.json",
            '{"classes": [{"title": "Road", "color": "#804080"},'
            ' {"title": "Car", "color": "#400080"}]}',
        ),
        ("labels.json", '{"Road": [128, 64, 128], "Car": [64, 0, 128]}'),
        ("classes.csv", 'class,color\nRoad,"(128, 64, 128)"\nCar,"64,0,128"\n'),
    ],
)
def test_legends_with_colors_are_read(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    legend = read_class_map(tmp_path / name)
    assert [(entry.name, entry.color) for entry in legend.entries] == [
        ("Road", (128, 64, 128)),
        ("Car", (64, 0, 128)),
    ]


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("classes.txt", "Road\nTraffic light\n", [None, None]),
        ("classes.txt", "0 Road\n1 Traffic light\n", [0, 1]),
        ("labels.csv", "id,name\n1,Road\n2,Traffic light\n", [1, 2]),
        ("labels.json", '{"0": "Road", "7": "Traffic light"}', [0, 7]),
        ("labels.json", '{"0": {"name": "Road"}, "7": {"name": "Traffic light"}}', [0, 7]),
        ("classes.txt", "Road=0\nTraffic light=1\n", [0, 1]),
        ("classes.txt", "Road 3\nTraffic light 1\n", [3, 1]),
        ("classes.txt", "1. Road\n2. Traffic light\n", [1, 2]),
        ("classes.txt", "2) Road\n1) Traffic light\n", [2, 1]),
        ("classes.csv", "name\nRoad\nTraffic light\n", [None, None]),
        ("labels.json", '["Road", "Traffic light"]', [None, None]),
    ],
)
def test_legends_with_values_are_read(tmp_path, name, text, values):
    (tmp_path / name).write_text(text)
    legend = read_class_map(tmp_path / name)
    assert [entry.name for entry in legend.entries] == ["Road", "Traffic light"]
    assert [entry.value for entry in legend.entries] == values


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("class_names.txt", "background\nscratch\ndent\nrust\n"),
        ("labels.txt", "scratch\ndent\nrust\n"),  # of the objects alone
        ("obj.names", "scratch\ndent\nrust\n"),
        ("labels.txt", "__ignore__\nbackground\nscratch\ndent\nrust\n"),  # which has no value
        ("_classes.csv", "Pixel Value, Class\n0, background\n1, scratch\n2, dent\n3, rust\n"),
        ("masks/_classes.csv", "Pixel Value, Class\n1, scratch\n2, dent\n3, rust\n"),
        (
            "class_dict_seg.csv",
            "name,r,g,b\nbackground,0,0,0\nscratch,9,0,0\ndent,0,9,0\nrust,0,0,9",
        ),
        ("dataset.json", json.dumps({"labels": VALUES})),
        ("dataset.json", json.dumps({"labels": {str(v): n for n, v in VALUES.items()}})),
        ("id2label.json", json.dumps({v: n for n, v in VALUES.items()})),
        ("label2id.json", json.dumps(VALUES)),
        ("classes.yaml", "names: [background, scratch, dent, rust]"),
        ("codes.txt", "background\nscratch\ndent\nrust\n"),  # as fastai's CamVid
        ("category_id.txt", "0\tbackground\n1\tscratch\n2\tdent\n3\trust\n"),  # FoodSeg103
        ("classes.txt", "0 -> background\n1 -> scratch\n2 -> dent\n3 -> rust\n"),
        (
            "label_map.pbtxt",
            'item {\n  id: 1\n  name: "scratch"\n}\n'
            'item { name: "/m/2" id: 2 display_name: "dent" }'
            "item { id: 3 name: 'rust' }",
        ),
        ("config_v2.0.json", json.dumps({"labels": [{"name": n} for n in NAMES]})),  # Mapillary
    ],
)
def test_names_beside_the_data(tmp_path, file, text):
    write_set(tmp_path, SCENES)
    (tmp_path / file).write_text(text)
    dataset, labels = read_labels(tmp_path)
    assert dataset.labels.names == NAMES
    np.testing.assert_array_equal(labels, SCENES)
    assert not dataset.doubts


def test_names_with_signs_are_whole_lines(tmp_path):
    write_set(tmp_path, SCENES)
    (tmp_path / "classes.txt").write_text('background\nmoss & lichen\n"rust"\na: b\n')
    names = open_dataset(tmp_path).labels.names
    assert names == ("background", "moss & lichen", "rust", "a: b")


def test_names_beside_a_manifest(tmp_path):
    write_set(tmp_path, SCENES)
    rows = [f"images/{number}.png,masks/{number}.png" for number in range(len(SCENES))]
    (tmp_path / "manifest.csv").write_text("\n".join(["image,mask", *rows]))
    (tmp_path / "classes.txt").write_text("\n".join(NAMES))
    assert open_dataset(tmp_path).labels.names == NAMES


def test_a_legend_that_cannot_be_read_is_told(tmp_path):
    write_set(tmp_path, SCENES)
    (tmp_path / "classes.json").write_text("{background, scratch}")
    (tmp_path / "labels.csv").write_text("0.png,benign\n1.png,malign\n")  # of whole images
    notes = {note.code: note.text for note in open_dataset(tmp_path).notes}
    assert "classes.json is named as a list of classes" in notes["unread_legend"]
    assert "labels.csv" not in notes["unread_legend"]


def test_what_ade20k_does_not_name_is_void(tmp_path):
    write_set(tmp_path, SCENES)
    lines = ["Idx\tRatio\tTrain\tVal\tStuff\tName", "1\t0.15\t11664\t1172\t1 \twall"]
    lines += ["2\t0.1\t604\t61\t1 \tbuilding;edifice", "3\t0.08\t8265\t796\t1 \tsky"]
    (tmp_path / "objectInfo150.txt").write_text("\n".join(lines))
    dataset, labels = read_labels(tmp_path)
    assert dataset.labels.names == ("wall", "building", "sky")
    np.testing.assert_array_equal(labels, np.array([255, 0, 1, 2])[SCENES])


@pytest.mark.parametrize(
    ("file", "text", "names"),
    [
        ("", "", ("class_0", "class_1", "class_2", "class_3")),
        ("class_names.txt", "_background_\na\nb\nc\n", ("_background_", "a", "b", "c")),
        (
            "labelmap.txt",
            "back:0,0,0::\na:128,0,0::\nb:0,128,0::\nc:128,128,0::\n",
            ("back", *"abc"),
        ),
    ],
)
@pytest.mark.parametrize("mode", ["P", "RGB"])
def test_own_classes_in_the_folders_and_colors_of_voc(tmp_path, file, text, names, mode):
    colors = [voc_color(label) for label in range(256)]
    write_set(tmp_path, SCENES, lambda mask, _: palette_image(mask, colors).convert(mode))
    (tmp_path / "images").rename(tmp_path / "JPEGImages")
    (tmp_path / "masks").rename(tmp_path / "SegmentationClass")
    if file:
        (tmp_path / file).write_text(text)
    dataset, labels = read_labels(tmp_path)
    assert dataset.labels.names == names
    np.testing.assert_array_equal(labels, SCENES)


def test_gray_colors_of_a_legend_are_values_whatever_their_order(tmp_path):
    binary = [(mask > 0).astype(np.uint8) for mask in SCENES]
    write_set(tmp_path, [mask * 255 for mask in binary])
    text = "name,r,g,b\nroad,255,255,255\nbackground,0,0,0\n"
    (tmp_path / "class_dict.csv").write_text(text)
    dataset, labels = read_labels(tmp_path)
    assert dataset.labels.names == ("background", "road")
    np.testing.assert_array_equal(labels, binary)


def test_black_that_a_legend_does_not_name_is_background(tmp_path):
    write_set(tmp_path, SCENES, lambda mask, _: Image.fromarray(COLORS[mask]))
    text = "name,r,g,b\nscratch,255,0,0\ndent,0,255,0\nrust,0,0,255\n"
    (tmp_path / "class_dict.csv").write_text(text)
    dataset, labels = read_labels(tmp_path)
    assert dataset.labels.names == NAMES
    np.testing.assert_array_equal(labels, SCENES)


def test_names_without_background_beside_colored_masks(tmp_path):
    def colored(mask, _):
        return Image.fromarray(COLORS[mask])

    (write_set(tmp_path / "a", SCENES, colored) / "classes.txt").write_text("dent\nrust\nscratch\n")
    dataset, labels = read_labels(tmp_path / "a")
    assert dataset.labels.names == ("class_0", "class_1", "class_2", "class_3")
    assert "classes.txt are not used, for they have no colors" in dataset.encoding.explanation
    assert np.mean([len(np.unique(mask)) for mask in labels]) == 4
    two = [np.minimum(mask, 1) for mask in SCENES]
    (write_set(tmp_path / "b", two, colored) / "classes.txt").write_text("tumor\n")
    assert open_dataset(tmp_path / "b").labels.names == ("background", "tumor")


def test_a_value_more_than_there_are_names_is_a_class_of_its_own(tmp_path):
    write_set(tmp_path, SCENES)
    stray = SCENES[0].copy()
    stray[0, 0] = 77
    Image.fromarray(stray).save(tmp_path / "masks" / "0.png")
    (tmp_path / "classes.txt").write_text("\n".join(NAMES))
    dataset = open_dataset(tmp_path)
    assert dataset.labels.num_classes == 5
    assert "The 4 names in classes.txt do not fit" in dataset.encoding.explanation


def test_legends_that_differ_are_asked_about(tmp_path):
    write_set(tmp_path, SCENES)
    (tmp_path / "classes.txt").write_text("background\na\nb\nc\n")
    (tmp_path / "labels.txt").write_text("a\nb\nc\n")  # says the same
    assert doubts_of(tmp_path) == []
    (tmp_path / "labels.txt").write_text("b\na\nc\n")
    assert doubts_of(tmp_path) == ["class_maps_differ"]
    assert open_dataset(state(tmp_path, "classes: [z, a, b, c]")).labels.names == tuple("zabc")


def test_more_names_than_values_may_begin_at_0_or_1(tmp_path):
    write_set(tmp_path, [np.minimum(mask, 2) for mask in SCENES])
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\n")
    assert doubts_of(tmp_path) == ["first_class"]
    assert open_dataset(state(tmp_path, "classes: [a, b, c, d]")).labels.names == tuple("abcd")
    dataset = open_dataset(state(tmp_path, "classes: [background, a, b, c, d]"))
    assert dataset.labels.names == ("background", *"abcd")


def test_values_counted_from_1_with_a_background_are_asked_about(tmp_path):
    write_set(tmp_path, SCENES)
    rows = "".join(f"{value},{name}\n" for value, name in enumerate(NAMES, start=1))
    (tmp_path / "labels.csv").write_text(f"id,name\n{rows}")
    assert doubts_of(tmp_path) == ["class_map_offset"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("labels.txt", "0.png 1\n1.png 2\n"),
        ("dataset.json", json.dumps({"labels": {"background": 0, "whole": [1, 2, 3]}})),
        ("labels.json", json.dumps({"info": {"year": 2020}})),
    ],
)
def test_what_is_no_legend_or_does_not_fit_gives_no_names(tmp_path, file, text):
    write_set(tmp_path, SCENES)
    (tmp_path / file).write_text(text)
    assert open_dataset(tmp_path).labels.names == ("class_0", "class_1", "class_2", "class_3")
