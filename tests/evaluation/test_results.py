import csv
import json

import numpy as np
import pytest
from drawn import MASKS, AllCell, Drawn, make_card
from rich.console import Console

from maskwright.evaluation import evaluate, table, to_dict
from maskwright.evaluation.results import summary, write_cases, write_scores
from maskwright.labels import Labels
from maskwright.metrics import EMPTY_RULE


@pytest.fixture(scope="module")
def evaluation():
    return evaluate(AllCell(), Drawn({**MASKS, "d-1": None}), bootstrap=50)


def test_scores_are_plain_json(evaluation, tmp_path):
    write_scores(evaluation, tmp_path / "scores.json")
    values = json.loads((tmp_path / "scores.json").read_text())
    assert values == to_dict(evaluation)
    assert values["mean_iou"] == pytest.approx(7 / 22)
    cell = values["per_class"]["cell"]
    assert (cell["precision"], cell["recall"], cell["pixels"]) == (pytest.approx(7 / 11), 1, 7)
    # No pixel was taken for background, so its precision is not defined.
    assert values["per_class"]["background"]["precision"] is None
    assert (values["images"], values["cases"], values["scored_at"]) == (4, 3, "original")
    assert values["empty_rule"] == EMPTY_RULE
    assert values["skipped"][0]["reason"] == "d-1.png is empty."
    low, high = values["intervals"]["per_class"]["cell"]["iou"]
    assert low < cell["iou"] < high


def test_cases_have_one_line_for_each_image(evaluation, tmp_path):
    write_cases(evaluation, tmp_path / "cases.csv")
    with (tmp_path / "cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == list(MASKS)
    assert (rows[1]["case"], rows[1]["pixels"]) == ("a", "4")
    assert float(rows[1]["iou cell"]) == pytest.approx(1 / 4)
    assert (rows[0]["iou background"], rows[3]["mean_iou"]) == ("", "")


def test_the_table_states_rule_and_size(evaluation):
    console = Console(width=120)
    with console.capture() as captured:
        console.print(table(evaluation))
    text = " ".join(captured.get().split())
    assert "0.636" in text  # 7 / 11
    assert "left out of means" in text
    assert summary(evaluation) == "4 images of 3 cases, at the size of the originals, 1 skipped"


def test_without_intervals_nothing_is_invented():
    values = to_dict(evaluate(AllCell(), Drawn({"a-1": [[1]]})))
    assert values["intervals"]["mean_iou"] is None
    assert not np.isnan(values["mean_iou"])


def test_names_are_no_markup():
    named = Labels.create(["background", "[red]cell"])
    shown = table(evaluate(AllCell(make_card(labels=named)), Drawn(MASKS, named), bootstrap=0))
    console = Console(width=120)
    with console.capture() as captured:
        console.print(shown)
    assert "[red]cell" in captured.get()
