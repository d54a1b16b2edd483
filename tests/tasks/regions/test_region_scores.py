import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console
from scipy.special import expit

from html_tags import Tags
from maskwright.data.samples import Sample
from maskwright.evaluation import EvaluateOptions, Example, Skipped
from maskwright.evaluation.reports.write import terminal_table, to_dict, write_report
from maskwright.metrics import decision_scores
from maskwright.model_card import RegionCard
from maskwright.tasks.regions.evaluation.report import region_report
from maskwright.tasks.regions.evaluation.scores import (
    BagDecision,
    RegionEvaluation,
    region_cautions,
)
from maskwright.tasks.semantic.evaluation.scorer import evaluate_masks
from memory_masks import MASKS, AllCell, MemoryMasks

SKIPPED = Skipped(Sample("z", Path("z.png"), (), "z", "test"), "z.png is empty.")
# Four images of three cases: label, logit with true masks, logit with predicted ones.
BAGS = (
    ("a-1", 0, -2.0, -1.0),
    ("a-2", 1, 4.0, None),
    ("b-1", 1, -0.2, 2.0),
    ("c-1", 0, -6.0, -6.0),
)


def decided(bag) -> BagDecision:
    name, label, true, predicted = bag
    return BagDecision(
        id=name,
        case=name[0],
        label=label,
        images=(f"{name}.png",),
        regions=(f"{name}:1", f"{name}:2"),
        weights=np.array([0.25, 0.75]),
        logit=true,
        predicted_logit=predicted,
        predicted_regions=() if predicted is None else (f"{name}:p1",),
        predicted_weights=None if predicted is None else np.ones(1),
    )


def make(bags=BAGS, names=("benign", "malignant"), split="test", **changes) -> RegionEvaluation:
    card = RegionCard(
        names=names, unit="image", regions="components", size=8, context=None, outside="kept",
        value_range=(0, 255), measures=(), temperature=2.0, channels=1, dtype="uint8",
        model_sha256="", version="", data="",
    )  # fmt: skip
    result = RegionEvaluation(
        card=card,
        data=Path("memory"),
        bags=tuple(map(decided, bags)),
        options=EvaluateOptions(split=split),
        **{"has_predicted": True, **changes},
    )
    return replace(result, warnings=tuple(region_cautions(result)))


def report_of(*arguments, **changes):
    return region_report(make(*arguments, **changes))


def test_scores_with_true_and_predicted_masks_and_what_lies_between():
    result = make()
    np.testing.assert_allclose(result.probabilities, expit([-1, 2, -0.1, -3]))
    # Nothing found is decided negative, with probability 0.
    np.testing.assert_allclose(result.predicted_probabilities, [*expit([-0.5]), 0, *expit([1, -3])])
    assert result.true.roc_auc == 1
    # Of the four pairs, a-2 loses both and b-1 wins both.
    assert result.predicted.roc_auc == 0.5
    assert result.difference["roc_auc"] == -0.5
    np.testing.assert_array_equal(result.true.confusion, [[2, 0], [1, 1]])
    assert (
        "found no region in 1 of 4 images; with predicted masks they are decided benign"
        in result.warnings[-1].text
    )
    assert [caution.code for caution in result.warnings] == ["few_cases", "no_predicted_region"]
    assert [result.bags[index].id for index in result.by_doubt] == ["b-1", "a-1", "a-2", "c-1"]
    np.testing.assert_allclose(result.correctness, expit([1, 2, -0.1, 3]))


def test_differences_are_paired_so_that_a_constant_one_has_no_interval():
    rng = np.random.default_rng(0)
    bags = [(f"{i}", int(i % 2), float(rng.normal(i % 2)), None) for i in range(40)]
    same = [(name, label, true, true) for name, label, true, _ in bags]
    for ends in make(same).difference_intervals.values():
        assert np.isnan(ends).all()
    shifted = make([(name, label, true, rng.normal(label)) for name, label, true, _ in bags])
    low, high = shifted.difference_intervals["roc_auc"]
    assert low < shifted.difference["roc_auc"] < high
    low, high = shifted.intervals["roc_auc"]
    assert low < shifted.true.roc_auc < high


