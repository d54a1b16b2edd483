import numpy as np
import pytest
import tifffile
from PIL import Image

from drawing_samples import MASK, draw
from maskwright.data import open_dataset, write_yaml
from maskwright.data.opening import open_with_doubts
from maskwright.data.readers.manifest import write_manifest
from maskwright.errors import ConfigError, DataError


def folder(root, count=8, mask=MASK):
    for number in range(count):
        draw(root / "images" / f"{number}.png")
        draw(root / "masks" / f"{number}.png", mask)
    return root


def test_each_bad_file_is_left_out_with_a_sentence_and_the_good_are_used(tmp_path):
    folder(tmp_path, 4)
    images, masks = tmp_path / "images", tmp_path / "masks"
    for name in (
        "empty.png",
        "text.png",
        "bomb.png",
        "deep.tif",
        "size.png",
        "cut.png",
        "jpeg.png",
    ):
        draw((masks / name).with_suffix(".png"), MASK)
    (images / "empty.png").write_bytes(b"")
    (images / "text.png").write_text("text")
    Image.new("1", (40_000, 40_000)).save(images / "bomb.png")
    tifffile.imwrite(images / "deep.tif", np.zeros((3, 4, 5), np.uint16), planarconfig="contig")
    draw(images / "size.png", np.zeros((4, 4, 3), np.uint8))
    draw(images / "cut.png")
    (masks / "cut.png").write_bytes((masks / "cut.png").read_bytes()[:50])
    draw(images / "jpeg.png")
    draw(masks / "jpeg.jpg", MASK * 100).rename(masks / "jpeg.png")
    dataset = open_dataset(tmp_path)
    assert sorted(s.id for s in dataset.samples) == ["0", "1", "2", "3"]
    reasons = {file.path.stem: file.reason for file in dataset.skipped}
    for stem, part in {
        "empty": "empty",
        "text": "not an image",
        "bomb": "40000x40000",
        "deep": "5 channels",
        "size": "4x4 pixels but its mask",
        "cut": "damaged",
        "jpeg": "JPEG",
    }.items():
        assert part in reasons[stem]


def test_sizes_that_differ_are_told_at_reading(tmp_path):
    dataset = open_dataset(folder(tmp_path))
    draw(tmp_path / "masks" / "0.png", MASK.T.copy())
    with pytest.raises(DataError, match=r"4x3 pixels but its mask .* is 3x4.* on its side"):
        dataset.read(next(s for s in dataset.samples if s.id == "0"))


def test_gray_images_join_colored_ones_and_the_other_way_round(tmp_path):
    dataset = open_dataset(folder(tmp_path))
    gray = np.arange(12, dtype=np.uint8).reshape(3, 4)
    draw(tmp_path / "images" / "0.png", gray)
    image, _ = dataset.read(next(s for s in dataset.samples if s.id == "0"))
    np.testing.assert_array_equal(image, np.dstack([gray] * 3))
    for number in range(1, 8):
        draw(tmp_path / "images" / f"{number}.png", gray)
    draw(tmp_path / "images" / "0.png", np.dstack([gray] * 3))
    dataset = open_dataset(tmp_path)
    assert dataset.channels == 1
    assert all((dataset.read(s)[0][..., 0] == gray).all() for s in dataset.samples)


def test_of_names_the_splits_there_are(tmp_path):
    dataset = open_dataset(folder(tmp_path), val_share=0)
    assert len(dataset.of("test")) == 2
    with pytest.raises(DataError, match=r"no split 'val'; it has train \(6\), test \(2\)"):
        dataset.of("val")


