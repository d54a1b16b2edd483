import numpy as np
import pytest
import tifffile

from drawing_classes import COUNT, NAMES, check_labels, draw_image, draw_mask, labels_of
from drawing_samples import draw
from maskwright.data import open_dataset
from maskwright.data.layers import layer_labels, read_layers
from maskwright.data.opening import open_with_doubts, write_yaml
from maskwright.data.readers.manifest import write_manifest
from maskwright.errors import ConfigError, DataError

CLASSES = dict(enumerate(NAMES[1:], start=1))


def draw_all(root, image, mask):
    """Images and masks by patterns of their number, and of the class."""
    for number in range(COUNT):
        draw_image(root / image.format(number), number)
        for label, name in CLASSES.items():
            draw_mask(root / mask.format(number, name), number, label)


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("images/{}.png", "masks/{1}/{0}.png"),
        ("images/{}.png", "{1}_masks/{0}_{1}.png"),
        ("images/{}.png", "masks/{0}_{1}.png"),
        ("images/{}.png", "masks/{1}_{0}.png"),
        ("images/IMG_{}.png", "masks/Mask_IMG_{0}_{1}.png"),
        ("images/{}.png", "masks/{0}/{1}.png"),
        ("{0}/images/{0}.png", "{0}/masks/{1}.png"),
        ("{}.png", "{0}_{1}.png"),
        ("images/{}.png", "masks/task-{0}-annotation-2{0}-by-3-tag-{1}-0.png"),
        ("images/p{}/1.png", "masks/p{0}/{1}/1.png"),
        ("Training_Input/ISIC_{}.png", "Training_GroundTruth/ISIC_{0}_attribute_{1}.png"),
    ],
)
def test_a_folder_or_file_for_each_class(tmp_path, image, mask):
    draw_all(tmp_path, image, mask)
    dataset = open_dataset(tmp_path)
    check_labels(dataset, NAMES)
    assert not dataset.instances
    sample = dataset.samples[0]
    layers = read_layers(dataset, sample)[1]
    for place, name in enumerate(layer_labels(dataset.labels).names):
        label = dataset.labels.names.index(name)
        assert (layers[..., place] == (dataset.read_mask(sample) == label)).all()
    write_yaml(dataset, tmp_path / "data.yaml")
    again = open_dataset(tmp_path)
    assert (again.samples, again.labels) == (dataset.samples, dataset.labels)
    assert again.encoding == dataset.encoding


def test_classes_without_a_file_for_some_images_are_told(tmp_path):
    draw_all(tmp_path, "images/{}.png", "masks/{1}/{0}.png")
    for number in (0, 1):
        (tmp_path / "masks" / "dent" / f"{number}.png").unlink()
    notes = {note.code: note.text for note in open_dataset(tmp_path).notes}
    assert f"Of {COUNT} images " in notes["missing_classes"]
    assert "missing: dent for 2;" in notes["missing_classes"]


def test_masks_of_no_class_beside_those_of_classes_add_none(tmp_path):
    draw_all(tmp_path, "images/{}.png", "labels/{1}/{0}.png")
    for number in range(COUNT):
        draw_mask(tmp_path / "masks" / f"{number}.png", number, 1)
    dataset = open_with_doubts(tmp_path)
    assert [doubt.code for doubt in dataset.doubts] == ["masks_beside_classes"]
    assert dataset.labels.names == ("background", "dent", "rust", "scratch")


def test_data_yaml_states_the_files_of_each_class(tmp_path):
    draw_all(tmp_path, "images/{}.png", "masks/{0}_{1}.png")
    text = "masks: {dent: 'masks/*_dent.png', mark: 'masks/*_scratch.png'}\n"
    (tmp_path / "data.yaml").write_text(text)
    dataset = open_dataset(tmp_path)
    check_labels(
        dataset,
        ("background", "mark", "dent"),
        lambda number: np.where(labels_of(number) == 3, 0, labels_of(number)),
    )


def test_a_manifest_states_classes_and_is_written_with_them(tmp_path):
    draw_all(tmp_path, "images/{}.png", "masks/{0}_{1}.png")
    cells = ["images/{n}.png", ";".join(f"masks/{{n}}_{name}.png" for name in NAMES[1:]), ""]
    rows = [",".join(cells).format(n=n).replace("/", "\\") for n in range(COUNT)]
    for column in ("label", "classes"):
        text = "\n".join([f"image,mask,{column}", *(row + ";".join(NAMES[1:]) for row in rows)])
        (tmp_path / "manifest.csv").write_text(text)
        dataset = open_dataset(tmp_path)
        check_labels(dataset, NAMES)
        objects = dataset.read_objects(dataset.samples[0])
        assert [dataset.labels.names[label] for label in objects.labels] == list(
            dataset.samples[0].classes
        )
        write_manifest(tmp_path / "copy.csv", dataset.samples)
        assert [s.classes for s in open_dataset(tmp_path / "copy.csv").samples] == [
            s.classes for s in dataset.samples
        ]


