from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from maskwright.data import open_dataset
from maskwright.data.synthetic.datasets import write_dataset
from maskwright.errors import ConfigError, DataError
from maskwright.tasks.regions.learning.labeling import find_labeling

CELLS = np.array([[1, 1, 0, 0, 0], [1, 1, 0, 2, 2], [0, 0, 0, 2, 2]], np.uint8)
"""Two regions in three rows of five pixels."""


def draw(path, pixels=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((3, 5), 90, np.uint8) if pixels is None else pixels).save(path)


def region(value=1, label=1):
    """What labeling looks at of a region."""
    return SimpleNamespace(value=value, label=label)


def targets(labeling, dataset):
    """Target of the only region of each sample, by its id."""
    return {s.id: labeling.targets_of(s, [region()])[0] for s in dataset.samples}


def by_class(root, **counts):
    """Folders named by class, as in BUSI; what is normal has empty masks."""
    for name, count in counts.items():
        for number in range(count):
            mask = np.uint8(255) * (CELLS == 1) * (name != "normal")
            draw(root / name / "images" / f"{name} ({number}).png")
            draw(root / name / "mask" / f"{name} ({number})_mask.png", mask.astype(np.uint8))
    return open_dataset(root)


def manifest(root, rows, header="image,mask,case,label", mask=CELLS):
    """One image and one mask for each row, which begins after both."""
    for number in range(len(rows)):
        draw(root / f"i{number}.png")
        draw(root / f"m{number}.png", mask)
    lines = [f"i{number}.png,m{number}.png,{row}" for number, row in enumerate(rows)]
    (root / "manifest.csv").write_text("\n".join([header, *lines]))
    return open_dataset(root)


def test_folders_named_by_class_label_their_images(tmp_path):
    dataset = by_class(tmp_path, benign=4, malignant=3, normal=2)
    found = find_labeling(dataset)
    assert (found.names, found.unit, found.source) == (("benign", "malignant"), "image", "image")
    assert any("No region has the label normal" in note for note in found.notes)
    assert "'malignant' is the positive class, by its name." in found.notes
    assert {id_.split()[0]: target for id_, target in targets(found, dataset).items()} == {
        "benign": 0,
        "malignant": 1,
        "normal": None,
    }
    assert find_labeling(dataset, positive="benign").names == ("malignant", "benign")
    assert find_labeling(dataset, unit="region").unit == "region"


def test_of_more_than_two_labels_it_must_be_said_which_matter(tmp_path):
    dataset = by_class(tmp_path, cyst=3, fibroma=3, sarcoma=3, normal=3)
    with pytest.raises(ConfigError, match=r"3 labels, cyst, fibroma, sarcoma; .*positive=sarcoma"):
        find_labeling(dataset)
    one = find_labeling(dataset, positive="sarcoma")
    assert one.names == ("other", "sarcoma")
    assert "The labels cyst, fibroma are the negative class." in one.notes
    two = find_labeling(dataset, classes=("sarcoma", "cyst"), positive="sarcoma")
    assert two.names == ("cyst", "sarcoma")
    assert "Regions with the labels fibroma are skipped." in two.notes
    assert set(targets(two, dataset).values()) == {0, 1, None}
    for wrong in ({"classes": ("cyst", "normal")}, {"classes": ("cyst",)}, {"positive": "wart"}):
        with pytest.raises(ConfigError, match="of cyst, fibroma, sarcoma; received"):
            find_labeling(dataset, **wrong)


@pytest.mark.parametrize(
    ("labels", "positive"),
    [
        (("no damage", "damage"), "damage"),
        (("No", "Yes"), "Yes"),
        (("1", "0"), "1"),
        (("tumour", "healthy"), "tumour"),
        (("normal", "abnormal"), "abnormal"),
        (("defect", "undamaged"), "defect"),
    ],
)
def test_the_positive_label_is_the_one_that_sounds_so(tmp_path, labels, positive):
    assert find_labeling(manifest(tmp_path, [f",{name}" for name in labels])).names[1] == positive


@pytest.mark.parametrize(
    "labels", [("bad", "good"), ("round", "spindle"), ("lesion", "vessel"), ("absent", "none")]
)
def test_without_a_name_that_says_so_the_positive_label_must_be_stated(tmp_path, labels):
    dataset = manifest(tmp_path, [f",{name}" for name in labels])
    sentence = f"do not say which is .*state it with positive={labels[0]} or positive={labels[1]}"
    with pytest.raises(ConfigError, match=sentence):
        find_labeling(dataset)
    assert find_labeling(dataset, positive=labels[0]).names[1] == labels[0]


def test_one_label_is_nothing_to_tell_apart(tmp_path):
    with pytest.raises(DataError, match="have the label benign; expected two"):
        find_labeling(by_class(tmp_path, benign=3, normal=3))