def test_a_manifest_expresses_anything(tmp_path):
    for name in ("i/1.png", "i/2.png", "i/3.png"):
        draw(tmp_path / name)
    for name in ("a.png", "b.png", "c.png", "d.png"):
        draw(tmp_path / name, MASK * 255)
    (tmp_path / "data.csv").write_text(
        "image,mask,split,case,label,weight,site\n"
        "i/1.png,a.png;b.png,Training,p1,ill,2.5,north\n"
        "i/2.png,c.png,valid,p2,,,south\n"
        "i/3.png,d.png,test,,well,0,north\n"
        "i/4.png,d.png,test,,,,\n"
        "i/3.png,,test,,,,\n"
    )
    dataset = open_with_doubts(tmp_path / "data.csv")
    assert [doubt.code for doubt in dataset.doubts] == ["left_over"]  # one of five
    first, second, third, empty = dataset.samples
    assert (first.split, first.case, first.label, first.weight) == ("train", "p1", "ill", 2.5)
    assert (second.split, second.case, second.label, second.weight) == ("val", "p2", None, 1)
    assert (third.split, third.case, third.weight) == ("test", third.id, 0)
    assert dataset.instances
    assert dataset.read_mask(empty).tolist() == (MASK * 0).tolist()
    path = tmp_path / "i" / "4.png"
    assert [file.message for file in dataset.skipped] == [
        f"{path}: there is no such file (line 5 of data.csv)"
    ]
    draw(path)
    assert open_dataset(tmp_path / "data.csv", group_by="site").samples[2].case == "north"
    write_manifest(tmp_path / "again" / "copy.csv", dataset.samples)
    again = open_dataset(tmp_path / "again" / "copy.csv")
    assert [(s.split, s.label, s.weight) for s in again.samples] == [
        (s.split, s.label, s.weight) for s in dataset.samples
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("i/1.png,a.png\n", "expected a first line with at least `image,mask`"),
        ("image,mask,weight\ni/1.png,a.png,heavy\n", "Line 2 of .* weight 'heavy'"),
        ("image,mask\ni/1.png,a.png,b.png\n", "Line 2 of .* 3 cells"),
    ],
)
def test_a_wrong_manifest_is_explained(tmp_path, text, said):
    draw(tmp_path / "i/1.png")
    draw(tmp_path / "a.png", MASK)
    (tmp_path / "data.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        open_dataset(tmp_path / "data.csv")


def test_cases_come_from_a_pattern(tmp_path):
    for number in range(9):
        draw(tmp_path / "images" / f"patient{number // 3}_{number}.png")
        draw(tmp_path / "masks" / f"patient{number // 3}_{number}.png", MASK)
    dataset = open_dataset(tmp_path, group_by=r"(patient\d+)_")
    assert {s.case for s in dataset.samples} == {"patient0", "patient1", "patient2"}
    assert dataset.splits == {"train": 3, "val": 3, "test": 3}
    for wrong, said in (
        *(("patient", "in brackets"), ("(x)", "finds no case"), ("(", "is wrong")),
        ("(a{999999999999})", "is wrong"),
    ):
        with pytest.raises(ConfigError, match=said):
            open_dataset(tmp_path, group_by=wrong)


@pytest.mark.parametrize(
    "mask",
    [
        MASK,
        MASK * 255,
        MASK + 1,
        np.where(MASK, 7, 9).astype(np.uint8),
        np.dstack([MASK * 200, MASK * 0, MASK * 9]),
    ],
)
def test_a_written_description_gives_the_same_data_set(tmp_path, mask):
    dataset = open_dataset(folder(tmp_path, mask=mask), val_share=0.3, seed=5)
    write_yaml(dataset, tmp_path / "data.yaml")
    assert open_dataset(tmp_path) == dataset
    write_yaml(dataset, tmp_path / "elsewhere" / "other.yaml")
    again = open_dataset(tmp_path / "elsewhere" / "other.yaml")
    assert again.labels == dataset.labels
    assert [s.split for s in again.samples] == [s.split for s in dataset.samples]


def test_a_description_wins(tmp_path):
    folder(tmp_path, mask=np.array([[0, 1, 2, 3]] * 3, np.uint8))
    (tmp_path / "masks").rename(tmp_path / "odd name")
    (tmp_path / "data.yaml").write_text(
        "images: images\nmasks: odd name/*.png\nclasses: [sky, cat]\n"
        "colors: ['#000000', '#ff8000']\nvalues: {0: sky, 1: cat, 2: cat}\nignore: [3]\n"
        "splits: {train: ['[0-5]'], test: ['6', images/7.png]}\nval_share: 0\n"
    )
    dataset = open_dataset(tmp_path)
    assert dataset.labels.colors == ((0, 0, 0), (255, 128, 0))
    assert dataset.read(dataset.samples[0])[1].tolist() == [[0, 1, 1, 255]] * 3
    assert dataset.splits == {"train": 6, "test": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clases: [a]", "unknown key clases; expected root, images"),
        ("classes: cat", "wrong value for classes"),
        ("values: {0: sky}\nclasses: [cat]", "maps values to sky"),
        ("classes: [a, b]\ncolors: ['#000000']", "1 colors for 2 classes"),
        ("classes: [a", "cannot be read as YAML"),
        ("val_share: 2", "wrong value for val_share"),
        (f"values: {{{'9' * 20}: a}}", "states the value 99999999999999999999; expected values"),
        (f"ignore: [-{'9' * 20}]", "states the value -99999999999999999999; expected values"),
    ],
)
def test_a_wrong_description_is_explained(tmp_path, text, said):
    folder(tmp_path, 2)
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        open_dataset(tmp_path)


def test_objects_can_be_stated(tmp_path):
    folder(tmp_path, mask=np.array([[0, 1, 2, 2]] * 3, np.uint8))
    (tmp_path / "data.yaml").write_text("objects: instances\nclasses: [ground, cell]\n")
    dataset = open_dataset(tmp_path)
    assert dataset.labels.names == ("ground", "cell")
    assert dataset.read_instances(dataset.samples[0]).tolist() == [[0, 1, 2, 2]] * 3
    assert dataset.read_mask(dataset.samples[0]).tolist() == [[0, 1, 1, 1]] * 3


def test_what_is_no_data_set_is_explained(tmp_path):
    with pytest.raises(DataError, match="does not exist; expected a folder"):
        open_dataset(tmp_path / "nowhere")
    with pytest.raises(DataError, match="is no data set"):
        open_dataset(draw(tmp_path / "x.png"))


def test_components_of_binary_masks_can_be_objects(tmp_path):
    mask = np.zeros((8, 9), np.uint8)
    mask[1:3, 1:3] = mask[4:7, 5:8] = mask[0, 8] = 255
    data = folder(tmp_path, mask=mask)
    for number in range(8):
        draw(data / "images" / f"{number}.png", np.zeros((8, 9, 3), np.uint8))
    plain = open_dataset(data)
    with pytest.raises(DataError, match=r"store classes.*`objects: components` makes"):
        plain.read_instances(plain.samples[0])
    (data / "data.yaml").write_text("objects: components")
    dataset = open_dataset(data)
    numbers = dataset.read_instances(dataset.samples[0])
    assert dataset.instances
    assert sorted(np.bincount(numbers.ravel())[1:].tolist()) == [1, 4, 9]
    assert sorted(dataset.read_objects(dataset.samples[0]).areas.tolist()) == [1, 4, 9]
    write_yaml(dataset, data / "data.yaml")
    assert "objects: components" in (data / "data.yaml").read_text()
    assert open_dataset(data) == dataset