def test_overlapping_classes_are_a_doubt_that_an_order_settles(tmp_path):
    draw_all(tmp_path, "images/{}.png", "masks/{1}/{0}.png")
    for number in range(COUNT):
        draw_mask(tmp_path / "masks" / "any" / f"{number}.png", number)
    (doubt,) = open_with_doubts(tmp_path).doubts
    assert doubt.code == "overlapping_classes"
    with pytest.raises(DataError, match=r"overlap in 12 images, .*`overlap: \[any, dent, rust"):
        open_dataset(tmp_path)
    (tmp_path / "data.yaml").write_text("overlap: [any, dent, rust]\n")
    with pytest.raises(ConfigError, match="each of the classes any, dent, rust, scratch once"):
        open_dataset(tmp_path)
    (tmp_path / "data.yaml").write_text("overlap: [scratch, any, dent, rust]\n")
    dataset = open_dataset(tmp_path)
    check_labels(dataset, ("background", "any", "dent", "rust", "scratch"), lambda n: labels_of(n))
    assert read_layers(dataset, dataset.samples[0])[1].sum(axis=2).max() == 2
    (tmp_path / "data.yaml").write_text("masks: masks/any\n")
    assert open_dataset(tmp_path).labels.names == ("background", "foreground")


@pytest.mark.parametrize(
    ("mask", "code", "settle"),
    [
        ("masks/{0}/{2}.png", "numbered_masks", "objects: instances"),
        ("masks/{2}/{0}.png", "numbered_folders", "masks: masks/2/*.png"),
        ("{3}masks/{0}.png", "several_mask_folders", "masks: out/masks/*.png"),
        ("masks/{0}{4}.png", "masks_beside_classes", "masks: {edge: masks/*_edge.png}"),
        ("{1}s/{0}.png", "", ""),
        (
            "masks/task-{0}-annotation-{2}{0}-by-{2}-tag-dent-0.png",
            "several_annotations",
            "masks: masks/*-by-2-*",
        ),
    ],
)
def test_masks_of_several_readings(tmp_path, mask, code, settle):
    for number in range(COUNT):
        draw_image(tmp_path / "images" / f"{number}.png", number)
        for label, name in ((1, "mask"), (2, "label")):
            further = ("", "") if label == 1 else ("out/", "_edge")
            draw_mask(tmp_path / mask.format(number, name, label, *further), number, label)
    code, settle = code or "several_mask_folders", settle or "masks: labels/*.png"
    (doubt,) = open_with_doubts(tmp_path).doubts
    assert doubt.code == code
    assert settle.replace("2", "1") in doubt.settle.replace("2", "1")
    (tmp_path / "data.yaml").write_text(settle)
    dataset = open_dataset(tmp_path)
    assert len(dataset.samples) == COUNT
    if code != "numbered_masks":
        assert all(len(sample.masks) == 1 for sample in dataset.samples)
        truth = (dataset.read_mask(s) > 0 for s in dataset.samples)
        drawn = {(labels_of(n) == 2).tobytes() for n in range(COUNT)}
        assert {mask.tobytes() for mask in truth} == drawn


def test_palettes_of_class_files_are_read_by_their_colors(tmp_path):
    white_first = [255, 255, 255, 0, 0, 0]
    for number in range(COUNT):
        draw_image(tmp_path / "images" / f"{number}.png", number)
        for label, name in CLASSES.items():
            indices = (labels_of(number) != label).astype(np.uint8)
            path = tmp_path / "masks" / name / f"{number}.png"
            draw(path, indices, "P", palette=white_first)
    check_labels(open_dataset(tmp_path), NAMES)


def test_files_of_a_class_that_hold_several_values_are_a_doubt(tmp_path):
    draw_all(tmp_path, "images/{}.png", "masks/{1}/{0}.png")
    for number in range(COUNT):
        draw(tmp_path / "masks" / "rust" / f"{number}.png", labels_of(number))
    with pytest.raises(DataError, match=r"12 masks of single classes hold several values"):
        open_dataset(tmp_path)


