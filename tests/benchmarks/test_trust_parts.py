import importlib
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def parts(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("trust_parts")


def test_images_counted_as_cases_break_promises(parts):
    twelve, sixty = parts.cases_against_images(draws=300)
    # No case in 12 is bad with a probability of 0.9**12 = 0.28, and all 60 images then look good.
    assert twelve["broken_by_images"] == pytest.approx(0.28, abs=0.07)
    assert max(twelve["broken_by_cases"], sixty["broken_by_cases"]) <= 0.05


def test_sure_promises_are_kept_in_a_simulated_pool(parts):
    pool = parts.simulated_pool(np.random.default_rng(0), cases=60)
    lines = parts.sure(pool, "simulated", draws=60)
    assert [(line["side"], line["kind"]) for line in lines] == [
        *[("missed", "average"), ("missed", "each")],
        *[("false", "average"), ("false", "each")],
    ]
    assert min(line["kept"] for line in lines) >= 0.9


def test_each_fault_changes_a_mask(parts):
    spoil = importlib.import_module("spoiling").spoil
    labels = np.zeros((12, 40, 40), np.uint8)
    labels[:, 10:30, 8:20] = 1
    labels[6:, 5:9, 2:30] = 1  # masks of two forms, so that another one differs
    given, is_spoiled = spoil(labels, 0.5, np.random.default_rng(0), background=0)
    assert is_spoiled.sum() == 6
    changed = (given != labels).any(axis=(1, 2))
    assert not changed[~is_spoiled].any()
    assert changed.sum() >= 5  # the mask of another image may be of the same form
