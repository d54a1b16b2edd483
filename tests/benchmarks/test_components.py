import importlib
import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def components(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("components")


def test_one_line_of_json_tells_of_every_side_and_job(components, capsys):
    components.main(side=[64, 96], rounds=1)
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert list(found) == ["64", "96"]
    for one in found.values():
        assert one["components"] > 1
        assert all(one[job]["ratio"] > 0 for job in ("clean", "largest", "list"))


def test_nothing_is_timed_where_both_ways_differ(components, monkeypatch):
    monkeypatch.setattr(components, "skimage_clean", lambda mask, largest=False: mask)
    with pytest.raises(SystemExit, match="differ in clean"):
        components.main(side=[64], rounds=1)
