"""`maskwright regions …` as a user runs it, on drawn discs; and what it says to bad input."""

import csv
import json
import shutil

import numpy as np
import pytest

import maskwright
from drawing_regions import MEASURES, QUICK, disc_image, draw_discs
from maskwright.imageio import read_mask, write_image

SETTINGS = ("--epochs", 1, "--set", "pixels=false", "--set", "positive=bright")
"""Trained on measures alone, in no time."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_discs(tmp_path_factory.mktemp("discs") / "data", 16)


@pytest.fixture(scope="module")
def runs(data, tmp_path_factory):
    """A segmenter, a pipeline that took it along, and a classifier without one."""
    folder = tmp_path_factory.mktemp("runs")
    common = {name: QUICK[name] for name in ("encoder", "encoder_widths", "size", "batch_size")}
    first = maskwright.train(data, folder / "first", epochs=8, learning_rate=0.02, **common)
    maskwright.train_regions(data, folder / "pipeline", segmenter=str(first.folder), **QUICK)
    shutil.move(first.folder, folder / "segmenter")  # from where the pipeline does not know it
    alone = {**MEASURES, "epochs": 1}
    maskwright.train_regions(data, folder / "alone", **alone)
    return folder


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_train_evaluate_predict_extract(run, data, tmp_path):
    made = tmp_path / "run"
    code, out, err = run("regions", "train", data, "-o", made, *SETTINGS)
    assert (code, out.strip()) == (0, str(made))
    assert "Every region has the label of its image." in err

    code, out, err = run("regions", "evaluate", made, data, "--json")
    scores = json.loads(out)
    assert code == 0
    assert (scores["bags"], scores["unit"], scores["names"]) == (4, "image", ["dull", "bright"])
    assert {"roc_auc", "roc_auc_interval", "brier", "sensitivity_at_specificity"} <= scores.keys()
    assert "predicted" not in scores
    code, out, err = run("regions", "evaluate", made, data, "-o", tmp_path / "scores")
    assert "ROC AUC" in out
    assert "report.html" in err
    assert (tmp_path / "scores" / "scores.json").exists()

    code, out, err = run("regions", "predict", made, data, "-o", tmp_path / "answers")
    assert (code, out.strip()) == (0, str(tmp_path / "answers" / "cases.csv"))
    assert "Decided on 16 " in err
    assert "Skipped 16" in run("regions", "predict", made, data, "-o", tmp_path / "answers")[2]
    again = run("regions", "predict", made, data, "-o", tmp_path / "answers", "--overwrite")
    assert "Skipped" not in again[2]
    right = [
        (row["decision"] == "bright") == (int(row["id"]) % 2 == 1)
        for row in rows(tmp_path / "answers" / "cases.csv")
    ]
    assert np.mean(right) > 0.9

    cut = tmp_path / "cut"
    code, out, _ = run("regions", "extract", data, "-o", cut, "--size", 16, "--spacing-mm", 0.5, 1)
    assert (code, out.strip()) == (0, str(cut / "regions.csv"))
    first = rows(cut / "regions.csv")[0]
    assert float(first["area_mm2"]) == float(first["area_px"]) / 2
    assert len(list((cut / "crops").iterdir())) == 16


def test_a_plan_is_all_that_a_run_needs(run, data, runs, tmp_path):
    plan = runs / "alone" / "plan.yaml"
    code, _, _ = run("regions", "train", data, "-o", tmp_path / "again", "--plan", plan)
    assert code == 0
    losses = [
        rows(made / "history.csv")[0]["loss"] for made in (runs / "alone", tmp_path / "again")
    ]
    assert losses[0] == losses[1]
    code, out, _ = run("regions", "train", "--settings")
    assert code == 0
    assert "pooling = attention" in out


def test_a_pipeline_segments_and_decides(run, runs, tmp_path):
    images = tmp_path / "images"
    for number, bright in enumerate((False, True)):
        write_image(images / f"{number}.png", disc_image(bright, seed=90 + number)[0])
    (images / "broken.png").write_text("this is text")
    code, out, err = run("predict", runs / "pipeline", images, "-o", tmp_path / "out")
    assert code == 1
    assert "broken.png is not an image" in err
    assert out.strip() == str(tmp_path / "out" / "cases.csv")
    answers = rows(tmp_path / "out" / "cases.csv")
    assert [(row["id"], row["decision"]) for row in answers] == [("0", "dull"), ("1", "bright")]
    mask = read_mask(tmp_path / "out" / "0.png").values
    truth = disc_image(False, seed=90)[1] > 0
    assert ((mask > 0) & truth).sum() > 0.5 * ((mask > 0) | truth).sum()
    assert sorted(path.name for path in (tmp_path / "out" / "overlays").iterdir()) == [
        "0.jpg",
        "1.jpg",
    ]


def test_a_pipeline_is_scored_with_true_and_with_predicted_masks(run, data, runs, tmp_path):
    code, out, _ = run("regions", "evaluate", runs / "pipeline", data, "--json", "-o", tmp_path)
    scores = json.loads(out)
    assert code == 0
    for name in ("roc_auc", "brier"):
        change = scores["predicted"][name] - scores[name]
        assert scores["difference"][name] == pytest.approx(change)
    assert scores["segmentation"]["mean_dice"] > 0.5


def test_masks_that_are_there_are_taken_where_asked_for(run, data, runs, tmp_path):
    arguments = ("-o", tmp_path, "--masks", "--heat", "--no-overlays")
    code, _, _ = run("regions", "predict", runs / "pipeline", data, *arguments)
    assert code == 0
    assert len(list((tmp_path / "heat").iterdir())) == 16
    assert not (tmp_path / "overlays").exists()
    assert not list(tmp_path.glob("*.png"))  # no mask was drawn


def without(name):
    def remove(folder):
        (folder / name).unlink()

    return remove


def narrow(folder):
    write_image(folder / "dull" / "mask" / "0_mask.png", np.full((48, 30, 1), 255, np.uint8))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (without("dull/images/0.png"), "0_mask.png: mask without an image; expected"),
        (without("dull/mask/0_mask.png"), "0.png: image without a mask; expected"),
        (narrow, "is 48x48 pixels but its mask"),
    ],
)
def test_a_pair_that_is_none_is_told_and_left_out_or_stops(run, tmp_path, spoil, sentence):
    data = draw_discs(tmp_path / "data", 16)
    spoil(data)
    strict = (*SETTINGS, "--set", "skip_unreadable=false")
    refused(run, tmp_path / "run", 1, sentence, "regions", "train", data, *strict)
    code, _, err = run("regions", "extract", data, "-o", tmp_path / "cut")
    assert code == 1
    assert f"skipped: {data}" in err
    assert sentence.partition(";")[0] in err
    assert len(rows(tmp_path / "cut" / "regions.csv")) == 15
    assert "Traceback" not in err


def refused(run, made, code, sentence, *arguments):
    """The program stops with one sentence, and has written nothing."""
    found, out, err = run(*arguments, "-o", made)
    assert (found, out) == (code, "")
    last = err.strip().splitlines()[-1]
    assert last.startswith("maskwright: ")
    assert sentence in last
    assert last.endswith(".")
    assert "Traceback" not in err
    assert not [path for path in made.rglob("*") if path.is_file()]


def manifest(folder, changes=None, masks=1):
    """Twelve images, in splits; each row is what is said of it, but for `changes` by number."""
    lines = ["image,mask,case,label,split"]
    for number in range(12):
        label = ("dull", "bright")[number % 2]
        image, mask = disc_image(label == "bright", discs=masks, seed=number)
        write_image(folder / f"i{number}.png", image)
        for disc in range(masks):
            inside = np.uint8(255) * (mask == disc + 1)[..., None]
            write_image(folder / f"m{number}_{disc}.png", inside)
        row = {
            "image": f"i{number}.png",
            "mask": ";".join(f"m{number}_{disc}.png" for disc in range(masks)),
            "case": f"c{number}",
            "label": label,
            "split": "train" if number < 8 else "val" if number < 10 else "test",
        }
        lines.append(",".join((row | (changes or {}).get(number, {})).values()))
    (folder / "manifest.csv").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize(
    ("changes", "options", "sentence"),
    [
        ({3: {"label": ""}}, {}, "1 of 12 images with a mask have no label, the first"),
        (
            {number: {"label": "dull"} for number in range(12)},
            {},
            "have the label dull; expected two different labels",
        ),
        (
            {number: {"label": "dull"} for number in range(8)},
            {},
            "All 8 training cases are dull; expected both dull and bright to learn from",
        ),
        (
            {9: {"case": "c3"}},
            {},
            "The case 'c3' is in train (i3.png) and val (i9.png); expected all images of a case",
        ),
        (
            {3: {"label": "dull;bright"}},
            {"masks": 3},
            "has 2 labels for the 3 masks of i3.png; expected one label for the image, or one",
        ),
    ],
)
def test_labels_that_cannot_be_learned_from(run, tmp_path, changes, options, sentence):
    data = manifest(tmp_path / "data", changes, **options)
    refused(run, tmp_path / "run", 1, sentence, "regions", "train", data, *SETTINGS)


def test_a_table_that_lacks_a_region(run, tmp_path):
    data = manifest(tmp_path / "data", masks=2)
    lines = [
        f"i{image}.png,{disc},{('dull', 'bright')[image % 2]}"
        for image in range(12)
        for disc in (1, 2)
    ]
    lines.remove("i3.png,2,bright")
    (data / "regions.csv").write_text("\n".join(["image,region,label", *lines]))
    sentence = "has no label in"
    refused(run, tmp_path / "run", 1, sentence, "regions", "train", data, *SETTINGS)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("train", "{data}", "--set", "color=red"), 2, "there is no setting color"),
        (("train", "{data}", "--resume"), 2, "no run to resume in"),
        (("train", "{data}", "--plan", "{segmenter}/plan.yaml"), 2, "of `maskwright train`; exp"),
        (
            ("train", "{data}", *SETTINGS, "--segmenter", "{alone}"),
            1,
            "is for the task regions: name",
        ),
        (("train", "{data}", *SETTINGS, "--segmenter", "nowhere"), 1, "there is no such folder"),
        (("evaluate", "{segmenter}", "{data}"), 1, "Expected a run of `maskwright regions train`"),
        (("evaluate", "{alone}", "{data}", "--split", "night"), 1, "no split 'night'"),
        (("predict", "{segmenter}", "{data}"), 1, "name another run, or use the command"),
        (
            ("predict", "{alone}", "{data}", "--no-masks"),
            2,
            "predicts none; give masks, or train it",
        ),
        (("predict", "{alone}", "{data}/dull/images"), 1, "predicts no masks, so that images come"),
        (("extract", "nowhere"), 1, "nowhere does not exist; expected a folder"),
        (("extract", "{data}", "--min-area-px", "9999"), 1, "hold no region of 9999 px or more"),
    ],
)
def test_one_sentence_and_an_exit_code_of_regions(
    run, data, runs, tmp_path, arguments, code, sentence
):
    known = {"data": data} | {path.name: path for path in runs.iterdir()}
    given = [str(text).format(**known) for text in arguments]
    refused(run, tmp_path / "out", code, sentence, "regions", *given)


def test_other_commands_name_the_run_that_they_expect(run, data, runs, tmp_path):
    out = tmp_path / "out"
    predict = ("predict", runs / "alone", data)
    refused(run, out, 2, "does not write probabilities of pixels", *predict, "--probabilities")
    refused(run, out, 2, "no segmenter to adjust", *predict, "--threshold", "0.4")
    code, _, err = run("train", data, "-o", runs / "alone", "--resume")
    assert code == 2
    assert (
        "holds settings of `maskwright regions train`; expected settings of `maskwright tr" in err
    )


def test_a_wrong_option_shows_the_usage(run, data, tmp_path):
    for wrong in (("--size", "0"), ("--outside", "blurred"), ("--color", "red")):
        code, _, err = run("regions", "extract", data, "-o", tmp_path / "cut", *wrong)
        assert code == 2
        assert "Usage: maskwright regions extract" in err
    assert not (tmp_path / "cut").exists()
