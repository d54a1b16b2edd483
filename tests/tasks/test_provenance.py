"""Images that a run has seen are known by their content, whatever they are called later."""

import json
import shutil

import numpy as np
import pytest

import maskwright
from maskwright.data import dataset
from maskwright.data.cases.duplicates import content_hash
from maskwright.data.synthetic.datasets import draw_scene
from maskwright.errors import DataError, ModelError
from maskwright.imageio import read_image, write_image

pytestmark = pytest.mark.usefixtures("uncompiled")
QUICK = {
    **{"encoder": "plain", "encoder_widths": (4, 8), "batch_size": 4, "previews": 0, "size": 16},
    **{"augmentation": "none", "class_weights": None, "norm": "batch", "epochs": 1},
}


def draw_pair(folder, name, seed):
    mask = np.zeros((24, 20, 1), np.uint8)
    mask[6:16, 4:14] = 1
    noise = np.random.default_rng(seed).integers(0, 120, (24, 20, 3))
    write_image(folder / "images" / f"{name}.png", (noise + mask * 100).astype(np.uint8))
    write_image(folder / "masks" / f"{name}.png", mask)


def copy_pair(folder, of, name):
    for kind in ("images", "masks"):
        shutil.copy(folder / kind / f"{of}.png", folder / kind / f"{name}.png")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Twenty-four images, and a run that learned from some of them."""
    data = tmp_path_factory.mktemp("data")
    for number in range(24):
        draw_pair(data, f"i{number}", number)
    return data, maskwright.train(data, data.parent / "run", **QUICK).folder


@pytest.fixture
def grown(trained, tmp_path):
    """The same images, and a copy of a training image under a name that the test split takes."""
    data = shutil.copytree(trained[0], tmp_path / "grown")
    dataset = maskwright.open_dataset(data)
    learned = dataset.of("train")[0].id
    for number in range(100):
        copy_pair(data, learned, f"copy{number}")
        if f"copy{number}" in {s.id for s in maskwright.open_dataset(data).of("test")}:
            break
        for kind in ("images", "masks"):
            (data / kind / f"copy{number}.png").unlink()
    return data, f"copy{number}"


def test_a_run_records_what_it_learned_from_and_was_selected_by(trained):
    data, run = trained
    dataset = maskwright.open_dataset(data)
    record = json.loads((run / "learned_images.json").read_text())
    for split in ("train", "val"):
        hashes = {s.id: content_hash(read_image(s.image), s.id) for s in dataset.of(split)}
        assert record[split] == hashes


def test_a_known_image_is_left_out_of_the_scores_with_a_warning(trained, grown):
    run, (data, copy) = trained[1], grown
    before = maskwright.evaluate(run, trained[0], examples=0)
    assert [caution.code for caution in before.warnings] == ["few_cases"]
    found = maskwright.evaluate(run, data, examples=0)
    assert copy not in {sample.id for sample in found.samples}
    assert found.warnings[0].code == "trained_on"
    of = len(maskwright.open_dataset(data).of("test"))
    assert f"Left out: 1 of {of} images of the split" in found.warnings[0].text
    both = maskwright.compare(run, run, data, out=data / "scores", examples=0)
    assert both.samples == found.samples
    assert both.warnings[0] == found.warnings[0]
    # What is asked for by name is scored as it is.
    assert len(maskwright.evaluate(run, data, split="train").samples) >= 12


def test_every_image_is_decoded_once(trained, grown, monkeypatch):
    run, (data, _) = trained[1], grown
    read = []
    decode = dataset.read_with_gaps
    monkeypatch.setattr(dataset, "read_with_gaps", lambda path: read.append(path) or decode(path))
    found = maskwright.evaluate(run, data, examples=0)
    assert len(found.samples) + 1 == len(read) == len(set(read))


def test_an_exported_model_knows_it_too_and_tells_no_names(trained, grown, tmp_path):
    run, (data, copy) = trained[1], grown
    for name in ("folder", "file.maskwright"):
        maskwright.export_model(run, tmp_path / name, format="keras")
        found = maskwright.evaluate(tmp_path / name, data, out=tmp_path / "scores")
        assert copy not in {sample.id for sample in found.samples}
    assert '"i' not in (tmp_path / "folder" / "learned_images.json").read_text()


def test_nothing_new_is_refused_and_a_lost_record_is_told(trained, tmp_path):
    data, run = trained
    old = shutil.copytree(data, tmp_path / "old")
    for sample in maskwright.open_dataset(data).samples:
        if sample.split == "test":
            for kind in ("images", "masks"):
                (old / kind / f"{sample.id}.png").unlink()
    with pytest.raises(DataError, match=r"The split 'test'.*learned from.*1 of them"):
        maskwright.evaluate(run, old)
    copy = shutil.copytree(run, tmp_path / "run")
    (copy / "learned_images.json").write_text("[1]")
    with pytest.raises(ModelError, match="no record of training images"):
        maskwright.evaluate(copy, data)
    (copy / "learned_images.json").unlink()
    found = maskwright.evaluate(copy, data, examples=0)
    assert [caution.code for caution in found.warnings] == ["no_record", "few_cases"]


def test_what_check_found_before_training_is_known_to_the_scores(tmp_path):
    scene = draw_scene(np.random.default_rng(0), 256)
    for frame in range(24):
        window = slice(4 * frame, 4 * frame + 64)
        write_image(tmp_path / f"data/images/v_{frame}.png", scene.image[:64, window])
        write_image(tmp_path / f"data/masks/v_{frame}.png", scene.labels[:64, window, None])
    data, run, told = tmp_path / "data", tmp_path / "run", []
    options = {**QUICK, "on_message": told.append, "force": True}
    maskwright.train(data, run, **options)
    assert any("looks like frames of a video and lies in more than one" in text for text in told)
    # Fewer than eight frames alone would not be taken for a video.
    found = maskwright.evaluate(run, data, examples=0)
    assert len(found.samples) < 8
    assert (found.num_cases, [c.code for c in found.warnings][:2]) == (
        1,
        ["videos", "learned_cases"],
    )
    assert "1 of 1 case" in found.warnings[1].text
    folds = maskwright.cross_validate(data, tmp_path / "cv", folds=2, **options)
    assert folds.out_of_fold.num_cases == 1
    (data / "data.yaml").write_text("group_by: (.+)")
    stated = maskwright.evaluate(run, data, examples=0)
    assert "videos" not in {caution.code for caution in stated.warnings}


def test_nothing_is_learned_from_or_selected_by_what_is_set_aside(trained, tmp_path):
    data, share = trained[0], 0.3
    run = maskwright.train(data, tmp_path / "run", calibration_share=share, **QUICK).folder
    folds = maskwright.cross_validate(
        data, tmp_path / "cv", folds=2, calibration_share=share, **QUICK
    )
    divided = maskwright.open_dataset(data, calibration_share=share)
    aside = {sample.id for sample in divided.of("calibration")}
    assert len(aside) > 2
    for folder in (run, *folds.runs):
        record = json.loads((folder / "learned_images.json").read_text())
        assert not aside & (record["train"].keys() | record["val"].keys())
    assert not aside & {sample.id for sample in folds.out_of_fold.samples}
    for model in (run, folds.folder):
        scored = maskwright.evaluate(model, data, split="calibration", examples=0)
        assert {sample.id for sample in scored.samples} == aside
    before = maskwright.open_dataset(data)
    assert divided.of("test") == before.of("test")
    assert divided.of("val") == before.of("val")


def test_images_of_one_color_are_known_by_their_names_too():
    black, other = np.zeros((4, 4, 3), np.uint8), np.eye(4, dtype=np.uint8)[..., None]
    assert content_hash(black, "a") != content_hash(black, "b")
    assert content_hash(other, "a") == content_hash(other, "b")
    small = np.zeros((80, 80, 1), np.uint8)
    small[41:46, 40:50] = 200  # between the rows that count of images of several colors
    assert content_hash(small, "a") == content_hash(small, "b") != content_hash(small[::-1], "a")
