"""`predict` on volumes: slices in order, and the labels of each volume on its own grid."""

import numpy as np
import pytest

from drawing_volumes import scene
from maskwright.errors import DataError
from maskwright.inference.folder import run_plan
from maskwright.inference.folder_plan import FolderOptions
from maskwright.inference.predictor import Predictor
from maskwright.labels import Labels
from maskwright.model_card import SemanticCard
from maskwright.tasks.semantic import volumes as module
from maskwright.tasks.semantic.folder import plan_predictor

nibabel = pytest.importorskip("nibabel")


@pytest.fixture(autouse=True)
def bright(monkeypatch, tmp_path):
    """A model that takes pixels above 200 for an organ."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    card = SemanticCard(
        labels=Labels.create(["background", "organ"]),
        channels=1,
        dtype="float32",
        size=None,
        tile=64,
        threshold=0.5,
        model_sha256="",
        version="",
        data="",
        value_range=(0.0, 1000.0),
    )
    predictor = Predictor(lambda images: (images[..., :1] - 200) / 10, card)
    monkeypatch.setattr(module, "load_card", lambda _: card)

    def plan(model, images, out, options):
        return plan_predictor(predictor, images, out, options)

    monkeypatch.setattr(module, "plan_folder", plan)


def predict(images, out):
    messages = []
    options = FolderOptions(overlays=False, on_message=messages.append)
    plan = module.plan_images_or_volumes("model", images, out, options)
    return run_plan(plan, out, options), [str(message) for message in messages]


def write(root, number, planes=1):
    root.mkdir(exist_ok=True)
    array = scene(seed=number)[0].transpose(2, 1, 0)
    array = array if planes == 1 else np.stack([array] * planes, axis=-1)
    affine = np.diag([-0.5, -0.8, 3.0, 1.0])
    nibabel.save(nibabel.Nifti1Image(array, affine), root / f"scan{number}.nii.gz")
    return affine


def test_labels_lie_on_the_grid_of_their_volume(tmp_path):
    for number in range(2):
        affine = write(tmp_path / "scans", number)
    result, messages = predict(tmp_path / "scans", tmp_path / "out")
    assert len(result.written) == 8
    assert (tmp_path / "out" / "scan1" / "003.png").is_file()
    labels = nibabel.load(tmp_path / "out" / "scan1.nii.gz")
    assert np.allclose(labels.affine, affine)
    drawn = scene(seed=1)[1] > 0
    assert np.array_equal(np.asarray(labels.dataobj), drawn.transpose(2, 1, 0))
    assert messages == [
        "The volumes are cut into axial slices.",
        "Wrote 2 volumes of labels, on the grids of the images.",
    ]
    again, _ = predict(tmp_path / "scans", tmp_path / "out")
    assert len(again.skipped) == 8


def test_a_series_in_time_is_refused(tmp_path):
    write(tmp_path / "scans", 0, planes=2)
    with pytest.raises(DataError, match="has 4 axes"):
        predict(tmp_path / "scans", tmp_path / "out")
