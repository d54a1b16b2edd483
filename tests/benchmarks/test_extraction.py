import importlib
import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def test_one_line_of_json_counts_what_was_drawn(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr("sys.argv", ["extraction.py", "--images", "3"])
    importlib.import_module("extraction").main()
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    # Of three images only the first is raced; its time stands for all.
    assert (found["regions"], found["images"]) == (60, 3)
    assert found["against"]["scaled_from_regions"] == 20
    assert found["ratio"] > 1
