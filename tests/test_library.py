"""What `import maskwright` offers besides its verbs, without importing TensorFlow."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import maskwright
import maskwright.metrics
from maskwright.data.synthetic import write_dataset
from maskwright.quiet import quiet_tensorflow

PAGE = Path(maskwright.__file__).parents[2] / "docs" / "library.md"

LIBRARY = ("augment", "encoders", "losses", "metrics", "models", "regions")


@pytest.mark.parametrize("name", LIBRARY)
def test_modules_are_attributes_with_all_their_names(name):
    module = getattr(maskwright, name)
    assert module.__name__ == f"maskwright.{name}"
    assert set(module.__all__) <= set(dir(module))
    for public in module.__all__:
        assert getattr(module, public) is not None


def test_completion_lists_everything():
    assert set(maskwright.__all__) <= set(dir(maskwright))
    assert {"__version__", *LIBRARY} <= set(dir(maskwright))
    assert {"MeanIoU", "scores"} <= set(dir(maskwright.metrics))
    with pytest.raises(AttributeError, match="'maskwright' has no attribute 'loses'"):
        _ = maskwright.loses


def test_listing_names_imports_no_tensorflow_and_what_does_is_silent(tmp_path):
    write_dataset(tmp_path / "cells", num_images=12, size=32)
    code = (
        "import sys, maskwright; names = dir(maskwright); import maskwright.metrics as metrics; "
        f"names = dir(metrics); maskwright.open_dataset({str(tmp_path / 'cells')!r}); "
        "heavy = {'tensorflow', 'keras'} & set(sys.modules); "
        "assert not heavy, heavy; maskwright.losses.Dice(); maskwright.metrics.MeanIoU(2)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(("level", "finders"), [(None, 1), ("3", 1), ("0", 0)])
def test_messages_of_tensorflow_are_shown_where_they_are_asked_for(monkeypatch, level, finders):
    monkeypatch.setattr(sys, "meta_path", [])
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    if level is not None:
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
    quiet_tensorflow()
    assert len(sys.meta_path) == finders


@pytest.mark.skipif(not PAGE.exists(), reason="the documentation is not installed")
@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")  # of Keras, for any data set
def test_the_code_of_the_page_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_dataset("photos", num_images=24, size=64)
    names: dict = {}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S):
        exec(compile(block, PAGE.name, "exec"), names)
    assert 0 < names["best"] <= 1
    assert names["features"].keys() == {2, 4, 8, 16, 32}
    assert names["sizes"]
