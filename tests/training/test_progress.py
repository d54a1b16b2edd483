import json
import time
from contextlib import suppress

import pytest

from maskwright.training import Run, Scoring, callbacks
from maskwright.training.callbacks import write_progress

SCORING = Scoring(
    count=lambda *_: None,
    shape=(1,),
    scores=lambda _: {},
    titles={"mean_dice": "mean Dice"},
    watch="mean_dice",
)


def told(run):
    return json.loads(run.progress_file.read_text())


def test_progress_is_renewed_while_nothing_happens_and_ends_with_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(callbacks, "PROGRESS_SECONDS", 0.02)
    run, share = Run(tmp_path), [0.25]
    with suppress(KeyboardInterrupt), write_progress(run, lambda: share[0], SCORING, ("image",)):
        assert told(run) == {
            "share": 0.25,
            "seconds_left": None,
            "running": True,
            "time": pytest.approx(time.time(), abs=5),
            "titles": {"mean_dice": "mean Dice"},
            "watch": "mean_dice",
            "columns": ["image"],
        }
        share[0] = 0.5
        time.sleep(0.2)
        # A quarter took some 0.2 seconds; so will each of the two that are left.
        assert told(run)["seconds_left"] > 0.2
        raise KeyboardInterrupt
    assert (told(run)["running"], told(run)["share"]) == (False, 0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]


def test_a_full_disk_does_not_end_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(callbacks, "PROGRESS_SECONDS", 0.01)
    run = Run(tmp_path / "file" / "run")
    (tmp_path / "file").write_bytes(b"")
    with write_progress(run, lambda: 0.5, SCORING):
        time.sleep(0.05)
    assert not run.progress_file.exists()
