import numpy as np
import pytest

from drawing_samples import MASK, draw
from maskwright.data import open_dataset
from maskwright.data.audit.audit import audit
from maskwright.data.readers.manifest import read_manifest, write_manifest
from maskwright.data.readers.tables import read_region_labels
from maskwright.errors import DataError


@pytest.fixture
def folder(tmp_path):
    for name in ("i/1.png", "i/2.png", "j/1.png"):
        draw(tmp_path / name)
    for name in ("a.png", "b.png", "c.png"):
        draw(tmp_path / name, MASK * 255)
    draw(tmp_path / "empty.png", MASK * 0)
    draw(tmp_path / "n.png", MASK * np.uint8(7))
    return tmp_path


def write(path, text):
    path.write_text(text)
    return path


def test_labels_of_regions_go_with_the_masks_in_order(folder):
    path = write(folder / "m.csv", "image,mask,label\ni/1.png,a.png;empty.png;b.png,ill;;well\n")
    dataset = open_dataset(path)
    sample = dataset.samples[0]
    assert sample.labels == ("ill", "", "well")
    # The number of an object is that of its file; the last lies on top and hides the first.
    assert dataset.read_instances(sample).tolist() == (MASK * 3).tolist()


@pytest.mark.parametrize("label", ["ill;well;ill", "ill;"])
def test_more_regions_than_labels_are_refused(folder, label):
    masks = "a.png;b.png" if label != "ill;" else "a.png"
    path = write(folder / "m.csv", f"image,mask,label\ni/1.png,{masks},{label}\n")
    with pytest.raises(DataError, match=r"Line 2 of .* labels for the \d masks of i/1.png"):
        read_manifest(path)


def test_the_column_of_a_patient_holds_the_cases(folder):
    text = "image,mask,patient_id,scene\ni/1.png,a.png,p,x\ni/2.png,b.png,p,y\nj/1.png,c.png,,z\n"
    dataset = open_dataset(write(folder / "m.csv", text))
    assert dataset.case_from == "patient"
    assert [s.case for s in dataset.samples] == ["p", "p", "j-1"]
    assert any("Cases are the column 'patient' of m.csv" in note.text for note in dataset.notes)
    assert open_dataset(folder / "m.csv", group_by="scene").case_from == "scene"
    assert [s.columns["scene"] for s in dataset.samples] == ["x", "y", "z"]


def test_files_of_object_numbers_are_stated_or_lie_beside_the_masks(folder):
    text = "image,mask,instances\ni/1.png,a.png,n.png\n"
    dataset = open_dataset(write(folder / "m.csv", text), val_share=0, test_share=0)
    assert dataset.instances
    assert dataset.read_instances(dataset.samples[0]).tolist() == (MASK * 7).tolist()
    write_manifest(folder / "again.csv", dataset.samples)
    again = open_dataset(folder / "again.csv", val_share=0, test_share=0)
    assert again.samples == dataset.samples
    for part in ("train", "test"):
        draw(folder / "set" / "images" / part / "x.png")
        draw(folder / "set" / "masks" / part / "x.png", MASK * 255)
        draw(folder / "set" / "instances" / part / "x.png", MASK * np.uint8(3))
    beside = open_dataset(folder / "set")
    assert [s.instances.parent.name for s in beside.samples] == ["test", "train"]
    dataset = open_dataset(write(folder / "m.csv", "image,mask\ni/1.png,a.png\n"))
    with pytest.raises(DataError, match="store classes, not objects"):
        dataset.read_instances(dataset.samples[0])


def test_a_table_labels_regions_by_number(folder):
    text = "image,mask\ni/1.png,a.png\ni/2.png,b.png\nj/1.png,c.png\n"
    samples = open_dataset(write(folder / "m.csv", text)).samples
    path = write(
        folder / "regions.csv",
        "image,cell,label,area\ni/1.png,2,well,9\ni/1.png,1,ill,3\n2.png,1,,1\nother.png,1,ill,1\n"
        "\0,1,ill,1\n",
    )
    assert read_region_labels(path, samples) == {"i-1": {2: "well", 1: "ill"}, "i-2": {1: ""}}
    for text, said in (
        ("image,label\n", "expected a row for each region with image, label, and its number"),
        ("image,region,label\n1.png,1,ill\n", "Line 2 of .* fits .*i/1.png and .*j/1.png"),
        ("image,region,label\n2.png,0,ill\n", "Line 2 of .* has the region '0'; expected"),
        (f"image,region,label\n2.png,{'9' * 5000},ill\n", "Line 2 of .* has the region '9999"),
        ("image,id,label\n2.png,1,ill\n2.png,1,well\n", "Line 3 of .* above states 'ill'"),
    ):
        with pytest.raises(DataError, match=said):
            read_region_labels(write(folder / "wrong.csv", text), samples)


def test_names_that_no_file_can_have_are_skipped(tmp_path):
    draw(tmp_path / "a.png")
    draw(tmp_path / "m.png", MASK)
    rows = ["image,mask", "a.png,m.png", f"{'9' * 5000},m.png", "\0,m.png"]
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    layout = read_manifest(tmp_path / "manifest.csv")
    assert [sample.image.name for sample in layout.samples] == ["a.png"]
    audit(tmp_path)
    assert len(layout.skipped) == 2
