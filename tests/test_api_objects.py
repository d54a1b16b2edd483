"""Single objects through the verbs, on what the wild holds: odd sizes, empty images, overlaps."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest

import maskwright
from maskwright.data import open_dataset
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import read_image, read_mask, write_image
from maskwright.model_card import InstanceCard
from maskwright.rle import encode_rle, outlines
from maskwright.tasks.instances import InstancePredictor

pytestmark = pytest.mark.usefixtures("uncompiled")
QUICK = {
    "encoder": "plain",
    "encoder_weights": None,
    "encoder_widths": (4, 8, 8, 8),
    "batch_size": 2,
    "epochs": 1,
    "previews": 1,
    "crop": 64,
}
TINY = {
    "strides": (4, 8),
    "pooled_strides": (4, 8),
    "anchor_sizes": (16, 32),
    "pyramid_width": 8,
    "hidden": 8,
    "mask_width": 8,
    "ranked_training": 50,
    "ranked": 50,
    "proposals": 20,
    "regions_per_step": 8,
    "anchors_per_step": 16,
    "detections": 20,
}
SMALL = {
    "strides": (8, 16),
    "pyramid_width": 8,
    "tower_layers": 1,
    "pixel_width": 4,
    "mask_width": 8,
    "masks_per_step": 4,
    "detections": 20,
}
METHODS = {"mask_rcnn": {"detector": TINY}, "condinst": {"detector": SMALL}, "centers": {}}


def draw(folder, count=8, empty=()):
    """Gray images of odd sizes with bright squares that touch, one mask file for each."""
    rng = np.random.default_rng(0)
    for number in range(count):
        size = (50 + 3 * number, 71 - 2 * number)
        image = rng.integers(0, 60, (*size, 1)).astype(np.uint8)
        place = folder / f"{number}"
        spots = [] if number in empty else [(8, 10), (8, 22), (30, 30)]
        for spot, (top, left) in enumerate(spots):
            mask = np.zeros(size, np.uint8)
            mask[top : top + 12, left : left + 12] = 255
            image[mask > 0] += 120
            write_image(place / "masks" / f"object{spot}.png", mask)
        if not spots:
            write_image(place / "masks" / "object0.png", np.zeros(size, np.uint8))
        write_image(place / "images" / f"{number}.png", image)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Drawn objects, and a run of each method that learned from them."""
    folder = tmp_path_factory.mktemp("objects")
    data = draw(folder / "data", empty={2})
    shares = {"val_share": 0.25, "test_share": 0.25}
    made = {
        method: maskwright.train(data, folder / method, objects=method, **shares, **QUICK, **more)
        for method, more in METHODS.items()
    }
    return data, made


@pytest.fixture(params=METHODS)
def trained(request, runs):
    data, made = runs
    return data, made[request.param]


def test_a_run_has_its_card_and_finds_objects(trained):
    _, run = trained
    card = InstanceCard.read(run.folder / "model_card.json")
    # A detector sees the whole image, whatever it was trained on.
    tile = 64 if card.method == "centers" else None
    assert (card.size, card.tile, card.channels) == (None, tile, 1)
    assert card.object_px == 12
    finder = maskwright.load(run.folder)
    assert isinstance(finder, InstancePredictor)
    assert finder(np.zeros((90, 75, 3), np.uint8)).labels.shape == (90, 75)
    assert list(run.previews.glob("epoch_*.png"))


def test_a_fresh_process_opens_runs(runs):
    opened = (
        "import sys, maskwright; print(*(maskwright.load(a).card.method for a in sys.argv[1:]))"
    )
    folders = [run.folder for run in runs[1].values()]
    said = subprocess.run(
        [sys.executable, "-c", opened, *folders], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stdout.split()[-3:]) == (0, list(METHODS)), said.stderr


def test_scores_are_written(trained):
    data, run = trained
    found = maskwright.evaluate(run.folder, data)
    folder = run.folder / "evaluation" / "test"
    written = json.loads((folder / "scores.json").read_text())
    assert 0 <= written["ap50"] <= 1
    assert written["images"] == len(found.samples) == 3
    assert set(written["coco"]) == {"masks", "boxes"}
    assert "panoptic quality" in (folder / "report.html").read_text().lower()
    with pytest.raises(ConfigError, match="without flips"):
        maskwright.evaluate(run.folder, data, flips=True)


def test_models_of_other_methods_are_compared(runs):
    data, made = runs
    a, b = made["mask_rcnn"].folder, made["condinst"].folder
    found = maskwright.compare(a, b, data)
    written = json.loads((a / "comparison" / b.name / "test" / "comparison.json").read_text())
    assert written["methods"] == ["mask_rcnn", "condinst"]
    scores = maskwright.evaluate(b, data).scores
    assert written["ap"]["b"] == pytest.approx(scores["ap"])
    assert written["ap"]["verdict"] == "no difference shown"  # three cases
    assert [caution.code for caution in found.warnings][-2:] == ["few_cases", "two_models"]
    with pytest.raises(ConfigError, match="`tolerance_px` is for scores of masks of classes"):
        maskwright.compare(a, b, data, tolerance_px=2)
    with pytest.raises(ConfigError, match="recipes of instances cannot be compared"):
        maskwright.compare_recipes(a, b, data)


