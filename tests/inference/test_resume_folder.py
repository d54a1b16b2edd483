"""Folders of objects and of cases: what is done is skipped, and a kill changes no byte."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

import drawing_regions
from drawing_regions import Brighter, by_brightness, disc_image, plan_pipeline
from maskwright.imageio import write_image
from maskwright.inference.folder import run_plan
from maskwright.inference.folder_plan import FolderOptions
from maskwright.inference.manifest import MANIFEST_FILE
from maskwright.instances import Instances
from maskwright.labels import Labels
from maskwright.model_card import InstanceCard
from maskwright.tasks.instances import InstancePredictor
from maskwright.tasks.instances.folder import plan_models
from maskwright.tasks.regions.pipeline import Pipeline

SLOW = """
import sys, time
sys.path[:0] = {paths}
from pathlib import Path
import test_resume_folder
from maskwright.inference.manifest import Manifest
add = Manifest.add
def slow(manifest, entry):
    add(manifest, entry)
    time.sleep(0.2)
Manifest.add = slow
test_resume_folder.predict({task!r}, Path({images!r}), Path({out!r}))
"""


class BrightObjects(InstancePredictor):
    """Bright components, each with the score 0.9."""

    def output(self, image):
        _, ids = cv2.connectedComponents((image[..., 0] > 95).astype(np.uint8))
        found = Instances.from_ids(ids)
        return Instances.from_ids(ids, scores=[0.9] * len(found))


def objects(images, out, options):
    card = InstanceCard(
        labels=Labels.create(["background", "disc"]),
        method="mask_rcnn",
        size=None,
        tile=None,
        **{"channels": 3, "dtype": "uint8", "model_sha256": "", "version": "0", "data": ""},
    )
    return plan_models(BrightObjects(lambda _: {}, card), None, images, out, options)


def cases(images, out, options):
    return plan_pipeline(Pipeline(by_brightness("case"), Brighter()), images, out, options)


def predict(task, images, out, **options):
    asked = FolderOptions(**options)
    return run_plan(globals()[task](images, out, asked), out, asked)


@pytest.fixture
def images(tmp_path):
    for number in range(9):
        image, _ = disc_image(number % 2 == 1, discs=2, seed=number)
        write_image(tmp_path / "in" / f"case{number // 3}" / f"{number}.png", image)
    return tmp_path / "in"


def contents(folder):
    """Content of all files, of the manifest without seconds."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            files[path.relative_to(folder).as_posix()] = path.read_bytes()
    lines = files.pop(MANIFEST_FILE).splitlines()
    return files, [{**json.loads(line), "seconds": 0} for line in lines]


@pytest.mark.parametrize("task", ["objects", "cases"])
def test_a_killed_prediction_goes_on_and_writes_the_same_bytes(task, images, tmp_path):
    predict(task, images, tmp_path / "whole")
    out = tmp_path / "out"
    paths = [str(Path(__file__).parent), str(Path(drawing_regions.__file__).parent)]
    code = SLOW.format(paths=paths, task=task, images=str(images), out=str(out))
    program = subprocess.Popen([sys.executable, "-c", code])
    manifest, until = out / MANIFEST_FILE, time.monotonic() + 60
    while not manifest.exists() or manifest.read_bytes().count(b"\n") < 4:
        assert time.monotonic() < until
        time.sleep(0.02)
    program.send_signal(signal.SIGKILL)
    program.wait()
    assert not list(out.glob("*.csv"))
    done = manifest.read_bytes().count(b"\n")
    again = predict(task, images, out)
    # Of a case that was not noted as a whole, all images are done again.
    assert len(again.skipped) == (done if task == "objects" else done // 3 * 3)
    assert len(again.skipped) + len(again.written) == 9
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.parametrize("task", ["objects", "cases"])
def test_what_is_done_is_skipped_and_stays_in_the_tables(task, images, tmp_path):
    out = tmp_path / "out"
    assert len(predict(task, images, out).written) == 9
    before = contents(out)
    again = predict(task, images, out)
    assert (again.written, len(again.skipped)) == ((), 9)
    assert "kipped 9" in again.summary()
    assert len(predict(task, images, out, overwrite=True).written) == 9
    assert contents(out) == before
    (out / "case1" / "4.png").unlink()
    assert len(predict(task, images, out).written) == (1 if task == "objects" else 3)
    assert contents(out) == before
    # With an image less, a case is another one.
    (images / "case2" / "8.png").unlink()
    assert len(predict(task, images, out).written) == (0 if task == "objects" else 2)


def test_a_case_with_an_image_that_fails_is_decided_again(images, tmp_path):
    out, broken = tmp_path / "out", images / "case1" / "3.png"
    good = broken.read_bytes()
    predict("cases", images, tmp_path / "whole")
    broken.write_text("no image")
    first = predict("cases", images, out)
    assert [failure.image for failure in first.failed] == [broken]
    assert [case["images"].count(";") for case in first.cases] == [2, 1, 2]
    assert len(predict("cases", images, out).skipped) == 6
    broken.write_bytes(good)
    assert len(predict("cases", images, out).written) == 3
    for table in ("cases.csv", "regions.csv"):
        assert (out / table).read_bytes() == (tmp_path / "whole" / table).read_bytes()
