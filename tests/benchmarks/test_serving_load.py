import importlib
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def test_lost_requests_and_changed_masks_are_counted(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    summed = importlib.import_module("serving").summed
    first = {}
    # Two images, sent in turn; the second mask of the first differs, the last request is lost.
    found = {"seconds": 2.0, "took": [0.1] * 4, "answers": ["a", "b", "c", ""]}
    total = summed({**found, "busy": 3, "unclean": 0}, first, 2)
    assert first == {0: "a", 1: "b"}
    assert total == {
        "rate": 1.5,
        "p50": 100.0,
        "p95": 100.0,
        "lost": 1,
        "busy": 3,
        "unclean": 0,
        "changed": 1,
    }