def test_every_object_is_numbered_measured_and_listed(trained, tmp_path):
    data, run = trained
    images = sorted(data.glob("*/images/*.png"))[:3]
    for path in images:
        write_image(tmp_path / "new" / path.name, read_image(path))
    (tmp_path / "new" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(ConfigError, match="by windows"):
        maskwright.predict(run.folder, tmp_path / "new", tmp_path / "out", large=True)
    result = maskwright.predict(run.folder, tmp_path / "new", tmp_path / "out", threshold=0.1)
    assert len(result.written) == 3
    assert "broken.png" in result.failed[0].reason
    numbers = {path.stem: read_mask(path).values for path in result.written}
    assert all(values.dtype in (np.uint8, np.uint16) for values in numbers.values())
    with result.table.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == result.objects
    for row in rows:
        area = (numbers[row["image"]] == int(row["value"])).sum()
        assert area == int(row["area_px"])
        assert 0 < float(row["score"]) <= 1
    content = json.loads(result.coco.read_text())
    assert len(content["images"]) == 3
    assert [one["name"] for one in content["categories"]] == ["object"]
    assert (tmp_path / "out" / "overlays" / f"{images[0].stem}.jpg").is_file()


def test_objects_of_a_model_are_regions(trained):
    data, run = trained
    dataset = open_dataset(data)
    from maskwright.tasks.loading import load_segmenter
    from maskwright.tasks.regions.extraction.crops import CropSpec
    from maskwright.tasks.regions.extraction.masks import extract_predicted

    segmenter = load_segmenter(run.folder).adjusted(threshold=0.1)
    image = dataset.read_image(dataset.samples[0])
    prediction = segmenter(image)
    regions = extract_predicted(image, prediction, CropSpec(size=32), image_id="a")
    numbers = prediction.instances
    assert len(regions) == len(np.unique(numbers[numbers > 0]))
    with pytest.raises(ConfigError, match="fill_holes_px"):
        segmenter.adjusted(fill_holes_px=3)


def test_what_does_not_suit_objects_is_refused(tmp_path):
    data = draw(tmp_path / "data", count=4)
    for settings, said in (
        ({"class_weights": "balanced"}, "`class_weights` has no effect with objects=mask_rcnn"),
        ({"detector": {"depth": 3}}, "has no parameter depth"),
        ({"detector": "huge"}, "Expected a profile of paper, small, torchvision; "),
    ):
        with pytest.raises(ConfigError, match=said):
            maskwright.train(data, tmp_path / "run", objects="mask_rcnn", **QUICK, **settings)
    assert not (tmp_path / "run").exists()


def test_masks_of_classes_and_images_without_objects_are_explained(tmp_path):
    classes, rng = tmp_path / "classes", np.random.default_rng(0)
    for number in range(8):
        mask = np.zeros((40, 40), np.uint8)
        mask[5:20, 5:20] = 255
        image = rng.integers(0, 255, (40, 40, 3)).astype(np.uint8)
        write_image(classes / "images" / f"{number}.png", image)
        write_image(classes / "masks" / f"{number}.png", mask)
    with pytest.raises(DataError, match="store classes, not objects"):
        maskwright.train(
            classes, tmp_path / "one", objects="centers", skip_unreadable=False, **QUICK
        )


def test_a_broken_validation_image_ends_no_training(tmp_path):
    data = draw(tmp_path / "data", empty={2})
    first, *others = open_dataset(data, val_share=0.25).of("val")
    broken = first.image
    broken.write_bytes(broken.read_bytes()[:-200])
    told = []
    run = maskwright.train(
        data, tmp_path / "run", objects="centers", val_share=0.25, on_message=told.append, **QUICK
    )
    assert any(f"{broken.name}" in message and "skipped" in message for message in told)
    (tuned,) = (message for message in told if message.startswith("Thresholds "))
    assert f" {len(others)} validation image" in tuned
    assert maskwright.load(run.folder).card.method == "centers"


def test_coco_goes_in_and_out_without_loss(tmp_path):
    size = (40, 50)
    ring = np.zeros(size, bool)
    ring[5:25, 5:25] = True
    ring[10:20, 10:20] = False  # a hole
    parts = np.zeros(size, bool)
    parts[2:8, 30:40] = parts[12:20, 32:48] = True  # two parts
    over = np.zeros(size, bool)
    over[15:35, 15:40] = True  # over the ring
    crowd = np.zeros(size, bool)
    crowd[30:40] = True
    runs = encode_rle(crowd)
    rings = [outer for (outer,) in outlines(parts)]
    shapes = [encode_rle(ring), rings, encode_rle(over), runs]
    annotations = [
        {"id": n, "image_id": 1, "category_id": 7, "segmentation": s, "iscrowd": int(n == 3)}
        for n, s in enumerate(shapes)
    ]
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 40, "width": 50}],
        "categories": [{"id": 7, "name": "thing"}],
        "annotations": annotations,
    }
    write_image(tmp_path / "set" / "a.png", np.zeros((*size, 3), np.uint8))
    (tmp_path / "set" / "instances.json").write_text(json.dumps(content))
    dataset = open_dataset(tmp_path / "set")
    objects = dataset.read_objects(dataset.samples[0])
    assert objects.crowd.tolist() == [False, False, False, True]
    for place, mask in enumerate((ring, parts, over, crowd)):
        np.testing.assert_array_equal(objects.mask(place), mask)
    # Numbered without the crowd, later ones on top.
    assert dataset.read_instances(dataset.samples[0]).max() == 3

    from maskwright.tasks.instances.tables import to_coco

    again = to_coco([("a.png", objects)], dataset.labels)
    (tmp_path / "set" / "instances.json").write_text(json.dumps(again))
    second = open_dataset(tmp_path / "set")
    same = second.read_objects(second.samples[0])
    for place in range(4):
        np.testing.assert_array_equal(same.mask(place), objects.mask(place))
    assert same.crowd.tolist() == objects.crowd.tolist()
