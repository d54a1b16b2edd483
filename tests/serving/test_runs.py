import json
import threading
import time

import numpy as np
import pytest
from page_client import client_of
from PIL import Image

from maskwright.imageio import atomic_write
from maskwright.serving import ModelRegistry
from maskwright.serving.routes import runs

HISTORY = """epoch,seconds,loss,mean_dice,val_loss,val_mean_dice
1,2.5,0.9,0.5,0.8,0.6
2,5.0,0.5,0.7,,
3,7.5,nan,0.8,0.4,0.7
4,9.0,0.3,0.9,0.5,0.7
"""


def write(folder, share=0.4, running=True, age=0.0, **more):
    """Progress of a run as training writes it."""
    content = {
        "share": share,
        "seconds_left": 12.5,
        "running": running,
        "time": time.time() - age,
        "titles": {"mean_dice": "mean Dice"},
        "watch": "mean_dice",
        "columns": ["image", "ground truth", "predicted"],
    }
    with atomic_write(folder / "progress.json") as beside:
        beside.write_text(json.dumps(content | more))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "first"
    (folder / "previews").mkdir(parents=True)
    (folder / "plan.yaml").write_text("epochs: null\nminutes: 10.0\nseed: 0\n")
    return folder


@pytest.fixture
def client(folder):
    with client_of(ModelRegistry({"first": folder, "gone": folder.parent / "gone"})) as client:
        yield client


def test_a_run_that_trains(client, folder, monkeypatch):
    monkeypatch.setattr(runs, "_LOOK_S", 0.05)
    write(folder)
    (folder / "history.csv").write_text(HISTORY)
    picture = np.zeros((4, 12, 3), np.uint8)
    for name in ("epoch_0001.png", "epoch_0003.png", ".epoch_0004.1234.png"):
        Image.fromarray(picture).save(folder / "previews" / name)
    assert client.get("/api/runs").json() == [{"name": "first", "status": "running"}]
    found = client.get("/api/runs/first").json()
    rows = found.pop("history")
    assert found == {
        "name": "first",
        "status": "running",
        "progress": 0.4,
        "seconds_left": 12.5,
        "epoch": 4,
        "minutes": 10.0,
        "titles": {"mean_dice": "mean Dice"},
        "best_epoch": 3,
        "previews": [1, 3],
        "preview_columns": ["image", "ground truth", "predicted"],
    }
    assert rows[1] == {"epoch": 2, "seconds": 5.0, "loss": 0.5, "mean_dice": 0.7}
    assert rows[2]["loss"] is None
    preview = client.get("/api/runs/first/previews/3.png")
    assert (preview.status_code, preview.headers["content-type"]) == (200, "image/png")
    for missing in ("first/previews/2.png", "first/previews/-1.png", "gone", "..%2ffirst"):
        assert client.get(f"/api/runs/{missing}").status_code == 404

    def next_epoch():
        with atomic_write(folder / "history.csv") as beside:
            beside.write_text(HISTORY + "5,11.0,0.2,0.9,0.3,0.9\n")

    began = time.monotonic()
    assert client.get("/api/runs/first?after=4&wait=0.2").json()["epoch"] == 4
    assert time.monotonic() - began >= 0.2
    threading.Timer(0.2, next_epoch).start()
    began = time.monotonic()
    assert client.get("/api/runs/first?after=4&wait=20").json()["best_epoch"] == 5
    threading.Timer(0.2, write, (folder,), {"running": False}).start()
    assert client.get("/api/runs/first?after=5&wait=20").json()["status"] == "stopped"
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("progress", "card", "status", "share"),
    [
        (None, False, "stopped", 0.0),
        (None, True, "finished", 1.0),
        ({"age": 3600.0}, False, "stopped", 0.4),
        ({"age": 3600.0, "share": 1.0}, True, "finished", 1.0),
        ({"running": False}, False, "stopped", 0.4),
        ({"share": 1.0, "running": False}, True, "finished", 1.0),
        ({"share": 0.4}, True, "running", 0.4),  # a finished run that was taken up again
    ],
)
def test_how_a_run_stands(client, folder, progress, card, status, share):
    if progress is not None:
        write(folder, **progress)
    if card:
        (folder / "model_card.json").write_text("{}")
    found = client.get("/api/runs/first").json()
    assert (found["status"], found["progress"]) == (status, share)
    assert (found["seconds_left"] is None) == (status != "running")
    assert (found["history"], found["epoch"], found["best_epoch"]) == ([], 0, None)


def test_runs_that_tell_little_are_shown_all_the_same(client, folder):
    (folder / "history.csv").write_text(HISTORY)
    (folder / "progress.json").write_text("[1, 2")
    found = client.get("/api/runs/first").json()
    assert (found["titles"], found["best_epoch"]) == ({"mean_dice": "mean dice"}, 3)
    (folder / "plan.yaml").write_text("{[")
    (folder / "history.csv").write_text("epoch,loss\n1,abc\n")
    found = client.get("/api/runs/first").json()
    assert (found["history"], "minutes" in found) == ([], False)


def test_history_is_read_whole_while_it_is_replaced(client, folder):
    write(folder)
    over = threading.Event()

    def replace():
        number = 1
        while not over.is_set():
            rows = "".join(f"{epoch},{epoch}.5\n" for epoch in range(1, number % 200 + 2))
            with atomic_write(folder / "history.csv") as beside:
                beside.write_text(f"epoch,loss\n{rows}")
            number += 1

    thread = threading.Thread(target=replace)
    (folder / "history.csv").write_text("epoch,loss\n1,1.5\n")
    thread.start()
    try:
        for _ in range(40):
            found = client.get("/api/runs/first").json()
            assert found["epoch"] == len(found["history"]) >= 1
    finally:
        over.set()
        thread.join()