def test_colors_of_all_classes_in_two_folders_are_a_doubt(tmp_path):
    colors = np.array([[255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    for number in range(COUNT):  # as ISPRS Potsdam has them
        draw_image(tmp_path / "2_Ortho_RGB" / f"top_{number}_RGB.tif", number)
        labels = colors[labels_of(number)]
        draw(tmp_path / "5_Labels_all" / f"top_{number}_label.tif", labels)
        eroded = labels * (np.arange(64) % 8 > 0)[:, None, None].astype(np.uint8)
        folder = tmp_path / "5_Labels_all_noBoundary"
        draw(folder / f"top_{number}_label_noBoundary.tif", eroded)
    with pytest.raises(DataError, match=r"24 masks of single classes hold several values"):
        open_dataset(tmp_path)
    (tmp_path / "data.yaml").write_text("masks: 5_Labels_all\n")
    names = tuple(f"class_{label}" for label in range(4))  # in the order of their colors
    check_labels(open_dataset(tmp_path), names, lambda n: 3 - labels_of(n))


@pytest.mark.parametrize("first", [0, 1])
def test_pages_of_a_mask_are_classes(tmp_path, monkeypatch, first):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "set"
    for number in range(COUNT):
        draw_image(root / "images" / f"{number}.png", number)
        (root / "masks").mkdir(exist_ok=True)
        pages = np.stack([(labels_of(number) == label) * 255 for label in range(first, 4)])
        path = root / "masks" / f"{number}.tif"
        tifffile.imwrite(path, pages.astype(np.uint8), photometric="minisblack")
    (root / "classes.txt").write_text("\n".join(NAMES[first:]))
    dataset = open_dataset(root)
    check_labels(dataset, NAMES)
    (root / "classes.txt").write_text("\n".join(NAMES[2:]))
    with pytest.raises(DataError, match=rf"{4 - first} pages or channels.*there are 2 names"):
        open_dataset(root)


@pytest.mark.parametrize("first", [False, True])
def test_planes_of_an_array_are_classes(tmp_path, monkeypatch, first):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "set"
    (root / "masks").mkdir(parents=True)
    for number in range(COUNT):
        draw_image(root / "images" / f"{number}.png", number)
        planes = np.stack(
            [labels_of(number) == label for label in (1, 2, 3)], axis=0 if first else 2
        )
        np.save(root / "masks" / f"{number}.npy", planes)
    (root / "classes.txt").write_text("\n".join(NAMES[1:]))
    check_labels(open_dataset(root), NAMES)
    (root / "data.yaml").write_text("overlap: multilabel")
    assert open_dataset(root).multilabel


def test_planes_of_0_and_255_that_overlap_may_be_colors(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "set"
    (root / "masks").mkdir(parents=True)
    for number in range(COUNT):
        draw_image(root / "images" / f"{number}.png", number)
        labels = labels_of(number)
        planes = np.dstack([labels > 0, labels == 2, labels == 3]) * np.uint8(255)
        np.save(root / "masks" / f"{number}.npy", planes)
    with pytest.raises(DataError, match=r"three channels of 0 and 255.* `encoding: colors`"):
        open_dataset(root)
    orders = "overlap: multilabel", "overlap: [class_1, class_2, class_3]"
    for line in ("encoding: colors", *orders):
        (root / "data.yaml").write_text(line)
        dataset = open_dataset(root)
        assert dataset.encoding.kind == ("colors" if "colors" in line else "layers")
        assert dataset.multilabel == ("multilabel" in line)
    labels = labels_of(int(dataset.samples[0].id))  # painted in the order of the last line
    np.testing.assert_array_equal(dataset.read(dataset.samples[0])[1], labels)


def test_one_mask_file_for_each_object_stays_objects(tmp_path):
    for number in range(COUNT):
        draw_image(tmp_path / str(number) / "0.png", number)
        for label in range(1, 2 + number % 3):
            draw_mask(tmp_path / str(number) / "masks" / f"{label - 1}.png", number, label)
    dataset = open_dataset(tmp_path)
    assert dataset.instances
    assert sorted(len(s.masks) for s in dataset.samples) == [1] * 4 + [2] * 4 + [3] * 4


@pytest.mark.parametrize(
    ("names", "mask"),
    [
        (("photo", "rust", "scratch"), "masks/{1}/{0}.png"),
        (("x", "rust", "scratch"), "train/masks/{1}/{0}_{1}.png"),
        (("train", "bus", "car"), "masks/{1}/{0}.png"),
    ],
)
def test_a_folder_beside_those_of_classes_is_one_whatever_its_name(tmp_path, names, mask):
    parent = mask.partition("masks")[0]
    for number in range(COUNT):
        draw_image(tmp_path / parent / "images" / f"{number}.png", number)
        for label, name in enumerate(names, start=1):
            draw_mask(tmp_path / mask.format(number, name), number, label)
    check_labels(open_dataset(tmp_path), ("background", *names))


@pytest.mark.parametrize(
    ("spare", "mask"),
    [
        ("roi", "masks/{1}/{0}.png"),
        ("instances", "masks/{1}/{0}.png"),
        ("overlay", "masks/{0}_{1}.png"),
    ],
)
def test_masks_named_like_pictures_of_others_are_a_doubt(tmp_path, spare, mask):
    for number in range(COUNT):
        draw_image(tmp_path / "images" / f"{number}.png", number)
        for label, name in ((1, "dent"), (2, spare)):
            draw_mask(tmp_path / mask.format(number, name), number, label)
    doubt = next(d for d in open_with_doubts(tmp_path).doubts if d.code == "spare_masks")
    both, alone = doubt.settle.split("`")[1::2]
    (tmp_path / "data.yaml").write_text(both)
    check_labels(open_dataset(tmp_path), ("background", "dent", spare), lambda n: labels_of(n) % 3)
    (tmp_path / "data.yaml").write_text(alone)
    names = ("background", "foreground")
    check_labels(open_dataset(tmp_path), names, lambda n: (labels_of(n) == 1) * 1)
