import re

import numpy as np
import pytest

from html_tags import Tags
from maskwright.evaluation import EvaluateOptions
from maskwright.evaluation.reports.write import write_report
from maskwright.labels import Labels
from maskwright.tasks.semantic.evaluation.report import semantic_report
from maskwright.tasks.semantic.evaluation.scorer import evaluate_masks
from memory_masks import MASKS, AllCell, MemoryMasks, make_card

NASTY = Labels.create(["background", "<b>cell & co</b>"])


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    history = "epoch,loss,mean_dice,val_loss\n1,0.9,0.2,\n2,0.5,0.4,0.6\n"
    (folder / "history.csv").write_text(history)
    (folder / "plan.yaml").write_text("loss: ce+dice\n")
    return folder


def test_a_page_that_holds_everything(tmp_path, run):
    predictor = AllCell(make_card(labels=NASTY, min_area_px=3))
    dataset = MemoryMasks({**MASKS, "d-1": None}, NASTY)
    result = evaluate_masks(predictor, dataset, EvaluateOptions(split="val"))
    page = write_report(semantic_report(result), tmp_path / "out", run)
    names = sorted(path.name for path in page.parent.iterdir())
    assert names == ["cases.csv", "confusion.png", "report.html", "scores.json"]
    text = page.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    # Four pictures of each example and nothing from elsewhere.
    assert len(tags.addresses) == 4 * 3
    assert all(address.startswith("data:image/webp") for address in tags.addresses)
    assert not re.search(r"(src|href)=\W?https?://|url\(h", text)
    for part in ("0.636", "chose the best weights", "d-1.png is empty.", "components under 3 px"):
        assert part in text
    assert "loss: ce+dice" in text
    assert "validation" in text
    assert "&lt;b&gt;cell &amp; co" in text
    assert "<b>cell" not in text


def test_a_page_without_run_intervals_or_pictures(tmp_path):
    many = Labels.create([f"class {label}" for label in range(30)])
    predictor = AllCell(make_card(labels=many, size=(4, 4)))
    masks = {"a-1": np.arange(16).reshape(4, 4).tolist()}
    result = evaluate_masks(predictor, MemoryMasks(masks, many), EvaluateOptions(examples=0))
    text = write_report(semantic_report(result), tmp_path).read_text()
    assert "Model on memory, test split" in text
    assert "data:image/png" in text  # the confusion matrix, too large for a table
    assert "Training settings" not in text