def test_scores_are_plain_json():
    segmentation = evaluate_masks(AllCell(), MemoryMasks(MASKS))
    values = to_dict(report_of(segmentation=segmentation, skipped=(SKIPPED,)))
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    expected = decision_scores(np.array([0, 1, 1, 0]), expit([-1, 2, -0.1, -3]))
    assert values["brier"] == pytest.approx(expected.brier)
    at = values["sensitivity_at_specificity"]
    assert (at["specificity"], at["sensitivity"]) == (0.9, 1)
    assert at["threshold"] == pytest.approx(expit(-0.1))
    assert values["predicted"]["roc_auc"] == 0.5
    assert values["predicted"]["without_region"] == 1
    assert values["difference"]["roc_auc"] == -0.5
    assert values["difference"]["roc_auc_interval"] is None  # of three cases
    assert (values["bags"], values["cases"], values["positive"]) == (4, 3, 2)
    assert values["segmentation"]["dice"]["cell"] == pytest.approx(2 * 7 / (7 + 11))
    assert values["skipped"][0]["reason"] == "z.png is empty."
    assert sum(point["number"] for point in values["calibration"]) == 4


def test_one_class_and_one_case_invent_nothing():
    values = to_dict(report_of(BAGS[:1], has_predicted=False))
    assert (values["roc_auc"], values["roc_auc_interval"]) == (None, None)
    assert values["binary_accuracy_interval"] == pytest.approx([0.025, 1])  # one right of one
    assert "predicted" not in values
    assert [w["code"] for w in values["warnings"]] == ["few_cases", "single_class"]


def test_cases_have_one_line_for_each_bag(tmp_path):
    write_report(report_of(), tmp_path)
    with (tmp_path / "cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["a-1", "a-2", "b-1", "c-1"]
    second, third = rows[1], rows[2]
    assert (second["label"], second["decision"], second["predicted_decision"]) == (
        "malignant",
        "malignant",
        "benign",
    )
    assert (second["regions"], second["predicted_regions"]) == ("2", "0")
    assert (second["deciding_region"], second["weight"]) == ("a-2:2", "0.750000")
    assert (second["predicted_deciding_region"], second["predicted_weight"]) == ("", "")
    assert (third["case"], third["decision"]) == ("b", "benign")
    assert float(third["probability"]) == pytest.approx(expit(-0.1), abs=1e-6)


def test_a_page_that_holds_everything(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "history.csv").write_text("epoch,loss,roc_auc,val_loss\n1,0.9,0.6,\n2,0.5,0.7,0.6\n")
    (run / "plan.yaml").write_text("loss: bce\n")
    picture = np.zeros((8, 8, 3), np.uint8)
    example = Example(
        panels=tuple((f"<panel> {place}", picture) for place in range(5)),
        title="a-1",
        text="benign & sure",
        rank="best",
    )
    page = write_report(
        report_of(
            names=("<i>calm</i>", "<b>bad & co</b>"),
            segmentation=evaluate_masks(AllCell(), MemoryMasks(MASKS)),
            skipped=(SKIPPED,),
            examples=(example,),
            split="val",
        ),
        tmp_path / "out",
        run,
    )
    names = sorted(path.name for path in page.parent.iterdir())
    assert names == ["cases.csv", "report.html", "roc.svg", "scores.json"]
    ElementTree.parse(page.parent / "roc.svg")
    text = page.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert len(tags.addresses) == 5
    assert all(address.startswith("data:image/webp") for address in tags.addresses)
    assert not re.search(r"(src|href)=\W?https?://|url\(h", text)
    for part in (
        "AUC 1.000",
        "AUC 0.500",
        "-0.500",
        "no region",
        "a-1:2 (75%)",
        "chose the best weights",
        "z.png is empty.",
        "Dice of cell 0.778",
        "loss: bce",
        "validation",
        "benign &amp; sure",
        "&lt;b&gt;bad &amp; co",
    ):
        assert part in text
    # The one that is malignant and decided benign, of two.
    assert '50.0%<span class="interval">1</span>' in text
    assert "<b>bad" not in text
    assert "<i>calm" not in text
    # ROC, precision and recall, calibration, probabilities, and two curves of the training.
    assert text.count('role="img"') == 6


def test_a_page_of_one_class_without_run_or_predictions(tmp_path):
    text = write_report(report_of(BAGS[:1], has_predicted=False), tmp_path).read_text()
    assert "Model on memory, test split" in text
    assert "redicted masks" not in text
    assert not re.search(r"\bnan\b", text)


def test_the_table_fits_a_terminal():
    console = Console(width=80)
    with console.capture() as captured:
        console.print(terminal_table(report_of(names=("[red]benign", "malignant"))))
        console.print(terminal_table(report_of(BAGS[:1], has_predicted=False)))
    text = captured.get()
    assert "…" not in text
    assert "4 images of 3 cases, 2 malignant and 2 [red]benign" in " ".join(text.split())
    assert re.search(r"ROC AUC +1\.000 .* 0\.500 +-0\.500", text)
