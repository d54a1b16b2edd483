"""The program as a user runs it, on drawn data: check, train, resume, evaluate, predict."""

import json
from functools import partial

import numpy as np
import pytest
import yaml

from maskwright import __version__
from maskwright.cli.app import _show_once
from maskwright.data.synthetic.datasets import write_dataset
from maskwright.errors import MaskwrightWarning
from maskwright.imageio import read_mask, write_image


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("drawn") / "data", num_images=12, size=64)


SETTINGS = ("--set", "encoder=plain", "--set", "encoder_widths=[4, 8]", "--set", "batch_size=4")


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    from maskwright import train

    out = tmp_path_factory.mktemp("runs") / "run"
    settings = {"encoder": "plain", "encoder_widths": (4, 8), "batch_size": 4}
    train(data, out, epochs=2, track="tensorboard", **settings)
    return out


def test_help_names_every_command(run):
    code, out, _ = run("--help")
    assert code == 0
    assert all(name in out for name in ("demo", "check", "train", "evaluate", "predict"))


def test_check_tells_and_draws(run, data, tmp_path):
    code, out, _ = run("check", data, "--sheet", tmp_path / "sheet.png")
    assert code == 0
    assert "ready for training" in out
    assert (tmp_path / "sheet.png").exists()
    code, out, _ = run("check", data, "--json")
    assert json.loads(out)["ok"] is True


def test_check_ends_with_one_where_training_would_be_wrong(run, tmp_path):
    for number in range(4):
        write_image(tmp_path / "images" / f"{number}.png", np.full((8, 8, 3), number, np.uint8))
        write_image(tmp_path / "masks" / f"{number}.png", np.zeros((8, 8, 1), np.uint8))
    code, out, _ = run("check", tmp_path)
    assert code == 1
    assert "error" in out


def test_check_writes_what_it_inferred(run, tmp_path):
    rng = np.random.default_rng(0)
    for number in range(12):
        image = rng.integers(0, 255, (16, 16, 3), np.uint8)
        write_image(tmp_path / "images" / f"{number}.png", image)
        write_image(tmp_path / "masks" / f"{number}.png", (image[..., :1] > 99) * np.uint8(255))
    run("check", tmp_path, "--write")
    assert yaml.safe_load((tmp_path / "data.yaml").read_text())["classes"]


def test_a_run_holds_all_that_repeats_it(trained):
    names = {path.name for path in trained.iterdir()}
    assert names >= {
        *("plan.yaml", "model_card.json", "model.keras", "history.csv", "curves.png", "previews"),
        *("checkpoints", "environment.json", "model.txt", "model.png", "tensorboard"),
        *("progress.json", "tracking.json"),
    }
    assert len(list((trained / "previews").iterdir())) == 2
    assert list((trained / "tensorboard").rglob("events*"))


def test_train_from_the_command_line_repeats_a_plan(run, data, trained, tmp_path):
    code, out, _ = run("train", data, "-o", tmp_path / "again", "--plan", trained / "plan.yaml")
    assert code == 0
    assert out.strip() == str(tmp_path / "again")
    histories = [(p / "history.csv").read_text() for p in (trained, tmp_path / "again")]
    losses = [[row.split(",")[2] for row in text.splitlines()] for text in histories]
    assert losses[0] == losses[1]


def test_evaluate_prints_json_alone(run, data, trained):
    options = ("--by", "case", "--weigh", "images", "--size-limits", "9", "99", "--no-calibration")
    code, out, err = run("evaluate", trained, data, *options, "--tolerance-px", "3", "--json")
    scores = json.loads(out)
    assert code == 0
    assert {"mean_iou", "pixel_accuracy", "per_class", "intervals", "empty_rule"} <= scores.keys()
    assert (scores["by"]["column"], scores["image_wise"]["weigh"]) == ("case", "images")
    assert (scores["outlines"]["tolerance_px"], scores["sizes"]["limits_px"]) == (3, [9, 99])
    assert "calibration" not in scores
    assert (trained / "evaluation" / "test" / "report.html").exists()
    assert "report.html" in err


