import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import typer

from maskwright.imageio import read_image
from maskwright.tasks.regions import Region
from maskwright.tasks.regions.pipeline import CaseResult

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def bags(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("bags")


def region(image_id, value):
    return Region(
        image_id, value, 1, value, (0, 0, 1, 1), np.ones((1, 1), bool), {}, 1, None, False
    )


def result(name, probability, weights):
    regions = (region(f"{name}_1", 1), region(f"{name}_1", 2), region(f"{name}_2", 1))
    images = (f"{name}_1", f"{name}_2")
    return CaseResult(name, images, probability, None, regions, np.array(weights))


def test_a_cell_is_found_where_it_alone_has_the_highest_weight(bags):
    answers = [
        result("a", 0.9, [0.2, 0.1, 0.7]),
        result("b", 0.6, [0.7, 0.2, 0.1]),
        result("c", 0.4, [0.3, 0.35, 0.35]),
        result("d", 0.5, [0.8, 0.1, 0.1]),
    ]
    # Of a it is the heaviest; of b another is; of c it shares its place. Of d none decides.
    deciding = {"a": ("a_2", 1), "b": ("b_1", 2), "c": ("c_1", 2)}
    found = bags.score(answers, deciding)
    assert found["found"] == pytest.approx(1 / 3, abs=1e-4)
    # The one negative lies above one of three positives.
    assert found["roc_auc"] == pytest.approx(2 / 3, abs=1e-4)


def test_one_line_of_json_and_a_picture_come_of_drawn_cases(bags, tmp_path, capsys):
    picture = tmp_path / "cases.png"
    bags.main(cases=20, epochs=1, only="attention,mean", picture=picture)
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    # A fifth of 20 cases. Mean weighs all cells alike, so that none stands out.
    assert [found[name]["cases"] for name in ("attention", "mean")] == [4, 4]
    assert found["mean"]["found"] == 0
    # Three images of 192 px, enlarged twice, each beside a gap.
    assert read_image(picture).shape[1:] == (3 * (2 * 192 + 6), 3)


def test_an_unknown_pooling_is_refused_before_anything_is_drawn(bags):
    with pytest.raises(typer.BadParameter, match="attention, mean, max"):
        bags.main(only="median")
