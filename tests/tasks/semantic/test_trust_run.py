"""`maskwright trust`: one small run, promises made from a split, and who refuses them."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import maskwright
from drawing_doubts import doubtful, draw_doubts
from maskwright.cli.app import app
from maskwright.errors import ConfigError, DataError, ModelError
from maskwright.imageio import read_image, write_image
from maskwright.model_card import CARD_FILE, SemanticCard
from maskwright.reliability.record import ARRAYS_FILE, TRUST_FILE, TrustRecord
from maskwright.tasks.semantic.calibration.observe import ObservingPredictor, load_observed
from maskwright.tasks.semantic.evaluation.scorer import evaluate_masks

SETTINGS = {"encoder": "plain", "encoder_weights": None, "encoder_widths": (4, 8), "size": 32}
SETTINGS |= {"batch_size": 8, "previews": 0, "epochs": 25, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_doubts(tmp_path_factory.mktemp("data"), train=40, val=10, calibration=40, test=30)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A run without promises."""
    return maskwright.train(data, tmp_path_factory.mktemp("runs") / "run", **SETTINGS).folder


@pytest.fixture(scope="module")
def run(trained, data, tmp_path_factory):
    """The same with promises."""
    folder = tmp_path_factory.mktemp("trust") / "run"
    shutil.copytree(trained, folder)
    maskwright.trust(folder, data, need_dice=0.5)
    return folder


def test_promises_are_made_and_read_again(run):
    record = TrustRecord.read(run)
    assert (record.split, record.images, record.cases) == ("calibration", 40, 40)
    assert not record.is_approximate
    (name,) = record.classes
    known = record.classes[name]
    # Missed and false, on average and each, without and with 95 % confidence.
    requests = [promise.request for promise in known.promises]
    kinds = [(s, t, d) for s in ("missed", "false") for t in (None, 0.1) for d in (None, 0.05)]
    assert [(r.side, r.tau, r.delta) for r in requests] == kinds
    assert known.areas[1] >= known.areas[0], "a sure outer mask is larger"
    assert known.areas[5] <= known.areas[4], "a sure inner mask is smaller"
    card = SemanticCard.read(run / CARD_FILE)
    assert card.temperature == record.calibrated_with["temperature"] != 1
    assert TrustRecord.valid(run, card, False).promises == record.promises
    content = json.loads((run / TRUST_FILE).read_text(encoding="utf-8"))
    assert content["classes"][name]["promises"][0]["sentence"].endswith(
        "from 40 cases, holds for new cases drawn like these."
    )


def test_weights_stay_and_the_record_is_the_same_the_second_time(run, trained, data, tmp_path):
    again = tmp_path / "run"
    shutil.copytree(run, again)
    maskwright.trust(again, data, need_dice=0.5)
    assert (again / "model.keras").read_bytes() == (trained / "model.keras").read_bytes()
    first, second = (json.loads((f / TRUST_FILE).read_text()) for f in (run, again))
    # The second time, it is fitted to the same pixels from another start.
    temperatures = [r["calibrated_with"].pop("temperature") for r in (first, second)]
    assert temperatures[0] == pytest.approx(temperatures[1], rel=1e-3)
    assert first["classes"].keys() == second["classes"].keys()


def test_the_record_tells_of_single_images(run):
    network, card = load_observed(run)
    predictor, record = ObservingPredictor(network, card), TrustRecord.read(run)
    (name,) = record.classes
    like = predictor(doubtful(500)[0])
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    unlike = predictor(noise)
    means = np.stack([like.channel_means, unlike.channel_means])
    p_values = record.familiarity.p_values(means)
    assert p_values[0] > 0.05 >= p_values[1]
    expected, bound = record.bounds(name, np.array([[0.9, 0.2, 0.95]]))
    assert 0 <= bound[0] <= expected[0] <= 1


def test_other_ways_to_predict_and_damaged_files_are_refused(run, tmp_path):
    card = SemanticCard.read(run / CARD_FILE)
    with pytest.raises(ModelError, match="made for flips False and do not hold for True"):
        TrustRecord.valid(run, card, True)
    with pytest.raises(ModelError, match="made for min_area_px 0 and do not hold for 5"):
        TrustRecord.valid(run, replace(card, min_area_px=5), False)
    with pytest.raises(ModelError, match="those of another model"):
        TrustRecord.valid(run, replace(card, model_sha256="0" * 64), False)
    for name, change, message in (
        (ARRAYS_FILE, lambda b: b[:-1] + b"x", "checksum of .*trust.npz differs"),
        (TRUST_FILE, lambda b: b[:50], "no record of promises"),
        (TRUST_FILE, lambda b: b.replace(b'"masks": 40', b'"masks": 41'), "changed after it was"),
        (TRUST_FILE, lambda b: b.replace(b'version": 1', b'version": 9'), "format version 9"),
    ):
        for file in (TRUST_FILE, ARRAYS_FILE):
            shutil.copy(run / file, tmp_path / file)
        (tmp_path / name).write_bytes(change((tmp_path / name).read_bytes()))
        with pytest.raises(ModelError, match=message):
            TrustRecord.read(tmp_path)


