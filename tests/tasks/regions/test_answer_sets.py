"""Answers that name a class or refer: by hand, by simulation, and in the tables of a run."""

import json

import numpy as np
import pytest

import maskwright
from drawing_regions import MEASURES, draw_discs
from maskwright.errors import ConfigError
from maskwright.tasks.regions.trust.answer_sets import (
    AnswerPromise,
    AnswerSets,
    Decided,
    make_answer_sets,
)
from maskwright.tasks.regions.trust.verify import check_answers

NAMES = ("benign", "malignant")


def decided(labels, probabilities, cases=None, unit="image"):
    cases = list(map(str, range(len(labels)))) if cases is None else cases
    return Decided(
        unit=unit, labels=np.asarray(labels), probabilities=np.asarray(probabilities, float),
        cases=cases,
    )  # fmt: skip


def sets(benign, malignant):
    made = [
        AnswerPromise(name=n, level=0.1, n=9, threshold=t, is_shared=False, referred=0.0)
        for n, t in zip(NAMES, (benign, malignant), strict=True)
    ]
    return AnswerSets(unit="image", promises=tuple(made))


def test_answers_by_probability():
    overlapping = sets(benign=0.3, malignant=0.2)  # malignant from 0.2, benign up to 0.7
    answers = [overlapping.answer(p) for p in (0.1, 0.2, 0.7, 0.71, None, float("nan"))]
    assert answers == ["benign", "refer", "refer", "malignant", "refer", "refer"]
    apart = sets(benign=0.7, malignant=0.8)  # neither is possible between 0.3 and 0.8
    assert [apart.answer(p) for p in (0.3, 0.4, 0.5, 0.8)] == ["benign"] * 2 + ["malignant"] * 2


def test_thresholds_are_order_statistics_within_the_class():
    # Nineteen malignant cases at 0.05, 0.10 … 0.95: floor(0.1 * 20) = 2, so the second, 0.10.
    # Nine benign ones, whose probability of benign is 0.1 … 0.9: the first, 0.1.
    malignant, benign = np.arange(1, 20) / 20, 1 - np.arange(1, 10) / 10
    data = decided([1] * 19 + [0] * 9, [*malignant, *benign])
    made, notes = make_answer_sets(data, NAMES, 0.1)
    assert [p.threshold for p in made.promises] == pytest.approx([0.1, 0.1], abs=2e-6)
    assert notes == []
    assert made.sentences()[1] == (
        "In at least 9 of 10 new cases that are malignant, the answer is malignant or refer; from "
        "19 cases, holds for new cases drawn like these."
    )
    # Malignant from 0.1, benign up to 0.9: refer is all between, of malignant all but two ends.
    assert made.promises[1].referred == pytest.approx(17 / 19)
    check = check_answers(made, data, 1, "given")
    assert (check.n, check.covered, check.verdict) == (19, 18 / 19, "kept")
    assert check.covered_ends[0] == pytest.approx(0.7397, abs=1e-4)  # Clopper-Pearson, 18 of 19


def test_decisions_of_a_case_count_as_one_and_missing_regions_as_refer_or_missed():
    # Nine cases of two images, of which the second has no region: referred, never missed.
    cases = [str(i // 2) for i in range(18)]
    probabilities = [p for i in range(9) for p in (0.1 + i / 10, np.nan)]
    made, _ = make_answer_sets(decided([1] * 18, probabilities, cases), NAMES, 0.1)
    # Half a case is lost at each step: (0.5 * 0 + 1) / 10 = 0.1 is all there is room for.
    assert made.promises[1].threshold == pytest.approx(0.1, abs=2e-6)
    assert "on average over cases" in made.sentences()[1]
    # Single regions that are not found have no answer at all: no threshold holds nine of ten.
    lost = decided([1] * 18, probabilities, cases, unit="region")
    made, notes = make_answer_sets(lost, NAMES, 0.1)
    assert (made.promises[1].level, made.promises[1].threshold) == (None, 0)
    assert notes[1] == (
        "No answer holds malignant in 90 % of it: no region is found for 50 % of it."
    )


def test_too_few_cases_of_a_class_are_told_with_what_is_offered():
    made, notes = make_answer_sets(decided([1] * 4, [0.6, 0.7, 0.8, 0.9]), NAMES, 0.1)
    assert notes == [
        "0 cases are benign; a promise at 10 % needs 9. Offered: nothing.",
        "4 cases are malignant; a promise at 10 % needs 9. Offered: 20 %.",
    ]
    assert made.promises[1].threshold == pytest.approx(0.6, abs=2e-6)
    # Benign stays possible whatever its probability.
    assert made.promises[0].threshold == 0
    assert [made.answer(p) for p in (0.0, 0.5, 0.99)] == ["benign", "benign", "refer"]
    assert "Nothing is promised for new cases that are benign" in made.sentences()[0]


def test_nine_of_ten_new_cases_of_either_class_are_covered():
    rng = np.random.default_rng(0)

    def simulated(n):
        labels = (rng.random(n) < 0.3).astype(int)
        logits = rng.normal(np.where(labels == 1, 1.5, -1.5), 1.5)
        return decided(labels, 1 / (1 + np.exp(-logits)))

    new, covered, referred = simulated(3000), [], []
    for _ in range(200):
        made, _ = make_answer_sets(simulated(60), NAMES, 0.1)
        checks = [check_answers(made, new, label, "given") for label in (0, 1)]
        covered.append([check.covered for check in checks])
        referred.append([check.referred for check in checks])
    error = 2 * np.std(covered, axis=0) / np.sqrt(200) + 0.015  # that of the new cases, too
    assert (np.mean(covered, axis=0) >= 0.9 - error).all()
    assert (np.mean(covered, axis=0) <= 0.96).all()
    assert 0 < np.mean(referred) < 0.5


def test_a_run_answers_in_its_tables(tmp_path):
    data = draw_discs(tmp_path / "data", 44)
    settings = {**MEASURES, "epochs": 3, "calibration_share": 0.5, "test_share": 0.2}
    run = maskwright.train_regions(data, tmp_path / "run", **settings).folder
    plain = maskwright.predict(run, data, tmp_path / "out")
    assert "answer" not in plain.cases[0]
    record = maskwright.trust(run, data, on_message=str)
    assert len(record.sentences) == 2
    again = maskwright.predict(run, data, tmp_path / "out")
    assert not again.skipped, "decisions from before have no answer"
    header, *rows = (tmp_path / "out" / "cases.csv").read_text().splitlines()
    assert header.endswith(",answer")
    assert {row.rsplit(",", 1)[1] for row in rows} <= {"dull", "bright", "refer"}
    # Another temperature is another probability: answers are left out, and a sentence says why.
    card = json.loads((run / "model_card.json").read_text())
    card["temperature"] *= 2
    (run / "model_card.json").write_text(json.dumps(card))
    told = []
    other = maskwright.predict(run, data, tmp_path / "other", on_message=told.append)
    assert "answer" not in other.cases[0]
    assert any("Without the column answer" in text and "temperature" in text for text in told)
    with pytest.raises(ConfigError, match="`each`, the share of the cases"):
        maskwright.trust(run, data, each=None)