def test_a_missing_label_is_told(tmp_path):
    with pytest.raises(DataError, match=r"2 of 3 images .* no label, the first .*i1\.png"):
        find_labeling(manifest(tmp_path, [",ill", ",", ","]))
    with pytest.raises(DataError, match="no labels to learn from; expected folders named by class"):
        find_labeling(manifest(tmp_path, [",", ",", ","], mask=CELLS // 2 * 255))


def test_cases_are_decided_on_where_a_column_tells_them(tmp_path):
    rows = ["a,ill", "a,ill", "b,well", "c,well"]
    dataset = manifest(tmp_path, rows)
    assert find_labeling(dataset).unit == "case"
    assert find_labeling(dataset, unit="image").unit == "image"
    grouped = manifest(tmp_path, rows, "image,mask,group,label")
    assert find_labeling(grouped).unit == "image"
    assert find_labeling(grouped, unit="case").unit == "case"
    mixed = manifest(tmp_path, ["a,ill", "a,well", "b,well", "c,well"])
    labeling = find_labeling(mixed)
    assert labeling.unit == "image"
    said = r"case 'a' has images of the labels ill \(1 images\) and well \(1 images\)"
    assert any("case 'a' has images" in note for note in labeling.notes)
    with pytest.raises(DataError, match=said):
        find_labeling(mixed, unit="case")
    alone = manifest(tmp_path, [",ill", ",well"])
    assert find_labeling(alone).unit == "image"
    with pytest.raises(ConfigError, match="No column or pattern groups the images"):
        find_labeling(alone, unit="case")


def test_a_manifest_labels_each_mask(tmp_path):
    for name, value in (("x", 1), ("y", 2)):
        draw(tmp_path / f"{name}.png", np.uint8(255) * (value == CELLS))
    draw(tmp_path / "i.png")
    header = "image,mask,label\n"
    (tmp_path / "m.csv").write_text(f"{header}i.png,x.png;y.png,ill;well\ni.png,x.png,well\n")
    dataset = open_dataset(tmp_path / "m.csv")
    found = find_labeling(dataset)
    assert (found.source, found.unit, found.required_kind) == ("region", "region", "instances")
    pair, single = dataset.samples
    assert np.unique(dataset.read_instances(pair)).tolist() == [0, 1, 2]
    assert found.targets_of(pair, [region(1), region(2)]) == [1, 0]
    assert found.targets_of(single, [region(1), region(2)]) == [0, 0]
    with pytest.raises(DataError, match=r"Mask 3 of .*i\.png has no label among 'ill;well'"):
        found.targets_of(pair, [region(3)])
    with pytest.raises(ConfigError, match="each image may have several"):
        find_labeling(dataset, unit="image")
    with pytest.raises(ConfigError, match="labels are by region"):
        find_labeling(dataset, by="image")


def test_a_table_labels_drawn_cells(tmp_path):
    dataset = open_dataset(write_dataset(tmp_path / "cells", num_images=3, size=64))
    found = find_labeling(dataset, positive="spindle")
    assert (found.names, found.unit) == (("round", "spindle"), "region")
    assert "Labels of regions are those in cells.csv." in found.notes
    for sample in dataset.samples:
        numbers, labels = dataset.read_instances(sample), dataset.read_mask(sample)
        cells = [region(value) for value in np.unique(numbers[numbers > 0]).tolist()]
        # Label 1 is round, label 2 spindle.
        truth = [int(labels[numbers == cell.value][0]) - 1 for cell in cells]
        assert found.targets_of(sample, cells) == truth
    with pytest.raises(DataError, match=r"Region 99 of .* has no label in .*cells\.csv"):
        found.targets_of(dataset.samples[0], [region(99)])
    with pytest.raises(ConfigError, match=r"nowhere\.csv does not exist"):
        find_labeling(dataset, table=tmp_path / "nowhere.csv")


def test_a_table_needs_numbered_regions(tmp_path):
    dataset = manifest(tmp_path, [",", ","], mask=CELLS // 2 * 255)
    (tmp_path / "regions.csv").write_text("image,region,label\ni0.png,1,ill\ni1.png,1,well\n")
    with pytest.raises(DataError, match=r"labels regions by number, but .* no numbers"):
        find_labeling(dataset, table=tmp_path / "regions.csv")
    with pytest.raises(DataError, match="has no labels of regions"):
        find_labeling(dataset, by="region")


def test_classes_of_a_label_mask_label_their_regions(tmp_path):
    names = "background,crack,dent"
    (tmp_path / "classes.txt").write_text(names.replace(",", "\n"))
    for number in range(3):
        draw(tmp_path / "images" / f"{number}.png")
        draw(tmp_path / "masks" / f"{number}.png", CELLS)
    dataset = open_dataset(tmp_path)
    assert ",".join(dataset.labels.names) == names
    found = find_labeling(dataset, positive="crack")
    assert (found.names, found.source, found.required_kind) == (
        ("dent", "crack"),
        "class",
        "components",
    )
    assert found.targets_of(dataset.samples[0], [region(1, 1), region(2, 2)]) == [1, 0]


@pytest.mark.real
def test_busi_is_benign_against_malignant(real_data):
    dataset = open_dataset(real_data / "busi")
    found = find_labeling(dataset)
    assert (found.names, found.unit) == (("benign", "malignant"), "image")
    given = list(targets(found, dataset).values())
    assert [given.count(target) for target in (0, 1, None)] == [76, 50, 16]
    dataset.read_instances(max(dataset.samples, key=lambda s: len(s.masks)))
