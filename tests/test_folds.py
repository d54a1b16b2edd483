"""Cross-validation, from drawn cases to an ensemble with scores of images nobody had seen."""

import json
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import yaml

import maskwright
from maskwright.data.readers.manifest import write_manifest
from maskwright.data.samples import Sample
from maskwright.errors import ConfigError, DataError, ModelError
from maskwright.imageio import read_mask, write_image
from maskwright.model_card import SemanticCard
from maskwright.tasks.provenance import division_of, learned_images

pytestmark = pytest.mark.usefixtures("uncompiled")
QUICK = {
    **{"encoder": "plain", "encoder_widths": (4, 8), "batch_size": 4, "previews": 0, "size": 16},
    **{"augmentation": "none", "class_weights": None, "norm": "batch"},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Nine cases of two images each, a bright square in every one; two cases are for tests."""
    folder = tmp_path_factory.mktemp("cases")
    rng = np.random.default_rng(0)
    samples = []
    for number in range(18):
        mask = np.zeros((24, 20, 1), np.uint8)
        mask[6:16, 4:14] = 1
        image = rng.integers(0, 120, (24, 20, 3)) + mask * 100
        paths = folder / "images" / f"{number}.png", folder / "masks" / f"{number}.png"
        write_image(paths[0], image.astype(np.uint8))
        write_image(paths[1], mask)
        split = "test" if number < 4 else "val" if number < 6 else "train"
        samples.append(Sample(f"{number}", paths[0], (paths[1],), f"case{number // 2}", split))
    write_manifest(folder / "manifest.csv", samples)
    return folder


@pytest.fixture(scope="module")
def joined(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "cv"
    return maskwright.cross_validate(data, out, folds=2, epochs=1, **QUICK)


def test_every_image_but_the_tests_is_predicted_once_by_a_model_that_never_saw_it(data, joined):
    seen = Counter(sample.id for sample in joined.out_of_fold.samples)
    assert seen == Counter(f"{number}" for number in range(4, 18))
    held = [{sample.case for sample in one.samples} for one in joined.members]
    assert not held[0] & held[1]
    for run, own in zip(joined.runs, joined.members, strict=True):
        seen, opened = learned_images(run), maskwright.open_dataset(data)
        assert len(seen.train) == 14 - len(own.samples)
        assert not seen.val
        assert not seen.train & {opened.content_hash(sample) for sample in own.samples}
    told = json.loads((joined.folder / "folds.json").read_text())
    assert told["out_of_fold"]["images"] == 14
    assert [fold["folder"] for fold in told["per_fold"]] == ["fold1", "fold2"]
    low, high = told["out_of_fold"]["intervals"]["mean_dice"]
    assert low <= told["out_of_fold"]["mean_dice"] <= high


def test_nothing_of_a_fold_guides_its_training(joined):
    rows = (joined.runs[0] / "history.csv").read_text().splitlines()
    assert "val_" not in rows[0]
    assert yaml.safe_load((joined.runs[0] / "plan.yaml").read_text())["fold"] == [1, 2]


def test_the_whole_is_a_model_that_averages_its_members(data, joined):
    image = maskwright.open_dataset(data).read(joined.out_of_fold.samples[0])[0]
    whole, *members = (maskwright.load(folder) for folder in (joined.folder, *joined.runs))
    found = [one(image, probabilities=True).probabilities for one in (whole, *members)]
    np.testing.assert_allclose(found[0], (found[1] + found[2]) / 2, atol=1e-5)
    card = SemanticCard.read(joined.folder / "model_card.json")
    choice = json.loads((joined.folder / "postprocessing.json").read_text())
    assert choice["decisions"]["min_area_px"] == card.min_area_px
    assert {step["step"] for step in choice["steps"]} >= {"threshold", "min_area_px"}
    assert all({"value", "gain", "interval"} <= one.keys() for one in choice["steps"][0]["tried"])


def test_what_the_members_learned_from_is_not_scored(data, joined):
    with pytest.raises(DataError, match=r"The split 'val'.*learned from.*2 of them"):
        maskwright.evaluate(joined.folder, data, split="val")


def test_finished_folds_are_left_as_they_are(data, joined):
    kept = joined.runs[0] / "model.keras"
    before = kept.stat().st_mtime_ns
    (joined.runs[1] / "model_card.json").unlink()  # as if stopped before its end
    told = []
    again = maskwright.cross_validate(data, joined.folder, resume=True, on_message=told.append)
    assert kept.stat().st_mtime_ns == before
    assert told[:2] == ["Fold 1 of 2 is done.", "Fold 2 of 2 …"]
    np.testing.assert_array_equal(again.out_of_fold.tallies, joined.out_of_fold.tallies)


def test_an_ensemble_of_any_runs(joined, tmp_path):
    folder = maskwright.ensemble([joined.folder, joined.runs[0]], tmp_path / "all")
    assert len(json.loads((folder / "ensemble.json").read_text())["members"]) == 3
    assert division_of(folder) == division_of(joined.folder)
    with pytest.raises(ModelError, match="expected a finished run"):
        maskwright.ensemble([tmp_path / "none"], tmp_path / "other")


def test_on_a_closed_machine_all_folds_have_the_encoder_that_is_installed(
    data, tmp_path, monkeypatch
):
    told = ("efficientnet_lite0", "The weights cannot be downloaded.")
    monkeypatch.setattr("maskwright.models.encoders.published.default_encoder", lambda: told)
    module = import_module("maskwright.api.cross_validation")
    trained, messages = [], []

    def train(data, run, **settings):
        trained.append(settings["encoder"])
        raise ConfigError("Stop here.")

    monkeypatch.setattr(module, "train", train)
    with pytest.raises(ConfigError, match="Stop here"):
        maskwright.cross_validate(data, tmp_path / "cv", folds=2, on_message=messages.append)
    assert trained == ["efficientnet_lite0"]
    assert messages.count(told[1]) == 1


def test_awkward_requests_end_in_a_sentence(data, joined, tmp_path):
    with pytest.raises(ConfigError, match="already holds a cross-validation"):
        maskwright.cross_validate(data, joined.folder, folds=2, epochs=1, **QUICK)
    with pytest.raises(ConfigError, match="begun with 2 folds; received 3"):
        maskwright.cross_validate(data, joined.folder, folds=3, resume=True)
    plan = (joined.folder / "plan.yaml").read_bytes()
    with pytest.raises(ConfigError, match=r"begun with optimizer=adamw \(received sgd\)"):
        maskwright.cross_validate(data, joined.folder, resume=True, optimizer="sgd")
    assert (joined.folder / "plan.yaml").read_bytes() == plan
    with pytest.raises(ConfigError, match="no cross-validation to resume"):
        maskwright.cross_validate(data, tmp_path / "none", resume=True)
    with pytest.raises(ConfigError, match="each of the 7 cases"):
        maskwright.cross_validate(data, tmp_path / "cv", folds=9, epochs=1, **QUICK)
    with pytest.raises(ConfigError, match="Expected an encoder of"):
        maskwright.cross_validate(data, tmp_path / "cv", folds=2, epochs=1, encoder="vgg")
    with pytest.raises(ConfigError, match="without folds"):
        maskwright.cross_validate(data, tmp_path / "cv", folds=2, objects="centers", **QUICK)
    assert not list((tmp_path / "cv").glob("*.*"))


def test_two_models_are_compared_from_the_command_line(data, joined, tmp_path, monkeypatch, capfd):
    from maskwright.cli import main

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["maskwright", *map(str, arguments)])
        with suppress(SystemExit):
            main()
        return capfd.readouterr()

    told = run("compare", joined.folder, joined.runs[0], data, "--json", "-o", tmp_path)
    found = json.loads(told.out)
    assert found["images"] == 4
    assert found["mean_dice"]["verdict"] == "no difference shown"
    assert "2 cases" in found["warnings"][0]["text"]
    assert {path.name for path in tmp_path.iterdir()} == {
        *("comparison.json", "images.csv", "report.html")
    }
    told = run("predict", joined.folder, data / "images", "-o", tmp_path / "masks")
    assert read_mask(tmp_path / "masks" / "0.png").values.shape == (24, 20)
    assert told.out.strip() == str(tmp_path / "masks")


def test_the_better_plan_is_taken_and_else_the_first(data, joined, tmp_path, monkeypatch):
    choosing = import_module("maskwright.api.compare_plans")

    def trained(_data, folder, *, plan, **_options):
        """In place of minutes of training: scores by the loss that the plan names."""
        missed = {"ce": 0, "dice": 40, "focal": 40}[yaml.safe_load(plan.read_text())["loss"]]
        tallies = joined.out_of_fold.tallies.copy()
        truth = tallies[:, 0]
        tallies[:, 1] = truth
        tallies[:, 2] = truth - missed
        samples = joined.out_of_fold.samples
        found = replace(joined.out_of_fold, tallies=tallies, samples=samples)
        return replace(joined, folder=folder, out_of_fold=found)

    monkeypatch.setattr(choosing, "cross_validate", trained)
    first, second, best = ({"loss": loss} for loss in ("dice", "focal", "ce"))
    made = choosing.compare_plans(data, tmp_path / "a", {"first": first, "second": second})
    assert made.chosen == "first"
    assert made.table["pairs"][0]["mean_dice"]["verdict"] == "no difference shown"
    made = choosing.compare_plans(data, tmp_path / "b", [first, second, best])
    assert made.chosen == "plan3"
    assert {one["mean_dice"]["verdict"] for one in made.table["pairs"][1:]} == {"plan3 is better"}
    assert "Taken: plan3" in (tmp_path / "b" / "plan.yaml").read_text()
    assert yaml.safe_load((tmp_path / "b" / "plan.yaml").read_text()) == best
    with pytest.raises(ConfigError, match="divide the data alike; plan2 differs"):
        choosing.compare_plans(data, tmp_path / "c", [first, {**second, "split_seed": 3}])
    with pytest.raises(ConfigError, match="already holds a comparison"):
        choosing.compare_plans(data, tmp_path / "a", [first, second])
    with pytest.raises(ConfigError, match="two or more plans"):
        choosing.compare_plans(data, tmp_path / "d", [first])
    again = choosing.compare_plans(data, tmp_path / "b", None, resume=True)
    assert again.table == made.table


def test_a_plan_is_compared_with_its_rivals(data, tmp_path, monkeypatch):
    choosing = import_module("maskwright.api.compare_plans")
    from maskwright.planning import Plan, PlannedSetting

    asked = {}
    first = Plan(
        (
            PlannedSetting("size", (128, 128), "It fits."),
            PlannedSetting("decoder", "light", "Fast."),
        )
    )
    monkeypatch.setattr(choosing, "make_plan", lambda *_, **options: asked.update(options) or first)
    monkeypatch.setattr(choosing, "cross_validate", lambda _data, folder, **given: given)
    monkeypatch.setattr(choosing, "choose_plan", lambda *given: given)
    _, found, files, _, each = choosing.plan_and_compare(data, tmp_path, count=3, minutes=18)
    assert (asked["minutes"], each) == (2, 6)
    assert list(found) == list(files)
    assert (len(files), next(iter(files))) == (3, "plan")
    assert "# Fast." in files["plan"].read_text()