@pytest.mark.filterwarnings("ignore::maskwright.errors.MaskwrightWarning")
def test_predict_skips_a_bad_file_and_says_so(run, trained, tmp_path):
    images = tmp_path / "images"
    write_image(images / "good.png", np.full((50, 70, 3), 200, np.uint8))
    (images / "bad.png").write_text("this is text")
    code, out, err = run("predict", trained, images, "-o", tmp_path / "masks")
    assert code == 1
    assert "bad.png" in err
    assert "Wrote 1 mask for 2 images" in err
    assert read_mask(tmp_path / "masks" / "good.png").values.shape == (50, 70)
    assert out.strip() == str(tmp_path / "masks")


@pytest.mark.filterwarnings("ignore::maskwright.errors.MaskwrightWarning")
def test_predict_works_by_windows_where_asked_to(run, trained, tmp_path):
    write_image(tmp_path / "image.png", np.full((50, 70, 3), 200, np.uint8))
    code, out, _ = run("predict", trained, tmp_path / "image.png", "-o", tmp_path / "m", "--large")
    assert (code, out.strip()) == (0, str(tmp_path / "m"))
    assert read_mask(tmp_path / "m" / "image.tif").values.shape == (50, 70)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("train", "nowhere", "-o", "out"), 1, "nowhere"),
        (("train", "{data}", "-o", "{run}", *SETTINGS), 2, "already holds a run"),
        (("train", "{data}", "-o", "new", "--resume"), 2, "no run to resume"),
        (("train", "{data}", "-o", "new", "--set", "color=red"), 2, "no setting color"),
        (
            ("train", "{data}", "-o", "new", "--set", "loss=hinge"),
            2,
            "Expected a loss made of ce, focal",
        ),
        (("train", "{data}", "-o", "new", "--set", "encoder_weights=no.h5"), 1, "no file no.h5"),
        (("train", "{data}", "-o", "new", "--from", "nowhere"), 1, "no such folder or file"),
        (
            ("train", "{data}", "-o", "new", "--from", "{run}", "--set", "decoder=unet"),
            2,
            "decoder is light there and unet here",
        ),
        (("evaluate", "nowhere", "{data}"), 1, "finished run"),
        (("evaluate", "{run}", "{data}", "--split", "night"), 1, "no split 'night'"),
        (("predict", "{run}", "nothing-here", "-o", "out"), 1, "No image found"),
        (("predict", "{run}"), 2, ""),
    ],
)
def test_one_sentence_and_an_exit_code(
    run, data, trained, tmp_path, monkeypatch, arguments, code, sentence
):
    monkeypatch.chdir(tmp_path)
    given = [text.format(data=data, run=trained) for text in arguments]
    found, _, err = run(*given)
    assert found == code
    assert sentence in err.replace("\n", " ")
    assert "Traceback" not in err


def test_the_version_is_printed_and_no_command_shows_the_help(run):
    code, out, _ = run("--version")
    assert (code, out.strip()) == (0, __version__)
    code, out, _ = run()
    assert code == 2
    assert "Usage: maskwright" in out


def test_a_warning_is_shown_once_whatever_libraries_do_to_filters(capsys):
    others = []
    show = partial(_show_once, lambda *warning: others.append(warning[0]), set())
    for text in ("dark", "gray", "dark"):
        show(MaskwrightWarning(text), MaskwrightWarning, "file.py", 1)
    show("theirs", UserWarning, "file.py", 1)
    assert (capsys.readouterr().err, others) == ("dark\ngray\n", ["theirs"])


def test_labels_to_look_at_again_and_to_draw_next(run, data, trained, tmp_path):
    code, out, err = run("audit", trained, data, "-o", tmp_path)
    assert code == 0
    assert "Masks to look at first" in out
    assert "audit with the cross-validation" in " ".join(out.split())
    assert str(tmp_path / "report.html") in err
    found = json.loads(run("audit", trained, data, "-o", tmp_path, "--json")[1])
    assert found["masks"][0]["score"] <= found["masks"][-1]["score"]
    code, out, err = run(
        "queue", trained, data / "images", "--count", "1", "-o", tmp_path / "q.csv"
    )
    assert code == 0
    assert out.startswith("  1. ")
    assert len((tmp_path / "q.csv").read_text("utf-8").splitlines()) == 2
    assert "no trust.json" in err
