import io
import json
import re
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest
from rich.console import Console

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


def shown_by(console, epochs=2, scores=(0.8123, 0.9)):
    """What a bar writes in two epochs of two steps; half a minute passes in each step."""
    bar = callbacks.ProgressBar(lambda: 0.25, SCORING, console=console)
    bar.on_train_begin()
    for epoch in range(epochs):
        bar.on_epoch_begin(epoch)
        for batch in range(2):
            bar.on_train_batch_end(batch, {"loss": 0.12345})
        bar.on_epoch_end(epoch, {"val_mean_dice": scores[epoch]})
    bar.on_train_end()
    return console.file.getvalue()


def test_a_log_gets_a_line_a_minute_and_one_at_the_end_of_a_longer_epoch(monkeypatch):
    clock = [0.0]

    def elapsed(self, since):
        clock[0] += 30.0
        write(self, since)

    write = callbacks.ProgressBar._show
    monkeypatch.setattr(callbacks.ProgressBar, "_show", elapsed)
    monkeypatch.setattr(callbacks, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    text = shown_by(Console(file=io.StringIO(), width=60))
    # At 60 s in the first epoch, at its end, which is at 90 s, and so on.
    assert text.splitlines() == [
        "training 25% · epoch 1 · … left · loss 0.123",
        "training 25% · epoch 1 · … left · loss 0.123 · val mean Dice 0.812",
        "training 25% · epoch 2 · … left · loss 0.123 · val mean Dice 0.812",
        "training 25% · epoch 2 · … left · loss 0.123 · val mean Dice 0.900",
    ]


def test_nothing_is_written_to_a_log_in_the_first_minute():
    assert shown_by(Console(file=io.StringIO())) == ""


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_bar_fits_its_terminal(monkeypatch, width):
    # The longest there is: hours left, and a score after its name.
    monkeypatch.setattr(callbacks, "_time_left", lambda share: lambda: 36_000.0)
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    last = re.sub(r"\x1b\[[?\d;]*\w", "", shown_by(console)).replace("\r", "\n").strip()
    line = last.splitlines()[-1]
    assert len(line) <= width
    assert line.split()[0] == "25%"
    assert line.endswith("10:00:00 left · loss 0.123 · val mean Dice 0.900")


def test_a_score_that_is_no_number_is_told_once():
    messages = []
    bar = callbacks.ProgressBar(lambda: 0.5, SCORING, messages.append, Console(file=io.StringIO()))
    bar.on_train_begin()
    for epoch in range(3):
        bar.on_epoch_end(epoch, {"val_mean_dice": float("nan")})
    assert len(messages) == 1
    assert "The mean Dice of the validation images is not a number" in messages[0]
