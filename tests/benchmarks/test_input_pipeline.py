import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.imageio import write_image

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def pipeline(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    found = importlib.import_module("pipeline")
    monkeypatch.setattr(found, "SMP_ENVIRONMENT", FOLDER / "absent")
    return found


def draw(folder, suffix):
    for number in range(8):
        mask = np.eye(20, dtype=np.uint8)[..., None]
        write_image(folder / "images" / f"{number}{suffix}", np.repeat(mask * 200, 3, axis=2))
        write_image(folder / "masks" / f"{number}.png", mask)
    return folder


def test_one_line_of_json_tells_of_every_way(pipeline, tmp_path, capsys):
    pipeline.main(draw(tmp_path, ".png"), size=16, batch=4, rounds=1, passes=2)
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert list(found) == ["images", "ours", "tutorial"]
    assert set(found["tutorial"]) == {
        f"{run}_{figure}"
        for run in ("first", "later")
        for figure in ("per_second", "ratio", "cpu_ms")
    }
    assert "PyTorch is left out" in told.err


def test_what_the_others_cannot_read_is_told(pipeline, tmp_path):
    with pytest.raises(DataError, match="one JPEG or PNG image"):
        pipeline.main(draw(tmp_path, ".tif"), size=16)