def test_too_few_cases_are_told_with_what_is_offered(trained, tmp_path):
    few = draw_doubts(tmp_path / "few", start=1000, train=4, calibration=12)
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    record = maskwright.trust(run, few, missed=0.01, false=None, each=None, sure=None)
    (known,) = record.classes.values()
    assert record.notes[0].endswith("a promise at 1 % needs 99. Offered: 8 %.")
    assert [promise.request.level for promise in known.promises] == [0.08]
    assert record.familiarity is None
    assert "this needs 19 cases; there are 12" in record.notes[-1]


def test_validation_images_serve_as_an_approximation_and_others_are_all_taken(trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    told = []
    with_val = draw_doubts(tmp_path / "with_val", train=40, val=10)
    record = maskwright.trust(run, with_val, on_message=told.append)
    assert record.is_approximate
    assert any("made from its validation images and approximate" in text for text in told)
    assert "approximate" in record.promises[0].sentence
    # Ten more images than the model has seen, whatever their split.
    more = draw_doubts(tmp_path / "more", train=40, val=10, test=10)
    record = maskwright.trust(run, more, split="all", on_message=told.append)
    assert (record.images, record.is_approximate) == (10, False)
    # Copies of training images, as bright as before but for one gray value.
    copies = draw_doubts(tmp_path / "copies", test=12)
    for path in copies.glob("i*.png"):
        write_image(path, read_image(path) // 2 * 2 + 1)
    record = maskwright.trust(run, copies, split="all", on_message=told.append)
    assert "12 of 12 images look like training images" in record.notes[0]
    with pytest.raises(DataError, match=r"no split 'calibration'; it has test \(20\)\. Train"):
        maskwright.trust(run, draw_doubts(tmp_path / "new", start=900, test=20))


def test_what_cannot_be_promised_is_refused_before_anything_is_written(trained, data, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    with pytest.raises(ConfigError, match=r"Expected classes of .*; received cat"):
        maskwright.trust(run, data, classes=["cat"])
    with pytest.raises(ConfigError, match=r"at least one class of .*; received none"):
        maskwright.trust(run, data, classes=[])
    empty = draw_doubts(tmp_path / "empty", start=1000, calibration=10)
    for path in empty.glob("m*.png"):
        write_image(path, np.zeros((32, 32, 1), np.uint8))
    with pytest.raises(DataError, match=r"None of 10 images of .*at least 9 cases of a class"):
        maskwright.trust(run, empty)
    with pytest.raises(ConfigError, match=r"`missed` above 0 and at most 0\.5; received 2"):
        maskwright.trust(run, data, missed=2.0)
    with pytest.raises(ConfigError, match="the split 'train' has none"):
        maskwright.trust(run, data, split="train")
    copies = draw_doubts(tmp_path / "copies", start=1000, calibration=10)
    for kind in "im":
        shutil.copy(copies / f"{kind}1000.png", copies / f"{kind}1001.png")
    with pytest.raises(DataError, match="images with copies that count as other cases"):
        maskwright.trust(run, copies)
    assert {path: path.read_bytes() for path in run.iterdir() if path.is_file()} == before


def test_evaluate_says_whether_promises_hold(run, data, tmp_path):
    evaluation = maskwright.evaluate(run, data, out=tmp_path, examples=0)
    told = json.loads((tmp_path / "scores.json").read_text())["trust"]
    assert [each["cases"] for each in told["promises"]] == [30] * 8
    assert {each["verdict"] for each in told["promises"]} <= {"kept", "by chance"}
    (quality,) = told["quality"].values()
    assert quality["masks"] == 30
    assert quality["above_bound"]["share"] >= 0.8
    assert quality["aurc"] <= quality["aurc_random"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for text in ("Risk and coverage", "Expected and true Dice", "holds for new cases drawn like"):
        assert text in page
    # Probabilities are those of the same masks as without promises.
    plain = evaluate_masks(maskwright.load(run), maskwright.open_dataset(data))
    np.testing.assert_array_equal(plain.tallies, evaluation.tallies)


def test_unlike_images_and_the_calibration_images_themselves_are_told(run, data, tmp_path):
    rng = np.random.default_rng(0)
    other = draw_doubts(tmp_path / "other", start=2000, test=20)
    for path in other.glob("i*.png"):
        write_image(path, rng.integers(0, 255, (32, 32, 3), np.uint8))
    codes = [c.code for c in maskwright.evaluate(run, other, out=tmp_path / "1").warnings]
    assert {"promises", "unfamiliar"} <= set(codes)
    for split in ("calibration", "train"):
        again = maskwright.evaluate(run, data, split=split, out=tmp_path / split)
        assert again.trust is None
        assert any("None of 40 images can tell" in c.text for c in again.warnings)
    # Ten calibration images in another data set, whatever their split there, beside ten others.
    mixed = draw_doubts(tmp_path / "mixed", start=80, test=20)
    again = maskwright.evaluate(run, mixed, out=tmp_path / "2")
    assert {check.n for check in again.trust.promises} == {10}
    assert any("10 of 20 images cannot tell" in c.text for c in again.warnings)


def test_promises_that_do_not_reach_are_left_out_of_an_evaluation(run, data, tmp_path):
    small = maskwright.evaluate(run, data, size="working", out=tmp_path / "out")
    assert small.trust is None
    assert any("of the size of the images" in c.text for c in small.warnings)
    spoiled = tmp_path / "run"
    shutil.copytree(run, spoiled)
    (spoiled / ARRAYS_FILE).unlink()
    evaluation = maskwright.evaluate(spoiled, data, out=tmp_path / "out")
    assert evaluation.trust is None
    assert any("trust.npz differs" in c.text for c in evaluation.warnings)


@pytest.mark.slow
def test_promises_of_an_ensemble_need_the_members_as_they_were(trained, run, data, tmp_path):
    members = [tmp_path / name for name in "ab"]
    for member in members:
        shutil.copytree(trained, member)
    joined = tmp_path / "joined"
    maskwright.ensemble(members, joined)
    record = maskwright.trust(joined, data)
    # Features of both members, side by side.
    single = TrustRecord.read(run).familiarity.model
    assert record.familiarity.model.unit.size == 2 * single.unit.size
    card = SemanticCard.read(joined / CARD_FILE)
    assert TrustRecord.valid(joined, card, False).promises == record.promises
    maskwright.trust(members[0], data)  # changes the temperature of a member
    with pytest.raises(ModelError, match="made for member_temperatures"):
        TrustRecord.valid(joined, card, False)


def test_what_is_unlike_the_training_images_is_labeled_first(run, tmp_path):
    for number in (0, 500, 501, 502):  # the first was learned from
        write_image(tmp_path / f"a_{number}.png", doubtful(number)[0])
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    write_image(tmp_path / "b_0.png", noise)
    (tmp_path / "c_0.png").write_bytes(b"no image")
    queued = maskwright.queue(run, tmp_path, group_by=r"([a-z])_\d+\.png$")
    # One image of each case before the second of any.
    assert [each.case for each in queued.images] == ["b", "a", "a", "a"]
    assert queued.images[0].reason.endswith("unlike the training images")
    assert queued.images[1].expected_dice <= max(each.expected_dice for each in queued.images[2:])
    assert [failure.image.name for failure in queued.failed] == ["c_0.png"]
    assert queued.notes == ("Left out: 1 image that the model has seen in training.",)
    assert len(maskwright.queue(run, tmp_path / "a_500.png", count=1).images) == 1
    with pytest.raises(DataError, match="1 were learned from, 0 cannot be read"):
        maskwright.queue(run, tmp_path / "a_0.png")


def test_the_command_shows_a_table_and_what_else_is_known(trained, data, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    command = ["trust", str(run), str(data), "--sure", "0", "--false", "0", "--need-dice", "0.5"]
    answer = CliRunner().invoke(app, command)
    assert answer.exit_code == 0, answer.output
    text = " ".join(answer.output.split())
    assert (text.count(" missed"), text.count(" false")) == (2, 0)
    for part in ("From 40 cases of the split calibration. Each promise holds", "Temperature"):
        assert part in text
    content = json.loads((run / TRUST_FILE).read_text(encoding="utf-8"))
    told = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert told["classes"].keys() == content["classes"].keys()
