import csv
import json

import numpy as np
import pytest
from rich.console import Console

from maskwright.evaluation import EvaluateOptions
from maskwright.evaluation.reports.write import terminal_table, to_dict, write_report
from maskwright.labels import Labels
from maskwright.metrics.confusion import EMPTY_RULE
from maskwright.tasks.semantic.evaluation.report import semantic_report
from maskwright.tasks.semantic.evaluation.scorer import evaluate_masks
from memory_masks import MASKS, AllCell, MemoryMasks, make_card


@pytest.fixture(scope="module")
def report():
    dataset = MemoryMasks({**MASKS, "d-1": None})
    return semantic_report(evaluate_masks(AllCell(), dataset, EvaluateOptions()))


def test_scores_are_plain_json(report, tmp_path):
    write_report(report, tmp_path)
    values = json.loads((tmp_path / "scores.json").read_text())
    assert values == to_dict(report)
    assert values["mean_iou"] == pytest.approx(7 / 22)
    cell = values["per_class"]["cell"]
    assert (cell["precision"], cell["recall"], cell["pixels"]) == (pytest.approx(7 / 11), 1, 7)
    # No pixel was taken for background, so its precision is not defined.
    assert values["per_class"]["background"]["precision"] is None
    assert (values["images"], values["cases"], values["scored_at"]) == (4, 3, "original")
    assert values["empty_rule"] == EMPTY_RULE
    assert values["skipped"][0]["reason"] == "d-1.png is empty."
    assert values["warnings"][0]["code"] == "few_cases"
    assert (values["level"], cell["cases"]) == (0.95, 2)
    assert values["intervals"]["per_class"]["cell"]["iou"] is None


def test_cases_have_one_line_for_each_image(report, tmp_path):
    write_report(report, tmp_path)
    with (tmp_path / "cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == list(MASKS)
    assert (rows[1]["case"], rows[1]["pixels"]) == ("a", "4")
    assert float(rows[1]["iou cell"]) == pytest.approx(1 / 4)
    assert (rows[0]["iou background"], rows[3]["mean_iou"]) == ("", "")


def test_the_table_states_rule_and_size(report):
    console = Console(width=120)
    with console.capture() as captured:
        console.print(terminal_table(report))
    text = " ".join(captured.get().split())
    assert "0.636" in text  # 7 / 11
    assert "left out of means" in text
    assert report.summary == "4 images of 3 cases, at the original size, 1 skipped"


def test_without_intervals_nothing_is_invented():
    result = evaluate_masks(AllCell(), MemoryMasks({"a-1": [[1]]}))
    values = to_dict(semantic_report(result))
    assert values["intervals"]["mean_iou"] is None
    assert not np.isnan(values["mean_iou"])
    table = terminal_table(semantic_report(result))
    assert "95 %" not in [column.header for column in table.columns]
    assert "it takes 6 for intervals" in table.caption


def test_names_are_no_markup():
    named = Labels.create(["background", "[red]cell"])
    result = evaluate_masks(AllCell(make_card(labels=named)), MemoryMasks(MASKS, named))
    shown = terminal_table(semantic_report(result))
    console = Console(width=120)
    with console.capture() as captured:
        console.print(shown)
    assert "[red]cell" in captured.get()
