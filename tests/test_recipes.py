"""`compare_recipes`, with a trainer that only writes what a run leaves."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import maskwright
from maskwright.data.samples import Sample
from maskwright.errors import ConfigError, ModelError
from maskwright.metrics import tally
from memory_masks import make_card

MODULE = "maskwright.api.recipe_comparison"
SAMPLES = [Sample(f"i{n}", Path(f"i{n}.png"), (), f"i{n}", "test") for n in range(8)]


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Runs A and B; models of B find a tenth less."""
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.yaml").write_text("epochs: 1\n")
    calls = []

    def train(data, run, *, plan=None, seed=None, **rest):
        calls.append((run.parent.name, seed, rest.get("resume", False)))

    def evaluate(run, data, **rest):
        right = np.arange(60, 76, 2) - 10 * (run.parent.name == "b") + int(run.name[-1])
        counts = np.array([[[100, 0], [100 - n, n]] for n in right])
        return SimpleNamespace(samples=SAMPLES, tallies=tally(counts), card=make_card())

    task = SimpleNamespace(name="semantic", compare=True)
    monkeypatch.setattr(f"{MODULE}.train", train)
    monkeypatch.setattr(f"{MODULE}.evaluate", evaluate)
    monkeypatch.setattr(f"{MODULE}.task_of", lambda _: task)
    monkeypatch.setattr(f"{MODULE}.require_task", lambda *_: None)
    return tmp_path, calls


def test_each_recipe_is_trained_with_every_seed_and_the_means_are_compared(runs):
    folder, calls = runs
    told = []
    found = maskwright.compare_recipes(folder / "a", folder / "b", "data", on_message=told.append)
    assert calls == [(name, seed, False) for seed in (1, 2, 3) for name in "ab"]
    assert told[0] == "a, seed 1 …"
    assert found.folder == folder / "a/comparison/b/seeds"
    table = json.loads((found.folder / "recipes.json").read_text())
    assert (table["verdict"], table["cases"], table["seeds"]) == ("A is better", 8, [1, 2, 3])
    low, high = table["interval"]
    assert low < table["difference"] < high
    assert "over 3 seeds: A 0." in str(found)


def test_what_is_no_recipe_is_refused(runs):
    folder, _ = runs
    with pytest.raises(ConfigError, match="two seeds or more"):
        maskwright.compare_recipes(folder / "a", folder / "b", "data", seeds=1)
    (folder / "b/plan.yaml").unlink()
    with pytest.raises(ModelError, match="no recipe"):
        maskwright.compare_recipes(folder / "a", folder / "b", "data")
